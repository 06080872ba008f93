"""Evaluate the network ACLs and security groups that traffic passes between two VPCs.

A transit gateway has a network interface in each subnet of an attachment. The network ACL of such
a subnet filters what enters the gateway by its inbound rules and what leaves it by its outbound
rules. If the workload is in the same subnet, outbound and inbound rules apply to what it sends to
the gateway, and none to what it gets from it.
https://docs.aws.amazon.com/vpc/latest/tgw/tgw-nacls.html

Over a transit gateway, a rule that references a security group does not work for an endpoint; over
an active peering connection in one Region it does.
https://docs.aws.amazon.com/vpc/latest/tgw/tgw-vpc-attachments.html#vpc-attachment-security
https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-security-groups.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain

from posture.analysis.acl_gates import AclGates
from posture.analysis.acls import (
    EPHEMERAL_PORTS,
    cut_range,
    find_unrestricted_versions,
    get_starts,
)
from posture.analysis.addresses import IPV6, NOTHING, AddressSet
from posture.analysis.central.answers import CentralStep, StepKind, StepStatus
from posture.analysis.central.ends import VpcEnd
from posture.analysis.descriptions import describe_addresses, describe_ports
from posture.analysis.gates import RETURNING, Gate, Obstacle
from posture.analysis.reach import PortRange
from posture.analysis.security_groups import covers_port, find_allowed_peers
from posture.lean_dataclass import dataclass
from posture.model.network import Facet, NetworkAcl, SecurityGroup
from posture.model.shared_network import VpcPeering

OUTBOUND = frozenset({Gate.OUT, Gate.BACK_OUT})


@dataclass(frozen=True, slots=True)
class Flow:
    """Traffic between a subnet's addresses and an interface's, of one IP version, on TCP ports."""

    sources: AddressSet
    target: AddressSet
    ports: tuple[PortRange, ...]

    @property
    def version(self) -> int:
        """The IP version."""
        return 6 if self.target & IPV6 else 4


@dataclass(frozen=True, slots=True)
class GateResult:
    """What a gate does to traffic.

    Attributes:
        step: The step.
        stopped: The sources that it certainly stops.
        groups: The groups of which a workload needs one.
        unanswered: The sources to which return traffic is denied, by ranges of client ports.
    """

    step: CentralStep
    stopped: AddressSet = NOTHING
    groups: frozenset[str] = frozenset()
    unanswered: tuple[tuple[PortRange, AddressSet], ...] = ()


def find_unanswered(passed: Iterable[GateResult]) -> AddressSet:
    """Find the sources that get no answer on any client port, for several gates together."""
    denying = [each.unanswered for each in passed if each.unanswered]
    if len(denying) <= 1:
        return NOTHING  # what one gate denies on all client ports, it stops
    denied = list(chain.from_iterable(denying))
    found = AddressSet.union(sources for _, sources in denied)
    for first, _ in cut_range(
        EPHEMERAL_PORTS, (it for each, _ in denied for it in get_starts(each))
    ):
        found &= AddressSet.union(it for (low, high), it in denied if low <= first <= high)
        if not found:
            break
    return found


def blame_together(passed: Sequence[GateResult]) -> list[GateResult]:
    """Call the last gate that denies some client ports broken, for what all such gates deny."""
    denying = [each for each in passed if each.unanswered]
    texts = dict.fromkeys(each.step.text for each in denying)
    text = f"{'; '.join(texts)}; so no client port is left"
    step = replace(denying[-1].step, status=StepStatus.BROKEN, text=text, missing="")
    return [replace(each, step=step) if each is denying[-1] else each for each in passed]


def evaluate_acl(end: VpcEnd, subnet_id: str, gate: Gate, flow: Flow, acls: AclGates) -> GateResult:
    """Decide what the network ACL of a subnet does to traffic in the direction of a gate.

    It filters by the address of the interface outbound on the way there and inbound on the way
    back, and otherwise by that of the source. What takes more work than is left is unknown.
    """
    acl = end.reachability.find_acl(subnet_id)
    kind = StepKind.NETWORK_ACL
    if acl is None:
        text = f"the network ACL of {subnet_id} could not be read"
        missing = f"ec2:{Facet.NETWORK_ACLS} in account {end.account}"
        return GateResult(
            CentralStep(kind, StepStatus.UNKNOWN, subnet_id, text, end.account, missing)
        )
    if flow.version in find_unrestricted_versions(acl):
        text = f"{acl.id} allows the traffic"
        return GateResult(CentralStep(kind, StepStatus.HOLDS, acl.id, text, end.account))
    denials = _find_denials(acl, gate, flow, acls)
    if denials is None:
        text = f"whether {acl.id} allows the traffic is not known"
        missing = acls.work.describe_costly()
        return GateResult(CentralStep(kind, StepStatus.UNKNOWN, acl.id, text, end.account, missing))
    if not denials:
        text = f"{acl.id} allows the traffic"
        return GateResult(CentralStep(kind, StepStatus.HOLDS, acl.id, text, end.account))
    by_port = [
        AddressSet.union(
            each.obstacle.addresses
            for each in denials
            if each.obstacle.ports is None and each.ports in {None, ports}
        )
        for ports in flow.ports
    ]
    status, stopped = _decide(by_port, flow)
    text = denials[0].describe(subnet_id, flow)
    step = CentralStep(kind, status, acl.id, text, end.account)
    return GateResult(step, stopped, unanswered=tuple(_list_unanswered(denials)))


def _list_unanswered(denials: Iterable[_Denial]) -> Iterator[tuple[PortRange, AddressSet]]:
    for each in denials:
        if each.obstacle.ports:
            yield each.obstacle.ports, each.obstacle.addresses


@dataclass(frozen=True, slots=True)
class _Denial:
    """What an ACL denies of requests on these ports, or of return traffic on all of them."""

    obstacle: Obstacle
    ports: PortRange | None

    def describe(self, subnet_id: str, flow: Flow) -> str:
        """Describe what is denied, and by which rule."""
        gate = self.obstacle.gate
        direction, peer = ("outbound", "to") if gate in OUTBOUND else ("inbound", "from")
        returning = "return " if gate in RETURNING else ""
        by_target = gate in {Gate.OUT, Gate.BACK_IN}
        whom = describe_addresses(flow.target if by_target else self.obstacle.addresses)
        client = self.obstacle.ports
        on = describe_ports(each for each in (client or self.ports,) if each)
        named = f" on {'client ' if client else ''}{on}" if on else ""
        return (
            f"{self.obstacle.by} of {subnet_id} denies {direction} {returning}traffic {peer} {whom}"
            f"{named} ({self.obstacle.rule})"
        )


def _find_denials(acl: NetworkAcl, gate: Gate, flow: Flow, acls: AclGates) -> list[_Denial] | None:
    """Find what an ACL denies; None if that takes more work than is left."""
    peers = flow.target if gate in {Gate.OUT, Gate.BACK_IN} else flow.sources
    returning = gate in RETURNING  # to the ports of clients, whatever the service's
    denials: list[_Denial] = []
    for ports in flow.ports[:1] if returning else flow.ports:
        found = acls.find_obstacles(acl, gate, peers, flow.sources, ports[0])
        if found is None:
            return None
        denials += (_Denial(each, None if returning else ports) for each in found)
    return denials


def _decide(denied: Sequence[AddressSet], flow: Flow) -> tuple[StepStatus, AddressSet]:
    """Decide about the sources that are denied on each of the ports.

    Returns:
        The status, and the sources that are denied on all ports. If the service's port is not
        known and the answer depends on it, the status is unknown.
    """
    always, some = denied[0], AddressSet.union(denied)
    for each in denied[1:]:
        always &= each
    if always >= flow.sources:
        return StepStatus.BROKEN, always
    unknown = some != always and any(first != last for first, last in flow.ports)
    return StepStatus.UNKNOWN if unknown else StepStatus.PARTLY, always


def evaluate_groups(
    there: VpcEnd,
    group_ids: tuple[str, ...],
    flow: Flow,
    peering: VpcPeering | None,
    own: frozenset[str],
) -> GateResult:
    """Decide whether an endpoint's security groups allow traffic from a subnet of another VPC.

    Args:
        there: The VPC of the endpoint.
        group_ids: The ids of the endpoint's security groups.
        flow: The traffic.
        peering: The peering connection that it takes, if it takes one.
        own: The ids of the workload's security groups, if known.
    """
    known = there.snapshot.security_groups
    groups = [known[each] for each in group_ids if each in known]
    missing = [
        f"ec2:{Facet.SECURITY_GROUPS} in account {there.account}: {each}"
        for each in group_ids
        if each not in known
    ]
    denied: list[AddressSet] = []
    references: set[str] = set()
    for ports in flow.ports:
        allowed = there.find_allowed_sources(group_ids, ports[0])
        left = flow.sources - allowed.addresses
        references |= _find_references(groups, ports[0], peering) if left else set()
        missing += [f"{each} in account {there.account}" for each in allowed.unread if left]
        denied.append(NOTHING if own & references else left)
    by = ", ".join(group_ids) or "no security group"
    always = NOTHING
    named, on = describe_addresses(flow.sources), describe_ports(flow.ports)
    status, needed = StepStatus.HOLDS, frozenset[str]()
    if not any(denied):
        missing = []
        text = f"{by} allows inbound traffic from {named} on {on}"
    elif missing:
        status, text = StepStatus.UNKNOWN, f"whether {by} allows {named} on {on} is not known"
    elif references and not own:
        status, needed = StepStatus.PARTLY, frozenset(references)
        text = f"{by} allows inbound traffic only from {' or '.join(sorted(references))} on {on}"
    else:
        status, always = _decide(denied, flow)
        first = next(index for index, each in enumerate(denied) if each)
        where = describe_ports((flow.ports[first],))
        text = f"no inbound rule of {by} allows {describe_addresses(denied[first])} on {where}"
        if (
            status is StepStatus.BROKEN
            and peering is None
            and any(it.group for each in groups for it in each.ingress)
        ):
            text += "; a reference to a security group does not work over a transit gateway"
    step = CentralStep(
        StepKind.SECURITY_GROUP, status, by, text, there.account, "; ".join(dict.fromkeys(missing))
    )
    return GateResult(step, always, needed)


def _find_references(
    groups: Iterable[SecurityGroup], port: int, peering: VpcPeering | None, *, egress: bool = False
) -> set[str]:
    """Find the groups of the peered VPC that rules reference; the connection is in one Region."""
    if peering is None or peering.requester.region != peering.accepter.region:
        return set()
    return {
        rule.group.group_id
        for each in groups
        for rule in (each.egress if egress else each.ingress)
        if rule.group and rule.group.peering_id == peering.id and covers_port(rule, "tcp", port)
    }


def evaluate_outbound(
    here: VpcEnd,
    own: frozenset[str],
    flow: Flow,
    peering: VpcPeering | None,
    group_ids: tuple[str, ...],
) -> GateResult:
    """Decide whether the outbound rules of a workload's security groups allow the traffic."""
    known = here.snapshot.security_groups
    groups = [known[each] for each in sorted(own) if each in known]
    missing = [f"the security group {each}" for each in sorted(own) if each not in known]
    denied: list[AddressSet] = []
    for ports in flow.ports:
        lists = here.snapshot.prefix_lists
        allowed = find_allowed_peers(groups, lists, egress=True, port=ports[0])
        referenced = _find_references(groups, ports[0], peering, egress=True)
        open_to = referenced & set(group_ids) or allowed.addresses >= flow.target
        denied.append(NOTHING if open_to else flow.sources)
        missing += [] if open_to else allowed.unread
    by, named = ", ".join(sorted(own)), describe_addresses(flow.target)
    stopped = NOTHING
    if not any(denied):
        status, text = StepStatus.HOLDS, f"{by} allows outbound traffic to {named}"
        missing = []
    elif missing:
        status, text = StepStatus.UNKNOWN, f"whether {by} allows traffic to {named} is not known"
    else:
        status, stopped = _decide(denied, flow)
        on = describe_ports(ports for ports, each in zip(flow.ports, denied, strict=True) if each)
        text = f"no outbound rule of {by} allows {named} on {on}"
    step = CentralStep(
        StepKind.SECURITY_GROUP, status, by, text, here.account, "; ".join(dict.fromkeys(missing))
    )
    return GateResult(step, stopped)
