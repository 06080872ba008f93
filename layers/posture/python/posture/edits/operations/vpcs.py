"""The attributes, DHCP options and prefix lists of VPCs."""

from __future__ import annotations

from dataclasses import field

from posture.edits.operations import Ids
from posture.lean_dataclass import dataclass
from posture.model.network import Network

# A boolean parameter that EC2 wraps: EnableDnsSupport={"Value": true}.
WRAPPED = {"member": "Value"}


def _wrapped() -> bool | None:
    value: bool | None = field(default=None, metadata=WRAPPED)
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyVpcAttribute:
    """Set one DNS attribute of a VPC."""

    vpc_id: str
    enable_dns_support: bool | None = _wrapped()
    enable_dns_hostnames: bool | None = _wrapped()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifySubnetAttribute:
    """Set DNS64 of a subnet."""

    subnet_id: str
    enable_dns64: bool | None = _wrapped()


@dataclass(frozen=True, slots=True, kw_only=True)
class DhcpConfiguration:
    """One option of a DHCP option set."""

    key: str
    values: Ids


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateDhcpOptions:
    """Create a DHCP option set (`dopt-new-1`)."""

    dhcp_configurations: tuple[DhcpConfiguration, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociateDhcpOptions:
    """Replace the DHCP option set of a VPC; `default` is the VPC's own Resolver."""

    dhcp_options_id: str
    vpc_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefixListEntry:
    """A CIDR block of a prefix list."""

    cidr: Network
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyManagedPrefixList:
    """Add or remove entries of a customer-managed prefix list."""

    prefix_list_id: str
    current_version: int | None = None
    prefix_list_name: str | None = None
    add_entries: tuple[PrefixListEntry, ...] = ()
    remove_entries: tuple[PrefixListEntry, ...] = ()
    max_entries: int | None = None
