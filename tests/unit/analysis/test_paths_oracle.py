"""The paths of a service's addresses, checked against a router for single addresses.

The generated VPCs have a private subnet of one or both families, a public one with a NAT gateway,
overlapping and equal routes of every origin, lists, blackholes, and the service's own list. The
router below knows nothing of sets: it takes one address, compares it with every block, and follows
a NAT gateway one step.
"""

from collections import Counter
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from hypothesis import given, settings
from hypothesis import strategies as st

from network_builders import (
    CUSTOM,
    S3,
    build_snapshot,
    gateway,
    interface,
    nat,
    prefix_list,
    route,
    subnet,
    table,
)
from posture.analysis.path import Path, PathKind
from posture.analysis.paths import PathFinder
from posture.model.network import (
    EndpointType,
    PrefixList,
    Route,
    RouteOrigin,
    RouteTable,
    Snapshot,
    TargetKind,
)

WORLD4 = IPv4Network("52.218.0.0/28")
WORLD6 = IPv6Network("2600:1fa0::/124")
OWN = IPv4Network("52.218.0.12/30")  # a block of the VPC that lies among the service's addresses
ADDRESSES = (*WORLD4, *WORLD6)

LISTS = {
    "pl-s3": prefix_list("pl-s3", "52.218.0.0/29", "52.218.0.8/29", name=S3, owner="AWS"),
    "pl-s3v6": prefix_list("pl-s3v6", str(WORLD6), name=f"{S3[:-2]}ipv6.s3", owner="AWS"),
    "pl-low": prefix_list("pl-low", "52.218.0.0/29"),
    "pl-six": prefix_list("pl-six", "2600:1fa0::/125", "2600:1fa0::c/126"),
    "pl-odd": prefix_list("pl-odd", "52.218.0.1/32", "52.218.0.4/30"),
}
TARGETS = (
    *("nat-1", "nat-1", "nat-1", "nat-2", "nat-gone"),
    *("igw-1", "tgw-1", "pcx-1", "eni-1", "vpce-gwlb"),
)
TARGETS6 = (*TARGETS, "eigw-1", "eigw-1", "eigw-1")
ORIGINS = (RouteOrigin.STATIC, RouteOrigin.STATIC, RouteOrigin.PROPAGATED, RouteOrigin.ADVERTISED)

WORLDS: tuple[tuple[IPv4Network | IPv6Network, tuple[int, ...]], ...] = (
    (WORLD4, (0, 26, 28, 29, 29, 30, 31, 32)),
    (WORLD4, (0, 29, 30, 32)),
    (WORLD6, (0, 120, 124, 125, 126, 128)),
)

Address = IPv4Address | IPv6Address
Hops = tuple[str, ...]  # the target, and the next one if it is a NAT gateway


# --- one address at a time -----------------------------------------------------------------------


@dataclass(frozen=True)
class Match:
    """One block of one route that holds an address."""

    route: Route
    length: int
    priority: int  # static, by list, propagated


def find_matches(routes: tuple[Route, ...], address: Address) -> list[Match]:
    """Compare an address with every block of every route."""
    found = []
    for each in routes:
        if each.cidr is not None:
            late = each.origin in {RouteOrigin.PROPAGATED, RouteOrigin.ADVERTISED}
            blocks, priority = [each.cidr], 2 if late else 0
        else:
            blocks, priority = list(LISTS[each.prefix_list_id or ""].cidrs or ()), 1
        found += [
            Match(each, block.prefixlen, priority)
            for block in blocks
            if address.version == block.version and address in block
        ]
    local = any(match.route.target.kind is TargetKind.LOCAL for match in found)
    # A route that a virtual private gateway propagates does not override the local route.
    return [it for it in found if not (local and it.route.origin is RouteOrigin.PROPAGATED)]


def choose_targets(routes: tuple[Route, ...], address: Address) -> set[tuple[str, bool]]:
    """Return the targets that may apply, each with whether it is a blackhole."""
    found = find_matches(routes, address)
    if not found:
        return set()
    best = min((-it.length, it.priority) for it in found)
    return {
        (it.route.target.id, it.route.blackhole)
        for it in found
        if (-it.length, it.priority) == best
    }


def route_packet(
    snapshot: Snapshot, of: RouteTable, address: Address, *, behind_nat: str = ""
) -> Hops:
    """Return the hops of one packet."""
    routes = of.routes
    if behind_nat:
        routes = tuple(it for it in routes if it.target.id != "vpce-s3")
    targets = choose_targets(routes, address)
    if not targets:
        return ("none",)
    if len(targets) > 1:
        return ("unknown",)
    ((target, drops),) = targets
    if drops:
        return ("drop",)
    if behind_nat:
        private = not snapshot.nat_gateways[behind_nat].public
        return ("drop",) if private and target == "igw-1" else (target,)
    return (
        (target, *follow_nat_gateway(snapshot, target, address))
        if target.startswith("nat-")
        else (target,)
    )


def follow_nat_gateway(snapshot: Snapshot, nat_id: str, address: Address) -> Hops:
    """Return the hop behind a NAT gateway, which may be unknown and handles only IPv4."""
    if nat_id not in snapshot.nat_gateways:
        return ("unknown",)
    if address.version == 6:
        return ("drop",)
    return route_packet(snapshot, snapshot.route_tables["rtb-public"], address, behind_nat=nat_id)


# --- what the analysis says ----------------------------------------------------------------------

HOPS = {PathKind.NONE: "none", PathKind.UNKNOWN: "unknown", PathKind.BLACKHOLE: "drop"}


def name_hop(path: Path) -> str:
    """Return the hop of a path, named as by the router."""
    return HOPS.get(path.kind, path.target)


def list_hops(path: Path, address: Address) -> list[Hops]:
    """List the hops of a path's traffic to one of its addresses."""
    onward = [it for it in path.onward if holds(it, address)]
    return [(name_hop(path), name_hop(it)) for it in onward] or [(name_hop(path),)]


def holds(path: Path, address: Address) -> bool:
    """Return whether a path holds an address."""
    return any(
        address.version == block.version and address in block for block in path.addresses.networks()
    )


# --- the networks --------------------------------------------------------------------------------


@st.composite
def routes(draw: st.DrawFn) -> Route:
    """Generate a route that matches some of the service's addresses."""
    blackhole = draw(st.integers(0, 6)) == 0
    if draw(st.integers(0, 3)) == 0:
        listed = draw(st.sampled_from(sorted(LISTS)))
        target = draw(st.sampled_from(TARGETS6 if listed in {"pl-six", "pl-s3v6"} else TARGETS))
        return route(listed, target, blackhole=blackhole)
    world, lengths = draw(st.sampled_from(WORLDS))
    first = int(world.network_address) + draw(st.integers(0, 15))
    block = ip_network((first, draw(st.sampled_from(lengths))), strict=False)
    target = draw(st.sampled_from(TARGETS6 if world.version == 6 else TARGETS))
    origin = draw(st.sampled_from(ORIGINS))
    return route(str(block), target, blackhole=blackhole, origin=origin)


@st.composite
def networks(draw: st.DrawFn) -> Snapshot:
    """Generate a VPC whose private subnet has routes of all kinds for S3's addresses."""
    private = draw(st.lists(routes(), max_size=7))
    public = draw(st.lists(routes(), max_size=2))
    if draw(st.booleans()):
        private.append(route("pl-s3", "vpce-s3"))
    if draw(st.integers(0, 3)):
        private.append(route(str(OWN), "local", origin=RouteOrigin.TABLE))
        private.append(route("52.218.0.14/31", "vgw-1", origin=RouteOrigin.PROPAGATED))
    if draw(st.integers(0, 3)):
        public.append(route("0.0.0.0/0", "igw-1"))
    if draw(st.booleans()):
        public.append(route("pl-s3", "vpce-s3"))
    both = draw(st.booleans())
    lists: list[PrefixList] = list(LISTS.values())
    return build_snapshot(
        *lists, gateway("s3"), interface("gwlb", CUSTOM, type=EndpointType.GATEWAY_LOAD_BALANCER),
        subnet("a", ipv6="2001:db8::/64" if both else None), subnet("public"),
        table("main", *private, main=True), table("public", *public, subnets=["public"]),
        nat("1", "public"), nat("2", "public", public=draw(st.booleans())),
    )  # fmt: skip


@settings(max_examples=300)
@given(networks())
def test_every_single_address_takes_the_expected_path(snapshot: Snapshot) -> None:
    """Each address of the service is in one path, the one that the router chooses."""
    here = snapshot.subnets["subnet-a"]
    paths = PathFinder(snapshot).find_paths(here, snapshot.services[S3])
    assert paths is not None
    of = snapshot.route_tables["rtb-main"]
    for address in ADDRESSES:
        holding = [path for path in paths if holds(path, address)]
        if address.version == 6 and not here.ipv6_cidrs:
            assert holding == []  # the subnet cannot send there
            continue
        (path,) = holding
        assert list_hops(path, address) == [route_packet(snapshot, of, address)], (
            address,
            of.routes,
        )


def test_the_generated_networks_cover_the_hard_cases() -> None:
    """Overlaps, equal blocks, blackholes, IPv6, NAT gateways and parts each occur often."""
    counts: Counter[str] = Counter()
    examples = 300

    @settings(max_examples=examples, derandomize=True, database=None)
    @given(networks())
    def collect(snapshot: Snapshot) -> None:
        of = snapshot.route_tables["rtb-main"]
        found = {address: find_matches(of.routes, address) for address in ADDRESSES}
        lengths = [{it.length for it in each} for each in found.values()]
        pairs = [Counter((it.length) for it in each) for each in found.values()]
        hops = [route_packet(snapshot, of, address) for address in ADDRESSES]
        counts["routes that overlap"] += any(len(each) > 1 for each in lengths)
        counts["equal blocks"] += any(max(each.values(), default=0) > 1 for each in pairs)
        counts["a blackhole decides"] += ("drop",) in hops
        counts["several candidates"] += ("unknown",) in hops
        counts["no route"] += ("none",) in hops
        counts["a NAT is followed"] += any(len(each) > 1 for each in hops)
        counts["a NAT reaches the internet"] += any(each[1:] == ("igw-1",) for each in hops)
        counts["parts take different paths"] += len(set(hops[: WORLD4.num_addresses])) > 1
        counts["IPv6"] += bool(snapshot.subnets["subnet-a"].ipv6_cidrs)
        counts["the endpoint is used"] += ("vpce-s3",) in hops
        counts["propagated routes inside the VPC"] += any(
            it.origin is RouteOrigin.PROPAGATED and it.cidr and it.cidr.version == 4
            and it.cidr.overlaps(OWN)
            for it in of.routes
        ) and any(it.cidr == OWN for it in of.routes)  # fmt: skip

    collect()
    assert len(counts) == 11
    rare = {what: count for what, count in counts.items() if count < examples / 15}
    assert not rare, counts


def test_addresses_outside_the_prefix_list_are_in_no_path() -> None:
    """The paths hold the service's addresses and no others."""
    snapshot = build_snapshot(
        *LISTS.values(), subnet("a"), table("main", route("0.0.0.0/0", "igw-1"), main=True)
    )
    paths = PathFinder(snapshot).find_paths(snapshot.subnets["subnet-a"], snapshot.services[S3])
    assert sum(path.addresses.size for path in paths or ()) == WORLD4.num_addresses
    assert not any(holds(path, ip_address("52.218.0.16")) for path in paths or ())
