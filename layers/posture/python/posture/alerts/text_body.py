"""The e-mail text of an alert: problem, location, cause, time, evidence, fix and rationale."""

from __future__ import annotations

from collections.abc import Iterator

from posture.alerts.alert import Alert, build_list_command, format_count, format_counts
from posture.alerts.attributions import describe_attribution, describe_cause
from posture.alerts.console import link_event, link_resource
from posture.alerts.formatting import (
    format_command,
    format_label,
    format_line,
    format_named,
    format_time,
)
from posture.alerts.impact import group_impacts
from posture.alerts.titles import format_title
from posture.model.finding import (
    REPAIRED,
    Attribution,
    Cause,
    CauseKind,
    Finding,
    FindingStatus,
    Step,
    Transition,
)

# Limits in characters, and the number of facts that a finding shows.
SENTENCE = 600
FACT = 300
COMMAND = 4_000
MAX_FACTS = 8

OVER = {Step.RESOLVED, Step.TRANSIENT}  # what it reports is no longer so
HOW = {Step.TRANSIENT: "put back"}

UNKNOWN_CAUSE = "unknown (no CloudTrail event matches; usually found by the scheduled sweep)"


def format_text(alert: Alert) -> str:
    """Format the body of the e-mail in plain text."""
    return "\n".join(_lines(alert)) + "\n"


def _lines(alert: Alert) -> Iterator[str]:
    yield from _head(alert)
    number = 0
    fixes: dict[str, int] = {}  # the number of the finding that shows a command
    for cause, steps in alert.by_cause().items():
        yield ""
        yield from _cause(cause, alert.scope.region)
        for impact in group_impacts(steps):
            yield f"IMPACT: {format_line(impact.description, SENTENCE)}"
        shown: dict[tuple[object, ...], int] = {}
        for step in steps:
            number += 1
            yield ""
            first = shown.setdefault(_shared_key(number, step), number)
            if first == number:
                title = format_title(alert.rules, step.finding)
                yield from _finding(number, step, title, fixes)
            else:
                yield from _repeated(number, step, first)
    if alert.omitted:
        yield ""
        yield f"{format_count(alert.omitted)} not shown here. List all findings with"
        yield f"  {list_scope_command(alert)}"
    yield from _why(alert)
    if alert.rows:
        # A reader who keeps this message can prove that the history up to here was not rewritten.
        yield ""
        yield f"History: row {alert.rows} of this scope has the digest {alert.row_digest}"


def list_scope_command(alert: Alert) -> str:
    """Build the command that lists all findings of the scope."""
    scope = format_line(str(alert.scope), FACT)
    return build_list_command(alert.scope.region, alert.stack, f"--scope {scope}")


def _head(alert: Alert) -> Iterator[str]:
    scope = alert.scope
    subject = format_named(scope.subject, alert.names.subject, FACT)
    account = format_named(scope.account, alert.names.account, FACT)
    yield f"{format_counts(alert.transitions)} in {subject}"
    yield f"Account {account}, Region {format_line(scope.region, FACT)}"
    yield from _link(link_resource(scope, scope.subject), "")
    yield f"Observed {format_time(alert.observed_at)}"
    if alert.parts > 1:
        yield f"Part {alert.part} of {alert.parts}: the other parts are separate alerts"


def _cause(attribution: Attribution, region: str) -> Iterator[str]:
    cause = attribution.cause
    if cause:
        yield f"CAUSE: {format_line(cause.event_name, FACT)} at {format_time(cause.time)}"
        if cause.actor:
            yield f"  by {format_line(_describe_actor(cause), 2 * FACT)}"
        yield from _source(cause, region)
    elif attribution.candidates:
        yield "CAUSE: not known for certain; each of these can have caused it"
        for each in attribution.candidates:
            yield f"  {format_line(describe_cause(each), 2 * FACT)}"
    else:
        yield f"CAUSE: {UNKNOWN_CAUSE}"


def _describe_actor(cause: Cause) -> str:
    """Describe who it was and from where; an AWS service is the source of its own calls."""
    identity = f" ({cause.identity})" if cause.identity else ""
    named = cause.source_ip and cause.source_ip not in cause.actor
    return f"{cause.actor}{identity}{f' from {cause.source_ip}' if named else ''}"


def _source(cause: Cause, region: str) -> Iterator[str]:
    """Say where more is recorded of a cause."""
    name = format_line(cause.event_id, FACT)
    if cause.kind is CauseKind.CALL:
        yield f"  CloudTrail event {name}"
        yield from _link(link_event(region, cause.event_id), "  ")
    elif cause.kind is CauseKind.BASELINE:
        yield f"  Baseline version {name}"
    elif cause.kind is CauseKind.UPGRADE:
        yield "  A new version of the monitor evaluates otherwise"
    elif cause.kind is CauseKind.SHARED_NETWORK:
        yield "  A hosted zone, Resolver rule, Route 53 Profile, transit gateway, peering"
        yield "  connection or central VPC changed; this is when the monitor read it"
    elif name:
        yield f"  Waiver {name}"


def _finding(number: int, step: Transition, title: str, fixes: dict[str, int]) -> Iterator[str]:
    finding = step.finding
    resource = format_line(finding.resource, FACT)
    yield f"{number}. {_what(step)}: {format_line(title, FACT)}, {resource}"
    was = "Previously: " if step.step in OVER else ""
    yield f"  {was}{format_line(finding.verdict.summary, SENTENCE)}"
    yield f"  Since {format_time(finding.opened_at)}{_until(step)}"
    yield from _opened_and_resolved(step)
    if step.step not in {Step.RESOLVED, Step.AMENDED}:
        yield from _evidence(finding)
        yield from _fix(number, finding, fixes)
    if finding.resource != finding.scope.subject:
        yield from _link(link_resource(finding.scope, finding.resource), "  ")
    rule = format_line(finding.rule, FACT)
    version = f", version {finding.version}" if finding.version else ""
    yield f"  Finding {finding.id}{version}, rule {rule}"


def _link(address: str, indent: str) -> Iterator[str]:
    if address:
        yield f"{indent}Console: {address}"


def _opened_and_resolved(step: Transition) -> Iterator[str]:
    """Say who had opened a finding and who resolved it, where the alert's cause does not."""
    finding = step.finding
    if step.step in OVER:
        yield _by("It had been opened", finding.opened_by)
        how = HOW.get(step.step) or ("repaired" if step.reason == REPAIRED else "resolved")
        yield _by(f"It was {how}", finding.resolved_by or finding.caused_by)
    elif finding.caused_by != finding.opened_by or step.step is Step.AMENDED:
        yield _by("It was opened", finding.opened_by)
    if step.step is Step.AMENDED and finding.resolved_by:
        yield _by("It was resolved", finding.resolved_by)


def _by(happened: str, attribution: Attribution) -> str:
    """Say who did it, as far as it is known."""
    if not attribution.possible:
        return f"  {happened}; by whom is not known"
    return f"  {happened} by {format_line(describe_attribution(attribution), FACT)}"


def _what(step: Transition) -> str:
    """Format the label and the step, as in `[HIGH] opened` or `[RESOLVED, HIGH] repaired`."""
    if step.step in {Step.RESOLVED, Step.AMENDED}:
        return f"[{format_label(step)}] {format_line(step.reason, FACT) or step.step}"
    ending = f" ({format_line(step.reason, FACT)})" if step.reason else ""
    return f"[{format_label(step)}] {step.step}{ending}"


def _shared_key(number: int, step: Transition) -> tuple[object, ...]:
    """Return what makes a finding a repetition; without a root cause it is none."""
    verdict = step.finding.verdict
    if not verdict.root:
        return (number,)
    return verdict.rule, verdict.root, step.step, step.finding.severity, verdict.remediation


def _repeated(number: int, step: Transition, first: int) -> Iterator[str]:
    finding = step.finding
    yield f"{number}. {_what(step)}: {format_line(finding.resource, FACT)}, same as finding {first}"
    yield f"  {format_line(finding.verdict.summary, SENTENCE)}"
    yield f"  Finding {finding.id}, version {finding.version}"


def _until(step: Transition) -> str:
    if step.step in OVER:
        return f" until {format_time(step.finding.updated_at)}"
    unknown = step.finding.status is FindingStatus.UNKNOWN
    return " (status unknown: not evaluated, which is not a pass)" if unknown else ""


def _evidence(finding: Finding) -> Iterator[str]:
    evidence = finding.verdict.evidence
    if evidence:
        yield "  Evidence:"
    for fact in evidence[:MAX_FACTS]:
        yield f"    - {format_line(fact.text, SENTENCE)}"
    if len(evidence) > MAX_FACTS:
        yield f"    - and {len(evidence) - MAX_FACTS} more, stored with the finding"


def _fix(number: int, finding: Finding, fixes: dict[str, int]) -> Iterator[str]:
    """Show the fix, or the number of the finding that shows the same command."""
    remediation = finding.verdict.remediation
    if remediation is None:
        return
    first = fixes.setdefault(remediation.command, number) if remediation.command else number
    if first != number:
        yield f"  Fix: same as finding {first}"
        return
    yield f"  Fix: {format_line(remediation.text, SENTENCE)}"
    for each in format_command(remediation.command, COMMAND):
        yield f"    {each}"
    if remediation.verified:
        yield f"    Verified: {format_line(remediation.verified, SENTENCE)}"


def _why(alert: Alert) -> Iterator[str]:
    """Show each rule's rationale once, however many findings it has."""
    failing = dict.fromkeys(
        step.finding.rule for step in alert.shown if step.step is not Step.RESOLVED
    )
    known = [alert.rules[rule] for rule in failing if rule in alert.rules]
    if known:
        yield ""
        yield "WHY IT MATTERS"
    for rule in known:
        yield f"  {format_line(rule.title, FACT)}"
        yield f"    {format_line(rule.rationale, SENTENCE)}"
