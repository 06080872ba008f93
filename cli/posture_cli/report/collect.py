"""Collects what the page shows of findings from their history, one scope after the other. Pure.

Only one scope's findings are objects at a time: of each finding that the page lists, a row and its
compressed details remain.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from posture.alerts.attributions import name_attribution
from posture.alerts.rule_texts import load_rule_texts
from posture.alerts.titles import format_title
from posture.lifecycle.diff import is_bad
from posture.model.finding import Finding, FindingStatus, Step
from posture.model.instant import format_iso
from posture.model.scope import Region, Scope
from posture.model.verdict import Severity
from posture.rules.control_counts import ControlCount, ControlTally, Shortcoming, parse_checks
from posture.rules.controls import list_controls
from posture.rules.rule_catalogue import RULES_BY_ID
from posture.store.history import keep_latest
from posture.store.items import Entry
from posture_cli.audit.controls import build_access_shortcoming
from posture_cli.audit.observed import ObservedScope
from posture_cli.audit.scope_reader import ReadScope
from posture_cli.render.findings import FINDING_CSV, build_finding_record
from posture_cli.render.records import format_csv_row
from posture_cli.report.pack import DetailStore, dump
from posture_cli.report.trend import OpenCounter, TrendPoint

RULE_TEXTS = load_rule_texts()
LAST_STEPS = 10  # the last steps of a finding that the page shows
UNSEEN = frozenset({Step.TRANSIENT, Step.AMENDED})  # rows that change no status
# What the page filters, sorts and searches by, in the order of each row.
FIELDS = (
    "id", "severity", "status", "rule", "resource", "account", "region", "subject", "opened",
    "updated", "opened_by", "resolved_by", "summary", "title",
)  # fmt: skip


CHOICES = ("status", "account", "region", "subject", "rule")  # the fields with a list of values


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
    unread: bool = False  # not read, or not to the end


@dataclass(frozen=True, slots=True)
class CollectedFindings:
    """What the page shows of the findings.

    Attributes:
        rows: A row of `FIELDS` of each listed finding as JSON, in the order of the page.
        choices: The values of the fields of `CHOICES` that occur in the rows.
        unresolved: The number of rows of findings that are not resolved.
        details: The packed details of the rows, in the same order.
        places: The counts by account and region.
        controls: The counts of each control.
        affected: The number of scopes with open findings.
        opened: The number of times that a finding opened in the period.
        resolved: The number of times that one was resolved in it.
        transient: The number of times that something was bad between two observations only.
        resolution: The median time from opening to resolution in the period; None for none.
        trend: The peaks of open findings over the period.
        names: The names of VPCs, endpoint services and accounts by id, where they are known.
        observed: When each scope was first and last observed.
    """

    rows: Sequence[str]
    choices: Mapping[str, AbstractSet[str]]
    unresolved: int
    details: Sequence[str]
    places: Mapping[Region, PlaceCounts]
    controls: Sequence[ControlCount]
    affected: int
    opened: int
    resolved: int
    transient: int
    resolution: timedelta | None
    trend: Sequence[TrendPoint]
    names: Mapping[str, str]
    observed: Sequence[ObservedScope]


@dataclass(slots=True)
class _Life:
    """What is known of one finding so far."""

    severity: Severity | None = None  # while it is open
    steps: deque[Entry] = field(default_factory=lambda: deque(maxlen=LAST_STEPS))


class FindingCollector:
    """Collects the findings of scopes: `begin` a scope, `add` its rows, `finish` it."""

    def __init__(
        self, period: ReportPeriod, is_listed: Callable[[Finding], bool] = lambda _: True
    ) -> None:
        self._period = period
        self._is_listed = is_listed
        self._details = DetailStore()
        self._listed: list[tuple[tuple[Any, ...], int, str]] = []
        self._choices: Mapping[str, set[str]] = {name: set() for name in CHOICES}
        self._unresolved = 0
        self._places: dict[Region, PlaceCounts] = {}
        self._controls = ControlTally()
        self._steps: Counter[Step] = Counter()
        self._durations: list[float] = []
        self._counter = OpenCounter()
        self._affected = 0
        self._names: dict[str, str] = {}
        self._observed: list[ObservedScope] = []
        self.begin()

    def begin(self) -> None:
        """Begin a scope, and forget the rows that were added since the last one was finished."""
        self._latest: dict[str, Entry] = {}
        self._lives: dict[str, _Life] = {}
        self._rows: list[tuple[datetime, Step]] = []
        self._changes: list[tuple[datetime, Severity | None, Severity | None]] = []
        self._ended: list[float] = []
        self._transient: list[Entry] = []

    def add(self, row: Entry) -> None:
        """Add a row of history, in the order of its chain."""
        step, finding = row.transition.step, row.transition.finding
        # A transient finding is recorded after it is over, perhaps after the period.
        began = finding.opened_at if step is Step.TRANSIENT else row.observed_at
        if began > self._period.until:
            return
        life = self._lives.setdefault(finding.id, _Life())
        life.steps.append(row)
        self._rows.append((began, step))
        keep_latest(self._latest, row)
        if step is Step.TRANSIENT:
            self._transient.append(row)
            lasting = self._latest.get(finding.id)
            is_before = lasting is not None and lasting.observed_at <= finding.opened_at
            base = life.severity if is_before else None
            self._changes.append((finding.opened_at, finding.severity, base))
            self._changes.append((finding.updated_at, base, finding.severity))
        if step in UNSEEN:
            return
        severity = finding.severity if finding.status is FindingStatus.OPEN else None
        self._changes.append((row.observed_at, severity, life.severity))
        life.severity = severity
        if step is Step.RESOLVED and row.observed_at >= self._period.since:
            self._ended.append((row.observed_at - finding.opened_at).total_seconds())

    def finish(self, read: ReadScope) -> None:
        """Keep what the page shows of a scope."""
        for instant, step in self._rows:
            self._steps[step] += instant >= self._period.since
        for instant, opened, closed in self._changes:
            self._counter.add(instant, opened=opened, closed=closed)
        self._durations += self._ended
        latest = [row.transition.finding for row in self._latest.values()]
        self._observed.append(read.observe(self._rows[0][0] if self._rows else None))
        self._name(read.scope)
        self._count(read, latest)
        for finding in latest:
            if is_bad(finding) or finding.updated_at >= self._period.since:
                self._list(finding, finding.status.value, self._lives[finding.id].steps)
        for row in self._transient:
            if row.transition.finding.updated_at >= self._period.since:
                self._list(row.transition.finding, Step.TRANSIENT.value, [row])
        self.begin()

    def add_unread(self, region: Region) -> None:
        """Count a Region that was not read, or not to the end: no control passes."""
        shortcoming = build_access_shortcoming(region.account)
        self._controls.add(region.scope, [shortcoming], None)
        self._places.setdefault(region, PlaceCounts()).unread = True

    def _count(self, read: ReadScope, findings: Sequence[Finding]) -> None:
        scope, record = read.scope, read.record
        place = self._places.setdefault(Region(scope.account, scope.region), PlaceCounts())
        bad = [it for it in findings if is_bad(it)]
        severities = [it.severity for it in bad if it.status is FindingStatus.OPEN]
        place.open.update(severities)
        place.unknown += sum(it.status is FindingStatus.UNKNOWN for it in bad)
        place.waived += sum(it.status is FindingStatus.WAIVED for it in bad)
        self._affected += bool(severities)
        if read.is_gone and not bad:
            return
        place.scopes += not scope.is_region
        passed = record.passed if record and self._period.latest else None
        self._controls.add(scope, map(Shortcoming.of, bad), parse_checks(passed))

    def _list(self, finding: Finding, status: str, steps: Sequence[Entry]) -> None:
        """Keep what the page shows of a finding, if it lists it."""
        if not self._is_listed(finding):
            return
        row = _build_row(finding, status)
        for name, values in self._choices.items():
            values.add(row[FIELDS.index(name)])
        self._unresolved += is_bad(finding)
        detail = self._details.add(_build_detail(finding, status, steps))
        self._listed.append((_sort_key(finding), detail, dump(row)))

    def _name(self, scope: Scope) -> None:
        """Keep the names that the latest of the scope's findings has."""
        last = max(self._latest.values(), key=lambda row: row.observed_at, default=None)
        if last:
            names = last.transition.finding.names
            known = {scope.subject: names.subject, scope.account: names.account}
            self._names |= {key: name for key, name in known.items() if name}

    def collect(self) -> CollectedFindings:
        """Return what was collected of all scopes that were finished."""
        self._listed.sort()
        since, until = self._period.since, self._period.until
        return CollectedFindings(
            rows=[row for _, _, row in self._listed],
            choices=self._choices,
            unresolved=self._unresolved,
            details=list(self._details.pack(number for _, number, _ in self._listed)),
            places=dict(sorted(self._places.items())),
            controls=self._controls.count(),
            affected=self._affected,
            opened=self._steps[Step.OPENED],
            resolved=self._steps[Step.RESOLVED],
            transient=self._steps[Step.TRANSIENT],
            resolution=timedelta(seconds=median(self._durations)) if self._durations else None,
            trend=self._counter.find_peaks(since, until),
            names=self._names,
            observed=self._observed,
        )


def _sort_key(finding: Finding) -> tuple[Any, ...]:
    """Sort what is not resolved first, then the most severe, then the longest open."""
    status = list(FindingStatus).index(finding.status)
    opened = finding.opened_at.timestamp()
    return not is_bad(finding), finding.severity.rank, status, opened, finding.id


def _build_row(finding: Finding, status: str) -> tuple[str, ...]:
    scope, resolved_by = finding.scope, finding.resolved_by
    return (
        finding.id,
        finding.severity.value,
        status,
        finding.rule,
        finding.resource,
        scope.account,
        scope.region,
        scope.subject,
        format_iso(finding.opened_at),
        format_iso(finding.updated_at),
        name_attribution(finding.opened_by),
        name_attribution(resolved_by) if resolved_by else "",
        finding.verdict.summary,
        format_title(RULE_TEXTS, finding),
    )


def _build_detail(finding: Finding, status: str, steps: Iterable[Entry]) -> Mapping[str, Any]:
    """Build what the page shows of a finding once it is opened, and what it downloads."""
    record = {**build_finding_record(finding), "status": status}
    rule = RULES_BY_ID.get(finding.rule)
    return {
        "record": record,
        "csv": format_csv_row(record, FINDING_CSV),
        "controls": [str(each) for each in list_controls(rule, finding.resource)] if rule else [],
        "steps": [
            [
                format_iso(row.observed_at),
                row.transition.step.value,
                row.transition.reason,
                " and ".join(map(name_attribution, row.transition.attributions)),
            ]
            for row in steps
        ],
    }
