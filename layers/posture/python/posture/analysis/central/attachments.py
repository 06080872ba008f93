"""Find the attachments of transit gateways and core networks, and evaluate those of a VPC."""

from __future__ import annotations

import re
from collections.abc import Iterable

from posture.analysis.addresses import IPV6, AddressSet
from posture.analysis.central.answers import CentralStep, StepKind, StepStatus
from posture.analysis.central.unread import describe_unread, find_gap
from posture.model.network import Snapshot, Subnet
from posture.model.shared_network import (
    AttachmentKind,
    SharedFacet,
    SharedNetwork,
    TransitAttachment,
)

# A change of an attachment does not interrupt it.
# https://docs.aws.amazon.com/vpc/latest/tgw/tgw-vpc-attachments.html#vpc-attachment-lifecycle
WORKING = frozenset({"available", "modifying", "updating"})
ATTACHMENTS = (
    SharedFacet.VPC_ATTACHMENTS,
    SharedFacet.ATTACHMENTS,
    SharedFacet.CORE_ATTACHMENTS,
)
# By these, appliances connect with a gateway.
APPLIANCES = frozenset({AttachmentKind.VPN, AttachmentKind.CONNECT, AttachmentKind.UNKNOWN})


def is_working(attachment: TransitAttachment) -> bool:
    """Return whether an attachment carries traffic."""
    return attachment.state.lower() in WORKING


class Attachments:
    """The attachments of a shared network, by what they attach."""

    def __init__(self, shared: SharedNetwork) -> None:
        self._shared = shared
        self._of_vpcs: dict[tuple[str, str], TransitAttachment] = {}
        self._of_peers: dict[tuple[str, str], TransitAttachment] = {}
        for each in _sort_by_state(shared.attachments.values()):
            if each.kind is AttachmentKind.VPC:
                self._of_vpcs[each.gateway_id, each.resource_id] = each
            elif each.peer:
                self._of_peers[each.gateway_id, each.peer.gateway_id] = each

    def may_bypass(self, exits: Iterable[TransitAttachment]) -> bool:
        """Whether an appliance in a VPC may forward traffic otherwise than by these attachments."""
        gateways = {each.gateway_id for each in exits}
        return any(
            each.kind in APPLIANCES and each.gateway_id in gateways
            for each in self._shared.attachments.values()
        )

    def list_exits(self, vpc_id: str) -> tuple[TransitAttachment, ...]:
        """List the attachments by which a VPC may forward traffic."""
        return tuple(
            each for (_, of), each in self._of_vpcs.items() if of == vpc_id and is_working(each)
        )

    def find_owner(self, gateway_id: str) -> str:
        """Return the account that owns a gateway; "" if it is not known."""
        gateway = self._shared.gateways.get(gateway_id)
        return gateway.owner if gateway else ""

    def find_peer(self, attachment: TransitAttachment) -> tuple[TransitAttachment | None, str]:
        """Find the other end of an attachment between gateways, or what is missing to know it."""
        peer = attachment.peer
        if peer is None:
            facets = (SharedFacet.PEERING_ATTACHMENTS, SharedFacet.CORE_ATTACHMENTS)
            owner = self.find_owner(attachment.gateway_id)
            return None, describe_unread(self._shared, facets, attachment.id, owner)
        if far := self._of_peers.get((peer.gateway_id, attachment.gateway_id)):
            return far, ""
        if peer.region != self._shared.region:
            return None, f"the routes of {peer.gateway_id}, which is in {peer.region}"
        facets = (SharedFacet.PEERING_ATTACHMENTS, SharedFacet.ATTACHMENTS)
        return None, describe_unread(self._shared, facets, peer.gateway_id, peer.owner)

    def evaluate(
        self, snapshot: Snapshot, subnet: Subnet, gateway_id: str
    ) -> tuple[TransitAttachment | None, CentralStep]:
        """Decide whether traffic from a subnet reaches a gateway.

        An attachment serves the Availability Zones that it has a subnet in, and no others.
        https://docs.aws.amazon.com/vpc/latest/tgw/tgw-vpc-attachments.html
        """
        vpc_id = snapshot.vpc.id
        account = snapshot.vpc.owner or snapshot.scope.account  # who shares the VPC's subnets
        found = self._of_vpcs.get((gateway_id, vpc_id))
        if found is None:
            missing = find_gap(self._shared, ATTACHMENTS, gateway_id, account)
            status = StepStatus.UNKNOWN if missing else StepStatus.BROKEN
            read = "is not known to have" if missing else "has no"
            text = f"{vpc_id} {read} {'an ' if missing else ''}attachment to {gateway_id}"
            return None, _build_step(status, gateway_id, text, account, missing)
        if not is_working(found):
            text = f"the state of {found.id}, which attaches {vpc_id} to {gateway_id}, is "
            return found, _build_step(
                StepStatus.BROKEN, found.id, f"{text}{found.state or 'unknown'}", account
            )
        known = snapshot.subnets
        zones = {known[each].zone for each in found.subnet_ids if each in known}
        if subnet.zone in zones:
            text = f"{found.id} attaches {vpc_id} to {gateway_id} in {subnet.zone}"
            return found, _build_step(StepStatus.HOLDS, found.id, text, account)
        return found, self._evaluate_zone(snapshot, subnet, found)

    def evaluate_ipv6(
        self, attachment: TransitAttachment, addresses: AddressSet
    ) -> CentralStep | None:
        """Decide whether the attachment of a VPC carries IPv6; None if it does, or need not.

        Without IPv6 support, its network interfaces have no IPv6 addresses.
        https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateTransitGatewayVpcAttachmentRequestOptions.html
        """
        if attachment.carries_ipv6 or not addresses & IPV6:
            return None
        account = attachment.resource_owner
        if attachment.carries_ipv6 is None:
            facets = (SharedFacet.VPC_ATTACHMENTS, SharedFacet.CORE_VPC_ATTACHMENT)
            facet = facets[attachment.gateway_id.startswith("core-network-")]
            missing = describe_unread(self._shared, (facet,), attachment.id, account)
            text = f"whether {attachment.id} supports IPv6 is not known"
            return _build_step(StepStatus.UNKNOWN, attachment.id, text, account, missing)
        text = f"{attachment.id} does not support IPv6"
        return _build_step(StepStatus.BROKEN, attachment.id, text, account)

    def _evaluate_zone(
        self, snapshot: Snapshot, subnet: Subnet, found: TransitAttachment
    ) -> CentralStep:
        """Evaluate an attachment that is not known to have a subnet in the Availability Zone."""
        account = snapshot.vpc.owner or snapshot.scope.account
        missing = ""
        if not found.subnet_ids or not set(found.subnet_ids) <= snapshot.subnets.keys():
            missing = describe_unread(self._shared, ATTACHMENTS[:1], found.id, account)
        elif not re.fullmatch(rf"{re.escape(snapshot.scope.region)}[a-z]", subnet.zone):
            # https://docs.aws.amazon.com/local-zones/latest/ug/local-zones-connectivity-transit-gateway-lzs.html
            missing = f"how {subnet.zone}, which is no Availability Zone, is connected"
        status = StepStatus.UNKNOWN if missing else StepStatus.BROKEN
        text = (
            f"{found.id} has no {'known ' if missing else ''}subnet in {subnet.zone}, the "
            f"Availability Zone of {subnet.id}"
        )
        return _build_step(status, found.id, text, account, missing)


def _build_step(
    status: StepStatus, subject: str, text: str, account: str, missing: str = ""
) -> CentralStep:
    return CentralStep(StepKind.ATTACHMENT, status, subject, text, account, missing)


def _sort_by_state(attachments: Iterable[TransitAttachment]) -> list[TransitAttachment]:
    """Sort attachments so that those that work come last: a deleted one may still be listed."""
    return sorted(attachments, key=lambda each: (is_working(each), each.id))
