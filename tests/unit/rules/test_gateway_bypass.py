"""S3 and DynamoDB traffic that bypasses gateway endpoints, and shadowed endpoint routes."""

from dataclasses import replace
from ipaddress import IPv6Network
from typing import Any

import pytest

from network_builders import (
    DYNAMODB,
    S3,
    VPC,
    acl,
    allow,
    build_snapshot,
    cell,
    deny,
    gateway,
    interface,
    nat,
    prefix_list,
    route,
    service,
    statuses,
    subnet,
    table,
    verdict_text,
    verdicts,
)
from posture.analysis.path_outcome import PathOutcome
from posture.model.baseline import Baseline
from posture.model.network import (
    AclEntry,
    Endpoint,
    EndpointType,
    Route,
    RouteOrigin,
    Snapshot,
    Subnet,
)
from posture.model.verdict import Severity, Status

BYPASSES = "gateway-service-bypasses-endpoint"
ELSEWHERE = "gateway-service-uses-other-network"
SHADOWED = "gateway-endpoint-route-shadowed"

S3EXPRESS = "com.amazonaws.eu-west-1.s3express"

TO_S3, TO_DDB = route("pl-s3", "vpce-s3"), route("pl-ddb", "vpce-ddb")
ENDPOINTS = (gateway("s3", S3, ["main"]), gateway("ddb", DYNAMODB, ["main"]))


def vpc(*routes: Route, **more: object) -> Snapshot:
    """Build a VPC with both gateway endpoints and one subnet with these routes."""
    return build_snapshot(
        *ENDPOINTS, nat("1", None), subnet("a"), table("main", *routes, main=True), *more.values()
    )


# --- names ---------------------------------------------------------------------------------------


def test_traffic_through_an_interface_endpoint_passes() -> None:
    """S3's DNS names resolve to the endpoint, whatever the routes to public addresses are."""
    by_nat = route("0.0.0.0/0", "nat-1")
    lacking = build_snapshot(nat("1", None), subnet("a"), table("main", TO_DDB, by_nat, main=True),
                      gateway("ddb", DYNAMODB))  # fmt: skip
    assert statuses(BYPASSES, lacking)["subnet-a"] is Status.FAIL
    taken = build_snapshot(nat("1", None), subnet("a"), table("main", TO_DDB, by_nat, main=True),
                    gateway("ddb", DYNAMODB), interface("x", S3))  # fmt: skip
    assert statuses(BYPASSES, taken)["subnet-a"] is Status.PASS


def test_unknown_dns_resolution_is_unknown() -> None:
    """With S3's interface endpoint and unread DNS attributes, both paths are possible."""
    by_nat = route("0.0.0.0/0", "nat-1")
    snapshot = build_snapshot(nat("1", None), subnet("a"), table("main", TO_DDB, by_nat, main=True),
                       gateway("ddb", DYNAMODB), interface("x", S3, private_dns=None))  # fmt: skip
    assert statuses(BYPASSES, snapshot)["subnet-a"] is Status.UNKNOWN


def test_each_service_is_reported_with_its_endpoint() -> None:
    """One service bypasses its endpoint, the other has none."""
    snapshot = build_snapshot(
        gateway("s3", S3, ["main"]), nat("1", None), subnet("a"),
        table(
            "main",
            TO_S3,
            route("52.218.0.0/18", "nat-1"),
            route("0.0.0.0/0", "nat-1"),
            main=True,
        ),
    )  # fmt: skip
    assert verdicts(BYPASSES, snapshot)["subnet-a"].summary == (
        "subnet-a sends some s3 traffic over the internet (NAT gateway), bypassing vpce-s3; "
        "and all dynamodb traffic over the internet (NAT gateway); a gateway endpoint is "
        "available at no charge"
    )


def roots(snapshot: Snapshot, *rules: str) -> set[str]:
    """Return the root causes that these rules find."""
    return {each.root for rule in rules for each in verdicts(rule, snapshot).values()}


def by_nat(*parts: Endpoint) -> Snapshot:
    """Build three subnets of one route table with a default route to a NAT gateway."""
    many = [subnet(name) for name in "abc"]
    return build_snapshot(
        *many, nat("1", None), *parts, table("main", route("0.0.0.0/0", "nat-1"), main=True)
    )


def test_subnets_of_one_route_table_share_the_root_cause() -> None:
    """For all subnets and all rules."""
    both = BYPASSES, "subnet-without-gateway-endpoint-route"
    assert roots(by_nat(gateway("s3")), *both) == {
        "route table rtb-main has no route to the gateway endpoint for s3"
    }
    ddb = gateway("ddb", DYNAMODB)
    assert roots(by_nat(gateway("s3"), ddb), *both) == {
        "route table rtb-main has no route to the gateway endpoint for dynamodb and s3"
    }


def test_a_vpc_without_endpoints_is_one_root_cause() -> None:
    """Whatever route tables it has."""
    assert roots(by_nat(), BYPASSES) == {"vpc-1 has no gateway endpoint for dynamodb and s3"}


def test_a_bypass_and_its_shadowed_route_have_one_root_cause() -> None:
    """The findings of the subnet and the route table are about the same route."""
    specific = route("52.218.0.0/18", "nat-1"), route("52.218.64.0/18", "nat-1")
    (root,) = roots(vpc(TO_S3, TO_DDB, *specific), BYPASSES, SHADOWED)
    past = "52.218.0.0/18 and 52.218.64.0/18"
    assert root == f"routes in route table rtb-main bypass the gateway endpoint ({past})"


# --- other networks ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("tgw-1", Status.FAIL),
        ("pcx-1", Status.FAIL),
        ("vgw-1", Status.FAIL),
        ("core-1", Status.FAIL),
        ("lgw-1", Status.FAIL),
        ("nat-1", Status.PASS),
        ("igw-1", Status.PASS),
        ("eni-1", Status.UNKNOWN),
    ],
)
def test_a_default_route_into_another_network(target: str, status: Status) -> None:
    """Without an endpoint's route S3 goes there, where no gateway endpoint can be used."""
    snapshot = build_snapshot(
        nat("1", None), subnet("a"), table("main", route("0.0.0.0/0", target), main=True)
    )
    verdict = verdicts(ELSEWHERE, snapshot)["subnet-a"]
    assert verdict.status is status
    if status is Status.FAIL:
        assert verdict.severity is Severity.LOW
        assert (
            f"all dynamodb traffic and all s3 traffic to another network through {target}"
            in verdict.summary
        )
        assert "create-vpc-endpoint" in verdict_text(verdict)


def test_endpoint_routes_take_precedence_over_a_default_route() -> None:
    """A default route to a transit gateway does not matter."""
    snapshot = vpc(TO_S3, TO_DDB, route("0.0.0.0/0", "tgw-1"))
    assert statuses(ELSEWHERE, snapshot) == {"subnet-a": Status.PASS}


def test_a_partly_bypassed_endpoint_is_more_severe() -> None:
    """A propagated route is more specific."""
    stolen = route("52.218.0.0/18", "vgw-1", origin=RouteOrigin.PROPAGATED)
    verdict = verdicts(ELSEWHERE, vpc(TO_S3, TO_DDB, stolen))["subnet-a"]
    assert verdict.severity is Severity.MEDIUM
    assert "some s3 traffic to another network through vgw-1, bypassing vpce-s3" in verdict.summary


def test_a_private_nat_gateway_before_a_transit_gateway() -> None:
    """The NAT gateway's own route decides."""
    snapshot = build_snapshot(
        subnet("hop"), table("hop", route("0.0.0.0/0", "tgw-1"), subnets=["hop"]),
        nat("1", "hop", public=False), subnet("a"),
        table("main", route("0.0.0.0/0", "nat-1"), main=True),
    )  # fmt: skip
    assert statuses(ELSEWHERE, snapshot)["subnet-a"] is Status.FAIL


# --- shadowed ------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["nat-1", "igw-1", "tgw-1", "pcx-1", "eni-1", "vpce-ddb"])
def test_any_more_specific_route_shadows(target: str) -> None:
    """Whatever its target; the evidence names both routes and the addresses."""
    verdict = verdicts(SHADOWED, vpc(TO_S3, TO_DDB, route("52.218.0.0/18", target)))["rtb-main"]
    assert verdict.status is Status.FAIL
    assert "s3 traffic (52.218.0.0/18)" in verdict.summary
    assert "Route table rtb-main routes pl-s3 to vpce-s3." in verdict_text(verdict)
    assert (
        "aws ec2 delete-route --route-table-id rtb-main --destination-cidr-block 52.218.0.0/18"
        in verdict_text(verdict)
    )


def test_a_blackhole_route_shadows() -> None:
    """Traffic that matches it is dropped."""
    hole = route("52.218.0.0/18", "pcx-gone", blackhole=True)
    assert statuses(SHADOWED, vpc(TO_S3, hole)) == {"rtb-main": Status.FAIL}


def test_an_equal_static_route_shadows_the_prefix_list() -> None:
    """Static routes take precedence over prefix lists of the same length."""
    verdict = verdicts(SHADOWED, vpc(TO_S3, route("52.218.0.0/17", "nat-1")))["rtb-main"]
    assert "s3 traffic (52.218.0.0/17)" in verdict.summary


@pytest.mark.parametrize(
    "harmless",
    [
        route("0.0.0.0/0", "nat-1"),
        route("52.0.0.0/8", "nat-1"),
        route("52.218.0.0/17", "vgw-1", origin=RouteOrigin.PROPAGATED),
        route("198.51.100.0/24", "nat-1"),
    ],
    ids=["default", "wider", "equal and propagated", "elsewhere"],
)
def test_what_does_not_shadow(harmless: Route) -> None:
    """Less specific, behind in priority, or about other addresses."""
    assert statuses(SHADOWED, vpc(TO_S3, harmless)) == {"rtb-main": Status.PASS}


def test_a_customer_managed_prefix_list_can_shadow() -> None:
    """Its entries are evaluated like routes."""
    own = prefix_list("pl-own", "52.218.0.0/18")
    snapshot = build_snapshot(
        *ENDPOINTS, own, subnet("a"), table("main", TO_S3, route("pl-own", "nat-1"), main=True)
    )
    assert statuses(SHADOWED, snapshot) == {"rtb-main": Status.FAIL}


def test_a_wider_list_is_not_to_be_deleted() -> None:
    """The command is only for routes that carry nothing else."""
    own = prefix_list("pl-own", "52.218.0.0/18", "10.9.0.0/16")
    snapshot = build_snapshot(
        *ENDPOINTS, own, subnet("a"), table("main", TO_S3, route("pl-own", "nat-1"), main=True)
    )
    assert "delete-route" not in verdict_text(verdicts(SHADOWED, snapshot)["rtb-main"])


def test_two_equal_lists_are_unknown() -> None:
    """AWS does not document which one it selects."""
    own = prefix_list("pl-own", "52.218.0.0/17")
    snapshot = build_snapshot(
        *ENDPOINTS, own, subnet("a"), table("main", TO_S3, route("pl-own", "nat-1"), main=True)
    )
    assert statuses(SHADOWED, snapshot) == {"rtb-main": Status.UNKNOWN}


def test_an_unread_list_is_unknown() -> None:
    """It may take any part."""
    snapshot = build_snapshot(
        *ENDPOINTS, subnet("a"), table("main", TO_S3, route("pl-secret", "nat-1"), main=True)
    )
    assert statuses(SHADOWED, snapshot) == {"rtb-main": Status.UNKNOWN}


def test_an_unused_route_table_has_low_severity() -> None:
    """No traffic is affected yet."""
    idle = table("idle", TO_S3, route("52.218.0.0/18", "nat-1"))
    snapshot = build_snapshot(*ENDPOINTS, subnet("a"), table("main", main=True), idle)
    assert verdicts(SHADOWED, snapshot)["rtb-idle"].severity is Severity.LOW


def test_a_route_table_without_endpoint_route_is_not_evaluated() -> None:
    """There is no endpoint route to shadow."""
    assert statuses(SHADOWED, vpc(route("52.218.0.0/18", "nat-1"))) == {}


# --- which services concern a VPC ----------------------------------------------------------------

EXPRESS = (
    service(S3EXPRESS, EndpointType.GATEWAY),
    prefix_list("pl-express", "18.34.32.0/22", name=S3EXPRESS, owner="AWS"),
)


@pytest.mark.parametrize(
    ("used", "baseline", "status"),
    [
        ((), Baseline(), Status.PASS),
        ((), Baseline(required_services=("s3express",)), Status.FAIL),
        ((gateway("x", S3EXPRESS),), Baseline(), Status.FAIL),
        ((table("other", route("pl-express", "nat-1")),), Baseline(), Status.FAIL),
    ],
)
def test_a_gateway_service_that_few_use_concerns_vpcs_that_use_it(
    used: tuple[Any, ...], baseline: Baseline, status: Status
) -> None:
    """Every VPC uses S3 and DynamoDB, but a directory bucket is a choice."""
    snapshot = vpc(TO_S3, TO_DDB, route("0.0.0.0/0", "nat-1"), a=EXPRESS[0], b=EXPRESS[1],
                   **{f"part{number}": each for number, each in enumerate(used)})  # fmt: skip
    assert statuses(BYPASSES, snapshot, baseline)["subnet-a"] is status


# --- IPv6 ----------------------------------------------------------------------------------------

IPV6_LIST = prefix_list(
    "pl-ipv6", "2a05:d07a:8000::/40", name="com.amazonaws.eu-west-1.ipv6.s3", owner="AWS"
)
IPV6_SUBNET = Subnet("subnet-6", VPC.id, "eu-west-1a", None, (IPv6Network("2a05:d018:1:1::/64"),))


@pytest.mark.parametrize("kind", ["ipv4", None])
def test_ipv6_traffic_past_an_ipv4_endpoint_needs_a_dual_stack_endpoint(kind: str | None) -> None:
    """No route is more specific than the endpoint's, so none is to be deleted."""
    snapshot = build_snapshot(
        gateway("s3", S3, ["main"], ip_address_type=kind), ENDPOINTS[1], IPV6_LIST, IPV6_SUBNET,
        table("main", TO_S3, TO_DDB, route("::/0", "igw-1"), main=True),
    )  # fmt: skip
    verdict = verdicts(BYPASSES, snapshot)["subnet-6"]
    assert verdict.remediation
    assert "dualstack" in verdict.remediation.text
    assert "--vpc-endpoint-id vpce-s3 --ip-address-type dualstack" in verdict.remediation.command
    assert "delete-route" not in verdict.remediation.command


def test_a_created_endpoint_carries_the_ipv6_traffic_that_it_is_created_for() -> None:
    """An IPv4 endpoint would leave the finding open."""
    snapshot = build_snapshot(
        ENDPOINTS[1], IPV6_LIST, IPV6_SUBNET,
        table("main", TO_DDB, route("::/0", "igw-1"), main=True),
    )  # fmt: skip
    text = verdict_text(verdicts(BYPASSES, snapshot)["subnet-6"])
    assert "--route-table-ids rtb-main --ip-address-type dualstack" in text


# --- network ACLs --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outbound", "stopped"),
    [
        ([allow(100, "10.0.0.0/16")], True),
        ([deny(50, protocol="6"), allow(100)], True),
        ([deny(50, protocol="6", from_port=443, to_port=443), allow(100)], False),
        ([deny(50, "52.218.0.0/24"), allow(100)], False),
        ([allow(100)], False),
    ],
    ids=["inside only", "no TCP", "HTTP remains", "a part of S3", "all"],
)
def test_traffic_that_the_network_acl_stops_does_not_leave(
    outbound: list[AclEntry], stopped: bool
) -> None:
    """Whatever the routes; S3 and DynamoDB answer on HTTP as well.

    https://docs.aws.amazon.com/vpc/latest/userguide/nacl-basics.html
    """
    entries = (replace(each, egress=True) for each in outbound)
    guard = acl("1", allow(100), *entries, subnets=["a"])
    by_nat = table("main", route("0.0.0.0/0", "nat-1"), main=True)
    snapshot = build_snapshot(nat("1", None), subnet("a"), by_nat, guard)
    expected = Status.PASS if stopped else Status.FAIL
    verdict = verdicts(BYPASSES, snapshot)["subnet-a"]
    assert verdict.status is expected
    assert "acl-1" in verdict.concerns
    assert statuses("nat-gateway-charges-avoidable", snapshot)["nat-1"] is expected
    assert "acl-1" not in statuses("gateway-endpoint-blocked-by-network-acl", snapshot)
    outcome = PathOutcome.BLOCKED if stopped else PathOutcome.INTERNET
    assert cell(snapshot, "a", S3).outcome is outcome


def test_what_is_left_of_traffic_whose_endpoint_part_is_stopped_decides() -> None:
    """The ACL stops what is routed to the endpoint; the rest leaves through the NAT gateway."""
    guard = acl("1", allow(100), allow(100, "52.218.0.0/24", egress=True), subnets=["a"])
    routes = TO_S3, route("52.218.0.0/24", "nat-1")
    found = cell(vpc(*routes, guard=guard), "a", S3)
    assert found.outcome is PathOutcome.INTERNET
    assert "blocks traffic to the service" not in found.summary
