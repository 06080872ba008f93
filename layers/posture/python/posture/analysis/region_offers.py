"""What a region offers to all its VPCs: services, and the addresses of those with prefix lists.

The snapshots of a region share its mappings, so that what follows from them is computed once.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from ipaddress import ip_network

from posture.analysis.addresses import IPV4, IPV6, NOTHING, AddressSet
from posture.analysis.identity import cache_by_identity
from posture.model.network import EndpointType, PrefixList, Service, Snapshot
from posture.model.service_names import find_region, short_name

# Not globally reachable, according to IANA's registries of special-purpose addresses:
# https://www.iana.org/assignments/iana-ipv4-special-registry/
# https://www.iana.org/assignments/iana-ipv6-special-registry/ (2000::/3 is all that is global)
SPECIAL = (
    "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 "
    "192.0.2.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/3"
)
PUBLIC = (IPV4 - AddressSet.of(map(ip_network, SPECIAL.split()))) | AddressSet.of(
    [ip_network("2000::/3")]
)


class RegionOffers:
    """The services and prefix lists of snapshots; each answer is computed once."""

    def __init__(
        self, services: Mapping[str, Service], prefix_lists: Mapping[str, PrefixList]
    ) -> None:
        self._services = services
        self._prefix_lists = prefix_lists
        self._lists: dict[str, tuple[PrefixList, ...]] = {}
        self._addresses: dict[str, AddressSet | None] = {}
        self._forms: dict[tuple[str, bool, str], tuple[Service, ...]] = {}

    @cached_property
    def gateway_services(self) -> tuple[Service, ...]:
        """The services with gateway endpoints, sorted by name."""
        return tuple(
            service
            for _, service in sorted(self._services.items())
            if EndpointType.GATEWAY in service.types
        )

    def list_prefix_lists(self, service: str) -> tuple[PrefixList, ...]:
        """List the AWS-managed prefix lists of a service: for IPv4, and for IPv6 if any."""
        if service not in self._lists:
            self._lists[service] = tuple(
                each
                for each in self._prefix_lists.values()
                if each.aws_managed and each.name.replace(".ipv6.", ".") == service
            )
        return self._lists[service]

    def find_addresses(self, service: str) -> AddressSet | None:
        """Return the addresses of a gateway service; None if its lists could not be read."""
        if service not in self._addresses:
            lists = self.list_prefix_lists(service)
            is_known = bool(lists) and all(each.cidrs is not None for each in lists)
            blocks = (cidr for each in lists for cidr in each.cidrs or ())
            self._addresses[service] = AddressSet.of(blocks) if is_known else None
        return self._addresses[service]

    @cached_property
    def other_addresses(self) -> AddressSet:
        """All public addresses without those of gateway services."""
        return PUBLIC & self.beside_gateways

    @cached_property
    def beside_gateways(self) -> AddressSet:
        """All addresses without those of gateway services."""
        found = (self.find_addresses(each.name) or NOTHING for each in self.gateway_services)
        return (IPV4 | IPV6) - AddressSet.union(found)

    def list_forms(self, short: str, region: str, *, fips: bool) -> tuple[Service, ...]:
        """List the services that a name stands for, as `list_service_forms` does."""
        key = short, fips, region
        if key not in self._forms:
            own = {None, region}
            names = [short, f"{short}-fips"] if fips else [short]
            found = [
                (names.index(wanted), find_region(name) is None, name)
                for name in self._services
                for wanted in names
                if name.endswith(wanted)
                and (name == wanted or (short_name(name) == wanted and find_region(name) in own))
            ]
            self._forms[key] = tuple(self._services[name] for _, _, name in sorted(found))
        return self._forms[key]


def get_region_offers(snapshot: Snapshot) -> RegionOffers:
    """Return what the region of a snapshot offers, which all its VPCs share."""
    return _build_offers(snapshot.services, snapshot.prefix_lists)


@cache_by_identity(maxsize=8)  # regions
def _build_offers(
    services: Mapping[str, Service], prefix_lists: Mapping[str, PrefixList]
) -> RegionOffers:
    return RegionOffers(services, prefix_lists)


def list_gateway_services(snapshot: Snapshot) -> tuple[Service, ...]:
    """List the services with gateway endpoints in this region."""
    return get_region_offers(snapshot).gateway_services


def list_service_prefix_lists(snapshot: Snapshot, service: Service) -> tuple[PrefixList, ...]:
    """List the AWS-managed prefix lists of a service: one for IPv4, and one for IPv6 if any."""
    return get_region_offers(snapshot).list_prefix_lists(service.name)


def find_service_addresses(snapshot: Snapshot, service: Service) -> AddressSet | None:
    """Return the addresses of a gateway service; None if its prefix lists could not be read."""
    return get_region_offers(snapshot).find_addresses(service.name)
