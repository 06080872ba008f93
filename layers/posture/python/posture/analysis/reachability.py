"""Evaluate whether a subnet reaches an endpoint's network interface on HTTPS, there and back.

Five gates decide: the security groups of the workload (unknown unless stated), the route table and
the network ACL of its subnet, the network ACL of the interface's subnet, and the interface's
security groups. Security groups are stateful; return traffic needs no rule. ACLs and routes apply
to return traffic as well.
https://docs.aws.amazon.com/vpc/latest/userguide/infrastructure-security.html

The local route delivers traffic inside the VPC unless a middlebox is in between; which traffic it
forwards is not known.
https://docs.aws.amazon.com/vpc/latest/userguide/route-table-options.html#route-tables-middlebox-routing
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import product

from posture.analysis.acls import find_denied_peers, partition_by_entry
from posture.analysis.addresses import FAMILIES, IPV4, NOTHING, TO_NAT64, AddressSet
from posture.analysis.detours import Detour, find_detours, list_vpc_blocks
from posture.analysis.gates import (
    HTTPS,
    Gate,
    Obstacle,
    find_egress_obstacles,
    list_acl_gates,
)
from posture.analysis.reach import PortRange, Reach
from posture.analysis.routing import find_nat64_routes, find_route_table, may_use_nat64
from posture.analysis.security_groups import AllowedPeers, find_allowed_peers
from posture.analysis.vpc_gates import VpcGates
from posture.model.network import Address, NetworkAcl, NetworkInterface, Snapshot, Subnet

# The addresses of a block that EC2 assigns to no interface:
# https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html
RESERVED = (0, 1, 2, 3, -1)
MOST_NAMED = 3
EVALUATION = 40  # of a subnet and an interface, in comparisons of one rule
HTTP = 80  # S3 and DynamoDB answer on it as well


class Reachability:
    """Evaluates reachability inside one VPC; what subnets and interfaces share is computed once."""

    def __init__(
        self,
        snapshot: Snapshot,
        ports: PortRange = (HTTPS, HTTPS),
        other: Reachability | None = None,
    ) -> None:
        """Evaluate TCP ports that every security group and network ACL treats alike.

        What does not depend on the ports is shared with the reachability on `other` ports, and so
        is the limit on work.
        """
        self._snapshot = snapshot
        self._ports = ports
        self._port = ports[0]
        self._named = f"port {ports[0]}" if ports[0] == ports[1] else "these ports"
        self._allowed: dict[tuple[str, ...], AllowedPeers] = {}
        self._refused: dict[tuple[str, ...], AddressSet] = {}
        self._denied: dict[tuple[str, bool], AddressSet | None] = {}
        self._gates: VpcGates = other._gates if other else VpcGates(snapshot)  # noqa: SLF001 - own class
        self._acls = self._gates.acls
        self._unrestricted = self._gates.unrestricted

    def evaluate(
        self,
        subnet: Subnet,
        interface: NetworkInterface,
        workload_groups: frozenset[str] = frozenset(),
    ) -> Reach:
        """Evaluate whether a subnet reaches an interface on the TCP port, and return traffic does.

        Args:
            subnet: The subnet of the workload.
            interface: An interface of an endpoint.
            workload_groups: The ids of the workload's security groups, if known. The endpoint's
                rules that reference one of them apply, and so do their own outbound rules. Without
                them, all outbound traffic is assumed to be allowed, which is AWS's default.
        """
        found = [
            self._evaluate_at(subnet, each, workload_groups)
            for each in self.list_candidates(subnet, interface, workload_groups)
        ]
        return found[0] if len(found) == 1 else _merge_reach(interface, found)

    def _evaluate_at(
        self, subnet: Subnet, interface: NetworkInterface, workload_groups: frozenset[str]
    ) -> Reach:
        sources = self._find_sources(subnet, interface)
        allowed = self._find_allowed_peers(interface.security_group_ids)
        by_acls = self._find_acl_obstacles(subnet, interface, sources)
        if by_acls is None or not self._gates.work.take(
            EVALUATION, self._name_rules(interface.security_group_ids)
        ):
            unread = (self._gates.work.describe_costly(),)
            return Reach(interface, sources, NOTHING, unread=unread, ports=(self._ports,))
        left = sources
        obstacles = [*self._find_route_obstacles(subnet, interface, sources), *by_acls]
        if workload_groups:
            obstacles += self._find_workload_obstacles(workload_groups, interface, sources)
        for each in obstacles:
            if each.ports is None:
                left -= each.addresses
        denied = NOTHING if workload_groups & allowed.groups else left - allowed.addresses
        if denied:
            by = ", ".join(interface.security_group_ids) or "no security group"
            rule = f"no inbound rule allows {self._named}"
            obstacles.append(Obstacle(denied, Gate.GROUP, by, rule))
        may_be_allowed = allowed.groups or allowed.unread
        return Reach(
            interface=interface,
            sources=sources,
            reaching=left - denied,
            stopped=sources - left if may_be_allowed else sources - (left - denied),
            obstacles=tuple(obstacles),
            groups=allowed.groups if denied else frozenset(),
            unread=(*(allowed.unread if denied else ()), *self._list_unread(subnet, interface)),
            ports=(self._ports,),
        )

    def list_candidates(
        self,
        subnet: Subnet | None,
        interface: NetworkInterface,
        workload_groups: frozenset[str] = frozenset(),
    ) -> tuple[NetworkInterface, ...]:
        """List an interface with each address that it may get, as far as gates tell them apart.

        An answer is certain only if it holds for all of them. Without a subnet, the gates of the
        interface's own subnet count.
        """
        if not interface.unknown_versions:
            return (interface,)
        cutters = tuple(self._list_cutters(subnet, interface, workload_groups))
        choices = [
            _split_addresses(self.find_addresses(interface) & FAMILIES[each.version], cutters)
            if each.version in interface.unknown_versions
            else (each,)
            for each in interface.addresses
        ]
        return tuple(
            replace(interface, addresses=addresses, unknown_versions=frozenset())
            for addresses in product(*choices)
        )

    def _list_cutters(
        self,
        subnet: Subnet | None,
        interface: NetworkInterface,
        workload_groups: frozenset[str],
    ) -> Iterator[AddressSet]:
        """List the sets of addresses that the gates on the way to an interface tell apart."""
        for each in {interface.subnet_id, subnet.id if subnet else interface.subnet_id}:
            if acl := self._acls.get(each):
                yield from (AddressSet.of([entry.cidr]) for entry in acl.entries)
            yield from (detour.addresses for detour in self.find_subnet_detours(each))
        if workload_groups:
            yield self.find_allowed_destinations(workload_groups).addresses

    def find_obstructed(self, subnet: Subnet, interface: NetworkInterface) -> AddressSet | None:
        """Return the addresses that may be blocked between a subnet's gates and an interface.

        Any subnet with the same gates and none of these addresses reaches the interface without
        obstacles. This is the quick answer for most subnets; addresses in the set may still reach
        it. None means unknown.
        """
        here, there = self._acls.get(subnet.id), self._acls.get(interface.subnet_id)
        if here is None or there is None:
            return None
        target = self.find_addresses(interface)
        detours = (each.addresses for each in self.find_subnet_detours(subnet.id))
        outward = self._find_denied(here, outbound=True)
        if outward is None or not all(target.isdisjoint(each) for each in (outward, *detours)):
            return None
        behind = (each.addresses for each in self.find_subnet_detours(interface.subnet_id))
        denied = self._find_denied(there, outbound=False)
        if denied is None:
            return None
        refused = self._find_refused(interface.security_group_ids)
        return AddressSet.union([denied, refused, *behind])

    @cached_property
    def vpc_addresses(self) -> AddressSet:
        """All addresses that the VPC's subnets and endpoints can have."""
        subnets = (block for each in self._snapshot.subnets.values() for block in each.blocks)
        return AddressSet.of((*list_vpc_blocks(self._snapshot), *subnets))

    def get_gate_key(self, subnet: Subnet) -> tuple[str, str]:
        """Return a key of the subnet's gates; subnets with equal keys are treated alike."""
        if subnet.id not in self._gates.gate_keys:
            acl, detours = self._acls.get(subnet.id), self.find_subnet_detours(subnet.id)
            detoured = ",".join(f"{it.table_id} {it.description}" for it in detours)
            self._gates.gate_keys[subnet.id] = acl.id if acl else subnet.id, detoured
        return self._gates.gate_keys[subnet.id]

    def _find_denied(self, acl: NetworkAcl, *, outbound: bool) -> AddressSet | None:
        """Find the addresses of the VPC that an ACL denies; None if that is too much work."""
        key = acl.id, outbound
        if key not in self._denied:
            inside = AddressSet.union(self._list_filtered(acl, self.vpc_addresses))
            denied: AddressSet | None = NOTHING
            if inside:
                denied = (
                    find_denied_peers(acl, inside, self._port, outbound=outbound)
                    if self._gates.allows_returning(acl)
                    else None
                )
            self._denied[key] = denied
        return self._denied[key]

    def _list_filtered(self, acl: NetworkAcl, addresses: AddressSet) -> list[AddressSet]:
        """List the addresses of each IP version of which an ACL does not allow all traffic."""
        filtered = (FAMILIES[it] for it in FAMILIES if not self.is_unrestricted(acl, it))
        return [part for family in filtered if (part := addresses & family)]

    def _find_refused(self, groups: tuple[str, ...]) -> AddressSet:
        """Find the addresses of the VPC that security groups do not allow."""
        if groups not in self._refused:
            allowed = self._find_allowed_peers(groups).addresses
            self._refused[groups] = self.vpc_addresses - allowed
        return self._refused[groups]

    def find_addresses(self, interface: NetworkInterface) -> AddressSet:
        """Return an interface's addresses, or its subnet's if the subnet does not contain them.

        AWS assigns no addresses outside the subnet; emulators do. An address that is not known yet
        may be any usable one of the subnet.
        """
        key = interface.id, interface.addresses
        if interface.unknown_versions:
            return self._find_usable(interface)
        if key not in self._gates.addresses:
            own = AddressSet.of_hosts(interface.addresses)
            subnet = self._snapshot.subnets.get(interface.subnet_id)
            possible = self._find_sources(subnet, interface) if subnet else NOTHING
            self._gates.addresses[key] = own if not possible or possible >= own else possible
        return self._gates.addresses[key]

    def _find_usable(self, interface: NetworkInterface) -> AddressSet:
        known = AddressSet.of_hosts(
            each for each in interface.addresses if each.version not in interface.unknown_versions
        )
        subnet = self._snapshot.subnets.get(interface.subnet_id)
        blocks = [
            each
            for each in (subnet.blocks if subnet else ())
            if each.version in interface.unknown_versions
        ]
        reserved = {block[offset] for block in blocks for offset in RESERVED}
        return known | (AddressSet.of(blocks) - AddressSet.of_hosts(reserved))

    def find_outbound_obstacles(
        self, subnet: Subnet, destinations: AddressSet
    ) -> tuple[Obstacle, ...] | None:
        """Find what a subnet's ACL blocks of destinations outside the VPC; None if unknown."""
        acl = self._acls.get(subnet.id)
        if acl is None:
            return None
        key = acl.id, destinations
        if key not in self._gates.outbound:
            parts = self._list_filtered(acl, destinations)
            if parts and not self._gates.allows_returning(acl):
                return None
            self._gates.outbound[key] = tuple(
                found for part in parts for found in find_egress_obstacles(acl, part)
            )
        return self._gates.outbound[key]

    def find_stopped(self, subnet: Subnet, destinations: AddressSet) -> AddressSet:
        """Return the destinations to which a subnet's ACL lets neither HTTPS nor HTTP requests."""
        obstacles = self.find_outbound_obstacles(subnet, destinations) or ()
        stopped = AddressSet.union(it.addresses for it in obstacles if it.gate is Gate.OUT)
        if not stopped:
            return NOTHING
        decisions = partition_by_entry(self._acls[subnet.id], stopped, HTTP, egress=True)
        return AddressSet.union(each.addresses for each in decisions if not each.allowed)

    def find_allowed_destinations(self, groups: frozenset[str]) -> AllowedPeers:
        """Find what the outbound rules of a workload's security groups allow on the port."""
        known = self._snapshot.security_groups
        own = (known[each] for each in sorted(groups) if each in known)
        lists, port = self._snapshot.prefix_lists, self._port
        found = find_allowed_peers(own, lists, egress=True, port=port)
        missing = tuple(f"the security group {each}" for each in sorted(groups - known.keys()))
        return replace(found, unread=(*found.unread, *missing))

    @property
    def spent_units(self) -> int:
        """The work on security groups and network ACLs so far."""
        return self._gates.work.spent

    def describe_costly(self) -> str:
        """Describe what takes more work than the limit."""
        return self._gates.work.describe_costly()

    def is_unrestricted(self, acl: NetworkAcl, version: int) -> bool:
        """Return whether an ACL allows all traffic of an IP version, as a default one does."""
        return version in self._unrestricted[acl.id]

    def find_acl(self, subnet_id: str) -> NetworkAcl | None:
        """Find the network ACL of a subnet."""
        return self._acls.get(subnet_id)

    def _find_allowed_peers(self, ids: tuple[str, ...]) -> AllowedPeers:
        known = self._snapshot.security_groups
        if ids not in self._allowed:
            work = self._gates.work
            if not work.take(self._count_rules(ids), self._name_rules(ids)):
                return AllowedPeers(NOTHING, unread=(work.describe_costly(),))
            groups = [known[each] for each in ids if each in known]
            found = find_allowed_peers(groups, self._snapshot.prefix_lists, port=self._port)
            missing = tuple(f"the security group {each}" for each in ids if each not in known)
            self._allowed[ids] = replace(found, unread=(*found.unread, *missing))
        return self._allowed[ids]

    def _count_rules(self, ids: Iterable[str]) -> int:
        known = self._snapshot.security_groups
        return sum(len(known[each].ingress) for each in ids if each in known)

    def _name_rules(self, ids: Sequence[str]) -> str:
        few = ", ".join(ids[:MOST_NAMED]) + (" and others" if len(ids) > MOST_NAMED else "")
        return f"the {self._count_rules(ids)} inbound rules of {few}"

    def _find_sources(self, subnet: Subnet, interface: NetworkInterface) -> AddressSet:
        """Return the subnet's addresses of the interface's IP versions."""
        return self.find_sources(subnet, frozenset(each.version for each in interface.addresses))

    def find_sources(self, subnet: Subnet, versions: frozenset[int]) -> AddressSet:
        """Return a subnet's addresses of these IP versions."""
        key = subnet.id, versions
        if key not in self._gates.sources:
            self._gates.sources[key] = AddressSet.of(
                block for block in subnet.blocks if block.version in versions
            )
        return self._gates.sources[key]

    def _list_unread(self, subnet: Subnet, interface: NetworkInterface) -> tuple[str, ...]:
        """List what is not known about ACLs and routes, which do not apply inside one subnet."""
        if self._may_translate(subnet, interface):
            return ("whether a NAT gateway translates the traffic to it (NAT64)",)
        if subnet.id == interface.subnet_id or not self._find_sources(subnet, interface):
            return ()
        acls = (
            f"the network ACL of {each}"
            for each in (subnet.id, interface.subnet_id)
            if each not in self._acls
        )
        detours = self._list_detours(subnet, interface)
        unknown = (each.description for _, _, each in detours if not each.dropped)
        return (*acls, *dict.fromkeys(unknown))

    def _may_translate(self, subnet: Subnet, interface: NetworkInterface) -> bool:
        """Return whether NAT64 may lead an IPv6 subnet to an interface that has IPv4 only."""
        if self._find_sources(subnet, interface) or not may_use_nat64(subnet):
            return False
        table = find_route_table(self._snapshot, subnet.id)
        target = (self.find_addresses(interface) & IPV4).shift(TO_NAT64)
        lists = self._snapshot.prefix_lists
        return table is not None and bool(find_nat64_routes(table, lists) & target)

    def _find_route_obstacles(
        self, subnet: Subnet, interface: NetworkInterface, sources: AddressSet
    ) -> Iterator[Obstacle]:
        """Find what routes block, there and back; nothing inside one subnet."""
        if subnet.id == interface.subnet_id:
            return
        for gate, addresses, each in self._list_detours(subnet, interface):
            if each.dropped:
                blocked = addresses if gate is Gate.BACK_ROUTE else sources
                yield Obstacle(blocked, gate, each.table_id, each.description)

    def _find_acl_obstacles(
        self, subnet: Subnet, interface: NetworkInterface, sources: AddressSet
    ) -> list[Obstacle] | None:
        """Find what ACLs block, there and back; nothing inside one subnet. None: too much work."""
        found: list[Obstacle] = []
        if subnet.id == interface.subnet_id:
            return found
        here, there = self._acls.get(subnet.id), self._acls.get(interface.subnet_id)
        target = self.find_addresses(interface)
        for version in sorted({address.version for address in interface.addresses}):
            if all(version in self._unrestricted[acl.id] for acl in (here, there) if acl):
                continue
            senders, receiver = sources & FAMILIES[version], target & FAMILIES[version]
            if senders and receiver:
                blocked = self.find_acl_obstacles(here, there, senders, receiver, self._port)
                if blocked is None:
                    return None
                found += blocked
        return found

    def find_acl_obstacles(
        self,
        here: NetworkAcl | None,
        there: NetworkAcl | None,
        sources: AddressSet,
        target: AddressSet,
        port: int,
    ) -> list[Obstacle] | None:
        """Find what the ACLs of two subnets block of requests to a port and of the return traffic.

        Args:
            here: The network ACL of the sources' subnet, if known.
            there: The network ACL of the target's subnet, if known.
            sources: The addresses of the clients.
            target: The addresses of the interface, of the same IP version.
            port: The TCP port of the service.

        Returns:
            None if it takes more work than is left.
        """
        found: list[Obstacle] = []
        for acl, gate, peers in list_acl_gates(here, there, sources, target):
            obstacles = self._gates.find_obstacles(acl, gate, peers, sources, port)
            if obstacles is None:
                return None
            found += obstacles
        return found

    def _list_detours(
        self, subnet: Subnet, interface: NetworkInterface
    ) -> Iterator[tuple[Gate, AddressSet, Detour]]:
        """List the detours of requests to an interface and of the return traffic."""
        if there := self.find_subnet_detours(subnet.id):
            target = self.find_addresses(interface)
            yield from ((Gate.ROUTE, target, each) for each in there if each.addresses & target)
        if back := self.find_subnet_detours(interface.subnet_id):
            sources = self._find_sources(subnet, interface)
            for each in back:
                if diverted := each.addresses & sources:
                    yield Gate.BACK_ROUTE, diverted, each

    def find_subnet_detours(self, subnet_id: str) -> tuple[Detour, ...]:
        """Find the detours out of a subnet, computed once per route table."""
        if subnet_id not in self._gates.detours:
            table = find_route_table(self._snapshot, subnet_id)
            key = table.id if table else ""
            if key not in self._gates.detours:
                self._gates.detours[key] = find_detours(self._snapshot, table)
            self._gates.detours[subnet_id] = self._gates.detours[key]
        return self._gates.detours[subnet_id]

    def _find_workload_obstacles(
        self, groups: frozenset[str], interface: NetworkInterface, sources: AddressSet
    ) -> Iterator[Obstacle]:
        """Find what the outbound rules of a workload's groups do not allow to an interface."""
        target = self.find_addresses(interface)
        allowed = self.find_allowed_destinations(groups)
        to_group = allowed.groups & frozenset(interface.security_group_ids)
        denied = NOTHING if to_group or allowed.unread else target - allowed.addresses
        for family in FAMILIES.values():
            if denied & family and (blocked := sources & family):
                by = ", ".join(sorted(groups))
                rule = f"no outbound rule allows {self._named}"
                yield Obstacle(blocked, Gate.WORKLOAD, by, rule)


def _split_addresses(addresses: AddressSet, cutters: Iterable[AddressSet]) -> tuple[Address, ...]:
    """Return one address of each part that none of the sets divides."""
    parts = [addresses]
    for cutter in cutters:
        parts = [part for each in parts for part in (each & cutter, each - cutter) if part]
    return tuple(part.networks()[0][0] for part in parts)


def _merge_reach(interface: NetworkInterface, found: Sequence[Reach]) -> Reach:
    """Merge the answers for each address that an interface may get: what holds for all of them."""
    first = found[0]
    certain = tuple(each for each in first.obstacles if all(each in it.obstacles for it in found))
    unread = tuple(dict.fromkeys(text for each in found for text in each.unread))
    answers = {(each.reaching, each.stopped, each.obstacles, each.groups) for each in found}
    if len(answers) > 1:
        unread = (*unread, f"the address that {interface.id} gets in {interface.subnet_id}")
    reaching, stopped = first.reaching, first.stopped
    for each in found:
        reaching &= each.reaching
        stopped &= each.stopped
    return replace(
        first,
        interface=interface,
        reaching=reaching,
        stopped=stopped,
        obstacles=certain,
        groups=frozenset(group for each in found for group in each.groups),
        unread=unread,
    )
