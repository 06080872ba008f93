"""The stack as a person deploys it: built and deployed by SAM, run, updated and deleted.

In ministack, with roles enforced; `whole_stack` says what of the template it cannot take.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from sample_events import read
from whole_stack import ACCOUNT, MINISTACK, OWN_SOURCE, REGION, Deployed, run, started

pytestmark = pytest.mark.skipif(
    not MINISTACK.exists(), reason="ministack is not installed: run make .venv/ministack/installed"
)

STACK = "posture"
SECONDS = 60  # an alert takes about five
NO_INDEX = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Deny", "Action": "dynamodb:BatchWriteItem", "Resource": "*"}],
}


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """Give the emulator with nothing deployed yet."""
    with started(tmp_path_factory.mktemp("built")) as aws:
        yield aws


@pytest.fixture(scope="module")
def outputs(aws: Deployed) -> Mapping[str, str]:
    """Deploy the stack; give its outputs."""
    return aws.deploy(STACK)


def subscriber(aws: Deployed, topic: str, name: str, **filters: list[str]) -> str:
    """Subscribe a queue to a topic, as operations.md says; give its URL."""
    sqs = aws.client("sqs")
    url: str = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    aws.client("sns").subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=arn,
        Attributes={"RawMessageDelivery": "true", "FilterPolicy": json.dumps(filters)},
    )
    return url


def received(aws: Deployed, url: str, seconds: int = SECONDS) -> Any:
    """Wait for a message; give its body, or nothing."""
    wait = min(seconds, 10)
    for _ in range(0, seconds, wait):
        answer = aws.client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=wait)
        for message in answer.get("Messages", ()):
            return json.loads(message["Body"])
    return None


def put_on_bus(aws: Deployed, name: str) -> None:
    """Put a sample event on the account's bus."""
    detail = read(name)["detail"]
    entry = {
        "Source": OWN_SOURCE,
        "DetailType": "AWS API Call via CloudTrail",
        "Detail": json.dumps(detail),
    }
    answer = aws.client("events").put_events(Entries=[entry])
    assert answer["FailedEntryCount"] == 0


def test_the_template_is_valid(aws: Deployed) -> None:
    """As `sam validate --lint` has it."""
    assert "is a valid SAM Template" in run(aws.shell, "validate", "--lint")


def test_a_change_on_the_bus_becomes_an_alert(aws: Deployed, outputs: Mapping[str, str]) -> None:
    """Rule, queue, evaluate, tables, stream, notify and topic, each with its role and policy."""
    inbox = subscriber(aws, outputs["AlertTopicArn"], "payments", vpc=["vpc-0aaaaaaaaaaaaaaa1"])
    put_on_bus(aws, "evaluate/single-change")
    alert = received(aws, inbox)
    assert "gateway-service-bypasses-endpoint" in alert["rules"]
    assert alert["causes"][0]["actor"].endswith("/alice")
    assert alert["findings"][0]["remediation"]["text"]


def test_the_functions_are_held_to_their_roles(aws: Deployed, outputs: Mapping[str, str]) -> None:
    """Without its right to the index the evaluator fails its message; with it again, it doesn't."""
    iam, functions = aws.client("iam"), aws.client("lambda")
    name = outputs["EvaluateFunctionName"]
    arn = functions.get_function_configuration(FunctionName=name)["Role"]
    role = {"RoleName": arn.rsplit("/", 1)[1], "PolicyName": "for-a-moment"}
    event = json.dumps(read("evaluate/aws-service"))

    def failed() -> int:
        answer = functions.invoke(FunctionName=name, Payload=event)
        return len(json.loads(answer["Payload"].read())["batchItemFailures"])

    iam.put_role_policy(**role, PolicyDocument=json.dumps(NO_INDEX))
    try:
        assert failed() == 1
    finally:
        iam.delete_role_policy(**role)
    assert failed() == 0


def test_a_sweep_looks_at_every_vpc(aws: Deployed, outputs: Mapping[str, str]) -> None:
    """The function that the schedule starts, invoked as operations.md says."""
    client = aws.client("lambda")
    answer = client.invoke(FunctionName=outputs["SweepFunctionName"], Payload=b"{}")
    swept = json.loads(answer["Payload"].read())
    assert swept["ScopesSwept"] >= 3
    assert swept["ScopesFailed"] == 0


def test_deployed_twice_and_deleted_it_leaves_what_it_must(aws: Deployed) -> None:
    """An update in place; then nothing is left but the retained tables and their key."""
    before = {name: names(aws, name) for name in LEFT}
    first = aws.deploy("again")
    second = aws.deploy("again", LogRetentionDays="30")
    assert first == second
    (group,) = aws.client("logs").describe_log_groups(
        logGroupNamePrefix="/aws/lambda/again-evaluate"
    )["logGroups"]
    assert group["retentionInDays"] == 30
    cloudformation = aws.client("cloudformation")
    cloudformation.delete_stack(StackName="again")
    cloudformation.get_waiter("stack_delete_complete").wait(
        StackName="again", WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    left = {name: names(aws, name) - before[name] for name in LEFT}
    retained = ("FindingsTableName", "HistoryTableName", "BaselineTableName")
    assert left.pop("tables") == {second[name] for name in retained}
    assert left.pop("keys") == {second["KeyArn"].rsplit("/", 1)[1]}
    assert not any(left.values()), left


LEFT = {
    "tables": ("dynamodb", "list_tables", "TableNames", ""),
    "keys": ("kms", "list_keys", "Keys", "KeyId"),
    "queues": ("sqs", "list_queues", "QueueUrls", ""),
    "topics": ("sns", "list_topics", "Topics", "TopicArn"),
    "functions": ("lambda", "list_functions", "Functions", "FunctionName"),
    "mappings": ("lambda", "list_event_source_mappings", "EventSourceMappings", "UUID"),
    "layers": ("lambda", "list_layers", "Layers", "LayerName"),
    "roles": ("iam", "list_roles", "Roles", "RoleName"),
    "log groups": ("logs", "describe_log_groups", "logGroups", "logGroupName"),
    "rules": ("events", "list_rules", "Rules", "Name"),
    "alarms": ("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
    "networks": ("ec2", "describe_vpcs", "Vpcs", "VpcId"),
}


def names(aws: Deployed, kind: str) -> set[str]:
    """Name what the emulator holds of a kind."""
    service, operation, member, key = LEFT[kind]
    found = getattr(aws.client(service), operation)().get(member, ())
    return {each[key] if key else each for each in found}
