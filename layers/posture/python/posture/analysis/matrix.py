"""Build the JSON record of a coverage matrix: each distinct answer once, and a number per cell.

Subnets that share a route table and a network ACL share answers, so there are far fewer answers
than cells. Sets of addresses are written as CIDR blocks.
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
from posture.model.service_names import find_region, short_name

SCHEMA = 1

Json = dict[str, Any]


def build_matrix_record(coverage: Coverage, analysis: Analysis) -> Json:
    """Build the JSON record of a matrix.

    Returns:
        `name` (of the VPC, "" without one), `services` (the columns, with what their names resolve
        to), `subnets` (the rows, with the route table and network ACL they use), `answers` (each
        distinct one once), `cells` (by subnet id, the number of the answer for each service, in the
        order of the services) and `unreadable` (by EC2 operation, the reason why it failed).
    """
    answers = _Answers()
    cells = {
        subnet.id: [
            answers.add(coverage.cells[subnet.id][service.name], service)
            for service in coverage.services
        ]
        for subnet in coverage.subnets
    }
    return {
        "schema": SCHEMA,
        "name": analysis.snapshot.vpc.tags.get("Name", ""),
        "services": [_build_service(analysis, each) for each in coverage.services],
        "subnets": [_build_subnet(analysis, each) for each in coverage.subnets],
        "answers": answers.listed,
        "cells": cells,
        "unreadable": {
            facet.value: reason for facet, reason in analysis.snapshot.unreadable.items()
        },
    }


def list_row_answers(record: Mapping[str, Any], subnet_id: str) -> Sequence[Mapping[str, Any]]:
    """List the answers of a subnet in a recorded matrix, in the order of the services."""
    return [record["answers"][number] for number in record["cells"][subnet_id]]


class _Answers:
    """The distinct answers, each with a number."""

    def __init__(self) -> None:
        self.listed: list[Json] = []
        self._numbers: dict[str, int] = {}
        self._known: dict[tuple[object, ...], int] = {}

    def add(self, cell: Cell, service: Service) -> int:
        # Cells share objects that the analysis keeps, so comparing identities is quick and safe.
        parts = id(cell.paths), id(cell.reaches), id(cell.obstacles), id(cell.central)
        key = (cell.outcome, cell.summary, cell.own_zone, cell.missing, *parts)
        if key not in self._known:
            answer = build_cell_record(cell, service)
            text = json.dumps(answer, sort_keys=True)
            self._known[key] = self._numbers.setdefault(text, len(self.listed))
            if self._known[key] == len(self.listed):
                self.listed.append(answer)
        return self._known[key]


def build_cell_record(cell: Cell, service: Service) -> Json:
    """Build the record of a cell: its outcome, and its paths or the interfaces it reaches."""
    record: Json = {"outcome": cell.outcome.value, "summary": cell.summary}
    if cell.paths is not None:
        exact = EndpointType.GATEWAY in service.types
        record["paths"] = [_build_path(each, exact=exact) for each in cell.paths]
    if cell.reaches:
        record["interfaces"] = [_build_reach(each) for each in cell.reaches]
    if cell.own_zone is not None:
        record["own_zone"] = cell.own_zone
    if cell.obstacles:
        record["obstacles"] = [_build_obstacle(each, None) for each in cell.obstacles]
    if cell.missing:
        record["missing"] = list(cell.missing)
    if cell.central or cell.resolution.names:
        from posture.analysis.central.path_record import build_central_record  # noqa: PLC0415 - if used

        record |= build_central_record(cell)
    return record


def _build_path(path: Path, *, exact: bool) -> Json:
    """Build the record of a path; `exact` if its addresses are the service's own."""
    record: Json = {"path": path.kind.value}
    if exact:
        record["addresses"] = str(path.addresses)
    if path.target:
        record["target"] = path.target
    if path.route:
        record["route"] = _build_route(path.route)
    if path.why:
        record["why"] = path.why
    if path.onward:
        record["onward"] = [_build_path(each, exact=exact) for each in path.onward]
    return record


def _build_route(route: Route) -> Json:
    return {
        "destination": route.destination,
        "target": route.target.id,
        "origin": route.origin.value,
        "state": "blackhole" if route.blackhole else "active",
    }


def _build_reach(reach: Reach) -> Json:
    record: Json = {
        "id": reach.interface.id,
        "zone": reach.interface.zone,
        "reached": reach.status.value,
    }
    if reach.status is ReachStatus.YES:
        return record
    if reach.reaching:
        record["reaching"] = "all" if reach.reaching == reach.sources else str(reach.reaching)
    record["obstacles"] = [_build_obstacle(each, reach.sources) for each in reach.obstacles]
    if reach.groups:
        record["groups"] = sorted(reach.groups)
    if reach.unread:
        record["unread"] = list(reach.unread)
    return record


def _build_obstacle(obstacle: Obstacle, sources: AddressSet | None) -> Json:
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


def _build_service(analysis: Analysis, service: Service) -> Json:
    resolution = analysis.resolve_names(service)
    record: Json = {
        "name": service.name,
        "short": _build_heading(analysis, service),
        "names": list(service.private_dns_names),
        "leads_to": resolution.resolves_to.value,
        "why": resolution.why,
        "but": resolution.caveat,
        "endpoints": [each.id for each in (*resolution.endpoints, *resolution.central)],
    }
    if resolution.names:
        from posture.analysis.central.path_record import build_name_record  # noqa: PLC0415 - if used

        record["answers"] = [build_name_record(each) for each in resolution.names]
    return record


def _build_heading(analysis: Analysis, service: Service) -> str:
    """Build the heading of a column: the short name, with the Region if it is another one."""
    short, region = short_name(service.name), find_region(service.name)
    if short == service.name or region in {None, analysis.snapshot.scope.region}:
        return short
    return f"{region}.{short}"


def _build_subnet(analysis: Analysis, subnet: Subnet) -> Json:
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
