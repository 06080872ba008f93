"""Assigns what EC2 chooses by itself: addresses of interfaces, and zones of subnets.

Both ends of what it may choose are readings of the plan: what differs between them is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_network

from posture_cli.plan.rows import PlannedRegion, Row
from posture_cli.plan.terraform_resolver import Choice
from posture_cli.plan.values import UNASSIGNED

ADDRESSES, ZONES = "the addresses of new network interfaces", "the zones of new subnets"
FIRST, LAST = 4, -2  # https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html
ZONE = "zone of "  # begins the name of a zone that is not known


def assign(region: PlannedRegion, reading: Mapping[str, int], choices: dict[str, Choice]) -> None:
    """Assign addresses and zones in one reading, and add the choices that there are."""
    for row in region.rows["DescribeNetworkInterfaces"]:
        if _assign_addresses(region, row, last=reading.get(ADDRESSES) == 1):
            text = "EC2 chooses the addresses of new network interfaces."
            choices[ADDRESSES] = Choice(ADDRESSES, 2, text)
    rows = [*region.rows["DescribeSubnets"], *region.rows["DescribeNetworkInterfaces"]]
    open_rows = [it for it in rows if str(it.get("AvailabilityZone", "")).startswith(ZONE)]
    names = {each["AvailabilityZone"] for each in open_rows}
    if len(names) > 1:
        text = "EC2 chooses the Availability Zones of subnets that name none."
        choices[ZONES] = Choice(ZONES, 2, text)
    if reading.get(ZONES) == 1:
        for each in open_rows:
            each["AvailabilityZone"] = f"{ZONE}all"


def _assign_addresses(region: PlannedRegion, row: Row, *, last: bool) -> bool:
    """Assign the addresses of an interface; return whether there were any to assign."""
    subnet = region.find("DescribeSubnets", "SubnetId", row.get("SubnetId")) or {}
    offset = LAST if last else FIRST
    found = False
    if row.get("PrivateIpAddress") == UNASSIGNED[4] and subnet.get("CidrBlock"):
        address = str(ip_network(subnet["CidrBlock"], strict=False)[offset])
        row["PrivateIpAddress"] = address
        row["PrivateIpAddresses"] = [{"PrivateIpAddress": address}]
        found = True
    blocks = [each["Ipv6CidrBlock"] for each in subnet.get("Ipv6CidrBlockAssociationSet", ())]
    if {"Ipv6Address": UNASSIGNED[6]} in row.get("Ipv6Addresses", ()) and blocks:
        row["Ipv6Addresses"] = [{"Ipv6Address": str(ip_network(blocks[0], strict=False)[offset])}]
        found = True
    return found
