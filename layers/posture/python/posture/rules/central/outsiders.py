"""The networks that can use a VPC's endpoints without being their users."""

from __future__ import annotations

from collections.abc import Iterator

from posture.analysis.addresses import AddressSet
from posture.analysis.central.answers import CentralStep, StepKind, StepStatus
from posture.analysis.central.attachments import is_working
from posture.analysis.central.branches import Branch
from posture.analysis.central.ends import get_end
from posture.analysis.central.routes import get_transit
from posture.model.network import Subnet
from posture.model.shared_network import AttachmentKind, SharedNetwork
from posture.model.verdict import Evidence
from posture.rules.contexts import VpcContext

NO_VPC = ""  # traffic is followed to wherever it ends


class Outsiders:
    """Selects the addresses of networks that are no users; each subnet is traced once."""

    def __init__(self, vpc: VpcContext) -> None:
        self._vpc = vpc
        self._users = AddressSet.of(
            block for each in vpc.users_of_endpoints for block in each.cidrs
        )
        self._traced: dict[tuple[str, AddressSet], tuple[Branch, ...]] = {}

    def select(self, subnet: Subnet, addresses: AddressSet) -> AddressSet:
        """Select the addresses that return traffic from a subnet reaches outside the users.

        Without the shared network, or for a VPC without users, all are selected: what is behind a
        gateway is not known.
        """
        left, shared = addresses - self._users, self._vpc.shared
        if not left or not self._users or shared is None:
            return left
        dropped = AddressSet.union(
            each.addresses
            for each in self._trace(subnet, left, shared)
            if self._is_dropped(each.steps[-1], shared)
        )
        return left - dropped

    def describe(self, subnet: Subnet, addresses: AddressSet) -> Iterator[Evidence]:
        """Describe the networks that have some of the addresses."""
        shared = self._vpc.shared
        if shared is None or not self._users:
            return
        for (subnet_id, _), branches in self._traced.items():
            for each in branches if subnet_id == subnet.id else ():
                step = each.steps[-1]
                if addresses.isdisjoint(each.addresses) or self._is_dropped(step, shared):
                    continue
                yield Evidence(f"{step.text}.", {"resource": step.subject, "account": step.account})

    def _trace(
        self, subnet: Subnet, addresses: AddressSet, shared: SharedNetwork
    ) -> tuple[Branch, ...]:
        key = subnet.id, addresses
        if key not in self._traced:
            end = get_end(self._vpc.snapshot)
            found = get_transit(shared).trace(end, subnet, addresses, NO_VPC, back=False)
            self._traced[key] = tuple(each for each in found if each.steps)
        return self._traced[key]

    def _is_dropped(self, step: CentralStep, shared: SharedNetwork) -> bool:
        """Return whether traffic that ends at a step certainly reaches no network.

        Traffic that ends in another VPC, at the other end of an attachment, has arrived.
        """
        if step.status is not StepStatus.BROKEN:
            return False
        if step.kind is StepKind.PEERING:
            peering = shared.peerings.get(step.subject)
            return peering is None or not peering.active
        attachment = shared.attachments.get(step.subject)
        if attachment is None or attachment.kind is not AttachmentKind.VPC:
            return True
        own = attachment.resource_id == self._vpc.snapshot.vpc.id
        return own or not is_working(attachment)
