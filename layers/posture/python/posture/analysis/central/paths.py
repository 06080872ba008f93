"""Trace the paths from a subnet to the interfaces of an endpoint in another VPC, and back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field, replace

from posture.analysis.acl_gates import AclGates
from posture.analysis.addresses import IPV4, IPV6, AddressSet
from posture.analysis.central.answers import CentralPath, CentralStep, StepKind, StepStatus
from posture.analysis.central.crossings import list_crossings
from posture.analysis.central.ends import VpcEnd, get_end
from posture.analysis.central.gates import (
    Flow,
    GateResult,
    blame_together,
    evaluate_groups,
    evaluate_outbound,
    find_unanswered,
)
from posture.analysis.central.routes import get_transit
from posture.analysis.central.targets import (
    CentralTarget,
    describe_unread_interface,
    evaluate_state,
    restrict_interface,
)
from posture.analysis.central.traces import (
    Trace,
    cut_at_broken,
    merge_alternatives,
    merge_versions,
    strengthen,
    weaken,
)
from posture.analysis.gate_work import GateWork
from posture.analysis.paths import PathFinder
from posture.analysis.reach import PortRange
from posture.analysis.reachability import Reachability
from posture.analysis.routing import may_use_nat64
from posture.analysis.security_groups import find_allowed_peers
from posture.lean_dataclass import dataclass
from posture.model.network import Endpoint, Facet, NetworkInterface, Snapshot, Subnet
from posture.model.shared_network import SharedNetwork, VpcPeering

HTTPS_ONLY: tuple[PortRange, ...] = ((443, 443),)
BOTH = frozenset({4, 6})
FAMILIES = (IPV4, IPV6)
# The work on what filters traffic between one VPC and all others: some 15 seconds. 200 subnets and
# a hub whose ACLs have 40 entries take half of it.
CROSSING_UNITS = 8_000_000


def trace_central_paths(  # noqa: PLR0913 - one argument for each fact
    snapshot: Snapshot,
    subnet: Subnet,
    endpoint_id: str,
    shared: SharedNetwork,
    ports: tuple[PortRange, ...] = HTTPS_ONLY,
    *,
    versions: frozenset[int] = BOTH,
    groups: frozenset[str] = frozenset(),
) -> tuple[CentralPath, ...]:
    """Trace the paths from a subnet to each interface of an endpoint in another VPC, and back.

    Args:
        snapshot: The VPC of the subnet.
        subnet: The subnet that the traffic comes from.
        endpoint_id: The id of an interface endpoint.
        shared: The network that the VPCs share, with the endpoint's VPC among `central_vpcs`.
        ports: The TCP ports of the service, in ranges that every gate treats alike.
        versions: The IP versions of the addresses that the names return.
        groups: The ids of the workload's security groups, if known.

    Returns:
        One path for each interface; none if the endpoint is in this VPC, or in none that was read.
    """
    end = get_end(snapshot)
    tracer = CentralTracer(snapshot, shared, end.paths, end.reachability)
    return tracer.trace(subnet, endpoint_id, ports, versions=versions, groups=groups)


@dataclass(frozen=True, slots=True)
class _Question:
    """What decides a path, apart from the addresses of the interface."""

    subnet: Subnet = field(compare=False)  # has tags, which cannot be hashed
    source_id: str
    vpc_id: str  # of the endpoint
    subnet_id: str  # of the interface
    group_ids: tuple[str, ...]
    ports: tuple[PortRange, ...]
    groups: frozenset[str]


class CentralTracer:
    """Traces paths out of one VPC; those that no gate or route tells apart are traced once."""

    def __init__(
        self,
        snapshot: Snapshot,
        shared: SharedNetwork,
        paths: PathFinder,
        reachability: Reachability,
    ) -> None:
        self._here = VpcEnd(snapshot, paths, reachability)
        self._transit = get_transit(shared)
        self._acls = AclGates(GateWork(CROSSING_UNITS))
        self._traced: dict[tuple[_Question, AddressSet], Trace] = {}
        self._parts: dict[tuple[_Question, AddressSet], tuple[AddressSet, ...] | None] = {}
        self._cutters: dict[str, tuple[AddressSet, ...]] = {}
        self._targets: dict[tuple[str, frozenset[int]], CentralTarget | None] = {}
        self._alike: dict[tuple[object, ...], tuple[Trace, ...]] = {}

    def find_endpoint(self, endpoint_id: str) -> tuple[VpcEnd, Endpoint] | None:
        """Find an endpoint in another VPC that was read."""
        there = self._transit.find_endpoint_vpc(endpoint_id)
        if there is None or there.vpc_id == self._here.vpc_id:
            return None
        return there, there.snapshot.endpoints[endpoint_id]

    def trace(
        self,
        subnet: Subnet,
        endpoint_id: str,
        ports: tuple[PortRange, ...] = HTTPS_ONLY,
        *,
        versions: frozenset[int] = BOTH,
        groups: frozenset[str] = frozenset(),
    ) -> tuple[CentralPath, ...]:
        """Trace the paths as `trace_central_paths` does."""
        key = endpoint_id, versions
        if key not in self._targets:
            self._targets[key] = self._find_target(endpoint_id, versions)
        target = self._targets[key]
        if target is None:
            return ()
        there, endpoint, state = target.there, target.endpoint, target.state
        return tuple(
            CentralPath(
                endpoint,
                interface,
                there.vpc_id,
                there.account,
                (state, *found.steps),
                found.sources,
                found.reaching,
                found.groups,
            )
            for interface, found in zip(
                target.interfaces, self._trace_target(subnet, target, ports, groups), strict=True
            )
        )

    def _find_target(self, endpoint_id: str, versions: frozenset[int]) -> CentralTarget | None:
        if not (found := self.find_endpoint(endpoint_id)):
            return None
        there, endpoint = found
        known = there.snapshot.network_interfaces
        return CentralTarget(
            there,
            endpoint,
            evaluate_state(there, endpoint),
            tuple(
                known.get(each) or NetworkInterface(each, "", "", (), ())
                for each in endpoint.network_interface_ids or ("",)
            ),
            versions,
        )

    def _trace_target(
        self,
        subnet: Subnet,
        target: CentralTarget,
        ports: tuple[PortRange, ...],
        groups: frozenset[str],
    ) -> tuple[Trace, ...]:
        """Trace the paths to each interface, once for all endpoints that are reached alike."""
        key = subnet.id, target.signature, ports, groups
        if found := self._alike.get(key):
            return found
        traces, alike = [], True
        for interface in target.interfaces:
            if not interface.subnet_id:
                step = describe_unread_interface(target.there, target.endpoint, interface.id)
                traces.append(Trace((step,)))
            elif target.state.status is StepStatus.BROKEN:
                traces.append(Trace(()))
            else:
                question = _Question(
                    subnet,
                    subnet.id,
                    target.there.vpc_id,
                    interface.subnet_id,
                    target.endpoint.security_group_ids or interface.security_group_ids,
                    ports,
                    groups,
                )
                restricted = restrict_interface(interface, target.versions)
                trace, whole = self._trace_interface(question, target.there, restricted)
                traces.append(trace)
                alike = alike and whole
        if alike and target.signature:
            self._alike[key] = tuple(traces)
        return tuple(traces)

    def _trace_interface(
        self, question: _Question, there: VpcEnd, interface: NetworkInterface
    ) -> tuple[Trace, bool]:
        """Trace the paths to an interface's addresses of each IP version that the subnet has.

        Returns:
            The paths, and whether all addresses of the interface's subnet have the same.
        """
        addresses = there.reachability.find_addresses(interface)
        own = AddressSet.of(question.subnet.blocks)
        found, whole = [], True
        for family in FAMILIES:
            target, sources = addresses & family, own & family
            if target and sources:
                parts = self._divide(question, there, target)
                if parts is None:
                    return Trace((self._describe_costly(interface, there),)), False
                chosen = [each for each in parts if not each.isdisjoint(target)]
                traces = [self._trace_part(question, there, each, sources) for each in chosen]
                found.append(merge_alternatives(interface, traces))
                whole = whole and len(parts) == 1
        if not found:
            return Trace((_evaluate_versions(question, there),)), whole
        return merge_versions(found), whole

    def _divide(
        self, question: _Question, there: VpcEnd, target: AddressSet
    ) -> tuple[AddressSet, ...] | None:
        """Return the parts of the interface's subnet that have the same paths.

        No gate and no route tells the addresses of a part apart, so all interfaces in a part have
        the same path. Usually the subnet is one part. None if that takes more work than is left.
        """
        home = there.snapshot.subnets.get(question.subnet_id)
        version = FAMILIES[0] if target & IPV4 else FAMILIES[1]
        whole = target | (AddressSet.of(home.blocks if home else ()) & version)
        key = replace(question, group_ids=()), whole
        if key not in self._parts:
            self._parts[key] = self._cut(question, there, whole)
        return self._parts[key]

    def _cut(
        self, question: _Question, there: VpcEnd, whole: AddressSet
    ) -> tuple[AddressSet, ...] | None:
        branches = self._transit.trace(self._here, question.subnet, whole, there.vpc_id, back=False)
        listed = (
            *(each.addresses for each in branches),
            *self._list_cutters(there),
            *self._list_allowed(question),
        )
        named = f"the network ACLs of {self._here.vpc_id} and {there.vpc_id}"
        if not self._acls.work.take(len(listed), named):
            return None
        parts = [whole]
        for cutter in dict.fromkeys(each & whole for each in listed):
            if not self._acls.work.take(len(parts), named):
                return None
            parts = [part for each in parts for part in (each & cutter, each - cutter) if part]
        return tuple(parts)

    def _describe_costly(self, interface: NetworkInterface, there: VpcEnd) -> CentralStep:
        text = f"whether traffic reaches {interface.id} is not known"
        missing = self._acls.work.describe_costly()
        kind = StepKind.NETWORK_ACL
        return CentralStep(kind, StepStatus.UNKNOWN, interface.id, text, there.account, missing)

    def _list_cutters(self, there: VpcEnd) -> tuple[AddressSet, ...]:
        """List what network ACLs and the detours of the endpoint's VPC tell apart."""
        if there.vpc_id not in self._cutters:
            blocks = {
                entry.cidr
                for end in (self._here, there)
                for acl in end.snapshot.network_acls.values()
                for entry in acl.entries
                if entry.cidr.prefixlen
            }
            detours = {
                each.addresses
                for subnet_id in there.snapshot.subnets
                for each in there.reachability.find_subnet_detours(subnet_id)
            }
            self._cutters[there.vpc_id] = (*(AddressSet.of([each]) for each in blocks), *detours)
        return self._cutters[there.vpc_id]

    def _list_allowed(self, question: _Question) -> Iterator[AddressSet]:
        """List what the outbound rules of a workload's groups allow on each port."""
        known = self._here.snapshot.security_groups
        own = [known[each] for each in sorted(question.groups) if each in known]
        lists = self._here.snapshot.prefix_lists
        for first, _ in question.ports if own else ():
            yield find_allowed_peers(own, lists, egress=True, port=first).addresses

    def _trace_part(
        self, question: _Question, there: VpcEnd, target: AddressSet, sources: AddressSet
    ) -> Trace:
        key = question, target
        if key not in self._traced:
            flow = Flow(sources, target, question.ports)
            self._traced[key] = self._follow(question, there, flow)
        return self._traced[key]

    def _follow(self, question: _Question, there: VpcEnd, flow: Flow) -> Trace:
        """Follow traffic there and back, to the first step that stops all of it."""
        here, subnet = self._here, question.subnet
        out = self._transit.trace(here, subnet, flow.target, there.vpc_id, back=False)[0]
        if out.broken:
            return cut_at_broken(Trace(out.steps, flow.sources))
        home = there.snapshot.subnets.get(question.subnet_id)
        if home is None:
            step = CentralStep(
                StepKind.ENDPOINT,
                StepStatus.UNKNOWN,
                question.subnet_id,
                f"{question.subnet_id} could not be read",
                there.account,
                f"ec2:{Facet.SUBNETS} in account {there.account}",
            )
            return Trace((*out.steps, step), flow.sources, flow.sources)
        back = self._transit.trace(there, home, flow.sources, here.vpc_id, back=True)
        peering = out.entry if isinstance(out.entry, VpcPeering) else None
        passed: list[GateResult] = list(
            list_crossings(here, subnet, there, home, flow, out, back, self._acls)
        )
        if question.groups:
            passed.append(
                evaluate_outbound(here, question.groups, flow, peering, question.group_ids)
            )
        passed.append(evaluate_groups(there, question.group_ids, flow, peering, question.groups))
        stopped = AddressSet.union(each.stopped for each in passed)
        for branch in back:
            whole = branch.addresses >= flow.sources
            passed += [
                GateResult(each if whole else weaken(each), branch.addresses)
                if each.status is StepStatus.BROKEN
                else GateResult(each)
                for each in branch.steps
                # What is stopped anyway does not depend on what is not known of its way.
                if each.status is not StepStatus.UNKNOWN or not stopped >= branch.addresses
            ]
        left = flow.sources - AddressSet.union(each.stopped for each in passed)
        reaching = left - find_unanswered(passed)
        if left and not reaching:
            passed = blame_together(passed)
        steps = (*out.steps, *(each.step for each in passed))
        groups = frozenset(group for each in passed for group in each.groups)
        if not reaching:
            steps = strengthen(steps)
        return cut_at_broken(Trace(steps, flow.sources, reaching, groups))


def _evaluate_versions(question: _Question, there: VpcEnd) -> CentralStep:
    """Evaluate an interface without an address of the subnet's IP versions; NAT64 may translate."""
    subnet = question.subnet
    text = f"{subnet.id} and the endpoint share no IP version"
    status, missing = StepStatus.BROKEN, ""
    if may_use_nat64(subnet) and not subnet.cidr:
        status, missing = StepStatus.UNKNOWN, "whether a NAT gateway translates the traffic (NAT64)"
    return CentralStep(StepKind.ENDPOINT, status, subnet.id, text, there.account, missing)
