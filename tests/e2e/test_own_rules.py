"""The monitor's own VPC passes every rule, and misconfigurations of it are detected."""

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
    """Start an empty account."""
    with isolate_environment(REGION), mock_aws():
        patch_moto()
        yield


def evaluate_template(template: Path, stack: str, **parameters: str) -> tuple[Verdict, ...]:
    """Deploy a template; evaluate the VPC of its functions."""
    made = deploy_stack(template, region=REGION, name=stack, parameters=parameters)
    endpoint_patches = EndpointPatches(ACCOUNT, REGION)
    endpoint_patches.patch_stack(made)
    ec2 = boto3.Session(region_name=REGION).client("ec2")
    scope = Scope(ACCOUNT, REGION, made.outputs["MonitorVpcId"])
    snapshot = Observer(ec2, Region(ACCOUNT, REGION)).collect_vpc(scope)
    assert snapshot is not None
    return evaluate_vpc(snapshot, STRICT)


def find_failed_rules(verdicts: tuple[Verdict, ...]) -> set[str]:
    """Return the ids of the rules that failed."""
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
    """Every rule passes or is not applicable; none is unknown."""
    verdicts = evaluate_template(PATH, stack, **parameters)
    passing = {Status.PASS, Status.NOT_APPLICABLE}
    assert [each for each in verdicts if each.status not in passing] == []
    assert len({each.rule for each in verdicts}) >= 10


def add_nat_gateway(resources: Resources) -> None:
    """Add a NAT gateway and a default route for the functions' subnets."""
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
    resources["DefaultRoute"] = route("RouteTable", NatGatewayId={"Ref": "Nat"})
    resources["EdgeDefaultRoute"] = route("EdgeTable", GatewayId={"Ref": "Internet"})


def route(table: str, **target: Any) -> Any:
    """Return a default route."""
    properties = {"RouteTableId": {"Ref": table}, "DestinationCidrBlock": "0.0.0.0/0"}
    return {"Type": "AWS::EC2::Route", "Properties": properties | target}


def drop_association(resources: Resources) -> None:
    """Associate the DynamoDB endpoint with an unused route table only."""
    bare = {"Type": "AWS::EC2::RouteTable", "Properties": {"VpcId": {"Ref": "Vpc"}}}
    resources["Bare"] = bare
    resources["DynamoDbEndpoint"]["Properties"]["RouteTableIds"] = [{"Ref": "Bare"}]


def open_group(resources: Resources) -> None:
    """Allow 0.0.0.0/0 in the EC2 endpoint's security group."""
    ingress = resources["Ec2EndpointIngress"]["Properties"]
    del ingress["SourceSecurityGroupId"]
    ingress["CidrIp"] = "0.0.0.0/0"


def disable_private_dns(resources: Resources) -> None:
    """Disable private DNS of the SNS endpoint."""
    resources["SnsEndpoint"]["Properties"]["PrivateDnsEnabled"] = False


def disable_hostnames(resources: Resources) -> None:
    """Disable DNS hostnames of the VPC."""
    resources["Vpc"]["Properties"]["EnableDnsHostnames"] = False


def widen_policy(resources: Resources) -> None:
    """Set a full-access policy on the EC2 endpoint."""
    statement = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    resources["Ec2Endpoint"]["Properties"]["PolicyDocument"] = policy


def use_one_zone(resources: Resources) -> None:
    """Place the SNS endpoint in one Availability Zone."""
    resources["SnsEndpoint"]["Properties"]["SubnetIds"] = [{"Ref": "SubnetA"}]


def drop_endpoint(resources: Resources) -> None:
    """Remove the SNS endpoint, and what names it."""
    for name in ("SnsEndpoint", "TamperingNetworkRule", "OwnEndpointsPolicy"):
        del resources[name]
    without = {"Fn::GetAtt": ["TamperingNetworkRule", "Arn"]}
    for name in ("ChangesQueuePolicy", "AlarmTopicPolicy", "UndeliveredQueuePolicy"):
        for statement in resources[name]["Properties"]["PolicyDocument"]["Statement"]:
            rules = statement.get("Condition", {}).get("ArnEquals", {}).get("aws:SourceArn", [])
            if without in rules:
                rules.remove(without)


@pytest.mark.parametrize(
    ("misconfigure", "rule"),
    [
        (add_nat_gateway, "gateway-service-bypasses-endpoint"),
        (drop_association, "subnet-without-gateway-endpoint-route"),
        (open_group, "endpoint-security-group-open"),
        (disable_private_dns, "endpoint-private-dns-disabled"),
        (disable_hostnames, "endpoint-private-dns-ineffective"),
        (widen_policy, "endpoint-policy-allows-full-access"),
        (use_one_zone, "endpoint-single-availability-zone"),
        (drop_endpoint, "required-service-without-endpoint"),
    ],
    ids=lambda it: it.__name__ if callable(it) else "",
)
@pytest.mark.usefixtures("aws")
def test_a_misconfigured_template_is_detected(
    tmp_path: Path, misconfigure: Callable[[Resources], None], rule: str
) -> None:
    """Each misconfiguration fails its rule."""
    template = read_template(PATH)
    misconfigure(template["Resources"])
    known = template["Resources"].keys()
    template["Outputs"] = {
        name: it
        for name, it in template["Outputs"].items()
        if name != "SnsEndpointId" or "SnsEndpoint" in known
    }
    path = tmp_path / "template.json"
    path.write_text(json.dumps(template), encoding="utf-8")
    assert rule in find_failed_rules(
        evaluate_template(path, misconfigure.__name__.replace("_", "-"))
    )
