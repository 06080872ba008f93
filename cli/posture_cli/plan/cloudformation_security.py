"""Map security groups, network ACLs, endpoints and endpoint services of a template to rows."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from posture.model.endpoint_service import ServiceFacet
from posture.model.network import Facet
from posture_cli.plan.cloudformation_stack import NO_ACCOUNT, Resource
from posture_cli.plan.resources import endpoint_services, endpoints, network_acls, security_groups
from posture_cli.plan.rows import Row
from posture_cli.plan.values import Unknown, find_unknown

# EC2 returns these protocols by name.
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html
PROTOCOLS = {"1": "icmp", "6": "tcp", "17": "udp", "58": "icmpv6", "all": "-1"}
# The peers of a rule: the property, the member that lists peers, and the peer's member.
PEERS = (
    ("CidrIp", "IpRanges", "CidrIp"),
    ("CidrIpv6", "Ipv6Ranges", "CidrIpv6"),
    ("SourcePrefixListId", "PrefixListIds", "PrefixListId"),
    ("DestinationPrefixListId", "PrefixListIds", "PrefixListId"),
    ("SourceSecurityGroupId", "UserIdGroupPairs", "GroupId"),
    ("DestinationSecurityGroupId", "UserIdGroupPairs", "GroupId"),
)
GROUP = "AWS::EC2::SecurityGroup"
ACCOUNT = re.compile(r"(?<!\d)\d{12}(?!\d)")
OWN_ACCOUNT = "about accounts, and the own account is not known; give --account"
TEXTS = (  # of an endpoint, which EC2 returns as they are
    "ServiceName",
    "IpAddressType",
    "ServiceRegion",
    "ResourceConfigurationArn",
    "ServiceNetworkArn",
)


def add_group(it: Resource) -> None:
    """Add a security group with its inline rules.

    Without outbound rules EC2 allows all outbound traffic, also for an empty list.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-securitygroup.html
    """
    name = it.get("GroupName")
    vpc_id = it.get_vpc()
    security_groups.add_security_group(
        it.region, it.id, vpc_id, name if isinstance(name, str) else it.address
    )
    for egress in (False, True):
        title = "SecurityGroupEgress" if egress else "SecurityGroupIngress"
        rules = it.get_list(title)
        if isinstance(rules, Unknown):
            why = f"{title} of {it.address} is {rules.what}"
            it.region.mark_unknown(vpc_id, Facet.SECURITY_GROUPS, why)
            continue
        if egress and (rules or _had_egress(it)):
            security_groups.clear_group_rules(it.region, it.id, egress=True)
        for number, rule in enumerate(rules):
            place = f"{title}[{number}]."
            security_groups.add_group_rule(
                it.region, it.id, build_permission(it, rule, place), egress=egress
            )


def _had_egress(it: Resource) -> bool:
    """Return whether the deployed group has outbound rules: without them, it has none at all."""
    former = it.stack.former
    if former is None or it.logical_id not in it.stack.physical_ids:
        return False
    return bool(former.get_property(it.logical_id, "SecurityGroupEgress"))


def add_ingress(it: Resource) -> None:
    """Add an inbound rule of its own."""
    _add_rule(it, egress=False)


def add_egress(it: Resource) -> None:
    """Add an outbound rule of its own; the group keeps those that it has."""
    _add_rule(it, egress=True)


def _add_rule(it: Resource, *, egress: bool) -> None:
    group_id = it.get_id_of("GroupId", "security-group")
    if vpc_id := it.region.find_vpc_id("DescribeSecurityGroups", "GroupId", group_id):
        it.mark_doubt(vpc_id)
    permission = build_permission(it, it.properties, "")
    security_groups.add_group_rule(it.region, group_id, permission, egress=egress)


def build_permission(it: Resource, rule: Any, place: str) -> Row:
    """Build a permission, as DescribeSecurityGroups returns it."""
    if isinstance(rule, Unknown):
        return {"IpProtocol": rule}
    if not isinstance(rule, Mapping):
        it.fail(place.rstrip("."), f"expected an object, found {rule!r}")
    protocol = rule.get("IpProtocol")
    if protocol is None:
        it.fail(f"{place}IpProtocol", "expected a protocol")
    if not isinstance(protocol, Unknown):
        protocol = PROTOCOLS.get(str(protocol).lower(), str(protocol).lower())
    row: Row = {"IpProtocol": protocol}
    row |= {
        name: _read_number(it, rule[name], f"{place}{name}")
        for name in ("FromPort", "ToPort")
        if protocol != "-1" and rule.get(name) is not None
    }
    described = rule.get("Description")
    text = {"Description": described} if isinstance(described, str) else {}
    for name, members, member in PEERS:
        if (peer := rule.get(name)) is not None:
            if member in {"CidrIp", "CidrIpv6"} and not isinstance(peer, Unknown):
                it.check_cidr(f"{place}{name}", peer)
            row[members] = [{**_complete_peer(it, member, peer), **text}]
    if "SourceSecurityGroupName" in rule:
        row["UserIdGroupPairs"] = [{"GroupId": Unknown("a group that is given by its name")}]
    return row


def _complete_peer(it: Resource, member: str, peer: Any) -> Row:
    """Add the owner of a group, and the VPC of one in another VPC."""
    if member != "GroupId":
        return {member: peer}
    row: Row = {"GroupId": peer, "UserId": it.stack.settings.account}
    group_id = it.id if it.type == GROUP else it.get("GroupId")
    own = it.region.find_vpc_id("DescribeSecurityGroups", "GroupId", group_id)
    other = it.region.find_vpc_id("DescribeSecurityGroups", "GroupId", peer)
    return {**row, "VpcId": other} if other and other != own else row


def _read_number(it: Resource, value: Any, place: str) -> int | Unknown:
    if isinstance(value, Unknown):
        return value
    try:
        return int(str(value))
    except ValueError:
        it.fail(place, f"expected a number, found {value!r}")
        raise


def add_acl(it: Resource) -> None:
    """Add a network ACL."""
    network_acls.add_network_acl(it.region, it.id, it.get_vpc())


def add_acl_entry(it: Resource) -> None:
    """Add an entry of a network ACL.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-networkaclentry.html
    """
    acl_id = it.get_id_of("NetworkAclId", "network-acl")
    if vpc_id := it.region.find_vpc_id("DescribeNetworkAcls", "NetworkAclId", acl_id):
        it.mark_doubt(vpc_id)
    entry: Row = {
        "RuleNumber": _read_number(it, it.get("RuleNumber"), "RuleNumber"),
        "Egress": it.get_bool("Egress", default=False),
        "RuleAction": it.get("RuleAction"),
        "Protocol": it.get("Protocol"),
    }
    if not isinstance(entry["Protocol"], Unknown):
        entry["Protocol"] = str(entry["Protocol"])
    for name in ("CidrBlock", "Ipv6CidrBlock"):
        if it.get_cidr(name) is not None:
            entry[name] = it.get(name)
    ports = it.get("PortRange")
    if isinstance(ports, Unknown):
        entry["PortRange"] = ports
    elif isinstance(ports, Mapping):
        entry["PortRange"] = {
            name: _read_number(it, value, f"PortRange.{name}") for name, value in ports.items()
        }
    network_acls.add_acl_entry(it.region, acl_id, entry)


def associate_acl(it: Resource) -> None:
    """Associate a network ACL with a subnet."""
    acl_id = it.get_id_of("NetworkAclId", "network-acl")
    subnet_id = it.get_id_of("SubnetId", "subnet")
    if vpc_id := it.region.find_vpc_id("DescribeNetworkAcls", "NetworkAclId", acl_id):
        it.mark_doubt(vpc_id)
    network_acls.associate_network_acl(it.region, acl_id, subnet_id)


def add_endpoint(it: Resource) -> None:
    """Add an endpoint: by default a gateway endpoint with full access and no private DNS.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-vpcendpoint.html
    """
    vpc_id = it.get_vpc()
    row: Row = {name: it.get(name) for name in TEXTS if it.get(name) is not None}
    row["VpcEndpointType"] = it.get("VpcEndpointType", "Gateway")
    row["PrivateDnsEnabled"] = it.get_bool("PrivateDnsEnabled", default=False)
    row["RouteTableIds"] = it.get_list("RouteTableIds")
    row["SubnetIds"] = it.get_list("SubnetIds")
    groups = it.get_list("SecurityGroupIds")
    row["Groups"] = (
        groups if isinstance(groups, Unknown) else [{"GroupId": each} for each in groups]
    )
    if it.get("PolicyDocument") is not None:
        row["PolicyDocument"] = read_policy(it, it.get("PolicyDocument"))
    if it.get("DnsOptions") is not None:
        row["DnsOptions"] = _read_dns_options(it.get("DnsOptions"))
    if not any(row.get(name) for name in ("ServiceName", *TEXTS[3:])):
        it.fail("ServiceName", "expected a service, resource configuration or service network")
    endpoints.add_endpoint(it.region, it.id, vpc_id, it.address, row)


def _read_dns_options(options: Any) -> Any:
    """Return the options as EC2 does, which has true or false where CloudFormation has a word."""
    if not isinstance(options, Mapping):
        return options
    name = "PrivateDnsOnlyForInboundResolverEndpoint"
    inbound = options.get(name)
    words = {"OnlyInboundResolver": True, "AllResolvers": False}
    return {**options, name: words.get(str(inbound), inbound)} if name in options else dict(options)


def read_policy(it: Resource, policy: Any) -> str | Unknown:
    """Return a policy as text; with an unknown value in it, it is unknown."""
    if unknown := find_unknown(policy):
        return unknown
    if not isinstance(policy, str | Mapping):
        it.fail("PolicyDocument", f"expected a policy, found {policy!r}")
    text = policy if isinstance(policy, str) else json.dumps(policy, default=str)
    return Unknown(OWN_ACCOUNT) if _names_other_account(it, text) else text


def _names_other_account(it: Resource, text: str) -> bool:
    """Return whether a text names an account that may be the own one, which is not known."""
    own = it.stack.settings.account
    return own == NO_ACCOUNT and any(each != own for each in ACCOUNT.findall(text))


def add_service(it: Resource) -> None:
    """Add an endpoint service.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-vpcendpointservice.html
    """
    row: Row = {}
    if it.get("AcceptanceRequired") is not None:
        row["AcceptanceRequired"] = it.get_bool("AcceptanceRequired", default=True)
    regions = it.get_list("SupportedRegions")
    if isinstance(regions, list) and regions:
        row["SupportedRegions"] = [
            each if isinstance(each, Mapping) else {"Region": each} for each in regions
        ]
    endpoint_services.add_endpoint_service(it.region, it.id, row)


def allow_principals(it: Resource) -> None:
    """Let principals use an endpoint service.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-vpcendpointservicepermissions.html
    """
    service_id = it.get_id_of("ServiceId", "endpoint-service")
    principals = it.get_list("AllowedPrincipals")
    unknown = find_unknown(principals)
    if unknown is None and _names_other_account(it, str(principals)):
        unknown = Unknown(OWN_ACCOUNT)
    if unknown:
        why = f"AllowedPrincipals of {it.address} is {unknown.what}"
        it.region.mark_unknown(service_id, ServiceFacet.PERMISSIONS, why)
    elif isinstance(principals, list):
        endpoint_services.allow_principals(
            it.region, service_id, [str(each) for each in principals]
        )
