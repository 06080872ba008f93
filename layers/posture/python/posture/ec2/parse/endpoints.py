"""Parses VPC endpoints, the services they connect to, and connections to endpoint services.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_VpcEndpoint.html
"""

from __future__ import annotations

from posture.ec2.parse.fields import Row, parse_networks, parse_values, sort_ids
from posture.model.endpoint_service import Connection
from posture.model.network import Endpoint, EndpointType, PrefixList, Service

# An endpoint without a service connects to a resource configuration or a service network.
SERVICE_MEMBERS = ("ServiceName", "ResourceConfigurationArn", "ServiceNetworkArn")


def parse_endpoint_type(text: str | None) -> EndpointType:
    """Parse an endpoint's type; EC2's default is Gateway."""
    try:
        return EndpointType(text or EndpointType.GATEWAY)
    except ValueError:
        return EndpointType.UNKNOWN


def parse_endpoint(row: Row) -> Endpoint:
    """Parse a VPC endpoint; `service_name` is an ARN if the endpoint has no service."""
    options = row.get("DnsOptions", {})
    return Endpoint(
        id=row.get("VpcEndpointId", ""),
        type=parse_endpoint_type(row.get("VpcEndpointType")),
        vpc_id=row.get("VpcId", ""),
        service_name=next((str(row[name]) for name in SERVICE_MEMBERS if row.get(name)), ""),
        state=row.get("State", "").lower(),
        policy=row.get("PolicyDocument") or None,
        route_table_ids=sort_ids(row.get("RouteTableIds")),
        subnet_ids=sort_ids(row.get("SubnetIds")),
        security_group_ids=parse_values(row.get("Groups"), "GroupId"),
        network_interface_ids=sort_ids(row.get("NetworkInterfaceIds")),
        private_dns=row.get("PrivateDnsEnabled"),
        ip_address_type=row.get("IpAddressType"),
        dns_record_ip_type=options.get("DnsRecordIpType"),
        private_dns_only_for_inbound_resolver=options.get(
            "PrivateDnsOnlyForInboundResolverEndpoint"
        ),
        dns_names=tuple(each.get("DnsName", "") for each in row.get("DnsEntries", ())),
        private_dns_preference=options.get("PrivateDnsPreference"),
        private_dns_domains=sort_ids(options.get("PrivateDnsSpecifiedDomains")),
        service_region=row.get("ServiceRegion"),
        created_at=row.get("CreationTimestamp"),
        last_error=format_last_error(row),
    )


def format_last_error(row: Row) -> str | None:
    """Format why an endpoint failed, as code and message; None if EC2 returns neither."""
    error = row.get("LastError", {})
    parts = (error.get("Code"), error.get("Message") or row.get("FailureReason"))
    return ": ".join(part for part in parts if part) or None


def parse_service(row: Row) -> Service:
    """Parse one endpoint service of those that a region offers."""
    types = parse_values(row.get("ServiceType"), "ServiceType")
    names = (each.get("PrivateDnsName") for each in row.get("PrivateDnsNames") or ())
    return Service(
        name=row.get("ServiceName", ""),
        types=frozenset(parse_endpoint_type(name) for name in types),
        owner=row.get("Owner", ""),
        private_dns_names=tuple(dict.fromkeys(filter(None, [row.get("PrivateDnsName"), *names]))),
        policy_supported=row.get("VpcEndpointPolicySupported"),
        zones=sort_ids(row.get("AvailabilityZones")),
    )


def parse_aws_prefix_list(row: Row) -> PrefixList:
    """Parse an AWS-managed prefix list of DescribePrefixLists."""
    cidrs = row.get("Cidrs")
    return PrefixList(
        id=row.get("PrefixListId", ""),
        name=row.get("PrefixListName", ""),
        owner="AWS",
        cidrs=parse_networks(cidrs) if cidrs else None,
    )


def parse_connection(row: Row) -> Connection:
    """Parse one endpoint that is connected to an endpoint service of this account."""
    return Connection(
        endpoint_id=row.get("VpcEndpointId", ""),
        owner=row.get("VpcEndpointOwner", ""),
        state=row.get("VpcEndpointState", "").lower(),
        created_at=row.get("CreationTimestamp"),
    )
