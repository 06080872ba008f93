"""Divide the TCP ports of a service into ranges that every gate treats alike."""

from __future__ import annotations

from collections.abc import Collection

from posture.analysis.acls import cut_range, get_starts, split_ports
from posture.analysis.addresses import AddressSet
from posture.analysis.reach import PortRange
from posture.analysis.security_groups import get_port_range
from posture.analysis.services import list_endpoint_ports
from posture.lean_dataclass import dataclass
from posture.model.network import Endpoint, NetworkAcl, Snapshot

TCP_PORTS = (1, 65535)


@dataclass(frozen=True, slots=True)
class Between:
    """What lies between the two ends of traffic inside one VPC.

    Attributes:
        acls: The network ACLs on the way.
        addresses: The addresses of the VPC. Rules for other blocks allow none of the traffic.
    """

    acls: Collection[NetworkAcl]
    addresses: AddressSet


def list_port_ranges(
    endpoint: Endpoint,
    here: Snapshot,
    there: Snapshot,
    groups: frozenset[str] = frozenset(),
    between: Between | None = None,
) -> tuple[PortRange, ...]:
    """List the ports of an endpoint's service, or all TCP ports, in ranges treated alike.

    Args:
        endpoint: The endpoint.
        here: The VPC of the workload.
        there: The VPC of the endpoint.
        groups: The ids of the workload's security groups, if known.
        between: What lies between them; None for all that may, where they are in different VPCs.
    """
    if known := list_endpoint_ports(endpoint):
        return tuple((port, port) for port in known)
    inbound = (
        there.security_groups[each].ingress
        for each in endpoint.security_group_ids
        if each in there.security_groups
    )
    outbound = (
        here.security_groups[each].egress for each in groups if each in here.security_groups
    )
    starts = {
        start
        for rules in (*inbound, *outbound)
        for rule in rules
        if not (between and rule.cidr and between.addresses.isdisjoint(AddressSet.of([rule.cidr])))
        for start in get_starts(get_port_range(rule))
    }
    acls = {each.id: each for end in (here, there) for each in end.network_acls.values()}
    for acl in between.acls if between else acls.values():
        for egress in (False, True):
            starts |= {first for first, _ in split_ports(acl, TCP_PORTS, egress=egress)}
    return cut_range(TCP_PORTS, starts)
