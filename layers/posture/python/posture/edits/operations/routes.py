"""Route tables, their routes and their associations."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network

from posture.lean_dataclass import dataclass
from posture.model.network import Network


@dataclass(frozen=True, slots=True, kw_only=True)
class _RouteKey:
    route_table_id: str
    destination_cidr_block: IPv4Network | None = None
    destination_ipv6_cidr_block: IPv6Network | None = None
    destination_prefix_list_id: str | None = None

    @property
    def cidr(self) -> Network | None:
        """The destination, unless it is a prefix list."""
        return self.destination_cidr_block or self.destination_ipv6_cidr_block


@dataclass(frozen=True, slots=True, kw_only=True)
class _RouteWithTarget(_RouteKey):
    """A route with the one target that is given."""

    gateway_id: str | None = None  # internet or virtual private gateway
    vpc_endpoint_id: str | None = None  # Gateway Load Balancer endpoint
    nat_gateway_id: str | None = None
    egress_only_internet_gateway_id: str | None = None
    transit_gateway_id: str | None = None
    vpc_peering_connection_id: str | None = None
    network_interface_id: str | None = None
    instance_id: str | None = None
    carrier_gateway_id: str | None = None
    local_gateway_id: str | None = None
    core_network_arn: str | None = None
    odb_network_arn: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateRoute(_RouteWithTarget):
    """Add a route to a route table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceRoute(_RouteWithTarget):
    """Replace the target of an existing route."""

    local_target: bool | None = None  # resets a local route to its own target


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteRoute(_RouteKey):
    """Delete a route."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateRouteTable:
    """Create a route table (`rtb-new-1`) that has the local routes only."""

    vpc_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteRouteTable:
    """Delete a route table without associations."""

    route_table_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociateRouteTable:
    """Associate a route table with a subnet or a gateway (`rtbassoc-new-1`)."""

    route_table_id: str
    subnet_id: str | None = None
    gateway_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DisassociateRouteTable:
    """End an association; the subnet uses the main route table again."""

    association_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceRouteTableAssociation:
    """Replace the route table of a subnet or VPC, under a new association id."""

    association_id: str
    route_table_id: str
