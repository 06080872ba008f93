"""Find the path that each part of a service's addresses takes out of a subnet.

A gateway endpoint is a route to the service's prefix list. Traffic that matches a more specific
route, or a preferred route of the same length, bypasses it.
https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html#gateway-endpoint-routing
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import replace

from posture.analysis.addresses import IPV4, IPV6, NAT64, NOTHING, TO_NAT64, AddressSet
from posture.analysis.kept_paths import depend_on, find_kept_tables
from posture.analysis.path import DROPPED, Path, PathKind
from posture.analysis.region_offers import find_service_addresses, get_region_offers
from posture.analysis.routing import (
    Leg,
    Router,
    find_nat64_routes,
    find_route_table,
    find_sendable_addresses,
    may_use_nat64,
)
from posture.analysis.trail import Trail
from posture.model.network import (
    EndpointType,
    Route,
    RouteTable,
    Service,
    Snapshot,
    Subnet,
    Target,
    TargetKind,
)

# Most kinds of target have a kind of path with their name.
KINDS = {kind: PathKind[kind.name] for kind in TargetKind if kind.name in PathKind.__members__} | {
    TargetKind.INSTANCE: PathKind.APPLIANCE,
    TargetKind.NETWORK_INTERFACE: PathKind.APPLIANCE,
}

# The id of a route table, what decides which addresses are sent, the gateway service they are of
# (None for any addresses), and how the subnet blocks public access.
_Traffic = tuple[str, Hashable, str | None, str]


class PathFinder:
    """Finds paths out of subnets; those of one route table and the same IP versions share them."""

    def __init__(self, snapshot: Snapshot, former: PathFinder | None = None) -> None:
        """Find paths of a snapshot; what a change does not concern comes from the `former` one."""
        self._snapshot = snapshot
        self._former = former
        self._kept: frozenset[str] = (
            find_kept_tables(former._snapshot, snapshot) if former else frozenset()  # noqa: SLF001 - own class
        )
        self._addresses: dict[str, AddressSet | None] = {}
        self._tables: dict[str, RouteTable | None] = {}
        self._translated: dict[str, AddressSet] = {}
        self._routers = dict(former.list_routers(snapshot)) if former else {}
        self._found: dict[tuple[str, str], tuple[Path, ...] | None] = {}
        self._paths: dict[_Traffic, tuple[Path, ...]] = {}

    def find_table(self, subnet: Subnet) -> RouteTable | None:
        """Find the route table of a subnet."""
        if subnet.id not in self._tables:
            self._tables[subnet.id] = find_route_table(self._snapshot, subnet.id)
        return self._tables[subnet.id]

    def find_paths(self, subnet: Subnet, service: Service) -> tuple[Path, ...] | None:
        """Divide a service's addresses by the path that traffic to them takes out of a subnet.

        The addresses of a gateway service are those of its prefix lists. Those of other services
        are not known: all public addresses without those of gateway services stand for them.

        Returns:
            The paths, disjoint, those of the most specific routes first; None if the service's
            addresses or the subnet's route table are not known.
        """
        known = subnet.id, service.name
        if known not in self._found:
            self._found[known] = self._find_paths(subnet, service)
        return self._found[known]

    def _find_paths(self, subnet: Subnet, service: Service) -> tuple[Path, ...] | None:
        table, addresses = self.find_table(subnet), self._find_addresses(service)
        if table is None or addresses is None:
            return None
        name = service.name if EndpointType.GATEWAY in service.types else ""

        def divide() -> Iterator[Path]:
            sent = addresses & find_sendable_addresses(subnet)
            if translated := self._find_translated(subnet, table):
                sent |= (addresses & IPV4).shift(TO_NAT64) & translated
            return self._divide(self.prepare_router(table), sent, name, self._start_trail(subnet))

        versions = bool(subnet.cidr), bool(subnet.ipv6_cidrs), may_use_nat64(subnet)
        return self._share((table.id, versions, name, subnet.block_public_access), divide)

    def _share(self, traffic: _Traffic, divide: Callable[[], Iterator[Path]]) -> tuple[Path, ...]:
        """Return the paths of traffic, which subnets share; those before a change if they hold."""
        if traffic not in self._paths:
            known = self._former._paths.get(traffic) if self._former else None  # noqa: SLF001 - own class
            if known is None or traffic[0] not in self._kept or not depend_on(known, self._kept):
                known = tuple(divide())
            self._paths[traffic] = known
        return self._paths[traffic]

    def _find_translated(self, subnet: Subnet, table: RouteTable) -> AddressSet:
        if not may_use_nat64(subnet):
            return NOTHING
        if table.id not in self._translated:
            lists = self._snapshot.prefix_lists
            self._translated[table.id] = find_nat64_routes(table, lists)
        return self._translated[table.id]

    def _find_addresses(self, service: Service) -> AddressSet | None:
        name = service.name if EndpointType.GATEWAY in service.types else ""
        if name not in self._addresses:
            self._addresses[name] = (
                find_service_addresses(self._snapshot, service)
                if name
                else self._find_public_addresses()
            )
        return self._addresses[name]

    def _find_public_addresses(self) -> AddressSet:
        vpc = self._snapshot.vpc  # IPv6 blocks are global, but those of the VPC are no service's
        own = AddressSet.of((*vpc.cidrs, *vpc.ipv6_cidrs))
        return get_region_offers(self._snapshot).other_addresses - own

    def prepare_router(self, table: RouteTable, *, nat: bool = False) -> Router:
        """Return the router of a table; for a NAT gateway, without routes to gateway endpoints."""
        key = table.id, nat
        if key not in self._routers:
            kept = (it for it in table.routes if not nat or not self._is_to_gateway_endpoint(it))
            whole = replace(table, routes=tuple(kept))
            self._routers[key] = Router(whole, self._snapshot.prefix_lists)
        return self._routers[key]

    def list_routers(self, after: Snapshot) -> Iterator[tuple[tuple[str, bool], Router]]:
        """List the routers of subnets' route tables that are the same after a change."""
        before = self._snapshot
        if before.prefix_lists == after.prefix_lists:
            for (table_id, nat), router in self._routers.items():
                known = after.route_tables.get(table_id)
                if known and not nat and known is before.route_tables.get(table_id):
                    yield (table_id, nat), router

    def _is_to_gateway_endpoint(self, route: Route) -> bool:
        """Return whether a route leads to a gateway endpoint; such routes are to prefix lists."""
        if route.target.kind is not TargetKind.VPC_ENDPOINT:
            return False
        if endpoint := self._snapshot.endpoints.get(route.target.id):
            return endpoint.type is EndpointType.GATEWAY
        named = self._snapshot.prefix_lists.get(route.prefix_list_id or "")
        return named is not None and named.aws_managed

    def trace(self, subnet: Subnet, addresses: AddressSet) -> tuple[Path, ...]:
        """Divide any addresses outside the VPC by the path that traffic to them takes."""
        table = self.find_table(subnet)
        if table is None:
            return _build_unknown(addresses, f"the route table of {subnet.id} is not known")
        traffic = table.id, addresses, None, subnet.block_public_access
        return self._share(
            traffic,
            lambda: self._divide(
                self.prepare_router(table), addresses, "", self._start_trail(subnet)
            ),
        )

    def _start_trail(self, subnet: Subnet) -> Trail:
        vpc = self._snapshot.vpc.block_public_access
        return Trail(vpc, subnet.block_public_access or vpc)

    def _divide(
        self, router: Router, addresses: AddressSet, service: str, trail: Trail
    ) -> Iterator[Path]:
        routing = router.route(addresses)
        if routing.unread and addresses:
            names = ", ".join(route.destination for route in routing.unread)
            why = f"the entries of {names} in {router.table_id} cannot be read"
            yield Path(addresses, PathKind.UNKNOWN, why=why, table_id=router.table_id)
            return
        for leg in routing.legs:
            yield self._build_path(leg, service, trail, router.table_id)

    def _build_path(self, leg: Leg, service: str, trail: Trail, table_id: str) -> Path:
        route = leg.route
        if route is None:
            if not leg.routes:
                return Path(leg.addresses, PathKind.NONE, table_id=table_id)
            targets = " or ".join(each.target.id for each in leg.routes)
            why = f"equally specific routes to {targets}"
            return Path(leg.addresses, PathKind.UNKNOWN, why=why, table_id=table_id)
        target = route.target.id
        if route.blackhole:
            return Path(leg.addresses, PathKind.BLACKHOLE, target, route, table_id=table_id)
        kind, why = self._find_kind(route, service)
        if target in trail.hops:
            loop = " to ".join((*trail.hops[trail.hops.index(target) :], target))
            why = f"a loop from {loop}"
            return Path(leg.addresses, PathKind.UNKNOWN, target, route, (), why, table_id)
        if kind is PathKind.GATEWAY_ENDPOINT and trail.hops:
            # https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html
            why = f"AWS does not document whether {target} serves traffic from {trail.hops[-1]}"
            return Path(leg.addresses, PathKind.UNKNOWN, target, route, (), why, table_id)
        if not why:
            kind, why = trail.leave(kind)
        onward = self._follow(kind, route.target, leg.addresses, service, trail)
        return Path(leg.addresses, kind, target, route, onward, why, table_id)

    def _follow(
        self, kind: PathKind, target: Target, addresses: AddressSet, service: str, trail: Trail
    ) -> tuple[Path, ...]:
        """Follow traffic behind a target that forwards it inside the VPC."""
        if kind is PathKind.NAT_GATEWAY:
            return self._follow_nat_gateway(target.id, addresses, service, trail)
        if kind is PathKind.LOAD_BALANCER_ENDPOINT:
            return self._follow_endpoint(target.id, addresses, service, trail)
        if kind is PathKind.APPLIANCE:
            return self._follow_appliance(target, addresses, service, trail)
        return ()

    def _find_kind(self, route: Route, service: str) -> tuple[PathKind, str]:
        """Return what a route leads to, and why this is unknown if it is."""
        target = route.target
        if target.kind is not TargetKind.VPC_ENDPOINT:
            kind = KINDS.get(target.kind, PathKind.UNKNOWN)
            return kind, f"the type of {target.id} is unknown" if kind is PathKind.UNKNOWN else ""
        endpoint = self._snapshot.endpoints.get(target.id)
        if endpoint is None:
            return PathKind.UNKNOWN, f"{target.id} is not an endpoint of the VPC"
        if endpoint.state not in {"available", "pending"}:
            return PathKind.UNKNOWN, f"the state of {target.id} is {endpoint.state or 'unknown'}"
        if endpoint.type is EndpointType.GATEWAY_LOAD_BALANCER:
            return PathKind.LOAD_BALANCER_ENDPOINT, ""
        if endpoint.type is EndpointType.GATEWAY and endpoint.service_name == service:
            return PathKind.GATEWAY_ENDPOINT, ""
        return PathKind.OTHER_ENDPOINT, f"{target.id} is an endpoint of another service"

    def _follow_nat_gateway(
        self, nat_id: str, addresses: AddressSet, service: str, trail: Trail
    ) -> tuple[Path, ...]:
        """Follow traffic behind a NAT gateway, by the routes of its subnet.

        A NAT gateway cannot send traffic over gateway endpoints, so their routes are left out. Its
        destinations are IPv4 only; IPv6 addresses that stand for them become those.
        https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-basics.html

        A regional NAT gateway is in no subnet. It has a route table of its own, which by default
        leads to the internet.
        https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateways-regional.html
        """
        addresses = _translate(addresses)
        nat = self._snapshot.nat_gateways.get(nat_id)
        if nat is None:
            return _build_unknown(addresses, f"{nat_id} cannot be read or is in another VPC")
        if nat.state not in {"available", "pending"}:
            why = f"its state is {nat.state or 'unknown'}"
            return (Path(addresses, PathKind.BLACKHOLE, nat_id, why=why),)
        if ipv6 := addresses & IPV6:
            why = "a NAT gateway translates to IPv4 destinations only"
            dropped = Path(ipv6, PathKind.BLACKHOLE, nat_id, why=why)
            rest = addresses - ipv6
            return (
                dropped,
                *(self._follow_nat_gateway(nat_id, rest, service, trail) if rest else ()),
            )
        subnet = self._snapshot.subnets.get(nat.subnet_id or "")
        behind = trail.add_nat_gateway(nat, subnet.block_public_access if subnet else "")
        if nat.route_table_id:
            table = self._snapshot.route_tables.get(nat.route_table_id)
        elif nat.subnet_id is None and nat.public:
            kind, why = behind.leave(PathKind.INTERNET_GATEWAY)
            return (Path(addresses, kind, "" if not why else nat_id, why=why),)
        else:
            table = find_route_table(self._snapshot, nat.subnet_id) if nat.subnet_id else None
        if table is None:
            return _build_unknown(addresses, f"the route table of {nat_id} is not known")
        router = self.prepare_router(table, nat=True)
        return tuple(self._divide(router, addresses, service, behind))

    def _follow_endpoint(
        self, endpoint_id: str, addresses: AddressSet, service: str, trail: Trail
    ) -> tuple[Path, ...]:
        """Follow traffic behind a Gateway Load Balancer endpoint, by the routes of its subnets.

        AWS Network Firewall's endpoints are of this type as well. Traffic that they allow
        returns to the endpoint, and the route table of its subnet applies.
        https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-load-balancer-endpoints.html
        """
        known = self._snapshot.network_interfaces
        endpoint = self._snapshot.endpoints[endpoint_id]
        subnets = endpoint.subnet_ids or tuple(
            known[each].subnet_id for each in endpoint.network_interface_ids if each in known
        )
        return self._follow_subnets(endpoint_id, subnets, addresses, service, trail)

    def _follow_appliance(
        self, target: Target, addresses: AddressSet, service: str, trail: Trail
    ) -> tuple[Path, ...]:
        """Follow traffic behind an instance or network interface: dropped, or unknown.

        An instance may forward traffic by any of its interfaces, and to any destination.
        """
        known = self._snapshot.network_interfaces.values()
        instance = target.id if target.kind is TargetKind.INSTANCE else ""
        if named := self._snapshot.network_interfaces.get(target.id):
            instance = named.instance_id
        interfaces = [each for each in known if instance and each.instance_id == instance]
        if named and not interfaces:
            interfaces = [named]
        subnets = sorted({each.subnet_id for each in interfaces})
        paths = self._follow_subnets(target.id, subnets, addresses, service, trail)
        leading = AddressSet.union(map(_find_leading, paths))
        nowhere = tuple(_restrict(paths, addresses - leading))
        if not leading:
            return nowhere
        where = f"in {' and '.join(subnets)}" if subnets else "in a subnet that could not be read"
        why = f"the appliance {target.id} {where} decides what it forwards"
        return (*nowhere, *_build_unknown(leading, why))

    def _follow_subnets(
        self,
        target: str,
        subnet_ids: Iterable[str],
        addresses: AddressSet,
        service: str,
        trail: Trail,
    ) -> tuple[Path, ...]:
        """Follow traffic that a target forwards into one of several subnets."""
        paths: list[Path] = []
        for subnet_id in subnet_ids:
            subnet = self._snapshot.subnets.get(subnet_id)
            table = self.find_table(subnet) if subnet else None
            if subnet is None or table is None:
                paths += _build_unknown(addresses, f"the route table of {target} is not known")
                continue
            behind = trail.add_middlebox(target, subnet.block_public_access)
            router = self.prepare_router(table)
            paths += self._divide(router, addresses, service, behind)
        return tuple(paths) or _build_unknown(addresses, f"the subnet of {target} is not known")


def _restrict(paths: Iterable[Path], addresses: AddressSet) -> Iterator[Path]:
    """Restrict paths, and what is behind them, to some addresses."""
    for path in paths:
        if some := path.addresses & addresses:
            behind = _translate(some) if path.kind is PathKind.NAT_GATEWAY else some
            yield replace(path, addresses=some, onward=tuple(_restrict(path.onward, behind)))


def _find_leading(path: Path) -> AddressSet:
    """Return the addresses of a path whose traffic is not certainly dropped."""
    if not path.onward:
        return NOTHING if path.kind in DROPPED else path.addresses
    found = AddressSet.union(map(_find_leading, path.onward))
    if path.kind is PathKind.NAT_GATEWAY:
        found |= (found & IPV4).shift(TO_NAT64)
    return found & path.addresses


def _translate(addresses: AddressSet) -> AddressSet:
    """Return the addresses that a NAT gateway sends to: NAT64 turns IPv6 into IPv4."""
    translated = addresses & NAT64
    return (addresses - NAT64) | translated.shift(-TO_NAT64) if translated else addresses


def _build_unknown(addresses: AddressSet, why: str) -> tuple[Path, ...]:
    return (Path(addresses, PathKind.UNKNOWN, why=why),)
