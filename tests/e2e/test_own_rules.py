"""The monitor judged by itself: its own VPC passes every rule, and no loosening goes unseen."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from posture.ec2.observer import Observer
from posture.model.baseline import Baseline
from posture.model.scope import Region, Scope
from posture.model.verdict import Status, Verdict
from posture.rules.engine import evaluate_vpc
from posture_cli.embedded.environment import isolate_environment
from posture_cli.embedded.moto_patches import EndpointPatches, patch_moto
from posture_cli.embedded.stack import deploy_stack
from posture_cli.embedded.translation import read_template
from stack_template import PATH

REGION = "eu-west-1"
ACCOUNT = "123456789012"
MEMBERS = {
    "OrganizationId": "o-exampleorgid",
    "MemberAccounts": "111111111111",
    "MemberExternalId": "our-external-id",
}
STRICT = Baseline(
    required_services=("dynamodb", "ec2", "sns"),
    trusted_organizations=frozenset({MEMBERS["OrganizationId"]}),
)
Resources = dict[str, Any]


@pytest.fixture(scope="module")
def aws() -> Iterator[None]:
    """Give an empty account."""
    with isolate_environment(REGION), mock_aws():
        patch_moto()
        yield


def judged(template: Path, stack: str, **parameters: str) -> tuple[Verdict, ...]:
    """Deploy a template; judge the VPC that its functions run in."""
    made = deploy_stack(template, region=REGION, name=stack, parameters=parameters)
    endpoint_patches = EndpointPatches(ACCOUNT, REGION)
    endpoint_patches.patch_stack(made)
    ec2 = boto3.Session(region_name=REGION).client("ec2")
    scope = Scope(ACCOUNT, REGION, made.outputs["MonitorVpcId"])
    snapshot = Observer(ec2, Region(ACCOUNT, REGION)).collect_vpc(scope)
    assert snapshot is not None
    return evaluate_vpc(snapshot, STRICT)


def failed(verdicts: tuple[Verdict, ...]) -> set[str]:
    """Name the rules that failed."""
    return {each.rule for each in verdicts if each.status is Status.FAIL}


@pytest.mark.parametrize(
    ("stack", "parameters"),
    [
        ("default", {}),
        ("members", {"ZoneCount": "3", **MEMBERS}),
    ],
)
@pytest.mark.usefixtures("aws")
def test_the_monitors_own_vpc_is_compliant(stack: str, parameters: dict[str, str]) -> None:
    """Every rule passes or does not apply; none is unknown."""
    verdicts = judged(PATH, stack, **parameters)
    passing = {Status.PASS, Status.NOT_APPLICABLE}
    assert [each for each in verdicts if each.status not in passing] == []
    assert len({each.rule for each in verdicts}) >= 10


def nat_added(resources: Resources) -> None:
    """Give the functions' subnets a way out by a NAT gateway."""
    resources["Internet"] = {"Type": "AWS::EC2::InternetGateway"}
    resources["Attached"] = {
        "Type": "AWS::EC2::VPCGatewayAttachment",
        "Properties": {"VpcId": {"Ref": "Vpc"}, "InternetGatewayId": {"Ref": "Internet"}},
    }
    resources["Address"] = {"Type": "AWS::EC2::EIP", "Properties": {"Domain": "vpc"}}
    resources["Edge"] = {
        "Type": "AWS::EC2::Subnet",
        "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.255.255.48/28"},
    }
    resources["EdgeTable"] = {
        "Type": "AWS::EC2::RouteTable",
        "Properties": {"VpcId": {"Ref": "Vpc"}},
    }
    resources["EdgeRoutes"] = {
        "Type": "AWS::EC2::SubnetRouteTableAssociation",
        "Properties": {"SubnetId": {"Ref": "Edge"}, "RouteTableId": {"Ref": "EdgeTable"}},
    }
    resources["Nat"] = {
        "Type": "AWS::EC2::NatGateway",
        "Properties": {
            "SubnetId": {"Ref": "Edge"},
            "AllocationId": {"Fn::GetAtt": ["Address", "AllocationId"]},
        },
    }
    resources["WayOut"] = route("RouteTable", NatGatewayId={"Ref": "Nat"})
    resources["EdgeWayOut"] = route("EdgeTable", GatewayId={"Ref": "Internet"})


def route(table: str, **target: Any) -> Any:
    """Give a default route."""
    properties = {"RouteTableId": {"Ref": table}, "DestinationCidrBlock": "0.0.0.0/0"}
    return {"Type": "AWS::EC2::Route", "Properties": properties | target}


def association_dropped(resources: Resources) -> None:
    """Take DynamoDB's endpoint off the functions' route table, to one that nobody uses."""
    bare = {"Type": "AWS::EC2::RouteTable", "Properties": {"VpcId": {"Ref": "Vpc"}}}
    resources["Bare"] = bare
    resources["DynamoDbEndpoint"]["Properties"]["RouteTableIds"] = [{"Ref": "Bare"}]


def group_opened(resources: Resources) -> None:
    """Let everybody in at the EC2 endpoint."""
    ingress = resources["Ec2EndpointIngress"]["Properties"]
    del ingress["SourceSecurityGroupId"]
    ingress["CidrIp"] = "0.0.0.0/0"


def private_dns_off(resources: Resources) -> None:
    """Let SNS's name lead to its public address."""
    resources["SnsEndpoint"]["Properties"]["PrivateDnsEnabled"] = False


def host_names_off(resources: Resources) -> None:
    """Take from the VPC what private DNS needs."""
    resources["Vpc"]["Properties"]["EnableDnsHostnames"] = False


def policy_widened(resources: Resources) -> None:
    """Let everybody do everything through the EC2 endpoint."""
    statement = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    resources["Ec2Endpoint"]["Properties"]["PolicyDocument"] = policy


def one_zone(resources: Resources) -> None:
    """Put the SNS endpoint in one zone."""
    resources["SnsEndpoint"]["Properties"]["SubnetIds"] = [{"Ref": "SubnetA"}]


def endpoint_dropped(resources: Resources) -> None:
    """Leave SNS without a private way."""
    del resources["SnsEndpoint"]


@pytest.mark.parametrize(
    ("loosen", "rule"),
    [
        (nat_added, "gateway-service-bypasses-endpoint"),
        (association_dropped, "subnet-without-gateway-endpoint-route"),
        (group_opened, "endpoint-security-group-open"),
        (private_dns_off, "endpoint-private-dns-disabled"),
        (host_names_off, "endpoint-private-dns-ineffective"),
        (policy_widened, "endpoint-policy-allows-full-access"),
        (one_zone, "endpoint-single-availability-zone"),
        (endpoint_dropped, "required-service-without-endpoint"),
    ],
    ids=lambda it: it.__name__ if callable(it) else "",
)
@pytest.mark.usefixtures("aws")
def test_a_loosened_template_is_caught(
    tmp_path: Path, loosen: Callable[[Resources], None], rule: str
) -> None:
    """Each mutation of the template fails the rule that is there for it."""
    template = read_template(PATH)
    loosen(template["Resources"])
    known = template["Resources"].keys()
    template["Outputs"] = {
        name: it
        for name, it in template["Outputs"].items()
        if name != "SnsEndpointId" or "SnsEndpoint" in known
    }
    path = tmp_path / "template.json"
    path.write_text(json.dumps(template), encoding="utf-8")
    assert rule in failed(judged(path, loosen.__name__.replace("_", "-")))
