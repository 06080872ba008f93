"""A changed zone of Route 53 leads to a survey, and to evaluations of the VPCs that it connects.

By the rules, queues, tables and functions of the template, each with what its role allows.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from change_records import build_record
from posture_cli.embedded.aws import EmbeddedAws
from recorded_calls import Use, recording
from stack_template import PATH, Statement, as_list, list_allowed

DOMAIN = "kms.eu-west-1.amazonaws.com"
FUNCTIONS = ("evaluate", "sweep", "refresh", "survey")
EVALUATORS = FUNCTIONS[:3]
OF_LAMBDA = ("ListStreams", "DescribeStream", "GetRecords", "GetShardIterator")


@dataclass(frozen=True)
class SharedEndpoint:
    """An endpoint of one VPC that a private hosted zone gives to another."""

    hub: str
    spoke: str
    endpoint: str
    zone: str
    alias: Mapping[str, Any]


@dataclass(frozen=True)
class Story:
    """What the functions used, and which VPCs were evaluated when the zone changed."""

    shared: SharedEndpoint
    uses: Mapping[str, set[Use]]
    evaluated: list[str]
    invalid: list[str]


@pytest.fixture(scope="module")
def story() -> Iterator[Story]:
    """Survey the network, add the record to the zone, and at last delete the hub."""
    parameters = {"SharedNetwork": "on"}
    with EmbeddedAws(PATH.parent, parameters=parameters) as aws, recording(aws) as recorder:
        shared = share_endpoint(aws)
        aws.functions["posture-survey"]({})
        aws.functions["posture-sweep"]({})
        aws.settle()
        before = list_evaluated(aws, "refresh")
        change_record(aws, shared)
        aws.settle()
        evaluated = list_evaluated(aws, "refresh")[len(before) :]
        delete_hub(aws, shared)
        yield Story(shared, recorder.uses, evaluated, recorder.invalid)


def share_endpoint(aws: EmbeddedAws) -> SharedEndpoint:
    """Create a hub with an endpoint, a spoke, and a zone of the spoke without a record."""
    ec2, route53 = aws.ec2(), aws.session.client("route53")
    hub, spoke = (
        ec2.create_vpc(CidrBlock=block)["Vpc"]["VpcId"] for block in ("10.8.0.0/16", "10.9.0.0/16")
    )
    subnet = ec2.create_subnet(VpcId=hub, CidrBlock="10.8.0.0/24")["Subnet"]["SubnetId"]
    ec2.create_subnet(VpcId=spoke, CidrBlock="10.9.0.0/24")
    endpoint = ec2.create_vpc_endpoint(
        VpcId=hub,
        ServiceName=f"com.amazonaws.{aws.region}.kms",
        VpcEndpointType="Interface",
        SubnetIds=[subnet],
        PrivateDnsEnabled=False,
    )["VpcEndpoint"]["VpcEndpointId"]
    zone = route53.create_hosted_zone(
        Name=DOMAIN,
        CallerReference="shared",
        HostedZoneConfig={"PrivateZone": True},
        VPC={"VPCRegion": "eu-west-1", "VPCId": spoke},
    )["HostedZone"]["Id"].rpartition("/")[2]
    (found,) = ec2.describe_vpc_endpoints(VpcEndpointIds=[endpoint])["VpcEndpoints"]
    target = found["DnsEntries"][0]
    alias = {
        "DNSName": target["DnsName"],
        "HostedZoneId": target["HostedZoneId"],
        "EvaluateTargetHealth": False,
    }
    return SharedEndpoint(
        hub,
        spoke,
        endpoint,
        zone,
        {"Name": DOMAIN, "Type": "A", "AliasTarget": alias},
    )


def change_record(aws: EmbeddedAws, shared: SharedEndpoint) -> None:
    """Let the zone lead to the endpoint, and put the record of the call on the event bus."""
    change: Any = {"Action": "CREATE", "ResourceRecordSet": shared.alias}
    aws.session.client("route53").change_resource_record_sets(
        HostedZoneId=shared.zone, ChangeBatch={"Changes": [change]}
    )
    record = build_record("ChangeResourceRecordSets", {"hostedZoneId": shared.zone})
    record |= {"eventSource": "route53.amazonaws.com", "awsRegion": "us-east-1"}
    aws.put_record(record | {"recipientAccountId": aws.account})


def delete_hub(aws: EmbeddedAws, shared: SharedEndpoint) -> None:
    """Evaluate the hub, which others use now, and sweep again once it is gone."""
    ec2 = aws.ec2()
    record = build_record("ModifyVpcAttribute", {"vpcId": shared.hub})
    aws.put_record(record | {"recipientAccountId": aws.account, "eventID": "hub"})
    aws.settle()
    ec2.delete_vpc_endpoints(VpcEndpointIds=[shared.endpoint])
    aws.functions["posture-sweep"]({})
    for subnet in ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [shared.hub]}])[
        "Subnets"
    ]:
        ec2.delete_subnet(SubnetId=subnet["SubnetId"])
    ec2.delete_vpc(VpcId=shared.hub)
    aws.functions["posture-sweep"]({})
    aws.settle()


def list_evaluated(aws: EmbeddedAws, function: str) -> list[str]:
    """List the VPCs that a function evaluated, from its log."""
    lines = aws.functions[f"posture-{function}"].log.getvalue().splitlines()
    entries = [json.loads(line) for line in lines if line.startswith("{")]
    done = [it for it in entries if it.get("message") == "scope evaluated"]
    return [it["scope"].rpartition("/")[2] for it in done]


def find_uses(statements: list[Statement]) -> set[tuple[str, str]]:
    """Return each action of statements with the logical id of its table, "" for other resources."""
    return {
        (action, name)
        for statement in statements
        for action in as_list(statement["Action"])
        for name in map(_find_table, as_list(statement["Resource"]))
    }


def _find_table(resource: Any) -> str:
    text = json.dumps(resource)
    tables = ("Findings", "History", "Baseline", "Ownership", "Idempotency", "Network")
    return next((f"{name}Table" for name in tables if f"{name}Table" in text), "")


def test_a_changed_zone_evaluates_the_vpc_that_it_serves(story: Story) -> None:
    """The spoke, whose name leads to the endpoint now, and the hub, which has a user; no other."""
    assert set(story.evaluated) == {story.shared.spoke, story.shared.hub}


def test_the_calls_are_valid(story: Story) -> None:
    """The parameters of each call are those of its operation."""
    assert story.invalid == []


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_role_allows_what_its_function_does(story: Story, function: str) -> None:
    """With the shared network read."""
    allowed = find_uses(list_allowed(f"{function.title()}Role"))
    used = {(it.action, it.resource.partition("/")[0]) for it in story.uses[f"posture-{function}"]}
    assert {(action, "" if name == "*" else name) for action, name in used} - allowed == set()


def test_no_role_may_do_more_with_the_facts(story: Story) -> None:
    """The survey uses each of its permissions, and so do the evaluators together."""
    # What a survey read of a large account becomes smaller by an item of 350 KB.
    shrunk = ("dynamodb:DeleteItem", "NetworkTable")
    for functions in (EVALUATORS, ("survey",)):
        allowed = {
            (action, name)
            for function in functions
            for action, name in find_uses(list_allowed(f"{function.title()}Role"))
            if name == "NetworkTable" and not action.endswith(OF_LAMBDA)
        }
        used = {
            (it.action, it.resource)
            for function in functions
            for it in story.uses[f"posture-{function}"]
        }
        unused = allowed - used - ({shrunk} if functions == ("survey",) else set())
        assert unused == set(), functions
