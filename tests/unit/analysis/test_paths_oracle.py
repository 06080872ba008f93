"""The paths of a service's addresses, checked against a router for single addresses.

The generated VPCs have a private subnet of one or both families, a public one with a NAT gateway,
firewall endpoints and appliances in subnets of their own, VPC Block Public Access, overlapping and
equal routes of every origin, lists, blackholes, and the service's own list. The router below knows
nothing of sets: it takes one address, compares it with every block, and follows it hop by hop.
"""

from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from hypothesis import given, settings
from hypothesis import strategies as st

from network_builders import (
    CUSTOM,
    S3,
    VPC,
    build_snapshot,
    eni,
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
    Snapshot,
    TargetKind,
)

SPACE4 = IPv4Network("52.218.0.0/28")
SPACE6 = IPv6Network("2600:1fa0::/124")
OWN = IPv4Network("52.218.0.12/30")  # a block of the VPC that lies among the service's addresses
# IPv6 addresses that NAT64 translates to those of SPACE4, and the block of all of them.
NAT64 = IPv6Network("64:ff9b::/96")
TRANSLATED = tuple(NAT64[int(each)] for each in SPACE4)
ADDRESSES = (*SPACE4, *SPACE6, *TRANSLATED)

LISTS = {
    "pl-s3": prefix_list("pl-s3", "52.218.0.0/29", "52.218.0.8/29", name=S3, owner="AWS"),
    "pl-s3v6": prefix_list("pl-s3v6", str(SPACE6), name=f"{S3[:-2]}ipv6.s3", owner="AWS"),
    "pl-low": prefix_list("pl-low", "52.218.0.0/29"),
    "pl-six": prefix_list("pl-six", "2600:1fa0::/125", "2600:1fa0::c/126"),
    "pl-odd": prefix_list("pl-odd", "52.218.0.1/32", "52.218.0.4/30"),
}
TARGETS = (
    *("nat-1", "nat-1", "nat-1", "nat-2", "nat-gone"),
    *("igw-1", "tgw-1", "pcx-1", "eni-1", "i-2", "vpce-fw1", "vpce-fw1", "vpce-fw2"),
)
# The subnets in which what forwards traffic stands, by the name of their route table.
PLACES = {"nat-1": ("public",), "nat-2": ("public",), "vpce-fw1": ("fw1",), "vpce-fw2": ("fw2",),
          "eni-1": ("fw1",), "i-2": ("fw1", "fw2")}  # fmt: skip
MODES = ("", "", "", "", "off", "block-ingress", "block-bidirectional")
TARGETS6 = (*TARGETS, "eigw-1", "eigw-1", "eigw-1")
ORIGINS = (RouteOrigin.STATIC, RouteOrigin.STATIC, RouteOrigin.PROPAGATED, RouteOrigin.ADVERTISED)

ADDRESS_SPACES: tuple[tuple[IPv4Network | IPv6Network, tuple[int, ...]], ...] = (
    (SPACE4, (0, 26, 28, 29, 29, 30, 31, 32)),
    (SPACE4, (0, 29, 30, 32)),
    (SPACE6, (0, 120, 124, 125, 126, 128)),
    (IPv6Network((int(TRANSLATED[0]), 124)), (0, 0, 64, 96, 124, 126)),
)

Address = IPv4Address | IPv6Address
Passed = tuple[tuple[str, str], ...]  # the targets that a packet has passed, and their places
Hops = tuple[str, ...]  # the target, and the next ones as long as they are in the VPC


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
    snapshot: Snapshot, table_name: str, address: Address, passed: Passed = ()
) -> set[Hops]:
    """Return the hops of one packet: several if an endpoint or instance stands in two subnets."""
    routes = snapshot.route_tables[f"rtb-{table_name}"].routes
    if passed and passed[-1][0].startswith("nat-"):
        routes = tuple(it for it in routes if it.target.id != "vpce-s3")
    targets = choose_targets(routes, address)
    if not targets:
        return {("none",)}
    if len(targets) > 1:
        return {("unknown",)}
    ((target, drops),) = targets
    if drops:
        return {("drop",)}
    return forward_packet(snapshot, target, address, passed)


def forward_packet(snapshot: Snapshot, target: str, address: Address, passed: Passed) -> set[Hops]:
    """Return the hops of one packet that is routed to a target."""
    if target in dict(passed) or (target == "vpce-s3" and passed):
        return {("unknown",)}
    if target in {"igw-1", "eigw-1"}:
        return {(leave(snapshot, target, passed),)}
    if target not in PLACES:
        return {(target, "unknown") if target == "nat-gone" else (target,)}
    if target.startswith("nat-") and address.version == 6:
        if address not in NAT64:
            return {(target, "drop")}
        address = translate(address)
    behind = {
        hops
        for place in PLACES[target]
        for hops in route_packet(snapshot, place, address, (*passed, (target, place)))
    }
    if target in {"eni-1", "i-2"} and not all(hops[-1] in {"none", "drop"} for hops in behind):
        behind = {("unknown",)}
    return {(target, *hops) for hops in behind}


def translate(address: Address) -> IPv4Address:
    """Return the IPv4 address for which an address of NAT64 stands."""
    return IPv4Address(int(address) & 0xFFFFFFFF)


def can_send(snapshot: Snapshot, address: Address) -> bool:
    """Return whether the private subnet sends to an address of the service, by IP version."""
    here, table_routes = snapshot.subnets["subnet-a"], snapshot.route_tables["rtb-main"].routes
    if address.version == 4 or not here.ipv6_cidrs:
        return address.version == 4
    if address not in NAT64:
        return True
    blocks = [
        (each, block)
        for each in table_routes
        for block in ([each.cidr] if each.cidr else LISTS[each.prefix_list_id or ""].cidrs or ())
        if block.version == 6 and address in block
    ]
    meant = (it.target.id.startswith("nat-") or block.prefixlen >= 96 for it, block in blocks)
    return here.dns64 is not False and any(meant)


def leave(snapshot: Snapshot, gateway_id: str, passed: Passed) -> str:
    """Return whether a gateway lets a packet out, by the modes of the subnets it came through."""
    whole = snapshot.vpc.block_public_access
    subnets = {each.id: each.block_public_access or whole for each in snapshot.subnets.values()}
    modes = [("subnet-a", subnets["subnet-a"])]
    modes += [(target, subnets[f"subnet-{place}"]) for target, place in passed]
    nats = [at for at, (target, _) in enumerate(modes) if target.startswith("nat-")]
    sources = [0, *nats]
    *before, source = [modes[at][1] for at in sources]
    around = [mode for _, mode in modes[sources[-1] + 1 :]]
    if nats and not snapshot.nat_gateways[modes[nats[-1]][0]].public and gateway_id == "igw-1":
        return "drop"
    if "block-bidirectional" in (source, *around):
        return "drop"
    one_way = bool(nats) or gateway_id == "eigw-1"
    if "block-bidirectional" in before or (source == "block-ingress" and not one_way):
        return "unknown"
    if around and (whole == "block-bidirectional" or (whole == "block-ingress" and not one_way)):
        return "unknown"
    return gateway_id


# --- what the analysis says ----------------------------------------------------------------------

HOPS = {PathKind.NONE: "none", PathKind.UNKNOWN: "unknown", PathKind.BLACKHOLE: "drop"}


def name_hop(path: Path) -> str:
    """Return the hop of a path, named as by the router."""
    return HOPS.get(path.kind, path.target)


def list_hops(path: Path, address: Address) -> set[Hops]:
    """List the hops of a path's traffic to one of its addresses."""
    if path.kind is PathKind.NAT_GATEWAY and address in NAT64:
        address = translate(address)
    behind = {hops for it in path.onward if holds(it, address) for hops in list_hops(it, address)}
    return {(name_hop(path), *hops) for hops in behind} or {(name_hop(path),)}


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
    space, lengths = draw(st.sampled_from(ADDRESS_SPACES))
    first = int(space.network_address) + draw(st.integers(0, 15))
    block = ip_network((first, draw(st.sampled_from(lengths))), strict=False)
    target = draw(st.sampled_from(TARGETS6 if space.version == 6 else TARGETS))
    origin = draw(st.sampled_from(ORIGINS))
    return route(str(block), target, blackhole=blackhole, origin=origin)


@st.composite
def networks(draw: st.DrawFn) -> Snapshot:
    """Generate a VPC whose private subnet has routes of all kinds for S3's addresses."""
    private = draw(st.lists(routes(), max_size=7))
    public = draw(st.lists(routes(), max_size=2))
    if draw(st.booleans()):
        private.append(route("pl-s3", "vpce-s3"))
    if draw(st.integers(0, 2)):
        private.append(
            route("0.0.0.0/0", draw(st.sampled_from(("nat-1", "nat-1", *sorted(PLACES)))))
        )
    if draw(st.integers(0, 3)):
        private.append(route(str(OWN), "local", origin=RouteOrigin.TABLE))
        private.append(route("52.218.0.14/31", "vgw-1", origin=RouteOrigin.PROPAGATED))
    if draw(st.integers(0, 3)):
        public.append(route("0.0.0.0/0", "igw-1"))
    if draw(st.booleans()):
        public.append(route("pl-s3", "vpce-s3"))
    inspected = [draw(st.lists(routes(), max_size=1)) for _ in range(2)]
    for each in inspected:
        if draw(st.integers(0, 3)):
            each.append(route("0.0.0.0/0", draw(st.sampled_from(("igw-1", "igw-1", "nat-1")))))
    both = draw(st.booleans())
    if both and draw(st.integers(0, 3)):
        mostly = ("nat-1", "nat-1", "nat-1", *PLACES)
        private.append(route(str(NAT64), draw(st.sampled_from(mostly))))
    lists: list[PrefixList] = list(LISTS.values())
    blocks = not draw(st.integers(0, 2))
    subnets = [
        replace(
            subnet(name, ipv6="2001:db8::/64" if both and name == "a" else None),
            block_public_access=draw(st.sampled_from(MODES)) if blocks else "",
            dns64=draw(st.sampled_from((None, True, True, False))),
        )
        for name in ("a", "public", "fw1", "fw2")
    ]
    firewall = partial(interface, service=CUSTOM, type=EndpointType.GATEWAY_LOAD_BALANCER)
    mode = draw(st.sampled_from(MODES)) if blocks else ""
    return build_snapshot(
        *lists, *subnets, gateway("s3"),
        firewall("fw1", subnet_ids=("subnet-fw1",)), firewall("fw2", subnet_ids=("subnet-fw2",)),
        eni("1", "fw1", "10.0.0.4"),
        replace(eni("2", "fw1", "10.0.0.5"), instance_id="i-2"),
        replace(eni("3", "fw2", "10.0.0.6"), instance_id="i-2"),
        table("main", *private, main=True), table("public", *public, subnets=["public"]),
        table("fw1", *inspected[0], subnets=["fw1"]), table("fw2", *inspected[1], subnets=["fw2"]),
        nat("1", "public"), nat("2", "public", public=draw(st.booleans())),
        vpc=replace(VPC, block_public_access=mode),
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
        if not can_send(snapshot, address):
            assert holding == []  # the subnet cannot send there
            continue
        (path,) = holding
        assert list_hops(path, address) == route_packet(snapshot, "main", address), (
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
        every = [route_packet(snapshot, "main", address) for address in ADDRESSES]
        hops = [min(each) for each in every]
        counts["routes that overlap"] += any(len(each) > 1 for each in lengths)
        counts["equal blocks"] += any(max(each.values(), default=0) > 1 for each in pairs)
        counts["a blackhole decides"] += ("drop",) in hops
        counts["several candidates"] += ("unknown",) in hops
        counts["no route"] += ("none",) in hops
        counts["a NAT reaches the internet"] += any(
            each[0].startswith("nat-") and each[1:] == ("igw-1",) for each in hops
        )
        counts["a firewall reaches the internet"] += any(
            each[0].startswith("vpce-fw") and each[-1] == "igw-1" for each in hops
        )
        counts["three hops and more"] += any(len(each) > 2 for each in hops)
        counts["an appliance is unknown"] += any(
            each[0] in {"eni-1", "i-2"} and each[-1] == "unknown" for each in hops
        )
        counts["an appliance leads nowhere"] += any(
            each[0] in {"eni-1", "i-2"} and each[-1] in {"none", "drop"} for each in hops
        )
        counts["public access is blocked"] += bool(snapshot.vpc.block_public_access)
        counts["parts take different paths"] += len(set(hops[: SPACE4.num_addresses])) > 1
        counts["IPv6"] += bool(snapshot.subnets["subnet-a"].ipv6_cidrs)
        counts["NAT64 is followed"] += any(
            each[0].startswith("nat-") and address in NAT64
            for address, each in zip(ADDRESSES, hops, strict=True)
            if can_send(snapshot, address)
        )
        counts["the endpoint is used"] += ("vpce-s3",) in hops
        counts["propagated routes inside the VPC"] += any(
            it.origin is RouteOrigin.PROPAGATED and it.cidr and it.cidr.version == 4
            and it.cidr.overlaps(OWN)
            for it in of.routes
        ) and any(it.cidr == OWN for it in of.routes)  # fmt: skip

    collect()
    assert len(counts) == 16
    rare = {what: count for what, count in counts.items() if count < examples / 15}
    assert not rare, counts


def test_addresses_outside_the_prefix_list_are_in_no_path() -> None:
    """The paths hold the service's addresses and no others."""
    snapshot = build_snapshot(
        *LISTS.values(), subnet("a"), table("main", route("0.0.0.0/0", "igw-1"), main=True)
    )
    paths = PathFinder(snapshot).find_paths(snapshot.subnets["subnet-a"], snapshot.services[S3])
    assert sum(path.addresses.size for path in paths or ()) == SPACE4.num_addresses
    assert not any(holds(path, ip_address("52.218.0.16")) for path in paths or ())
