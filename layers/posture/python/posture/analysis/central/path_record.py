"""Build the JSON records of names and of paths to central endpoints, as the matrix stores them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from posture.analysis.central.answers import CentralPath, CentralStep, NameAnswer
from posture.analysis.coverage import Cell
from posture.analysis.identity import cache_by_identity

Json = dict[str, Any]


def build_central_record(cell: Cell) -> Json:
    """Build what a cell's record says of central endpoints; empty if none is concerned.

    Returns:
        `central` (the paths; interfaces of one endpoint that are reached alike share one) and
        `deciding` (the step that decides, if not all hold).
    """
    record: Json = {}
    if cell.central:
        record["central"] = _build_paths(cell.central)
    if deciding := cell.deciding:
        record["deciding"] = build_step_record(deciding)
    return record


def build_step_record(step: CentralStep) -> Json:
    """Build the record of a step, with its sentence."""
    record: Json = {
        "about": step.kind.value,
        "status": step.status.value,
        "subject": step.subject,
        "text": step.text,
    }
    if step.account:
        record["account"] = step.account
    if step.missing:
        record["missing"] = step.missing
    return record


def build_name_record(answer: NameAnswer) -> Json:
    """Build the record of what one name resolves to."""
    record: Json = {"name": answer.name, "leads_to": answer.outcome.value, "why": answer.why}
    if answer.endpoint_ids:
        record["endpoints"] = list(answer.endpoint_ids)
    if answer.addresses:
        record["addresses"] = list(map(str, answer.addresses))
    return record


def _build_paths(paths: Iterable[CentralPath]) -> list[Json]:
    """Build a record of each distinct path; its steps are about, subject, status and account."""
    found: dict[tuple[object, ...], Json] = {}
    for path in paths:
        steps = tuple(map(_build_step, path.steps))
        record = found.setdefault(
            (path.endpoint.id, steps),
            {
                "endpoint": path.endpoint.id,
                "interfaces": [],
                "vpc": path.vpc_id,
                "account": path.account,
                "status": path.status.value,
                "steps": [list(each) for each in steps],
            },
        )
        record["interfaces"].append(path.interface.id)
    return list(found.values())


@cache_by_identity(4096)  # many services and subnets share the steps of a path
def _build_step(step: CentralStep) -> tuple[str, ...]:
    return step.kind.value, step.subject, step.status.value, step.account
