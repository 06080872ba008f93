"""The stack as a user deploys it: built and deployed by SAM, run, updated and deleted.

In ministack, with IAM enforced; `whole_stack` adapts the template to it.
"""

import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from processes import TOOLS
from sample_events import read_event
from whole_stack import ACCOUNT, MINISTACK, OWN_SOURCE, REGION, Deployed, run_sam, start_emulators

pytestmark = pytest.mark.skipif(
    not MINISTACK.exists(), reason="ministack is not installed: run make .venv/ministack/installed"
)

STACK = "posture"
SECONDS = 60  # to wait for an alert, which takes about five
SOON = {"Delay": 0.1, "MaxAttempts": 600}
# The index is written in a transaction, whose puts need the permission of single ones.
DENY_RESOURCE_INDEX = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Deny",
            "Action": ["dynamodb:PutItem", "dynamodb:TransactWriteItems"],
            "Resource": "*",
        }
    ],
}


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """Yield the emulator without a stack."""
    with start_emulators(tmp_path_factory.mktemp("built")) as aws:
        yield aws


@pytest.fixture(scope="module")
def outputs(aws: Deployed) -> Mapping[str, str]:
    """Deploy the stack; return its outputs."""
    return aws.deploy(STACK)


def subscribe_queue(aws: Deployed, topic: str, name: str, **filters: list[str]) -> str:
    """Subscribe a queue to a topic, as operations.md describes; return its URL."""
    sqs = aws.create_client("sqs")
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
    aws.create_client("sns").subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=arn,
        Attributes={"RawMessageDelivery": "true", "FilterPolicy": json.dumps(filters)},
    )
    return url


def receive(aws: Deployed, url: str, seconds: int = SECONDS) -> Any:
    """Wait for a message; return its body, or None."""
    wait = min(seconds, 10)
    for _ in range(0, seconds, wait):
        answer = aws.create_client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=wait)
        for message in answer.get("Messages", ()):
            return json.loads(message["Body"])
    return None


def put_on_bus(aws: Deployed, name: str) -> None:
    """Put a sample event on the account's event bus."""
    detail = read_event(name)["detail"]
    entry = {
        "Source": OWN_SOURCE,
        "DetailType": "AWS API Call via CloudTrail",
        "Detail": json.dumps(detail),
    }
    answer = aws.create_client("events").put_events(Entries=[entry])
    assert answer["FailedEntryCount"] == 0


def test_the_template_is_valid(aws: Deployed) -> None:
    """According to `sam validate --lint`."""
    assert "is a valid SAM Template" in run_sam(aws.shell, "validate", "--lint")


def test_an_event_on_the_bus_causes_an_alert(aws: Deployed, outputs: Mapping[str, str]) -> None:
    """Through rule, queue, evaluate, tables, stream, notify and topic, with IAM enforced."""
    inbox = subscribe_queue(
        aws, outputs["AlertTopicArn"], "payments", vpc=["vpc-0aaaaaaaaaaaaaaa1"]
    )
    put_on_bus(aws, "evaluate/single-change")
    alert = receive(aws, inbox)
    assert "gateway-service-bypasses-endpoint" in alert["rules"]
    # Nothing is known of the time before the first observation: the call may have caused it.
    (candidate,) = alert["findings"][0]["opened_by"]["candidates"]
    assert candidate["actor"].endswith("/alice")
    assert alert["findings"][0]["remediation"]["text"]


def test_the_functions_have_only_their_roles_permissions(
    aws: Deployed, outputs: Mapping[str, str]
) -> None:
    """With a Deny on the resource index the message fails; without it, it succeeds."""
    iam, functions = aws.create_client("iam"), aws.create_client("lambda")
    name = outputs["EvaluateFunctionName"]
    arn = functions.get_function_configuration(FunctionName=name)["Role"]
    role = {"RoleName": arn.rsplit("/", 1)[1], "PolicyName": "for-a-moment"}
    event = json.dumps(read_event("evaluate/aws-service"))

    def failed() -> int:
        answer = functions.invoke(FunctionName=name, Payload=event)
        return len(json.loads(answer["Payload"].read())["batchItemFailures"])

    iam.put_role_policy(**role, PolicyDocument=json.dumps(DENY_RESOURCE_INDEX))
    try:
        assert failed() == 1
    finally:
        iam.delete_role_policy(**role)
    assert failed() == 0


def test_a_sweep_evaluates_every_vpc(aws: Deployed, outputs: Mapping[str, str]) -> None:
    """The sweep function, invoked as operations.md describes."""
    client = aws.create_client("lambda")
    answer = client.invoke(FunctionName=outputs["SweepFunctionName"], Payload=b"{}")
    metrics = json.loads(answer["Payload"].read())
    assert metrics["ScopesSwept"] >= 3
    assert metrics["ScopesFailed"] == 0


def test_a_deleted_stack_leaves_its_tables_to_a_new_one(aws: Deployed, tmp_path: Path) -> None:
    """After the deletion only the retained tables and their key exist; a new stack adopts them.

    The update before switches the shared network off, whose table is deleted at once.
    """
    before = {name: list_names(aws, name) for name in RESOURCE_KINDS}
    first = aws.deploy("again", SharedNetwork="on")
    survey = aws.create_client("lambda").get_function_configuration(FunctionName="again-survey")
    assert "VpcConfig" not in survey
    assert survey["Environment"]["Variables"]["NETWORK_TABLE"] == first["NetworkTableName"]
    second = aws.deploy("again", SharedNetwork="off", LogRetentionDays="30")
    assert first.items() > second.items()
    assert first["NetworkTableName"] not in list_names(aws, "tables")
    (group,) = aws.create_client("logs").describe_log_groups(
        logGroupNamePrefix="/aws/lambda/again-evaluate"
    )["logGroups"]
    assert group["retentionInDays"] == 30
    cloudformation = aws.create_client("cloudformation")
    cloudformation.delete_stack(StackName="again")
    cloudformation.get_waiter("stack_delete_complete").wait(StackName="again", WaiterConfig=SOON)
    left = {name: list_names(aws, name) - before[name] for name in RESOURCE_KINDS}
    retained = ("FindingsTableName", "HistoryTableName", "BaselineTableName")
    assert left.pop("tables") == {second[name] for name in retained}
    assert left.pop("keys") == {second["KeyArn"].rsplit("/", 1)[1]}
    assert not any(left.values()), left
    encrypt_tables(aws, second["KeyArn"], *(second[name] for name in retained))
    adopt_tables(aws, "again", tmp_path)
    third = aws.deploy("again")
    kept = (*retained, "KeyArn")
    assert {name: third[name] for name in kept} == {name: second[name] for name in kept}
    function = aws.create_client("lambda").get_function_configuration(FunctionName="again-sweep")
    variables = function["Environment"]["Variables"]
    assert variables["HISTORY_TABLE"] == second["HistoryTableName"]


def encrypt_tables(aws: Deployed, key: str, *tables: str) -> None:
    """Encrypt tables as the template declares, which ministack's CloudFormation leaves out."""
    for name in tables:
        aws.create_client("dynamodb").update_table(
            TableName=name,
            SSESpecification={"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": key},
        )


def adopt_tables(aws: Deployed, stack: str, folder: Path) -> None:
    """Import the tables of a deleted stack, as operations.md describes."""
    command = ("tables", "adopt", "--stack", stack, "--folder", str(folder))
    done = subprocess.run(  # noqa: S603
        [str(TOOLS / "posture"), *command],
        env=aws.shell,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    client = aws.create_client("cloudformation")
    change_set = {"StackName": stack, "ChangeSetName": "adopt-tables"}
    client.create_change_set(
        **change_set,
        ChangeSetType="IMPORT",
        TemplateBody=(folder / "template.json").read_text(),
        ResourcesToImport=json.loads((folder / "resources.json").read_text()),
    )
    client.get_waiter("change_set_create_complete").wait(**change_set, WaiterConfig=SOON)
    client.execute_change_set(**change_set)
    client.get_waiter("stack_import_complete").wait(StackName=stack, WaiterConfig=SOON)
    found = client.describe_stack_resources(StackName=stack)["StackResources"]
    assert {it["LogicalResourceId"] for it in found} == {
        "Key",
        "FindingsTable",
        "HistoryTable",
        "BaselineTable",
    }


RESOURCE_KINDS = {
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


def list_names(aws: Deployed, kind: str) -> set[str]:
    """Return the names of the emulator's resources of a kind."""
    service, operation, member, key = RESOURCE_KINDS[kind]
    found = getattr(aws.create_client(service), operation)().get(member, ())
    return {each[key] if key else each for each in found}
