"""What the report says, worked out from what the tables hold. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from posture.analysis.matrix import list_row_answers
from posture.model.finding import Finding, FindingStatus, Step, Transition
from posture.model.scope import Scope
from posture.model.verdict import Severity
from posture.rules.controls import Control
from posture.rules.rule_catalogue import RULES_BY_ID
from posture_cli.report.drawing import Drawing, draw_vpc
from posture_cli.report.outcome_colours import find_outcome_colour
from posture_cli.report.trend import (
    Band,
    Point,
    count_open,
    divide_period,
    find_median_repair_time,
    stack_bands,
)

LIFE = 10  # steps of a life that the page shows, the last ones
SEVERITIES_TOLD = 3  # in the headline
DRAWN = 40  # services of a matrix that is drawn; a larger one is a table only


@dataclass(frozen=True, slots=True)
class VpcMatrix:
    """A VPC's recorded matrix; `record` is what the monitor stored with the scope's head."""

    scope: Scope
    observed_at: datetime
    record: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class HistoryCheck:
    """What walking the chains came to."""

    chains: int
    rows: int
    faults: Sequence[str]


@dataclass(frozen=True, slots=True)
class ReportData:
    """All that a report is made from.

    Attributes:
        title: What was looked at.
        since: Where the trend begins.
        until: When everything here held.
        transitions: Everything that happened until then, of each finding in order.
        findings: What it led to.
        pictures: The matrices, where they were recorded.
        waivers: Rows of the table of waivers.
        proven: What walking the chains came to; None where nobody walked them.
    """

    title: str
    since: datetime
    until: datetime
    transitions: Sequence[Transition]
    findings: Sequence[Finding]
    pictures: Sequence[VpcMatrix] = ()
    waivers: Sequence[Mapping[str, str]] = ()
    proven: HistoryCheck | None = None


@dataclass(frozen=True, slots=True)
class ReportedFinding:
    """A finding as the page shows it."""

    finding: Finding
    title: str
    rationale: str
    controls: Sequence[Control]
    age: str
    life: Sequence[Transition]


@dataclass(frozen=True, slots=True)
class ReportedVpc:
    """A VPC as the page shows it: rows of the heat map, and the drawing unless it is too large."""

    scope: Scope
    observed_at: datetime
    services: Sequence[str]
    rows: Sequence[tuple[Mapping[str, Any], Sequence[tuple[str, Mapping[str, Any]]]]]
    drawing: Drawing | None
    private: int
    cells: int


@dataclass(frozen=True, slots=True)
class ReportedControl:
    """A control of a framework, and what speaks against it."""

    control: Control
    rules: Sequence[str]
    standing: int


@dataclass(frozen=True, slots=True)
class ReportModel:
    """The page."""

    material: ReportData
    headline: str
    tone: str
    counts: Mapping[Severity, int]
    unknown: int
    waived: int
    opened: int
    resolved: int
    repair: str
    private: int | None  # percent of subnets' ways that are private
    scopes: int
    findings: Sequence[ReportedFinding]
    trend: Sequence[Point]
    stack_bands: Sequence[Band]
    standing: int
    networks: Sequence[ReportedVpc]
    controls: Sequence[ReportedControl]
    choices: Mapping[str, Sequence[str]] = field(default_factory=dict)


def build_report_model(material: ReportData) -> ReportModel:
    """Work out everything that the page shows."""
    standing = [it for it in material.findings if it.status is not FindingStatus.RESOLVED]
    is_open = [it for it in standing if it.status is FindingStatus.OPEN]
    lives = _lives(material.transitions)
    over = [
        it
        for it in material.findings
        if it.status is FindingStatus.RESOLVED and it.updated_at >= material.since
    ]
    listed = [*sorted(standing, key=_order), *sorted(over, key=_order)]
    told = [_told(it, material.until, lives.get(it.id, ())) for it in listed]
    recent = [step for step in material.transitions if step.finding.updated_at >= material.since]
    networks = [_network(picture) for picture in material.pictures]
    cells = sum(network.cells for network in networks)
    drawn = count_open(material.transitions, divide_period(material.since, material.until))
    return ReportModel(
        material=material,
        headline=_headline(is_open),
        tone=_tone(is_open),
        counts=Counter(it.severity for it in is_open),
        unknown=sum(it.status is FindingStatus.UNKNOWN for it in standing),
        waived=sum(it.status is FindingStatus.WAIVED for it in standing),
        opened=sum(step.step is Step.OPENED for step in recent),
        resolved=sum(step.step is Step.RESOLVED for step in recent),
        repair=_span(find_median_repair_time(material.transitions, material.since)),
        private=sum(it.private for it in networks) * 100 // cells if cells else None,
        scopes=len({it.scope for it in standing}),
        findings=told,
        trend=drawn,
        bands=stack_bands(drawn),
        standing=len(standing),
        networks=networks,
        controls=list(_controls(standing)),
        choices=_choices(listed),
    )


def _headline(is_open: Sequence[Finding]) -> str:
    if not is_open:
        return "No finding is open."
    counts = Counter(it.severity for it in is_open)
    words = [f"{counts[each]} {each}" for each in Severity if counts[each]]
    if len(words) > SEVERITIES_TOLD:
        rest = len(is_open) - sum(counts[each] for each in [*filter(counts.get, Severity)][:2])
        words = [*words[:2], f"{rest} milder"]
    told = " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
    noun = "finding is" if len(is_open) == 1 else "findings are"
    networks = len({it.scope for it in is_open})
    where = "one network" if networks == 1 else f"{networks} networks"
    return f"{told} {noun} open in {where}."


def _tone(is_open: Iterable[Finding]) -> str:
    severities = {it.severity for it in is_open}
    if severities & {Severity.CRITICAL, Severity.HIGH}:
        return "bad"
    return "warn" if severities else "good"


def _lives(steps: Iterable[Transition]) -> Mapping[str, Sequence[Transition]]:
    lives: dict[str, list[Transition]] = {}
    for step in steps:
        lives.setdefault(step.finding.id, []).append(step)
    return lives


def _told(finding: Finding, until: datetime, life: Sequence[Transition]) -> ReportedFinding:
    rule = RULES_BY_ID.get(finding.rule)
    return ReportedFinding(
        finding=finding,
        title=rule.title if rule else finding.rule,
        rationale=rule.rationale if rule else "",
        controls=rule.controls if rule else (),
        age=_span(
            (finding.updated_at if finding.status is FindingStatus.RESOLVED else until)
            - finding.opened_at
        ),
        life=life[-LIFE:],
    )


def _order(finding: Finding) -> tuple[Any, ...]:
    status = list(FindingStatus).index(finding.status)
    return finding.severity.rank, status, finding.opened_at, finding.id


def _span(span: timedelta | None) -> str:
    if span is None:
        return "none yet"
    minutes = int(span.total_seconds() // 60)
    for size, unit in ((1440, "day"), (60, "hour")):
        if minutes >= size:
            number = minutes // size
            return f"{number} {unit}" if number == 1 else f"{number} {unit}s"
    return f"{minutes} min"


def _network(picture: VpcMatrix) -> ReportedVpc:
    record = picture.record
    rows = [
        (subnet, [(find_outcome_colour(it), it) for it in list_row_answers(record, subnet["id"])])
        for subnet in record["subnets"]
    ]
    tones = [tone for _, row in rows for tone, _ in row]
    drawable = bool(record["subnets"]) and len(record["services"]) <= DRAWN
    return ReportedVpc(
        scope=picture.scope,
        observed_at=picture.observed_at,
        services=[str(each["short"]) for each in record["services"]],
        rows=rows,
        drawing=draw_vpc(record) if drawable else None,
        private=tones.count("good"),
        cells=len(tones),
    )


def _controls(standing: Sequence[Finding]) -> Iterator[ReportedControl]:
    failing = Counter(it.rule for it in standing if it.status is not FindingStatus.UNKNOWN)
    by_control: dict[Control, list[str]] = {}
    for rule in RULES_BY_ID.values():
        for control in rule.controls:
            by_control.setdefault(control, []).append(rule.id)
    for control, rules in sorted(by_control.items(), key=lambda it: (it[0].framework, it[0].id)):
        yield ReportedControl(control, rules, sum(failing[each] for each in rules))


def _choices(standing: Iterable[Finding]) -> Mapping[str, Sequence[str]]:
    """Give what each filter of the page offers."""
    listed = list(standing)
    return {
        "status": [each.value for each in FindingStatus if any(it.status is each for it in listed)],
        "account": sorted({it.scope.account for it in listed}),
        "network": sorted({it.scope.subject for it in listed}),
        "rule": sorted({it.rule for it in listed}),
    }
