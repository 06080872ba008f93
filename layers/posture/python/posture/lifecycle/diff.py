"""What happened to a scope's findings since they were last recorded. Pure.

A finding is bad while it is open, unknown or waived. A resolved finding keeps its last bad verdict;
the reason of its last transition says how it was resolved.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from posture.lean_dataclass import dataclass
from posture.lifecycle.bounds import bound_resource, bound_verdict
from posture.lifecycle.waiving import Waivers, attribute_approval, attribute_end
from posture.model.finding import (
    REPAIRED,
    UNKNOWN_CAUSE,
    Finding,
    FindingStatus,
    Step,
    Transition,
    finding_id,
)
from posture.model.fingerprint import fingerprint
from posture.model.instant import CLOCK_TOLERANCE, format_iso
from posture.model.rule_ids import first_rule_id
from posture.model.scope import Scope
from posture.model.verdict import Status, Verdict

NO_LONGER_APPLIES = "no longer applies"
RESOURCE_GONE = "resource gone"
READABLE_AGAIN = "can be evaluated again"
NOT_YET = "its stored time was in the future"

BAD = {Status.FAIL: FindingStatus.OPEN, Status.UNKNOWN: FindingStatus.UNKNOWN}
WORST_FIRST = (Status.FAIL, Status.UNKNOWN, Status.PASS, Status.NOT_APPLICABLE)

Findings = Mapping[str, Finding]  # by finding id
_Subject = tuple[str, str]  # the rule's first id and the resource, which make a finding's id


@dataclass(frozen=True, slots=True)
class _Evaluation:
    """What all transitions of one evaluation have in common."""

    scope: Scope
    observed_at: datetime
    waivers: Waivers

    def worsen(self, before: Finding | None, verdict: Verdict) -> Transition | None:
        """Open, change or waive the finding of a bad verdict; return None if nothing differs."""
        rule, resource = verdict.rule, verdict.resource
        failed = verdict.status is Status.FAIL
        waiver = self.waivers.find_waiver(rule, resource) if failed else None
        status = FindingStatus.WAIVED if waiver else BAD[verdict.status]
        is_ahead = before is not None and before.is_ahead_of(self.observed_at + CLOCK_TOLERANCE)
        if before and before.status is status and not is_ahead and not _differs(before, verdict):
            return None
        bad = before if before and is_bad(before) else None
        was_waived = bad is not None and bad.status is FindingStatus.WAIVED
        after = self._revise(bad, verdict, status) if bad else self._open(before, verdict, status)
        if waiver and not was_waived:
            reason = f"waiver {waiver.id} until {format_iso(waiver.expires_at)}: {waiver.reason}"
            waived = replace(after, caused_by=attribute_approval(waiver))
            return Transition(Step.WAIVED, waived, reason)
        if was_waived and status is FindingStatus.OPEN:
            # The finding keeps the time when it was first opened.
            ended = self.waivers.find_ended(rule, resource)
            reason = ended.describe_end(self.observed_at) if ended else "no longer waived"
            caused_by = attribute_end(ended, self.observed_at)
            return Transition(Step.OPENED, replace(after, caused_by=caused_by), reason)
        step = Step.CHANGED if bad else Step.OPENED
        return Transition(step, after, NOT_YET if bad and is_ahead else "")

    def resolve(self, before: Finding, reason: str) -> Transition:
        """Resolve a finding, which keeps its last bad verdict."""
        after = self._revise(before, before.verdict, FindingStatus.RESOLVED)
        return Transition(Step.RESOLVED, replace(after, resolved_by=UNKNOWN_CAUSE), reason)

    def _open(self, before: Finding | None, verdict: Verdict, status: FindingStatus) -> Finding:
        return Finding(
            scope=self.scope,
            rule=verdict.rule,
            resource=verdict.resource,
            status=status,
            severity=verdict.severity,
            verdict=verdict,
            version=before.version + 1 if before else 1,
            opened_at=self.observed_at,
            updated_at=self.observed_at,
        )

    def _revise(self, before: Finding, verdict: Verdict, status: FindingStatus) -> Finding:
        return replace(
            before,
            status=status,
            severity=verdict.severity,
            verdict=verdict,
            version=before.version + 1,
            opened_at=min(before.opened_at, self.observed_at),
            updated_at=self.observed_at,
            caused_by=UNKNOWN_CAUSE,
            verdict_digest=None,
        )


def find_transitions(
    scope: Scope,
    stored: Findings,
    verdicts: Iterable[Verdict],
    *,
    observed_at: datetime,
    waivers: Waivers | None = None,
) -> tuple[Transition, ...]:
    """Compare the verdicts of one evaluation with the stored findings of its scope.

    A failed or unknown verdict opens a finding, or changes it where status, severity, summary or
    evidence differ; between open and unknown a finding changes and is never resolved.
    A finding is resolved when its verdict passes or no longer applies, or its resource is gone. The
    findings of a rule that is unknown for the whole scope stay as they are.

    A failure that a waiver covers is waived: it stays a finding, and opens again when the waiver
    ends. Unknown verdicts are never waived.

    Args:
        scope: The scope that was evaluated.
        stored: Its findings by id. The version of a resolved one among them continues.
        verdicts: All verdicts, including those that pass.
        observed_at: When the snapshot was taken.
        waivers: The waivers; None stands for none.

    Returns:
        The transitions, the most severe first. Their causes are unknown, except those of waivers.
    """
    # Where nothing is stored, nothing is resolved: the good verdicts, which are most, do not count.
    now = _by_subject(verdicts if stored else (each for each in verdicts if each.status in BAD))
    known = {_get_subject(each.rule, each.resource): each for each in stored.values()}
    waivers = waivers or Waivers(scope, observed_at)
    evaluation = _Evaluation(scope, observed_at, waivers)
    undecided = _undecided_rules(scope.subject, now)
    steps: list[Transition] = []
    for subject, verdict in now.items():
        if verdict.status in BAD and (step := evaluation.worsen(known.get(subject), verdict)):
            steps.append(step)
    for subject, finding in known.items():
        better = now.get(subject)
        if not is_bad(finding) or (better and better.status in BAD):
            continue
        if better or finding.rule not in undecided:
            reason = _find_reason(finding, better, scope.subject)
            steps.append(evaluation.resolve(finding, reason))
    return tuple(sorted(steps, key=_order))


def resolve_all(
    scope: Scope,
    stored: Findings,
    observed_at: datetime,
    reason: str,
) -> tuple[Transition, ...]:
    """Resolve all bad findings of a scope that no longer exists or is exempt, with the reason."""
    evaluation = _Evaluation(scope, observed_at, Waivers(scope, observed_at))
    steps = (evaluation.resolve(each, reason) for each in stored.values() if is_bad(each))
    return tuple(sorted(steps, key=_order))


def digest_former_findings(
    scope: Scope, stored: Findings, verdicts: Iterable[Verdict]
) -> dict[str, str | None]:
    """Digest today's verdicts on the findings that a former version worded.

    The first evaluation by a new version takes a finding of the same status and severity for
    unchanged, whatever its words; later evaluations compare with the digest.

    Returns:
        A digest by finding id; None for a finding that has no bad verdict any more. Findings of
        rules that could not be decided are left out.
    """
    former = [name for name, finding in stored.items() if finding.verdict_digest == ""]
    if not former:
        return {}
    named = _by_subject(verdicts).values()
    now = {finding_id(scope, each.rule, bound_resource(each.resource)): each for each in named}
    undecided = _undecided_rules(scope.subject, now)
    bad = {name for name, verdict in now.items() if verdict.status in BAD}
    return {
        name: fingerprint(get_material(now[name])) if name in bad else None
        for name in former
        if name in now or stored[name].rule not in undecided
    }


def is_bad(finding: Finding) -> bool:
    """Whether the finding is not resolved."""
    return finding.status is not FindingStatus.RESOLVED


def apply_transitions(stored: Findings, steps: Iterable[Transition]) -> dict[str, Finding]:
    """Return the findings after the transitions."""
    lasting = (step.finding for step in steps if step.is_lasting)
    return {**stored, **{finding.id: finding for finding in lasting}}


def _by_subject(verdicts: Iterable[Verdict]) -> dict[_Subject, Verdict]:
    """Bound the bad verdicts; of several by one rule on one resource, keep the worst.

    Of the others, which are most, only the status counts.
    """
    worst: dict[_Subject, Verdict] = {}
    for each in verdicts:
        verdict = bound_verdict(each) if each.status in BAD else each
        subject = _get_subject(verdict.rule, bound_resource(verdict.resource))
        known = worst.get(subject)
        worst[subject] = min(known, verdict, key=_badness) if known else verdict
    return worst


def _get_subject(rule: str, resource: str) -> _Subject:
    return first_rule_id(rule), resource


def _badness(verdict: Verdict) -> tuple[int, int, str]:
    return WORST_FIRST.index(verdict.status), verdict.severity.rank, verdict.summary


def _find_reason(finding: Finding, verdict: Verdict | None, subject: str) -> str:
    if verdict and verdict.status is Status.NOT_APPLICABLE:
        return NO_LONGER_APPLIES
    if finding.status is FindingStatus.UNKNOWN and (verdict or finding.resource == subject):
        return READABLE_AGAIN
    return REPAIRED if verdict else RESOURCE_GONE


def _undecided_rules(subject: str, now: Mapping[Any, Verdict]) -> frozenset[str]:
    """Return the rules that could not be decided for the scope as a whole."""
    return frozenset(
        verdict.rule
        for verdict in now.values()
        if verdict.status is Status.UNKNOWN and verdict.resource == subject
    )


def _differs(before: Finding, verdict: Verdict) -> bool:
    """Whether a bad verdict is another one, and not just worded in another way by a new version."""
    if before.verdict_digest is None:
        return get_material(before.verdict) != get_material(verdict)
    if before.severity is not verdict.severity:
        return True
    return before.verdict_digest not in {"", fingerprint(get_material(verdict))}


def get_material(verdict: Verdict) -> tuple[object, ...]:
    """Return what counts as a difference of bad verdicts: neither the order of facts nor concerns.

    The remediation does not count: a stored one is proven, which a new verdict's is not yet.
    """
    facts = ((fact.text, tuple(sorted(fact.record.items()))) for fact in verdict.evidence)
    return verdict.status, verdict.severity, verdict.summary, tuple(sorted(facts))


def _order(step: Transition) -> tuple[int, int, str, str]:
    finding = step.finding
    return (
        list(Step).index(step.step),
        finding.severity.rank,
        finding.rule,
        finding.resource,
    )
