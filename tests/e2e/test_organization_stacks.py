"""The stacks of an organization, created by a CloudFormation engine, with events between them.

In moto: the central stack, and in a member account `member.yaml`, `shared-events.yaml` and
`remediation.yaml`. moto's CloudFormation lacks policies of event buses and queues, single policies
of roles, and subscriptions: `complete_stack` makes them by API calls. Its EventBridge forwards
events without the role and the bus policy, so these are compared with what they have to allow.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from change_records import build_record
from enforced_roles import parse_document
from posture.policy.evaluate import evaluate
from posture.policy.keys import PRINCIPAL_ACCOUNT, PRINCIPAL_ORG
from posture.policy.request import CallerKind, Request
from posture_cli.embedded.aws import EmbeddedAws
from posture_cli.embedded.cloudtrail import ApiCaller, build_event_entry, record_calls
from posture_cli.embedded.stack import Stack, deploy_stack
from posture_cli.embedded.translation import read_template
from sample_network import SampleNetwork, build_sample_network
from stack_template import PATH, as_list

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import IpPermissionTypeDef

MEMBER = "111111111111"
ORGANIZATION = "o-exampleorgid"
EXTERNAL_ID = "our-external-id"
GLOBAL_REGION = "us-east-1"  # where Route 53's events are
CENTRAL = {
    "OrganizationId": ORGANIZATION,
    "MemberAccounts": MEMBER,
    "MemberExternalId": EXTERNAL_ID,
    "MemberRoleName": "members/posture-look",
    "RolePath": "/monitor/",
    "SharedNetwork": "on",
}
ANY_ADDRESS: "IpPermissionTypeDef" = {
    "IpProtocol": "tcp",
    "FromPort": 443,
    "ToPort": 443,
    "IpRanges": [{"CidrIp": "0.0.0.0/0"}],
}


@dataclass(frozen=True)
class Organization:
    """A central account with its stack, and a member account with its stacks and a network."""

    aws: EmbeddedAws
    member: Stack
    events: Stack
    network: SampleNetwork

    def open_session(self, region: str) -> boto3.Session:
        """Return a session of the member's administrator."""
        return open_member_session(self.aws, region)

    def put_in_member(self, record: dict[str, Any], region: str | None = None) -> None:
        """Put a CloudTrail record on the member's own event bus."""
        client = self.open_session(region or self.aws.region).client("events")
        client.put_events(Entries=[build_event_entry(record)])


def open_member_session(aws: EmbeddedAws, region: str) -> boto3.Session:
    """Return a session of the member's administrator."""
    role = f"arn:aws:iam::{MEMBER}:role/Admin"
    made = aws.session.client("sts").assume_role(RoleArn=role, RoleSessionName="admin")
    keys = made["Credentials"]
    return boto3.Session(
        keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], region_name=region
    )


@pytest.fixture(scope="module")
def organization() -> Iterator[Organization]:
    """Create the central stack, then the member's, in the order of operations.md."""
    with EmbeddedAws(PATH.parent, parameters=CENTRAL) as aws:
        monitor = {"MonitorAccountId": aws.account}
        session = open_member_session(aws, aws.region)
        member = deploy_stack(
            PATH.with_name("member.yaml"),
            region=aws.region,
            name="posture-member",
            parameters={
                **monitor,
                "MonitorRolePath": CENTRAL["RolePath"],
                "ExternalId": EXTERNAL_ID,
                "RolePath": "/members/",
                "SharedNetwork": "on",
            },
            session=session,
        )
        events = deploy_stack(
            PATH.with_name("shared-events.yaml"),
            region=GLOBAL_REGION,
            name="posture-events",
            parameters={**monitor, "MonitorRegion": aws.region},
            session=open_member_session(aws, GLOBAL_REGION),
        )
        network = build_sample_network(session.client("ec2"))
        yield Organization(aws, member, events, network)


def test_a_change_in_a_member_account_opens_a_finding(organization: Organization) -> None:
    """By the member's rule, the central bus, its rule, queue and evaluator, the member's role."""
    aws = organization.aws
    ec2 = organization.open_session(aws.region).client("ec2")
    record_calls(ec2, ApiCaller(MEMBER, "NetworkAdmin", "bob"), organization.put_in_member)
    ec2.authorize_security_group_ingress(
        GroupId=organization.network.group, IpPermissions=[ANY_ADDRESS]
    )
    aws.settle()
    found = list_findings(aws, organization.network.vpc)
    assert "endpoint-security-group-open" in found
    assert found["endpoint-security-group-open"]["actor"]["S"].endswith("/bob")


def list_findings(aws: EmbeddedAws, vpc: str) -> dict[str, dict[str, Any]]:
    """List the open findings of a member's VPC by rule."""
    answer = aws.session.client("dynamodb").query(
        TableName=aws.stack.outputs["FindingsTableName"],
        KeyConditionExpression="#scope = :scope",
        ExpressionAttributeNames={"#scope": "scope"},
        ExpressionAttributeValues={":scope": {"S": f"{MEMBER}/{aws.region}/{vpc}"}},
    )
    return {it["rule"]["S"]: dict(it) for it in answer["Items"] if "rule" in it}


def test_a_changed_zone_of_a_member_is_surveyed(organization: Organization) -> None:
    """From us-east-1 of the member, across account and Region, to the central survey."""
    aws = organization.aws
    survey = aws.functions["posture-survey"].log
    before = len(survey.getvalue())
    record = build_record("ChangeResourceRecordSets", {"hostedZoneId": "Z0123456789ABCDEFGHIJ"})
    record |= {"eventSource": "route53.amazonaws.com", "awsRegion": GLOBAL_REGION}
    organization.put_in_member(record | {"recipientAccountId": MEMBER}, GLOBAL_REGION)
    aws.settle()
    assert '"ChangesReceived":[1.0]' in survey.getvalue()[before:]


@pytest.mark.parametrize("bus", ["members", "shared"])
def test_a_bus_accepts_events_of_members_only(organization: Organization, bus: str) -> None:
    """Moto forwards without reading the policy, so it is read here."""
    name = f"posture-{bus}"
    found = organization.aws.session.client("events").describe_event_bus(Name=name)
    statements = json.loads(found["Policy"])["Statement"]
    assert {it["Action"] for it in statements} == {"events:PutEvents"}
    assert {it["Resource"] for it in statements} == {found["Arn"]}
    accounts = [MEMBER] if bus == "members" else [organization.aws.account, MEMBER]
    for statement in statements:
        allowed = statement["Condition"]["StringEquals"]
        assert allowed["aws:PrincipalOrgID"] == ORGANIZATION
        assert set(allowed["aws:PrincipalAccount"]) <= set(accounts)
    policy = parse_document({"Statement": statements})
    for account, organization_id, accepted in (
        (MEMBER, ORGANIZATION, True),
        (MEMBER, "o-another", False),
        ("333333333333", ORGANIZATION, False),
    ):
        context = {PRINCIPAL_ACCOUNT: (account,), PRINCIPAL_ORG: (organization_id,)}
        put = Request(
            CallerKind.PRINCIPAL,
            account,
            f"arn:aws:iam::{account}:role/Any",
            "session",
            "events:PutEvents",
            found["Arn"],
            organization.aws.account,
            context=context,
        )
        assert evaluate(policy, put).allowed is accepted


def test_what_a_member_composes_is_what_the_central_stack_created(
    organization: Organization,
) -> None:
    """Each target is a bus that exists, and the forwarding role may put events on it."""
    aws = organization.aws
    buses = {it["Arn"] for it in aws.session.client("events").list_event_buses()["EventBuses"]}
    for stack in (organization.member, organization.events):
        targets = {
            target["Arn"]
            for rule in stack.of_type("AWS::Events::Rule").values()
            for target in rule.properties["Targets"]
        }
        assert targets
        assert targets <= buses
        [policy] = stack.resources["ForwardRole"].properties["Policies"]
        [statement] = policy["PolicyDocument"]["Statement"]
        assert set(as_list(statement["Resource"])) == targets


def test_a_member_admits_the_functions_of_the_central_stack(organization: Organization) -> None:
    """By the names that CloudFormation gave their roles, and by no other role of that account.

    Both sides have paths, which the other side has to know.
    """
    aws, member = organization.aws, organization.member
    iam = organization.open_session(aws.region).client("iam")
    role = iam.get_role(RoleName=member.physical_id("LookRole"))["Role"]
    assert role["Arn"] == member.outputs["LookRoleArn"]
    trust: Any = role["AssumeRolePolicyDocument"]
    [statement] = trust["Statement"]
    assert statement["Condition"]["StringEquals"] == {"sts:ExternalId": EXTERNAL_ID}
    patterns = [it for it in statement["Condition"]["ArnLike"]["aws:PrincipalArn"] if it]
    listed = aws.session.client("iam").list_roles()["Roles"]
    arns = {it["RoleName"].split("-")[1]: it["Arn"] for it in listed}
    admitted = {name for name, arn in arns.items() for it in patterns if fnmatchcase(arn, it)}
    policies = iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"]
    assert sorted(policies) == ["describe-networks", "describe-shared-network"]
    assert admitted == {"EvaluateRole", "SweepRole", "SurveyRole", "RefreshRole"}
    for function in ("EvaluateFunction", "SweepFunction"):
        settings = aws.stack.environment(function)
        assert role["Arn"].endswith(f":role/{settings['MEMBER_ROLE_NAME']}")
        assert settings["MEMBER_EXTERNAL_ID"] == EXTERNAL_ID


def test_the_runbook_of_remediations_is_created(organization: Organization) -> None:
    """In the member account, for one VPC."""
    session = organization.open_session(organization.aws.region)
    approver = f"arn:aws:iam::{MEMBER}:role/Approver"
    stack = deploy_stack(
        PATH.with_name("remediation.yaml"),
        region=organization.aws.region,
        name="posture-fix",
        parameters={
            "VpcId": organization.network.vpc,
            "Approvers": approver,
            "ApproverEmail": "network@example.com",
        },
        session=session,
    )
    document = session.client("ssm").get_document(Name=stack.physical_id("Runbook"))
    content = json.loads(document["Content"])
    assert content["schemaVersion"] == "0.3"
    assert approver in json.dumps(content)
    [subscription] = session.client("sns").list_subscriptions()["Subscriptions"]
    assert subscription["Endpoint"] == "network@example.com"


def test_every_resource_of_the_organizations_stacks_was_created(
    organization: Organization,
) -> None:
    """No resource is missing but those of the other global Region."""
    for name, stack in (
        ("member.yaml", organization.member),
        ("shared-events.yaml", organization.events),
    ):
        declared = read_template(PATH.with_name(name))["Resources"].keys()
        assert declared - stack.resources.keys() <= {"CoreRule"}, name
