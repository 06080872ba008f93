"""The working copy of a snapshot to which edits are applied, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

from posture.errors import RefusedEditError, UndecidedEditError
from posture.model.endpoint_service import EndpointServiceSnapshot, ServiceFacet
from posture.model.network import (
    DhcpOptions,
    Endpoint,
    Facet,
    NatGateway,
    NetworkAcl,
    NetworkInterface,
    PrefixList,
    RouteTable,
    SecurityGroup,
    Snapshot,
    Subnet,
    Target,
    Vpc,
)
from posture.model.scope import Scope

if TYPE_CHECKING:
    from posture.edits.shared_draft import SharedDraft

T = TypeVar("T")

# The noun of EC2's messages, and the error code of an id that does not exist, for each facet.
MISSING = {
    Facet.ROUTE_TABLES: ("routeTable ID", "InvalidRouteTableID.NotFound"),
    Facet.SUBNETS: ("subnet ID", "InvalidSubnetID.NotFound"),
    Facet.ENDPOINTS: ("Vpc Endpoint Id", "InvalidVpcEndpointId.NotFound"),
    Facet.SECURITY_GROUPS: ("security group", "InvalidGroup.NotFound"),
    Facet.NETWORK_ACLS: ("networkAcl ID", "InvalidNetworkAclID.NotFound"),
    Facet.NAT_GATEWAYS: ("natGateway ID", "NatGatewayNotFound"),
}


def refuse(code: str, message: str) -> RefusedEditError:
    """Build the error of a request that EC2 would refuse with this code."""
    return RefusedEditError(code, message)


@dataclass(slots=True)
class Draft:
    """A copy of a snapshot's parts that edits change in place, and what they assume.

    `gateways` are the gateways and connections that the snapshot does not list, but that are known
    to exist from routes or from earlier edits, with whether they are attached to the VPC. `shared`
    is the working copy of the network that VPCs share; None where it is not read.
    """

    snapshot: Snapshot
    vpc: Vpc
    subnets: dict[str, Subnet]
    route_tables: dict[str, RouteTable]
    endpoints: dict[str, Endpoint]
    security_groups: dict[str, SecurityGroup]
    network_acls: dict[str, NetworkAcl]
    nat_gateways: dict[str, NatGateway]
    network_interfaces: dict[str, NetworkInterface]
    prefix_lists: dict[str, PrefixList]
    dhcp_options: dict[str, DhcpOptions] = field(default_factory=dict)
    gateways: dict[Target, bool] = field(default_factory=dict)
    pending: set[Target] = field(default_factory=set)  # peering connections not accepted yet
    attachments: dict[str, str] = field(default_factory=dict)  # transit gateway by attachment
    assumptions: dict[str, None] = field(default_factory=dict)
    created: dict[str, int] = field(default_factory=dict)
    shared: SharedDraft | None = None

    @classmethod
    def copy(cls, snapshot: Snapshot) -> Draft:
        """Copy a snapshot; the copy shares all parts that no edit changes."""
        parts: dict[str, Any] = {name: dict(getattr(snapshot, name)) for name in _PARTS}
        return cls(snapshot, snapshot.vpc, **parts)

    def freeze(self) -> Snapshot:
        """Return the snapshot after the edits; a part that did not change is the original."""
        parts: dict[str, Any] = {
            name: dict(sorted(now.items()))
            for name in _PARTS
            if (now := getattr(self, name)) != getattr(self.snapshot, name)
        }
        vpc = self.vpc
        if vpc.has_interfaces is False and (self.endpoints or self.nat_gateways):
            vpc = replace(vpc, has_interfaces=None)  # read of unused default VPCs only
        return replace(self.snapshot, vpc=vpc, **parts)

    def create_id(self, prefix: str) -> str:
        """Return a symbol for the id of a new resource, such as `vpce-new-1`."""
        self.created[prefix] = number = self.created.get(prefix, 0) + 1
        return f"{prefix}-new-{number}"

    def assume(self, text: str) -> None:
        """Note what the snapshot does not hold and an edit relies on."""
        self.assumptions[text] = None

    def require(self, *facets: Facet) -> None:
        """Require that these facets were read.

        Raises:
            UndecidedEditError: One of them could not be read.
        """
        _require_read(self.snapshot.scope, self.snapshot.unreadable, facets)

    def require_vpc(self, vpc_id: str) -> None:
        """Require that an edit names the snapshot's VPC."""
        if vpc_id != self.snapshot.scope.subject:
            raise refuse(
                "InvalidVpcID.NotFound",
                f"The vpc ID '{vpc_id}' is not the VPC of the snapshot, "
                f"{self.snapshot.scope.subject}",
            )

    def get_subnet(self, subnet_id: str) -> Subnet:
        """Look up a subnet."""
        return self._get(self.subnets, subnet_id, Facet.SUBNETS)

    def get_route_table(self, table_id: str) -> RouteTable:
        """Look up a route table."""
        return self._get(self.route_tables, table_id, Facet.ROUTE_TABLES)

    def get_endpoint(self, endpoint_id: str, code: str = "") -> Endpoint:
        """Look up an endpoint that is not deleted; `code` is EC2's if it does not exist."""
        self.require(Facet.ENDPOINTS)
        living = {each.id: each for each in self.endpoints.values() if not each.deleted}
        return self._get(living, endpoint_id, Facet.ENDPOINTS, code)

    def get_security_group(self, group_id: str) -> SecurityGroup:
        """Look up a security group of the VPC, or of another VPC that an endpoint has."""
        return self._get(self.security_groups, group_id, Facet.SECURITY_GROUPS)

    def get_network_acl(self, acl_id: str) -> NetworkAcl:
        """Look up a network ACL."""
        return self._get(self.network_acls, acl_id, Facet.NETWORK_ACLS)

    def get_nat_gateway(self, nat_id: str, code: str = "") -> NatGateway:
        """Look up a NAT gateway that is not deleted; `code` is EC2's if it does not exist."""
        self.require(Facet.NAT_GATEWAYS)
        living = {
            each.id: each
            for each in self.nat_gateways.values()
            if each.state not in {"deleted", "deleting"}
        }
        return self._get(living, nat_id, Facet.NAT_GATEWAYS, code)

    def get_prefix_list(self, list_id: str) -> PrefixList:
        """Look up a prefix list.

        Raises:
            UndecidedEditError: The snapshot does not hold it or its entries. It holds AWS's own and
                those in use.
        """
        self.require(Facet.AWS_PREFIX_LISTS)
        found = self.prefix_lists.get(list_id)
        if found is None or found.cidrs is None:
            raise UndecidedEditError(
                f"{list_id}: the snapshot does not hold the entries of this prefix list"
            )
        return found

    def _get(self, items: Mapping[str, T], item_id: str, facet: Facet, code: str = "") -> T:
        self.require(facet)
        found = items.get(item_id)
        if found is None:
            noun, default = MISSING[facet]
            raise refuse(
                code or default,
                f"The {noun} '{item_id}' does not exist in {self.snapshot.scope.subject}",
            )
        return found

    def mark_routes(self, target: Target, *, blackhole: bool) -> None:
        """Make the routes to a target blackholes because it is gone, or active again.

        https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Route.html
        """
        for table in tuple(self.route_tables.values()):
            routes = tuple(
                replace(route, blackhole=blackhole) if route.target == target else route
                for route in table.routes
            )
            self.route_tables[table.id] = replace(table, routes=routes)


_PARTS = tuple(
    each.name
    for each in fields(Snapshot)
    if each.name not in {"scope", "observed_at", "vpc", "services", "unreadable"}
)


@dataclass(slots=True)
class ServiceDraft:
    """A copy of an endpoint service's snapshot that edits change in place."""

    snapshot: EndpointServiceSnapshot
    assumptions: dict[str, None] = field(default_factory=dict)

    def require(self, *facets: ServiceFacet) -> None:
        """Require that these facets were read.

        Raises:
            UndecidedEditError: One of them could not be read.
        """
        _require_read(self.snapshot.scope, self.snapshot.unreadable, facets)

    def require_service(self, service_id: str) -> None:
        """Require that an edit names the snapshot's endpoint service."""
        if service_id != self.snapshot.scope.subject:
            raise refuse(
                "InvalidVpcEndpointServiceId.NotFound",
                f"The VpcEndpointService Id '{service_id}' is not the endpoint service of the "
                f"snapshot, {self.snapshot.scope.subject}",
            )

    def freeze(self) -> EndpointServiceSnapshot:
        """Return the snapshot after the edits."""
        return self.snapshot


# What an edit of each class does to a draft.
Handlers = Mapping[type, Callable[[Any, Any], None]]


def _require_read(
    scope: Scope, unreadable: Mapping[Any, str], facets: Iterable[Facet | ServiceFacet]
) -> None:
    for facet in facets:
        if reason := unreadable.get(facet):
            raise UndecidedEditError(
                f"cannot be applied to {scope.subject}: {facet} failed ({reason})"
            )
