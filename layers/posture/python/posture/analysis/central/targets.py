"""The endpoints that paths lead to, and what decides about them alone."""

from __future__ import annotations

from dataclasses import replace

from posture.analysis.central.answers import CentralStep, StepKind, StepStatus
from posture.analysis.central.ends import VpcEnd
from posture.analysis.endpoint_dns import WORKING
from posture.lean_dataclass import dataclass
from posture.model.network import Endpoint, Facet, NetworkInterface


@dataclass(frozen=True, slots=True)
class CentralTarget:
    """An endpoint whose interfaces paths lead to, at the addresses of some IP versions."""

    there: VpcEnd
    endpoint: Endpoint
    state: CentralStep
    interfaces: tuple[NetworkInterface, ...]
    versions: frozenset[int]

    @property
    def signature(self) -> tuple[object, ...]:
        """What endpoints have in common that are reached alike; empty for one that is not."""
        known = self.there.snapshot.subnets
        if self.state.status is StepStatus.BROKEN or any(
            each.subnet_id not in known for each in self.interfaces
        ):
            return ()
        return (
            self.there.vpc_id,
            self.endpoint.security_group_ids,
            *(
                (it.subnet_id, self._list_versions(it), it.security_group_ids)
                for it in self.interfaces
            ),
        )

    def _list_versions(self, interface: NetworkInterface) -> frozenset[int]:
        return self.versions.intersection(each.version for each in interface.addresses)


def restrict_interface(interface: NetworkInterface, versions: frozenset[int]) -> NetworkInterface:
    """Return an interface with its addresses of the IP versions that the names return."""
    addresses = tuple(each for each in interface.addresses if each.version in versions)
    if addresses == interface.addresses:
        return interface
    unknown = interface.unknown_versions & versions
    return replace(interface, addresses=addresses, unknown_versions=unknown)


def evaluate_state(there: VpcEnd, endpoint: Endpoint) -> CentralStep:
    """Decide whether an endpoint takes traffic."""
    state = endpoint.state or "unknown"
    if endpoint.state in WORKING:
        status, text = StepStatus.HOLDS, f"{endpoint.id} in {there.vpc_id} is {state}"
    else:
        status, text = StepStatus.BROKEN, f"the state of {endpoint.id} is {state}"
    return CentralStep(StepKind.ENDPOINT, status, endpoint.id, text, there.account)


def describe_unread_interface(there: VpcEnd, endpoint: Endpoint, interface_id: str) -> CentralStep:
    """Build the step of an interface that was not read; without its id, of all of them."""
    named = interface_id or f"the network interfaces of {endpoint.id}"
    return CentralStep(
        StepKind.ENDPOINT,
        StepStatus.UNKNOWN,
        endpoint.id,
        f"{named} could not be read",
        there.account,
        f"ec2:{Facet.NETWORK_INTERFACES} in account {there.account}",
    )
