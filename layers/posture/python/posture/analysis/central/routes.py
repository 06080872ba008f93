"""Follow traffic out of a VPC by transit gateways, core networks and VPC peering into another VPC.

A transit gateway looks traffic up in the one route table that is associated with the attachment
the traffic comes from. The most specific route wins; of equally specific ones a static route, then
one for a prefix list, then a propagated one. Without a route the traffic is dropped. A core network
does the same with a route table for each segment and Region.
https://docs.aws.amazon.com/vpc/latest/tgw/how-transit-gateways-work.html
https://docs.aws.amazon.com/network-manager/latest/cloudwan/cloudwan-how-routing-works.html

VPC peering has no transit: a connection carries traffic between its two VPCs only.
https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-basics.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from posture.analysis.addresses import AddressSet
from posture.analysis.central.answers import CentralStep, StepKind, StepStatus
from posture.analysis.central.attachments import ATTACHMENTS, Attachments, is_working
from posture.analysis.central.branches import Branch, Walk, evaluate_other_path
from posture.analysis.central.ends import VpcEnd, get_end
from posture.analysis.central.gateway_tables import build_router, get_plain_router
from posture.analysis.central.unread import describe_unread, find_gap
from posture.analysis.descriptions import describe_addresses
from posture.analysis.detours import list_vpc_blocks
from posture.analysis.identity import cache_by_identity
from posture.analysis.path import Path, PathKind
from posture.analysis.routing import Leg, Router
from posture.model.network import (
    RouteOrigin,
    Subnet,
)
from posture.model.shared_network import (
    AttachmentKind,
    SharedFacet,
    SharedNetwork,
    TransitAttachment,
    TransitRouteTable,
    VpcPeering,
)

MOST_HOPS = 16  # route tables of gateways that traffic is followed through
GATEWAYS = frozenset({PathKind.TRANSIT_GATEWAY, PathKind.CORE_NETWORK})
OUTSIDE = {
    AttachmentKind.VPN: "a VPN connection",
    AttachmentKind.DIRECT_CONNECT: "a Direct Connect gateway",
    AttachmentKind.CONNECT: "a Connect attachment",
    AttachmentKind.CLIENT_VPN: "a Client VPN endpoint",
    AttachmentKind.NETWORK_FUNCTION: "a firewall, whose rules are not read",
}


class Transit:
    """Follows traffic between VPCs; what many VPCs share is computed once."""

    def __init__(self, shared: SharedNetwork) -> None:
        self._shared = shared
        self.attachments = Attachments(shared)
        self._followed: dict[tuple[str, AddressSet, str, bool], tuple[Branch, ...]] = {}
        self._routers: dict[str, Router] = {}
        self._of_endpoints = {
            endpoint_id: vpc_id
            for vpc_id, snapshot in shared.central_vpcs.items()
            for endpoint_id in snapshot.endpoints
        }

    def find_endpoint_vpc(self, endpoint_id: str) -> VpcEnd | None:
        """Find the central VPC of an endpoint."""
        return self.find_end(self._of_endpoints.get(endpoint_id, ""))

    def find_end(self, vpc_id: str) -> VpcEnd | None:
        """Find a central VPC with its analyses."""
        snapshot = self._shared.central_vpcs.get(vpc_id)
        return get_end(snapshot) if snapshot else None

    def trace(
        self, end: VpcEnd, subnet: Subnet, destination: AddressSet, wanted: str, *, back: bool
    ) -> tuple[Branch, ...]:
        """Divide a destination in another VPC by how traffic from a subnet gets there.

        Args:
            end: The VPC of the subnet.
            subnet: The subnet that the traffic comes from.
            destination: Addresses in the other VPC.
            wanted: The id of the other VPC.
            back: Whether this is return traffic.
        """
        walk = Walk(wanted, back)
        return tuple(
            branch
            for path in end.paths.trace(subnet, destination)
            for branch in self._leave(end, subnet, path, walk)
        )

    def _leave(self, end: VpcEnd, subnet: Subnet, path: Path, walk: Walk) -> Iterator[Branch]:
        """Follow traffic out of a VPC by the route of its subnet's route table."""
        if path.route is None or path.kind not in {*GATEWAYS, PathKind.PEERING}:
            yield Branch(path.addresses, (evaluate_other_path(end, path, walk),))
            return
        text = f"{path.table_id} routes {path.route.destination} to {path.target}"
        first = walk.build_step(StepKind.ROUTE, StepStatus.HOLDS, path.table_id, text, end.account)
        if path.kind is PathKind.PEERING:
            step, peering = self._evaluate_peering(end, path.target, walk)
            yield Branch(path.addresses, (first, step), peering, peering)
            return
        gateway_id = _get_gateway_id(path.target)
        onward = self._enter_gateway(end, subnet, gateway_id, path.addresses, walk)
        yield from _put_before((first,), onward)

    def _evaluate_peering(
        self, end: VpcEnd, peering_id: str, walk: Walk
    ) -> tuple[CentralStep, VpcPeering | None]:
        peering = self._shared.peerings.get(peering_id)
        missing, status = "", StepStatus.BROKEN
        if peering is None:
            facets = (SharedFacet.PEERINGS,)
            missing = find_gap(self._shared, facets, peering_id, end.owner)
            status = StepStatus.UNKNOWN if missing else StepStatus.BROKEN
            text = f"{peering_id} {'could not be read' if missing else 'does not exist'}"
        elif not peering.active:
            text = f"{peering_id} is not active"
        else:
            sides = {each.vpc_id for each in (peering.requester, peering.accepter)}
            other = next(iter(sides - {end.vpc_id}), "")
            if sides == {end.vpc_id, walk.wanted}:
                status, text = StepStatus.HOLDS, f"{peering_id} connects {end.vpc_id} with {other}"
            else:
                text = (
                    f"{peering_id} connects {end.vpc_id} with {other}, and VPC peering does not "
                    f"forward traffic on to {walk.wanted}"
                )
        step = walk.build_step(StepKind.PEERING, status, peering_id, text, end.account, missing)
        return step, peering if status is StepStatus.HOLDS else None

    def _enter_gateway(
        self, end: VpcEnd, subnet: Subnet, gateway_id: str, addresses: AddressSet, walk: Walk
    ) -> Iterator[Branch]:
        attachment, found = self.attachments.evaluate(end.snapshot, subnet, gateway_id)
        kind = StepKind.RETURN_ROUTE if walk.back else StepKind.ATTACHMENT
        step = replace(found, kind=kind)
        if attachment is None or step.status is StepStatus.BROKEN:
            yield Branch(addresses, (step,), attachment)
            return
        steps = (step, *self._evaluate_ipv6(attachment, addresses, walk))
        if steps[-1].status is StepStatus.BROKEN:
            yield Branch(addresses, steps, attachment)
            return
        for branch in _put_before(steps, self._look_up(attachment, addresses, walk)):
            yield replace(branch, exit=attachment)

    def _evaluate_ipv6(
        self, attachment: TransitAttachment, addresses: AddressSet, walk: Walk
    ) -> Iterator[CentralStep]:
        if found := self.attachments.evaluate_ipv6(attachment, addresses):
            yield replace(found, kind=StepKind.RETURN_ROUTE) if walk.back else found

    def _look_up(
        self, attachment: TransitAttachment, addresses: AddressSet, walk: Walk
    ) -> tuple[Branch, ...]:
        """Route traffic by the table that is associated with the attachment it comes from."""
        key = (attachment.table_id or attachment.id, addresses, walk.wanted, walk.back)
        if walk.tables:
            return tuple(self._route(attachment, addresses, walk))
        if key not in self._followed:
            self._followed[key] = tuple(self._route(attachment, addresses, walk))
        return self._followed[key]

    def _route(
        self, attachment: TransitAttachment, addresses: AddressSet, walk: Walk
    ) -> Iterator[Branch]:
        owner = self.attachments.find_owner(attachment.gateway_id)
        table_id = attachment.table_id
        table = self._shared.tables.get(table_id or "")

        def build(status: StepStatus, subject: str, text: str, missing: str = "") -> CentralStep:
            return walk.build_step(StepKind.TRANSIT_ROUTE, status, subject, text, owner, missing)

        if table_id == "":
            text = f"{attachment.id} is not associated with a route table"
            kind = StepKind.RETURN_ROUTE if walk.back else StepKind.ATTACHMENT
            step = replace(build(StepStatus.BROKEN, attachment.id, text), kind=kind)
            yield Branch(addresses, (step,))
            return
        if table is None or table.routes is None:
            named = table_id or f"the route table associated with {attachment.id}"
            subject = table_id or attachment.id
            facets = _list_route_facets(attachment.gateway_id)
            missing = describe_unread(self._shared, facets, subject, owner)
            text = f"the routes of {named} could not be read"
            yield Branch(addresses, (build(StepStatus.UNKNOWN, subject, text, missing),))
            return
        if table.id in walk.tables:
            loop = " to ".join((*walk.tables, table.id))
            text = f"the routes form a loop from {loop}"
            yield Branch(addresses, (build(StepStatus.BROKEN, table.id, text),))
            return
        if len(walk.tables) == MOST_HOPS:
            text = f"the traffic is not followed through more than {MOST_HOPS} route tables"
            missing = f"where {table.id} routes it"
            yield Branch(addresses, (build(StepStatus.UNKNOWN, table.id, text, missing),))
            return
        routing = self._find_router(table).route(addresses)
        if routing.unread:
            lists = ", ".join(each.destination for each in routing.unread)
            missing = describe_unread(self._shared, (SharedFacet.PREFIX_LISTS,), lists, owner)
            text = f"the entries of {lists}, which {table.id} routes, could not be read"
            yield Branch(addresses, (build(StepStatus.UNKNOWN, table.id, text, missing),))
            return
        onward = replace(walk, tables=(*walk.tables, table.id))
        for leg in routing.legs:
            yield from self._follow_leg(table, leg, owner, onward)

    def _find_router(self, table: TransitRouteTable) -> Router:
        if table.id not in self._routers:
            by_list = any(each.prefix_list_id for each in table.routes or ())
            self._routers[table.id] = (
                build_router(table, self._shared.prefix_lists)
                if by_list
                else get_plain_router(table)
            )
        return self._routers[table.id]

    def _follow_leg(
        self, table: TransitRouteTable, leg: Leg, owner: str, walk: Walk
    ) -> tuple[Branch, ...]:
        """Follow traffic along each route that it may take."""
        named = describe_addresses(leg.addresses)

        def stop(status: StepStatus, text: str, missing: str = "") -> tuple[Branch, ...]:
            step = walk.build_step(StepKind.TRANSIT_ROUTE, status, table.id, text, owner, missing)
            return (Branch(leg.addresses, (step,)),)

        if not leg.routes:
            return stop(StepStatus.BROKEN, f"{table.id} has no route to {named}")
        choices: list[tuple[Branch, ...]] = []
        for route in leg.routes:
            if route.blackhole:
                text = f"the route {route.destination} of {table.id} is a blackhole"
                choices.append(stop(StepStatus.BROKEN, text))
                continue
            for attachment_id in route.target.id.split():
                origin = "propagated" if route.origin is RouteOrigin.PROPAGATED else "static"
                text = f"{table.id} routes {route.destination} to {attachment_id} ({origin})"
                step = walk.build_step(
                    StepKind.TRANSIT_ROUTE, StepStatus.HOLDS, table.id, text, owner
                )
                onward = self._forward(attachment_id, leg.addresses, owner, walk)
                choices.append(tuple(_put_before((step,), onward)))
        if not choices:
            text = f"the route {leg.routes[0].destination} of {table.id} has no attachment"
            return stop(StepStatus.BROKEN, text)
        if len(choices) == 1 or all(branch.broken for each in choices for branch in each):
            return choices[0]
        targets = " or ".join(dict.fromkeys(" or ".join(it.target.id.split()) for it in leg.routes))
        text = f"{table.id} has equal routes to {named}, by {targets}"
        return stop(StepStatus.UNKNOWN, text, f"by which of them {table.id} sends the traffic")

    def _forward(
        self, attachment_id: str, addresses: AddressSet, owner: str, walk: Walk
    ) -> Iterable[Branch]:
        """Follow traffic out of a gateway by an attachment."""
        attachment = self._shared.attachments.get(attachment_id)

        def stop(status: StepStatus, text: str, missing: str = "") -> tuple[Branch, ...]:
            step = walk.build_step(
                StepKind.TRANSIT_ROUTE, status, attachment_id, text, owner, missing
            )
            return (Branch(addresses, (step,)),)

        if attachment is None:
            facets = (SharedFacet.ATTACHMENTS,)
            missing = describe_unread(self._shared, facets, attachment_id, owner)
            return stop(StepStatus.UNKNOWN, f"{attachment_id} could not be read", missing)
        if not is_working(attachment):
            return stop(StepStatus.BROKEN, f"the state of {attachment_id} is {attachment.state}")
        if attachment.kind is AttachmentKind.PEERING:
            far, missing = self.attachments.find_peer(attachment)
            text = f"the other end of {attachment_id} is not read"
            found = self._look_up(far, addresses, walk) if far else ()
            return found or stop(StepStatus.UNKNOWN, text, missing)
        if attachment.kind is not AttachmentKind.VPC:
            kind = OUTSIDE.get(attachment.kind, "an attachment of an unknown type")
            missing = f"the routes behind {attachment.resource_id or attachment_id}"
            text = f"{attachment_id} leads to {kind}".removesuffix(" ")
            return stop(StepStatus.UNKNOWN, text, missing)
        if attachment.resource_id == walk.wanted:
            steps = tuple(self._evaluate_ipv6(attachment, addresses, walk))
            return (Branch(addresses, steps, entry=attachment),)
        return self._pass_vpc(attachment, addresses, owner, walk)

    def _pass_vpc(
        self, attachment: TransitAttachment, addresses: AddressSet, owner: str, walk: Walk
    ) -> Iterator[Branch]:
        """Follow traffic into a VPC on the way, which has the address itself or inspects traffic.

        What it forwards comes back by an attachment of its own, or through a VPN connection or
        Connect attachment of an appliance.
        https://docs.aws.amazon.com/vpc/latest/tgw/transit-gateway-appliance-scenario.html
        """
        vpc_id = attachment.resource_id
        known, end = self._shared.vpcs.get(vpc_id), self.find_end(vpc_id)
        blocks = list_vpc_blocks(end.snapshot) if end else known.cidrs if known else ()
        inside = addresses & AddressSet.of(blocks)

        def build(status: StepStatus, text: str, missing: str = "") -> CentralStep:
            return walk.build_step(
                StepKind.TRANSIT_ROUTE, status, attachment.id, text, owner, missing
            )

        if inside:
            text = f"{attachment.id} leads to {vpc_id}, which has {describe_addresses(inside)} too"
            yield Branch(inside, (build(StepStatus.BROKEN, text),))
        if not (outside := addresses - inside):
            return
        exits = self.attachments.list_exits(vpc_id)
        found = [self._look_up(each, outside, walk) for each in exits]
        whole = next((each[0] for each in found if len(each) == 1 and each[0].entry), None)
        lost = all(each.broken for branches in found for each in branches)
        bypass = (
            self.attachments.may_bypass(exits)
            or self._is_peered(vpc_id, walk.wanted)
            or find_gap(self._shared, ATTACHMENTS, vpc_id, attachment.resource_owner)
        )
        if lost and not bypass:
            text = f"{attachment.id} leads to {vpc_id}, and no route from there to {walk.wanted}"
            yield Branch(outside, (build(StepStatus.BROKEN, text),))
            return
        missing = f"the firewall rules and route tables of {vpc_id}"
        text = f"{attachment.id} leads through {vpc_id}, whose firewall rules are not read"
        step = build(StepStatus.UNKNOWN, text, missing)
        yield replace(whole, steps=(step, *whole.steps)) if whole else Branch(outside, (step,))

    def _is_peered(self, one: str, other: str) -> bool:
        return any(
            each.active and {each.requester.vpc_id, each.accepter.vpc_id} == {one, other}
            for each in self._shared.peerings.values()
        )


def _put_before(steps: tuple[CentralStep, ...], branches: Iterable[Branch]) -> Iterator[Branch]:
    for each in branches:
        yield replace(each, steps=(*steps, *each.steps))


def _get_gateway_id(target: str) -> str:
    """Return the id of a route's target: a route to a core network has its ARN."""
    return target.rpartition("/")[2]


def _list_route_facets(gateway_id: str) -> tuple[SharedFacet, ...]:
    core = gateway_id.startswith("core-network-")
    return (SharedFacet.CORE_ROUTES,) if core else (SharedFacet.TRANSIT_ROUTES,)


@cache_by_identity(maxsize=4)
def get_transit(shared: SharedNetwork) -> Transit:
    """Return what follows traffic in a shared network, built once for all VPCs that use it."""
    return Transit(shared)
