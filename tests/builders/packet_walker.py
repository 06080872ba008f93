"""A walker that carries one packet between VPCs, hop by hop, and its answer back.

It has one source address, one destination address and two ports, and knows nothing of sets. It
shares no code with the analysis that it checks.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from posture.model.network import (
    Address,
    NetworkAcl,
    Route,
    RouteOrigin,
    Snapshot,
    Subnet,
    TargetKind,
)
from posture.model.shared_network import (
    AttachmentKind,
    SharedNetwork,
    TransitAttachment,
    TransitRoute,
)

MOST_HOPS = 40


class Fate(StrEnum):
    """What becomes of a packet."""

    ARRIVES = "arrives"
    LOST = "lost"
    UNKNOWN = "unknown"  # it leaves what is known


@dataclass(frozen=True)
class Place:
    """A subnet and an address in it."""

    vpc_id: str
    subnet_id: str
    address: Address


@dataclass(frozen=True)
class Walker:
    """Carries packets over a network."""

    snapshots: Mapping[str, Snapshot]
    shared: SharedNetwork

    def ask(
        self, client: Place, server: Place, groups: tuple[str, ...], ports: tuple[int, int]
    ) -> set[Fate]:
        """Send a request and its answer; return each fate that is possible.

        `ports` are those of the client and the server, `groups` the server's security groups.
        """
        client_port, server_port = ports
        there = {
            fate
            if fate is not Fate.ARRIVES or self._admits(server, groups, client, server_port)
            else Fate.LOST
            for fate in self._carry(client, server, server_port)
        }
        back = set(self._carry(server, client, client_port))
        return {self._join(one, other) for one in there for other in back}

    @staticmethod
    def _join(there: Fate, back: Fate) -> Fate:
        if Fate.LOST in {there, back}:
            return Fate.LOST
        return Fate.UNKNOWN if Fate.UNKNOWN in {there, back} else Fate.ARRIVES

    def _admits(self, server: Place, groups: tuple[str, ...], client: Place, port: int) -> bool:
        known = self.snapshots[server.vpc_id].security_groups
        return any(
            rule.cidr is not None
            and client.address in rule.cidr
            and (rule.from_port is None or rule.from_port <= port <= (rule.to_port or 0))
            for each in groups
            for rule in known[each].ingress
        )

    def _carry(self, start: Place, end: Place, port: int) -> Iterator[Fate]:
        """Carry a packet from one place to the other; yield each fate that is possible."""
        snapshot = self.snapshots[start.vpc_id]
        subnet = snapshot.subnets[start.subnet_id]
        route = _find_route(snapshot, subnet.id, end.address)
        if (
            not self._passes(start.vpc_id, subnet.id, end.address, port, egress=True)
            or route is None
            or route.blackhole
            or route.target.kind is TargetKind.LOCAL
        ):
            yield Fate.LOST
        elif route.target.kind is TargetKind.PEERING:
            yield self._cross_peering(route.target.id, start, end, port)
        elif route.target.kind in {TargetKind.TRANSIT_GATEWAY, TargetKind.CORE_NETWORK}:
            attachment = self._find_attachment(route.target.id, start.vpc_id, subnet)
            entered = attachment and self._enters(attachment, start, port)
            yield from self._forward(attachment, start, end, port) if entered else [Fate.LOST]
        else:
            yield Fate.UNKNOWN

    def _cross_peering(self, peering_id: str, start: Place, end: Place, port: int) -> Fate:
        peering = self.shared.peerings[peering_id]
        sides = {peering.requester.vpc_id, peering.accepter.vpc_id}
        arrives = peering.active and sides == {start.vpc_id, end.vpc_id}
        passes = self._passes(end.vpc_id, end.subnet_id, start.address, port, egress=False)
        return Fate.ARRIVES if arrives and passes else Fate.LOST

    def _find_attachment(
        self, gateway_id: str, vpc_id: str, subnet: Subnet
    ) -> TransitAttachment | None:
        """Find the attachment that takes the packet of a subnet: it must be in the same zone."""
        for each in self.shared.attachments.values():
            if (each.gateway_id, each.resource_id, each.state) == (gateway_id, vpc_id, "available"):
                subnets = self.snapshots[vpc_id].subnets
                if any(subnets[it].zone == subnet.zone for it in each.subnet_ids):
                    return each
        return None

    def _enters(self, attachment: TransitAttachment, start: Place, port: int) -> bool:
        """Return whether the ACL of the attachment's subnet lets the packet into the gateway."""
        subnets = self.snapshots[start.vpc_id].subnets
        zone = subnets[start.subnet_id].zone
        via = next(each for each in attachment.subnet_ids if subnets[each].zone == zone)
        if start.subnet_id in attachment.subnet_ids:
            via = start.subnet_id
        return self._passes(start.vpc_id, via, start.address, port, egress=False)

    def _forward(
        self, attachment: TransitAttachment | None, start: Place, end: Place, port: int
    ) -> Iterator[Fate]:
        """Carry the packet from gateway to gateway until it enters a VPC."""
        for _ in range(MOST_HOPS):
            table = self.shared.tables.get((attachment and attachment.table_id) or "")
            route = self._look_up(table.routes or (), end.address) if table else None
            if route is None or route.blackhole or not route.attachment_ids:
                yield Fate.LOST
                return
            attachment = self.shared.attachments.get(route.attachment_ids[0])
            if attachment is None or attachment.state != "available":
                yield Fate.LOST
                return
            if attachment.kind is AttachmentKind.VPC:
                yield from self._arrive(attachment, start, end, port)
                return
            if attachment.kind is not AttachmentKind.PEERING or not attachment.peer:
                yield Fate.UNKNOWN
                return
            attachment = self.shared.attachments[attachment.peer.attachment_id]
        yield Fate.LOST

    def _look_up(self, routes: tuple[TransitRoute, ...], address: Address) -> TransitRoute | None:
        best: tuple[int, int] | None = None
        found = None
        for route in routes:
            lists = self.shared.prefix_lists
            cidrs = [route.cidr] if route.cidr else lists[route.prefix_list_id or ""].cidrs or ()
            for cidr in cidrs:
                rank = (cidr.prefixlen, 0 if not route.static else 1 if not route.cidr else 2)
                if address in cidr and (best is None or rank > best):
                    best, found = rank, route
        return found

    def _arrive(
        self, attachment: TransitAttachment, start: Place, end: Place, port: int
    ) -> Iterator[Fate]:
        """Carry the packet from the attachment's subnet to its destination."""
        if attachment.resource_id != end.vpc_id:
            yield self._pass(attachment, end)
            return
        snapshot, origin = self.snapshots[end.vpc_id], self.snapshots[start.vpc_id]
        zone = origin.subnets[start.subnet_id].zone
        entries = list(attachment.subnet_ids)
        same = [each for each in entries if snapshot.subnets[each].zone == zone]
        if same and snapshot.scope.account == origin.scope.account:
            entries = same
        for each in entries:
            passes = each == end.subnet_id or (
                self._passes(end.vpc_id, each, end.address, port, egress=True)
                and self._passes(end.vpc_id, end.subnet_id, start.address, port, egress=False)
            )
            yield Fate.ARRIVES if passes else Fate.LOST

    def _pass(self, attachment: TransitAttachment, end: Place) -> Fate:
        """Carry the packet into another VPC, which has the address or may forward it."""
        cidrs = self.snapshots[attachment.resource_id].vpc.cidrs
        return Fate.LOST if any(end.address in each for each in cidrs) else Fate.UNKNOWN

    def _passes(
        self, vpc_id: str, subnet_id: str, peer: Address, port: int, *, egress: bool
    ) -> bool:
        acl = next(
            each
            for each in self.snapshots[vpc_id].network_acls.values()
            if subnet_id in each.subnet_ids
        )
        return _allows(acl, peer, port, egress=egress)


def _allows(acl: NetworkAcl, peer: Address, port: int, *, egress: bool) -> bool:
    for entry in sorted(acl.entries, key=lambda each: each.number):
        first, last = entry.from_port or 0, 65535 if entry.to_port is None else entry.to_port
        if entry.egress is egress and peer in entry.cidr and first <= port <= last:
            return entry.allow
    return False


def _find_route(snapshot: Snapshot, subnet_id: str, address: Address) -> Route | None:
    tables = snapshot.route_tables.values()
    own = [each for each in tables if subnet_id in each.subnet_ids]
    table = own[0] if own else next(each for each in tables if each.main)
    found: Route | None = None
    for route in table.routes:
        if route.cidr is None or address not in route.cidr:
            continue
        if (
            found is None
            or found.cidr is None
            or route.cidr.prefixlen > found.cidr.prefixlen
            or (route.cidr == found.cidr and found.origin is RouteOrigin.PROPAGATED)
        ):
            found = route
    return found
