"""VPC endpoints of a planned region, with the routes and interfaces that EC2 adds for them."""

from __future__ import annotations

from posture.model.network import Facet
from posture_cli.plan.resources import prefix_lists, routes, subnets
from posture_cli.plan.rows import PlannedRegion, Row
from posture_cli.plan.values import UNASSIGNED, find_unknown, make_symbol

FULL_ACCESS = (  # EC2's own text for an endpoint without a policy
    '{"Statement":[{"Action":"*","Effect":"Allow","Principal":"*","Resource":"*"}]}'
)


def add_endpoint(
    region: PlannedRegion, endpoint_id: str, vpc_id: str, address: str, row: Row
) -> None:
    """Add an endpoint; `complete_endpoints` adds its routes and interfaces.

    Args:
        region: The planned region.
        endpoint_id: Its id.
        vpc_id: The VPC.
        address: Its logical id or address.
        row: Its members as DescribeVpcEndpoints returns them. An unknown policy, private DNS
            setting or option is left out, which means unknown; any other unknown value makes
            the VPC's endpoints unknown. No `PolicyDocument` at all means the default one.
    """
    optional = ("PolicyDocument", "PrivateDnsEnabled", "IpAddressType", "DnsOptions")
    fresh: Row = {"VpcEndpointType": "Gateway", "State": "available", "OwnerId": region.account}
    fresh |= {"PolicyDocument": FULL_ACCESS, "PrivateDnsEnabled": False, "Groups": []}
    fresh |= {"RouteTableIds": [], "SubnetIds": [], "NetworkInterfaceIds": []}
    if region.find("DescribeVpcEndpoints", "VpcEndpointId", endpoint_id):
        fresh = {}
    unsure = {name: it for name, it in row.items() if name in optional and find_unknown(it)}
    certain = {name: it for name, it in row.items() if name not in unsure}
    known = region.keep_known(vpc_id, Facet.ENDPOINTS, address, **certain)
    ids: Row = {"VpcEndpointId": endpoint_id, "VpcId": vpc_id}
    added = region.put("DescribeVpcEndpoints", "VpcEndpointId", {**fresh, **ids, **known})
    for name in unsure:
        added.pop(name, None)


def complete_endpoints(region: PlannedRegion) -> None:
    """Add what EC2 adds for endpoints: routes, network interfaces and default groups."""
    for endpoint in region.rows["DescribeVpcEndpoints"]:
        if endpoint.get("VpcEndpointType", "Gateway") == "Gateway":
            _route_to_gateway_endpoint(region, endpoint)
        else:
            _limit_private_dns(region, endpoint)
            _add_endpoint_interfaces(region, endpoint)


def _route_to_gateway_endpoint(region: PlannedRegion, endpoint: Row) -> None:
    """Route to the service's prefix list in the tables of the endpoint, and in no others.

    https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html
    """
    list_id = prefix_lists.find_service_list(region, endpoint.get("ServiceName", ""))
    destination = {"DestinationPrefixListId": list_id}
    target = {"GatewayId": endpoint["VpcEndpointId"]}
    for table in region.select("DescribeRouteTables", endpoint["VpcId"]):
        table_id = table["RouteTableId"]
        routed = any(target.items() <= route.items() for route in table["Routes"])
        if table_id not in endpoint.get("RouteTableIds", ()):
            table["Routes"] = [it for it in table["Routes"] if not target.items() <= it.items()]
        elif not routed:
            routes.add_route(region, table_id, destination, target)


def _limit_private_dns(region: PlannedRegion, endpoint: Row) -> None:
    """Limit the private DNS name of S3 to inbound resolver endpoints, which is the default.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/privatelink-interface-endpoints.html
    """
    named = region.find("DescribePrefixLists", "PrefixListName", endpoint.get("ServiceName"))
    if named and endpoint.get("PrivateDnsEnabled"):
        default = {"PrivateDnsOnlyForInboundResolverEndpoint": True}
        endpoint["DnsOptions"] = {**default, **(endpoint.get("DnsOptions") or {})}


def _add_endpoint_interfaces(region: PlannedRegion, endpoint: Row) -> None:
    """Add an interface in each subnet of an endpoint that has none there yet.

    https://docs.aws.amazon.com/vpc/latest/privatelink/create-interface-endpoint.html
    """
    wanted = endpoint.get("SubnetIds") or ()
    kept: dict[str, str] = {}
    for interface_id in endpoint.get("NetworkInterfaceIds") or ():
        row = region.find("DescribeNetworkInterfaces", "NetworkInterfaceId", interface_id)
        if row and row.get("SubnetId") in wanted:
            kept[row["SubnetId"]] = interface_id
    if not endpoint.get("Groups") and endpoint.get("VpcEndpointType") == "Interface":
        groups = region.select("DescribeSecurityGroups", endpoint["VpcId"])
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
            subnets.add_network_interface(
                region, kept[subnet_id], subnet_id, group_ids, addresses=addresses
            )
        elif row := region.find("DescribeNetworkInterfaces", "NetworkInterfaceId", interface):
            row["Groups"] = [{"GroupId": each} for each in group_ids]
    endpoint["NetworkInterfaceIds"] = [kept[each] for each in wanted]
