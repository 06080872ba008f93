"""How the functions are run."""

from typing import Any

import pytest

from posture.notification.notify import PAUSE
from posture.runtime.settings import EXPECTED
from posture.store.rejections import LAST_TRY
from stack_template import RESOURCES, TEMPLATE, of_type

FUNCTIONS = of_type("AWS::Serverless::Function")
each_function = pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)


def mapping(function: str, event: str) -> dict[str, Any]:
    """Give the event source mapping of a function."""
    properties: dict[str, Any] = FUNCTIONS[function]["Events"][event]["Properties"]
    return properties


@each_function
def test_every_function_logs_to_a_group_that_is_encrypted_and_forgets(
    function: dict[str, Any],
) -> None:
    """No function makes its own log group, which would keep everything for ever."""
    group = RESOURCES[function["LoggingConfig"]["LogGroup"]["Ref"]]["Properties"]
    assert group["RetentionInDays"] == {"Ref": "LogRetentionDays"}
    assert group["KmsKeyId"] == {"Fn::GetAtt": ["Key", "Arn"]}


@each_function
def test_every_function_has_a_role_of_its_own(function: dict[str, Any]) -> None:
    """No role serves two functions, and SAM makes none."""
    roles = [it["Role"]["Fn::GetAtt"][0] for it in FUNCTIONS.values()]
    assert roles.count(function["Role"]["Fn::GetAtt"][0]) == 1


@each_function
def test_code_is_handed_over_as_it_lies_there(function: dict[str, Any]) -> None:
    """A function's folder holds its handler, and every dependency is in a layer."""
    name = function["CodeUri"].removeprefix("functions/").removesuffix("/")
    assert {"Fn::Sub": f"${{AWS::StackName}}-{name}"} == function["FunctionName"]


def test_the_functions_run_in_private_subnets() -> None:
    """All three are in the VPC, in the group that only reaches the endpoints."""
    config = TEMPLATE["Globals"]["Function"]["VpcConfig"]
    assert config["SecurityGroupIds"] == [{"Ref": "FunctionsSecurityGroup"}]


def test_the_functions_are_told_what_they_ask_for() -> None:
    """The environment holds every setting that the code reads, and no credentials."""
    variables = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]
    assert set(EXPECTED) - {"AWS_REGION"} <= set(variables)  # Lambda sets the region


@pytest.mark.parametrize("looks", ["Changes", "SecondLooks"])
def test_a_message_stays_hidden_while_it_may_be_worked_on(looks: str) -> None:
    """Lambda asks for six times the timeout, and the batching window on top."""
    batching = mapping("EvaluateFunction", looks)["MaximumBatchingWindowInSeconds"]
    timeout = FUNCTIONS["EvaluateFunction"]["Timeout"]
    queue = RESOURCES[f"{looks}Queue"]["Properties"]
    assert queue["VisibilityTimeout"] >= 6 * timeout + batching


def test_a_second_look_comes_when_reads_have_settled() -> None:
    """EC2's documentation asks to wait up to five minutes; the first look waits for nothing."""
    assert RESOURCES["SecondLooksQueue"]["Properties"]["DelaySeconds"] == 300
    assert "DelaySeconds" not in RESOURCES["ChangesQueue"]["Properties"]


@pytest.mark.parametrize("looks", ["Changes", "SecondLooks"])
def test_one_bad_change_does_not_block_its_batch(looks: str) -> None:
    """Failures are told one by one, and a change is given up after five tries."""
    assert mapping("EvaluateFunction", looks)["FunctionResponseTypes"] == [
        "ReportBatchItemFailures"
    ]
    assert RESOURCES[f"{looks}Queue"]["Properties"]["RedrivePolicy"] == {
        "deadLetterTargetArn": {"Fn::GetAtt": ["ChangesDeadLetterQueue", "Arn"]},
        "maxReceiveCount": LAST_TRY,
    }


def test_a_bad_record_does_not_block_the_stream() -> None:
    """The batch is cut in halves, tried a bounded number of times, and then kept elsewhere."""
    stream = mapping("NotifyFunction", "Findings")
    assert stream["BisectBatchOnFunctionError"] is True
    assert stream["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert 0 < stream["MaximumRetryAttempts"] <= 10
    assert 0 < stream["MaximumRecordAgeInSeconds"] < 86400
    destination = stream["DestinationConfig"]["OnFailure"]["Destination"]
    assert destination == {"Fn::GetAtt": ["AlertFailuresQueue", "Arn"]}


def test_the_stream_is_retried_for_longer_than_a_claim_lasts() -> None:
    """A claim ends with the time of the invocation that was killed at it."""
    retries = mapping("NotifyFunction", "Findings")["MaximumRetryAttempts"]
    assert (retries - 1) * PAUSE > RESOURCES["NotifyFunction"]["Properties"]["Timeout"]


def test_a_failed_sweep_is_kept() -> None:
    """What fails with all its retries goes to a queue, and so does what never started."""
    config = FUNCTIONS["SweepFunction"]["EventInvokeConfig"]
    destination = config["DestinationConfig"]["OnFailure"]["Destination"]
    assert destination == {"Fn::GetAtt": ["SweepFailuresQueue", "Arn"]}
    [target] = RESOURCES["SweepRule"]["Properties"]["Targets"]
    assert target["DeadLetterConfig"]["Arn"] == {"Fn::GetAtt": ["UndeliveredQueue", "Arn"]}
