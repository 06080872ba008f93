"""Each sample event, run by its function in the environment of `posture emulate`."""

import json
from collections.abc import Iterator

import pytest
from samcli.lib.providers.sam_function_provider import SamFunctionProvider
from samcli.lib.providers.sam_stack_provider import SamLocalStackProvider
from samcli.local.lambdafn.env_vars import EnvironmentVariables

from posture.runtime.settings import Settings
from posture_cli.demo.sample_environment import SampleEnvironment
from posture_cli.embedded.aws import EmbeddedAws
from sample_events import (
    EXPECTED,
    failed_ids,
    find_function,
    list_active,
    list_events,
    read_event,
)
from stack_template import PATH

ENVIRONMENTS = json.loads((PATH.parent / "env.json").read_text(encoding="utf-8"))
ENVIRONMENT = ENVIRONMENTS["Parameters"]


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    """Yield the environment that `posture emulate` serves."""
    with EmbeddedAws(PATH.parent) as aws:
        SampleEnvironment(aws).build()
        yield aws


@pytest.mark.parametrize("name", EXPECTED)
def test_an_event_has_the_described_result(aws: EmbeddedAws, name: str) -> None:
    """Its failed messages, and the findings that are open afterwards."""
    function = aws.functions[aws.stack.physical_id(find_function(name))]
    answer = function(read_event(name))
    assert EXPECTED[name].failed == failed_ids(answer)
    assert EXPECTED[name].opens <= list_active(
        aws.session.client("dynamodb"), aws.stack.outputs["FindingsTableName"]
    )


@pytest.mark.parametrize("name", list_events("calls"))
def test_a_call_is_evaluated(aws: EmbeddedAws, name: str) -> None:
    """At the first try, whether its resources exist or not."""
    function = aws.functions[aws.stack.physical_id("EvaluateFunction")]
    assert not failed_ids(function(read_event(name)))


def test_env_json_has_the_names_of_the_emulator(aws: EmbeddedAws) -> None:
    """The variables that sam local sets are those of the stack's functions.

    The ID of the emulator's VPC is another one at each start, so sam local sets none.
    """
    made = aws.stack.environment("EvaluateFunction")
    unnamed = {"AWS_ENDPOINT_URL", "MONITOR_VPC_ID", "NETWORK_TABLE"}  # none by default
    named = {key: value for key, value in ENVIRONMENT.items() if key not in unnamed}
    assert {key: made[key] for key in named} == named


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of SAM
def test_the_functions_start_with_the_variables_of_sam_local() -> None:
    """SAM resolves a reference to a resource to its name in the template; env.json replaces it."""
    stacks, _ = SamLocalStackProvider.get_stacks(str(PATH))
    for function in SamFunctionProvider(stacks).get_all():
        declared = function.environment["Variables"]
        variables = EnvironmentVariables(
            function.name,
            variables=declared,
            override_values={**ENVIRONMENT, **ENVIRONMENTS.get(function.name, {})},
            aws_creds={"region": "eu-west-1"},
        ).resolve()
        assert Settings.from_env(variables).tables.findings == ENVIRONMENT["FINDINGS_TABLE"]
