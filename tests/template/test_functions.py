"""The configuration of the functions and of their event source mappings."""

from typing import Any

import pytest

from posture.notification.notify import PAUSE
from posture.runtime.settings import EXPECTED
from stack_template import PATH, RESOURCES, TEMPLATE, properties_by_type

FUNCTIONS = properties_by_type("AWS::Serverless::Function")
each_function = pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)


def mapping(function: str, event: str) -> dict[str, Any]:
    """Return the event source mapping of a function."""
    properties: dict[str, Any] = FUNCTIONS[function]["Events"][event]["Properties"]
    return properties


@each_function
def test_every_function_logs_to_an_encrypted_group_with_retention(
    function: dict[str, Any],
) -> None:
    """No function creates its own log group, which would never expire."""
    group = RESOURCES[function["LoggingConfig"]["LogGroup"]["Ref"]]["Properties"]
    assert group["RetentionInDays"] == {"Ref": "LogRetentionDays"}
    assert group["KmsKeyId"] == {"Fn::GetAtt": ["Key", "Arn"]}


@each_function
def test_every_function_has_a_role_of_its_own(function: dict[str, Any]) -> None:
    """No two functions share a role, and SAM creates none."""
    roles = [it["Role"]["Fn::GetAtt"][0] for it in FUNCTIONS.values()]
    assert roles.count(function["Role"]["Fn::GetAtt"][0]) == 1


@each_function
def test_every_function_is_named_after_its_folder(function: dict[str, Any]) -> None:
    """The folder contains the handler only; dependencies are in layers."""
    name = function["CodeUri"].removeprefix("functions/").removesuffix("/")
    assert {"Fn::Sub": f"${{AWS::StackName}}-{name}"} == function["FunctionName"]


def test_the_functions_run_in_private_subnets() -> None:
    """All functions are in the VPC and have the security group that reaches only the endpoints."""
    config = TEMPLATE["Globals"]["Function"]["VpcConfig"]
    assert config["SecurityGroupIds"] == [{"Ref": "FunctionsSecurityGroup"}]


def test_the_functions_get_every_setting() -> None:
    """The environment has every variable that the code reads; Lambda sets the region."""
    variables = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]
    evidence = {"EVIDENCE_BUCKET", "EVIDENCE_BUCKET_OWNER"}
    notify = {"SECURITY_HUB", "HTTPS_ALERT_FORMAT"}
    assert set(EXPECTED) - {"AWS_REGION"} - notify - evidence <= set(variables)
    assert evidence <= set(FUNCTIONS["ExportFunction"]["Environment"]["Variables"])
    assert notify <= set(FUNCTIONS["NotifyFunction"]["Environment"]["Variables"])


@pytest.mark.parametrize("queue_name", ["Changes", "SecondLooks"])
def test_a_message_stays_invisible_during_its_processing(queue_name: str) -> None:
    """Lambda requires six times the timeout plus the batching window."""
    batching = mapping("EvaluateFunction", queue_name)["MaximumBatchingWindowInSeconds"]
    timeout = FUNCTIONS["EvaluateFunction"]["Timeout"]
    queue = RESOURCES[f"{queue_name}Queue"]["Properties"]
    assert queue["VisibilityTimeout"] >= 6 * timeout + batching


def test_the_second_evaluation_waits_for_eventual_consistency() -> None:
    """EC2's documentation says up to five minutes; the first evaluation is immediate."""
    assert RESOURCES["SecondLooksQueue"]["Properties"]["DelaySeconds"] == 300
    assert "DelaySeconds" not in RESOURCES["ChangesQueue"]["Properties"]


@pytest.mark.parametrize("queue_name", ["Changes", "SecondLooks"])
def test_one_failed_change_does_not_fail_its_batch(queue_name: str) -> None:
    """Failures are reported per message; a change goes to the dead-letter queue after five."""
    assert mapping("EvaluateFunction", queue_name)["FunctionResponseTypes"] == [
        "ReportBatchItemFailures"
    ]
    assert RESOURCES[f"{queue_name}Queue"]["Properties"]["RedrivePolicy"] == {
        "deadLetterTargetArn": {"Fn::GetAtt": ["ChangesDeadLetterQueue", "Arn"]},
        "maxReceiveCount": 5,
    }


def test_a_failed_record_does_not_block_the_stream() -> None:
    """The batch is bisected, retried a limited number of times, and then discarded to a queue."""
    stream = mapping("NotifyFunction", "Findings")
    assert stream["BisectBatchOnFunctionError"] is True
    assert stream["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert 0 < stream["MaximumRetryAttempts"] <= 10
    assert 0 < stream["MaximumRecordAgeInSeconds"] < 86400
    destination = stream["DestinationConfig"]["OnFailure"]["Destination"]
    assert destination == {"Fn::GetAtt": ["AlertFailuresQueue", "Arn"]}


def test_the_stream_is_retried_for_longer_than_a_claim_lasts() -> None:
    """A claim expires with the timeout of the invocation that was terminated."""
    retries = mapping("NotifyFunction", "Findings")["MaximumRetryAttempts"]
    assert (retries - 1) * PAUSE > RESOURCES["NotifyFunction"]["Properties"]["Timeout"]


def test_a_failed_sweep_goes_to_a_dead_letter_queue() -> None:
    """Both a sweep that fails after all retries and one that could not be started."""
    config = FUNCTIONS["SweepFunction"]["EventInvokeConfig"]
    destination = config["DestinationConfig"]["OnFailure"]["Destination"]
    assert destination == {"Fn::GetAtt": ["SweepFailuresQueue", "Arn"]}
    [target] = RESOURCES["SweepRule"]["Properties"]["Targets"]
    assert target["DeadLetterConfig"]["Arn"] == {"Fn::GetAtt": ["UndeliveredQueue", "Arn"]}


@pytest.mark.parametrize("layer", ["posture", "dependencies"])
def test_a_container_compiles_a_layer_for_the_default_runtime(layer: str) -> None:
    """SAM builds a layer with a Makefile in the image of the first runtime that it names."""
    properties = RESOURCES[f"{layer.title()}Layer"]["Properties"]
    runtimes = TEMPLATE["Parameters"]["Runtime"]
    assert properties["CompatibleRuntimes"][0] == runtimes["Default"]
    assert set(properties["CompatibleRuntimes"]) == set(runtimes["AllowedValues"])
    makefile = (PATH.parent / "layers" / layer / "Makefile").read_text(encoding="utf-8")
    assert f"LAYER_PYTHON ?= {runtimes['Default'].removeprefix('python')}\n" in makefile
