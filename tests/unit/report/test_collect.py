"""What the report collects from history: counts, order, controls, names, transients."""

import json
from dataclasses import replace
from datetime import timedelta

from finding_builders import SCOPE, at, opened, verdict
from posture.model.finding import Attribution, Cause, FindingStatus, Step, Transition
from posture.model.scope import Region, ScopeNames
from posture.model.verdict import Severity, Status
from posture.rules.control_counts import ScopeOutcome
from posture.store.items import Entry
from posture.store.scope_record import ScopeRecord
from posture_cli.report.collect import FIELDS, CollectedFindings, FindingCollector, ReportPeriod
from posture_cli.report.networks import find_private_share
from posture_cli.report.pack import CHUNK, DetailStore, unpack
from report_material import read_scope

PERIOD = ReportPeriod(at(0), at(100))
[OPENED] = opened(verdict("endpoint-security-group-open", "vpce-0a", severity=Severity.HIGH))


def entry(step: Transition, minute: float, number: int) -> Entry:
    """Return a row of history."""
    return Entry(step, f"c-{number}", 1, at(minute), number)


def resolve(step: Transition, minute: float) -> Transition:
    """Return its resolution."""
    by = Attribution(Cause("e-9", "CreateRoute", "arn:aws:iam::111122223333:user/bob", at(minute)))
    finding = replace(
        step.finding,
        status=FindingStatus.RESOLVED,
        version=2,
        updated_at=at(minute),
        resolved_by=by,
    )
    return Transition(Step.RESOLVED, finding, "repaired")


def collect(*rows: Entry, record: ScopeRecord | None = None) -> CollectedFindings:
    """Collect the rows of one scope."""
    collector = FindingCollector(PERIOD)
    for row in rows:
        collector.add(row)
    collector.finish(read_scope(SCOPE, record))
    return collector.collect()


def list_rows(found: CollectedFindings) -> list[dict[str, str]]:
    """Return the rows of the page."""
    return [dict(zip(FIELDS, unpack_row(row), strict=True)) for row in found.rows]


def unpack_row(row: str) -> list[str]:
    """Return the values of a row."""
    values: list[str] = json.loads(row)
    return values


def test_a_cause_that_is_found_later_opens_nothing_again() -> None:
    """Its row may be written after the resolution, and holds the finding as it was."""
    amended = Transition(Step.AMENDED, OPENED.finding, "its cause is known")
    found = collect(entry(OPENED, 10, 1), entry(resolve(OPENED, 20), 20, 2), entry(amended, 30, 3))
    assert max(point.total for point in found.trend) == 1
    assert found.trend[-1].total == 0
    assert (found.opened, found.resolved) == (1, 1)


def test_what_is_forgotten_does_not_count() -> None:
    """A scope that is read again because it was written meanwhile."""
    collector = FindingCollector(PERIOD)
    collector.add(entry(OPENED, 10, 1))
    collector.begin()
    collector.finish(read_scope(SCOPE, None))
    found = collector.collect()
    assert (found.rows, found.opened, found.affected) == ([], 0, 0)
    assert {point.total for point in found.trend} == {0}


def test_what_is_later_than_the_period_does_not_count() -> None:
    """The report shows the findings of its end."""
    found = collect(entry(OPENED, 10, 1), entry(resolve(OPENED, 101), 101, 2))
    assert [row["status"] for row in list_rows(found)] == ["open"]
    assert (found.opened, found.resolved, found.resolution) == (1, 0, None)


def test_a_resolution_is_counted_with_its_time_and_who() -> None:
    """A finding that was resolved in the period is listed."""
    found = collect(entry(OPENED, 0, 1), entry(resolve(OPENED, 40), 40, 2))
    (row,) = list_rows(found)
    assert (row["status"], row["resolved_by"]) == ("resolved", "arn:aws:iam::111122223333:user/bob")
    assert found.resolution == timedelta(minutes=40)
    (detail,) = unpack(found.details[0])
    assert [step[1] for step in detail["steps"]] == ["opened", "resolved"]
    assert "PCI DSS 4.0.1 1.3.1" in detail["controls"]


def test_controls_count_the_scope_by_what_was_evaluated() -> None:
    """Without a record of what passed, nothing passes."""
    unknown = collect(entry(OPENED, 10, 1))
    outcomes = {outcome for count in unknown.controls for outcome in count.scopes}
    assert outcomes == {ScopeOutcome.FAILED, ScopeOutcome.UNRECORDED}
    record = ScopeRecord(SCOPE, at(50), 1, passed=frozenset({"endpoint-security-group-open"}))
    passed = collect(record=record)
    assert any(ScopeOutcome.PASSED in count.scopes for count in passed.controls)


def test_a_scope_that_is_gone_is_not_counted() -> None:
    """Neither as a VPC nor for a control; what happened in it is listed."""
    gone = ScopeRecord(SCOPE, at(50), 1, exists=False)
    found = collect(entry(OPENED, 0, 1), entry(resolve(OPENED, 40), 40, 2), record=gone)
    assert len(found.rows) == 1
    assert found.places[Region(SCOPE.account, SCOPE.region)].scopes == 0
    assert not any(count.scopes for count in found.controls)


def test_the_latest_names_are_shown() -> None:
    """Of a VPC and its account."""
    named = replace(OPENED.finding, names=ScopeNames("payments", "prod"))
    found = collect(entry(Transition(Step.OPENED, named), 10, 1))
    assert found.names == {SCOPE.subject: "payments", SCOPE.account: "prod"}


def test_findings_are_in_the_order_of_what_to_do_first() -> None:
    """Not resolved before resolved, then by severity, then the oldest."""
    low, unknown, critical = (
        opened(verdict("no-policy", f"vpce-{name}", status, severity=severity))[0]
        for name, status, severity in (
            ("0b", Status.FAIL, Severity.LOW),
            ("0c", Status.UNKNOWN, Severity.HIGH),
            ("0d", Status.FAIL, Severity.CRITICAL),
        )
    )
    done = resolve(critical, 40)
    rows = [low, unknown, OPENED, critical, done]
    found = collect(*(entry(step, 1, number) for number, step in enumerate(rows, 1)))
    resources = [row["resource"] for row in list_rows(found)]
    assert resources == ["vpce-0a", "vpce-0c", "vpce-0b", "vpce-0d"]
    assert (found.unresolved, found.affected) == (3, 1)


def test_details_are_packed_in_order_and_in_chunks() -> None:
    """Whatever the order in which they came."""
    store = DetailStore()
    for number in range(CHUNK + 5):
        store.add({"number": number, "text": "€ </script>" * 3})
    first, second = store.pack(reversed(range(CHUNK + 5)))
    numbers = [each["number"] for each in (*unpack(first), *unpack(second))]
    assert numbers == list(reversed(range(CHUNK + 5)))
    assert "<" not in first


def test_a_subnet_without_a_route_is_neither_private_nor_not() -> None:
    """An unknown path is not private."""
    assert find_private_share({"good": 3, "idle": 9}) == 100
    assert find_private_share({"good": 3, "idle": 9, "unknown": 1}) == 75
    assert find_private_share({"good": 1, "bad": 1, "other": 1, "warn": 1}) == 25
    assert find_private_share({"idle": 4}) is None
