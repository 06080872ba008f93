"""The real template, translated and deployed in the emulator."""

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from posture.changes.event_names import EVENT_NAMES, IGNORED
from posture_cli.embedded.moto_patches import patch_moto
from posture_cli.embedded.stack import Stack, deploy_stack
from stack_template import PATH

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef

REGION = "eu-west-1"


@pytest.fixture(scope="module")
def aws() -> Iterator[None]:
    """An account of the emulator's, empty."""
    patch_moto()
    with pytest.MonkeyPatch.context() as environment, mock_aws():
        environment.setenv("AWS_ACCESS_KEY_ID", "example")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "example")
        environment.setenv("AWS_ACCOUNT_ID_ENDPOINT_MODE", "disabled")
        yield


@pytest.fixture(scope="module")
def stack(aws: None) -> Stack:  # noqa: ARG001 - the account it is deployed in
    """The stack with its defaults, but for an address for alerts."""
    return deploy_stack(PATH, region=REGION, parameters={"AlertEmail": "security@example.com"})


@pytest.fixture
def ec2(aws: None) -> "EC2Client":  # noqa: ARG001
    """EC2 of the stack's region."""
    return boto3.client("ec2", region_name=REGION)


def call(name: str, **more: Any) -> "PutEventsRequestEntryTypeDef":
    """Return the PutEvents entry of a CloudTrail record."""
    detail = {
        "eventVersion": "1.11",
        "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/alice"},
        "eventTime": "2026-01-31T12:00:00Z",
        "eventSource": "ec2.amazonaws.com",
        "eventName": name,
        "awsRegion": REGION,
        "sourceIPAddress": "198.51.100.7",
        "userAgent": "aws-cli/2.31.0",
        "requestParameters": {
            "routeTableId": "rtb-0123456789abcdef0",
            "resourcesSet": {"items": [{"resourceId": "vpc-0123456789abcdef0"}]},  # of tags
        },
        "responseElements": {"requestId": "59dbff89-35bd-4eac-99ed-be587ed81825", "_return": True},
        "eventID": "6bcfcf8a-1d5a-4d1b-8c9c-1f3e6a7b8c9d",
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": "111122223333",
        "eventCategory": "Management",
    }
    return {
        "Source": "aws.ec2",
        "DetailType": "AWS API Call via CloudTrail",
        "Detail": json.dumps(detail | more),
    }


def send_events(stack: Stack, *entries: "PutEventsRequestEntryTypeDef") -> list[str]:
    """Put events on the bus; return the names of those that arrive in the changes queue."""
    boto3.client("events", region_name=REGION).put_events(Entries=entries)
    sqs = boto3.client("sqs", region_name=REGION)
    url = stack.outputs["ChangesQueueUrl"]
    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    for message in messages:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return sorted(json.loads(it["Body"])["detail"]["eventName"] for it in messages)


def chunk(names: Iterable[str]) -> list[list[str]]:
    """Divide names into chunks for one PutEvents and one ReceiveMessage call."""
    ordered = sorted(names)
    return [ordered[start : start + 10] for start in range(0, len(ordered), 10)]


@pytest.mark.parametrize("names", chunk(EVENT_NAMES), ids=lambda names: names[0])
def test_every_change_reaches_the_queue_once(stack: Stack, names: list[str]) -> None:
    """Each call that can change posture matches the stack's rule."""
    assert send_events(stack, *map(call, names)) == names


@pytest.mark.parametrize(
    "names",
    chunk(name for group in IGNORED for name in group.names),
    ids=lambda names: names[0],
)
def test_calls_without_effect_on_posture_do_not_match(stack: Stack, names: list[str]) -> None:
    """EventBridge filters the calls that event_names excludes."""
    assert send_events(stack, *map(call, names)) == []


def test_other_events_do_not_match(stack: Stack) -> None:
    """Failed, read-only and unrelated calls, and other sources."""
    assert (
        send_events(
            stack,
            call("DeleteRoute", errorCode="Client.UnauthorizedOperation"),
            call("DescribeRouteTables", readOnly=True),
            call("RunInstances"),
            {**call("DeleteRoute"), "Source": "aws.s3"},
            {**call("DeleteRoute"), "DetailType": "AWS Console Action via CloudTrail"},
        )
        == []
    )


def test_every_resource_exists(stack: Stack) -> None:
    """The emulator lists tables, queues, topics, functions and rules by their names."""
    session = boto3.Session(region_name=REGION)
    names = {kind: [it.physical_id for it in stack.of_type(kind).values()] for kind in KINDS}
    assert set(names["AWS::DynamoDB::Table"]) == set(
        session.client("dynamodb").list_tables()["TableNames"]
    )
    assert set(names["AWS::SQS::Queue"]) == set(session.client("sqs").list_queues()["QueueUrls"])
    assert set(names["AWS::SNS::Topic"]) == {
        it["TopicArn"] for it in session.client("sns").list_topics()["Topics"]
    }
    assert set(names["AWS::Lambda::Function"]) == {
        it["FunctionName"] for it in session.client("lambda").list_functions()["Functions"]
    }
    assert set(names["AWS::Events::Rule"]) == {
        it["Name"] for it in session.client("events").list_rules()["Rules"]
    }


KINDS = (
    "AWS::DynamoDB::Table",
    "AWS::SQS::Queue",
    "AWS::SNS::Topic",
    "AWS::Lambda::Function",
    "AWS::Events::Rule",
)


def test_every_output_has_a_value(stack: Stack) -> None:
    """No output is empty or unresolved."""
    assert all(stack.outputs.values())
    assert "{" not in "".join(stack.outputs.values())


def test_the_vpc_is_private_and_has_dns(stack: Stack, ec2: "EC2Client") -> None:
    """DNS is enabled, and the only route of both subnets is to the DynamoDB endpoint."""
    vpc = stack.outputs["MonitorVpcId"]
    hostnames = ec2.describe_vpc_attribute(VpcId=vpc, Attribute="enableDnsHostnames")
    assert hostnames["EnableDnsHostnames"] == {"Value": True}
    table_id = stack.physical_id("RouteTable")
    [table] = ec2.describe_route_tables(RouteTableIds=[table_id])["RouteTables"]
    subnets = {stack.physical_id(it) for it in ("SubnetA", "SubnetB")}
    assert {it["SubnetId"] for it in table["Associations"]} == subnets
    assert [it["GatewayId"] for it in table["Routes"]] == [
        "local",
        stack.outputs["DynamoDbEndpointId"],
    ]


def test_the_subnets_are_in_different_availability_zones(stack: Stack, ec2: "EC2Client") -> None:
    """So that one Availability Zone may fail."""
    ids = [stack.physical_id(it) for it in ("SubnetA", "SubnetB")]
    subnets = ec2.describe_subnets(SubnetIds=ids)["Subnets"]
    assert {it["AvailabilityZone"] for it in subnets} == {"eu-west-1a", "eu-west-1b"}
    assert {it["CidrBlock"] for it in subnets} == {"10.255.255.0/28", "10.255.255.16/28"}


def test_the_functions_send_to_port_443_only(stack: Stack, ec2: "EC2Client") -> None:
    """Their security group allows no inbound traffic."""
    group_id = stack.outputs["FunctionsSecurityGroupId"]
    [group] = ec2.describe_security_groups(GroupIds=[group_id])["SecurityGroups"]
    assert group["IpPermissions"] == []
    assert {(it["FromPort"], it["ToPort"]) for it in group["IpPermissionsEgress"]} == {(443, 443)}


def test_endpoint_policies_are_valid_and_restricted(stack: Stack, ec2: "EC2Client") -> None:
    """Each policy is resolved JSON, and each statement has a condition on the principal."""
    ids = [stack.outputs[it] for it in ("DynamoDbEndpointId", "Ec2EndpointId", "SnsEndpointId")]
    for endpoint in ec2.describe_vpc_endpoints(VpcEndpointIds=ids)["VpcEndpoints"]:
        policy = json.loads(endpoint["PolicyDocument"])
        assert all(it["Condition"]["ArnEquals"] for it in policy["Statement"])
        assert "${" not in endpoint["PolicyDocument"]


def test_with_a_prefix_list_the_functions_reach_no_address(aws: None) -> None:  # noqa: ARG001
    """With DynamoDB's prefix list the functions' security group has no CIDR block."""
    region = "eu-central-1"
    other = deploy_stack(
        PATH, region=region, parameters={"DynamoDbPrefixListId": "pl-0123456789abcdef0"}
    )
    group_id = other.outputs["FunctionsSecurityGroupId"]
    client = boto3.client("ec2", region_name=region)
    [group] = client.describe_security_groups(GroupIds=[group_id])["SecurityGroups"]
    assert not [it for it in group["IpPermissionsEgress"] if it["IpRanges"]]


def test_an_existing_vpc_is_used(aws: None) -> None:  # noqa: ARG001
    """The stack creates neither VPC nor subnet, and no endpoint that exists already."""
    region = "us-east-1"
    client = boto3.client("ec2", region_name=region)
    vpc = client.create_vpc(CidrBlock="10.0.0.0/24")["Vpc"]["VpcId"]
    blocks = {"us-east-1a": "10.0.0.0/28", "us-east-1b": "10.0.0.16/28"}
    subnets = [
        client.create_subnet(VpcId=vpc, CidrBlock=block, AvailabilityZone=zone)["Subnet"][
            "SubnetId"
        ]
        for zone, block in blocks.items()
    ]
    table = client.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    parameters = {
        "VpcId": vpc,
        "SubnetIds": ",".join(subnets),
        "RouteTableIds": table,
        "CreateSnsEndpoint": "false",
    }
    stack = deploy_stack(PATH, region=region, parameters=parameters)
    assert stack.outputs["MonitorVpcId"] == vpc
    assert "SnsEndpointId" not in stack.outputs
    assert not {*stack.of_type("AWS::EC2::VPC"), *stack.of_type("AWS::EC2::Subnet")}
    [endpoint] = client.describe_vpc_endpoints(VpcEndpointIds=[stack.outputs["Ec2EndpointId"]])[
        "VpcEndpoints"
    ]
    assert subnets == endpoint["SubnetIds"]


def test_three_availability_zones_are_supported(aws: None) -> None:  # noqa: ARG001
    """Every interface endpoint has a subnet in each."""
    stack = deploy_stack(PATH, region="us-west-2", parameters={"ZoneCount": "3"})
    for endpoint in ("Ec2Endpoint", "SnsEndpoint"):
        assert len(stack.resources[endpoint].properties["SubnetIds"]) == 3
