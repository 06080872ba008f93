"""Routes to gateway endpoints, and the paths of S3 and DynamoDB traffic."""

from dataclasses import replace
from ipaddress import ip_network

import pytest

from network_builders import (
    DYNAMODB,
    S3,
    S3_BLOCKS,
    build_snapshot,
    gateway,
    nat,
    prefix_list,
    route,
    statuses,
    subnet,
    table,
    verdict_text,
    verdicts,
)
from posture.analysis.addresses import AddressSet
from posture.analysis.path import PathKind
from posture.analysis.paths import PathFinder
from posture.model.network import Route, RouteOrigin, Snapshot
from posture.model.verdict import Severity, Status

LEAVES = "gateway-service-bypasses-endpoint"
LACKS = "subnet-without-gateway-endpoint-route"
HOLE = "gateway-endpoint-route-blackholed"
AWAY = "prefix-list-routed-to-other-network"
UNUSED = "gateway-endpoint-unused"

TO_S3 = route("pl-s3", "vpce-s3")
TO_DDB = route("pl-ddb", "vpce-ddb")
BY_NAT = route("0.0.0.0/0", "nat-1")
BY_IGW = route("0.0.0.0/0", "igw-1")
PUBLIC = (subnet("public"), table("public", BY_IGW, TO_S3, TO_DDB, subnets=["public"]))
ENDPOINTS = (
    gateway("s3", S3, ["private", "public"]),
    gateway("ddb", DYNAMODB, ["private", "public"]),
)


def private(*routes: Route) -> Snapshot:
    """Build a VPC with both gateway endpoints, a NAT, and a private subnet with these routes."""
    return build_snapshot(
        *PUBLIC, *ENDPOINTS, nat("1"), subnet("a"), table("private", *routes, subnets=["a"])
    )


# --- leaving by the internet ---------------------------------------------------------------------


def test_all_by_the_endpoints_passes() -> None:
    """A default route by NAT does not matter where the endpoints' routes are more specific."""
    assert statuses(LEAVES, private(TO_S3, TO_DDB, BY_NAT)) == {
        "subnet-a": Status.PASS,
        "subnet-public": Status.PASS,
    }


def test_a_more_specific_route_takes_part_away() -> None:
    """The evidence names just that part and its route; the fix deletes the route."""
    detour = route("52.218.0.0/18", "nat-1")
    verdict = verdicts(LEAVES, private(TO_S3, TO_DDB, BY_NAT, detour))["subnet-a"]
    assert verdict.status is Status.FAIL
    assert verdict.severity is Severity.HIGH
    assert "some s3 traffic over the internet (NAT gateway), bypassing vpce-s3" in verdict.summary
    assert "52.218.0.0/18 is routed to NAT gateway nat-1" in verdict_text(verdict)
    assert "3.5.64.0/21" not in verdict_text(verdict)
    assert (
        "aws ec2 delete-route --route-table-id rtb-private "
        "--destination-cidr-block 52.218.0.0/18" in verdict_text(verdict)
    )
    assert {"rtb-private", "nat-1", "subnet-a", "vpce-s3"} <= verdict.concerns


def test_a_wider_route_is_never_to_be_deleted() -> None:
    """A route that carries more than S3 stays; the advice names no command for it."""
    verdict = verdicts(LEAVES, private(TO_DDB, BY_NAT))["subnet-a"]
    assert "delete-route" not in verdict_text(verdict)
    assert "--vpc-endpoint-id vpce-s3 --add-route-table-ids rtb-private" in verdict_text(verdict)


def test_without_an_endpoint_a_free_one_is_proposed() -> None:
    """By NAT or by internet gateway, it is a finding, milder than passing an endpoint."""
    snapshot = build_snapshot(*PUBLIC[:1], table("public", BY_IGW, subnets=["public"]))
    verdict = verdicts(LEAVES, snapshot)["subnet-public"]
    assert verdict.status is Status.FAIL
    assert verdict.severity is Severity.MEDIUM
    assert "create-vpc-endpoint" in verdict_text(verdict)
    assert f"--service-name {S3} --policy-document" in verdict_text(verdict)
    assert "--route-table-ids rtb-public" in verdict_text(verdict)


@pytest.mark.parametrize(
    ("way", "status"),
    [
        (route("0.0.0.0/0", "tgw-1"), Status.PASS),
        (route("0.0.0.0/0", "eni-1"), Status.UNKNOWN),
        (route("0.0.0.0/0", "nat-1", blackhole=True), Status.PASS),
        (route("0.0.0.0/0", "nat-elsewhere"), Status.UNKNOWN),
        (route("pl-secret", "nat-1"), Status.UNKNOWN),
        (route("0.0.0.0/0", "mystery-1"), Status.UNKNOWN),
        (BY_NAT, Status.FAIL),
        (BY_IGW, Status.FAIL),
    ],
    ids=lambda value: value.target.id if hasattr(value, "target") else str(value),
)
def test_what_counts_as_leaving(way: Route, status: Status) -> None:
    """Only what this VPC's own gateways send to the internet; what is not known is unknown."""
    assert statuses(LEAVES, private(way))["subnet-a"] is status


def test_a_nat_in_a_subnet_without_internet_gateway_reaches_nothing() -> None:
    """Its traffic goes nowhere, so it does not leave."""
    snapshot = build_snapshot(
        subnet("public"), table("public", subnets=["public"]), nat("1"), subnet("a"),
        table("private", BY_NAT, subnets=["a"]),
    )  # fmt: skip
    assert statuses(LEAVES, snapshot)["subnet-a"] is Status.PASS


def test_an_endpoint_route_of_a_nat_gateways_subnet_has_no_effect() -> None:
    """The public subnet's route to S3's endpoint is not for what NAT sends."""
    assert statuses(LEAVES, private(TO_DDB, BY_NAT))["subnet-a"] is Status.FAIL


def test_a_private_nat_reaches_no_internet_gateway() -> None:
    """An internet gateway drops what a private NAT sends."""
    snapshot = build_snapshot(
        *PUBLIC, nat("1", public=False), subnet("a"), table("private", BY_NAT, subnets=["a"])
    )
    assert statuses(LEAVES, snapshot)["subnet-a"] is Status.PASS


def test_a_regional_nat_has_its_own_way_out() -> None:
    """It stands in no subnet."""
    snapshot = build_snapshot(nat("1", None), subnet("a"), table("private", BY_NAT, subnets=["a"]))
    assert statuses(LEAVES, snapshot)["subnet-a"] is Status.FAIL


def test_unread_addresses_are_unknown() -> None:
    """Without S3's prefix list, the route of S3 traffic is unknown."""
    snapshot = build_snapshot(
        subnet("a"), table("main", BY_NAT, main=True), prefix_list("pl-s3", name=S3, owner="AWS")
    )
    found = verdicts(LEAVES, snapshot)["subnet-a"]
    assert found.status is Status.UNKNOWN


def test_ipv6_uses_its_own_gateway() -> None:
    """Only in a subnet that speaks it, and only what the service's IPv6 list holds."""
    lists = prefix_list("pl-s3v6", "2600:1fa0::/32", name=f"{S3[:-2]}ipv6.s3", owner="AWS")
    out = route("::/0", "eigw-1")
    tables = table("main", TO_S3, TO_DDB, out, main=True)
    both = build_snapshot(lists, tables, *ENDPOINTS, subnet("a", ipv6="2001:db8::/64"))
    assert statuses(LEAVES, both)["subnet-a"] is Status.FAIL
    assert statuses(LEAVES, build_snapshot(lists, tables, *ENDPOINTS, subnet("a"))) == {
        "subnet-a": Status.PASS
    }


def test_paths_are_a_partition() -> None:
    """S3 by three ways: the endpoint, a detour, a hole; together they are all of S3."""
    snapshot = private(
        TO_S3,
        route("52.218.0.0/18", "nat-1"),
        route("3.5.64.0/22", "tgw-1", origin=RouteOrigin.PROPAGATED),
        route("3.5.68.0/22", "pcx-1", blackhole=True),
    )
    paths = PathFinder(snapshot).find_paths(snapshot.subnets["subnet-a"], snapshot.services[S3])
    assert paths is not None
    assert {path.kind: str(path.addresses) for path in paths} == {
        PathKind.NAT_GATEWAY: "52.218.0.0/18",
        PathKind.TRANSIT_GATEWAY: "3.5.64.0/22",
        PathKind.BLACKHOLE: "3.5.68.0/22",
        PathKind.GATEWAY_ENDPOINT: "52.218.64.0/18",
    }
    whole = AddressSet.of(ip_network(block) for block in S3_BLOCKS)
    assert sum(path.addresses.size for path in paths) == whole.size


# --- a missing route -----------------------------------------------------------------------------


def test_a_route_that_is_there_passes() -> None:
    """In the subnet's own table or in the main one."""
    own = build_snapshot(gateway("s3"), subnet("a"), table("x", TO_S3, subnets=["a"]))
    main = build_snapshot(gateway("s3"), subnet("a"), table("x", TO_S3, main=True))
    assert statuses(LACKS, own) == statuses(LACKS, main) == {"subnet-a": Status.PASS}


def test_a_route_in_another_table_does_not_help() -> None:
    """The main table's route is not the subnet's once it has a table of its own."""
    snapshot = build_snapshot(
        gateway("s3"), subnet("a"), table("main", TO_S3, main=True), table("own", subnets=["a"])
    )
    verdict = verdicts(LACKS, snapshot)["subnet-a"]
    assert verdict.status is Status.FAIL
    assert (
        "uses route table rtb-own, which has no route to the gateway endpoint for s3"
        in verdict.summary
    )
    assert "--vpc-endpoint-id vpce-s3 --add-route-table-ids rtb-own" in verdict_text(verdict)


def test_a_gateway_route_table_has_no_subnets() -> None:
    """A table with an edge association routes what comes in; no subnet follows it."""
    edge = replace(table("edge"), gateway_ids=("igw-1",))
    snapshot = build_snapshot(gateway("s3"), subnet("a"), edge, table("main", TO_S3, main=True))
    assert statuses(LACKS, snapshot) == {"subnet-a": Status.PASS}
    assert statuses(LEAVES, snapshot)["subnet-a"] is Status.PASS


def test_the_main_table_is_named_as_such() -> None:
    """Who never associated a table should learn which one holds."""
    snapshot = build_snapshot(gateway("s3"), subnet("a"), table("main", main=True))
    assert "uses main route table rtb-main" in verdicts(LACKS, snapshot)["subnet-a"].summary


def test_each_missing_service_is_named() -> None:
    """One finding a subnet, with a command for each endpoint."""
    snapshot = build_snapshot(*ENDPOINTS, subnet("a"), table("main", main=True))
    verdict = verdicts(LACKS, snapshot)["subnet-a"]
    assert "dynamodb and s3" in verdict.summary
    assert verdict_text(verdict).count("modify-vpc-endpoint") == len(ENDPOINTS)


def test_without_a_gateway_endpoint_nothing_is_missing() -> None:
    """That is another rule's business."""
    assert statuses(LACKS, build_snapshot(subnet("a"), table("main", main=True))) == {}


def test_an_unknown_table_is_unknown() -> None:
    """A subnet whose route table is not in the snapshot cannot pass."""
    assert statuses(LACKS, build_snapshot(gateway("s3"), subnet("a"))) == {
        "subnet-a": Status.UNKNOWN
    }


# --- blackholes ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hole", "status"),
    [
        (route("pl-s3", "vpce-gone", blackhole=True), Status.FAIL),
        (route("10.9.0.0/16", "vpce-gwlb", blackhole=True), Status.FAIL),
        (route("pl-s3", "pcx-gone", blackhole=True), Status.FAIL),
        (TO_S3, Status.PASS),
    ],
)
def test_endpoint_routes_that_drop(hole: Route, status: Status) -> None:
    """To an endpoint, or for a gateway service's list."""
    snapshot = build_snapshot(subnet("a"), table("main", hole, main=True))
    assert statuses(HOLE, snapshot) == {"rtb-main": status}


def test_a_blackhole_that_concerns_no_endpoint_is_not_ours() -> None:
    """A peering that is gone is no matter of endpoints."""
    hole = route("10.9.0.0/16", "pcx-gone", blackhole=True)
    assert statuses(HOLE, build_snapshot(subnet("a"), table("main", hole, main=True))) == {}


def test_an_unused_blackhole_route_has_low_severity() -> None:
    """Nothing is cut off yet."""
    hole = route("pl-s3", "vpce-gone", blackhole=True)
    used = build_snapshot(subnet("a"), table("main", hole, main=True))
    idle = build_snapshot(subnet("a"), table("main", main=True), table("idle", hole))
    assert verdicts(HOLE, used)["rtb-main"].severity is Severity.HIGH
    assert verdicts(HOLE, idle)["rtb-idle"].severity is Severity.LOW


def test_the_fix_never_deletes_an_endpoints_own_route() -> None:
    """EC2 refuses that, so there is no command: to delete the other route resolves nothing."""
    snapshot = build_snapshot(
        subnet("a"),
        table(
            "main",
            route("pl-s3", "vpce-gone", blackhole=True),
            route("::/0", "vpce-gwlb", blackhole=True),
            main=True,
        ),
    )
    remediation = verdicts(HOLE, snapshot)["rtb-main"].remediation
    assert remediation is not None
    assert (remediation.command, remediation.text) == (
        "",
        "Recreate the endpoint. EC2 manages its route, which no request can delete.",
    )


# --- not transitive ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("pcx-1", Status.FAIL),
        ("tgw-1", Status.FAIL),
        ("vgw-1", Status.FAIL),
        ("vpce-s3", Status.PASS),
        ("nat-1", Status.PASS),
    ],
)
def test_a_service_prefix_list_routed_to_another_network(target: str, status: Status) -> None:
    """Another network's endpoint cannot be used; a NAT is another rule's business."""
    snapshot = build_snapshot(subnet("a"), table("main", route("pl-s3", target), main=True))
    assert statuses(AWAY, snapshot) == {"rtb-main": status}


def test_a_customer_managed_prefix_list_passes() -> None:
    """Only AWS's lists of gateway services are meant."""
    snapshot = build_snapshot(
        prefix_list("pl-own", "10.9.0.0/16"),
        subnet("a"),
        table("main", route("pl-own", "pcx-1"), main=True),
    )
    assert statuses(AWAY, snapshot) == {}


# --- endpoints that no subnet uses ---------------------------------------------------------------


def test_an_endpoint_without_tables_is_unused() -> None:
    """The fix names the tables in use."""
    snapshot = build_snapshot(gateway("s3"), subnet("a"), table("main", main=True))
    verdict = verdicts(UNUSED, snapshot)["vpce-s3"]
    assert verdict.status is Status.FAIL
    assert "associated with no route table" in verdict.summary
    assert "--add-route-table-ids rtb-main" in verdict_text(verdict)


def test_an_endpoint_on_an_idle_table_is_unused() -> None:
    """A route table without a subnet does not make the endpoint used."""
    snapshot = build_snapshot(
        gateway("s3", tables=["idle"]), subnet("a"), table("main", main=True), table("idle")
    )
    assert "rtb-idle only, which no subnet uses" in verdicts(UNUSED, snapshot)["vpce-s3"].summary


def test_an_endpoint_on_a_used_table_passes() -> None:
    """One table that one subnet uses is enough."""
    snapshot = build_snapshot(
        gateway("s3", tables=["main", "idle"]), subnet("a"), table("main", main=True), table("idle")
    )
    assert statuses(UNUSED, snapshot) == {"vpce-s3": Status.PASS}


def test_a_vpc_without_subnets_cannot_use_an_endpoint() -> None:
    """It is not the endpoint's fault."""
    assert statuses(UNUSED, build_snapshot(gateway("s3"))) == {"vpce-s3": Status.NOT_APPLICABLE}


def test_a_deleted_endpoint_is_not_evaluated() -> None:
    """EC2 shows it for a while."""
    assert statuses(UNUSED, build_snapshot(gateway("s3", state="deleted"), subnet("a"))) == {}
