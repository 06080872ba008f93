"""Whether a subnet reaches an endpoint's network interface on HTTPS, and the answer its way back.

Five gates, and only the first is not ours to see: the workload's own security groups (unless they
are stated), the route out of its subnet, the ACL of its subnet, the ACL of the interface's subnet,
the interface's security groups. Groups keep state, so an answer needs no rule; ACLs and routes do
not.
https://docs.aws.amazon.com/vpc/latest/userguide/infrastructure-security.html

What lies inside the VPC is reached by the local route, unless a middlebox stands in the way: then
what it lets pass is not known here.
https://docs.aws.amazon.com/vpc/latest/userguide/route-table-options.html#route-tables-middlebox-routing
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from ipaddress import ip_network

from posture.analysis.acls import AclDenials, find_denials, find_unrestricted_versions
from posture.analysis.addresses import IPV4, IPV6, NOTHING, AddressSet
from posture.analysis.admission import AllowedPeers, find_allowed_peers
from posture.analysis.detours import Detour, find_detours, list_vpc_blocks
from posture.analysis.gates import (
    HTTPS,
    Gate,
    Obstacle,
    find_acl_obstacles,
    find_outbound_acl_obstacles,
)
from posture.analysis.reach import Reach
from posture.analysis.routing import find_route_table
from posture.model.network import (
    NetworkAcl,
    NetworkInterface,
    Snapshot,
    Subnet,
)

FAMILIES = {4: IPV4, 6: IPV6}


class Reachability:
    """Who reaches what inside one VPC; what subnets and interfaces share is worked out once."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._acls = {
            subnet_id: acl for acl in snapshot.network_acls.values() for subnet_id in acl.subnet_ids
        }
        self._open = {
            acl.id: find_unrestricted_versions(acl) for acl in snapshot.network_acls.values()
        }
        self._admitted: dict[tuple[str, ...], AllowedPeers] = {}
        self._sources: dict[tuple[str, frozenset[int]], AddressSet] = {}
        self._detour: dict[str, tuple[Detour, ...]] = {}
        self._gates: dict[str, tuple[str, str]] = {}
        self._closed: dict[str, AclDenials] = {}
        self._places: dict[str, AddressSet] = {}
        self._towards: dict[tuple[str, AddressSet], tuple[Obstacle, ...]] = {}
        self._lists = snapshot.prefix_lists

    def evaluate(
        self,
        subnet: Subnet,
        interface: NetworkInterface,
        workload_groups: frozenset[str] = frozenset(),
    ) -> Reach:
        """Tell whether a subnet's addresses reach an interface on TCP 443, and answers come back.

        Args:
            subnet: Where the workload is.
            interface: One of an endpoint's.
            workload_groups: The security groups of the workload, as far as they are stated: what
                the endpoint admits by one of them is admitted, and their own egress rules are
                asked. Unstated ones are taken to let everything out, as groups do unless somebody
                changed them.
        """
        sources = self._from(subnet, interface)
        left = sources
        stops = list(self._stops(subnet, interface, sources))
        if workload_groups:
            stops += self._held_back(workload_groups, interface, sources)
        for stopped in stops:
            if stopped.ports is None:
                left -= stopped.addresses
        admitted = self._admits(interface.security_group_ids)
        by_group = workload_groups & admitted.groups
        held = NOTHING if by_group else left - admitted.addresses
        if held:
            by = ", ".join(interface.security_group_ids) or "no security group"
            stops.append(Obstacle(held, Gate.GROUP, by, "no rule admits them on 443"))
        open_question = admitted.groups or admitted.unread
        return Reach(
            interface=interface,
            sources=sources,
            reaching=left - held,
            stopped=sources - left if open_question else sources - (left - held),
            obstacles=tuple(stops),
            groups=admitted.groups if held else frozenset(),
            unread=(*(admitted.unread if held else ()), *self._missing(subnet, interface)),
        )

    def residue(self, subnet: Subnet, interface: NetworkInterface) -> AddressSet | None:
        """Give the addresses of which something stands between a subnet's gates and an interface.

        Whatever subnet has none of them, and the same gates, reaches it without any obstacle. It is
        the quick answer for the many; what is in it need not be stopped, and None is not known.
        """
        here, there = self._acls.get(subnet.id), self._acls.get(interface.subnet_id)
        if here is None or there is None:
            return None
        target = self.find_addresses(interface)
        near, far = self._closed_to(here), self._closed_to(there)
        ahead = (near.out, near.back_in, *(each.addresses for each in self._look(subnet.id)))
        if not all(target.isdisjoint(each) for each in ahead):
            return None
        behind = (each.addresses for each in self._look(interface.subnet_id))
        admitted = self._admits(interface.security_group_ids).addresses
        return AddressSet.union([far.into, far.back_out, self.inside - admitted, *behind])

    @cached_property
    def inside(self) -> AddressSet:
        """All addresses that the VPC's subnets and endpoints can have."""
        subnets = (block for each in self._snapshot.subnets.values() for block in each.blocks)
        return AddressSet.of((*list_vpc_blocks(self._snapshot), *subnets))

    def gates(self, subnet: Subnet) -> tuple[str, str]:
        """Name a subnet's gates: those of one name are alike for whatever is inside the VPC."""
        if subnet.id not in self._gates:
            acl, found = self._acls.get(subnet.id), self._look(subnet.id)
            detoured = ",".join(f"{it.table_id} {it.words}" for it in found)
            self._gates[subnet.id] = acl.id if acl else subnet.id, detoured
        return self._gates[subnet.id]

    def _closed_to(self, acl: NetworkAcl) -> AclDenials:
        if acl.id not in self._closed:
            self._closed[acl.id] = find_denials(acl, self.inside, HTTPS)
        return self._closed[acl.id]

    def find_addresses(self, interface: NetworkInterface) -> AddressSet:
        """Give an interface's addresses; where they are none of its subnet's, all of those.

        AWS gives an interface no address outside its subnet; emulators do.
        """
        if interface.id not in self._places:
            told = AddressSet.of(map(ip_network, interface.addresses))
            subnet = self._snapshot.subnets.get(interface.subnet_id)
            versions = {address.version for address in interface.addresses}
            blocks = subnet.blocks if subnet else ()
            room = AddressSet.of(block for block in blocks if block.version in versions)
            self._places[interface.id] = told if not room or room >= told else room
        return self._places[interface.id]

    def find_outbound_obstacles(
        self, subnet: Subnet, destinations: AddressSet
    ) -> tuple[Obstacle, ...] | None:
        """Give what a subnet's ACL stops of destinations outside the VPC; None if it is unknown."""
        acl = self._acls.get(subnet.id)
        if acl is None:
            return None
        key = acl.id, destinations
        if key not in self._towards:
            closed = (FAMILIES[it] for it in FAMILIES if it not in self._open[acl.id])
            wanted = (destinations & family for family in closed)
            self._towards[key] = tuple(
                stop for each in wanted if each for stop in find_outbound_acl_obstacles(acl, each)
            )
        return self._towards[key]

    def find_acl(self, subnet_id: str) -> NetworkAcl | None:
        """Give the network ACL that guards a subnet."""
        return self._acls.get(subnet_id)

    def _admits(self, ids: tuple[str, ...]) -> AllowedPeers:
        if ids not in self._admitted:
            known = self._snapshot.security_groups
            found = find_allowed_peers(
                (known[each] for each in ids if each in known), self._snapshot.prefix_lists
            )
            lost = tuple(f"the security group {each}" for each in ids if each not in known)
            self._admitted[ids] = replace(found, unread=(*found.unread, *lost))
        return self._admitted[ids]

    def _from(self, subnet: Subnet, interface: NetworkInterface) -> AddressSet:
        """Give the subnet's addresses of the families the interface answers to."""
        return self.addresses(subnet, frozenset(each.version for each in interface.addresses))

    def addresses(self, subnet: Subnet, versions: frozenset[int]) -> AddressSet:
        """Give a subnet's addresses of these IP versions."""
        key = subnet.id, versions
        if key not in self._sources:
            self._sources[key] = AddressSet.of(
                block for block in subnet.blocks if block.version in versions
            )
        return self._sources[key]

    def _missing(self, subnet: Subnet, interface: NetworkInterface) -> tuple[str, ...]:
        """Name what is on the way and not known; inside one subnet there is nothing."""
        if subnet.id == interface.subnet_id:
            return ()
        acls = (
            f"the network ACL of {each}"
            for each in (subnet.id, interface.subnet_id)
            if each not in self._acls
        )
        passing = (
            f"what becomes of it at {each.words}"
            for _, _, each in self._detours(subnet, interface)
            if not each.certain
        )
        return (*acls, *dict.fromkeys(passing))

    def _stops(
        self, subnet: Subnet, interface: NetworkInterface, sources: AddressSet
    ) -> Iterator[Obstacle]:
        """Give what routes and ACLs stop, there and back; nothing inside one subnet."""
        if subnet.id == interface.subnet_id:
            return
        for gate, addresses, each in self._detours(subnet, interface):
            if each.certain:
                stopped = addresses if gate is Gate.BACK_ROUTE else sources
                yield Obstacle(stopped, gate, each.table_id, each.words)
        here, there = self._acls.get(subnet.id), self._acls.get(interface.subnet_id)
        acls = [acl for acl in (here, there) if acl]
        versions = {address.version for address in interface.addresses}
        closed = {it for it in versions if any(it not in self._open[acl.id] for acl in acls)}
        if not closed:
            return
        target = self.find_addresses(interface)
        for version in sorted(closed):
            senders, receiver = sources & FAMILIES[version], target & FAMILIES[version]
            if senders and receiver:
                yield from find_acl_obstacles(here, there, senders, receiver)

    def _detours(
        self, subnet: Subnet, interface: NetworkInterface
    ) -> Iterator[tuple[Gate, AddressSet, Detour]]:
        """Give the detours on the way to an interface and on the way back."""
        there = self._look(subnet.id)
        if there:
            target = self.find_addresses(interface)
            yield from ((Gate.ROUTE, target, each) for each in there if each.addresses & target)
        back = self._look(interface.subnet_id)
        if back:
            sources = self._from(subnet, interface)
            for each in back:
                if turned := each.addresses & sources:
                    yield Gate.BACK_ROUTE, turned, each

    def _look(self, subnet_id: str) -> tuple[Detour, ...]:
        """Give the detours out of a subnet, worked out once a route table."""
        if subnet_id not in self._detour:
            table = find_route_table(self._snapshot, subnet_id)
            key = table.id if table else ""
            if key not in self._detour:
                self._detour[key] = find_detours(self._snapshot, table)
            self._detour[subnet_id] = self._detour[key]
        return self._detour[subnet_id]

    def _held_back(
        self, groups: frozenset[str], interface: NetworkInterface, sources: AddressSet
    ) -> Iterator[Obstacle]:
        """Give what a workload's own groups do not let out to an interface."""
        known = self._snapshot.security_groups
        if not groups <= known.keys():
            return
        target = self.find_addresses(interface)
        let = find_allowed_peers((known[each] for each in sorted(groups)), self._lists, egress=True)
        to_group = let.groups & frozenset(interface.security_group_ids)
        kept = NOTHING if to_group or let.unread else target - let.addresses
        for family in FAMILIES.values():
            if kept & family and (held := sources & family):
                by = ", ".join(sorted(groups))
                yield Obstacle(held, Gate.WORKLOAD, by, "no egress rule lets them out to 443")
