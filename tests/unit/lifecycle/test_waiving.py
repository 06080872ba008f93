"""Accepted failures: visible, quiet, and open again once the waiver has ended."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finding_builders import OTHER, SCOPE, at, verdict
from posture.lifecycle.diff import apply_transitions, find_transitions, is_bad
from posture.lifecycle.waiving import Waivers
from posture.model.baseline import Baseline
from posture.model.finding import Finding, FindingStatus, Step, Transition
from posture.model.verdict import Severity, Status, Verdict
from posture.model.waiver import Waiver, identify_person

ALICE = "arn:aws:sts::111122223333:assumed-role/NetworkAdmin/alice"
BOB = "arn:aws:iam::111122223333:user/bob"
WAIVER = Waiver(
    id="w-1",
    rule="route-missing",
    resource="subnet-0a",
    scope="*",
    reason="second route follows",
    ticket="SEC-1",
    requested_by=ALICE,
    requested_at=at(0),
    expires_at=at(60),
    approved_by=BOB,
    approved_at=at(5),
)


def evaluate(
    stored: dict[str, Finding],
    minute: float,
    *verdicts: Verdict,
    waivers: tuple[Waiver, ...] = (WAIVER,),
    baseline: Baseline | None = None,
) -> tuple[dict[str, Finding], tuple[Transition, ...]]:
    """Evaluate once; return the findings afterwards, and the transitions."""
    holding = Waivers(SCOPE, at(minute), waivers, baseline or Baseline())
    steps = find_transitions(SCOPE, stored, verdicts, observed_at=at(minute), waivers=holding)
    return apply_transitions(stored, steps), steps


def steps_of(steps: tuple[Transition, ...]) -> list[tuple[Step, FindingStatus]]:
    """Return each step with the status after it."""
    return [(step.step, step.finding.status) for step in steps]


def test_a_whole_life() -> None:
    """Open, waived once approved, changed in silence, open again when it has expired."""
    stored, steps = evaluate({}, 1, verdict())
    assert steps_of(steps) == [(Step.OPENED, FindingStatus.OPEN)]
    stored, steps = evaluate(stored, 10, verdict())
    assert steps_of(steps) == [(Step.WAIVED, FindingStatus.WAIVED)]
    assert steps[0].reason.startswith("waiver w-1 until")
    assert steps[0].finding.cause is not None
    assert steps[0].finding.cause.actor == BOB
    stored, steps = evaluate(stored, 20, verdict())
    assert steps == ()
    stored, steps = evaluate(stored, 30, verdict(severity=Severity.CRITICAL))
    assert steps_of(steps) == [(Step.CHANGED, FindingStatus.WAIVED)]
    stored, steps = evaluate(stored, 60, verdict(severity=Severity.CRITICAL))
    assert steps_of(steps) == [(Step.OPENED, FindingStatus.OPEN)]
    assert steps[0].reason == "waiver w-1 has expired"
    assert steps[0].finding.opened_at == at(1)
    assert steps[0].finding.version == 4


def test_a_failure_may_be_waived_from_the_first() -> None:
    """It is found, kept and waived at once."""
    _, steps = evaluate({}, 10, verdict())
    assert steps_of(steps) == [(Step.WAIVED, FindingStatus.WAIVED)]


def test_a_waived_finding_can_be_repaired() -> None:
    """And when it fails again, it is waived again."""
    stored, _ = evaluate({}, 10, verdict())
    stored, steps = evaluate(stored, 20, verdict(status=Status.PASS))
    assert steps_of(steps) == [(Step.RESOLVED, FindingStatus.RESOLVED)]
    _, steps = evaluate(stored, 30, verdict())
    assert steps_of(steps) == [(Step.WAIVED, FindingStatus.WAIVED)]


def test_who_revokes_a_waiver_is_the_cause() -> None:
    """Of the finding's opening again."""
    stored, _ = evaluate({}, 10, verdict())
    revoked = replace(WAIVER, revoked_by=ALICE, revoked_at=at(15))
    _, [step] = evaluate(stored, 20, verdict(), waivers=(revoked,))
    assert (step.step, step.reason) == (Step.OPENED, "waiver w-1 was revoked")
    assert step.finding.cause is not None
    assert step.finding.cause.actor == ALICE


def test_the_waiver_that_ended_last_is_the_cause() -> None:
    """One that was revoked before would have expired later."""
    revoked = replace(
        WAIVER, id="w-2", expires_at=at(90), revoked_by=BOB, revoked_at=at(20), resource="*"
    )
    stored, _ = evaluate({}, 10, verdict())
    _, steps = evaluate(stored, 61, verdict(), waivers=(WAIVER, revoked))
    assert steps[0].finding.caused_by.possible[0].event_id == "w-1"
    _, steps = evaluate(stored, 21, verdict(), waivers=(revoked,))
    assert steps[0].finding.caused_by.possible[0].event_id == "w-2"


def test_what_cannot_be_read_is_not_waived() -> None:
    """An unread fact cannot be accepted."""
    stored, steps = evaluate({}, 10, verdict(status=Status.UNKNOWN))
    assert steps_of(steps) == [(Step.OPENED, FindingStatus.UNKNOWN)]
    stored, steps = evaluate(stored, 20, verdict())
    assert steps_of(steps) == [(Step.WAIVED, FindingStatus.WAIVED)]
    _, steps = evaluate(stored, 30, verdict(status=Status.UNKNOWN))
    assert steps_of(steps) == [(Step.CHANGED, FindingStatus.UNKNOWN)]


@pytest.mark.parametrize(
    ("waiver", "baseline", "holds"),
    [
        (WAIVER, Baseline(), True),
        (WAIVER, Baseline(waiver_approval=True), True),
        (replace(WAIVER, approved_by=ALICE), Baseline(), True),
        (replace(WAIVER, approved_by=ALICE), Baseline(waiver_approval=True), False),
        (
            replace(WAIVER, approved_by="arn:aws:sts::111122223333:assumed-role/Other/Alice"),
            Baseline(waiver_approval=True),
            False,
        ),
        (replace(WAIVER, approved_by="", approved_at=None), Baseline(), False),
        (replace(WAIVER, approved_at=at(11)), Baseline(), False),
        (replace(WAIVER, expires_at=at(10)), Baseline(), False),
        (replace(WAIVER, revoked_at=at(9)), Baseline(), False),
        (replace(WAIVER, expires_at=at(0) + timedelta(days=90)), Baseline(), True),
        (replace(WAIVER, expires_at=at(1) + timedelta(days=90)), Baseline(), False),
        (replace(WAIVER, expires_at=at(0) + timedelta(days=9)), Baseline(waiver_max_days=8), False),
        (replace(WAIVER, rule="no-policy"), Baseline(), False),
        (replace(WAIVER, resource="subnet-0b"), Baseline(), False),
        (replace(WAIVER, resource="subnet-*"), Baseline(), True),
        (replace(WAIVER, scope=str(SCOPE)), Baseline(), True),
        (replace(WAIVER, scope="111122223333/*"), Baseline(), True),
        (replace(WAIVER, scope=str(OTHER)), Baseline(), False),
    ],
)
def test_when_a_waiver_holds(waiver: Waiver, baseline: Baseline, holds: bool) -> None:
    """Only for what it names, once approved, until it ends, as the baseline demands."""
    stored, _ = evaluate({}, 10, verdict(), waivers=(waiver,), baseline=baseline)
    [finding] = stored.values()
    assert (finding.status is FindingStatus.WAIVED) is holds
    assert is_bad(finding)


def test_persons_are_distinguished_by_name_not_by_role() -> None:
    """One person in two roles is one person."""
    assert identify_person(ALICE) == identify_person(
        "arn:aws:sts::999988887777:assumed-role/Admin/alice"
    )
    assert identify_person(ALICE) != identify_person(BOB)


MINUTES = st.integers(0, 100)


@given(
    st.lists(st.tuples(st.sampled_from(list(Status)), MINUTES, MINUTES), max_size=12),
)
def test_a_finding_is_waived_just_while_a_waiver_holds(
    evaluations: list[tuple[Status, int, int]],
) -> None:
    """Whatever happened before: the status follows from the verdict and the waivers alone."""
    stored: dict[str, Finding] = {}
    for minute, (status, first, until) in enumerate(evaluations):
        waiver = replace(WAIVER, approved_at=at(first), expires_at=max(at(until), at(0)))
        stored, _ = evaluate(stored, minute, verdict(status=status), waivers=(waiver,))
        held = first <= minute < until
        expected = {
            Status.FAIL: FindingStatus.WAIVED if held else FindingStatus.OPEN,
            Status.UNKNOWN: FindingStatus.UNKNOWN,
        }.get(status, FindingStatus.RESOLVED)
        assert [it.status for it in stored.values()] in ([expected], [])
