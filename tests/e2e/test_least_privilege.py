"""What each role allows is what its function does: nothing is missing, nothing is unused."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from posture.runtime import clients
from posture_cli.demo.demo_run import DemoRun
from posture_cli.embedded.aws import EmbeddedAws
from posture_cli.embedded.cloudtrail import ApiCaller
from recorded_calls import Recorder, Use, recording
from sample_events import names, read
from stack_template import PATH, RESOURCES, allowed_to, identity_statements, listed

FUNCTIONS = ("evaluate", "sweep", "notify")
# Lambda itself does these, in the role's name: to poll, to log, to trace, to attach, to give up.
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
EVERYTHING = {  # that a parameter can switch on
    "SecurityHub": "on",
    "OrganizationId": "o-exampleorgid",
    "MemberAccounts": "210987654321",  # of events/evaluate/cross-account.json
    "MemberExternalId": "our-external-id",
}
BY_SERVICES = {"UseKeyThroughServices"}  # DynamoDB, SQS and SNS, as the condition says


@pytest.fixture(scope="module")
def recorder() -> Iterator[Recorder]:
    """Run all that the monitor can meet, and record its calls."""
    with EmbeddedAws(PATH.parent, parameters=EVERYTHING) as aws, recording(aws) as recorder:
        story = DemoRun(aws)
        story.build()
        list(story.run())
        _services(aws)
        for folder in ("calls", "evaluate"):
            for name in names(folder):
                aws.functions["posture-evaluate"](read(name))
        _failing_topic(aws)
        _untold(aws)
        for function, payload in (("sweep", {}), ("evaluate", read("evaluate/batch"))):
            _lost_race(aws, f"posture-{function}", payload)
        yield recorder


@pytest.fixture(scope="module")
def used(recorder: Recorder) -> Mapping[str, set[Use]]:
    """Give what each function used."""
    return recorder.uses


def _services(aws: EmbeddedAws) -> None:
    """Let somebody offer an endpoint service, so that its connections are looked at."""
    ec2 = aws.ec2(ApiCaller(aws.account, "NetworkAdmin", "alice"))
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    balancer = aws.session.client("elbv2").create_load_balancer(
        Name="nlb", Type="network", Subnets=[subnet]
    )["LoadBalancers"][0]["LoadBalancerArn"]
    ec2.create_vpc_endpoint_service_configuration(NetworkLoadBalancerArns=[balancer])
    aws.settle()


def _untold(aws: EmbeddedAws) -> None:
    """Let something come that no event tells of, so that a sweep compares what leads to a VPC."""
    ec2 = aws.session.client("ec2")
    vpc = ec2.describe_subnets()["Subnets"][0]["VpcId"]
    ec2.create_security_group(GroupName="untold", Description="untold", VpcId=vpc)


def _failing_topic(aws: EmbeddedAws) -> None:
    """Let the topic fail once, so that the notifier forgets what it meant to tell."""
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
    everybody: Any = {
        "IpProtocol": "tcp",
        "FromPort": 443,
        "ToPort": 443,
        "IpRanges": [{"CidrIp": "0.0.0.0/0"}],
    }
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[everybody])
    aws.settle()
    assert len(calls) > 1


def _lost_race(aws: EmbeddedAws, function: str, payload: Any) -> None:
    """Let somebody else move a head at the moment that the function wants to."""
    calls = []

    def refuse(params: Any, **_: Any) -> None:
        same = (
            b"#picture = :picture AND" in params["body"]
        )  # would spare it all that it is to do here
        calls.extend([1] * (not same))
        if same or len(calls) == 1:
            error: Any = {"Code": "ConditionalCheckFailedException", "Message": "moved"}
            dynamodb = clients.dynamodb()
            raise dynamodb.exceptions.ConditionalCheckFailedException(
                {"Error": error}, "UpdateItem"
            )

    events = clients.dynamodb().meta.events
    events.register_first("before-call.dynamodb.UpdateItem", refuse)
    aws.functions[function](payload)
    events.unregister("before-call.dynamodb.UpdateItem", refuse)
    assert calls


def allowed(statements: list[Mapping[str, Any]]) -> set[Use]:
    """Give what a role's statements let its function's own code do, each index by itself."""
    return {
        Use(action, _named(resource))
        for statement in statements
        if statement["Sid"] not in BY_LAMBDA | BY_SERVICES
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    }


def _named(resource: Any) -> str:
    """Give the logical id that a policy's resource comes from, with an index's path, else "*"."""
    text = json.dumps(resource)
    longest_first = sorted(RESOURCES, key=len, reverse=True)
    name = next((each for each in longest_first if each in text), "*")
    return name + ("/index/" + text.split("/index/")[1].rstrip('"}') if "/index/" in text else "")


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_role_allows_all_its_function_does(used: Mapping[str, set[Use]], function: str) -> None:
    """Every call that was made has a statement that names its action and its resource."""
    statements = allowed_to(f"{function.title()}Role")
    assert used[f"posture-{function}"] - allowed(statements) == set()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_does_all_its_role_allows(used: Mapping[str, set[Use]], function: str) -> None:
    """No action of a statement goes unused on all that the statement is about."""
    statements = allowed_to(f"{function.title()}Role")
    done = used[f"posture-{function}"]
    actions = {(each.action, each.resource.partition("/")[0]) for each in done}
    unused = {
        each
        for each in allowed(statements)
        if (each.action, each.resource.partition("/")[0]) not in actions
    }
    assert unused == set()


def test_every_call_has_valid_parameters(recorder: Recorder) -> None:
    """By botocore's validator, which the functions' own clients leave out."""
    assert len(recorder.uses) == 3
    assert recorder.invalid == []


def test_what_lambda_does_is_named_and_nothing_else() -> None:
    """Each exception above is a statement of the template."""
    sids = {statement["Sid"] for _, statement in identity_statements()}
    assert sids >= BY_LAMBDA | BY_SERVICES
