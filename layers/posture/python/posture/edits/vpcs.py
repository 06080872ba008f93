"""Applies edits of the VPC itself, its subnets, DHCP option sets and prefix lists."""

from __future__ import annotations

from dataclasses import replace

from posture.edits.draft import Draft, Handlers, refuse
from posture.edits.operations.vpcs import (
    AssociateDhcpOptions,
    CreateDhcpOptions,
    ModifyManagedPrefixList,
    ModifySubnetAttribute,
    ModifyVpcAttribute,
)
from posture.errors import UndecidedEditError
from posture.model.dns import AMAZON_DNS
from posture.model.network import DhcpOptions, Facet, Network

DEFAULT_OPTIONS = "default"


def _modify_vpc(draft: Draft, edit: ModifyVpcAttribute) -> None:
    """Set one DNS attribute; EC2 takes one in each request.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyVpcAttribute.html
    """
    draft.require_vpc(edit.vpc_id)
    support, hostnames = edit.enable_dns_support, edit.enable_dns_hostnames
    if support is None and hostnames is None:
        raise refuse("MissingParameter", "The request must contain an attribute")
    if support is not None and hostnames is not None:
        raise refuse("InvalidParameterCombination", "Fields for multiple attribute types specified")
    vpc = draft.vpc
    if hostnames:
        draft.require(Facet.DNS_ATTRIBUTES)
        if vpc.dns_support is None:
            raise UndecidedEditError(f"enableDnsSupport of {vpc.id} is not in the snapshot")
        if not vpc.dns_support:
            raise refuse(
                "InvalidParameterValue",
                "Value (true) for parameter enableDnsHostnames is invalid. enableDnsSupport must "
                "be true.",
            )
    if support is not None:
        vpc = replace(vpc, dns_support=support)
    else:
        vpc = replace(vpc, dns_hostnames=hostnames)
    draft.vpc = vpc


def _modify_subnet(draft: Draft, edit: ModifySubnetAttribute) -> None:
    subnet = draft.get_subnet(edit.subnet_id)
    if edit.enable_dns64 is None:
        raise refuse("MissingParameter", "The request must contain the parameter EnableDns64")
    if edit.enable_dns64 and not subnet.ipv6_cidrs:
        raise refuse("InvalidParameterValue", f"{subnet.id} has no IPv6 CIDR block")
    draft.subnets[subnet.id] = replace(subnet, dns64=edit.enable_dns64)


def _create_options(draft: Draft, edit: CreateDhcpOptions) -> None:
    servers = (
        value
        for each in edit.dhcp_configurations
        if each.key == "domain-name-servers"
        for value in each.values
    )
    options = DhcpOptions(draft.create_id("dopt"), tuple(servers))
    draft.dhcp_options[options.id] = options


def _associate_options(draft: Draft, edit: AssociateDhcpOptions) -> None:
    draft.require_vpc(edit.vpc_id)
    draft.require(Facet.VPC)
    wanted, vpc = edit.dhcp_options_id, draft.vpc
    if wanted == DEFAULT_OPTIONS:
        servers: tuple[str, ...] | None = (AMAZON_DNS,)
    elif wanted == vpc.dhcp_options_id:
        servers = vpc.dns_servers
    elif wanted in draft.dhcp_options:
        servers = draft.dhcp_options[wanted].dns_servers
    else:
        raise UndecidedEditError(
            f"the snapshot does not hold the DNS servers of {wanted}; it holds the option set of "
            "the VPC and those that earlier edits create"
        )
    if wanted != DEFAULT_OPTIONS and servers is not None and vpc.dhcp_options_id:
        draft.dhcp_options.setdefault(
            vpc.dhcp_options_id, DhcpOptions(vpc.dhcp_options_id, vpc.dns_servers or ())
        )
    draft.vpc = replace(vpc, dhcp_options_id=wanted, dns_servers=servers)


def _modify_list(draft: Draft, edit: ModifyManagedPrefixList) -> None:
    """Add and remove entries of a list, for which EC2 requires the list's current version.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyManagedPrefixList.html
    """
    listed = draft.get_prefix_list(edit.prefix_list_id)
    if listed.aws_managed:
        raise refuse("UnauthorizedOperation", f"{listed.id} is managed by AWS")
    changed = edit.add_entries or edit.remove_entries
    if changed and edit.current_version is None:
        raise refuse(
            "InvalidParameterCombination", "CurrentVersion is required to modify the entries"
        )
    cidrs: list[Network] = list(listed.cidrs or ())
    for entry in edit.remove_entries:
        if entry.cidr not in cidrs:
            raise refuse("InvalidParameterValue", f"{entry.cidr} is not an entry of {listed.id}")
        cidrs.remove(entry.cidr)
    for entry in edit.add_entries:
        if any(entry.cidr.version != each.version for each in cidrs):
            raise refuse("InvalidParameterValue", f"{entry.cidr} is of another address family")
        if entry.cidr not in cidrs:  # an entry that exists gets another description
            cidrs.append(entry.cidr)
    draft.prefix_lists[listed.id] = replace(listed, cidrs=tuple(cidrs))


HANDLERS: Handlers = {
    ModifyVpcAttribute: _modify_vpc,
    ModifySubnetAttribute: _modify_subnet,
    CreateDhcpOptions: _create_options,
    AssociateDhcpOptions: _associate_options,
    ModifyManagedPrefixList: _modify_list,
}
