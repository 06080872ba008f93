"""Network ACLs, their entries and their associations."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network

from posture.lean_dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PortRange:
    """The first and last port of a network ACL entry."""

    from_: int
    to: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IcmpTypeCode:
    """The ICMP type and code of a network ACL entry; -1 is any."""

    type: int
    code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _AclEntryFields:
    network_acl_id: str
    rule_number: int
    egress: bool
    protocol: str  # a number, -1 for all
    rule_action: str  # allow or deny
    cidr_block: IPv4Network | None = None
    ipv6_cidr_block: IPv6Network | None = None
    port_range: PortRange | None = None
    icmp_type_code: IcmpTypeCode | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateNetworkAclEntry(_AclEntryFields):
    """Add an entry to a network ACL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceNetworkAclEntry(_AclEntryFields):
    """Replace the entry that has the same number and direction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteNetworkAclEntry:
    """Delete an entry of a network ACL."""

    network_acl_id: str
    rule_number: int
    egress: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceNetworkAclAssociation:
    """Replace the network ACL of a subnet, under a new association id."""

    association_id: str
    network_acl_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateNetworkAcl:
    """Create a network ACL (`acl-new-1`) that denies all traffic."""

    vpc_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteNetworkAcl:
    """Delete a network ACL without associations."""

    network_acl_id: str
