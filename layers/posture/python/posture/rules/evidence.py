"""Evidence for rule results: one wording for each kind of fact, with the record behind it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from posture.analysis.addresses import AddressSet
from posture.analysis.descriptions import describe_addresses
from posture.analysis.path import Path, PathKind
from posture.model.network import Endpoint, Route, RouteTable, SecurityGroupRule, Service
from posture.model.service_names import short_name
from posture.model.verdict import Evidence

MAX_BLOCKS = 8  # CIDR blocks that a sentence lists; the record lists them all


def route_evidence(table: RouteTable, route: Route) -> Evidence:
    """Build the evidence for a route."""
    state = " (blackhole)" if route.blackhole else ""
    return Evidence(
        f"Route table {table.id} routes {route.destination} to {route.target.id}{state}.",
        {
            "route_table": table.id,
            "destination": route.destination,
            "target": route.target.id,
            "state": "blackhole" if route.blackhole else "active",
            "origin": route.origin.value,
        },
    )


def endpoint_evidence(endpoint: Endpoint) -> Evidence:
    """Build the evidence for an endpoint, its service and its state."""
    return Evidence(
        f"{endpoint.id} ({endpoint.type.value} endpoint for {endpoint.service_name}) is in state "
        f"{endpoint.state or 'unknown'}.",
        {
            "endpoint": endpoint.id,
            "service": endpoint.service_name,
            "type": endpoint.type.value,
            "state": endpoint.state,
        },
    )


def format_endpoint(endpoint: Endpoint) -> str:
    """Format an endpoint with its service, as in `vpce-0a (kms)`."""
    return f"{endpoint.id} ({short_name(endpoint.service_name)})"


def path_evidence(service: Service, path: Path) -> Evidence:
    """Build the evidence for the path to some of a service's addresses."""
    record = {
        "service": service.name,
        "addresses": format_addresses(path.addresses),
        "path": path.kind.value,
    }
    if path.target:
        record["target"] = path.target
    if path.route:
        record["route"] = f"{path.route.destination} to {path.route.target.id}"
    hops = ", then ".join(dict.fromkeys(map(_describe_hop, path.hops)))
    text = f"{service.name}: traffic to {summarize_addresses(path.addresses)} {hops}."
    return Evidence(text, record)


def _describe_hop(path: Path) -> str:
    if path.kind is PathKind.NONE:
        return "has no route"
    if path.kind in {PathKind.UNKNOWN, PathKind.OTHER_ENDPOINT}:
        return f"has an unknown next hop ({path.why})"
    if path.kind is PathKind.BLACKHOLE:
        return f"is dropped at {path.target} ({path.why or 'the route is a blackhole'})"
    route = f" (route {path.route.destination})" if path.route else ""
    return f"is routed to {path.kind.value} {path.target}".rstrip() + route


def inbound_rule_evidence(group_id: str, rule: SecurityGroupRule) -> Evidence:
    """Build the evidence for an inbound rule of a security group."""
    peer = str(rule.cidr or rule.prefix_list_id or (rule.group.group_id if rule.group else "?"))
    return Evidence(
        f"Security group {group_id} allows inbound traffic from {peer} on {format_ports(rule)}.",
        {"security_group": group_id, "peer": peer, "ports": format_ports(rule)},
    )


def format_ports(rule: SecurityGroupRule) -> str:
    """Format the protocol and ports of a security group rule, as in `tcp/443`."""
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


@lru_cache(maxsize=16)  # the addresses of a service are the same for all subnets and VPCs
def summarize_addresses(addresses: AddressSet) -> str:
    """Format the first blocks of an address set and the number of the others."""
    return describe_addresses(addresses, MAX_BLOCKS)


@lru_cache(maxsize=16)
def format_addresses(addresses: AddressSet) -> str:
    """Format every block of an address set, separated by commas."""
    return ", ".join(map(str, addresses.networks()))


def join_names(names: Iterable[str]) -> str:
    """Join names for a sentence, as in `a, b and c`; the sequence must not be empty."""
    *most, last = list(names)
    return f"{', '.join(most)} and {last}" if most else last
