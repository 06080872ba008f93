"""IAM: each statement has one purpose and no unneeded permission."""

from collections.abc import Mapping
from typing import Any

import pytest

from posture.model.endpoint_service import ServiceFacet
from posture.model.network import Facet
from posture_cli.embedded.translation import read_template
from stack_template import (
    MEMBER,
    PATH,
    RESOURCES,
    TEMPLATE,
    Statement,
    as_list,
    list_allowed,
    list_endpoint_statements,
    list_identity_statements,
    name_resources,
    select_actions,
)

FORWARDER = read_template(PATH.with_name("shared-events.yaml"))["Resources"]
RUNBOOK = read_template(PATH.with_name("remediation.yaml"))["Resources"]
EVALUATORS = ("EvaluateRole", "SweepRole", "RefreshRole", "SweepMemberRole")
SWEEPERS = {"SweepRole", "SweepMemberRole"}
ROLES = (*EVALUATORS, "NotifyRole", "ExportRole")  # in the VPC
ENDPOINTS = ("DynamoDbEndpoint", "Ec2Endpoint", "SnsEndpoint", "StsEndpoint", "S3Endpoint")

THROUGH_OWN_ENDPOINTS = [
    it for where, it in list_identity_statements() if where == "OwnEndpointsPolicy"
]
# The statements on all resources; the template has the reasons.
ON_ALL_RESOURCES = {
    ("FunctionsPolicy", "AttachToVpc"),
    ("FunctionsPolicy", "NotFromFunctionCode"),
    ("FunctionsPolicy", "EventSourcesNotFromFunctionCode"),
    ("FunctionsPolicy", "SendTraces"),
    ("EvaluationPolicy", "DescribeNetworks"),
    ("MembersRole", "DeliverLogs"),
    ("MembersRole", "SendTraces"),
    ("OrganizationReadRole", "ListAccounts"),
    ("SurveyRole", "SendTraces"),
    ("SurveyRole", "ListGlobalNetwork"),
    ("SurveyRole", "ListRegionalNetwork"),
    *(("OwnEndpointsPolicy", it["Sid"]) for it in THROUGH_OWN_ENDPOINTS),
}
STATEMENTS = [
    pytest.param(where, statement, id=f"{where}-{statement['Sid']}")
    for where, statement in list_identity_statements()
]


@pytest.mark.parametrize(("where", "statement"), STATEMENTS)
def test_no_statement_has_a_wildcard_action(where: str, statement: Statement) -> None:
    """Every action is named in full."""
    assert not [it for it in as_list(statement["Action"]) if "*" in it], where


@pytest.mark.parametrize(("where", "statement"), STATEMENTS)
def test_a_statement_is_on_all_resources_only_if_aws_requires_it(
    where: str, statement: Statement
) -> None:
    """The few exceptions are listed above."""
    on_all_resources = "*" in name_resources(statement)
    assert on_all_resources is ((where, statement["Sid"]) in ON_ALL_RESOURCES)


def test_every_statement_has_a_unique_sid() -> None:
    """No policy has two statements with the same purpose."""
    names = [(where, statement["Sid"]) for where, statement in list_identity_statements()]
    assert len(names) == len(set(names))


def test_the_functions_have_read_access_to_ec2_only() -> None:
    """The permissions on network interfaces, which Lambda needs, are denied to their code."""
    [deny] = [it for _, it in list_identity_statements() if it["Sid"] == "NotFromFunctionCode"]
    denied = set(as_list(deny["Action"]))
    for role in ROLES:
        left = select_actions(list_allowed(role), "ec2") - denied
        assert not [it for it in left if not it.startswith(("ec2:Describe", "ec2:Get"))]


def test_the_evaluators_can_make_the_calls_that_rules_need_and_no_others() -> None:
    """Each facet is the name of an EC2 action, and each has a permission."""
    calls = {f"ec2:{facet.value}" for facet in (*Facet, *ServiceFacet)}
    purposes = [it for where, it in list_identity_statements() if where == "EvaluationPolicy"]
    assert calls == select_actions(purposes, "ec2")


# Lambda makes these calls with the roles, from its own network.
OF_LAMBDA = ("ListStreams", "DescribeStream", "GetRecords", "GetShardIterator")
STREAMS = {"ReadFindingsStream", "ListFindingsStreams", "ReadNetworkStream", "ListNetworkStreams"}
STREAMS |= {"ReadMembersStream", "ListMembersStreams"}


@pytest.mark.parametrize("role", ROLES)
def test_what_the_functions_do_is_denied_outside_the_stacks_endpoints(role: str) -> None:
    """Credentials that leave a function are worth nothing on another network."""
    policy = RESOURCES["OwnEndpointsPolicy"]["Properties"]
    roles = [it["Fn::If"][1] if "Fn::If" in it else it for it in policy["Roles"]]
    assert {"Ref": role} in roles
    denied: dict[str, Any] = {}
    for each in THROUGH_OWN_ENDPOINTS:
        assert each["Effect"] == "Deny"
        endpoint = each["Condition"]["StringNotEquals"]["aws:SourceVpce"]["Ref"]
        denied |= dict.fromkeys(as_list(each["Action"]), endpoint)
    endpoints = {"dynamodb": "DynamoDbEndpoint", "ec2": "Ec2Endpoint", "sns": "SnsEndpoint"}
    endpoints |= {"sts": "StsEndpoint", "s3": "S3Endpoint", "securityhub": "SecurityHubEndpoint"}
    [attach] = [it for _, it in list_identity_statements() if it["Sid"] == "NotFromFunctionCode"]
    for service, endpoint in endpoints.items():
        for action in select_actions(list_allowed(role), service):
            if action.endswith(OF_LAMBDA) or action in attach["Action"]:
                continue
            assert denied[action] == endpoint, action


@pytest.mark.parametrize(
    ("role", "actions"),
    [
        ("EvaluateRole", {"dynamodb:PutItem"}),
        ("SweepRole", {"dynamodb:PutItem"}),
        ("NotifyRole", {"dynamodb:Query"}),
        ("ExportRole", set()),
        ("RefreshRole", {"dynamodb:PutItem"}),
        ("SweepMemberRole", {"dynamodb:PutItem"}),
        ("MembersRole", set()),
        ("SurveyRole", set()),
    ],
)
def test_history_is_append_only(role: str, actions: set[str]) -> None:
    """No role can change or delete a row."""
    about = [it for it in list_allowed(role) if "HistoryTable" in name_resources(it)]
    assert actions == select_actions(about, "dynamodb")


@pytest.mark.parametrize("role", EVALUATORS)
def test_evaluators_only_read_the_baseline(role: str) -> None:
    """Only people change the baseline; sweeps update members, which have a key of their own."""
    about = [it for it in list_allowed(role) if "BaselineTable" in name_resources(it)]
    reads = [it for it in about if it["Sid"] not in STREAMS]
    writes = [it for it in reads if it["Sid"] == "UpdateMembers"]
    assert [it["Action"] for it in writes] == ["dynamodb:UpdateItem"] * (role in SWEEPERS)
    for each in writes:
        [named] = each["Condition"].values()
        assert named["dynamodb:LeadingKeys"] == ["member"]
        assert not {"state", "source", "since"} & set(named["dynamodb:Attributes"])
    reads = [it for it in reads if it not in writes]
    assert select_actions(reads, "dynamodb") == {"dynamodb:GetItem", "dynamodb:Query"}


@pytest.mark.parametrize("role", ROLES)
def test_only_the_notify_function_publishes(role: str) -> None:
    """No other function can send an alert."""
    publishes = bool(select_actions(list_allowed(role), "sns"))
    assert publishes is (role == "NotifyRole")


@pytest.mark.parametrize("role", ROLES)
def test_no_role_passes_or_assumes_another(role: str) -> None:
    """The exception is the evaluators' role in member accounts."""
    statements = list_allowed(role)
    assumes = [it for it in statements if select_actions([it], "sts")]
    assert not select_actions(statements, "iam")
    assert [it["Sid"] for it in assumes] == ["AssumeMemberRoles"] * (role in EVALUATORS)
    for statement in assumes:
        assert statement["Resource"]["Fn::Sub"].endswith(":role/${MemberRoleName}-${AWS::Region}")


def test_no_role_is_assumed_without_member_accounts() -> None:
    """The statement, the endpoint and the bus exist only with member accounts."""
    assert RESOURCES["MembersPolicy"]["Condition"] == "HasMembers"
    assert RESOURCES["StsEndpoint"]["Condition"] == "OwnStsEndpoint"
    assert TEMPLATE["Conditions"]["OwnStsEndpoint"]["Fn::And"][0] == {"Condition": "HasMembers"}
    assert RESOURCES["MembersBus"]["Condition"] == "HasMembers"


def test_member_accounts_grant_read_access_only() -> None:
    """The permissions of the central account, with the external id, for its functions' roles."""
    role = MEMBER["LookRole"]["Properties"]
    [trust] = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Condition"]["StringEquals"] == {"sts:ExternalId": {"Ref": "ExternalId"}}
    callers = "arn:${AWS::Partition}:iam::${MonitorAccountId}:role${MonitorRolePath}"
    survey, refresh = (
        {"Fn::Sub": f"{callers}${{MonitorStackName}}-{name}-*"}
        for name in ("SurveyRole", "RefreshRole")
    )
    assert trust["Condition"]["ArnLike"]["aws:PrincipalArn"] == [
        {"Fn::Sub": callers + "${MonitorStackName}-EvaluateRole-*"},
        {"Fn::Sub": callers + "${MonitorStackName}-SweepRole-*"},
        {"Fn::Sub": callers + "${MonitorStackName}-SweepMemberRole-*"},
        {"Fn::If": ["SharesNetwork", survey, {"Ref": "AWS::NoValue"}]},
        {"Fn::If": ["SharesNetwork", refresh, {"Ref": "AWS::NoValue"}]},
    ]
    there = role["Policies"][0]["PolicyDocument"]["Statement"]
    home = [it for where, it in list_identity_statements() if where == "EvaluationPolicy"]
    assert select_actions(there, "ec2") == select_actions(home, "ec2")
    assert {it["Effect"] for it in there} == {"Allow"}


@pytest.mark.parametrize("resources", [RESOURCES, MEMBER, FORWARDER, RUNBOOK])
def test_every_role_can_have_a_permissions_boundary(
    resources: Mapping[str, Mapping[str, Any]],
) -> None:
    """An organization that requires one can deploy each template."""
    given = {"Ref": "PermissionsBoundaryArn"}
    boundary = {"Fn::If": ["HasPermissionsBoundary", given, {"Ref": "AWS::NoValue"}]}
    for role in resources.values():
        if role["Type"] == "AWS::IAM::Role":
            assert role["Properties"]["PermissionsBoundary"] == boundary


@pytest.mark.parametrize("resources", [RESOURCES, MEMBER, FORWARDER, RUNBOOK])
def test_every_role_and_policy_can_have_a_path(
    resources: Mapping[str, Mapping[str, Any]],
) -> None:
    """The default is no property, so that an update replaces none of them."""
    path = {"Fn::If": ["HasRolePath", {"Ref": "RolePath"}, {"Ref": "AWS::NoValue"}]}
    for resource in resources.values():
        if resource["Type"] in {"AWS::IAM::Role", "AWS::IAM::ManagedPolicy"}:
            assert resource["Properties"]["Path"] == path


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_endpoint_policies_allow_the_stacks_roles_only(endpoint: str) -> None:
    """Each statement of an endpoint policy names its roles."""
    for statement in list_endpoint_statements(endpoint):
        assert not [it for it in as_list(statement["Action"]) if "*" in it]
        if statement["Sid"] == "MemberRolesDescribeNetworks":
            assert set(statement["Condition"]) == {"StringEquals", "ArnLike"}
            assert set(statement["Condition"]["StringEquals"]) == {
                "aws:PrincipalOrgID",
                "aws:ResourceOrgID",
            }
            continue
        assert list_callers(statement) <= set(ROLES)


@pytest.mark.parametrize(
    ("endpoint", "service"),
    list(zip(ENDPOINTS, ("dynamodb", "ec2", "sns", "sts", "s3"), strict=True)),
)
@pytest.mark.parametrize("role", ROLES)
def test_endpoint_policies_allow_what_roles_allow(role: str, endpoint: str, service: str) -> None:
    """Role and endpoint policy correspond, except for calls that Lambda itself makes."""
    purposes = [
        it
        for where, it in list_identity_statements()
        if where != "FunctionsPolicy" and it in list_allowed(role)
    ]
    of_code = [it for it in purposes if it["Sid"] not in STREAMS]
    through = [it for it in list_endpoint_statements(endpoint) if role in list_callers(it)]
    assert _pairs(of_code, service) <= _pairs(through, service)
    assert select_actions(of_code, service) == select_actions(through, service)


def list_callers(statement: Statement) -> set[str]:
    """Return the roles that a statement of an endpoint policy names."""
    callers = as_list(statement["Condition"].get("ArnEquals", {}).get("aws:PrincipalArn", []))
    return {it.get("Fn::If", ["", it])[1]["Fn::GetAtt"][0] for it in callers}


def _pairs(statements: list[Statement], service: str) -> set[tuple[str, str]]:
    """Return every action with every resource it is allowed on; EC2 actions with "*"."""
    pairs = {
        (action, resource)
        for statement in statements
        for action in select_actions([statement], service)
        for resource in name_resources(statement)
    }
    return {(action, "*") if service == "ec2" else (action, it) for action, it in pairs}


def test_the_key_is_used_only_through_services_that_encrypt_with_it() -> None:
    """No function's code can decrypt data directly."""
    users = {where: it for where, it in list_identity_statements() if select_actions([it], "kms")}
    assert users.keys() == {
        "ExportRole",
        "FindingsPipeRole",
        "FunctionsPolicy",
        "MembersRole",
        "SurveyRole",
    }
    exports, statement = users["ExportRole"], users["FunctionsPolicy"]
    assert exports["Action"] == "kms:GenerateDataKey"
    assert exports["Resource"] == {"Ref": "EvidenceKeyArn"}
    assert exports["Condition"]["StringEquals"]["kms:ViaService"]["Fn::Sub"].startswith("s3.")
    services = statement["Condition"]["StringEquals"]["kms:ViaService"]
    assert [it["Fn::Sub"].split(".")[0] for it in services] == ["dynamodb", "sqs", "sns"]


def test_the_key_policy_names_its_services() -> None:
    """Besides this account's IAM, three services can use the key, and none can manage it."""
    _, *services = RESOURCES["Key"]["Properties"]["KeyPolicy"]["Statement"]
    assert [it["Sid"] for it in services] == ["EncryptLogs", "QueueEvents", "PublishAlarms"]
    assert not [it for it in services if "kms:*" in as_list(it["Action"])]


def test_the_export_writes_below_its_prefix_of_one_bucket() -> None:
    """Its only write; a bucket of that name in another account is refused."""
    [write] = [it for it in list_allowed("ExportRole") if select_actions([it], "s3")]
    assert write["Action"] == "s3:PutObject"
    assert write["Resource"]["Fn::Sub"].endswith(
        "s3:::${EvidenceBucket}/${AWS::StackName}/${AWS::AccountId}/${AWS::Region}/*"
    )
    assert set(write["Condition"]["StringEquals"]) == {"aws:ResourceAccount"}
    [through] = list_endpoint_statements("S3Endpoint")
    assert through["Resource"] == write["Resource"]
    assert through["Condition"]["StringEquals"] == write["Condition"]["StringEquals"]


def test_nothing_is_exported_without_a_bucket() -> None:
    """The function, its schedule, role, endpoint and alarms exist only with one."""
    named = [name for name in RESOURCES if name.startswith(("Export", "S3Endpoint"))]
    assert len(named) == 9
    for name in named:
        assert RESOURCES[name]["Condition"] in {"ExportsChainEnds", "OwnS3Endpoint"}
    assert TEMPLATE["Conditions"]["OwnS3Endpoint"]["Fn::And"][0] == {
        "Condition": "ExportsChainEnds"
    }
