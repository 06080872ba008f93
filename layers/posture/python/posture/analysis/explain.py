"""Explain step by step which path a subnet's traffic to a service takes, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from posture.analysis.addresses import AddressSet
from posture.analysis.coverage import Analysis, Cell
from posture.analysis.descriptions import describe_addresses, describe_path, describe_ports
from posture.analysis.explain_central import explain_central
from posture.analysis.explain_interfaces import explain_acl, explain_interfaces
from posture.analysis.explain_policies import explain_policies
from posture.analysis.gates import HTTPS, Gate
from posture.analysis.names import ResolvesTo
from posture.analysis.path import DROPPED, Path, PathKind
from posture.analysis.path_outcome import PathOutcome
from posture.analysis.region_offers import list_service_prefix_lists
from posture.analysis.routing import Router
from posture.analysis.services import list_ports
from posture.analysis.step import ExplanationStep
from posture.lean_dataclass import dataclass
from posture.model.baseline import Baseline
from posture.model.network import EndpointType, Route, RouteTable, Service, Snapshot, Subnet

ORIGINS = {
    "CreateRouteTable": "created with the table",
    "CreateRoute": "static",
    "EnableVgwRoutePropagation": "propagated",
    "Advertisement": "advertised by a route server",
    "unknown": "origin unknown",
}
OWN_ACCOUNT_ONLY = Baseline()
MOST_RIVALS = 3  # less preferred routes that a step names


@dataclass(frozen=True, slots=True)
class Explanation:
    """A cell of the coverage matrix and the steps that lead to it."""

    subnet: Subnet
    service: Service
    cell: Cell
    steps: tuple[ExplanationStep, ...]


def explain(
    analysis: Analysis,
    subnet: Subnet,
    service: Service,
    workload_groups: frozenset[str] = frozenset(),
    baseline: Baseline = OWN_ACCOUNT_ONLY,
) -> Explanation:
    """Explain which path a subnet's traffic to a service takes, and why.

    Args:
        analysis: The analysis of the snapshot.
        subnet: The source of the traffic.
        service: The destination of the traffic.
        workload_groups: The ids of the workload's security groups, if known.
        baseline: What endpoint policies may allow besides their own account, and must allow.
    """
    cell = analysis.evaluate_cell(subnet, service, workload_groups)
    steps = (
        _explain_subnet(analysis, subnet),
        _explain_names(analysis.snapshot, service, cell),
        *_explain_routes(analysis, subnet, service, cell),
        *_explain_outbound_rules(service, cell, workload_groups),
        *explain_interfaces(analysis, subnet, cell, workload_groups),
        *explain_central(analysis, cell, baseline),
        *explain_policies(analysis.snapshot, service, baseline),
    )
    return Explanation(subnet, service, cell, steps)


def _explain_subnet(analysis: Analysis, subnet: Subnet) -> ExplanationStep:
    table, acl = analysis.paths.find_table(subnet), analysis.reachability.find_acl(subnet.id)
    blocks = ", ".join(map(str, subnet.blocks))
    explicit = table is not None and subnet.id in table.subnet_ids
    why = "associated with it" if explicit else "the main route table"
    by = f"the route table {table.id} ({why})" if table else "a route table that was not found"
    guard = f"the network ACL {acl.id}" if acl else "a network ACL that was not found"
    return ExplanationStep(
        "subnet",
        f"{subnet.id} ({blocks or 'no CIDR block'}, {subnet.zone}) uses {by} and {guard}.",
        {
            "subnet": subnet.id,
            "zone": subnet.zone,
            "addresses": blocks,
            "route_table": table.id if table else "",
            "network_acl": acl.id if acl else "",
        },
    )


def _explain_names(snapshot: Snapshot, service: Service, cell: Cell) -> ExplanationStep:
    resolution = cell.resolution
    names = ", ".join(service.private_dns_names)
    leading = (*resolution.endpoints, *resolution.central)
    where = " and ".join(each.id for each in leading)
    if resolution.resolves_to is not ResolvesTo.ENDPOINT:
        unknown = resolution.resolves_to is ResolvesTo.UNKNOWN
        where = "unknown addresses" if unknown else resolution.resolves_to.value
        lists = [each.id for each in list_service_prefix_lists(snapshot, service)]
        if lists and EndpointType.GATEWAY in service.types:
            where = f"{where} in {', '.join(lists)}"
    caveat = f" ({resolution.caveat})" if resolution.caveat else ""
    return ExplanationStep(
        "names",
        f"The DNS names of {service.name}{names and f' ({names})'} resolve to {where}: "
        f"{resolution.why}{caveat}.",
        {
            "service": service.name,
            "names": names or f"the names of {service.name}",
            "leads_to": resolution.resolves_to.value,
            "endpoints": ", ".join(each.id for each in leading),
            "records": ", ".join(name for each in leading for name in each.dns_names),
            "dns_support": str(snapshot.vpc.dns_support),
            "dns_hostnames": str(snapshot.vpc.dns_hostnames),
        },
    )


def _explain_routes(
    analysis: Analysis, subnet: Subnet, service: Service, cell: Cell
) -> Iterator[ExplanationStep]:
    table = analysis.paths.find_table(subnet)
    if table is None or cell.paths is None:
        return
    exact = EndpointType.GATEWAY in service.types
    for path in cell.paths:
        yield _explain_route(analysis.snapshot, table, path, exact=exact)
        yield from _explain_onward(path)
    acl = analysis.reachability.find_acl(subnet.id)
    stopped = any(each.gate is Gate.OUT for each in cell.obstacles)
    filtered = AddressSet.union(
        path.addresses for path in cell.paths if stopped or path.kind is PathKind.GATEWAY_ENDPOINT
    )
    if exact and acl and filtered:
        yield from explain_acl(acl, Gate.OUT, filtered)
        yield from explain_acl(acl, Gate.BACK_IN, filtered)


def _explain_outbound_rules(
    service: Service, cell: Cell, workload_groups: frozenset[str]
) -> Iterator[ExplanationStep]:
    """Explain what a workload's security groups allow of the traffic that leaves the VPC."""
    if not workload_groups or cell.paths is None or cell.resolution.endpoints:
        return
    by = ", ".join(sorted(workload_groups))
    stop = next((each for each in cell.obstacles if each.gate is Gate.WORKLOAD), None)
    if stop:
        exact = EndpointType.GATEWAY in service.types
        peers = AddressSet.union(path.addresses for path in cell.paths)
        named = describe_addresses(stop.addresses) if exact else "some public addresses"
        stopped = "this traffic" if stop.addresses >= peers else f"traffic to {named}"
        text = f"{by} blocks {stopped}: {stop.rule}."
    elif cell.outcome in {PathOutcome.UNKNOWN, PathOutcome.BLOCKED}:
        return  # what the groups allow does not decide, or the summary says why it is not known
    else:
        ports = describe_ports((each, each) for each in list_ports(service.name) or (HTTPS,))
        text = f"{by} allows this traffic outbound on {ports}."
    yield ExplanationStep("security group", text, {"gate": Gate.WORKLOAD.value, "by": by})


def _explain_route(
    snapshot: Snapshot, table: RouteTable, path: Path, *, exact: bool
) -> ExplanationStep:
    traffic = f"{describe_addresses(path.addresses)} ({path.addresses.size} addresses)"
    text = f"Traffic to {traffic if exact else 'public addresses'} {_describe_step(path)}"
    record = {
        "addresses": str(path.addresses) if exact else "public",
        "path": path.kind.value,
        "target": path.target,
        "route_table": table.id,
    }
    if path.route:
        rivals = _find_rivals(snapshot, table, path)
        text += f", because {table.id} has the route {_describe_route(path.route)}"
        if rivals:
            less = " and ".join(map(_describe_route, rivals[:MOST_RIVALS]))
            text += f", which takes precedence over {less}"
        record |= {
            "route": path.route.destination,
            "origin": path.route.origin.value,
            "before": ", ".join(f"{each.destination} to {each.target.id}" for each in rivals),
        }
    return ExplanationStep("route", f"{text}.", record)


def _describe_step(path: Path) -> str:
    """Describe one step of a path, with the kind of its target."""
    if path.kind in {*DROPPED, PathKind.UNKNOWN, PathKind.OTHER_ENDPOINT}:
        return describe_path(path)
    return f"is routed to {path.kind.value} {path.target}".rstrip()


def _describe_route(route: Route) -> str:
    state = ", a blackhole" if route.blackhole else ""
    return f"{route.destination} to {route.target.id} ({ORIGINS[route.origin.value]}{state})"


def _find_rivals(snapshot: Snapshot, table: RouteTable, path: Path) -> list[Route]:
    """Find the other routes that match some of a path's addresses, the most preferred first."""
    left = [each for each in table.routes if each != path.route]
    rivals: list[Route] = []
    while left:
        rest = replace(table, routes=tuple(left))
        found = Router(rest, snapshot.prefix_lists).route(path.addresses)
        taking = [route for leg in found.legs for route in leg.routes]
        if not taking:
            break
        rivals += dict.fromkeys(taking)
        left = [each for each in left if each not in taking]
    return rivals


def _explain_onward(path: Path) -> Iterator[ExplanationStep]:
    """Explain the paths behind a path, each with those behind it."""
    for onward in path.onward:
        route = onward.route
        by = f" by the route {_describe_route(route)} of {onward.table_id}" if route else ""
        yield ExplanationStep(
            "onward",
            f"From {path.target}, traffic {_describe_step(onward)}{by}.",
            {
                "from": path.target,
                "path": onward.kind.value,
                "target": onward.target,
                "route": route.destination if route else "",
            },
        )
        yield from _explain_onward(onward)
