"""What a scope was evaluated in is freed at once, not when Python's garbage collector comes."""

import gc
from collections.abc import Iterator

import pytest

from monitor_stage import Stage
from posture.rules.contexts import VpcContext


@pytest.fixture
def uncollected() -> Iterator[None]:
    """Stop the garbage collector."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def count_contexts() -> int:
    """Count the contexts of VPCs that exist."""
    return sum(type(each) is VpcContext for each in gc.get_objects())


@pytest.mark.usefixtures("uncollected")
def test_no_context_is_left_after_an_evaluation(stage: Stage) -> None:
    """A cycle would keep some thousand objects for each VPC, which the collector walks."""
    known = count_contexts()
    stage.sweep()  # the first of the scope, whose remediations are proven
    stage.open_group()
    stage.evaluate()  # names the cause

    assert count_contexts() == known
