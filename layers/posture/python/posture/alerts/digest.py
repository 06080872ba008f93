"""Digests: one message for each severity, in place of one for each commit.

One message for each of a thousand commits would not be read. The text of a digest counts
transitions by rule, cause and VPC; its JSON lists every transition with its version. Evidence and
remediation are stored with each finding. A digest holds one severity, so that subscribers to a
severity get exactly the findings of that severity.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from posture.alerts.alert import (
    DEFAULT_STACK,
    MAX_NAME,
    build_filters,
    count_steps,
    format_count,
    format_counts,
    sort_worst_first,
)
from posture.alerts.attributions import (
    build_attribution_record,
    build_cause_record,
    name_attribution,
)
from posture.alerts.chat import build_notification, plain
from posture.alerts.formatting import format_ascii_line, format_line, format_named, format_time
from posture.alerts.json_body import SCHEMA, build_reference
from posture.alerts.message import Message, build_attributes
from posture.alerts.rule_texts import RuleTexts
from posture.alerts.subject import LIMIT as SUBJECT
from posture.alerts.text_body import UNKNOWN_CAUSE
from posture.alerts.titles import format_title
from posture.lean_dataclass import dataclass
from posture.model.finding import Attribution, Cause, Step, Transition
from posture.model.instant import format_iso
from posture.model.scope import Scope
from posture.model.verdict import Severity

MAX_BYTES = 200_000  # of a message's transitions, which leaves space for its text
MAX_ROWS = 20  # rules and causes that the text lists
MAX_CHAT_ROWS = 10  # rules and VPCs that a chat message lists
MAX_SCOPES = 60  # VPCs that the text lists
FACT = 300
# The largest end of a history, so that what a part holds does not depend on what is known of it.
LARGEST_END = (10**9, "0" * 64)
LISTS = {"account": "accounts", "region": "regions", "vpc": "vpcs"}  # fields that are lists here

HistoryEnd = tuple[int, str]  # the number of rows of a scope, and the digest of the last one


@dataclass(frozen=True, slots=True)
class Digest:
    """The transitions of one severity in one message, `part` (from 1) of `parts`.

    `batch` names all transitions that were reported together.
    """

    severity: Severity
    transitions: tuple[Transition, ...]
    part: int
    parts: int
    rules: RuleTexts
    batch: str = ""
    stack: str = DEFAULT_STACK

    @property
    def name(self) -> str:
        """The name of the digest, as in `d-0123456789abcdef.high.1`."""
        return f"{self.batch}.{self.severity}.{self.part}"

    @property
    def scopes(self) -> dict[Scope, list[Transition]]:
        """The transitions by scope, the scope with the most first."""
        scopes: dict[Scope, list[Transition]] = {}
        for step in self.transitions:
            scopes.setdefault(step.finding.scope, []).append(step)
        return dict(sorted(scopes.items(), key=lambda each: (-len(each[1]), str(each[0]))))


def compose_digests(
    transitions: Iterable[Transition],
    rules: RuleTexts,
    stack: str = DEFAULT_STACK,
    *,
    chat: bool = False,
    ends: Mapping[Scope, HistoryEnd] | None = None,
) -> tuple[Message, ...]:
    """Compose the digests of many commits' transitions, the worst severity first.

    Args:
        transitions: The transitions of all commits, at least one.
        rules: The titles of the rules, by id.
        stack: The name of the monitor's stack, for the commands.
        chat: Whether HTTPS subscribers receive the form that Amazon Q Developer shows in chat.
        ends: Where the history of each scope ended, as far as it is known. A reader who keeps the
            message can later prove that the rows were neither altered nor removed.
    """
    digests = split_into_digests(transitions, rules)
    return tuple(
        _message(replace(digest, stack=stack), ends or {}, chat=chat) for digest in digests
    )


def split_into_digests(transitions: Iterable[Transition], rules: RuleTexts) -> tuple[Digest, ...]:
    """Split transitions into digests: the same transitions, in any order, into the same ones."""
    by_severity: dict[Severity, list[Transition]] = {}
    steps = sort_worst_first(sorted(transitions, key=_reference_key))
    for step in steps:
        by_severity.setdefault(step.finding.severity, []).append(step)
    batch = name_batch(steps)
    return tuple(
        replace(digest, batch=batch)
        for severity in sorted(by_severity, key=lambda each: each.rank)
        for digest in _parts(severity, by_severity[severity], rules)
    )


def name_batch(transitions: Iterable[Transition]) -> str:
    """Name the transitions that are reported together: a digest of their ids and versions."""
    keys = sorted("#".join(map(str, _reference_key(step))) for step in transitions)
    return f"d-{hashlib.sha256(chr(10).join(keys).encode('utf-8', 'replace')).hexdigest()[:16]}"


def _reference_key(step: Transition) -> tuple[str, str, int, str, str]:
    finding = step.finding
    updated_at = format_iso(finding.updated_at)
    return str(finding.scope), finding.id, finding.version, updated_at, step.step.value


def _parts(severity: Severity, steps: Sequence[Transition], rules: RuleTexts) -> Iterator[Digest]:
    chunks: list[list[Transition]] = [[]]
    shared: set[Cause | Scope] = set()  # of the last chunk, which names each once
    size = 0
    for step in steps:
        weight = _weigh(_reference(step)) + len(step.finding.scope.subject) + 8
        weights: dict[Cause | Scope, int] = {
            step.finding.scope: _weigh(_format_end(step.finding.scope, LARGEST_END))
        }
        if cause := step.finding.cause:
            weights[cause] = _weigh(build_cause_record(cause))
        added = sum(bytes_ for each, bytes_ in weights.items() if each not in shared)
        if chunks[-1] and size + weight + added > MAX_BYTES:
            chunks.append([])
            shared.clear()
            added = sum(weights.values())
            size = 0
        chunks[-1].append(step)
        size += weight + added
        shared |= weights.keys()
    for part, chunk in enumerate(chunks, 1):
        yield Digest(severity, tuple(chunk), part, len(chunks), rules)


def _weigh(record: Mapping[str, Any]) -> int:
    """Return the bytes that a record takes as JSON within JSON."""
    return len(json.dumps(json.dumps(record)))


def _format_end(scope: Scope, end: HistoryEnd) -> dict[str, Any]:
    rows, digest = end
    return {"scope": str(scope), "rows": rows, "digest": digest}


def _message(digest: Digest, ends: Mapping[Scope, HistoryEnd], *, chat: bool) -> Message:
    scopes = digest.scopes
    location: dict[str, str | list[str]] = {
        "account": sorted({format_line(each.account, MAX_NAME) for each in scopes}),
        "region": sorted({format_line(each.region, MAX_NAME) for each in scopes}),
        "vpc": [format_line(each.subject, MAX_NAME) for each in scopes],
    }
    filters = build_filters(digest.transitions, location)
    body = {
        "schema": SCHEMA,
        "kind": "digest",
        "digest": digest.name,
        **{LISTS.get(name, name): value for name, value in filters.items()},
        "part": digest.part,
        "parts": digest.parts,
        "counts": count_steps(digest.transitions),
        "causes": [build_cause_record(each) for each in _list_causes(digest.transitions)],
        "findings": [_reference(step) for step in digest.transitions],
        "histories": [_format_end(each, ends[each]) for each in scopes if each in ends],
        "more": _more(digest),
    }
    subject = _subject(digest)
    return Message(
        subject=subject,
        text="\n".join(_lines(digest)) + "\n",
        json=json.dumps(body),
        attributes=build_attributes(filters),
        chat=_chat(digest, subject) if chat else "",
    )


def _chat(digest: Digest, subject: str) -> str:
    scopes = list(digest.scopes.values())
    rules = Counter(_title(digest, step) for step in digest.transitions)
    lines = [f"• {number} {plain(title)}" for title, number in rules.most_common(MAX_CHAT_ROWS)]
    lines += [f"{plain(_name(it))}: {format_counts(it)}" for it in scopes[:MAX_CHAT_ROWS]]
    if len(scopes) > MAX_CHAT_ROWS:
        lines.append(f"and {len(scopes) - MAX_CHAT_ROWS} more VPCs")
    steps = [f"List them all: `{_more(digest)}`"]
    return build_notification(subject, lines, next_steps=steps, thread=digest.name)


def _name(steps: Sequence[Transition]) -> str:
    """Name a scope with the names of its VPC and account."""
    finding = steps[0].finding
    scope, names = finding.scope, finding.names
    account = format_named(scope.account, names.account, FACT)
    return f"{account} {scope.region} {format_named(scope.subject, names.subject, FACT)}"


def _reference(step: Transition) -> dict[str, Any]:
    finding = step.finding
    resolved_by = finding.resolved_by
    return {
        **build_reference(step),
        "scope": str(finding.scope),
        "opened_by": build_attribution_record(finding.opened_by),
        "resolved_by": build_attribution_record(resolved_by) if resolved_by else None,
    }


def _subject(digest: Digest) -> str:
    """Format the subject, as in `[HIGH] Digest: 4000 findings opened in 1000 VPCs, part 1/3`."""
    bad = any(step.step is not Step.RESOLVED for step in digest.transitions)
    label = digest.severity.upper() if bad else f"RESOLVED, {digest.severity.upper()}"
    part = f", part {digest.part}/{digest.parts}" if digest.parts > 1 else ""
    vpcs = format_count(len(digest.scopes), "VPC")
    return format_ascii_line(
        f"[{label}] Digest: {format_counts(digest.transitions)} in {vpcs}{part}", SUBJECT
    )


def _lines(digest: Digest) -> Iterator[str]:
    times = [step.finding.updated_at for step in digest.transitions]
    scopes = digest.scopes
    vpcs = format_count(len(scopes), "VPC")
    yield f"{format_counts(digest.transitions)} in {vpcs}, severity {digest.severity}"
    yield f"Observed {format_time(min(times))} to {format_time(max(times))}"
    if digest.parts > 1:
        yield f"Part {digest.part} of {digest.parts}"
    yield "Many findings changed at once. This digest replaces their single alerts."
    yield from _table("BY RULE", Counter(_title(digest, step) for step in digest.transitions))
    yield from _table(
        "BY CAUSE", Counter(_cause(step.finding.caused_by) for step in digest.transitions)
    )
    yield ""
    yield "BY VPC"
    for steps in list(scopes.values())[:MAX_SCOPES]:
        yield f"  {_name(steps)}: {format_counts(steps)}"
    if len(scopes) > MAX_SCOPES:
        yield f"  and {len(scopes) - MAX_SCOPES} more"
    yield ""
    yield "List them all with"
    yield f"  {_more(digest)}"


def _table(heading: str, counted: Counter[str]) -> Iterator[str]:
    yield ""
    yield heading
    for name, number in counted.most_common(MAX_ROWS):
        yield f"  {number:6}  {name}"
    if len(counted) > MAX_ROWS:
        yield f"  and {len(counted) - MAX_ROWS} more"


def _title(digest: Digest, step: Transition) -> str:
    return f"{step.step}: {format_line(format_title(digest.rules, step.finding), FACT)}"


def _cause(attribution: Attribution) -> str:
    cause = attribution.cause
    if cause and cause.actor:
        return f"{format_line(cause.event_name, FACT)} by {format_line(cause.actor, FACT)}"
    if attribution.possible:
        return format_line(name_attribution(attribution), FACT)
    return UNKNOWN_CAUSE


def _list_causes(transitions: Iterable[Transition]) -> list[Cause]:
    """List the causes that are certain, each once."""
    causes = (step.finding.cause for step in transitions)
    return list(dict.fromkeys(cause for cause in causes if cause))


def _more(digest: Digest) -> str:
    """Build the command that lists what the digest counts, whatever happened since."""
    region = digest.transitions[0].finding.scope.region
    return f"posture history --digest {digest.name} --stack {digest.stack} --region {region}"
