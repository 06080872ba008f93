"""The alert as a person reads it: what, where, who, since when, why it matters, how to fix it."""

from __future__ import annotations

from collections.abc import Iterator

from posture.alerts.alert import Alert, format_count, format_counts
from posture.alerts.formatting import format_command, format_label, format_line, format_time
from posture.alerts.impact import group_impacts
from posture.model.finding import Cause, Finding, FindingStatus, Step, Transition

SENTENCE = 600  # characters, as are all lengths here
FACT = 300
COMMAND = 4_000
FACTS = 8


def format_text(alert: Alert) -> str:
    """Give the body of the mail, in plain text."""
    return "\n".join(_lines(alert)) + "\n"


def _lines(alert: Alert) -> Iterator[str]:
    yield from _head(alert)
    number = 0
    fixes: dict[str, int] = {}
    for cause, steps in alert.by_cause().items():
        yield ""
        yield from _cause(cause)
        for impact in group_impacts(steps):
            yield f"IMPACT: {format_line(impact.description, SENTENCE)}"
        told: dict[tuple[object, ...], int] = {}
        for step in steps:
            number += 1
            yield ""
            like = told.setdefault(_alike(number, step), number)
            if like == number:
                yield from _finding(number, step, alert.title(step.finding.rule), fixes)
            else:
                yield from _another(number, step, like)
    if alert.omitted:
        yield ""
        yield f"And {format_count(alert.omitted)} more, counted above. See them all with"
        yield f"  {build_list_command(alert)}"
    yield from _why(alert)


def build_list_command(alert: Alert) -> str:
    """Give the command that shows everything of the scope."""
    return f"posture findings --scope {format_line(str(alert.scope), FACT)}"


def _head(alert: Alert) -> Iterator[str]:
    scope = alert.scope
    yield f"{format_counts(alert.counts)} in {format_line(scope.subject, FACT)}"
    yield f"Account {scope.account}, region {format_line(scope.region, FACT)}"
    yield f"Observed {format_time(alert.observed_at)}"
    if alert.parts > 1:
        yield f"Part {alert.part} of {alert.parts}: the others come as alerts of their own"


def _cause(cause: Cause | None) -> Iterator[str]:
    if cause is None:
        yield "CAUSE: no change is known; the state was found by looking"
        return
    told = cause.source_ip and cause.source_ip not in cause.actor  # a service acts from its name
    source = f" from {format_line(cause.source_ip, FACT)}" if told else ""
    yield f"CAUSE: {format_line(cause.event_name, FACT)} at {format_time(cause.time)}"
    yield f"  by {format_line(cause.actor, FACT)}{source}"
    yield f"  CloudTrail event {format_line(cause.event_id, FACT)}"


def _finding(number: int, step: Transition, title: str, fixes: dict[str, int]) -> Iterator[str]:
    finding = step.finding
    yield f"{number}. {_what(step)}: {format_line(title, FACT)}, {format_line(finding.resource, FACT)}"
    was = "Was: " if step.step is Step.RESOLVED else ""
    yield f"  {was}{format_line(finding.verdict.summary, SENTENCE)}"
    yield f"  Since {format_time(finding.opened_at)}{_until(step)}"
    if step.step is not Step.RESOLVED:
        yield from _evidence(finding)
        yield from _fix(number, finding, fixes)
    yield f"  Finding {finding.id}, version {finding.version}, rule {format_line(finding.rule, FACT)}"


def _what(step: Transition) -> str:
    """Say what happened, as in `[HIGH] opened` or `[RESOLVED] repaired`."""
    if step.step is Step.RESOLVED:
        return f"[{format_label(step)}] {format_line(step.reason, FACT) or 'no longer so'}"
    ending = f" ({format_line(step.reason, FACT)})" if step.reason else ""
    return f"[{format_label(step)}] {step.step}{ending}"


def _alike(number: int, step: Transition) -> tuple[object, ...]:
    """Give what findings share that need be told in full only once; nothing without a root."""
    verdict = step.finding.verdict
    if not verdict.root:
        return (number,)
    return verdict.rule, verdict.root, step.step, step.finding.severity, verdict.remediation


def _another(number: int, step: Transition, like: int) -> Iterator[str]:
    finding = step.finding
    yield f"{number}. {_what(step)}: {format_line(finding.resource, FACT)}, as {like}."
    yield f"  {format_line(finding.verdict.summary, SENTENCE)}"
    yield f"  Finding {finding.id}, version {finding.version}"


def _until(step: Transition) -> str:
    if step.step is Step.RESOLVED:
        return f" until {format_time(step.finding.updated_at)}"
    unknown = step.finding.status is FindingStatus.UNKNOWN
    return " (cannot be judged at present, which is not a pass)" if unknown else ""


def _evidence(finding: Finding) -> Iterator[str]:
    evidence = finding.verdict.evidence
    if evidence:
        yield "  Evidence:"
    for fact in evidence[:FACTS]:
        yield f"    - {format_line(fact.text, FACT)}"
    if len(evidence) > FACTS:
        yield f"    - and {format_count(len(evidence) - FACTS, 'fact')} more, kept with the finding"


def _fix(number: int, finding: Finding, fixes: dict[str, int]) -> Iterator[str]:
    """Tell the fix; a command that has been told already is that of the finding's number."""
    remediation = finding.verdict.remediation
    if remediation is None:
        return
    told = fixes.setdefault(remediation.command, number) if remediation.command else number
    if told != number:
        yield f"  Fix: as {told}."
        return
    yield f"  Fix: {format_line(remediation.text, SENTENCE)}"
    for each in format_command(remediation.command, COMMAND):
        yield f"    {each}"


def _why(alert: Alert) -> Iterator[str]:
    """Say each rule's reason once, however many findings it has."""
    speaking = dict.fromkeys(
        step.finding.rule for step in alert.shown if step.step is not Step.RESOLVED
    )
    known = [alert.rules[rule] for rule in speaking if rule in alert.rules]
    if known:
        yield ""
        yield "WHY IT MATTERS"
    for rule in known:
        yield f"  {format_line(rule.title, FACT)}"
        yield f"    {format_line(rule.rationale, SENTENCE)}"
