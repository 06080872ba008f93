"""Makes moto refuse what EC2 refuses, with EC2's error codes; moto accepts most requests.

Codes: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
and the pages that `posture.edits` names for each refusal. This is a second, independent account of
them: it reads moto's objects, not a snapshot.
"""

# ruff: noqa: D102, N802, N815 - a method for each operation, named after it

from __future__ import annotations

import json
from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

from botocore.exceptions import ClientError
from moto.ec2.models import ec2_backends

DESTINATIONS = ("DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId")
TARGETS = (
    "GatewayId", "VpcEndpointId", "NatGatewayId", "EgressOnlyInternetGatewayId",
    "TransitGatewayId", "VpcPeeringConnectionId", "NetworkInterfaceId",
)  # fmt: skip
BLOCKS = ("DestinationCidrBlock", "DestinationIpv6CidrBlock", "CidrBlock", "Ipv6CidrBlock")
PORTED = {"6", "17", "tcp", "udp"}

Params = dict[str, Any]


class Refused(Exception):  # noqa: N818 - becomes a ClientError
    """A refusal with EC2's code."""


class StrictEc2:
    """Checks the calls of boto3 clients against one account and region of moto."""

    def __init__(self, account: str, region: str) -> None:
        self.ec2: Any = ec2_backends[account][region]

    def attach(self, client: Any) -> None:
        """Check the calls that a client makes from now on."""
        client.meta.events.register("before-parameter-build.ec2", self._check)
        client.meta.events.register("after-call.ec2.DeleteVpcEndpoints", self._report_missing)

    def _check(self, params: Params, model: Any, context: Params, **_: Any) -> None:
        check = getattr(self, f"check_{model.name}", None)
        for name in BLOCKS:  # EC2 clears the bits after the prefix
            if params.get(name):
                params[name] = str(ip_network(params[name], strict=False))
        if model.name == "DeleteVpcEndpoints":
            ids = params["VpcEndpointIds"]
            context["missing"] = [each for each in ids if not self._is_living(each)]
            params["VpcEndpointIds"] = [each for each in ids if self._is_living(each)]
        try:
            if check:
                check(params)
        except Refused as refused:
            code = str(refused)
            error: Any = {"Error": {"Code": code, "Message": f"refused: {code}"}}
            raise ClientError(error, model.name) from None

    def _report_missing(self, parsed: Params, context: Params, **_: Any) -> None:
        """Answer as EC2 does for endpoints that do not exist: without an error."""
        parsed["Unsuccessful"] = [
            {"ResourceId": each, "Error": {"Code": "InvalidVpcEndpoint.NotFound", "Message": each}}
            for each in context["missing"]
        ]

    # Look-ups

    def _is_living(self, endpoint_id: str) -> bool:
        found = self.ec2.vpc_end_points.get(endpoint_id)
        return found is not None and found.state != "deleted"

    def _endpoint(self, endpoint_id: str) -> Any:
        require(self._is_living(endpoint_id), "InvalidVpcEndpointId.NotFound")
        return self.ec2.vpc_end_points[endpoint_id]

    def _endpoints(self, vpc_id: str) -> Iterator[Any]:
        for each in self.ec2.vpc_end_points.values():
            if each.vpc_id == vpc_id and each.state != "deleted":
                yield each

    def _table(self, table_id: str) -> Any:
        require(table_id in self.ec2.route_tables, "InvalidRouteTableID.NotFound")
        return self.ec2.route_tables[table_id]

    def _subnet(self, subnet_id: str) -> Any:
        found = [each[subnet_id] for each in self.ec2.subnets.values() if subnet_id in each]
        require(found, "InvalidSubnetID.NotFound")
        return found[0]

    def _group(self, group_id: str) -> Any:
        found = self.ec2.get_security_group_from_id(group_id)
        require(found, "InvalidGroup.NotFound")
        return found

    def _service(self, name: str) -> Params:
        answer = self.ec2.describe_vpc_endpoint_services([], [], 1000, None, self.ec2.region_name)
        found = [each for each in answer["servicesDetails"] if each["ServiceName"] == name]
        require(found, "InvalidServiceName")
        return {"Types": {t["ServiceType"] for each in found for t in each["ServiceType"]},
                "Names": {each.get("PrivateDnsName") for each in found} - {None, ""}}  # fmt: skip

    # Routes

    def _check_destination(self, params: Params) -> str:
        given = [params[name] for name in DESTINATIONS if params.get(name)]
        require(given, "MissingParameter")
        require(len(given) == 1, "InvalidParameterCombination")
        return str(given[0])

    def _check_target(self, params: Params, vpc_id: str) -> str:
        given = {name: params[name] for name in TARGETS if params.get(name)}
        require(given, "MissingParameter")
        require(len(given) == 1, "InvalidParameterCombination")
        ((name, value),) = given.items()
        ec2 = self.ec2
        if name == "NatGatewayId":
            nat = ec2.nat_gateways.get(value)
            require(nat and nat.state == "available", "InvalidNatGatewayID.NotFound")
        elif name == "GatewayId":
            gateway = ec2.internet_gateways.get(value)
            attached = gateway and gateway.vpc and gateway.vpc.id == vpc_id
            require(attached, "InvalidGatewayID.NotFound")
        elif name == "VpcEndpointId":
            endpoint = self._endpoint(value)
            require(endpoint.vpc_endpoint_type == "GatewayLoadBalancer", "RouteNotSupported")
        elif name == "EgressOnlyInternetGatewayId":
            known = value in ec2.egress_only_internet_gateways
            require(known, "InvalidGatewayID.NotFound")
        elif name == "TransitGatewayId":
            attached = {
                each.vpc_id
                for each in ec2.transit_gateway_attachments.values()
                if each.transit_gateway_id == value
            }
            require(vpc_id in attached, "InvalidTransitGatewayID.NotFound")
        elif name == "VpcPeeringConnectionId":
            peering = ec2.vpc_pcxs.get(value)
            active = peering and peering._status.code in {"active", "pending-acceptance"}
            require(active, "InvalidVpcPeeringConnectionID.NotFound")
        return name

    def _check_combination(self, params: Params, name: str, vpc_id: str) -> None:
        text = params.get("DestinationCidrBlock") or params.get("DestinationIpv6CidrBlock")
        if not text:
            return
        cidr: Any = ip_network(text, strict=False)
        four = cidr.version == 4
        reserved: Any = ip_network("169.254.168.0/22" if four else "fd00:ec2::/32")
        require(not cidr.subnet_of(reserved), "InvalidParameterValue")
        if name == "EgressOnlyInternetGatewayId":
            require(not four, "InvalidParameterValue")
        vpc = self.ec2.get_vpc(vpc_id)
        blocks = [each["cidr_block"] for each in vpc.get_cidr_block_association_set(not four)]
        if any(cidr.subnet_of(ip_network(block)) for block in blocks):
            inside = {"NatGatewayId", "NetworkInterfaceId", "VpcEndpointId"}
            require(name in inside, "InvalidParameterValue")
            own = {str(cidr)} & {*blocks, *self._subnet_blocks(vpc_id)}
            require(own, "InvalidParameterValue")

    def _subnet_blocks(self, vpc_id: str) -> Iterator[str]:
        for zone in self.ec2.subnets.values():
            for subnet in zone.values():
                if subnet.vpc_id == vpc_id:
                    yield subnet.cidr_block
                    for each in subnet.ipv6_cidr_block_associations.values():
                        yield each["ipv6CidrBlock"]

    @staticmethod
    def _find_route(table: Any, destination: str) -> Any:
        wanted = destination
        if not destination.startswith("pl-"):
            wanted = str(ip_network(destination, strict=False))
        for each in table.routes:
            named = each.destination_cidr_block or each.destination_ipv6_cidr_block
            if each.destination_prefix_list_id == wanted or (
                named and str(ip_network(named)) == wanted
            ):
                return each
        return None

    @staticmethod
    def _require_own(route: Any) -> None:
        managed = route.destination_prefix_list_id and (route.gateway_id or "").startswith("vpce-")
        require(not managed, "InvalidParameterValue")

    def check_CreateRoute(self, params: Params) -> None:
        table = self._table(params["RouteTableId"])
        destination = self._check_destination(params)
        name = self._check_target(params, table.vpc_id)
        require(not self._find_route(table, destination), "RouteAlreadyExists")
        self._check_combination(params, name, table.vpc_id)

    def check_ReplaceRoute(self, params: Params) -> None:
        table = self._table(params["RouteTableId"])
        destination = self._check_destination(params)
        name = self._check_target(params, table.vpc_id)
        route = self._find_route(table, destination)
        require(route, "InvalidParameterValue")
        self._require_own(route)
        self._check_combination(params, name, table.vpc_id)

    def check_DeleteRoute(self, params: Params) -> None:
        table = self._table(params["RouteTableId"])
        destination = self._check_destination(params)
        route = self._find_route(table, destination)
        require(route, "InvalidRoute.NotFound")
        self._require_own(route)
        require(not route.local, "InvalidParameterValue")

    def check_DeleteRouteTable(self, params: Params) -> None:
        table = self._table(params["RouteTableId"])
        used = [it for it in self._endpoints(table.vpc_id) if table.id in it.route_table_ids]
        main = table.main_association_id
        require(not (used or main or table._associations), "DependencyViolation")

    def check_AssociateRouteTable(self, params: Params) -> None:
        self._table(params["RouteTableId"])
        subnet = self._subnet(params["SubnetId"])
        taken = (each._associations.values() for each in self.ec2.route_tables.values())
        require(not any(subnet.id in each for each in taken), "Resource.AlreadyAssociated")

    def check_DisassociateRouteTable(self, params: Params) -> None:
        main = {each.main_association_id for each in self.ec2.route_tables.values()}
        require(params["AssociationId"] not in main, "InvalidParameterValue")

    def check_ReplaceRouteTableAssociation(self, params: Params) -> None:
        self._table(params["RouteTableId"])

    # Endpoints

    def check_CreateVpcEndpoint(self, params: Params) -> None:
        vpc_id, kind = params["VpcId"], params["VpcEndpointType"]
        service = self._service(params["ServiceName"])
        require(kind in service["Types"], "InvalidParameter")
        if kind == "Gateway":
            require(not params.get("SubnetIds"), "InvalidParameter")
            require(not params.get("SecurityGroupIds"), "InvalidParameter")
            require(not params.get("PrivateDnsEnabled"), "InvalidParameter")
            self._check_policy(params)
            self._check_tables(params["ServiceName"], params.get("RouteTableIds", []))
            return
        require(not params.get("RouteTableIds"), "InvalidParameter")
        self._check_policy(params)
        for each in params.get("SecurityGroupIds", ()):
            self._group(each)
        if params.get("PrivateDnsEnabled", bool(service["Names"])):
            inbound = params.get("DnsOptions", {}).get("PrivateDnsOnlyForInboundResolverEndpoint")
            self._check_private_dns(vpc_id, params["ServiceName"], "", inbound=inbound)
        self._check_subnets(params.get("SubnetIds", []), params.get("IpAddressType"))

    def check_ModifyVpcEndpoint(self, params: Params) -> None:
        endpoint = self._endpoint(params["VpcEndpointId"])
        gateway = endpoint.vpc_endpoint_type == "Gateway"
        both = params.get("ResetPolicy") and params.get("PolicyDocument")
        require(not both, "InvalidParameterCombination")
        tables = [each for each in params if "RouteTableIds" in each and params[each]]
        others = [
            each
            for each in params
            if ("SubnetIds" in each or "SecurityGroupIds" in each) and params[each]
        ]
        require(not (others if gateway else tables), "InvalidParameter")
        for name, present in (
            ("RemoveRouteTableIds", endpoint.route_table_ids),
            ("RemoveSubnetIds", endpoint.subnet_ids or []),
        ):
            require(set(params.get(name, ())) <= set(present), "InvalidParameter")
        self._check_policy(params)
        for each in params.get("AddSecurityGroupIds", ()):
            self._group(each)
        removed = set(params.get("RemoveSecurityGroupIds", ()))
        require(removed <= set(endpoint.security_group_ids), "InvalidParameter")
        groups = {*endpoint.security_group_ids, *params.get("AddSecurityGroupIds", ())}
        require(gateway or groups - removed, "InvalidParameter")
        if params.get("PrivateDnsEnabled"):
            require(not gateway, "InvalidParameter")
            options = getattr(endpoint, "dns_options", {})
            inbound = options.get("PrivateDnsOnlyForInboundResolverEndpoint")
            self._check_private_dns(
                endpoint.vpc_id, endpoint.service_name, endpoint.id, inbound=inbound
            )
        added = params.get("AddRouteTableIds", ())
        kept = set(params.get("RemoveRouteTableIds", ()))
        self._check_tables(endpoint.service_name, [each for each in added if each not in kept])
        subnets = {*(endpoint.subnet_ids or ()), *params.get("AddSubnetIds", ())}
        subnets -= set(params.get("RemoveSubnetIds", ()))
        kind = params.get("IpAddressType") or getattr(endpoint, "ip_address_type", None)
        if params.get("AddSubnetIds") or params.get("IpAddressType"):
            self._check_subnets(sorted(subnets), kind)

    def _check_policy(self, params: Params) -> None:
        text = params.get("PolicyDocument")
        try:
            document = json.loads(text) if text else {}
        except ValueError:
            document = None
        require(isinstance(document, dict), "InvalidPolicyDocument")

    def _check_tables(self, service: str, table_ids: list[str]) -> None:
        lists = self.ec2.managed_prefix_lists.values()
        (listed,) = [each.id for each in lists if each.prefix_list_name == service] or [""]
        for table_id in table_ids:
            table = self._table(table_id)
            require(not (listed and self._find_route(table, listed)), "RouteAlreadyExists")

    def _check_private_dns(
        self, vpc_id: str, name: str, own_id: str, *, inbound: bool | None
    ) -> None:
        service = self._service(name)
        require(service["Names"], "InvalidParameter")
        vpc = self.ec2.get_vpc(vpc_id)
        require(_on(vpc.enable_dns_support), "InvalidParameter")
        require(_on(vpc.enable_dns_hostnames), "InvalidParameter")
        for other in self._endpoints(vpc_id):
            if other.id != own_id and other.private_dns_enabled:
                clash = self._service(other.service_name)["Names"] & service["Names"]
                require(not clash, "InvalidParameter")
        if "Gateway" in service["Types"] and inbound is not False:
            gateways = (
                each
                for each in self._endpoints(vpc_id)
                if each.vpc_endpoint_type == "Gateway" and each.service_name == name
            )
            require(next(gateways, None), "InvalidParameter")

    def _check_subnets(self, subnet_ids: list[str], kind: str | None) -> None:
        subnets = [self._subnet(each) for each in subnet_ids]
        zones = [each.availability_zone for each in subnets]
        require(len(zones) == len(set(zones)), "DuplicateSubnetsInSameZone")
        if kind == "dualstack":
            six = all(each.ipv6_cidr_block_associations for each in subnets)
            require(six, "InvalidParameter")

    # Security groups and network ACLs

    def check_CreateSecurityGroup(self, params: Params) -> None:
        require(not params["GroupName"].startswith("sg-"), "InvalidParameterValue")

    def check_DeleteSecurityGroup(self, params: Params) -> None:
        group = self._group(params["GroupId"])
        require(group.name != "default", "CannotDelete")
        used = [it for it in self._endpoints(group.vpc_id) if group.id in it.security_group_ids]
        others = [
            rule
            for each in self.ec2.groups[group.vpc_id].values()
            if each.id != group.id
            for rule in (*each.ingress_rules, *each.egress_rules)
            if rule.source_group.get("GroupId") == group.id
        ]
        require(not used and not others, "DependencyViolation")

    def _check_added(self, params: Params) -> None:
        self._group(params["GroupId"])
        require(params.get("IpPermissions"), "MissingParameter")
        for each in params["IpPermissions"]:
            if each["IpProtocol"] in PORTED:
                require("FromPort" in each and "ToPort" in each, "InvalidParameterValue")
                valid = 0 <= each["FromPort"] <= each["ToPort"] <= 65535
                require(valid, "InvalidParameterValue")
            for peer in each.get("UserIdGroupPairs", ()):
                self._group(peer["GroupId"])

    check_AuthorizeSecurityGroupIngress = _check_added
    check_AuthorizeSecurityGroupEgress = _check_added

    def _check_removed(self, params: Params) -> None:
        self._group(params["GroupId"])
        for each in params["IpPermissions"]:
            for peer in each.get("UserIdGroupPairs", ()):
                found = self.ec2.get_security_group_from_id(peer["GroupId"])
                require(found, "InvalidPermission.NotFound")

    check_RevokeSecurityGroupIngress = _check_removed
    check_RevokeSecurityGroupEgress = _check_removed

    def _check_entry(self, params: Params) -> None:
        self._acl(params["NetworkAclId"])
        require(1 <= params["RuleNumber"] <= 32766, "InvalidParameterValue")
        require(params["RuleAction"] in {"allow", "deny"}, "InvalidParameterValue")
        blocks = [params[each] for each in ("CidrBlock", "Ipv6CidrBlock") if params.get(each)]
        require(blocks, "MissingParameter")
        require(len(blocks) == 1, "InvalidParameterCombination")
        if params["Protocol"] in PORTED:
            require(params.get("PortRange"), "MissingParameter")
            ports = params["PortRange"]
            require(0 <= ports["From"] <= ports["To"] <= 65535, "InvalidParameterValue")

    def _acl(self, acl_id: str) -> Any:
        require(acl_id in self.ec2.network_acls, "InvalidNetworkAclID.NotFound")
        return self.ec2.network_acls[acl_id]

    def _require_entry(self, params: Params) -> None:
        entries = self._acl(params["NetworkAclId"]).network_acl_entries
        keys = {(int(each.rule_number), _on(each.egress)) for each in entries}
        wanted = (params["RuleNumber"], params["Egress"])
        require(wanted in keys and params["RuleNumber"] <= 32766, "InvalidNetworkAclEntry.NotFound")

    check_CreateNetworkAclEntry = _check_entry

    def check_ReplaceNetworkAclEntry(self, params: Params) -> None:
        self._check_entry(params)
        self._require_entry(params)

    def check_DeleteNetworkAclEntry(self, params: Params) -> None:
        self._require_entry(params)

    def check_ReplaceNetworkAclAssociation(self, params: Params) -> None:
        self._acl(params["NetworkAclId"])
        acls = self.ec2.network_acls.values()
        known = any(params["AssociationId"] in each._associations for each in acls)
        require(known, "InvalidAssociationID.NotFound")

    def check_DeleteNetworkAcl(self, params: Params) -> None:
        acl = self._acl(params["NetworkAclId"])
        require(not acl.default, "InvalidParameterValue")

    # The VPC, gateways and prefix lists

    def check_ModifyVpcAttribute(self, params: Params) -> None:
        given = [each for each in params if each != "VpcId"]
        require(given, "MissingParameter")
        require(len(given) == 1, "InvalidParameterCombination")
        if params.get("EnableDnsHostnames", {}).get("Value"):
            vpc = self.ec2.get_vpc(params["VpcId"])
            require(_on(vpc.enable_dns_support), "InvalidParameterValue")

    def check_CreateNatGateway(self, params: Params) -> None:
        subnet = self._subnet(params["SubnetId"])
        if params.get("ConnectivityType") == "private":
            return
        require(params.get("AllocationId"), "MissingParameter")
        gateways = self.ec2.internet_gateways.values()
        attached = any(each.vpc and each.vpc.id == subnet.vpc_id for each in gateways)
        require(attached, "Gateway.NotAttached")

    def check_DeleteNatGateway(self, params: Params) -> None:
        nat = self.ec2.nat_gateways.get(params["NatGatewayId"])
        require(nat and nat.state == "available", "NatGatewayNotFound")

    def check_AttachInternetGateway(self, params: Params) -> None:
        for each in self.ec2.internet_gateways.values():
            if each.vpc and each.vpc.id == params["VpcId"]:
                same = each.id == params["InternetGatewayId"]
                require(False, "Resource.AlreadyAssociated" if same else "InvalidParameterValue")

    def check_DetachInternetGateway(self, params: Params) -> None:
        gateway = self.ec2.internet_gateways[params["InternetGatewayId"]]
        require(gateway.vpc and gateway.vpc.id == params["VpcId"], "Gateway.NotAttached")
        for nat in self.ec2.nat_gateways.values():
            live = nat.state == "available" and nat.connectivity_type != "private"
            here = self._subnet(nat.subnet_id).vpc_id == params["VpcId"]
            require(not (live and here), "DependencyViolation")

    def check_DeleteEgressOnlyInternetGateway(self, params: Params) -> None:
        known = self.ec2.egress_only_internet_gateways
        found = params["EgressOnlyInternetGatewayId"] in known
        require(found, "InvalidGatewayID.NotFound")

    def check_DeleteVpcPeeringConnection(self, params: Params) -> None:
        peering = self.ec2.vpc_pcxs.get(params["VpcPeeringConnectionId"])
        living = peering and peering._status.code != "deleted"
        require(living, "InvalidVpcPeeringConnectionID.NotFound")

    def check_CreateTransitGatewayVpcAttachment(self, params: Params) -> None:
        zones = [self._subnet(each).availability_zone for each in params["SubnetIds"]]
        require(len(zones) == len(set(zones)), "DuplicateSubnetsInSameZone")

    def check_DeleteTransitGatewayVpcAttachment(self, params: Params) -> None:
        known = params["TransitGatewayAttachmentId"] in self.ec2.transit_gateway_attachments
        require(known, "InvalidTransitGatewayAttachmentID.NotFound")

    def check_ModifyManagedPrefixList(self, params: Params) -> None:
        listed = self.ec2.managed_prefix_lists[params["PrefixListId"]]
        require(listed.owner_id != "AWS", "UnauthorizedOperation")
        changed = params.get("AddEntries") or params.get("RemoveEntries")
        require(not changed or params.get("CurrentVersion"), "InvalidParameterCombination")
        present = {each["Cidr"] for each in listed.entries[listed.version]}
        for each in params.get("RemoveEntries", ()):
            require(each["Cidr"] in present, "InvalidParameterValue")
        for each in params.get("AddEntries", ()):
            require(":" not in each["Cidr"], "InvalidParameterValue")


def require(met: object, code: str) -> None:
    """Refuse with this code unless a condition is met."""
    if not met:
        raise Refused(code)


def _on(value: object) -> bool:
    """Return a flag that moto keeps as it came."""
    return str(value).lower() == "true"
