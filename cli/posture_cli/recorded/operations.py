"""The EC2 operations that an observer calls, and where their answers hold rows and ids."""

from __future__ import annotations

from collections.abc import Mapping

from posture.ec2.dns_attributes import ATTRIBUTES
from posture.lean_dataclass import dataclass
from posture.model.endpoint_service import ServiceFacet
from posture.model.network import Facet


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation: the member with its rows, and the member with the id of each row.

    `key` is the parameter of an operation that answers for one id at a time, or "". Its row is the
    whole answer, and `member` the first member that the answer must have.
    """

    member: str
    id: str
    key: str = ""


def name_attribute(attribute: str) -> str:
    """Return the member that holds a VPC attribute: `EnableDnsSupport` for `enableDnsSupport`."""
    return f"{attribute[0].upper()}{attribute[1:]}"


DNS_MEMBERS = tuple(map(name_attribute, ATTRIBUTES))

OPERATIONS: Mapping[str, Operation] = {
    Facet.VPC.value: Operation("Vpcs", "VpcId"),
    Facet.DNS_ATTRIBUTES.value: Operation("", "VpcId", key="VpcId"),
    Facet.SUBNETS.value: Operation("Subnets", "SubnetId"),
    Facet.ROUTE_TABLES.value: Operation("RouteTables", "RouteTableId"),
    Facet.ENDPOINTS.value: Operation("VpcEndpoints", "VpcEndpointId"),
    Facet.SECURITY_GROUPS.value: Operation("SecurityGroups", "GroupId"),
    Facet.NETWORK_ACLS.value: Operation("NetworkAcls", "NetworkAclId"),
    Facet.NAT_GATEWAYS.value: Operation("NatGateways", "NatGatewayId"),
    Facet.NETWORK_INTERFACES.value: Operation("NetworkInterfaces", "NetworkInterfaceId"),
    Facet.DHCP_OPTIONS.value: Operation("DhcpOptions", "DhcpOptionsId"),
    Facet.AWS_PREFIX_LISTS.value: Operation("PrefixLists", "PrefixListId"),
    Facet.PREFIX_LISTS.value: Operation("Entries", "PrefixListId", key="PrefixListId"),
    Facet.SERVICES.value: Operation("ServiceDetails", "ServiceName"),
    ServiceFacet.CONFIGURATION.value: Operation("ServiceConfigurations", "ServiceId"),
    ServiceFacet.CONNECTIONS.value: Operation("VpcEndpointConnections", "VpcEndpointId"),
    ServiceFacet.PERMISSIONS.value: Operation("AllowedPrincipals", "ServiceId", key="ServiceId"),
}
