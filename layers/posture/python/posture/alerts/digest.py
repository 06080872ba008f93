"""Many commits at once become few messages: one a severity, cut where SNS's limit wants it.

In a storm a message a commit is a thousand messages that nobody reads. A digest counts for people
(by rule, by cause, by VPC) and names for machines every single transition with its version, so
that nothing is lost; evidence and remedy of each stay with the finding. A digest holds one
severity, so whoever subscribed to one gets all of it and nothing else.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from posture.alerts.alert import NAME, RULES, format_count, format_counts, sort_worst_first
from posture.alerts.formatting import format_ascii_line, format_line, format_time
from posture.alerts.json_body import SCHEMA
from posture.alerts.message import Message, build_attributes
from posture.alerts.rule_texts import RuleTexts
from posture.alerts.subject import LIMIT as SUBJECT
from posture.lifecycle.bounds import truncate
from posture.model.finding import Cause, FindingStatus, Step, Transition
from posture.model.instant import format_iso
from posture.model.scope import Scope
from posture.model.verdict import Severity

ROOM = 200_000  # bytes of a message for its transitions; its text and frame fit beside them
TOP = 20  # rules and causes that people are told by name
PLACES = 60  # VPCs that people are told by name
FACT = 300

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Digest:
    """The transitions of one severity that one message tells; `part` from 1 of `parts`."""

    severity: Severity
    transitions: tuple[Transition, ...]
    part: int
    parts: int
    rules: RuleTexts

    @property
    def counts(self) -> dict[str, int]:
        """How many transitions there are of each step, in the order of a life."""
        steps = Counter(step.step for step in self.transitions)
        return {step.value: steps[step] for step in Step if steps[step]}

    @property
    def scopes(self) -> dict[Scope, list[Transition]]:
        """The transitions of each scope, the worst scope first."""
        scopes: dict[Scope, list[Transition]] = {}
        for step in self.transitions:
            scopes.setdefault(step.finding.scope, []).append(step)
        return dict(sorted(scopes.items(), key=lambda each: (-len(each[1]), str(each[0]))))


def compose_digests(transitions: Iterable[Transition], rules: RuleTexts) -> tuple[Message, ...]:
    """Make the messages that tell the transitions of many commits, the worst severity first."""
    by_severity: dict[Severity, list[Transition]] = {}
    for step in sort_worst_first(transitions):
        by_severity.setdefault(step.finding.severity, []).append(step)
    return tuple(
        _message(digest)
        for severity in sorted(by_severity, key=lambda each: each.rank)
        for digest in _parts(severity, by_severity[severity], rules)
    )


def _parts(severity: Severity, steps: Sequence[Transition], rules: RuleTexts) -> Iterator[Digest]:
    chunks: list[list[Transition]] = [[]]
    size = 0
    for step in steps:
        weight = _weight(step)
        if chunks[-1] and size + weight > ROOM:
            chunks.append([])
            size = 0
        chunks[-1].append(step)
        size += weight
    for part, chunk in enumerate(chunks, 1):
        yield Digest(severity, tuple(chunk), part, len(chunks), rules)


def _weight(step: Transition) -> int:
    """Give the bytes of a transition in a message: JSON within JSON, its scope as an attribute."""
    return len(json.dumps(json.dumps(_reference(step)))) + len(step.finding.scope.subject) + 8


def _message(digest: Digest) -> Message:
    filters = _filterable(digest)
    return Message(
        subject=_subject(digest),
        text="\n".join(_lines(digest)) + "\n",
        json=json.dumps({"schema": SCHEMA, "kind": "digest", **filters, **_told(digest)}),
        attributes=build_attributes(filters),
    )


def _filterable(digest: Digest) -> dict[str, str | list[str]]:
    """Give what subscribers filter by, as single alerts have it; places are lists here."""
    scopes = digest.scopes
    statuses = {step.finding.status for step in digest.transitions}
    rules = Counter(truncate(step.finding.rule, NAME) for step in digest.transitions)
    return {
        "severity": digest.severity.value,
        "severities": [digest.severity.value],
        "status": [status.value for status in FindingStatus if status in statuses],
        "steps": list(digest.counts),
        "account": sorted({format_line(each.account, NAME) for each in scopes}),
        "region": sorted({format_line(each.region, NAME) for each in scopes}),
        "vpc": [format_line(each.subject, NAME) for each in scopes],
        "rules": [rule for rule, _ in rules.most_common(RULES)],
    }


def _told(digest: Digest) -> Json:
    return {
        "part": digest.part,
        "parts": digest.parts,
        "counts": digest.counts,
        "causes": len({step.finding.cause for step in digest.transitions if step.finding.cause}),
        "findings": [_reference(step) for step in digest.transitions],
        "more": _more(digest),
    }


def _reference(step: Transition) -> Json:
    """Name one transition, so that a program finds all the rest by its key."""
    finding = step.finding
    return {
        "id": finding.id,
        "version": finding.version,
        "step": step.step.value,
        "status": finding.status.value,
        "scope": str(finding.scope),
        "rule": finding.rule,
        "resource": finding.resource,
        "updated_at": format_iso(finding.updated_at),
        "cause": finding.cause.event_id if finding.cause else None,
    }


def _subject(digest: Digest) -> str:
    """Give the subject in ASCII, as in `[HIGH] Digest: 4000 findings opened in 1000 VPCs, 1/3`."""
    bad = any(step.step is not Step.RESOLVED for step in digest.transitions)
    label = digest.severity.upper() if bad else f"RESOLVED, {digest.severity.upper()}"
    part = f", part {digest.part}/{digest.parts}" if digest.parts > 1 else ""
    places = format_count(len(digest.scopes), "VPC")
    return format_ascii_line(
        f"[{label}] Digest: {format_counts(digest.counts)} in {places}{part}", SUBJECT
    )


def _lines(digest: Digest) -> Iterator[str]:
    times = [step.finding.updated_at for step in digest.transitions]
    scopes = digest.scopes
    yield f"{format_counts(digest.counts)} in {format_count(len(scopes), 'VPC')}, severity {digest.severity}"
    yield f"Observed {format_time(min(times))} to {format_time(max(times))}"
    if digest.parts > 1:
        yield f"Part {digest.part} of {digest.parts}"
    yield "So much happened at once that it is told together; each finding is kept in full."
    yield from _table("BY RULE", Counter(_title(digest, step) for step in digest.transitions))
    yield from _table(
        "BY CAUSE", Counter(_cause(step.finding.cause) for step in digest.transitions)
    )
    yield ""
    yield "WHERE"
    for scope, steps in list(scopes.items())[:PLACES]:
        told = format_counts({each.value: n for each, n in _steps(steps).items()})
        yield f"  {format_line(str(scope), FACT)}: {told}"
    if len(scopes) > PLACES:
        yield f"  and {format_count(len(scopes) - PLACES, 'VPC')} more"
    yield ""
    yield "See them all with"
    yield f"  {_more(digest)}"


def _table(heading: str, counted: Counter[str]) -> Iterator[str]:
    yield ""
    yield heading
    for name, number in counted.most_common(TOP):
        yield f"  {number:6}  {name}"
    if len(counted) > TOP:
        yield f"  and {len(counted) - TOP} more"


def _title(digest: Digest, step: Transition) -> str:
    rule = step.finding.rule
    title = digest.rules[rule].title if rule in digest.rules else rule
    return f"{step.step}: {format_line(title, FACT)}"


def _cause(cause: Cause | None) -> str:
    if cause is None:
        return "no change is known; found by looking"
    return f"{format_line(cause.event_name, FACT)} by {format_line(cause.actor, FACT)}"


def _steps(steps: Sequence[Transition]) -> dict[Step, int]:
    counted = Counter(each.step for each in steps)
    return {step: counted[step] for step in Step if counted[step]}


def _more(digest: Digest) -> str:
    return f"posture findings --severity {digest.severity}"
