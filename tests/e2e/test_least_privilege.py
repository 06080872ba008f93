"""Each role allows exactly what its function does."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from posture.runtime import clients
from posture_cli.demo.demo_run import DemoRun
from posture_cli.embedded.aws import EmbeddedAws
from posture_cli.embedded.cloudtrail import ApiCaller
from recorded_calls import Recorder, Use, create_bucket, recording
from sample_events import list_events, read_event
from stack_template import PATH, RESOURCES, as_list, list_allowed, list_identity_statements

FUNCTIONS = ("evaluate", "sweep", "notify", "export")
# Lambda itself uses these with the role: to poll, log, trace, attach to the VPC and send failures.
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html
BY_LAMBDA = {
    "AttachToVpc",
    "ListFindingsStreams",
    "ReadFindingsStream",
    "SendFailedAlerts",
    "SendFailedSweeps",
    "ReceiveChanges",
    "SendTraces",
    "WriteLogs",
}
ALL_FEATURES = {  # parameters that enable every optional feature
    "SecurityHub": "on",
    "OrganizationId": "o-exampleorgid",
    "MemberAccounts": "210987654321",  # of events/evaluate/cross-account.json
    "MemberExternalId": "our-external-id",
    "EvidenceBucket": "evidence-bucket",
}
# Of the shared network, which test_shared_network.py reads.
BY_SHARED_NETWORK = {"ReadFacts", "WriteCentralVpcs"}
# Of members in the baseline table, which test_members.py writes.
BY_MEMBERS = {"UpdateMembers"}
# Used by DynamoDB, SQS, SNS and S3, as the conditions say.
BY_SERVICES = {"UseKeyThroughServices", "EncryptExports"}


@pytest.fixture(scope="module")
def recorder() -> Iterator[Recorder]:
    """Run every case that the monitor handles, and record its calls."""
    with EmbeddedAws(PATH.parent, parameters=ALL_FEATURES) as aws, recording(aws) as recorder:
        create_bucket(aws, ALL_FEATURES["EvidenceBucket"])
        demo = DemoRun(aws)
        demo.build()
        list(demo.run())
        aws.functions["posture-export"]({})
        _create_endpoint_service(aws)
        _associate_dhcp_options(aws)
        for folder in ("calls", "evaluate"):
            for name in list_events(folder):
                aws.functions["posture-evaluate"](read_event(name))
        _fail_topic_once(aws)
        _change_without_event(aws)
        _repair_without_event(aws)
        for function, payload in (("sweep", {}), ("evaluate", read_event("evaluate/batch"))):
            _lose_race(aws, f"posture-{function}", payload)
        yield recorder


@pytest.fixture(scope="module")
def used(recorder: Recorder) -> Mapping[str, set[Use]]:
    """Return the actions and resources that each function used."""
    return recorder.uses


def _create_endpoint_service(aws: EmbeddedAws) -> None:
    """Create an endpoint service, so that its connections are evaluated."""
    ec2 = aws.ec2(ApiCaller(aws.account, "NetworkAdmin", "alice"))
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    balancer = aws.session.client("elbv2").create_load_balancer(
        Name="nlb", Type="network", Subnets=[subnet]
    )["LoadBalancers"][0]["LoadBalancerArn"]
    ec2.create_vpc_endpoint_service_configuration(NetworkLoadBalancerArns=[balancer])
    aws.settle()


def _associate_dhcp_options(aws: EmbeddedAws) -> None:
    """Associate option sets, which are read if they are not the default one, by each function."""
    ec2 = aws.ec2(ApiCaller(aws.account, "NetworkAdmin", "alice"))
    vpcs = {each["VpcId"] for each in ec2.describe_subnets()["Subnets"]}
    vpc = min(vpcs - {aws.stack.outputs["MonitorVpcId"]})
    servers: Any = [{"Key": "domain-name-servers", "Values": ["10.0.0.2"]}]
    options = ec2.create_dhcp_options(DhcpConfigurations=servers)["DhcpOptions"]
    ec2.associate_dhcp_options(DhcpOptionsId=options["DhcpOptionsId"], VpcId=vpc)
    aws.settle()
    aws.functions["posture-sweep"]({})


def _change_without_event(aws: EmbeddedAws) -> None:
    """Make a change without an event, so that a sweep updates the resource index.

    Without its stored snapshot, the sweep has to read the index for what it knew of the VPC.
    """
    ec2, dynamodb = aws.session.client("ec2"), aws.session.client("dynamodb")
    vpc = ec2.describe_subnets()["Subnets"][0]["VpcId"]
    table, scope = aws.stack.outputs["FindingsTableName"], f"{aws.account}/{aws.region}/{vpc}"
    snapshots = dynamodb.query(
        TableName=table,
        KeyConditionExpression="#scope = :scope AND begins_with(#item, :snapshot)",
        ExpressionAttributeNames={"#scope": "scope", "#item": "item"},
        ExpressionAttributeValues={":scope": {"S": scope}, ":snapshot": {"S": "~snapshot#"}},
    )["Items"]
    for each in snapshots:
        dynamodb.delete_item(TableName=table, Key={it: each[it] for it in ("scope", "item")})
    ec2.create_security_group(GroupName="no-event", Description="no-event", VpcId=vpc)


def _repair_without_event(aws: EmbeddedAws) -> None:
    """Open and repair a finding without events, so that sweeps report both."""
    ec2 = aws.session.client("ec2")
    vpc = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["false"]}])["Vpcs"][0]
    filters: Any = [
        {"Name": "vpc-id", "Values": [vpc["VpcId"]]},
        {"Name": "vpc-endpoint-type", "Values": ["Interface"]},
    ]
    (group, *_) = (
        each["GroupId"]
        for endpoint in ec2.describe_vpc_endpoints(Filters=filters)["VpcEndpoints"]
        for each in endpoint["Groups"]
    )
    rule: Any = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    for change in (ec2.authorize_security_group_ingress, ec2.revoke_security_group_ingress):
        change(GroupId=group, IpPermissions=[rule])
        aws.functions["posture-sweep"]({})


def _fail_topic_once(aws: EmbeddedAws) -> None:
    """Fail the topic once, so that the notify function releases its claim."""
    calls = []

    def refuse(**_: Any) -> None:
        calls.append(1)
        if len(calls) == 1:
            raise ClientError({"Error": {"Code": "InternalError", "Message": "once"}}, "Publish")

    sns = clients.sns()
    sns.meta.events.register_first("before-call.sns.Publish", refuse)
    ec2 = aws.ec2(ApiCaller(aws.account, "NetworkAdmin", "alice"))
    group = ec2.describe_security_groups(
        Filters=[{"Name": "group-name", "Values": ["payments-endpoints"]}]
    )["SecurityGroups"][0]["GroupId"]
    any_address: Any = {
        "IpProtocol": "tcp",
        "FromPort": 443,
        "ToPort": 443,
        "IpRanges": [{"CidrIp": "0.0.0.0/0"}],
    }
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[any_address])
    aws.settle()
    assert len(calls) > 1


def _lose_race(aws: EmbeddedAws, function: str, payload: Any) -> None:
    """Let another writer change a scope record at the moment of the function's write."""
    calls = []

    def refuse(params: Any, model: Any, **_: Any) -> None:
        # An unchanged snapshot is refused as well, so that the function evaluates the rules.
        unchanged = b"#picture = :picture AND" in params["body"]
        calls.extend([1] * (not unchanged))
        if unchanged or len(calls) == 1:
            response: Any = {"Error": {"Code": "ConditionalCheckFailedException", "Message": "x"}}
            exceptions = clients.dynamodb().exceptions
            if model.name == "UpdateItem":
                raise exceptions.ConditionalCheckFailedException(response, model.name)
            response["CancellationReasons"] = [{"Code": "ConditionalCheckFailed"}]
            raise exceptions.TransactionCanceledException(response, model.name)

    events = clients.dynamodb().meta.events
    names = [f"before-call.dynamodb.{name}" for name in ("UpdateItem", "TransactWriteItems")]
    for name in names:
        events.register_first(name, refuse)
    aws.functions[function](payload)
    for name in names:
        events.unregister(name, refuse)
    assert calls


def find_allowed(statements: list[Mapping[str, Any]]) -> set[Use]:
    """Return what statements allow a function's own code, with indexes as resources."""
    return {
        Use(action, _find_logical_id(resource))
        for statement in statements
        if statement["Sid"] not in BY_LAMBDA | BY_SERVICES | BY_SHARED_NETWORK | BY_MEMBERS
        for action in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
    }


def _find_logical_id(resource: Any) -> str:
    """Return the logical id of a policy's resource, with an index's path, else "*"."""
    text = json.dumps(resource)
    longest_first = sorted(RESOURCES, key=len, reverse=True)
    name = next((each for each in longest_first if each in text), "*")
    return name + ("/index/" + text.split("/index/")[1].rstrip('"}') if "/index/" in text else "")


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_role_allows_everything_its_function_does(
    used: Mapping[str, set[Use]], function: str
) -> None:
    """Every call has a statement with its action and its resource."""
    statements = list_allowed(f"{function.title()}Role")
    assert used[f"posture-{function}"] - find_allowed(statements) == set()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_role_allows_nothing_its_function_does_not_use(
    used: Mapping[str, set[Use]], function: str
) -> None:
    """Every action of a statement is used on one of its resources."""
    statements = list_allowed(f"{function.title()}Role")
    done = used[f"posture-{function}"]
    actions = {(each.action, each.resource.partition("/")[0]) for each in done}
    unused = {
        each
        for each in find_allowed(statements)
        if (each.action, each.resource.partition("/")[0]) not in actions
    }
    assert unused == set()


def test_every_call_has_valid_parameters(recorder: Recorder) -> None:
    """By botocore's validation, which the functions' own clients disable."""
    assert len(recorder.uses) == len(FUNCTIONS)
    assert recorder.invalid == []


def test_every_exception_is_a_statement_of_the_template() -> None:
    """No exception outlives its statement."""
    sids = {statement["Sid"] for _, statement in list_identity_statements()}
    assert sids >= BY_LAMBDA | BY_SERVICES
