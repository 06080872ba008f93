"""Find the endpoints that records, aliases and Profiles name, among all that were read.

https://docs.aws.amazon.com/vpc/latest/privatelink/interface-endpoints.html#dns-name-resolution
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from posture.analysis.central.private_names import list_names, list_own_names
from posture.analysis.central.records import build_managed_zones
from posture.analysis.endpoint_dns import WORKING
from posture.analysis.identity import cache_by_identity
from posture.analysis.services import get_service
from posture.lean_dataclass import dataclass
from posture.model.network import Address, Endpoint, EndpointType, Network, Snapshot
from posture.model.shared_network import HostedZone, SharedNetwork

# Regional and zonal names; those of S3 begin with a wildcard.
ENDPOINT_NAME = re.compile(
    r"(?:^|\.)(vpce-[^.]+)\.(?:[^.]+\.)*([^.]+)\.vpce\.amazonaws\.com(?:\.cn)?$"
)


@dataclass(frozen=True, slots=True)
class KnownEndpoint:
    """An endpoint, with the snapshot of its VPC."""

    endpoint: Endpoint
    snapshot: Snapshot

    @property
    def account(self) -> str:
        """The account that read the endpoint."""
        return self.snapshot.scope.account

    def find_zonal_addresses(self, target: str) -> tuple[Address, ...]:
        """Find the addresses that a zonal DNS name of the endpoint returns; none for another."""
        label = get_endpoint_label(target)
        interfaces = self.snapshot.network_interfaces
        return tuple(
            address
            for each in self.endpoint.network_interface_ids
            if each in interfaces and label.endswith(f"-{interfaces[each].zone}")
            for address in interfaces[each].addresses
        )


def get_endpoint_label(name: str) -> str:
    """Return the label of a DNS name that begins with an endpoint's id; "" for another name."""
    found = ENDPOINT_NAME.search(name)
    return found.group(1) if found else ""


def find_endpoint_region(name: str) -> str:
    """Find the Region in a DNS name of an endpoint; "" for another name."""
    found = ENDPOINT_NAME.search(name)
    return found.group(2) if found else ""


def get_endpoint_id(name: str) -> str:
    """Return the id in an endpoint's DNS name, such as `vpce-0abc-xyz.sqs.….vpce.amazonaws.com`.

    An id is returned as it is; any other name has none.
    """
    if name.startswith("vpce-") and "." not in name:
        return name
    return "-".join(get_endpoint_label(name).split("-")[:2])


def list_snapshots(snapshot: Snapshot, shared: SharedNetwork) -> Iterator[Snapshot]:
    """List the snapshots whose endpoints are known: that of a VPC, and those of central VPCs."""
    yield snapshot
    yield from (each for each in shared.central_vpcs.values() if each.scope != snapshot.scope)


def find_endpoint(
    endpoint_id: str, snapshot: Snapshot, shared: SharedNetwork
) -> KnownEndpoint | None:
    """Find an endpoint by its id; None if it is not known or being deleted."""
    for each in list_snapshots(snapshot, shared):
        endpoint = each.endpoints.get(endpoint_id)
        if endpoint and not endpoint.deleted:
            return KnownEndpoint(endpoint, each)
    return None


def find_holders(
    address: Address, snapshot: Snapshot, shared: SharedNetwork
) -> tuple[KnownEndpoint, ...]:
    """Find the endpoints that have a network interface of this address.

    Traffic to the VPC's own addresses stays in it. VPCs may overlap elsewhere, so several endpoints
    may have the address: routes decide which one is reached.
    """
    own = contains(snapshot, address)
    snapshots = (snapshot,) if own else tuple(list_snapshots(snapshot, shared))
    return tuple(
        KnownEndpoint(each.endpoints[endpoint_id], each)
        for each in snapshots
        for endpoint_id in _index_addresses(each).get(address, ())
    )


def contains(snapshot: Snapshot, address: Address) -> bool:
    """Return whether an address belongs to a VPC."""
    blocks: tuple[Network, ...] = (*snapshot.vpc.cidrs, *snapshot.vpc.ipv6_cidrs)
    return any(address in each for each in blocks)


@cache_by_identity(maxsize=16)
def _index_addresses(snapshot: Snapshot) -> Mapping[Address, tuple[str, ...]]:
    found: dict[Address, tuple[str, ...]] = {}
    for endpoint in snapshot.endpoints.values():
        for interface_id in () if endpoint.deleted else endpoint.network_interface_ids:
            interface = snapshot.network_interfaces.get(interface_id)
            for address in interface.addresses if interface else ():
                found[address] = (*found.get(address, ()), endpoint.id)
    return found


@cache_by_identity(maxsize=16)
def map_private_dns_zones(snapshot: Snapshot) -> Mapping[str, tuple[HostedZone, ...]]:
    """Map the ids of a VPC's working interface endpoints to the zones of private DNS.

    An endpoint whose private DNS is off has no such zones in its VPC, but a Profile may name it.
    """
    return {
        endpoint_id: build_managed_zones(
            endpoint, _list_private_names(snapshot, endpoint), snapshot.scope.account
        )
        for endpoint_id, endpoint in sorted(snapshot.endpoints.items())
        if endpoint.type is EndpointType.INTERFACE and endpoint.state in WORKING
    }


def _list_private_names(snapshot: Snapshot, endpoint: Endpoint) -> tuple[str, ...]:
    service = get_service(snapshot, endpoint)
    listed = list_names(snapshot, service) if service.private_dns_names else ()
    return tuple(dict.fromkeys((*listed, *list_own_names(endpoint))))
