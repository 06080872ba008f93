"""What a change of a network does to its findings and paths."""

from dataclasses import replace
from typing import Any

import pytest

from network_builders import (
    ANYWHERE,
    DYNAMODB,
    KMS,
    S3,
    acl,
    admits,
    allow,
    build_snapshot,
    deny,
    eni,
    gateway,
    group,
    interface,
    nat,
    open_acl,
    route,
    subnet,
    table,
)
from posture.analysis.path_outcome import PathOutcome
from posture.model.baseline import Baseline
from posture.model.network import Facet, Snapshot
from posture.model.verdict import Evidence, Severity, Status, Verdict
from posture.remedies.effect import Effect, compare, compare_verdicts
from posture.rules.contexts import VpcContext

PUBLIC = table("public", route("0.0.0.0/0", "igw-1"), subnets=["public"])
SUBNETS = (subnet("a"), subnet("b", "b", "10.0.1.0/24"), subnet("public", "a", "10.0.9.0/24"))
INTERNET_ONLY = table("private", route("0.0.0.0/0", "nat-1"), subnets=["a", "b"])
WITH_GATEWAY = table(
    "private", route("0.0.0.0/0", "nat-1"), route("pl-s3", "vpce-s3"), subnets=["a", "b"]
)
OPEN = open_acl("open", ["a", "b", "public"])
S3_GATEWAY = gateway("s3", tables=["private"])
KMS_ENDPOINT = interface("kms", network_interface_ids=("eni-a",), subnet_ids=("subnet-a",))
KMS_INTERFACE = eni("a", "a", "10.0.0.10")


def network(*parts: object) -> Snapshot:
    """Build a VPC with a NAT gateway and two private subnets, whose table sends all to it."""
    return build_snapshot(*SUBNETS, PUBLIC, nat("1"), INTERNET_ONLY, OPEN, *parts)


def effect(before: Snapshot, after: Snapshot, baseline: Baseline | None = None) -> Effect:
    """Compare two snapshots by one baseline."""
    return compare(*(VpcContext(each, baseline or Baseline()) for each in (before, after)))


def verdict(rule: str = "r", status: Status = Status.FAIL, **more: Any) -> Verdict:
    """Build a verdict of severity medium on one resource."""
    return replace(Verdict(rule, "vpce-1", status, Severity.MEDIUM, "it is so"), **more)


def lost(found: Effect) -> set[tuple[str, str]]:
    """Return the subnets and services of the cells that are lost."""
    return {(each.subnet_id, each.service) for each in found.lost_cells}


def test_a_network_that_does_not_change_has_no_effect() -> None:
    """Two equal snapshots differ in nothing."""
    found = effect(network(WITH_GATEWAY, S3_GATEWAY), network(WITH_GATEWAY, S3_GATEWAY))
    assert found == Effect()
    assert not found.is_worse


def test_endpoints_with_their_routes_resolve_findings_and_make_paths_private() -> None:
    """What resolves and the cell that changes are both listed."""
    routes = (*WITH_GATEWAY.routes, route("pl-ddb", "vpce-ddb"))
    both = S3_GATEWAY, gateway("ddb", DYNAMODB, tables=["private"])
    found = effect(network(), network(replace(WITH_GATEWAY, routes=routes), *both))
    resolved = {(each.rule, each.resource) for each in found.resolved}
    assert ("gateway-service-bypasses-endpoint", "subnet-a") in resolved
    assert ("nat-gateway-charges-avoidable", "nat-1") in resolved
    moved = {(each.subnet_id, each.service): each for each in found.cells}
    change = moved["subnet-a", S3]
    assert change.before is not None
    assert change.after is not None
    assert change.before.outcome is PathOutcome.INTERNET
    assert change.after.outcome is PathOutcome.PRIVATE
    assert not lost(found)


def test_a_finding_that_becomes_more_severe_is_worsened() -> None:
    """A bypass is worse once there is an endpoint to bypass."""
    found = effect(network(), network(WITH_GATEWAY, S3_GATEWAY))
    worse = {(each.after.rule, each.after.resource): each for each in found.worsened}
    change = worse["gateway-service-bypasses-endpoint", "subnet-public"]
    assert (change.before.severity, change.after.severity) == (Severity.MEDIUM, Severity.HIGH)


def test_a_finding_about_what_the_change_creates_opens() -> None:
    """A new endpoint has findings of its own."""
    open_to_all = replace(S3_GATEWAY, policy=None)
    found = effect(network(), network(WITH_GATEWAY, open_to_all))
    opened = {(each.rule, each.resource, each.status) for each in found.opened}
    assert ("endpoint-policy-allows-full-access", "vpce-s3", Status.UNKNOWN) in opened
    assert found.is_worse


def test_a_deleted_route_is_a_lost_cell_and_opens_findings() -> None:
    """Traffic that leaves the endpoint for the internet is lost."""
    found = effect(
        network(WITH_GATEWAY, S3_GATEWAY),
        network(INTERNET_ONLY, replace(S3_GATEWAY, route_table_ids=())),
    )
    assert lost(found) == {
        ("subnet-a", S3), ("subnet-b", S3),
    }  # fmt: skip
    assert found.opened
    assert found.is_worse


def test_a_group_that_admits_one_subnet_only_loses_the_others() -> None:
    """With private DNS, the names no longer resolve to the internet."""
    narrow = group("endpoints", admits("10.0.0.0/24"))
    found = effect(network(), network(KMS_ENDPOINT, KMS_INTERFACE, narrow))
    assert ("subnet-b", KMS) in lost(found)
    assert ("subnet-a", KMS) not in lost(found)


def test_a_revoked_rule_is_lost_to_those_whom_it_admitted() -> None:
    """A finding may resolve because nothing passes any more."""
    everyone = group("endpoints", admits("0.0.0.0/0"))
    found = effect(
        network(KMS_ENDPOINT, KMS_INTERFACE, everyone),
        network(KMS_ENDPOINT, KMS_INTERFACE, group("endpoints")),
    )
    assert lost(found) == {(each.id, KMS) for each in SUBNETS}


def test_a_rule_that_still_admits_the_vpc_loses_nothing() -> None:
    """Less is open, but nobody in the VPC notices."""
    found = effect(
        network(KMS_ENDPOINT, KMS_INTERFACE, group("endpoints", admits("0.0.0.0/0"))),
        network(KMS_ENDPOINT, KMS_INTERFACE, group("endpoints", admits("10.0.0.0/16"))),
    )
    assert not lost(found)
    assert [each.rule for each in found.resolved] == ["endpoint-security-group-open"]
    assert not found.is_worse


def test_fewer_client_groups_or_subnets_are_less_even_where_the_outcome_is_the_same() -> None:
    """Not the outcome alone, but who is admitted counts."""

    def admitting(*peers: str) -> Snapshot:
        groups = [group(each, egress=ANYWHERE) for each in ("web", "batch")]
        return network(
            KMS_ENDPOINT, KMS_INTERFACE, *groups, group("endpoints", *map(admits, peers))
        )

    fewer = effect(admitting("sg-web", "sg-batch"), admitting("sg-web"))
    assert ("subnet-a", KMS) in lost(fewer)
    assert not lost(effect(admitting("sg-web"), admitting("sg-web", "sg-batch")))
    half = effect(admitting("10.0.1.0/25"), admitting("10.0.1.0/26"))
    assert ("subnet-b", KMS) in lost(half)


def test_part_of_a_service_that_is_no_longer_private_is_lost() -> None:
    """An outcome of partly may be more or less than before."""

    def with_route(*more: str) -> Snapshot:
        routes = (*WITH_GATEWAY.routes, *(route(each, "nat-1") for each in more))
        return network(replace(WITH_GATEWAY, routes=routes), S3_GATEWAY)

    part = with_route("52.218.0.0/18")
    assert ("subnet-a", S3) in lost(effect(part, with_route("52.218.0.0/17")))
    assert not lost(effect(with_route("52.218.0.0/17"), part))


def test_an_acl_that_stops_what_passed_is_a_loss() -> None:
    """A part of the service's addresses is enough."""
    passing = acl("x", allow(100), allow(100, egress=True), subnets=["a", "b"])
    stopping = acl(
        "x", allow(100), deny(90, "3.5.64.0/21", egress=True), allow(100, egress=True),
        subnets=["a", "b"],
    )  # fmt: skip
    base = WITH_GATEWAY, S3_GATEWAY
    found = effect(network(*base, passing), network(*base, stopping))
    assert ("subnet-a", S3) in lost(found)
    assert not lost(effect(network(*base, stopping), network(*base, passing)))


def test_a_subnet_that_has_no_route_any_more_is_named_with_the_addresses() -> None:
    """Addresses that are no service's have no cell."""
    bare = table("private", subnets=["a", "b"])
    found = effect(network(), network(bare))
    assert [each.subnet_id for each in found.lost_routes] == ["subnet-a", "subnet-b"]
    assert (
        "198.51.100.0/24" in {str(each) for each in found.lost_routes[0].addresses.networks()}
        or found.lost_routes[0].addresses.size > 2**31
    )
    narrowed = table("private", route("0.0.0.0/1", "nat-1"), subnets=["a", "b"])
    (first, _) = effect(network(), network(narrowed)).lost_routes
    assert str(first.addresses).startswith("128.0.0.0/")


def test_a_blackhole_is_a_lost_route_and_a_peering_is_not() -> None:
    """Another network may forward the traffic."""
    dead = table("private", route("0.0.0.0/0", "nat-1", blackhole=True), subnets=["a", "b"])
    assert effect(network(), network(dead)).lost_routes
    other = table("private", route("0.0.0.0/0", "tgw-1"), subnets=["a", "b"])
    assert not effect(network(), network(other)).lost_routes


def test_what_becomes_unknown_counts_as_lost_and_what_was_unknown_does_not() -> None:
    """An unread interface may be one that is blocked."""
    known = network(KMS_ENDPOINT, KMS_INTERFACE)
    unknown = network(
        replace(KMS_ENDPOINT, network_interface_ids=("eni-a", "eni-gone")), KMS_INTERFACE
    )
    assert ("subnet-a", KMS) in lost(effect(known, unknown))
    assert not lost(effect(unknown, known))


def test_an_unreadable_facet_is_not_an_effect() -> None:
    """It is unreadable before and after."""
    parts = WITH_GATEWAY, S3_GATEWAY
    unread = replace(network(*parts), unreadable={Facet.NAT_GATEWAYS: "denied"})
    assert effect(unread, unread) == Effect()


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (Status.PASS, Status.FAIL, "opened"),
        (Status.NOT_APPLICABLE, Status.FAIL, "opened"),
        (Status.PASS, Status.UNKNOWN, "opened"),
        (Status.FAIL, Status.PASS, "resolved"),
        (Status.UNKNOWN, Status.NOT_APPLICABLE, "resolved"),
        (Status.UNKNOWN, Status.FAIL, "worsened"),
        (Status.FAIL, Status.UNKNOWN, "changed"),
        (Status.FAIL, Status.FAIL, ""),
        (Status.PASS, Status.NOT_APPLICABLE, ""),
    ],
)
def test_a_status_is_compared_with_the_one_before(
    before: Status, after: Status, expected: str
) -> None:
    """A status that stays bad is never resolved."""
    found = compare_verdicts([verdict(status=before)], [verdict(status=after)])
    kinds = {
        "opened": found.opened,
        "resolved": found.resolved,
        "worsened": found.worsened,
        "changed": tuple(each for each in found.changed if not each.is_worse),
    }
    assert {name for name, members in kinds.items() if members} == ({expected} - {""})


def test_a_higher_severity_is_worse_and_a_lower_one_is_not() -> None:
    """The severity of a finding may depend on the network."""
    low, high = (verdict(severity=each) for each in (Severity.LOW, Severity.HIGH))
    assert compare_verdicts([low], [high]).worsened
    assert compare_verdicts([low], [high]).is_worse
    assert not compare_verdicts([high], [low]).is_worse


@pytest.mark.parametrize(
    ("rule", "worse"),
    [("endpoint-unreachable-from-subnet", True), ("endpoint-security-group-open", False)],
)
def test_more_evidence_is_worse_where_each_is_traffic_that_stops(rule: str, *, worse: bool) -> None:
    """Another subnet that does not reach the endpoint, of a finding that was there before."""
    one, other = Evidence("a"), Evidence("b")
    before, after = verdict(rule, evidence=(one,)), verdict(rule, evidence=(one, other))
    assert compare_verdicts([before], [after]).is_worse is worse
    assert not compare_verdicts([after], [before]).is_worse


def test_of_several_verdicts_on_one_resource_the_worst_counts() -> None:
    """They are one finding."""
    passing, failing = verdict(status=Status.PASS), verdict()
    assert not compare_verdicts([failing], [passing, failing]).resolved
    assert not compare_verdicts([passing, failing], [failing]).opened


def test_the_most_severe_finding_comes_first() -> None:
    """A reader may see the first few only."""
    severities = (Severity.LOW, Severity.CRITICAL, Severity.HIGH)
    after = [verdict(f"r{at}", severity=each) for at, each in enumerate(severities)]
    found = compare_verdicts([], after)
    assert [each.severity for each in found.opened] == [
        Severity.CRITICAL, Severity.HIGH, Severity.LOW,
    ]  # fmt: skip


def test_a_finding_of_a_resource_that_is_gone_is_resolved() -> None:
    """A deleted endpoint has no findings."""
    found = compare_verdicts([verdict()], [])
    assert [each.rule for each in found.resolved] == ["r"]
