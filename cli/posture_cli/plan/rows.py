"""The network that a plan leads to, as rows of EC2's Describe operations.

`PlannedRegion` starts from a region's recorded rows, or from nothing, and takes one planned
resource after the other, each as EC2 would create it, with the defaults that EC2 adds by itself.
A name, an id or an address that EC2 assigns is a symbol; a value that is not known makes the part
of the VPC that it belongs to unknown. Nothing is guessed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from posture.model.endpoint_service import ServiceFacet
from posture.model.network import Facet
from posture_cli.recorded.region import MissingRows, RecordedRegion

Row = dict[str, Any]
ANY_IPV4, ANY_IPV6 = "0.0.0.0/0", "::/0"
FULL_ACCESS = (  # EC2's own text for an endpoint without a policy
    '{"Statement":[{"Action":"*","Effect":"Allow","Principal":"*","Resource":"*"}]}'
)
FINAL_DENY, FINAL_DENY_IPV6 = 32767, 32768
# An interface's address that EC2 has not yet chosen: any of its subnet.
UNASSIGNED = {4: "0.0.0.0", 6: "::"}  # noqa: S104 - listens nowhere
# The members of a route that name its destination.
DESTINATIONS = ("DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId")
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


def make_symbol(kind: str, address: str) -> str:
    """Make the id that stands for a resource until EC2 assigns one.

    It begins like EC2's ids of the kind, as `GatewayId` tells the kinds of gateway apart by that.

    Args:
        kind: EC2's resource type, as in tag specifications, such as `route-table`.
        address: The resource's logical id or address.
    """
    return PREFIXES[kind] + address


class PlannedRegion:
    """One region of one account while a plan is applied to it.

    Attributes:
        account: The account's id.
        region: The region's name.
        rows: The rows by Describe operation.
        unknown: By VPC or service id, why a part of it is not known.
        outside: The ids of VPCs that the plan names and does not hold.
    """

    def __init__(
        self, account: str, region: str, rows: Mapping[str, Iterable[Row]] | None = None
    ) -> None:
        self.account = account
        self.region = region
        self.rows: dict[str, list[Row]] = defaultdict(list)
        for operation, listed in (rows or {}).items():
            self.rows[operation] = [deepcopy(dict(row)) for row in listed]
        self.unknown: dict[str, dict[Facet | ServiceFacet, str]] = defaultdict(dict)
        self.outside: list[str] = []

    def find(self, operation: str, key: str, value: object) -> Row | None:
        """Find the row of an operation whose member `key` has this value."""
        return next((row for row in self.rows[operation] if row.get(key) == value), None)

    def remove(self, operation: str, key: str, value: object) -> None:
        """Remove the rows of an operation whose member `key` has this value."""
        self.rows[operation] = [row for row in self.rows[operation] if row.get(key) != value]

    def put(self, operation: str, key: str, row: Row) -> Row:
        """Add a row, or update the row of the same id with its members."""
        if known := self.find(operation, key, row[key]):
            known.update(row)
            return known
        self.rows[operation].append(row)
        return row

    def mark_unknown(self, vpc_id: str, facet: Facet | ServiceFacet, why: str) -> None:
        """Record why a part of a VPC, or of an endpoint service, is not known; the first stays."""
        self.unknown[vpc_id].setdefault(facet, why)

    def _known(self, vpc_id: str, facet: Facet, place: str, **values: Any) -> dict[str, Any]:
        """Return the values that are known; each other one makes the facet unknown."""
        for name, value in values.items():
            if unknown := _find_unknown(value):
                self.mark_unknown(vpc_id, facet, f"{name} of {place} is {unknown.what}")
        return {name: it for name, it in values.items() if it is not None and not _find_unknown(it)}

    def record(self, observed_at: datetime, missing: Iterable[MissingRows] = ()) -> RecordedRegion:
        """Return the rows, with what is not known as missing, to be observed like EC2."""
        gaps = [
            MissingRows(facet.value, why, subject)
            for subject, reasons in self.unknown.items()
            for facet, why in reasons.items()
        ]
        rows = {operation: tuple(listed) for operation, listed in self.rows.items()}
        return RecordedRegion(self.account, self.region, observed_at, rows, (*missing, *gaps))

    # VPCs ----------------------------------------------------------------------------------------

    def add_vpc(  # noqa: PLR0913 - what CreateVpc and ModifyVpcAttribute take
        self,
        vpc_id: str,
        address: str,
        cidr: str | Unknown | None,
        *,
        ipv6_cidrs: Sequence[str | Unknown] = (),
        dns_support: bool | Unknown = True,
        dns_hostnames: bool | Unknown = False,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Add a VPC with its main route table, default security group and default network ACL.

        A VPC that exists keeps those. DNS support is on and DNS host names are off by default, and
        the VPC uses the region's default DHCP options, which name the Resolver.
        https://docs.aws.amazon.com/vpc/latest/userguide/create-vpc.html
        https://docs.aws.amazon.com/vpc/latest/userguide/vpc-dns.html
        """
        exists = self.find("DescribeVpcs", "VpcId", vpc_id) is not None
        fresh: Row = {
            "State": "available",
            "OwnerId": self.account,
            "IsDefault": False,
            "DhcpOptionsId": "default",
            # Of a new VPC in an account that does not use VPC Block Public Access.
            "BlockPublicAccessStates": {"InternetGatewayBlockMode": "off"},
            "CidrBlockAssociationSet": [],
            "Ipv6CidrBlockAssociationSet": [],
        }
        known = self._known(vpc_id, Facet.VPC, address, CidrBlock=cidr)
        row = {"VpcId": vpc_id, **({} if exists else fresh), **known, "Tags": _list_tags(tags)}
        self.put("DescribeVpcs", "VpcId", row)
        if not exists:
            self._add_default_resources(vpc_id, address)
        for block in (cidr, *ipv6_cidrs):
            if block is not None:
                self.add_cidr(vpc_id, block, address)
        self.set_dns(vpc_id, dns_support, dns_hostnames)

    def set_dns(
        self,
        vpc_id: str,
        support: bool | Unknown | None = None,
        hostnames: bool | Unknown | None = None,
    ) -> None:
        """Set the DNS attributes of a VPC; None leaves one as it is."""
        attributes = {"EnableDnsSupport": support, "EnableDnsHostnames": hostnames}
        row: Row = {"VpcId": vpc_id}
        for name, value in attributes.items():
            if isinstance(value, Unknown):
                self.mark_unknown(vpc_id, Facet.DNS_ATTRIBUTES, f"{name} is {value.what}")
            elif value is not None:
                row[name] = {"Value": value}
        self.put("DescribeVpcAttribute", "VpcId", row)

    def add_cidr(self, vpc_id: str, cidr: str | Unknown, address: str) -> None:
        """Add a CIDR block to a VPC, and its local route to each route table.

        https://docs.aws.amazon.com/vpc/latest/userguide/RouteTables.html
        """
        if isinstance(cidr, Unknown):
            self.mark_unknown(vpc_id, Facet.VPC, f"a CIDR block of {address} is {cidr.what}")
            self.mark_unknown(vpc_id, Facet.SUBNETS, f"a CIDR block of {address} is {cidr.what}")
            return
        version = "Ipv6CidrBlock" if ":" in cidr else "CidrBlock"
        vpc = self.put("DescribeVpcs", "VpcId", {"VpcId": vpc_id})
        blocks = vpc.setdefault(f"{version}AssociationSet", [])
        if any(each[version] == cidr for each in blocks):
            return
        blocks.append({version: cidr, f"{version}State": {"State": "associated"}})
        for table in self._select("DescribeRouteTables", vpc_id):
            table["Routes"].append(_build_local_route(cidr))
        if ":" in cidr:
            self._open_defaults_to_ipv6(vpc_id)

    def list_cidrs(self, vpc_id: str) -> list[str]:
        """List the CIDR blocks of a VPC that are known, IPv4 first."""
        vpc = self.find("DescribeVpcs", "VpcId", vpc_id) or {}
        return [
            each[name]
            for name in ("CidrBlock", "Ipv6CidrBlock")
            for each in vpc.get(f"{name}AssociationSet", ())
        ]

    def find_vpc_id(self, operation: str, key: str, value: object) -> str:
        """Find the VPC of a resource; "" if the resource is not among the rows."""
        return str((self.find(operation, key, value) or {}).get("VpcId", ""))

    def _select(self, operation: str, vpc_id: str) -> list[Row]:
        return [row for row in self.rows[operation] if row.get("VpcId") == vpc_id]

    def _add_default_resources(self, vpc_id: str, address: str) -> None:
        """Add what EC2 creates with a VPC, unless rows that were read have it."""
        tables = self._select("DescribeRouteTables", vpc_id)
        if not any(link.get("Main") for table in tables for link in table["Associations"]):
            table_id = make_symbol("route-table", f"{address}-main")
            self.add_route_table(table_id, vpc_id)
            self.associate_route_table(table_id, f"{table_id}-assoc", main=True)
        # https://docs.aws.amazon.com/vpc/latest/userguide/default-network-acl.html
        if not any(it.get("IsDefault") for it in self._select("DescribeNetworkAcls", vpc_id)):
            symbol = make_symbol("network-acl", f"{address}-default")
            acl = self.add_network_acl(symbol, vpc_id, default=True)
            for egress in (False, True):
                entry = _build_acl_entry(100, ANY_IPV4, egress=egress, action="allow")
                acl["Entries"].append(entry)
        # https://docs.aws.amazon.com/vpc/latest/userguide/default-security-group.html
        groups = self._select("DescribeSecurityGroups", vpc_id)
        if not any(it.get("GroupName") == "default" for it in groups):
            group = make_symbol("security-group", f"{address}-default")
            self.add_security_group(group, vpc_id, "default")
            own = {"UserId": self.account, "GroupId": group}
            itself: Row = {"IpProtocol": "-1", "UserIdGroupPairs": [own]}
            self.add_group_rule(group, itself, egress=False)

    def _open_defaults_to_ipv6(self, vpc_id: str) -> None:
        """Allow IPv6 in the default ACL and outbound in groups, as EC2 does for an IPv6 block."""
        for acl in self._select("DescribeNetworkAcls", vpc_id):
            numbers = {entry["RuleNumber"] for entry in acl["Entries"]}
            for egress in (False, True):
                if acl.get("IsDefault") and 101 not in numbers:  # noqa: PLR2004 - EC2's number
                    entry = _build_acl_entry(101, ANY_IPV6, egress=egress, action="allow")
                    acl["Entries"].append(entry)

    # Subnets, route tables and gateways ----------------------------------------------------------

    def add_subnet(  # noqa: PLR0913 - what CreateSubnet takes
        self,
        subnet_id: str,
        vpc_id: str,
        address: str,
        cidr: str | Unknown | None,
        zone: str | Unknown,
        *,
        ipv6_cidr: str | Unknown | None = None,
        dns64: bool | Unknown = False,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Add a subnet; until one is associated, it has the VPC's main table and default ACL."""
        known = self._known(
            vpc_id,
            Facet.SUBNETS,
            address,
            CidrBlock=cidr,
            AvailabilityZone=zone,
            Ipv6CidrBlock=ipv6_cidr,
        )
        blocks = [known.pop("Ipv6CidrBlock")] if "Ipv6CidrBlock" in known else []
        row = {"SubnetId": subnet_id, "VpcId": vpc_id, "OwnerId": self.account, **known}
        if not isinstance(dns64, Unknown):
            row["EnableDns64"] = dns64
        row |= {"State": "available", "Tags": _list_tags(tags)}
        exists = self.find("DescribeSubnets", "SubnetId", subnet_id) is not None
        self.put("DescribeSubnets", "SubnetId", row).setdefault("Ipv6CidrBlockAssociationSet", [])
        for block in blocks:
            self.add_subnet_cidr(subnet_id, block, address)
        default = next(
            (it for it in self._select("DescribeNetworkAcls", vpc_id) if it.get("IsDefault")), None
        )
        if default and not exists:
            self.associate_network_acl(default["NetworkAclId"], subnet_id)

    def add_subnet_cidr(self, subnet_id: str, cidr: str | Unknown, address: str) -> None:
        """Add an IPv6 block to a subnet."""
        row = self.put("DescribeSubnets", "SubnetId", {"SubnetId": subnet_id})
        vpc_id = str(row.get("VpcId", ""))
        for block in self._known(vpc_id, Facet.SUBNETS, address, Ipv6CidrBlock=cidr).values():
            blocks = row.setdefault("Ipv6CidrBlockAssociationSet", [])
            state = {"State": "associated"}
            if all(each["Ipv6CidrBlock"] != block for each in blocks):
                blocks.append({"Ipv6CidrBlock": block, "Ipv6CidrBlockState": state})

    def add_route_table(self, table_id: str, vpc_id: str) -> None:
        """Add a route table, with a local route for each CIDR block of its VPC."""
        row: Row = {"RouteTableId": table_id, "VpcId": vpc_id, "OwnerId": self.account}
        if self.find("DescribeRouteTables", "RouteTableId", table_id) is None:
            routes = [_build_local_route(cidr) for cidr in self.list_cidrs(vpc_id)]
            row |= {"Associations": [], "PropagatingVgws": [], "Routes": routes}
        self.put("DescribeRouteTables", "RouteTableId", row)

    def associate_route_table(
        self,
        table_id: str,
        association_id: str,
        *,
        subnet_id: str | None = None,
        gateway_id: str | None = None,
        main: bool = False,
    ) -> None:
        """Associate a route table with a subnet or gateway, instead of the one it had, or as main.

        https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AssociateRouteTable.html
        """
        table = self.find("DescribeRouteTables", "RouteTableId", table_id)
        if table is None:
            return
        link: Row = {"SubnetId": subnet_id} if subnet_id else {"GatewayId": gateway_id}
        if main:
            link = {}
        for other in self._select("DescribeRouteTables", table["VpcId"]):
            other["Associations"] = [
                each
                for each in other["Associations"]
                if (not each.get("Main") if main else not link.items() <= each.items())
            ]
        table["Associations"].append(
            {
                "RouteTableAssociationId": association_id,
                "RouteTableId": table_id,
                "Main": main,
                "AssociationState": {"State": "associated"},
                **link,
            }
        )

    def disassociate_route_table(self, association_id: str) -> None:
        """Remove an association; a subnet then uses the main route table."""
        for table in self.rows["DescribeRouteTables"]:
            table["Associations"] = [
                each
                for each in table["Associations"]
                if each.get("RouteTableAssociationId") != association_id
            ]

    def add_route(
        self,
        table_id: str,
        destination: Mapping[str, str | Unknown],
        target: Mapping[str, str | Unknown],
        *,
        propagated: bool = False,
    ) -> None:
        """Add a route, or replace the one to the same destination.

        Args:
            table_id: The route table; one that is not among the rows is ignored.
            destination: One of `DESTINATIONS` with its value.
            target: The member that names the target, such as `NatGatewayId`, with its value. A
                route with an unknown target or destination stays one whose end is not known.
            propagated: Whether a virtual private gateway propagates it.
        """
        table = self.find("DescribeRouteTables", "RouteTableId", table_id)
        if table is None:
            return
        known = {name: it for name, it in destination.items() if not isinstance(it, Unknown)}
        origin = "EnableVgwRoutePropagation" if propagated else "CreateRoute"
        row: Row = {**known, "State": "active", "Origin": origin}
        for name, value in target.items():
            row["GatewayId" if isinstance(value, Unknown) else name] = str(value)
        if known:
            self.remove_route(table_id, known)
        table["Routes"].append(row)

    def remove_route(self, table_id: str, destination: Mapping[str, Any]) -> None:
        """Remove the route to a destination."""
        if table := self.find("DescribeRouteTables", "RouteTableId", table_id):
            kept = (it for it in table["Routes"] if not destination.items() <= it.items())
            table["Routes"] = list(kept)

    def propagate_routes(self, table_id: str, gateway_id: str) -> None:
        """Let a virtual private gateway propagate its routes, which are not known, to a table."""
        if table := self.find("DescribeRouteTables", "RouteTableId", table_id):
            table.setdefault("PropagatingVgws", []).append({"GatewayId": gateway_id})

    def add_nat_gateway(
        self, nat_id: str, vpc_id: str, subnet_id: str | None, *, public: bool = True
    ) -> None:
        """Add a NAT gateway; a regional one has no subnet."""
        row = {
            "NatGatewayId": nat_id,
            "VpcId": vpc_id,
            "State": "available",
            "ConnectivityType": "public" if public else "private",
            **({"SubnetId": subnet_id} if subnet_id else {}),
        }
        self.put("DescribeNatGateways", "NatGatewayId", row)

    def add_network_interface(
        self,
        interface_id: str,
        subnet_id: str,
        group_ids: Iterable[str],
        *,
        addresses: Iterable[str] = (UNASSIGNED[4],),
        instance_id: str = "",
    ) -> None:
        """Add a network interface; an address that EC2 has not yet chosen is `UNASSIGNED`."""
        subnet = self.find("DescribeSubnets", "SubnetId", subnet_id) or {}
        ipv4 = [each for each in addresses if ":" not in each]
        row: Row = {
            "NetworkInterfaceId": interface_id,
            "SubnetId": subnet_id,
            "VpcId": subnet.get("VpcId", ""),
            "AvailabilityZone": subnet.get("AvailabilityZone", ""),
            "Groups": [{"GroupId": each} for each in group_ids],
            "PrivateIpAddresses": [{"PrivateIpAddress": each} for each in ipv4],
            "Ipv6Addresses": [{"Ipv6Address": each} for each in addresses if ":" in each],
        }
        if ipv4:
            row["PrivateIpAddress"] = ipv4[0]
        if instance_id:
            row["Attachment"] = {"InstanceId": instance_id, "Status": "attached"}
        self.put("DescribeNetworkInterfaces", "NetworkInterfaceId", row)

    # Security groups and network ACLs ------------------------------------------------------------

    def add_security_group(self, group_id: str, vpc_id: str, name: str) -> None:
        """Add a security group; a new one allows all outbound traffic.

        https://docs.aws.amazon.com/vpc/latest/userguide/creating-security-groups.html
        """
        exists = self.find("DescribeSecurityGroups", "GroupId", group_id) is not None
        row: Row = {"GroupId": group_id, "VpcId": vpc_id, "GroupName": name}
        row["OwnerId"] = self.account
        if not exists:
            row |= {"IpPermissions": [], "IpPermissionsEgress": []}
        self.put("DescribeSecurityGroups", "GroupId", row)
        if not exists:
            self.set_default_egress(group_id)

    def set_default_egress(self, group_id: str) -> None:
        """Let a group's outbound rules be those of a new one."""
        self.clear_group_rules(group_id, egress=True)
        everything: Row = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": ANY_IPV4}]}
        vpc_id = self.find_vpc_id("DescribeSecurityGroups", "GroupId", group_id)
        if any(":" in cidr for cidr in self.list_cidrs(vpc_id)):
            everything["Ipv6Ranges"] = [{"CidrIpv6": ANY_IPV6}]
        self.add_group_rule(group_id, everything, egress=True)

    def clear_group_rules(self, group_id: str, *, egress: bool) -> None:
        """Remove all rules of one direction."""
        if group := self.find("DescribeSecurityGroups", "GroupId", group_id):
            group[_get_direction(egress=egress)] = []

    def add_group_rule(self, group_id: str, permission: Row, *, egress: bool) -> None:
        """Add one permission, as AuthorizeSecurityGroupIngress takes it, once.

        With an unknown value in it, the VPC's groups are unknown.
        """
        group = self.find("DescribeSecurityGroups", "GroupId", group_id)
        if group is None:
            return
        if unknown := _find_unknown(permission):
            why = f"a rule of {group_id} has a value that is {unknown.what}"
            self.mark_unknown(group["VpcId"], Facet.SECURITY_GROUPS, why)
            return
        rules = group[_get_direction(egress=egress)]
        if permission not in rules:
            rules.append(permission)

    def remove_group_rule(self, group_id: str, permission: Row, *, egress: bool) -> None:
        """Remove one permission that was added in the same form."""
        if group := self.find("DescribeSecurityGroups", "GroupId", group_id):
            name = _get_direction(egress=egress)
            group[name] = [each for each in group[name] if each != permission]

    def add_network_acl(self, acl_id: str, vpc_id: str, *, default: bool = False) -> Row:
        """Add a network ACL; a new one denies everything.

        https://docs.aws.amazon.com/vpc/latest/userguide/custom-network-acl.html
        """
        row: Row = {"NetworkAclId": acl_id, "VpcId": vpc_id, "OwnerId": self.account}
        if self.find("DescribeNetworkAcls", "NetworkAclId", acl_id) is None:
            entries = [
                _build_acl_entry(number, cidr, egress=egress, action="deny")
                for number, cidr in ((FINAL_DENY, ANY_IPV4), (FINAL_DENY_IPV6, ANY_IPV6))
                for egress in (False, True)
                if cidr == ANY_IPV4 or any(":" in each for each in self.list_cidrs(vpc_id))
            ]
            row |= {"IsDefault": default, "Associations": [], "Entries": entries}
        return self.put("DescribeNetworkAcls", "NetworkAclId", row)

    def add_acl_entry(self, acl_id: str, entry: Row) -> None:
        """Add an entry, as DescribeNetworkAcls returns it, instead of the one of its number."""
        acl = self.find("DescribeNetworkAcls", "NetworkAclId", acl_id)
        if acl is None:
            return
        if unknown := _find_unknown(entry):
            why = f"an entry of {acl_id} has a value that is {unknown.what}"
            self.mark_unknown(acl["VpcId"], Facet.NETWORK_ACLS, why)
            return
        self.remove_acl_entry(acl_id, entry["RuleNumber"], egress=entry["Egress"])
        acl["Entries"].append(entry)

    def remove_acl_entry(self, acl_id: str, number: int, *, egress: bool) -> None:
        """Remove the entry of a number and direction."""
        if acl := self.find("DescribeNetworkAcls", "NetworkAclId", acl_id):
            acl["Entries"] = [
                each
                for each in acl["Entries"]
                if (each["RuleNumber"], each["Egress"]) != (number, egress)
            ]

    def associate_network_acl(self, acl_id: str, subnet_id: str) -> None:
        """Associate a network ACL with a subnet, instead of the one that it had.

        https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ReplaceNetworkAclAssociation.html
        """
        acl = self.find("DescribeNetworkAcls", "NetworkAclId", acl_id)
        if acl is None:
            return
        for other in self.rows["DescribeNetworkAcls"]:
            kept = (each for each in other["Associations"] if each["SubnetId"] != subnet_id)
            other["Associations"] = list(kept)
        link = {"NetworkAclAssociationId": f"aclassoc-{subnet_id}", "NetworkAclId": acl_id}
        acl["Associations"].append({**link, "SubnetId": subnet_id})

    # Prefix lists and DHCP options ---------------------------------------------------------------

    def add_prefix_list(self, list_id: str, cidrs: Sequence[str | Unknown] | Unknown) -> None:
        """Add a customer-managed prefix list; with an unknown entry, its entries are not read."""
        self.remove("GetManagedPrefixListEntries", "PrefixListId", list_id)
        if isinstance(cidrs, Unknown) or _find_unknown(list(cidrs)):
            return
        entries = [{"Cidr": cidr} for cidr in cidrs]
        self.rows["GetManagedPrefixListEntries"].append(
            {"PrefixListId": list_id, "Entries": entries}
        )

    def add_prefix_list_entry(self, list_id: str, cidr: str | Unknown) -> None:
        """Add an entry to a prefix list; an unknown one leaves all its entries unread."""
        operation = "GetManagedPrefixListEntries"
        if isinstance(cidr, Unknown):
            self.remove(operation, "PrefixListId", list_id)
        elif (row := self.find(operation, "PrefixListId", list_id)) is not None:
            kept = [each for each in row["Entries"] if each != {"Cidr": cidr}]
            row["Entries"] = [*kept, {"Cidr": cidr}]

    def remove_prefix_list_entry(self, list_id: str, cidr: str) -> None:
        """Remove an entry of a prefix list."""
        if row := self.find("GetManagedPrefixListEntries", "PrefixListId", list_id):
            row["Entries"] = [each for each in row["Entries"] if each.get("Cidr") != cidr]

    def add_dhcp_options(self, options_id: str, servers: Sequence[str | Unknown] | Unknown) -> None:
        """Add a DHCP option set; with an unknown server, the set is not read."""
        if isinstance(servers, Unknown) or _find_unknown(list(servers)):
            return
        values = [{"Value": each} for each in servers]
        option = {"Key": "domain-name-servers", "Values": values}
        row = {"DhcpOptionsId": options_id, "DhcpConfigurations": [option] if values else []}
        self.put("DescribeDhcpOptions", "DhcpOptionsId", row)

    def associate_dhcp_options(self, options_id: str, vpc_id: str) -> None:
        """Associate a DHCP option set, or `default`, with a VPC."""
        if vpc := self.find("DescribeVpcs", "VpcId", vpc_id):
            vpc["DhcpOptionsId"] = options_id

    # Endpoints and endpoint services -------------------------------------------------------------

    def add_endpoint(self, endpoint_id: str, vpc_id: str, address: str, row: Row) -> None:
        """Add an endpoint; `complete` adds its routes and interfaces.

        Args:
            endpoint_id: Its id.
            vpc_id: The VPC.
            address: Its logical id or address.
            row: Its members as DescribeVpcEndpoints returns them. An unknown policy, private DNS
                setting or option is left out, which means unknown; any other unknown value makes
                the VPC's endpoints unknown. No `PolicyDocument` at all means the default one.
        """
        optional = ("PolicyDocument", "PrivateDnsEnabled", "IpAddressType", "DnsOptions")
        fresh: Row = {"VpcEndpointType": "Gateway", "State": "available", "OwnerId": self.account}
        fresh |= {"PolicyDocument": FULL_ACCESS, "PrivateDnsEnabled": False, "Groups": []}
        fresh |= {"RouteTableIds": [], "SubnetIds": [], "NetworkInterfaceIds": []}
        if self.find("DescribeVpcEndpoints", "VpcEndpointId", endpoint_id):
            fresh = {}
        unsure = {name: it for name, it in row.items() if name in optional and _find_unknown(it)}
        certain = {name: it for name, it in row.items() if name not in unsure}
        known = self._known(vpc_id, Facet.ENDPOINTS, address, **certain)
        ids: Row = {"VpcEndpointId": endpoint_id, "VpcId": vpc_id}
        added = self.put("DescribeVpcEndpoints", "VpcEndpointId", {**fresh, **ids, **known})
        for name in unsure:
            added.pop(name, None)

    def add_endpoint_service(self, service_id: str, row: Row) -> None:
        """Add an endpoint service, by the members of DescribeVpcEndpointServiceConfigurations."""
        name = f"com.amazonaws.vpce.{self.region}.{service_id}"
        known = {key: it for key, it in row.items() if not _find_unknown(it)}
        fresh: Row = {"ServiceName": name, "ServiceState": "Available"}
        fresh |= {"SupportedRegions": [{"Region": self.region}]}
        operation = "DescribeVpcEndpointServiceConfigurations"
        if self.find(operation, "ServiceId", service_id):
            fresh = {}
        else:
            self.allow_principals(service_id, ())
        self.put(operation, "ServiceId", {**fresh, "ServiceId": service_id, **known})

    def allow_principals(self, service_id: str, principals: Iterable[str]) -> None:
        """Let these principals, and no others, connect to an endpoint service."""
        operation = "DescribeVpcEndpointServicePermissions"
        allowed = [{"Principal": it} for it in dict.fromkeys(principals)]
        self.put(operation, "ServiceId", {"ServiceId": service_id, "AllowedPrincipals": allowed})

    def list_principals(self, service_id: str) -> list[str]:
        """List the principals that may connect to an endpoint service."""
        row = self.find("DescribeVpcEndpointServicePermissions", "ServiceId", service_id) or {}
        return [each["Principal"] for each in row.get("AllowedPrincipals", ())]

    def complete(self) -> None:
        """Add what EC2 adds for endpoints: routes, network interfaces and default groups."""
        for endpoint in self.rows["DescribeVpcEndpoints"]:
            if endpoint.get("VpcEndpointType", "Gateway") == "Gateway":
                self._route_to_gateway_endpoint(endpoint)
            else:
                self._limit_private_dns(endpoint)
                self._add_endpoint_interfaces(endpoint)

    def _route_to_gateway_endpoint(self, endpoint: Row) -> None:
        """Route to the service's prefix list in the tables of the endpoint, and in no others.

        https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html
        """
        list_id = self.find_service_list(endpoint.get("ServiceName", ""))
        destination = {"DestinationPrefixListId": list_id}
        target = {"GatewayId": endpoint["VpcEndpointId"]}
        for table in self._select("DescribeRouteTables", endpoint["VpcId"]):
            table_id = table["RouteTableId"]
            routed = any(target.items() <= route.items() for route in table["Routes"])
            if table_id not in endpoint.get("RouteTableIds", ()):
                table["Routes"] = [it for it in table["Routes"] if not target.items() <= it.items()]
            elif not routed:
                self.add_route(table_id, destination, target)

    def find_service_list(self, service_name: str) -> str:
        """Return the id of a gateway service's prefix list; a symbol if no row names the list."""
        known = self.find("DescribePrefixLists", "PrefixListName", service_name)
        if known is None:
            list_id = make_symbol("prefix-list", service_name.rpartition(".")[2])
            known = {"PrefixListId": list_id, "PrefixListName": service_name}
            self.rows["DescribePrefixLists"].append(known)
        return str(known["PrefixListId"])

    def _limit_private_dns(self, endpoint: Row) -> None:
        """Limit the private DNS name of S3 to inbound resolver endpoints, which is the default.

        https://docs.aws.amazon.com/AmazonS3/latest/userguide/privatelink-interface-endpoints.html
        """
        named = self.find("DescribePrefixLists", "PrefixListName", endpoint.get("ServiceName"))
        if named and endpoint.get("PrivateDnsEnabled"):
            default = {"PrivateDnsOnlyForInboundResolverEndpoint": True}
            endpoint["DnsOptions"] = {**default, **(endpoint.get("DnsOptions") or {})}

    def _add_endpoint_interfaces(self, endpoint: Row) -> None:
        """Add an interface in each subnet of an endpoint that has none there yet.

        https://docs.aws.amazon.com/vpc/latest/privatelink/create-interface-endpoint.html
        """
        wanted = endpoint.get("SubnetIds") or ()
        kept: dict[str, str] = {}
        for interface_id in endpoint.get("NetworkInterfaceIds") or ():
            row = self.find("DescribeNetworkInterfaces", "NetworkInterfaceId", interface_id)
            if row and row.get("SubnetId") in wanted:
                kept[row["SubnetId"]] = interface_id
        if not endpoint.get("Groups") and endpoint.get("VpcEndpointType") == "Interface":
            groups = self._select("DescribeSecurityGroups", endpoint["VpcId"])
            default = (it["GroupId"] for it in groups if it["GroupName"] == "default")
            endpoint["Groups"] = [{"GroupId": each} for each in default]
        group_ids = [each["GroupId"] for each in endpoint.get("Groups") or ()]
        kind = endpoint.get("IpAddressType") or "ipv4"
        versions = {"ipv4": (4,), "ipv6": (6,)}.get(kind, (4, 6))
        for subnet_id in wanted:
            interface = kept.get(subnet_id)
            if interface is None:
                address = f"{endpoint['VpcEndpointId']}-{subnet_id}"
                kept[subnet_id] = make_symbol("network-interface", address)
                addresses = [UNASSIGNED[each] for each in versions]
                self.add_network_interface(
                    kept[subnet_id], subnet_id, group_ids, addresses=addresses
                )
            elif row := self.find("DescribeNetworkInterfaces", "NetworkInterfaceId", interface):
                row["Groups"] = [{"GroupId": each} for each in group_ids]
        endpoint["NetworkInterfaceIds"] = [kept[each] for each in wanted]


def _find_unknown(value: object) -> Unknown | None:
    """Find an unknown in a value, however deep."""
    if isinstance(value, Unknown):
        return value
    parts: Iterable[object] = ()
    if isinstance(value, Mapping):
        parts = value.values()
    elif isinstance(value, list | tuple):
        parts = value
    return next((found for each in parts if (found := _find_unknown(each))), None)


def _get_direction(*, egress: bool) -> str:
    return "IpPermissionsEgress" if egress else "IpPermissions"


def _list_tags(tags: Mapping[str, str] | None) -> list[Row]:
    return [{"Key": key, "Value": value} for key, value in (tags or {}).items()]


def _build_local_route(cidr: str) -> Row:
    name = "DestinationIpv6CidrBlock" if ":" in cidr else "DestinationCidrBlock"
    return {name: cidr, "GatewayId": "local", "State": "active", "Origin": "CreateRouteTable"}


def _build_acl_entry(number: int, cidr: str, *, egress: bool, action: str) -> Row:
    name = "Ipv6CidrBlock" if ":" in cidr else "CidrBlock"
    entry = {"RuleNumber": number, name: cidr, "Egress": egress, "RuleAction": action}
    return {**entry, "Protocol": "-1"}
