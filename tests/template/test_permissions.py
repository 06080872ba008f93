"""Who may do what: one statement a purpose, and nothing without a reason."""

import pytest

from posture.model.endpoint_service import ServiceFacet
from posture.model.network import Facet
from posture_cli.embedded.translation import read_template
from stack_template import (
    PATH,
    RESOURCES,
    TEMPLATE,
    Statement,
    actions_on,
    allowed_to,
    endpoint_statements,
    identity_statements,
    listed,
    resources_of,
)

EVALUATORS = ("EvaluateRole", "SweepRole")
ROLES = (*EVALUATORS, "NotifyRole")
ENDPOINTS = ("DynamoDbEndpoint", "Ec2Endpoint", "SnsEndpoint", "StsEndpoint")

# The statements that are about everything; the template says why where they stand.
ABOUT_EVERYTHING = {
    ("FunctionsPolicy", "AttachToVpc"),
    ("FunctionsPolicy", "NotFromFunctionCode"),
    ("FunctionsPolicy", "SendTraces"),
    ("EvaluationPolicy", "DescribeNetworks"),
}
STATEMENTS = [
    pytest.param(where, statement, id=f"{where}-{statement['Sid']}")
    for where, statement in identity_statements()
]


@pytest.mark.parametrize(("where", "statement"), STATEMENTS)
def test_no_statement_allows_actions_by_the_star(where: str, statement: Statement) -> None:
    """Every action is named in full."""
    assert not [it for it in listed(statement["Action"]) if "*" in it], where


@pytest.mark.parametrize(("where", "statement"), STATEMENTS)
def test_a_statement_is_about_everything_only_where_aws_offers_no_less(
    where: str, statement: Statement
) -> None:
    """The few exceptions are listed above."""
    about_everything = "*" in resources_of(statement)
    assert about_everything is ((where, statement["Sid"]) in ABOUT_EVERYTHING)


def test_every_statement_has_a_name_of_its_own() -> None:
    """A Sid tells the purpose, and one purpose stands once in a policy."""
    names = [(where, statement["Sid"]) for where, statement in identity_statements()]
    assert len(names) == len(set(names))


def test_what_is_about_everything_in_ec2_changes_nothing() -> None:
    """Looking is all that is allowed; network interfaces are Lambda's own affair."""
    [deny] = [it for _, it in identity_statements() if it["Effect"] == "Deny"]
    taken_away = set(listed(deny["Action"]))
    for role in ROLES:
        left = actions_on(allowed_to(role), "ec2") - taken_away
        assert not [it for it in left if not it.startswith(("ec2:Describe", "ec2:Get"))]


def test_evaluators_may_read_the_facts_that_rules_need_and_no_others() -> None:
    """Each facet is the name of a call, and there is a permission for each."""
    calls = {f"ec2:{facet.value}" for facet in (*Facet, *ServiceFacet)}
    purposes = [it for where, it in identity_statements() if where == "EvaluationPolicy"]
    assert calls == actions_on(purposes, "ec2")


@pytest.mark.parametrize(
    ("role", "actions"),
    [
        ("EvaluateRole", {"dynamodb:PutItem"}),
        ("SweepRole", {"dynamodb:PutItem"}),
        ("NotifyRole", {"dynamodb:Query"}),
    ],
)
def test_history_can_only_grow(role: str, actions: set[str]) -> None:
    """Nobody changes or deletes what was recorded."""
    about = [it for it in allowed_to(role) if "HistoryTable" in resources_of(it)]
    assert actions == actions_on(about, "dynamodb")


@pytest.mark.parametrize("role", EVALUATORS)
def test_evaluators_only_read_the_baseline(role: str) -> None:
    """What the organisation requires is for people to say."""
    about = [it for it in allowed_to(role) if "BaselineTable" in resources_of(it)]
    assert actions_on(about, "dynamodb") == {"dynamodb:GetItem", "dynamodb:Query"}


@pytest.mark.parametrize("role", ROLES)
def test_only_the_notifier_publishes(role: str) -> None:
    """No other function can send what looks like an alert."""
    publishes = bool(actions_on(allowed_to(role), "sns"))
    assert publishes is (role == "NotifyRole")


@pytest.mark.parametrize("role", ROLES)
def test_no_role_passes_or_assumes_another(role: str) -> None:
    """A function cannot become more than it is; evaluators look into members by one role."""
    statements = allowed_to(role)
    assumes = [it for it in statements if actions_on([it], "sts")]
    assert not actions_on(statements, "iam")
    assert [it["Sid"] for it in assumes] == ["AssumeMemberRoles"] * (role in EVALUATORS)
    for statement in assumes:
        assert statement["Resource"]["Fn::Sub"].endswith(":role/${MemberRoleName}-${AWS::Region}")


def test_nobody_assumes_anything_without_members() -> None:
    """The statement, the endpoint and the bus exist only with member accounts."""
    assert RESOURCES["MembersPolicy"]["Condition"] == "HasMembers"
    assert RESOURCES["StsEndpoint"]["Condition"] == "OwnStsEndpoint"
    assert TEMPLATE["Conditions"]["OwnStsEndpoint"]["Fn::And"][0] == {"Condition": "HasMembers"}
    assert RESOURCES["MembersBus"]["Condition"] == "HasMembers"


def test_members_let_the_monitor_look_and_nothing_else() -> None:
    """What an evaluator may read at home it may read there, with the external id, by two roles."""
    role = read_template(PATH.parent / "member.yaml")["Resources"]["LookRole"]["Properties"]
    [trust] = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Condition"]["StringEquals"] == {"sts:ExternalId": {"Ref": "ExternalId"}}
    roles = [{"Ref": "EvaluateRoleArn"}, {"Ref": "SweepRoleArn"}]
    assert trust["Condition"]["ArnEquals"] == {"aws:PrincipalArn": roles}
    there = role["Policies"][0]["PolicyDocument"]["Statement"]
    home = [it for where, it in identity_statements() if where == "EvaluationPolicy"]
    assert actions_on(there, "ec2") == actions_on(home, "ec2")
    assert {it["Effect"] for it in there} == {"Allow"}


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_endpoints_let_only_our_roles_through(endpoint: str) -> None:
    """Each statement of an endpoint's policy names the roles it is for."""
    for statement in endpoint_statements(endpoint):
        assert not [it for it in listed(statement["Action"]) if "*" in it]
        if statement["Sid"] == "MemberRolesDescribeNetworks":
            assert set(statement["Condition"]) == {"StringEquals", "ArnLike"}
            assert set(statement["Condition"]["StringEquals"]) == {
                "aws:PrincipalOrgID",
                "aws:ResourceOrgID",
            }
            continue
        callers = listed(statement["Condition"]["ArnEquals"]["aws:PrincipalArn"])
        assert {it["Fn::GetAtt"][0] for it in callers} <= set(ROLES)


@pytest.mark.parametrize(
    ("endpoint", "service"),
    list(zip(ENDPOINTS, ("dynamodb", "ec2", "sns", "sts"), strict=True)),
)
@pytest.mark.parametrize("role", ROLES)
def test_endpoints_let_a_role_do_what_it_may(role: str, endpoint: str, service: str) -> None:
    """The role's own policy and the endpoint's say the same; Lambda's own calls go elsewhere."""
    purposes = [
        it
        for where, it in identity_statements()
        if where != "FunctionsPolicy" and it in allowed_to(role)
    ]
    of_code = [
        it for it in purposes if it["Sid"] not in {"ReadFindingsStream", "ListFindingsStreams"}
    ]
    through = [
        it
        for it in endpoint_statements(endpoint)
        if [role, "Arn"]
        in [
            arn["Fn::GetAtt"]
            for arn in listed(it["Condition"].get("ArnEquals", {}).get("aws:PrincipalArn", []))
        ]
    ]
    assert _pairs(of_code, service) <= _pairs(through, service)
    assert actions_on(of_code, service) == actions_on(through, service)


def _pairs(statements: list[Statement], service: str) -> set[tuple[str, str]]:
    """Give every action with every resource it is allowed on; "*" holds for any."""
    pairs = {
        (action, resource)
        for statement in statements
        for action in actions_on([statement], service)
        for resource in resources_of(statement)
    }
    return {(action, "*") if service == "ec2" else (action, it) for action, it in pairs}


def test_the_key_is_used_only_through_services_that_encrypt_with_it() -> None:
    """No function's code can decrypt anything by itself."""
    [statement] = [it for _, it in identity_statements() if actions_on([it], "kms")]
    services = statement["Condition"]["StringEquals"]["kms:ViaService"]
    assert [it["Fn::Sub"].split(".")[0] for it in services] == ["dynamodb", "sqs", "sns"]


def test_the_key_is_let_to_services_by_name() -> None:
    """Besides this account's IAM, three services may use the key, and none may manage it."""
    _, *services = RESOURCES["Key"]["Properties"]["KeyPolicy"]["Statement"]
    assert [it["Sid"] for it in services] == ["EncryptLogs", "QueueEvents", "PublishAlarms"]
    assert not [it for it in services if "kms:*" in listed(it["Action"])]
