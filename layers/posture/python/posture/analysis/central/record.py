"""Build the JSON records of names and of paths to central endpoints, as the matrix stores them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from posture.analysis.central.answers import (
    CentralPath,
    CentralStep,
    NameAnswer,
    find_deciding_step,
)
from posture.analysis.central.private_names import split_names
from posture.analysis.coverage import Cell
from posture.analysis.path_outcome import PathOutcome
from posture.model.network import Service

Json = dict[str, Any]


def build_central_record(cell: Cell, service: Service) -> Json:
    """Build what a cell's record says of central endpoints; empty if none is concerned.

    Returns:
        `central` (the paths; interfaces of one endpoint that are reached alike share one) and
        `deciding` (the step that decides, if not all hold).
    """
    record: Json = {}
    if cell.central:
        record["central"] = _build_paths(cell.central)
    if deciding := find_cell_step(cell, service):
        record["deciding"] = build_step_record(deciding)
    return record


def find_cell_step(cell: Cell, service: Service) -> CentralStep | None:
    """Find the step that keeps a cell's traffic from an endpoint; None if there is none.

    Names that lead to public addresses need no path to a central endpoint: then it is the step by
    which they do.
    """
    if cell.deciding or cell.outcome is PathOutcome.PRIVATE:
        return cell.deciding
    answers = cell.resolution.names
    default, _ = split_names(service, [each.name for each in answers])
    return find_deciding_step(
        step for each in answers if each.name in default for step in each.steps
    )


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
        steps = tuple(
            (each.kind.value, each.subject, each.status.value, each.account) for each in path.steps
        )
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
