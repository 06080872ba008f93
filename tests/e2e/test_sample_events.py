"""The sample events, each run by the function it is for, in the world they are about."""

import json
from collections.abc import Iterator

import pytest

from posture.model.finding import FindingStatus
from posture.store.findings import Findings
from posture_cli.demo.sample_environment import SampleEnvironment
from posture_cli.embedded.aws import EmbeddedAws
from sample_events import EXPECTED, failures, function_of, names, read
from stack_template import PATH

ENVIRONMENT = json.loads((PATH.parent / "env.json").read_text(encoding="utf-8"))["Parameters"]


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    """Give the world that `posture emulate` serves."""
    with EmbeddedAws(PATH.parent) as aws:
        SampleEnvironment(aws).build()
        yield aws


def opened(aws: EmbeddedAws) -> set[tuple[str, str]]:
    """Give rule and resource of every open finding."""
    table = aws.stack.outputs["FindingsTableName"]
    client = aws.session.client("dynamodb")
    findings = Findings(client, table).find_by_status(FindingStatus.OPEN)
    return {(each.rule, each.resource) for each in findings}


@pytest.mark.parametrize("name", EXPECTED)
def test_an_event_comes_to_what_the_readme_says(aws: EmbeddedAws, name: str) -> None:
    """Its messages that come again, and the findings that are open afterwards."""
    function = aws.functions[aws.stack.physical_id(function_of(name))]
    answer = function(read(name))
    assert EXPECTED[name].failed == failures(answer)
    assert EXPECTED[name].opens <= opened(aws)


@pytest.mark.parametrize("name", names("calls"))
def test_a_call_is_evaluated(aws: EmbeddedAws, name: str) -> None:
    """Whatever it names, there or not, it is handled at the first try."""
    function = aws.functions[aws.stack.physical_id("EvaluateFunction")]
    assert not failures(function(read(name)))


def test_env_json_names_what_the_emulator_made(aws: EmbeddedAws) -> None:
    """The variables that sam local sets are the ones that the stack's functions have."""
    made = aws.stack.environment("EvaluateFunction")
    named = {key: value for key, value in ENVIRONMENT.items() if key != "AWS_ENDPOINT_URL"}
    assert {key: made[key] for key in named} == named
