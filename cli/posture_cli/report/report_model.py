"""Builds the model of the report page from the data of the tables. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from posture.analysis.matrix import list_row_answers
from posture.lifecycle.diff import is_bad
from posture.model.finding import Finding, FindingStatus, Step, Transition
from posture.model.verdict import Severity
from posture.rules.controls import Control
from posture.rules.rule_catalogue import RULES_BY_ID
from posture_cli.audit.open_tables import VpcMatrix
from posture_cli.report.drawing import draw_vpc
from posture_cli.report.outcome_colours import find_outcome_colour
from posture_cli.report.trend import (
    count_open,
    divide_period,
    find_median_resolution_time,
    stack_bands,
)

LAST_STEPS = 10  # the last steps of a finding that the page shows
HEADLINE_SEVERITIES = 3
DRAWN = 40  # services of the largest matrix that is drawn; a larger one is only a table


@dataclass(frozen=True, slots=True)
class HistoryCheck:
    """The result of verifying the history."""

    chains: int
    rows: int
    faults: Sequence[str]


@dataclass(frozen=True, slots=True)
class ReportData:
    """Everything that a report is made from; its trend begins at `since`, it ends at `until`.

    `transitions` are all until then, those of the same finding in order of time, and `findings`
    follow from them. `waivers` are the rows of a table.
    """

    title: str
    since: datetime
    until: datetime
    transitions: Sequence[Transition]
    findings: Sequence[Finding]
    matrices: Sequence[VpcMatrix] = ()
    waivers: Sequence[Mapping[str, str]] = ()
    history: HistoryCheck | None = None


def build_report_model(data: ReportData) -> dict[str, Any]:
    """Build everything that the page shows, by the names that its template uses."""
    standing = [it for it in data.findings if is_bad(it)]
    is_open = [it for it in standing if it.status is FindingStatus.OPEN]
    lives: dict[str, list[Transition]] = {}
    for step in data.transitions:
        lives.setdefault(step.finding.id, []).append(step)
    over = [it for it in data.findings if not is_bad(it) and it.updated_at >= data.since]
    listed = [*sorted(standing, key=_sort_key), *sorted(over, key=_sort_key)]
    reported = [_report_finding(it, data.until, lives.get(it.id, ())) for it in listed]
    recent = [step for step in data.transitions if step.finding.updated_at >= data.since]
    vpcs = [_build_vpc(matrix) for matrix in data.matrices]
    cells = sum(it["cells"] for it in vpcs)
    drawn = count_open(data.transitions, divide_period(data.since, data.until))
    return {
        "data": data,
        "headline": _format_headline(is_open),
        "counts": Counter(it.severity for it in is_open),
        "unknown": sum(it.status is FindingStatus.UNKNOWN for it in standing),
        "waived": sum(it.status is FindingStatus.WAIVED for it in standing),
        "opened": sum(step.step is Step.OPENED for step in recent),
        "resolved": sum(step.step is Step.RESOLVED for step in recent),
        "resolution": _format_duration(find_median_resolution_time(data.transitions, data.since)),
        "private": sum(it["private"] for it in vpcs) * 100 // cells if cells else None,  # percent
        "findings": reported,
        "trend": drawn,
        "bands": stack_bands(drawn),
        "standing": len(standing),
        "vpcs": vpcs,
        "controls": list(_count_by_control(standing)),
        "choices": _list_choices(listed),
    }


def _format_headline(is_open: Sequence[Finding]) -> str:
    if not is_open:
        return "No finding is open."
    counts = Counter(it.severity for it in is_open)
    words = [f"{counts[each]} {each}" for each in Severity if counts[each]]
    if len(words) > HEADLINE_SEVERITIES:
        rest = len(is_open) - sum(counts[each] for each in [*filter(counts.get, Severity)][:2])
        words = [*words[:2], f"{rest} less severe"]
    text = " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
    noun = "finding is" if len(is_open) == 1 else "findings are"
    vpcs = len({it.scope for it in is_open})
    where = "one VPC or endpoint service" if vpcs == 1 else f"{vpcs} VPCs or endpoint services"
    return f"{text} {noun} open in {where}."


def _report_finding(
    finding: Finding, until: datetime, steps: Sequence[Transition]
) -> dict[str, Any]:
    rule = RULES_BY_ID.get(finding.rule)
    end = until if is_bad(finding) else finding.updated_at
    return {
        "finding": finding,
        "title": rule.title if rule else finding.rule,
        "rationale": rule.rationale if rule else "",
        "controls": rule.controls if rule else (),
        "age": _format_duration(end - finding.opened_at),
        "steps": steps[-LAST_STEPS:],
    }


def _sort_key(finding: Finding) -> tuple[Any, ...]:
    status = list(FindingStatus).index(finding.status)
    return finding.severity.rank, status, finding.opened_at, finding.id


def _format_duration(span: timedelta | None) -> str:
    if span is None:
        return "none"
    minutes = int(span.total_seconds() // 60)
    for size, unit in ((1440, "day"), (60, "hour")):
        if minutes >= size:
            number = minutes // size
            return f"{number} {unit}" if number == 1 else f"{number} {unit}s"
    return f"{minutes} min"


def _build_vpc(matrix: VpcMatrix) -> dict[str, Any]:
    """Build the rows of a VPC's table, and its drawing unless it is too large."""
    record = matrix.record
    rows = [
        (subnet, [(find_outcome_colour(it), it) for it in list_row_answers(record, subnet["id"])])
        for subnet in record["subnets"]
    ]
    colours = [colour for _, row in rows for colour, _ in row]
    drawable = bool(record["subnets"]) and len(record["services"]) <= DRAWN
    return {
        "scope": matrix.scope,
        "observed_at": matrix.observed_at,
        "services": [str(each["short"]) for each in record["services"]],
        "rows": rows,
        "drawing": draw_vpc(record) if drawable else None,
        "private": colours.count("good"),
        "cells": len(colours),
    }


def _count_by_control(standing: Sequence[Finding]) -> Iterator[dict[str, Any]]:
    """Count the failing findings of each control's rules."""
    failing = Counter(it.rule for it in standing if it.status is not FindingStatus.UNKNOWN)
    by_control: dict[Control, list[str]] = {}
    for rule in RULES_BY_ID.values():
        for control in rule.controls:
            by_control.setdefault(control, []).append(rule.id)
    for control, rules in sorted(by_control.items(), key=lambda it: (it[0].framework, it[0].id)):
        count = sum(failing[each] for each in rules)
        yield {"control": control, "rules": rules, "standing": count}


def _list_choices(standing: Iterable[Finding]) -> Mapping[str, Sequence[str]]:
    """List the choices of each filter of the page."""
    listed = list(standing)
    return {
        "status": [each.value for each in FindingStatus if any(it.status is each for it in listed)],
        "account": sorted({it.scope.account for it in listed}),
        "vpc": sorted({it.scope.subject for it in listed}),
        "rule": sorted({it.rule for it in listed}),
    }
