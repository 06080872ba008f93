"""Edits of routes, attachments and peering connections between a VPC and that of an endpoint.

https://docs.aws.amazon.com/vpc/latest/tgw/how-transit-gateways-work.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from posture.analysis.addresses import AddressSet
from posture.analysis.central.attachments import is_working
from posture.edits.edit import Edit
from posture.edits.operations.gateways import AcceptVpcPeeringConnection
from posture.edits.operations.routes import CreateRoute, ReplaceRoute
from posture.edits.shared_edit import (
    CreateTransitGatewayRoute,
    ReplaceTransitGatewayRoute,
)
from posture.model.network import (
    Network,
    RouteOrigin,
    RouteTable,
    Target,
    TargetKind,
)
from posture.model.service_names import get_partition
from posture.model.shared_network import (
    AttachmentKind,
    SharedNetwork,
    TransitAttachment,
    TransitRouteTable,
)
from posture.rules.remediation.central_attachments import attach, mend_attachment, propagate
from posture.rules.remediation.central_problem import Ends, Plan, Problem, list_attachments

TARGETS = {
    TargetKind.TRANSIT_GATEWAY: "transit_gateway_id",
    TargetKind.CORE_NETWORK: "core_network_arn",
    TargetKind.PEERING: "vpc_peering_connection_id",
}


def list_link_edits(problem: Problem) -> Iterator[Plan]:
    """List what may mend a route, an attachment or a peering connection, the least first."""
    ends, step = Ends.of(problem), problem.step
    if ends is None or step is None:
        return
    shared, subject = ends.shared, step.subject
    if table := ends.source.route_tables.get(subject):
        yield from _route_table(ends, table)
    elif transit := shared.tables.get(subject):
        yield from _route_transit(ends, transit)
    elif attachment := shared.attachments.get(subject):
        own = attachment.resource_id == ends.source.vpc.id
        mending = [*mend_attachment(ends, attachment)] if own else []
        yield from mending
        for transit in () if mending else _list_tables(problem, ends, attachment):
            yield from _route_transit(ends, transit)
    elif subject in shared.gateways:
        yield from attach(ends, subject)
    elif (peering := shared.peerings.get(subject)) and not peering.active:
        yield (AcceptVpcPeeringConnection(vpc_peering_connection_id=peering.id),)


def _list_tables(
    problem: Problem, ends: Ends, attachment: TransitAttachment
) -> Iterator[TransitRouteTable]:
    """List the tables that lead traffic wrong by an attachment that is not the VPC's own.

    A VPC on the way inspects the traffic, so the route to it stays, and the tables behind it count.
    """
    passed = ends.shared.vpcs.get(attachment.resource_id)
    blocks = AddressSet.of(passed.cidrs if passed else ())
    inspects = attachment.kind is AttachmentKind.VPC and attachment.resource_id not in {
        ends.source.vpc.id,
        ends.destination.vpc.id,
    }
    if inspects and blocks.isdisjoint(AddressSet.of(ends.blocks)):
        for each in list_attachments(ends.shared, attachment.resource_id):
            if table := ends.shared.tables.get(each.table_id or ""):
                yield table
    elif table := _find_last_table(problem, ends.shared):
        yield table


def _find_last_table(problem: Problem, shared: SharedNetwork) -> TransitRouteTable | None:
    """Find the transit gateway route table before the step that decides."""
    steps = problem.path.steps if problem.path else ()
    before = steps[: steps.index(problem.step)] if problem.step in steps else ()
    return next(
        (shared.tables[it.subject] for it in reversed(before) if it.subject in shared.tables), None
    )


def _route_table(ends: Ends, table: RouteTable) -> Iterator[Plan]:
    """Route the blocks of the other VPC, and nothing wider, to what connects both."""
    targets = [*_list_targets(ends)]
    for target in targets:
        yield tuple(_route(table, block, target) for block in ends.blocks)
    for gateway_id in () if targets else _list_far_gateways(ends):
        target = Target(TargetKind.TRANSIT_GATEWAY, gateway_id)
        routes = tuple(_route(table, block, target) for block in ends.blocks)
        for connected in _connect(ends, gateway_id):
            yield (*connected, *routes)


def _connect(ends: Ends, gateway_id: str) -> Iterator[Plan]:
    """Mend the VPC's attachment to a transit gateway, or attach it."""
    own = [
        each
        for _, each in sorted(ends.shared.attachments.items())
        if (each.gateway_id, each.resource_id) == (gateway_id, ends.source.vpc.id)
    ]
    for each in own:
        yield from mend_attachment(ends, each)
    if not own:
        yield from attach(ends, gateway_id)


def _list_far_gateways(ends: Ends) -> list[str]:
    """List the transit gateways that the other VPC is attached to."""
    far = {each.gateway_id for each in list_attachments(ends.shared, ends.destination.vpc.id)}
    return sorted(each for each in far if each.startswith("tgw-"))


def _route(table: RouteTable, block: Network, target: Target) -> Edit:
    exists = any(
        each.cidr == block and each.origin is not RouteOrigin.PROPAGATED for each in table.routes
    )
    names: dict[str, Any] = {
        "destination_cidr_block": block if isinstance(block, IPv4Network) else None,
        "destination_ipv6_cidr_block": block if isinstance(block, IPv6Network) else None,
        TARGETS[target.kind]: target.id,
    }
    kind = ReplaceRoute if exists else CreateRoute
    return kind(route_table_id=table.id, **names)


def _list_targets(ends: Ends) -> Iterator[Target]:
    """List what leads from one VPC to the other; first what the route tables use already."""
    found = dict.fromkeys((*_list_gateways(ends), *_list_peerings(ends)))
    used = {
        route.target.id for table in ends.source.route_tables.values() for route in table.routes
    }
    yield from sorted(found, key=lambda each: each.id not in used)


def _list_gateways(ends: Ends) -> Iterator[Target]:
    shared = ends.shared
    near = {each.gateway_id for each in list_attachments(shared, ends.source.vpc.id)}
    far = {each.gateway_id for each in list_attachments(shared, ends.destination.vpc.id)}
    peered = {
        each.gateway_id
        for each in shared.attachments.values()
        if each.peer and is_working(each) and each.peer.gateway_id in far
    }
    for gateway_id in sorted(near & far) + sorted(near & peered - far):
        if gateway_id.startswith("core-network-"):
            yield _name_core_network(ends, gateway_id)
        else:
            yield Target(TargetKind.TRANSIT_GATEWAY, gateway_id)


def _name_core_network(ends: Ends, gateway_id: str) -> Target:
    """Return the target as routes have it: the ARN of the core network."""
    for snapshot in (ends.source, ends.destination):
        for table in snapshot.route_tables.values():
            for route in table.routes:
                if route.target.id.rpartition("/")[2] == gateway_id:
                    return route.target
    gateway = ends.shared.gateways.get(gateway_id)
    partition = get_partition(ends.shared.region)
    owner = gateway.owner if gateway else ""
    arn = f"arn:{partition}:networkmanager::{owner}:core-network/{gateway_id}"
    return Target(TargetKind.CORE_NETWORK, arn)


def _list_peerings(ends: Ends) -> Iterator[Target]:
    sides = {ends.source.vpc.id, ends.destination.vpc.id}
    for _, each in sorted(ends.shared.peerings.items()):
        if each.active and {each.requester.vpc_id, each.accepter.vpc_id} == sides:
            yield Target(TargetKind.PEERING, each.id)


def _route_transit(ends: Ends, table: TransitRouteTable) -> Iterator[Plan]:
    """Propagate the blocks of the other VPC to a table, or add static routes to them.

    A propagated route follows the VPC's CIDR blocks, and needs no change when they change.
    """
    target = _find_exit(ends, table.gateway_id)
    if target is None or not table.gateway_id.startswith("tgw-"):
        return
    if target.kind is AttachmentKind.VPC:
        yield (propagate(table.id, target.id),)
    wanted = dict.fromkeys((*ends.blocks, *_list_within(table, ends.blocks, target.id)))
    yield tuple(_route_block(table, block, target.id) for block in wanted)


def _find_exit(ends: Ends, gateway_id: str) -> TransitAttachment | None:
    """Find the attachment by which a gateway reaches the other VPC, directly or by a peer."""
    attachments = [*list_attachments(ends.shared, ends.destination.vpc.id)]
    direct = next((each for each in attachments if each.gateway_id == gateway_id), None)
    if direct:
        return direct
    far = {each.gateway_id for each in attachments}
    return next(
        (
            each
            for _, each in sorted(ends.shared.attachments.items())
            if each.gateway_id == gateway_id
            and each.peer
            and is_working(each)
            and each.peer.gateway_id in far
        ),
        None,
    )


def _list_within(
    table: TransitRouteTable, blocks: Iterable[Network], attachment_id: str
) -> Iterator[Network]:
    """List the more specific destinations that lead elsewhere."""
    for route in table.routes or ():
        cidr = route.cidr
        if cidr is None or route.attachment_ids == (attachment_id,):
            continue
        if any(cidr.version == it.version and cidr.subnet_of(it) for it in blocks):  # type: ignore[arg-type]
            yield cidr


def _route_block(table: TransitRouteTable, block: Network, attachment_id: str) -> Edit:
    exists = any(each.static and each.cidr == block for each in table.routes or ())
    kind = ReplaceTransitGatewayRoute if exists else CreateTransitGatewayRoute
    return kind(
        transit_gateway_route_table_id=table.id,
        destination_cidr_block=block,
        transit_gateway_attachment_id=attachment_id,
    )
