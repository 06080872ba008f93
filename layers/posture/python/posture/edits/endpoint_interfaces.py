"""Adds and removes the network interfaces of endpoints in their subnets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

from posture.edits.draft import Draft, refuse
from posture.edits.operations.endpoints import SubnetConfiguration
from posture.model.network import (
    Address,
    Endpoint,
    EndpointType,
    Facet,
    Network,
    NetworkInterface,
    Subnet,
)

RESERVED = 4  # addresses at the start of each block, and the last of an IPv4 one
VERSIONS = {"ipv4": (4,), "ipv6": (6,), "dualstack": (4, 6)}
IPV4 = 4


def place_interfaces(
    draft: Draft,
    endpoint: Endpoint,
    subnet_ids: Sequence[str],
    configurations: Iterable[SubnetConfiguration] = (),
) -> Endpoint:
    """Place one network interface of an endpoint in each of its subnets, and no others.

    EC2 chooses the address of a new interface unless the request does. A configuration of a subnet
    that the endpoint is in already gives its interface other addresses.
    """
    if endpoint.type is EndpointType.GATEWAY:
        return endpoint
    draft.require(Facet.NETWORK_INTERFACES)
    subnets = [draft.get_subnet(each) for each in subnet_ids]
    _require_zones(draft, endpoint, subnets)
    chosen = {each.subnet_id: each for each in configurations}
    present = {
        draft.network_interfaces[each].subnet_id: each
        for each in endpoint.network_interface_ids
        if each in draft.network_interfaces
    }
    gone = {present[each] for each in present if each not in subnet_ids}
    remove_interfaces(draft, gone)
    ids = {each for each in endpoint.network_interface_ids if each not in gone}
    for subnet in subnets:
        old = draft.network_interfaces.get(present.get(subnet.id, ""))
        if old is None and subnet.id in endpoint.subnet_ids:
            continue  # an interface that could not be read
        interface = old or NetworkInterface(draft.create_id("eni"), subnet.id, subnet.zone, (), ())
        placed = _set_addresses(endpoint, subnet, interface, chosen.get(subnet.id))
        draft.network_interfaces[placed.id] = placed
        ids.add(placed.id)
    return replace(
        endpoint, subnet_ids=tuple(sorted(subnet_ids)), network_interface_ids=tuple(sorted(ids))
    )


def remove_interfaces(draft: Draft, ids: Iterable[str]) -> None:
    """Remove network interfaces."""
    for each in ids:
        draft.network_interfaces.pop(each, None)


def _require_zones(draft: Draft, endpoint: Endpoint, subnets: Sequence[Subnet]) -> None:
    """Refuse two subnets of one zone, and a zone that the service is not in.

    https://docs.aws.amazon.com/vpc/latest/privatelink/create-interface-endpoint.html
    """
    service = draft.snapshot.services.get(endpoint.service_name)
    adds = not {each.id for each in subnets} <= {*endpoint.subnet_ids}
    zones: dict[str, str] = {}
    for subnet in subnets:
        if subnet.zone in zones and adds:
            raise refuse(
                "DuplicateSubnetsInSameZone",
                f"Found another VPC endpoint subnet in the availability zone of {subnet.id}: "
                f"{zones[subnet.zone]}",
            )
        zones[subnet.zone] = subnet.id
        if subnet.id in endpoint.subnet_ids or not service or not service.zones:
            continue
        if subnet.zone not in service.zones:
            raise refuse(
                "InvalidParameter",
                f"The VPC endpoint service {service.name} does not support the availability zone "
                f"of the subnet: {subnet.id}.",
            )


def _set_addresses(
    endpoint: Endpoint,
    subnet: Subnet,
    interface: NetworkInterface,
    chosen: SubnetConfiguration | None,
) -> NetworkInterface:
    """Set the groups of an interface, and its addresses as far as its endpoint's type has them."""
    addresses: list[Address] = []
    unknown: set[int] = set()
    for version in VERSIONS.get(endpoint.ip_address_type or "ipv4", (IPV4,)):
        blocks = [each for each in subnet.blocks if each.version == version]
        if not blocks:
            raise refuse(
                "InvalidParameter",
                f"{subnet.id} has no IPv{version} CIDR block, which the IP address type "
                f"{endpoint.ip_address_type} requires",
            )
        wanted = chosen and (chosen.ipv4 if version == IPV4 else chosen.ipv6)
        own = [each for each in interface.addresses if each.version == version]
        if wanted:
            _require_usable(subnet, blocks, wanted)
            addresses.append(wanted)
        elif own:
            addresses += own
            unknown |= interface.unknown_versions & {version}
        else:
            addresses.append(blocks[0][RESERVED])
            unknown.add(version)
    return replace(
        interface,
        addresses=tuple(addresses),
        security_group_ids=endpoint.security_group_ids,
        unknown_versions=frozenset(unknown),
    )


def _require_usable(subnet: Subnet, blocks: Iterable[Network], address: Address) -> None:
    for block in blocks:
        last = block.num_addresses - (1 if isinstance(block, IPv4Network) else 0)
        if address in block and RESERVED <= int(address) - int(block.network_address) < last:
            return
    family = "IPv4" if isinstance(address, IPv4Address) else "IPv6"
    raise refuse(
        "InvalidParameterValue", f"{address} is not a usable {family} address of {subnet.id}"
    )
