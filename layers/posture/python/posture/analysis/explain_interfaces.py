"""Explain gate by gate whether requests reach an endpoint's interfaces and return traffic does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from posture.analysis.acls import EPHEMERAL_PORTS, AclDecision, partition_by_entry, split_ports
from posture.analysis.addresses import AddressSet
from posture.analysis.coverage import Analysis, Cell
from posture.analysis.descriptions import describe_addresses, describe_obstacle, describe_ports
from posture.analysis.detours import route_inside_vpc
from posture.analysis.gates import HTTPS, Gate
from posture.analysis.reach import PortRange, Reach
from posture.analysis.routing import find_route_table
from posture.analysis.security_groups import covers_port, resolve_peers
from posture.analysis.step import ExplanationStep
from posture.model.network import NetworkAcl, SecurityGroup, Snapshot, Subnet


def explain_interfaces(
    analysis: Analysis, subnet: Subnet, cell: Cell, workload_groups: frozenset[str]
) -> Iterator[ExplanationStep]:
    """Explain whether a subnet reaches each interface that a cell's names resolve to."""
    for endpoint in cell.resolution.endpoints:
        for reach in analysis.evaluate_reaches(subnet, endpoint, workload_groups):
            yield _explain_interface(subnet, reach)
            if reach.interface.subnet_id == subnet.id:
                text = "Route tables and network ACLs do not apply to traffic inside a subnet."
                yield ExplanationStep("network ACL", text)
            else:
                yield from _explain_path(analysis, subnet, reach)
            yield from _explain_security_groups(analysis.snapshot, reach)
            for unread in reach.unread:
                text = f"{unread[0].upper()}{unread[1:]} could not be determined."
                yield ExplanationStep("unknown", text, {"unread": unread})
    for each in cell.missing:
        text = f"The network interface {each} could not be read."
        yield ExplanationStep("interface", text, {"interface": each})


def _explain_interface(subnet: Subnet, reach: Reach) -> ExplanationStep:
    interface = reach.interface
    zone = "the same" if interface.zone == subnet.zone else "another"
    addresses = ", ".join(
        f"an IPv{each.version} address that EC2 chooses"
        if each.version in interface.unknown_versions
        else str(each)
        for each in interface.addresses
    )
    ports = describe_ports(reach.ports)
    return ExplanationStep(
        "interface",
        f"{interface.id} ({addresses}) is in {interface.subnet_id}, {interface.zone}, {zone} "
        f"Availability Zone. Reachable from {subnet.id} on {ports}: {reach.status.value}.",
        {
            "interface": interface.id,
            "addresses": addresses,
            "subnet": interface.subnet_id,
            "zone": interface.zone,
            "ports": ports,
            "answer": reach.status.value,
        },
    )


def _explain_path(analysis: Analysis, subnet: Subnet, reach: Reach) -> Iterator[ExplanationStep]:
    """Explain what routes and network ACLs do between two subnets, there and back."""
    reachability = analysis.reachability
    here = reachability.find_acl(subnet.id)
    there = reachability.find_acl(reach.interface.subnet_id)
    target = reachability.find_addresses(reach.interface)
    yield from _explain_delivery(analysis.snapshot, subnet, target)
    for obstacle in reach.obstacles:
        if obstacle.gate in {Gate.WORKLOAD, Gate.ROUTE, Gate.BACK_ROUTE}:
            yield ExplanationStep(
                "security group" if obstacle.gate is Gate.WORKLOAD else "route",
                f"{obstacle.gate.value.capitalize()}: "
                f"{describe_obstacle(obstacle, reach.sources)}.",
                {"gate": obstacle.gate.value, "by": obstacle.by, "stops": str(obstacle.addresses)},
            )
    yield from explain_acl(here, Gate.OUT, target, reach.ports)
    yield from explain_acl(there, Gate.IN, reach.sources, reach.ports)
    yield from explain_acl(there, Gate.BACK_OUT, reach.sources)
    yield from explain_acl(here, Gate.BACK_IN, target)


def _explain_delivery(
    snapshot: Snapshot, subnet: Subnet, target: AddressSet
) -> Iterator[ExplanationStep]:
    """Name the routes of the subnet's table that match the interface's addresses."""
    table = find_route_table(snapshot, subnet.id)
    if table is None:
        return
    for leg in route_inside_vpc(snapshot, table, target).legs:
        for each in leg.routes:
            text = f"{table.id} routes traffic to it by {each.destination} to {each.target.id}."
            record = {
                "route_table": table.id,
                "route": each.destination,
                "target": each.target.id,
            }
            yield ExplanationStep("route", text, record)


def _explain_security_groups(snapshot: Snapshot, reach: Reach) -> Iterator[ExplanationStep]:
    """Name the rules that allow part of the subnet, and what no rule allows."""
    for group_id in reach.interface.security_group_ids:
        group = snapshot.security_groups.get(group_id)
        if group:
            yield from _explain_rules(snapshot, group, reach)
        else:
            text = f"The security group {group_id} was not found."
            yield ExplanationStep("security group", text, {"group": group_id})
    for obstacle in reach.obstacles:
        if obstacle.gate is Gate.GROUP:
            blocked = describe_addresses(obstacle.addresses)
            ports = describe_ports(reach.ports)
            yield ExplanationStep(
                "security group",
                f"No inbound rule of {obstacle.by} allows {ports} from {blocked}.",
                {"group": obstacle.by, "stops": str(obstacle.addresses)},
            )


def _explain_rules(
    snapshot: Snapshot, group: SecurityGroup, reach: Reach
) -> Iterator[ExplanationStep]:
    record = {"group": group.id, "gate": Gate.GROUP.value}
    allows = f"{group.id} allows inbound traffic on {describe_ports(reach.ports)} from"
    sources = reach.sources
    for rule in group.ingress:
        if not covers_port(rule, "tcp", reach.ports[0][0]):
            continue
        if rule.group is not None:
            peering = rule.group.peering_id
            where = f" in a VPC peered through {peering}" if peering else ""
            text = f"{allows} workloads in {rule.group.group_id}{where}."
            yield ExplanationStep("security group", text, record | {"peer": rule.group.group_id})
            continue
        peer = str(rule.cidr or rule.prefix_list_id)
        peers = resolve_peers(rule, snapshot.prefix_lists)
        if peers is not None and (allowed := peers & sources):
            part = "the whole subnet" if allowed == sources else describe_addresses(allowed)
            text = f"{allows} {peer}, which includes {part}."
            facts = record | {"peer": peer, "admits": str(allowed)}
            yield ExplanationStep("security group", text, facts)


def explain_acl(
    acl: NetworkAcl | None,
    gate: Gate,
    peers: AddressSet,
    served: Sequence[PortRange] = ((HTTPS, HTTPS),),
) -> Iterator[ExplanationStep]:
    """Name the entries of a network ACL that decide on peers at one of its gates."""
    if acl is None or not peers:
        return
    egress = gate in {Gate.OUT, Gate.BACK_OUT}
    back = gate in {Gate.BACK_OUT, Gate.BACK_IN}
    ranges = split_ports(acl, EPHEMERAL_PORTS, egress=egress) if back else served[:1]
    for each in ranges:
        ports = describe_ports([each] if back else served)
        for decision in partition_by_entry(acl, peers, each[0], egress=egress):
            yield _explain_decision(acl, gate, ports, decision, peers)


def _explain_decision(
    acl: NetworkAcl, gate: Gate, ports: str, decision: AclDecision, peers: AddressSet
) -> ExplanationStep:
    entry = decision.entry
    rule = f"rule {entry.number} ({entry.cidr})" if entry else "rule *"
    whole = decision.addresses == peers
    part = "the traffic" if whole else describe_addresses(decision.addresses)
    return ExplanationStep(
        "network ACL",
        f"{acl.id}, {gate.value.partition(', ')[2]}, {ports}: {rule} "
        f"{'allows' if decision.allowed else 'denies'} {part}.",
        {
            "gate": gate.value,
            "network_acl": acl.id,
            "rule": str(entry.number) if entry else "*",
            "allows": str(decision.allowed).lower(),
            "addresses": str(decision.addresses),
            "ports": ports,
        },
    )
