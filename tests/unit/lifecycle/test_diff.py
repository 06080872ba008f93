"""A finding's life: opened, changed, resolved, opened again."""

from dataclasses import replace

import pytest

from finding_builders import SCOPE, at, findings, verdict
from posture.lifecycle.diff import (
    NO_LONGER_APPLIES,
    READABLE_AGAIN,
    RESOURCE_GONE,
    apply_transitions,
    find_transitions,
    get_material,
    resolve_all,
)
from posture.model.finding import REPAIRED, FindingStatus, Step
from posture.model.fingerprint import fingerprint
from posture.model.verdict import Remediation, Severity, Status, Verdict


def test_a_failure_opens_a_finding() -> None:
    """A failure that was not there before opens a finding of version 1."""
    (step,) = find_transitions(SCOPE, {}, [verdict()], observed_at=at(0))
    assert (
        step.step,
        step.finding.status,
        step.finding.version,
    ) == (Step.OPENED, FindingStatus.OPEN, 1)
    assert at(0) == step.finding.opened_at == step.finding.updated_at


def test_an_unknown_opens_a_finding_of_its_own_status() -> None:
    """A rule that cannot be decided is a finding, never a pass."""
    (step,) = find_transitions(SCOPE, {}, [verdict(status=Status.UNKNOWN)], observed_at=at(0))
    assert (step.step, step.finding.status) == (Step.OPENED, FindingStatus.UNKNOWN)


@pytest.mark.parametrize("status", [Status.PASS, Status.NOT_APPLICABLE])
def test_what_is_well_is_no_finding(status: Status) -> None:
    """A resource that passes or is not concerned leaves no trace."""
    assert find_transitions(SCOPE, {}, [verdict(status=status)], observed_at=at(0)) == ()


def test_the_same_verdict_again_is_no_transition() -> None:
    """The order of the evidence and the ids concerned make no transition."""
    stored = findings(verdict(evidence=["One.", "Two."], concerns=["rtb-1"]))
    again = verdict(evidence=["Two.", "One."], concerns=["rtb-1", "rtb-2"])
    assert find_transitions(SCOPE, stored, [again], observed_at=at(1)) == ()


def test_another_remediation_changes_no_finding() -> None:
    """A stored command is proven; that of a new verdict is not, and may be another candidate."""
    proven = Remediation("Do it so.", "aws ec2 create-route", "resolves this; opens nothing")
    stored = findings(replace(verdict(), remediation=proven))
    assert find_transitions(SCOPE, stored, [verdict()], observed_at=at(5)) == ()


@pytest.mark.parametrize(
    "other",
    [
        verdict(severity=Severity.LOW),
        verdict(summary="Something else."),
        verdict(evidence=["Another fact."]),
        verdict(status=Status.UNKNOWN),
    ],
    ids=["severity", "summary", "evidence", "status"],
)
def test_another_answer_changes_the_finding(other: Verdict) -> None:
    """A material difference makes a new version and keeps the time of opening."""
    stored = findings(verdict())
    (step,) = find_transitions(SCOPE, stored, [other], observed_at=at(5))
    assert Step.CHANGED is step.step
    assert (2, at(0), at(5)) == (
        step.finding.version,
        step.finding.opened_at,
        step.finding.updated_at,
    )


@pytest.mark.parametrize(
    ("digest", "other", "steps"),
    [
        (fingerprint(get_material(verdict())), verdict(), []),
        (fingerprint(get_material(verdict())), verdict(evidence=["Another fact."]), [Step.CHANGED]),
        ("", verdict(), []),
        ("", verdict(severity=Severity.LOW), [Step.CHANGED]),
    ],
    ids=["the same", "other evidence", "not known yet", "other severity"],
)
def test_words_of_a_former_version_change_no_finding(
    digest: str, other: Verdict, steps: list[Step]
) -> None:
    """Its digest is compared instead, and the severity also where no digest is known."""
    stored = {
        key: replace(each, verdict=verdict(summary="Former words."), verdict_digest=digest)
        for key, each in findings(verdict()).items()
    }
    found = find_transitions(SCOPE, stored, [other], observed_at=at(5))
    assert [each.step for each in found] == steps


def test_an_unreadable_fact_is_not_resolved() -> None:
    """From open to unknown and back a finding changes and stays the same finding."""
    stored = findings(verdict())
    dark = find_transitions(SCOPE, stored, [verdict(status=Status.UNKNOWN)], observed_at=at(1))
    light = find_transitions(SCOPE, apply_transitions(stored, dark), [verdict()], observed_at=at(2))
    assert [dark[0].step, light[0].step] == [Step.CHANGED, Step.CHANGED]
    assert (FindingStatus.OPEN, at(0)) == (light[0].finding.status, light[0].finding.opened_at)


@pytest.mark.parametrize(
    ("before", "now", "reason"),
    [
        (Status.FAIL, [verdict(status=Status.PASS)], REPAIRED),
        (Status.FAIL, [verdict(status=Status.NOT_APPLICABLE)], NO_LONGER_APPLIES),
        (Status.FAIL, [], RESOURCE_GONE),
        (Status.UNKNOWN, [verdict(status=Status.PASS)], READABLE_AGAIN),
        (Status.UNKNOWN, [], RESOURCE_GONE),
    ],
)
def test_what_is_no_longer_bad_is_resolved(before: Status, now: list[Verdict], reason: str) -> None:
    """The reason says how it ended; the finding keeps the verdict that failed."""
    stored = findings(verdict(status=before))
    (step,) = find_transitions(SCOPE, stored, now, observed_at=at(3))
    assert (Step.RESOLVED, reason, 2) == (step.step, step.reason, step.finding.version)
    assert FindingStatus.RESOLVED is step.finding.status
    assert before is step.finding.verdict.status


def test_opening_again_starts_a_new_life_of_the_same_finding() -> None:
    """The id stays, the version goes on, the time of opening is new."""
    stored = findings(verdict())
    closed = apply_transitions(stored, find_transitions(SCOPE, stored, [], observed_at=at(1)))
    (step,) = find_transitions(SCOPE, closed, [verdict()], observed_at=at(2))
    assert (Step.OPENED, 3, at(2)) == (step.step, step.finding.version, step.finding.opened_at)
    assert set(stored) == {step.finding.id}


def test_an_undecided_rule_resolves_nothing() -> None:
    """Unknown for the whole scope leaves that rule's findings, and opens one that says so."""
    stored = findings(verdict(), verdict(rule="other-rule"))
    blind = verdict(resource=SCOPE.subject, status=Status.UNKNOWN)
    steps = find_transitions(SCOPE, stored, [blind], observed_at=at(1))
    assert [
        (Step.OPENED, "route-missing", SCOPE.subject),
        (Step.RESOLVED, "other-rule", "subnet-0a"),
    ] == [(step.step, step.finding.rule, step.finding.resource) for step in steps]


def test_a_rule_that_sees_again_says_so() -> None:
    """The finding about the unreadable fact is not resolved as a resource that is gone."""
    stored = findings(verdict(resource=SCOPE.subject, status=Status.UNKNOWN))
    (step,) = find_transitions(SCOPE, stored, [], observed_at=at(1))
    assert step.reason == READABLE_AGAIN


def test_the_worst_of_two_answers_speaks() -> None:
    """Two answers of one rule on one resource make one finding, in either order."""
    answers = [verdict(status=Status.PASS), verdict(severity=Severity.LOW), verdict()]
    forwards = find_transitions(SCOPE, {}, answers, observed_at=at(0))
    assert forwards == find_transitions(SCOPE, {}, answers[::-1], observed_at=at(0))
    assert [step.finding.severity for step in forwards] == [Severity.HIGH]


def test_a_deleted_scope_resolves_its_findings() -> None:
    """All bad findings are resolved with the given reason; resolved ones stay."""
    stored = findings(verdict(), verdict(resource="subnet-0b", status=Status.UNKNOWN))
    steps = resolve_all(SCOPE, stored, at(4), "VPC gone")
    assert {"VPC gone"} == {step.reason for step in steps}
    assert resolve_all(SCOPE, apply_transitions(stored, steps), at(5), "VPC gone") == ()


def test_the_worst_comes_first() -> None:
    """Transitions are ordered by step, then severity, whatever order the rules answer in."""
    answers = [verdict("a", severity=Severity.LOW), verdict("b", severity=Severity.CRITICAL)]
    steps = find_transitions(SCOPE, findings(verdict("c")), answers, observed_at=at(1))
    assert [step.finding.rule for step in steps] == ["b", "a", "c"]
