"""The alert as a person reads it: what, where, who, since when, why it matters, how to fix it."""

from __future__ import annotations

from collections.abc import Iterator

from posture.alerts.briefing import Briefing, count, told_counts
from posture.alerts.formatting import command_lines, label, line, moment
from posture.alerts.impact import impacts
from posture.model.finding import Cause, Finding, FindingStatus, Step, Transition

SENTENCE = 600  # characters, as are all lengths here
FACT = 300
COMMAND = 4_000
FACTS = 8


def text(briefing: Briefing) -> str:
    """Give the body of the mail, in plain text."""
    return "\n".join(_lines(briefing)) + "\n"


def _lines(briefing: Briefing) -> Iterator[str]:
    yield from _head(briefing)
    number = 0
    fixes: dict[str, int] = {}
    for cause, steps in briefing.by_cause().items():
        yield ""
        yield from _cause(cause)
        for impact in impacts(steps):
            yield f"IMPACT: {line(impact.told, SENTENCE)}"
        told: dict[tuple[object, ...], int] = {}
        for step in steps:
            number += 1
            yield ""
            like = told.setdefault(_alike(number, step), number)
            if like == number:
                yield from _finding(number, step, briefing.title(step.finding.rule), fixes)
            else:
                yield from _another(number, step, like)
    if briefing.omitted:
        yield ""
        yield f"And {count(briefing.omitted)} more, counted above. See them all with"
        yield f"  {more(briefing)}"
    yield from _why(briefing)


def more(briefing: Briefing) -> str:
    """Give the command that shows everything of the scope."""
    return f"posture findings --scope {line(str(briefing.scope), FACT)}"


def _head(briefing: Briefing) -> Iterator[str]:
    scope = briefing.scope
    yield f"{told_counts(briefing.counts)} in {line(scope.subject, FACT)}"
    yield f"Account {scope.account}, region {line(scope.region, FACT)}"
    yield f"Observed {moment(briefing.observed_at)}"
    if briefing.parts > 1:
        yield f"Part {briefing.part} of {briefing.parts}: the others come as alerts of their own"


def _cause(cause: Cause | None) -> Iterator[str]:
    if cause is None:
        yield "CAUSE: no change is known; the state was found by looking"
        return
    told = cause.source_ip and cause.source_ip not in cause.actor  # a service acts from its name
    source = f" from {line(cause.source_ip, FACT)}" if told else ""
    yield f"CAUSE: {line(cause.event_name, FACT)} at {moment(cause.time)}"
    yield f"  by {line(cause.actor, FACT)}{source}"
    yield f"  CloudTrail event {line(cause.event_id, FACT)}"


def _finding(number: int, step: Transition, title: str, fixes: dict[str, int]) -> Iterator[str]:
    finding = step.finding
    yield f"{number}. {_what(step)}: {line(title, FACT)}, {line(finding.resource, FACT)}"
    was = "Was: " if step.step is Step.RESOLVED else ""
    yield f"  {was}{line(finding.verdict.summary, SENTENCE)}"
    yield f"  Since {moment(finding.opened_at)}{_until(step)}"
    if step.step is not Step.RESOLVED:
        yield from _evidence(finding)
        yield from _fix(number, finding, fixes)
    yield f"  Finding {finding.id}, version {finding.version}, rule {line(finding.rule, FACT)}"


def _what(step: Transition) -> str:
    """Say what happened, as in `[HIGH] opened` or `[RESOLVED] repaired`."""
    if step.step is Step.RESOLVED:
        return f"[{label(step)}] {line(step.reason, FACT) or 'no longer so'}"
    ending = f" ({line(step.reason, FACT)})" if step.reason else ""
    return f"[{label(step)}] {step.step}{ending}"


def _alike(number: int, step: Transition) -> tuple[object, ...]:
    """Give what findings share that need be told in full only once; nothing without a root."""
    verdict = step.finding.verdict
    if not verdict.root:
        return (number,)
    return verdict.rule, verdict.root, step.step, step.finding.severity, verdict.remediation


def _another(number: int, step: Transition, like: int) -> Iterator[str]:
    finding = step.finding
    yield f"{number}. {_what(step)}: {line(finding.resource, FACT)}, as {like}."
    yield f"  {line(finding.verdict.summary, SENTENCE)}"
    yield f"  Finding {finding.id}, version {finding.version}"


def _until(step: Transition) -> str:
    if step.step is Step.RESOLVED:
        return f" until {moment(step.finding.updated_at)}"
    unknown = step.finding.status is FindingStatus.UNKNOWN
    return " (cannot be judged at present, which is not a pass)" if unknown else ""


def _evidence(finding: Finding) -> Iterator[str]:
    evidence = finding.verdict.evidence
    if evidence:
        yield "  Evidence:"
    for fact in evidence[:FACTS]:
        yield f"    - {line(fact.text, FACT)}"
    if len(evidence) > FACTS:
        yield f"    - and {count(len(evidence) - FACTS, 'fact')} more, kept with the finding"


def _fix(number: int, finding: Finding, fixes: dict[str, int]) -> Iterator[str]:
    """Tell the fix; a command that has been told already is that of the finding's number."""
    remediation = finding.verdict.remediation
    if remediation is None:
        return
    told = fixes.setdefault(remediation.command, number) if remediation.command else number
    if told != number:
        yield f"  Fix: as {told}."
        return
    yield f"  Fix: {line(remediation.text, SENTENCE)}"
    for each in command_lines(remediation.command, COMMAND):
        yield f"    {each}"


def _why(briefing: Briefing) -> Iterator[str]:
    """Say each rule's reason once, however many findings it has."""
    speaking = dict.fromkeys(
        step.finding.rule for step in briefing.told if step.step is not Step.RESOLVED
    )
    known = [briefing.rules[rule] for rule in speaking if rule in briefing.rules]
    if known:
        yield ""
        yield "WHY IT MATTERS"
    for rule in known:
        yield f"  {line(rule.title, FACT)}"
        yield f"    {line(rule.rationale, SENTENCE)}"
