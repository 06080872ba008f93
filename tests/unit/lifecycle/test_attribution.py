"""Who is named for a transition."""

from dataclasses import replace

import pytest

from finding_builders import SCOPE, at, change, findings, opened, verdict
from posture.lifecycle.diff import find_transitions
from posture.model.change import Change, ChangeOutcome
from posture.model.verdict import Status


def cause(*changes: Change) -> str | None:
    """Return the event that is named for a finding that concerns rtb-0a and the VPC."""
    (step,) = opened(verdict(concerns=["rtb-0a", SCOPE.subject]), changes=changes)
    return step.finding.cause.event_id if step.finding.cause else None


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ([change("e-1", "rtb-0a"), change("e-2", "rtb-9")], "e-1"),
        ([change("e-1", "rtb-0a", minute=-9), change("e-2", "rtb-0a", minute=-3)], "e-2"),
        ([change("e-1", "subnet-0a"), change("e-2", "sg-1", minute=-1)], "e-1"),
        ([change("e-1", "rtb-0a"), change("e-2", SCOPE.subject, minute=-1)], "e-1"),
        ([change("e-1", "sg-1"), change("e-2", SCOPE.subject, minute=-5)], "e-2"),
        ([change("e-1", "sg-1")], "e-1"),
        ([change("e-1", "sg-1", minute=-1), change("e-2", "sg-2", minute=-5)], "e-1"),
        ([change("e-1", "rtb-0a", outcome=ChangeOutcome.IGNORED)], None),
        ([], None),
        ([replace(change("e-1", "sg-1"), sweeps=True)], None),
        ([replace(change("e-1", "rtb-0a"), sweeps=True)], "e-1"),
    ],
    ids=[
        "names what is concerned",
        "the latest of two",
        "names the resource",
        "more than the VPC",
        "the VPC more than nothing",
        "the only one",
        "the latest of the scope",
        "a failed call causes nothing",
        "a sweep knows none",
        "what caused a sweep",
        "what caused a sweep, and names it",
    ],
)
def test_the_likeliest_change_is_named(changes: list[Change], named: str | None) -> None:
    """A change that names what the verdict concerns comes before one that merely came along."""
    assert named == cause(*changes)
    assert named == cause(*changes[::-1])


def test_an_unreadable_fact_has_no_guessed_cause() -> None:
    """A fact that can no longer be read is not attributed to the latest call."""
    stored = findings(verdict())
    dark = verdict(status=Status.UNKNOWN)
    (step,) = find_transitions(
        SCOPE, stored, [dark], observed_at=at(1), changes=[change("e-1", "sg-1")]
    )
    assert step.finding.cause is None


def test_a_repair_has_its_author_too() -> None:
    """The change that named what the finding concerned is the cause of its resolution."""
    stored = findings(verdict())
    changes = [change("e-7", "rtb-0a"), change("e-8", "sg-1", minute=-1)]
    (step,) = find_transitions(SCOPE, stored, [], observed_at=at(1), changes=changes)
    assert step.finding.cause is not None
    assert ("e-7", at(-2), "198.51.100.7") == (
        step.finding.cause.event_id,
        step.finding.cause.time,
        step.finding.cause.source_ip,
    )
