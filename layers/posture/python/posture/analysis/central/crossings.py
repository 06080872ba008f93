"""Decide what traffic passes where it leaves and enters a VPC: network ACLs and route tables.

By a transit gateway, it passes the subnet that the attachment has in an Availability Zone. Traffic
stays in the zone where it began, as long as the other attachment has a subnet there.
https://docs.aws.amazon.com/vpc/latest/tgw/how-transit-gateways-work.html#tgw-az-overview
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from posture.analysis.acl_gates import AclGates
from posture.analysis.central.answers import CentralStep, StepKind, StepStatus
from posture.analysis.central.branches import Branch, Link
from posture.analysis.central.ends import VpcEnd
from posture.analysis.central.gates import Flow, GateResult, evaluate_acl
from posture.analysis.gates import Gate
from posture.lean_dataclass import dataclass
from posture.model.network import Facet, Subnet
from posture.model.shared_network import SharedFacet, TransitAttachment


@dataclass(frozen=True, slots=True)
class _Side:
    """A VPC, the subnet in it where traffic begins or ends, and what decides about its ACLs."""

    end: VpcEnd
    subnet: Subnet
    acls: AclGates


def list_crossings(  # noqa: PLR0913, PLR0917 - both sides, the traffic and its routes
    here: VpcEnd,
    subnet: Subnet,
    there: VpcEnd,
    home: Subnet,
    flow: Flow,
    out: Branch,
    back: Sequence[Branch],
    acls: AclGates,
) -> Iterator[GateResult]:
    """Decide what traffic passes on its way out of one VPC into another, and back.

    Args:
        here: The VPC of the workload.
        subnet: The subnet of the workload.
        there: The VPC of the endpoint.
        home: The subnet of the endpoint's interface.
        flow: The traffic.
        out: The route of the traffic.
        back: The routes of the return traffic, by parts of the subnet.
        acls: Decides what network ACLs block, within the work that is left.
    """
    near, far = _Side(here, subnet, acls), _Side(there, home, acls)
    yield from _leave(near, out.exit, flow, (Gate.OUT, Gate.IN))
    yield from _enter(near, far, out.entry, flow, (Gate.OUT, Gate.IN))
    for branch in back:
        part = replace(flow, sources=flow.sources & branch.addresses)
        found = [
            *_leave(far, branch.exit, part, (Gate.BACK_OUT, Gate.BACK_IN)),
            *_enter(far, near, branch.entry, part, (Gate.BACK_OUT, Gate.BACK_IN)),
        ]
        for each in found:
            whole = part.sources >= flow.sources or each.step.status is not StepStatus.BROKEN
            step = each.step if whole else replace(each.step, status=StepStatus.PARTLY)
            yield replace(each, step=step)


def _leave(
    side: _Side, link: Link | None, flow: Flow, gates: tuple[Gate, Gate]
) -> Iterator[GateResult]:
    """Decide what filters traffic on its way out of a VPC.

    `gates` are outbound and inbound. The attachment's subnet is the one in the same zone, which may
    be the sender's own.
    """
    outbound, inbound = gates
    yield evaluate_acl(side.end, side.subnet.id, outbound, flow, side.acls)
    known = side.end.snapshot.subnets
    for each in link.subnet_ids if isinstance(link, TransitAttachment) else ():
        if each in known and known[each].zone == side.subnet.zone:
            yield evaluate_acl(side.end, each, inbound, flow, side.acls)


def _enter(
    origin: _Side, side: _Side, link: Link | None, flow: Flow, gates: tuple[Gate, Gate]
) -> Iterator[GateResult]:
    """Decide what traffic passes on its way from the attachment's subnet to its destination.

    Which of the attachment's subnets it passes is not known if the VPCs belong to several
    accounts, since the names of zones mean different zones there, or if appliance mode chooses a
    zone for each flow. Then all of them count.
    """
    outbound, inbound = gates
    if not isinstance(link, TransitAttachment):
        yield evaluate_acl(side.end, side.subnet.id, inbound, flow, side.acls)
        return
    subnet_ids = _list_entries(origin, side, link)
    if not subnet_ids:
        text = f"the subnets of {link.id} could not be read"
        missing = f"{SharedFacet.VPC_ATTACHMENTS} in account {link.resource_owner}"
        step = CentralStep(
            StepKind.ATTACHMENT, StepStatus.UNKNOWN, link.id, text, link.resource_owner, missing
        )
        yield GateResult(step)
        yield evaluate_acl(side.end, side.subnet.id, inbound, flow, side.acls)
        return
    choices: dict[str, list[GateResult]] = {}
    for each in _list_different(side, subnet_ids):
        found = list(_find_detours(side, each, flow, gates))
        if each != side.subnet.id:
            found.append(evaluate_acl(side.end, each, outbound, flow, side.acls))
            found.append(evaluate_acl(side.end, side.subnet.id, inbound, flow, side.acls))
        choices[each] = found
    yield from _merge_choices(choices)


def _list_different(side: _Side, subnet_ids: Sequence[str]) -> Collection[str]:
    """List one of all subnets that have the same network ACL and no detour, and each other one."""
    find_acl = side.end.reachability.find_acl
    different: dict[object, str] = {}
    for each in subnet_ids:
        acl = find_acl(each)
        detours = side.end.reachability.find_subnet_detours(each)
        is_plain = acl and not detours and each != side.subnet.id
        different.setdefault(acl.id if acl and is_plain else (each,), each)
    return different.values()


def _list_entries(origin: _Side, side: _Side, link: TransitAttachment) -> tuple[str, ...]:
    """List the subnets by which traffic may enter a VPC."""
    known = side.end.snapshot.subnets
    same = [
        each for each in link.subnet_ids if each in known and known[each].zone == origin.subnet.zone
    ]
    comparable = origin.end.account == side.end.account and not link.appliance_mode
    return tuple(same) if same and comparable else link.subnet_ids


def _find_detours(
    side: _Side, subnet_id: str, flow: Flow, gates: tuple[Gate, Gate]
) -> Iterator[GateResult]:
    """Evaluate routes that send traffic from the attachment's subnet to a middlebox in the VPC."""
    back = gates[0] is Gate.BACK_OUT
    destination = flow.sources if back else flow.target
    for each in side.end.reachability.find_subnet_detours(subnet_id):
        if diverted := each.addresses & destination:
            kind = StepKind.RETURN_ROUTE if back else StepKind.ROUTE
            whole = diverted >= destination
            status = StepStatus.UNKNOWN
            if each.dropped:
                status = StepStatus.BROKEN if whole else StepStatus.PARTLY
            text, missing = each.description, "" if each.dropped else each.description
            if not each.table_id:
                text = f"the route table of {subnet_id} could not be read"
                missing = f"ec2:{Facet.ROUTE_TABLES} in account {side.end.account}"
            subject = each.table_id or subnet_id
            step = CentralStep(kind, status, subject, text, side.end.account, missing)
            stopped = diverted if back else flow.sources
            yield GateResult(step, stopped) if each.dropped else GateResult(step)


def _merge_choices(choices: Mapping[str, Sequence[GateResult]]) -> Iterator[GateResult]:
    """Merge what traffic passes by each subnet that it may enter by: what holds for all of them."""
    ways = choices.values()
    if all(any(it.step.status is StepStatus.BROKEN for it in each) for each in ways):
        yield from next(iter(ways))
        return
    for subnet_id, found in choices.items():
        for each in found:
            if each.step.status is StepStatus.HOLDS or all(each in it for it in ways):
                yield each
                continue
            missing = each.step.missing or f"whether the traffic enters by {subnet_id}"
            yield GateResult(replace(each.step, status=StepStatus.UNKNOWN, missing=missing))
