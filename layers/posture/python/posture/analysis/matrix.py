"""The coverage matrix as plain JSON: each distinct answer once, and which cell has which.

Subnets of one route table and one ACL fare alike, so that answers are far fewer than cells. Sets of
addresses are told as the blocks they are made of.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from posture.analysis.addresses import AddressSet
from posture.analysis.coverage import Analysis, Cell, Coverage
from posture.analysis.gates import Obstacle
from posture.analysis.path import Path
from posture.analysis.reach import Reach, ReachStatus
from posture.model.network import EndpointType, Route, Service, Subnet
from posture.model.service_names import short_name

SCHEMA = 1

Json = dict[str, Any]


def build_matrix_record(coverage: Coverage, analysis: Analysis) -> Json:
    """Give a matrix as JSON.

    Returns:
        `services` (the columns, with where their names lead), `subnets` (the rows, with what they
        use), `answers` (each distinct one once), `cells` (by subnet id, the number of the answer
        for each service in order) and `unreadable` (by EC2 operation, the reason).
    """
    answers = _Answers()
    cells = {
        subnet.id: [
            answers.number(coverage.cells[subnet.id][service.name], service)
            for service in coverage.services
        ]
        for subnet in coverage.subnets
    }
    return {
        "schema": SCHEMA,
        "services": [_service(analysis, each) for each in coverage.services],
        "subnets": [_subnet(analysis, each) for each in coverage.subnets],
        "answers": answers.listed,
        "cells": cells,
        "unreadable": {
            facet.value: reason for facet, reason in analysis.snapshot.unreadable.items()
        },
    }


def list_row_answers(record: Mapping[str, Any], subnet_id: str) -> Sequence[Mapping[str, Any]]:
    """Give a row of a recorded matrix: the answers of one subnet, in the order of the services."""
    return [record["answers"][number] for number in record["cells"][subnet_id]]


class _Answers:
    """Numbers answers, equal ones alike."""

    def __init__(self) -> None:
        self.listed: list[Json] = []
        self._numbers: dict[str, int] = {}
        self._seen: dict[tuple[object, ...], int] = {}

    def number(self, cell: Cell, service: Service) -> int:
        # What many cells share is one object, kept by the analysis: the quick way to tell it again.
        parts = id(cell.paths), id(cell.reaches), id(cell.obstacles), cell.missing
        key = (cell.outcome, cell.summary, cell.own_zone, *parts)
        if key not in self._seen:
            self._seen[key] = self._number(build_cell_record(cell, service))
        return self._seen[key]

    def _number(self, answer: Json) -> int:
        text = json.dumps(answer, sort_keys=True)
        if text not in self._numbers:
            self._numbers[text] = len(self.listed)
            self.listed.append(answer)
        return self._numbers[text]


def build_cell_record(cell: Cell, service: Service) -> Json:
    """Give one cell: its outcome and summary, its paths or the interfaces it reaches."""
    record: Json = {"outcome": cell.outcome.value, "summary": cell.summary}
    if cell.paths is not None:
        exact = EndpointType.GATEWAY in service.types
        record["paths"] = [build_path_record(each, exact=exact) for each in cell.paths]
    if cell.reaches:
        record["interfaces"] = [_reach(each) for each in cell.reaches]
    if cell.own_zone is not None:
        record["own_zone"] = cell.own_zone
    if cell.obstacles:
        record["obstacles"] = [_obstacle(each, None) for each in cell.obstacles]
    if cell.missing:
        record["missing"] = list(cell.missing)
    return record


def build_path_record(path: Path, *, exact: bool) -> Json:
    """Give one path; its addresses as blocks where it is told which are the service's own."""
    record: Json = {"path": path.kind.value}
    if exact:
        record["addresses"] = str(path.addresses)
    if path.target:
        record["target"] = path.target
    if path.route:
        record["route"] = _route(path.route)
    if path.why:
        record["why"] = path.why
    if path.onward:
        record["onward"] = [build_path_record(each, exact=exact) for each in path.onward]
    return record


def _route(route: Route) -> Json:
    return {
        "destination": route.destination,
        "target": route.target.id,
        "origin": route.origin.value,
        "state": "blackhole" if route.blackhole else "active",
    }


def _reach(reach: Reach) -> Json:
    record: Json = {
        "id": reach.interface.id,
        "zone": reach.interface.zone,
        "reached": reach.answer.value,
    }
    if reach.answer is ReachStatus.YES:
        return record
    if reach.reaching:
        record["reaching"] = "all" if reach.reaching == reach.sources else str(reach.reaching)
    record["obstacles"] = [_obstacle(each, reach.sources) for each in reach.obstacles]
    if reach.groups:
        record["groups"] = sorted(reach.groups)
    if reach.unread:
        record["unread"] = list(reach.unread)
    return record


def _obstacle(obstacle: Obstacle, sources: AddressSet | None) -> Json:
    whole = sources is not None and obstacle.addresses >= sources
    record: Json = {
        "gate": obstacle.gate.value,
        "by": obstacle.by,
        "rule": obstacle.rule,
        "stops": "all" if whole else str(obstacle.addresses),
    }
    if obstacle.ports:
        record["ports"] = list(obstacle.ports)
    return record


def _service(analysis: Analysis, service: Service) -> Json:
    resolution = analysis.resolve_names(service)
    return {
        "name": service.name,
        "short": short_name(service.name),
        "names": list(service.private_dns_names),
        "leads_to": resolution.resolves_to.value,
        "why": resolution.why,
        "but": resolution.but,
        "endpoints": [each.id for each in resolution.endpoints],
    }


def _subnet(analysis: Analysis, subnet: Subnet) -> Json:
    table, acl = analysis.paths.find_table(subnet), analysis.reachability.find_acl(subnet.id)
    return {
        "id": subnet.id,
        "name": subnet.tags.get("Name", ""),
        "zone": subnet.zone,
        "addresses": list(map(str, subnet.blocks)),
        "route_table": table.id if table else None,
        "main": bool(table) and subnet.id not in (table.subnet_ids if table else ()),
        "network_acl": acl.id if acl else None,
    }
