"""The steps of a packet to an endpoint's interface and of the answer back, gate by gate."""

from __future__ import annotations

from collections.abc import Iterator

from posture.analysis.acls import EPHEMERAL_PORTS, AclDecision, partition_by_entry, split_ports
from posture.analysis.addresses import AddressSet
from posture.analysis.coverage import Analysis, Cell
from posture.analysis.descriptions import describe_addresses, describe_obstacle
from posture.analysis.detours import route_inside_vpc
from posture.analysis.gates import HTTPS, Gate
from posture.analysis.groups import covers_port, resolve_peers
from posture.analysis.reach import Reach
from posture.analysis.routing import find_route_table
from posture.analysis.step import ExplanationStep
from posture.model.network import NetworkAcl, Subnet


def explain_interfaces(
    analysis: Analysis, subnet: Subnet, cell: Cell, workload_groups: frozenset[str]
) -> Iterator[ExplanationStep]:
    """Give the steps to every interface that a cell's names lead to."""
    gates = _Gates(analysis, subnet)
    for endpoint in cell.resolution.endpoints:
        for reach in analysis.evaluate_reaches(subnet, endpoint, workload_groups):
            yield from gates.of(reach)
    for each in cell.missing:
        yield ExplanationStep("interface", f"{each} could not be read.", {"interface": each})


class _Gates:
    """The gates between one subnet and interfaces, each with what decides at it."""

    def __init__(self, analysis: Analysis, subnet: Subnet) -> None:
        self._snapshot = analysis.snapshot
        self._subnet = subnet
        self._reachability = analysis.reachability

    def of(self, reach: Reach) -> Iterator[ExplanationStep]:
        """Give the steps to one interface and back."""
        interface, near = reach.interface, self._subnet
        zone = "the same zone" if interface.zone == near.zone else f"another zone than {near.zone}"
        addresses = ", ".join(map(str, interface.addresses))
        yield ExplanationStep(
            "interface",
            f"{interface.id} ({addresses}) in {interface.subnet_id}, {interface.zone}, {zone}: "
            f"reached: {reach.answer.value}.",
            {
                "interface": interface.id,
                "addresses": addresses,
                "subnet": interface.subnet_id,
                "zone": interface.zone,
                "answer": reach.answer.value,
            },
        )
        if interface.subnet_id == near.id:
            yield ExplanationStep(
                "network ACL", "Inside one subnet neither routes nor ACLs are asked."
            )
        else:
            yield from self._way(reach)
        yield from self._groups(reach)
        yield from (
            ExplanationStep("unknown", f"It is not known: {what}.", {"unread": what})
            for what in reach.unread
        )

    def _way(self, reach: Reach) -> Iterator[ExplanationStep]:
        here = self._reachability.find_acl(self._subnet.id)
        there = self._reachability.find_acl(reach.interface.subnet_id)
        target = self._reachability.find_addresses(reach.interface)
        yield from self._delivered(target)
        for stopped in reach.obstacles:
            if stopped.gate in {Gate.WORKLOAD, Gate.ROUTE, Gate.BACK_ROUTE}:
                yield ExplanationStep(
                    "route" if stopped.gate is not Gate.WORKLOAD else "security group",
                    f"{stopped.gate.value.capitalize()}: {describe_obstacle(stopped, reach.sources)}.",
                    {"gate": stopped.gate.value, "by": stopped.by, "stops": str(stopped.addresses)},
                )
        yield from explain_acl(here, Gate.OUT, target)
        yield from explain_acl(there, Gate.IN, reach.sources)
        yield from explain_acl(there, Gate.BACK_OUT, reach.sources)
        yield from explain_acl(here, Gate.BACK_IN, target)

    def _delivered(self, target: AddressSet) -> Iterator[ExplanationStep]:
        """Say by which route of the subnet's table the interface is reached."""
        table = find_route_table(self._snapshot, self._subnet.id)
        if table is None:
            return
        for leg in route_inside_vpc(self._snapshot, table, target).legs:
            for each in leg.routes:
                text = f"{table.id} leads to it by {each.destination} to {each.target.id}."
                record = {
                    "route_table": table.id,
                    "route": each.destination,
                    "target": each.target.id,
                }
                yield ExplanationStep("route", text, record)

    def _groups(self, reach: Reach) -> Iterator[ExplanationStep]:
        """Give the rules that admit some of the subnet, and what none admits."""
        for group_id in reach.interface.security_group_ids:
            group = self._snapshot.security_groups.get(group_id)
            if group is None:
                yield ExplanationStep(
                    "security group", f"{group_id} could not be found.", {"group": group_id}
                )
                continue
            for rule in group.ingress:
                if not covers_port(rule, "tcp", HTTPS):
                    continue
                record = {"group": group_id, "gate": Gate.GROUP.value}
                if rule.group is not None:
                    peering = rule.group.peering_id
                    there = f" in a VPC peered by {peering}" if peering else ""
                    text = f"{group_id} admits workloads that have {rule.group.group_id}{there}."
                    yield ExplanationStep(
                        "security group", text, record | {"peer": rule.group.group_id}
                    )
                    continue
                peer = str(rule.cidr or rule.prefix_list_id)
                peers = resolve_peers(rule, self._snapshot.prefix_lists)
                if peers is not None and (let := peers & reach.sources):
                    whom = "all of the subnet" if let == reach.sources else describe_addresses(let)
                    text = f"{group_id} admits {peer} on 443, that is {whom}."
                    yield ExplanationStep(
                        "security group", text, record | {"peer": peer, "admits": str(let)}
                    )
        for stopped in reach.obstacles:
            if stopped.gate is Gate.GROUP:
                yield ExplanationStep(
                    "security group",
                    f"No rule of {stopped.by} admits {describe_addresses(stopped.addresses)} on 443.",
                    {"group": stopped.by, "stops": str(stopped.addresses)},
                )


def explain_acl(acl: NetworkAcl | None, gate: Gate, peers: AddressSet) -> Iterator[ExplanationStep]:
    """Give which entries of an ACL decide on peers at one of its gates."""
    if acl is None or not peers:
        return
    egress = gate in {Gate.OUT, Gate.BACK_OUT}
    back = gate in {Gate.BACK_OUT, Gate.BACK_IN}
    ports = split_ports(acl, EPHEMERAL_PORTS, egress=egress) if back else (HTTPS,)
    ends = (*(port - 1 for port in ports[1:]), EPHEMERAL_PORTS[1] if back else HTTPS)
    for first, last in zip(ports, ends, strict=True):
        named = f"ports {first}-{last}" if back else f"port {HTTPS}"
        for decision in partition_by_entry(acl, peers, first, egress=egress):
            yield _decided(acl, gate, named, decision, peers)


def _decided(
    acl: NetworkAcl, gate: Gate, ports: str, decision: AclDecision, peers: AddressSet
) -> ExplanationStep:
    entry = decision.entry
    rule = f"rule {entry.number}" if entry else "the final deny"
    does = "allows" if decision.allowed else "denies"
    of = f" ({entry.cidr})" if entry else ""
    whom = "" if decision.addresses == peers else f" {describe_addresses(decision.addresses)}"
    return ExplanationStep(
        "network ACL",
        f"{acl.id}, {gate.value.partition(', ')[2]}, {ports}: {rule}{of} {does}{whom}.",
        {
            "gate": gate.value,
            "network_acl": acl.id,
            "rule": str(entry.number) if entry else "*",
            "allows": str(decision.allowed).lower(),
            "addresses": str(decision.addresses),
            "ports": ports,
        },
    )
