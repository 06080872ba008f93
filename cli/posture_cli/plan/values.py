"""What stands for a value that EC2 assigns, or that is not known before a deployment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

# An interface's address that EC2 has not yet chosen: any of its subnet.
UNASSIGNED = {4: "0.0.0.0", 6: "::"}  # noqa: S104 - listens nowhere
PREFIXES = {
    "vpc": "vpc-",
    "subnet": "subnet-",
    "route-table": "rtb-",
    "network-acl": "acl-",
    "security-group": "sg-",
    "vpc-endpoint": "vpce-",
    "endpoint-service": "vpce-svc-",
    "nat-gateway": "nat-",
    "internet-gateway": "igw-",
    "egress-only-internet-gateway": "eigw-",
    "virtual-private-gateway": "vgw-",
    "carrier-gateway": "cagw-",
    "transit-gateway": "tgw-",
    "peering-connection": "pcx-",
    "prefix-list": "pl-",
    "network-interface": "eni-",
    "instance": "i-",
    "dhcp-options": "dopt-",
}


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value that is not known before the deployment; `what` is a noun phrase that names it."""

    what: str

    def __str__(self) -> str:
        return f"unknown ({self.what})"


def find_unknown(value: object) -> Unknown | None:
    """Find an unknown in a value, however deep."""
    if isinstance(value, Unknown):
        return value
    parts: Iterable[object] = ()
    if isinstance(value, Mapping):
        parts = value.values()
    elif isinstance(value, list | tuple):
        parts = value
    return next((found for each in parts if (found := find_unknown(each))), None)


def make_symbol(kind: str, address: str) -> str:
    """Make the id that stands for a resource until EC2 assigns one.

    It begins like EC2's ids of the kind, as `GatewayId` tells the kinds of gateway apart by that.

    Args:
        kind: EC2's resource type, as in tag specifications, such as `route-table`.
        address: The resource's logical id or address.
    """
    return PREFIXES[kind] + address
