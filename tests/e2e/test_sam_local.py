"""The functions in containers of `sam local`, with the emulator of `posture emulate`."""

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from containers import find_missing
from processes import ROOT, TOOLS, build_environment, find_free_port, run_beside
from sample_events import EXPECTED, Expected, failed_ids, find_function, list_active, read_event

pytestmark = pytest.mark.skipif(bool(find_missing()), reason=f"sam local: {find_missing()}")

REGION = "eu-west-1"
INVOKED = "Invoking app.handler (python3.13)"  # printed by sam when it starts the container


@pytest.fixture(scope="module")
def shell() -> Mapping[str, str]:
    """Return the environment variables of a user without an AWS account."""
    return build_environment()


@pytest.fixture(scope="module")
def emulator(shell: Mapping[str, str]) -> Iterator[str]:
    """Start the emulator on a free port; yield its URL."""
    command = [str(TOOLS / "posture"), "emulate", "--host", "0.0.0.0", "--port", "0"]  # noqa: S104
    with run_beside(command, shell, stdout=subprocess.PIPE) as process:
        line = process.stdout.readline()
        yield line.split("AWS_ENDPOINT_URL=")[1].split()[0]


@pytest.fixture(scope="module")
def client(emulator: str) -> Any:
    """Return a factory of clients for the emulator."""
    session = boto3.Session("testing", "testing", region_name=REGION)
    config = Config(account_id_endpoint_mode="disabled")
    return lambda service: session.client(service, endpoint_url=emulator, config=config)


@pytest.fixture(scope="module")
def built(shell: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the stack outside the source tree; return the built template."""
    folder = tmp_path_factory.mktemp("sam") / "build"
    command = [str(TOOLS / "sam"), "build", "--no-cached", "--build-dir", str(folder)]
    subprocess.run(command, env=shell, cwd=ROOT, check=True, capture_output=True)  # noqa: S603
    return folder / "template.yaml"


@pytest.fixture(scope="module")
def variables(emulator: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write an env.json with the port of the emulator; return its path."""
    text = (ROOT / "env.json").read_text(encoding="utf-8")
    path = tmp_path_factory.mktemp("sam") / "env.json"
    path.write_text(text.replace(":4566", f":{emulator.rsplit(':', 1)[1]}"), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def options(built: Path, variables: Path) -> list[str]:
    """Return the options of `sam local` for the built template and the emulator."""
    config = ["--config-file", str(ROOT / "samconfig.toml"), "--template", str(built)]
    return [*config, "--env-vars", str(variables), "--skip-pull-image"]


@pytest.fixture(scope="module")
def lambda_client(options: list[str], shell: Mapping[str, str]) -> Iterator[Any]:
    """Start `sam local start-lambda`; yield a client for it."""
    port = find_free_port()
    command = [str(TOOLS / "sam"), "local", "start-lambda", "--port", str(port)]
    with run_beside(command + options, shell, stderr=subprocess.PIPE) as process:
        for line in process.stderr:
            if "Running on" in line:
                break
        config = Config(read_timeout=120, retries={"total_max_attempts": 1})
        session = boto3.Session("testing", "testing", region_name=REGION)
        yield session.client("lambda", endpoint_url=f"http://127.0.0.1:{port}", config=config)


def opened(client: Any) -> set[tuple[str, str]]:
    """Return rule and resource of every finding in the emulator that is open or unknown."""
    stacks = client("cloudformation").describe_stacks(StackName="posture")["Stacks"]
    outputs = {it["OutputKey"]: it["OutputValue"] for it in stacks[0]["Outputs"]}
    return list_active(client("dynamodb"), outputs["FindingsTableName"])


def test_sam_local_invoke_runs_a_function_in_its_container(
    client: Any, options: list[str], shell: Mapping[str, str]
) -> None:
    """The command of README stores the event's finding in the emulator."""
    name = "evaluate/single-change"
    sam = str(TOOLS / "sam")
    command = [sam, "local", "invoke", find_function(name), "-e", f"events/{name}.json"]
    done = subprocess.run(  # noqa: S603
        command + options, env=shell, cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert not failed_ids(json.loads(done.stdout))
    assert INVOKED in done.stderr
    assert EXPECTED[name].opens <= opened(client)


@pytest.mark.parametrize(("name", "expected"), EXPECTED.items())
def test_start_lambda_runs_every_event(
    lambda_client: Any, client: Any, name: str, expected: Expected
) -> None:
    """Each event has the result that events/README.md describes."""
    answer = lambda_client.invoke(
        FunctionName=find_function(name), Payload=json.dumps(read_event(name))
    )
    assert "FunctionError" not in answer
    assert expected.failed == failed_ids(json.loads(answer["Payload"].read()))
    assert expected.opens <= opened(client)


def test_an_alert_reaches_a_subscriber_in_the_emulator(lambda_client: Any, client: Any) -> None:
    """The notify function's container publishes to the emulator's topic."""
    sqs, sns = client("sqs"), client("sns")
    stacks = client("cloudformation").describe_stacks(StackName="posture")["Stacks"]
    outputs = {it["OutputKey"]: it["OutputValue"] for it in stacks[0]["Outputs"]}
    queue = sqs.create_queue(QueueName="subscriber")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    sns.subscribe(TopicArn=outputs["AlertTopicArn"], Protocol="sqs", Endpoint=arn["QueueArn"])
    table = client("dynamodb")
    for key in table.scan(TableName=outputs["IdempotencyTableName"])["Items"]:
        table.delete_item(TableName=outputs["IdempotencyTableName"], Key={"id": key["id"]})
    lambda_client.invoke(
        FunctionName="NotifyFunction", Payload=json.dumps(read_event("notify/opened"))
    )
    (message,) = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    assert re.fullmatch(EXPECTED["notify/opened"].alert, json.loads(message["Body"])["Subject"])
