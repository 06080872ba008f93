"""The facts of a picture as evidence: one wording for each kind, with the record behind it."""

from __future__ import annotations

from collections.abc import Iterable

from posture.analysis.addresses import AddressSet
from posture.analysis.path import Path, PathKind
from posture.model.network import Endpoint, Route, RouteTable, SecurityGroupRule, Service
from posture.model.service_names import short_name
from posture.model.verdict import Evidence

BLOCKS = 8  # that a sentence names; the record holds them all


def route_evidence(table: RouteTable, route: Route) -> Evidence:
    """Show a route."""
    state = " (blackhole)" if route.blackhole else ""
    return Evidence(
        f"{table.id} routes {route.destination} to {route.target.id}{state}.",
        {
            "route_table": table.id,
            "destination": route.destination,
            "target": route.target.id,
            "state": "blackhole" if route.blackhole else "active",
            "origin": route.origin.value,
        },
    )


def endpoint_evidence(endpoint: Endpoint) -> Evidence:
    """Show an endpoint with its service and state."""
    return Evidence(
        f"{endpoint.id} ({endpoint.type.value} endpoint of {endpoint.service_name}) is "
        f"{endpoint.state or 'in no state that EC2 tells'}.",
        {
            "endpoint": endpoint.id,
            "service": endpoint.service_name,
            "type": endpoint.type.value,
            "state": endpoint.state,
        },
    )


def format_endpoint(endpoint: Endpoint) -> str:
    """Name an endpoint with its service."""
    return f"{endpoint.id} ({short_name(endpoint.service_name)})"


def path_evidence(service: Service, path: Path) -> Evidence:
    """Show by which way some of a service's addresses go."""
    record = {
        "service": service.name,
        "addresses": format_addresses(path.addresses),
        "path": path.kind.value,
    }
    if path.target:
        record["target"] = path.target
    if path.route:
        record["route"] = f"{path.route.destination} to {path.route.target.id}"
    onward = "".join(f"; from there it {describe_route_of(each)}" for each in path.onward)
    return Evidence(
        f"{service.name}: {summarise_addresses(path.addresses)} {describe_route_of(path)}{onward}.",
        record,
    )


def describe_route_of(path: Path) -> str:
    """Say which way a path is."""
    if path.kind is PathKind.NONE:
        return "has no route"
    if path.kind is PathKind.UNKNOWN:
        return f"goes nobody knows where: {path.why}"
    if path.kind is PathKind.BLACKHOLE:
        return f"is dropped at {path.target}"
    why = f" (route {path.route.destination})" if path.route else ""
    return f"goes by {path.kind.value} {path.target}".rstrip() + why


def inbound_rule_evidence(group_id: str, rule: SecurityGroupRule) -> Evidence:
    """Show an ingress rule of a security group."""
    peer = str(rule.cidr or rule.prefix_list_id or (rule.group.group_id if rule.group else "?"))
    return Evidence(
        f"{group_id} admits {peer} on {format_ports(rule)}.",
        {"security_group": group_id, "peer": peer, "ports": format_ports(rule)},
    )


def format_ports(rule: SecurityGroupRule) -> str:
    """Say which protocol and ports a rule is about."""
    if rule.protocol == "-1":
        return "all protocols and ports"
    if (
        rule.from_port is None
        or rule.to_port is None
        or (rule.from_port, rule.to_port) == (0, 65535)
    ):
        return f"{rule.protocol}, all ports"
    first, last = rule.from_port, rule.to_port
    return f"{rule.protocol}/{first}" if first == last else f"{rule.protocol}/{first}-{last}"


def summarise_addresses(addresses: AddressSet) -> str:
    """Name some blocks of a set of addresses, and how many there are besides."""
    join_names = addresses.networks()
    named = ", ".join(map(str, join_names[:BLOCKS]))
    return (
        named
        if len(join_names) <= BLOCKS
        else f"{named} and {len(join_names) - BLOCKS} blocks more"
    )


def format_addresses(addresses: AddressSet) -> str:
    """Name all blocks of a set of addresses."""
    return ", ".join(map(str, addresses.networks()))


def join_names(names: Iterable[str]) -> str:
    """Name several things in a sentence."""
    *most, last = list(names)
    return f"{', '.join(most)} and {last}" if most else last
