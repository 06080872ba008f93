"""Endpoints and what they lead to, from boto3's answers to the model.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_VpcEndpoint.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posture.ec2.parse.fields import ids, networks, strings, tags
from posture.model.endpoint_service import Connection
from posture.model.network import DnsEntry, Endpoint, EndpointType, PrefixList, Service

if TYPE_CHECKING:
    from posture.ec2.parse.fields import Row

AWS = "AWS"


def endpoint_type(text: str | None) -> EndpointType:
    """Read an endpoint's type; EC2's default, where none is given, is Gateway."""
    try:
        return EndpointType(text or EndpointType.GATEWAY)
    except ValueError:
        return EndpointType.UNKNOWN


def parse_endpoint(row: Row) -> Endpoint:
    """Read a VPC endpoint; one without service leads to what its ARN names."""
    options = row.get("DnsOptions", {})
    return Endpoint(
        id=row.get("VpcEndpointId", ""),
        type=endpoint_type(row.get("VpcEndpointType")),
        vpc_id=row.get("VpcId", ""),
        owner=row.get("OwnerId", ""),
        service_name=leads_to(row),
        state=row.get("State", "").lower(),
        policy=row.get("PolicyDocument") or None,
        route_table_ids=ids(row.get("RouteTableIds")),
        subnet_ids=ids(row.get("SubnetIds")),
        security_group_ids=strings(row.get("Groups"), "GroupId"),
        network_interface_ids=ids(row.get("NetworkInterfaceIds")),
        private_dns=row.get("PrivateDnsEnabled"),
        ip_address_type=row.get("IpAddressType"),
        dns_record_ip_type=options.get("DnsRecordIpType"),
        private_dns_only_for_inbound_resolver=options.get(
            "PrivateDnsOnlyForInboundResolverEndpoint"
        ),
        dns_entries=dns_entries(row),
        service_region=row.get("ServiceRegion"),
        requester_managed=bool(row.get("RequesterManaged")),
        created_at=row.get("CreationTimestamp"),
        last_error=last_error(row),
        tags=tags(row.get("Tags")),
    )


def leads_to(row: Row) -> str:
    """Name the service, or the resource configuration or service network that stands in for it."""
    members = ("ServiceName", "ResourceConfigurationArn", "ServiceNetworkArn")
    return next((str(row[member]) for member in members if row.get(member)), "")


def dns_entries(row: Row) -> tuple[DnsEntry, ...]:
    """Read the names that resolve to an endpoint's interfaces."""
    return tuple(
        DnsEntry(entry.get("DnsName", ""), entry.get("HostedZoneId", ""))
        for entry in row.get("DnsEntries", ())
    )


def last_error(row: Row) -> str | None:
    """Say in words what went wrong with an endpoint, if EC2 tells."""
    error = row.get("LastError", {})
    parts = (error.get("Code"), error.get("Message") or row.get("FailureReason"))
    return ": ".join(part for part in parts if part) or None


def service(row: Row) -> Service:
    """Read one entry of the region's catalogue of endpoint services."""
    types = strings(row.get("ServiceType"), "ServiceType")
    names = (each.get("PrivateDnsName") for each in row.get("PrivateDnsNames") or ())
    return Service(
        name=row.get("ServiceName", ""),
        types=frozenset(endpoint_type(name) for name in types),
        owner=row.get("Owner", ""),
        private_dns_names=tuple(dict.fromkeys(filter(None, [row.get("PrivateDnsName"), *names]))),
        policy_supported=row.get("VpcEndpointPolicySupported"),
        zones=ids(row.get("AvailabilityZones")),
        acceptance_required=row.get("AcceptanceRequired"),
    )


def prefix_list(row: Row) -> PrefixList:
    """Read one of AWS's own prefix lists from DescribePrefixLists."""
    cidrs = row.get("Cidrs")
    return PrefixList(
        id=row.get("PrefixListId", ""),
        name=row.get("PrefixListName", ""),
        owner=AWS,
        cidrs=networks(cidrs) if cidrs else None,
    )


def connection(row: Row) -> Connection:
    """Read one consumer's endpoint at a service of ours."""
    return Connection(
        endpoint_id=row.get("VpcEndpointId", ""),
        owner=row.get("VpcEndpointOwner", ""),
        state=row.get("VpcEndpointState", "").lower(),
        created_at=row.get("CreationTimestamp"),
    )
