"""The sample events of the survey and the refresh, in `posture emulate --shared-network`."""

import json
from collections.abc import Iterator

import pytest

from posture_cli.demo.sample_environment import SampleEnvironment
from posture_cli.embedded.aws import EmbeddedAws
from sample_events import SHARED_EXPECTED, failed_ids, find_function, list_active, read_event
from stack_template import PATH


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    """Yield the environment that `posture emulate --shared-network` serves."""
    with EmbeddedAws(PATH.parent, parameters={"SharedNetwork": "on"}) as aws:
        SampleEnvironment(aws).build()
        yield aws


@pytest.mark.parametrize("name", SHARED_EXPECTED)
def test_an_event_of_the_shared_network_has_the_described_result(
    aws: EmbeddedAws, name: str
) -> None:
    """The survey reads what changed; the refresh evaluates the spokes that depend on it."""
    function = aws.functions[aws.stack.physical_id(find_function(name))]
    answer = function(read_event(name))
    assert SHARED_EXPECTED[name].failed == failed_ids(answer)
    assert SHARED_EXPECTED[name].opens <= list_active(
        aws.session.client("dynamodb"), aws.stack.outputs["FindingsTableName"]
    )


def test_env_json_has_the_name_of_the_table_of_shared_facts(aws: EmbeddedAws) -> None:
    """The variable that sam local sets is that of the stack's functions."""
    named = json.loads((PATH.parent / "env.json").read_text(encoding="utf-8"))["SurveyFunction"]
    assert aws.stack.environment("SurveyFunction")["NETWORK_TABLE"] == named["NETWORK_TABLE"]
