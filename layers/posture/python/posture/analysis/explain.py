"""Why a subnet's traffic to a service goes as it does, step by step with what decides each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from posture.analysis.addresses import AddressSet
from posture.analysis.coverage import Analysis, Cell
from posture.analysis.descriptions import describe_addresses, describe_path
from posture.analysis.explain_interfaces import explain_acl, explain_interfaces
from posture.analysis.explain_policies import explain_policies
from posture.analysis.gates import Gate
from posture.analysis.path import Path, PathKind
from posture.analysis.routing import route_to
from posture.analysis.step import ExplanationStep
from posture.model.network import EndpointType, Route, RouteTable, Service, Snapshot, Subnet
from posture.policy import Trust

ORIGINS = {
    "CreateRouteTable": "came with the table",
    "CreateRoute": "static",
    "EnableVgwRoutePropagation": "propagated",
    "Advertisement": "advertised by a route server",
    "unknown": "of unknown origin",
}
NOBODY = Trust()
RIVALS = 3  # routes besides the deciding one that a step names


@dataclass(frozen=True, slots=True)
class Explanation:
    """A cell of the matrix with the reasoning that leads to it."""

    subnet: Subnet
    service: Service
    cell: Cell
    steps: tuple[ExplanationStep, ...]


def explain(
    analysis: Analysis,
    subnet: Subnet,
    service: Service,
    workload_groups: frozenset[str] = frozenset(),
    trust: Trust = NOBODY,
) -> Explanation:
    """Tell how a subnet's traffic to a service fares, and why.

    Args:
        analysis: Of the picture.
        subnet: Where the traffic starts.
        service: Where it is meant to go.
        workload_groups: The security groups of the workload, as far as they are stated.
        trust: Whom the policies of endpoints may trust besides their own account.
    """
    cell = analysis.evaluate_cell(subnet, service, workload_groups)
    steps = (
        _subnet(analysis, subnet),
        _names(analysis.snapshot, service, cell),
        *_routes(analysis, subnet, service, cell),
        *explain_interfaces(analysis, subnet, cell, workload_groups),
        *explain_policies(analysis.snapshot, service, trust),
    )
    return Explanation(subnet, service, cell, steps)


def _subnet(analysis: Analysis, subnet: Subnet) -> ExplanationStep:
    table, acl = analysis.paths.find_table(subnet), analysis.reachability.find_acl(subnet.id)
    blocks = ", ".join(map(str, subnet.blocks))
    own = "associated with it" if table and subnet.id in table.subnet_ids else "the VPC's main one"
    by = f"the route table {table.id} ({own})" if table else "a route table that cannot be found"
    guard = f"the network ACL {acl.id}" if acl else "a network ACL that cannot be found"
    return ExplanationStep(
        "subnet",
        f"{subnet.id} ({blocks or 'no addresses'}, {subnet.zone}) uses {by} and {guard}.",
        {
            "subnet": subnet.id,
            "zone": subnet.zone,
            "addresses": blocks,
            "route_table": table.id if table else "",
            "network_acl": acl.id if acl else "",
        },
    )


def _names(snapshot: Snapshot, service: Service, cell: Cell) -> ExplanationStep:
    resolution = cell.resolution
    names = ", ".join(service.private_dns_names) or f"the names of {service.name}"
    where = resolution.resolves_to.value
    if resolution.endpoints:
        where = " and ".join(each.id for each in resolution.endpoints)
    elif resolution.resolves_to.value == "unknown":
        where = "nobody knows where"
    lists = _lists(snapshot, service)
    within = f" in {', '.join(lists)}" if lists and not resolution.endpoints else ""
    but = f" ({resolution.but})" if resolution.but else ""
    return ExplanationStep(
        "names",
        f"{names} lead to {where}{within}: {resolution.why}{but}.",
        {
            "service": service.name,
            "names": names,
            "leads_to": resolution.resolves_to.value,
            "endpoints": ", ".join(each.id for each in resolution.endpoints),
            "records": ", ".join(name for each in resolution.endpoints for name in each.dns_names),
            "dns_support": str(snapshot.vpc.dns_support),
            "dns_hostnames": str(snapshot.vpc.dns_hostnames),
        },
    )


def _lists(snapshot: Snapshot, service: Service) -> tuple[str, ...]:
    if EndpointType.GATEWAY not in service.types:
        return ()
    return tuple(
        each.id
        for each in snapshot.prefix_lists.values()
        if each.aws_managed and each.name.replace(".ipv6.", ".") == service.name
    )


# --- by routes -----------------------------------------------------------------------------------


def _routes(
    analysis: Analysis, subnet: Subnet, service: Service, cell: Cell
) -> Iterator[ExplanationStep]:
    table = analysis.paths.find_table(subnet)
    if table is None or cell.paths is None:
        return
    exact = EndpointType.GATEWAY in service.types
    for path in cell.paths:
        yield _route(analysis.snapshot, table, path, exact=exact)
        yield from (_onward(path, onward) for onward in path.onward)
    acl = analysis.reachability.find_acl(subnet.id)
    private = AddressSet.union(
        path.addresses for path in cell.paths if path.kind is PathKind.GATEWAY_ENDPOINT
    )
    if exact and acl and private:
        yield from explain_acl(acl, Gate.OUT, private)
        yield from explain_acl(acl, Gate.BACK_IN, private)


def _route(snapshot: Snapshot, table: RouteTable, path: Path, *, exact: bool) -> ExplanationStep:
    blocks = f"{describe_addresses(path.addresses)} ({path.addresses.size} addresses)"
    goes = f"{blocks if exact else 'What of the public addresses is its own'} {_goes(path)}"
    record = {
        "addresses": str(path.addresses) if exact else "public",
        "path": path.kind.value,
        "target": path.target,
        "route_table": table.id,
    }
    if path.route is None:
        return ExplanationStep("route", f"{goes}.", record)
    rivals = _rivals(snapshot, table, path)
    beats = f", before {' and '.join(map(_said, rivals[:RIVALS]))}" if rivals else ""
    record |= {
        "route": path.route.destination,
        "origin": path.route.origin.value,
        "before": ", ".join(f"{each.destination} to {each.target.id}" for each in rivals),
    }
    decides = f"of {table.id}'s routes {_said(path.route)} decides"
    return ExplanationStep("route", f"{goes}: {decides}{beats}.", record)


def _goes(path: Path) -> str:
    if path.kind is PathKind.NONE:
        return "has no route"
    if path.kind in {PathKind.BLACKHOLE, PathKind.UNKNOWN}:
        return f"goes {describe_path(path)}"
    return f"goes by {path.kind.value} {path.target}".rstrip()


def _said(route: Route) -> str:
    state = ", a blackhole" if route.blackhole else ""
    return f"{route.destination} to {route.target.id} ({ORIGINS[route.origin.value]}{state})"


def _rivals(snapshot: Snapshot, table: RouteTable, path: Path) -> list[Route]:
    """Give the routes that match some of the addresses, too, the next best first."""
    left = [each for each in table.routes if each != path.route]
    rivals: list[Route] = []
    while left:
        rest = replace(table, routes=tuple(left))
        found = route_to(rest, path.addresses, snapshot.prefix_lists)
        taking = [route for leg in found.legs for route in leg.routes]
        if not taking:
            break
        rivals += dict.fromkeys(taking)
        left = [each for each in left if each not in taking]
    return rivals


def _onward(path: Path, onward: Path) -> ExplanationStep:
    by = f" by its subnet's route {_said(onward.route)}" if onward.route else ""
    why = f" ({onward.why})" if onward.why and onward.kind is not PathKind.UNKNOWN else ""
    return ExplanationStep(
        "onward",
        f"From {path.target} it {_goes(onward)}{by}{why}.",
        {
            "from": path.target,
            "path": onward.kind.value,
            "target": onward.target,
            "route": onward.route.destination if onward.route else "",
        },
    )
