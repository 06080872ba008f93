"""By which path each part of a gateway service's addresses leaves a subnet.

A gateway endpoint is a route to the service's prefix list; any other route that is as specific, or
more, takes traffic past it.
https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html#gateway-endpoint-routing
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_network

from posture.analysis.addresses import IPV4, IPV6, NOTHING, AddressSet
from posture.analysis.path import INTERNET, Path, PathKind
from posture.analysis.routing import Leg, Router, find_route_table, find_sendable_addresses
from posture.model.network import (
    Endpoint,
    EndpointType,
    NatGateway,
    Route,
    RouteTable,
    Service,
    Snapshot,
    Subnet,
    TargetKind,
)

KINDS = {
    TargetKind.INTERNET_GATEWAY: PathKind.INTERNET_GATEWAY,
    TargetKind.EGRESS_ONLY_GATEWAY: PathKind.EGRESS_ONLY_GATEWAY,
    TargetKind.NAT_GATEWAY: PathKind.NAT_GATEWAY,
    TargetKind.TRANSIT_GATEWAY: PathKind.TRANSIT_GATEWAY,
    TargetKind.VIRTUAL_PRIVATE_GATEWAY: PathKind.VIRTUAL_PRIVATE_GATEWAY,
    TargetKind.PEERING: PathKind.PEERING,
    TargetKind.CARRIER_GATEWAY: PathKind.CARRIER_GATEWAY,
    TargetKind.LOCAL_GATEWAY: PathKind.LOCAL_GATEWAY,
    TargetKind.CORE_NETWORK: PathKind.CORE_NETWORK,
    TargetKind.ODB_NETWORK: PathKind.ODB_NETWORK,
    TargetKind.INSTANCE: PathKind.APPLIANCE,
    TargetKind.NETWORK_INTERFACE: PathKind.APPLIANCE,
    TargetKind.LOCAL: PathKind.LOCAL,
}

# What is not for the public internet, by IANA's registries of special-purpose addresses:
# https://www.iana.org/assignments/iana-ipv4-special-registry/
# https://www.iana.org/assignments/iana-ipv6-special-registry/ (2000::/3 is all that is global)
SPECIAL = (
    "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 "
    "192.0.2.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/3"
)
PUBLIC = (IPV4 - AddressSet.of(map(ip_network, SPECIAL.split()))) | AddressSet.of(
    [ip_network("2000::/3")]
)


def list_gateway_services(snapshot: Snapshot) -> tuple[Service, ...]:
    """Give the services that offer a gateway endpoint in this region."""
    return tuple(
        service
        for _, service in sorted(snapshot.services.items())
        if EndpointType.GATEWAY in service.types
    )


def find_service_addresses(snapshot: Snapshot, service: Service) -> AddressSet | None:
    """Give a gateway service's addresses; None where no list of it could be read.

    Its lists bear its name, with `ipv6.` before the service where there is one for IPv6.
    """
    lists = [
        each
        for each in snapshot.prefix_lists.values()
        if each.aws_managed and each.name.replace(".ipv6.", ".") == service.name
    ]
    if not lists or any(each.cidrs is None for each in lists):
        return None
    return AddressSet.of(cidr for each in lists for cidr in each.cidrs or ())


class PathFinder:
    """The ways out of a VPC's subnets; subnets of one table and the same families share them."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._addresses: dict[str, AddressSet | None] = {}
        self._tables: dict[str, RouteTable | None] = {}
        self._known: dict[tuple[str, AddressSet, str], tuple[Path, ...]] = {}
        self._routers = _Routers(snapshot)

    def find_table(self, subnet: Subnet) -> RouteTable | None:
        """Give the route table a subnet uses."""
        if subnet.id not in self._tables:
            self._tables[subnet.id] = find_route_table(self._snapshot, subnet.id)
        return self._tables[subnet.id]

    def find_paths(self, subnet: Subnet, service: Service) -> tuple[Path, ...] | None:
        """Divide a service's own addresses by the way they leave a subnet.

        Of a gateway service these are its prefix lists; of any other they are not told, so that
        all public addresses stand for them, but those of the gateway services.

        Returns:
            The paths, disjoint, those of the most specific routes first; None where the service's
            addresses or the subnet's route table are not known.
        """
        table, addresses = self.find_table(subnet), self._of_service(service)
        if table is None or addresses is None:
            return None
        spoken = find_sendable_addresses(subnet)
        by_gateway = EndpointType.GATEWAY in service.types
        key = (table.id, spoken, service.name if by_gateway else "")
        if key not in self._known:
            router, wanted = self._routers.of(table), addresses & spoken
            self._known[key] = tuple(_paths(self._routers, router, wanted, service, follow=True))
        return self._known[key]

    def _of_service(self, service: Service) -> AddressSet | None:
        name = service.name if EndpointType.GATEWAY in service.types else ""
        if name not in self._addresses:
            self._addresses[name] = (
                find_service_addresses(self._snapshot, service) if name else self._public()
            )
        return self._addresses[name]

    def _public(self) -> AddressSet:
        apart = NOTHING
        for service in list_gateway_services(self._snapshot):
            apart |= find_service_addresses(self._snapshot, service) or NOTHING
        return PUBLIC - apart


class _Routers:
    """The VPC's route tables made ready, as its subnets use them and as its NAT gateways do."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._known: dict[tuple[str, bool], Router] = {}

    def of(self, table: RouteTable, *, nat: bool = False) -> Router:
        """Give a table; for a NAT gateway, without the routes to gateway endpoints."""
        key = table.id, nat
        if key not in self._known:
            kept = (it for it in table.routes if not nat or not self._to_gateway_endpoint(it))
            whole = replace(table, routes=tuple(kept))
            self._known[key] = Router(whole, self.snapshot.prefix_lists)
        return self._known[key]

    def _to_gateway_endpoint(self, route: Route) -> bool:
        """Tell whether a route leads to a gateway endpoint: those are for prefix lists only."""
        if route.target.kind is not TargetKind.VPC_ENDPOINT:
            return False
        endpoint = self.snapshot.endpoints.get(route.target.id)
        by_list = route.prefix_list_id is not None
        return endpoint.type is EndpointType.GATEWAY if endpoint else by_list


def _paths(
    routers: _Routers, router: Router, wanted: AddressSet, service: Service, *, follow: bool
) -> Iterator[Path]:
    routing = router.to(wanted)
    if routing.unread and wanted:
        names = ", ".join(route.destination for route in routing.unread)
        why = f"the entries of {names} in {router.table_id} cannot be read"
        yield Path(wanted, PathKind.UNKNOWN, why=why)
        return
    for leg in routing.legs:
        yield _path(routers, leg, service, follow=follow)


def _path(routers: _Routers, leg: Leg, service: Service, *, follow: bool) -> Path:
    route = leg.route
    if route is None:
        if not leg.routes:
            return Path(leg.addresses, PathKind.NONE)
        targets = " or ".join(each.target.id for each in leg.routes)
        return Path(leg.addresses, PathKind.UNKNOWN, why=f"AWS does not tell which: {targets}")
    if route.blackhole:
        return Path(leg.addresses, PathKind.BLACKHOLE, route.target.id, route)
    kind, why = _kind(routers.snapshot, route, service)
    onward: tuple[Path, ...] = ()
    if kind is PathKind.NAT_GATEWAY and follow:
        onward = _onward(routers, route.target.id, leg.addresses, service)
    return Path(leg.addresses, kind, route.target.id, route, onward, why)


def _kind(snapshot: Snapshot, route: Route, service: Service) -> tuple[PathKind, str]:
    if route.target.kind is TargetKind.VPC_ENDPOINT:
        return _endpoint_kind(snapshot.endpoints.get(route.target.id), route, service)
    kind = KINDS.get(route.target.kind, PathKind.UNKNOWN)
    why = "" if kind is not PathKind.UNKNOWN else f"{route.target.id} is of no known kind"
    return kind, why


def _endpoint_kind(
    endpoint: Endpoint | None, route: Route, service: Service
) -> tuple[PathKind, str]:
    if endpoint is None:
        return PathKind.UNKNOWN, f"{route.target.id} is not among the VPC's endpoints"
    if endpoint.type is EndpointType.GATEWAY_LOAD_BALANCER:
        return PathKind.LOAD_BALANCER_ENDPOINT, ""
    if endpoint.type is EndpointType.GATEWAY and endpoint.service_name == service.name:
        return PathKind.GATEWAY_ENDPOINT, ""
    return PathKind.OTHER_ENDPOINT, ""


def _onward(
    routers: _Routers, nat_id: str, addresses: AddressSet, service: Service
) -> tuple[Path, ...]:
    """Follow a NAT gateway one step: by the routes of the subnet it stands in.

    It does not send over gateway endpoints, so their routes there change nothing; what a private
    one sends to an internet gateway is dropped; and what it translates is IPv4.
    https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-basics.html
    """
    nat = routers.snapshot.nat_gateways.get(nat_id)
    if nat is None:
        return (_unknown(addresses, f"{nat_id} cannot be read or is in another VPC"),)
    if nat.state not in {"available", "pending"}:
        why = f"{nat_id} is {nat.state or 'in no state that EC2 tells'}"
        return (Path(addresses, PathKind.BLACKHOLE, nat_id, why=why),)
    if strange := addresses & IPV6:
        why = f"{nat_id} translates IPv4 only"
        dropped = Path(strange, PathKind.BLACKHOLE, nat_id, why=why)
        rest = addresses - strange
        return (dropped, *(_onward(routers, nat_id, rest, service) if rest else ()))
    if nat.subnet_id is None:
        return (_regional(nat, addresses),)
    table = find_route_table(routers.snapshot, nat.subnet_id)
    if table is None:
        return (_unknown(addresses, f"the route table of {nat.subnet_id} cannot be read"),)
    ways = _paths(routers, routers.of(table, nat=True), addresses, service, follow=False)
    return tuple(way if nat.public else _dropped_at_edge(way) for way in ways)


def _dropped_at_edge(way: Path) -> Path:
    why = "an internet gateway drops what a private NAT gateway sends"
    return replace(way, kind=PathKind.BLACKHOLE, why=why) if way.kind in INTERNET else way


def _regional(nat: NatGateway, addresses: AddressSet) -> Path:
    """A regional NAT gateway stands in no subnet; a public one has its own way to the internet.

    https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateways-regional.html
    """
    if nat.public:
        return Path(addresses, PathKind.INTERNET_GATEWAY)
    return _unknown(addresses, f"{nat.id} stands in no subnet")


def _unknown(addresses: AddressSet, why: str) -> Path:
    return Path(addresses, PathKind.UNKNOWN, why=why)
