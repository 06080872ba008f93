"""Each address matches the route that AWS documents, checked address by address."""

from ipaddress import IPv4Network, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from network_builders import LOCAL, build_snapshot, prefix_list, route, subnet, table
from posture.analysis.addresses import NOTHING, AddressSet
from posture.analysis.routing import Router, Routing, find_route_table
from posture.model.network import PrefixList, Route, RouteOrigin

ADDRESSES = IPv4Network("203.0.113.0/28")
WHOLE = AddressSet.of([ADDRESSES])
LISTS = {
    "pl-low": prefix_list("pl-low", "203.0.113.0/29"),
    "pl-odd": prefix_list("pl-odd", "203.0.113.1/32", "203.0.113.8/30"),
    "pl-all": prefix_list("pl-all", "203.0.113.0/28", "203.0.113.4/30"),
}
INSIDE = IPv4Network("203.0.113.12/30")  # a block of the VPC among the addresses
VPC_ROUTE = route(str(INSIDE), "local", origin=RouteOrigin.TABLE)
ORIGINS = [RouteOrigin.STATIC, RouteOrigin.PROPAGATED, RouteOrigin.ADVERTISED]


@st.composite
def routes(draw: st.DrawFn) -> Route:
    """Generate a static or propagated route, or one to a prefix list, to one of three targets."""
    target = draw(st.sampled_from(["nat-1", "igw-1", "tgw-1"]))
    if draw(st.booleans()):
        return route(draw(st.sampled_from(sorted(LISTS))), target)
    length = draw(st.integers(26, 32))
    first = draw(st.integers(0, 15))
    block = ip_network(f"203.0.113.{first}/{length}", strict=False)
    return route(str(block), target, origin=draw(st.sampled_from(ORIGINS)))


def choose_targets(address: str, given_routes: list[Route]) -> set[str]:
    """Choose by the longest match, then static, then prefix list, then propagated routes.

    A route that a virtual private gateway propagates never overrides the local route.
    """
    best: dict[tuple[int, int], set[str]] = {}
    inside = ip_address(address) in INSIDE
    for each in (VPC_ROUTE, *given_routes):
        if inside and each.origin is RouteOrigin.PROPAGATED and each.cidr:
            continue
        blocks = [each.cidr] if each.cidr else list(LISTS[each.prefix_list_id or ""].cidrs or ())
        static = each.origin in {RouteOrigin.STATIC, RouteOrigin.TABLE}
        priority = 1 if each.cidr is None else 0 if static else 2
        for block in blocks:
            if ip_address(address) in block:
                best.setdefault((-block.prefixlen, priority), set()).add(each.target.id)
    return best[min(best)] if best else set()


@given(st.lists(routes(), max_size=8))
def test_every_address_matches_the_expected_route(given_routes: list[Route]) -> None:
    """The legs are disjoint and complete, and each address is in the expected one."""
    found = Router(table("1", VPC_ROUTE, *given_routes), LISTS).route(WHOLE)
    covered = NOTHING
    for leg in found.legs:
        assert not covered & leg.addresses
        covered |= leg.addresses
        for block in leg.addresses.networks():
            for address in block:
                assert {each.target.id for each in leg.routes} == choose_targets(
                    str(address), given_routes
                )
    assert covered == WHOLE


def test_only_the_propagated_one_of_equal_routes_yields_to_the_local_route() -> None:
    """An equally specific route from a route server overrides the local route."""
    mixed = [
        route("203.0.113.12/31", "nat-1", origin=RouteOrigin.ADVERTISED),
        route("203.0.113.12/31", "igw-1", origin=RouteOrigin.PROPAGATED),
    ]
    found = targets_by_block(Router(table("1", VPC_ROUTE, *mixed), LISTS).route(WHOLE))
    assert found["203.0.113.12/31"] == ["nat-1"]
    assert found["203.0.113.14/31"] == ["local"]


@given(st.permutations([route("pl-low", "nat-1"), route("203.0.113.0/28", "igw-1"), LOCAL]))
def test_the_order_of_routes_does_not_matter(given_routes: list[Route]) -> None:
    """EC2 returns them in any order."""
    assert targets_by_block(Router(table("1", *given_routes), LISTS).route(WHOLE)) == {
        "203.0.113.0/29": ["nat-1"],
        "203.0.113.8/29": ["igw-1"],
    }


def targets_by_block(routing: Routing) -> dict[str, list[str]]:
    """Return the ids of each leg's targets by its addresses."""
    return {str(leg.addresses): [each.target.id for each in leg.routes] for leg in routing.legs}


@pytest.mark.parametrize(
    ("one", "other", "wins"),
    [
        (route("203.0.113.0/29", "nat-1"), route("pl-low", "igw-1"), ["nat-1"]),
        (
            route("203.0.113.0/29", "vgw-1", origin=RouteOrigin.PROPAGATED),
            route("pl-low", "igw-1"),
            ["igw-1"],
        ),
        (
            route("203.0.113.0/29", "vgw-1", origin=RouteOrigin.PROPAGATED),
            route("203.0.113.0/29", "nat-1"),
            ["nat-1"],
        ),
        (route("203.0.113.0/28", "nat-1"), route("pl-low", "igw-1"), ["igw-1"]),
        (route("pl-low", "nat-1"), route("pl-low", "igw-1"), ["nat-1", "igw-1"]),
    ],
    ids=[
        "static before prefix list",
        "prefix list before propagated",
        "static before propagated",
        "the more specific, whatever its kind",
        "two prefix lists: not documented",
    ],
)
def test_priority_between_equal_routes(one: Route, other: Route, wins: list[str]) -> None:
    """The order is the one that AWS documents."""
    destination = AddressSet.of([ip_network("203.0.113.0/29")])
    for pair in ([one, other], [other, one]):
        (leg,) = Router(table("1", *pair), LISTS).route(destination).legs
        assert sorted(each.target.id for each in leg.routes) == sorted(wins)


def test_two_routes_to_one_target_are_unambiguous() -> None:
    """The traffic takes the same path, whichever applies."""
    pair = [route("pl-low", "nat-1"), route("pl-all", "nat-1")]
    found = Router(table("1", *pair), LISTS).route(AddressSet.of([ADDRESSES]))
    assert all(len(leg.routes) == 1 for leg in found.legs)


def test_addresses_without_a_route_are_a_leg() -> None:
    """The leg has no routes."""
    found = Router(table("1", route("pl-low", "nat-1")), LISTS).route(WHOLE)
    assert targets_by_block(found) == {"203.0.113.0/29": ["nat-1"], "203.0.113.8/29": []}


def test_an_unreadable_prefix_list_is_reported() -> None:
    """Its route may match any part of the destination."""
    unread = route("pl-secret", "nat-1")
    lists: dict[str, PrefixList] = {"pl-secret": prefix_list("pl-secret")}
    assert Router(table("1", unread), lists).route(WHOLE).unread == (unread,)
    assert Router(table("1", unread), {}).route(WHOLE).unread == (unread,)


def test_a_blackhole_still_matches() -> None:
    """Traffic is dropped instead of matching a less specific route."""
    hole = route("203.0.113.0/29", "nat-9", blackhole=True)
    found = Router(table("1", hole, route("0.0.0.0/0", "igw-1")), {}).route(WHOLE)
    assert targets_by_block(found) == {"203.0.113.0/29": ["nat-9"], "203.0.113.8/29": ["igw-1"]}


def test_a_subnet_uses_the_associated_table_or_the_main_one() -> None:
    """Without an association, the main route table applies."""
    own, main = table("own", subnets=["a"]), table("main", main=True)
    snapshot = build_snapshot(subnet("a"), subnet("b"), main, own)
    assert find_route_table(snapshot, "subnet-a") is own
    assert find_route_table(snapshot, "subnet-b") is main
    assert find_route_table(snapshot, "subnet-unknown") is main
    assert find_route_table(build_snapshot(subnet("a")), "subnet-a") is None


def test_many_blocks_in_each_other_are_divided_once() -> None:
    """Each of a thousand nested and neighbouring blocks is the leg of its own addresses."""
    nested = [route(f"128.0.0.0/{length}", f"nat-{length}") for length in range(1, 33)]
    beside = [route(f"10.{at // 250}.{at % 250}.0/24", f"tgw-{at}") for at in range(1_000)]
    found = Router(table("1", *nested, *beside), {}).route(AddressSet.of([ip_network("0.0.0.0/0")]))
    sizes = {leg.route.target.id: leg.addresses.size for leg in found.legs if leg.route}

    assert [sizes[f"nat-{length}"] for length in range(1, 33)] == [
        *(2 ** (31 - length) for length in range(1, 32)),
        1,
    ]
    assert {sizes[f"tgw-{at}"] for at in range(1_000)} == {256}
    lengths = [leg.route.cidr.prefixlen for leg in found.legs if leg.route and leg.route.cidr]
    assert lengths == sorted(lengths, reverse=True)  # the most specific first
