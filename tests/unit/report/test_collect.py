"""What the page shows of the findings of a period."""

import json
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from finding_builders import SCOPE, at, verdict
from posture.lifecycle.diff import find_transitions
from posture.model.finding import FindingStatus, Step, Transition
from posture.model.verdict import Severity
from posture.store.hash_chain import Chain
from posture.store.items import Entry
from posture_cli.audit.scope_reader import ReadScope
from posture_cli.audit.verify import VerificationResult
from posture_cli.report.collect import FIELDS, CollectedFindings, FindingCollector, ReportPeriod

if TYPE_CHECKING:
    from posture_cli.audit.open_tables import OpenTables

PERIOD = ReportPeriod(at(0), at(60))


def collect(*rows: tuple[float, Transition]) -> CollectedFindings:
    """Collect rows of one scope, each observed at its minute."""
    collector = FindingCollector(PERIOD)
    collector.begin()
    for number, (minute, step) in enumerate(rows, 1):
        collector.add(Entry(step, f"c#{number}", 1, at(minute), number))
    result = VerificationResult(str(SCOPE), Chain(len(rows), "tip"))
    collector.finish(ReadScope(cast("OpenTables", None), SCOPE, result, None))
    return collector.collect()


def transient(opened: float, closed: float, severity: Severity = Severity.CRITICAL) -> Transition:
    """Return a finding that was bad between two observations."""
    [step] = find_transitions(SCOPE, {}, [verdict(severity=severity)], observed_at=at(opened))
    finding = replace(step.finding, status=FindingStatus.RESOLVED, updated_at=at(closed))
    return Transition(Step.TRANSIENT, finding)


def test_a_transient_finding_is_a_peak_and_a_row() -> None:
    """Although no observation saw it, and though it was recorded after the period."""
    found = collect((75, transient(30, 31)))
    assert max(point.total for point in found.trend) == 1
    assert any(point.counts == {Severity.CRITICAL: 1} for point in found.trend)
    assert found.trend[-1].total == 0
    assert found.transient == 1
    [row] = found.rows
    assert json.loads(row)[FIELDS.index("status")] == "transient"


def test_one_outside_the_period_is_not_on_the_page() -> None:
    """Neither before nor after it."""
    found = collect((3, transient(-9, -8)), (90, transient(70, 71)))
    assert not found.rows
    assert max(point.total for point in found.trend) == 0


def test_a_finding_that_was_more_severe_for_a_while_is_counted_once() -> None:
    """As its severity then."""
    [opened] = find_transitions(SCOPE, {}, [verdict(severity=Severity.LOW)], observed_at=at(5))
    found = collect((5, opened), (40, transient(30, 31)))
    assert max(point.total for point in found.trend) == 1
    assert any(Severity.CRITICAL in point.counts for point in found.trend)
    assert found.trend[-1].counts == {Severity.LOW: 1}
