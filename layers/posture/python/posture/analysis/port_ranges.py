"""Divide the TCP ports of a service into ranges that every gate treats alike."""

from __future__ import annotations

from posture.analysis.acls import cut_range, get_starts, split_ports
from posture.analysis.reach import PortRange
from posture.analysis.security_groups import get_port_range
from posture.analysis.services import list_endpoint_ports
from posture.model.network import Endpoint, Snapshot

TCP_PORTS = (1, 65535)


def list_port_ranges(
    endpoint: Endpoint, here: Snapshot, there: Snapshot, groups: frozenset[str] = frozenset()
) -> tuple[PortRange, ...]:
    """List the ports of an endpoint's service, or all TCP ports, in ranges treated alike.

    Args:
        endpoint: The endpoint.
        here: The VPC of the workload.
        there: The VPC of the endpoint.
        groups: The ids of the workload's security groups, if known.
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
        for start in get_starts(get_port_range(rule))
    }
    acls = {each.id: each for end in (here, there) for each in end.network_acls.values()}
    for acl in acls.values():
        for egress in (False, True):
            starts |= {first for first, _ in split_ports(acl, TCP_PORTS, egress=egress)}
    return cut_range(TCP_PORTS, starts)
