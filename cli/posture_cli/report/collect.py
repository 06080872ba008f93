"""Collects what the page shows of findings from their history, one scope after the other. Pure.

Only one scope's findings are objects at a time: of each finding that the page lists, a row and its
compressed details remain.
"""

from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from posture.lifecycle.diff import is_bad
from posture.model.finding import Attribution, Cause, Finding, FindingStatus, Step
from posture.model.instant import format_iso
from posture.model.scope import Region, Scope
from posture.model.verdict import Severity
from posture.store.history import keep_latest
from posture.store.items import Entry
from posture_cli.render.findings import FINDING_CSV, build_finding_record
from posture_cli.render.records import format_csv_row
from posture_cli.report.pack import DetailStore
from posture_cli.report.trend import OpenCounter, TrendPoint

LAST_STEPS = 10  # the last steps of a finding that the page shows
UNSEEN = frozenset({Step.TRANSIENT, Step.AMENDED})  # rows that change no status
# What the page filters, sorts and searches by, in the order of each row.
FIELDS = (
    "id", "severity", "status", "rule", "resource", "account", "region", "subject", "opened",
    "updated", "opened_by", "resolved_by", "summary",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ReportPeriod:
    """The time that a report is about; only if it ends now (`latest`) are matrices stored."""

    since: datetime
    until: datetime
    latest: bool = True


@dataclass(slots=True)
class PlaceCounts:
    """The unresolved findings of one account in one region."""

    scopes: int = 0
    open: Counter[Severity] = field(default_factory=Counter)
    unknown: int = 0
    waived: int = 0


@dataclass(frozen=True, slots=True)
class CollectedFindings:
    """What the page shows of the findings.

    Attributes:
        rows: A row of `FIELDS` of each listed finding, in the order of the page.
        details: The packed details of the rows, in the same order.
        places: The counts by account and region.
        failing: The rules of open and waived findings, with their numbers.
        unknown: The rules of unknown findings, with their numbers.
        affected: The number of scopes with open findings.
        opened: The number of times that a finding opened in the period.
        resolved: The number of times that one was resolved in it.
        transient: The number of times that something was bad between two observations only.
        resolution: The median time from opening to resolution in the period; None for none.
        trend: The peaks of open findings over the period.
        names: The names of VPCs, endpoint services and accounts by id, where they are known.
        begins: The time of the first row of history; None where there is none.
    """

    rows: Sequence[Sequence[str]]
    details: Sequence[str]
    places: Mapping[Region, PlaceCounts]
    failing: Mapping[str, int]
    unknown: Mapping[str, int]
    affected: int
    opened: int
    resolved: int
    transient: int
    resolution: timedelta | None
    trend: Sequence[TrendPoint]
    names: Mapping[str, str]
    begins: datetime | None


@dataclass(slots=True)
class _Life:
    """What is known of one finding so far."""

    severity: Severity | None = None  # while it is open
    steps: deque[Entry] = field(default_factory=lambda: deque(maxlen=LAST_STEPS))


class FindingCollector:
    """Collects the findings of scopes: `begin` a scope, `add` its rows, `finish` it."""

    def __init__(self, period: ReportPeriod) -> None:
        self._period = period
        self._details = DetailStore()
        self._listed: list[tuple[tuple[Any, ...], int, tuple[str, ...]]] = []
        self._places: dict[Region, PlaceCounts] = {}
        self._failing: Counter[str] = Counter()
        self._unknown: Counter[str] = Counter()
        self._steps: Counter[Step] = Counter()
        self._durations: list[float] = []
        self._counter = OpenCounter()
        self._affected = 0
        self._names: dict[str, str] = {}
        self._begins: datetime | None = None
        self.begin()

    def begin(self) -> None:
        """Begin a scope, and forget the rows that were added since the last one was finished."""
        self._latest: dict[str, Entry] = {}
        self._lives: dict[str, _Life] = {}
        self._rows: list[tuple[datetime, Step]] = []
        self._changes: list[tuple[datetime, Severity | None, Severity | None]] = []
        self._ended: list[float] = []

    def add(self, row: Entry) -> None:
        """Add a row of history, in the order of its chain."""
        if row.observed_at > self._period.until:
            return
        step, finding = row.transition.step, row.transition.finding
        life = self._lives.setdefault(finding.id, _Life())
        life.steps.append(row)
        self._rows.append((row.observed_at, step))
        if step is not Step.TRANSIENT:
            keep_latest(self._latest, row)
        if step in UNSEEN:
            return
        severity = finding.severity if finding.status is FindingStatus.OPEN else None
        self._changes.append((row.observed_at, severity, life.severity))
        life.severity = severity
        if step is Step.RESOLVED and row.observed_at >= self._period.since:
            self._ended.append((row.observed_at - finding.opened_at).total_seconds())

    def finish(self, scope: Scope) -> None:
        """Keep what the page shows of a scope."""
        for instant, step in self._rows:
            self._begins = min(self._begins or instant, instant)
            self._steps[step] += instant >= self._period.since
        for instant, opened, closed in self._changes:
            self._counter.add(instant, opened=opened, closed=closed)
        self._durations += self._ended
        place = self._places.setdefault(Region(scope.account, scope.region), PlaceCounts())
        place.scopes += not scope.is_region
        self._name(scope)
        affected = False
        for name, row in self._latest.items():
            finding = row.transition.finding
            self._count(finding, place)
            affected |= finding.status is FindingStatus.OPEN
            if is_bad(finding) or finding.updated_at >= self._period.since:
                detail = _build_detail(finding, self._lives[name].steps)
                listed = _sort_key(finding), self._details.add(detail), _build_row(finding)
                self._listed.append(listed)
        self._affected += affected
        self.begin()

    def _name(self, scope: Scope) -> None:
        """Keep the names that the latest of the scope's findings has."""
        last = max(self._latest.values(), key=lambda row: row.observed_at, default=None)
        if last:
            names = last.transition.finding.names
            known = {scope.subject: names.subject, scope.account: names.account}
            self._names |= {key: name for key, name in known.items() if name}

    def _count(self, finding: Finding, place: PlaceCounts) -> None:
        if finding.status is FindingStatus.OPEN:
            place.open[finding.severity] += 1
        place.unknown += finding.status is FindingStatus.UNKNOWN
        place.waived += finding.status is FindingStatus.WAIVED
        if is_bad(finding):
            unknown = finding.status is FindingStatus.UNKNOWN
            (self._unknown if unknown else self._failing)[finding.rule] += 1

    def collect(self) -> CollectedFindings:
        """Return what was collected of all scopes that were finished."""
        self._listed.sort()
        since, until = self._period.since, self._period.until
        return CollectedFindings(
            rows=[row for _, _, row in self._listed],
            details=list(self._details.pack(number for _, number, _ in self._listed)),
            places=dict(sorted(self._places.items())),
            failing=self._failing,
            unknown=self._unknown,
            affected=self._affected,
            opened=self._steps[Step.OPENED],
            resolved=self._steps[Step.RESOLVED],
            transient=self._steps[Step.TRANSIENT],
            resolution=timedelta(seconds=median(self._durations)) if self._durations else None,
            trend=self._counter.find_peaks(since, until),
            names=self._names,
            begins=self._begins,
        )


def _sort_key(finding: Finding) -> tuple[Any, ...]:
    """Sort what is not resolved first, then the most severe, then the longest open."""
    status = list(FindingStatus).index(finding.status)
    return not is_bad(finding), finding.severity.rank, status, finding.opened_at, finding.id


def _build_row(finding: Finding) -> tuple[str, ...]:
    scope = finding.scope
    return (
        finding.id,
        finding.severity.value,
        finding.status.value,
        finding.rule,
        finding.resource,
        scope.account,
        scope.region,
        scope.subject,
        format_iso(finding.opened_at),
        format_iso(finding.updated_at),
        _list_actors(finding.opened_by),
        _list_actors(finding.resolved_by),
        finding.verdict.summary,
    )


def _build_detail(finding: Finding, steps: Sequence[Entry]) -> Mapping[str, Any]:
    """Build what the page shows of a finding once it is opened, and what it downloads."""
    record = build_finding_record(finding)
    return {
        "record": record,
        "csv": format_csv_row(record, FINDING_CSV),
        "steps": [
            [
                format_iso(row.observed_at),
                row.transition.step.value,
                row.transition.reason,
                _list_actors(row.transition.finding.caused_by),
            ]
            for row in steps
        ],
        "opened_by": list(_list_causes(finding.opened_by)),
        "resolved_by": list(_list_causes(finding.resolved_by)),
    }


def _list_actors(attribution: Attribution | None) -> str:
    """Return who may have caused a transition; "" where that is not known."""
    possible = attribution.possible if attribution else ()
    return ", ".join(dict.fromkeys(each.actor or each.event_name for each in possible))


def _list_causes(attribution: Attribution | None) -> Iterator[Mapping[str, str]]:
    for cause in attribution.possible if attribution else ():
        yield _build_cause(cause)


def _build_cause(cause: Cause) -> Mapping[str, str]:
    return {
        "actor": cause.actor,
        "event": cause.event_name,
        "time": format_iso(cause.time),
        "from": f"{cause.source_ip} {cause.user_agent}".strip(),
        "id": cause.event_id,
    }
