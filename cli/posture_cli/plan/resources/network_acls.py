"""Network ACLs of a planned region and their entries."""

from __future__ import annotations

from posture.model.network import Facet
from posture_cli.plan.rows import ANY_IPV4, ANY_IPV6, PlannedRegion, Row
from posture_cli.plan.values import find_unknown

FINAL_DENY, FINAL_DENY_IPV6 = 32767, 32768


def add_network_acl(
    region: PlannedRegion, acl_id: str, vpc_id: str, *, default: bool = False
) -> Row:
    """Add a network ACL; a new one denies everything.

    https://docs.aws.amazon.com/vpc/latest/userguide/custom-network-acl.html
    """
    row: Row = {"NetworkAclId": acl_id, "VpcId": vpc_id, "OwnerId": region.account}
    if region.find("DescribeNetworkAcls", "NetworkAclId", acl_id) is None:
        entries = [
            build_acl_entry(number, cidr, egress=egress, action="deny")
            for number, cidr in ((FINAL_DENY, ANY_IPV4), (FINAL_DENY_IPV6, ANY_IPV6))
            for egress in (False, True)
            if cidr == ANY_IPV4 or any(":" in each for each in region.list_cidrs(vpc_id))
        ]
        row |= {"IsDefault": default, "Associations": [], "Entries": entries}
    return region.put("DescribeNetworkAcls", "NetworkAclId", row)


def add_acl_entry(region: PlannedRegion, acl_id: str, entry: Row) -> None:
    """Add an entry, as DescribeNetworkAcls returns it, instead of the one of its number."""
    acl = region.find("DescribeNetworkAcls", "NetworkAclId", acl_id)
    if acl is None:
        return
    if unknown := find_unknown(entry):
        why = f"an entry of {acl_id} has a value that is {unknown.what}"
        region.mark_unknown(acl["VpcId"], Facet.NETWORK_ACLS, why)
        return
    remove_acl_entry(region, acl_id, entry["RuleNumber"], egress=entry["Egress"])
    acl["Entries"].append(entry)


def remove_acl_entry(region: PlannedRegion, acl_id: str, number: int, *, egress: bool) -> None:
    """Remove the entry of a number and direction."""
    if acl := region.find("DescribeNetworkAcls", "NetworkAclId", acl_id):
        acl["Entries"] = [
            each
            for each in acl["Entries"]
            if (each["RuleNumber"], each["Egress"]) != (number, egress)
        ]


def associate_network_acl(region: PlannedRegion, acl_id: str, subnet_id: str) -> None:
    """Associate a network ACL with a subnet, instead of the one that it had.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ReplaceNetworkAclAssociation.html
    """
    acl = region.find("DescribeNetworkAcls", "NetworkAclId", acl_id)
    if acl is None:
        return
    for other in region.rows["DescribeNetworkAcls"]:
        kept = (each for each in other["Associations"] if each["SubnetId"] != subnet_id)
        other["Associations"] = list(kept)
    link = {"NetworkAclAssociationId": f"aclassoc-{subnet_id}", "NetworkAclId": acl_id}
    acl["Associations"].append({**link, "SubnetId": subnet_id})


def build_acl_entry(number: int, cidr: str, *, egress: bool, action: str) -> Row:
    """Build an entry for all protocols, as DescribeNetworkAcls returns it."""
    name = "Ipv6CidrBlock" if ":" in cidr else "CidrBlock"
    entry = {"RuleNumber": number, name: cidr, "Egress": egress, "RuleAction": action}
    return {**entry, "Protocol": "-1"}
