"""The snapshot digest: the same for the same findings, another for all else."""

from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from functools import partial
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from network_builders import (
    NOW,
    OWN_ONLY,
    VPC,
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
    route,
    subnet,
    table,
)
from network_strategies import UNTIL_LATER, snapshots
from posture.lifecycle.diff import apply_transitions, find_transitions
from posture.lifecycle.snapshot_digest import digest_snapshot, is_same_day
from posture.lifecycle.waiving import Waivers
from posture.model.baseline import Baseline
from posture.model.endpoint_service import Connection, EndpointServiceSnapshot, ServiceFacet
from posture.model.finding import Finding
from posture.model.network import (
    Facet,
    GroupReference,
    SecurityGroupRule,
    Snapshot,
)
from posture.model.scope import Scope
from posture.model.verdict import Verdict
from posture.model.waiver import Waiver
from posture.rules.engine import evaluate_vpc

WAIVER = Waiver(
    id="w-1",
    rule="gateway-service-bypasses-endpoint",
    resource="*",
    scope="*",
    reason="second route follows",
    ticket="SEC-1",
    requested_by="arn:aws:iam::111122223333:user/alice",
    requested_at=NOW - timedelta(days=1),
    expires_at=NOW + timedelta(minutes=7),
    approved_by="arn:aws:iam::111122223333:user/bob",
    approved_at=NOW - timedelta(hours=1),
    revoked_by="arn:aws:iam::111122223333:user/carol",
    revoked_at=NOW + timedelta(minutes=5),
)
REQUIRED = Baseline(
    required_services=("kms", "s3"),
    trusted_accounts=frozenset({"111122223333"}),
    trusted_organizations=frozenset({"o-a1b2c3d4e5"}),
    allowed_endpoint_services=frozenset({"444455556666"}),
    allowed_regions=frozenset({"eu-central-1"}),
    allowed_actions=frozenset({"s3:Get*"}),
    aws_owned_resources=("ecr",),
    exempt_reason="none",
)
# Every field of every part has a value, so that each can be given another.
FULL = build_snapshot(
    subnet("a", ipv6="2001:db8::/64"),
    table("main", route("pl-s3", "vpce-s3"), route("0.0.0.0/0", "igw-1"), main=True),
    replace(
        table("edge", route("::/0", "eigw-1"), subnets=["a"]),
        gateway_ids=("igw-1",),
        associations={"rtbassoc-1": "subnet-a"},
        propagating_gateway_ids=("vgw-1",),
    ),
    gateway("s3", tables=["main"], last_error="none", service_region="eu-west-1"),
    interface(
        "kms",
        network_interface_ids=("eni-1",),
        ip_address_type="dualstack",
        dns_record_ip_type="ipv4",
        private_dns_only_for_inbound_resolver=True,
        dns_names=("kms.eu-west-1.amazonaws.com",),
    ),
    group("endpoints", admits("10.0.0.0/16"), admits("pl-own")),
    replace(
        group("clients"),
        egress=(
            SecurityGroupRule("tcp", 443, 443, group=GroupReference("sg-1", "vpc-2", "pcx-1")),
        ),
    ),
    replace(
        acl("all", allow(1, "0.0.0.0/0"), deny(2, "::/0", egress=True), subnets="a"),
        associations={"aclassoc-1": "subnet-a"},
    ),
    nat("1"),
    eni("1", "a", "10.0.0.9", "2001:db8::9"),
    vpc=replace(
        VPC, ipv6_cidrs=(IPv6Network("2001:db8::/56"),), dns_hostnames=True, tags={"env": "prod"}
    ),
    unreadable={Facet.SERVICES: "denied"},
)
SERVICE = EndpointServiceSnapshot(
    Scope("111122223333", "eu-west-1", "vpce-svc-1"),
    NOW,
    name="com.amazonaws.vpce.eu-west-1.vpce-svc-1",
    state="available",
    acceptance_required=True,
    private_dns_name="db.example.com",
    private_dns_state="verified",
    principals=("*", "arn:aws:iam::444455556666:root"),
    connections=(Connection("vpce-1", "444455556666", "available", NOW),),
    tags={"k": "v"},
    unreadable={ServiceFacet.PERMISSIONS: "denied"},
)


def waivers(
    snapshot: Snapshot | EndpointServiceSnapshot,
    *listed: Waiver,
    baseline: Baseline = REQUIRED,
) -> Waivers:
    """Return the waivers as they apply to the snapshot's scope at its time."""
    return Waivers(snapshot.scope, snapshot.observed_at, listed, baseline)


def digest(snapshot: Snapshot | EndpointServiceSnapshot, *listed: Waiver) -> str:
    """Return the digest of a snapshot with the baseline of these tests."""
    return digest_snapshot(snapshot, waivers(snapshot, *listed))


def otherwise(value: Any) -> Iterator[tuple[Any, str]]:  # noqa: C901, PLR0912 - a case a type
    """Return variants of the value with one difference each, and the name of the difference."""
    match value:
        case None:
            yield "known", "was unknown"
        case bool():
            yield not value, "flag"
        case Enum():
            yield from ((each, "choice") for each in type(value) if each is not value)
        case str():
            yield f"{value}1", "text"
        case int():
            yield value + 1, "number"
        case datetime():
            yield value + timedelta(seconds=1), "time"
        case IPv4Network() | IPv6Network():
            yield ip_network(f"{value.network_address + 2**16}/{value.max_prefixlen}"), "block"
        case IPv4Address() | IPv6Address():
            yield value + 1, "address"
        case tuple():
            yield (*value, value[0] if value else "more"), "one more"
            for place, item in enumerate(value):
                yield value[:place] + value[place + 1 :], "one less"
                for other, what in otherwise(item):
                    yield (*value[:place], other, *value[place + 1 :]), what
        case frozenset():
            yield value | {"more"}, "one more"
            yield from ((value - {each}, "one less") for each in value)
        case dict():
            yield from _mapping_otherwise(value)
        case _:
            for each in fields(value):
                for other, what in otherwise(getattr(value, each.name)):
                    changed = replace(value, **{each.name: other})
                    yield changed, f"{type(value).__name__}.{each.name}: {what}"


def _mapping_otherwise(value: dict[Any, Any]) -> Iterator[tuple[Any, str]]:
    yield {**value, "more": next(iter(value.values()), "more")}, "one more"
    for key, item in value.items():
        without = {name: each for name, each in value.items() if name != key}
        yield without, "one less"
        yield {**without, "renamed": item}, "renamed"
        for other, what in otherwise(item):
            yield {**value, key: other}, what


def parts_of(value: Any) -> Iterator[type]:
    """Return the kind of every dataclass in a value."""
    if is_dataclass(value):
        yield type(value)
        for each in fields(value):
            yield from parts_of(getattr(value, each.name))
    elif isinstance(value, dict):
        for item in value.values():
            yield from parts_of(item)
    elif isinstance(value, (tuple, frozenset)):
        for item in value:
            yield from parts_of(item)


@pytest.mark.parametrize("snapshot", [FULL, SERVICE], ids=["vpc", "service"])
def test_no_fact_changes_without_the_digest(snapshot: Any) -> None:
    """A difference in any single fact changes the digest."""
    known, covered = digest(snapshot), set()
    for changed, what in otherwise(snapshot):
        if changed.observed_at == snapshot.observed_at:
            assert digest(changed) != known, what
            covered.add(what)
    for kind in set(parts_of(snapshot)):
        for each in fields(kind):
            named = any(f"{kind.__name__}.{each.name}: " in what for what in covered)
            assert named or each.name == "observed_at", f"{kind.__name__}.{each.name} stays as is"


def test_no_requirement_changes_without_the_digest() -> None:
    """A difference in the scope's baseline changes the digest."""
    known = digest(FULL)
    for changed, what in otherwise(REQUIRED):
        assert digest_snapshot(FULL, waivers(FULL, baseline=changed)) != known, what


def test_another_version_changes_the_digest() -> None:
    """An evaluation by older code does not stand for one by newer code."""
    listed = waivers(FULL)
    assert digest_snapshot(FULL, listed, "1") != digest_snapshot(FULL, listed, "2")


@pytest.mark.parametrize(
    ("waiver", "minutes", "same"),
    [
        (WAIVER, (0, 4.9), True),
        (WAIVER, (4.9, 5), False),
        (replace(WAIVER, revoked_at=None), (6.9, 7), False),
        (replace(WAIVER, revoked_at=None), (7, 20), True),
        (replace(WAIVER, approved_at=NOW + timedelta(minutes=1)), (0.9, 1), False),
        (replace(WAIVER, approved_at=None), (0, 20), True),
        (replace(WAIVER, scope="444455556666/*"), (0, 20), True),
    ],
)
def test_a_waiver_counts_while_it_holds(
    waiver: Waiver, minutes: tuple[float, float], same: bool
) -> None:
    """It begins, is revoked and expires by the minute, where it speaks of the scope at all."""
    old = replace(FULL, endpoints={})
    before, after = (
        digest(replace(old, observed_at=NOW + timedelta(minutes=each)), waiver) for each in minutes
    )
    assert (before == after) is same


def test_a_changed_waiver_changes_the_digest() -> None:
    """Its rule and resources decide what it covers; one that is not in force covers nothing."""
    holding = replace(WAIVER, revoked_at=None)
    assert digest(FULL, holding) != digest(FULL)
    assert digest(FULL, holding) != digest(FULL, replace(holding, resource="subnet-a"))
    assert digest(FULL, holding) != digest(FULL, replace(holding, rule="other"))
    assert digest(FULL, replace(WAIVER, approved_at=None)) == digest(FULL)


def test_an_endpoint_on_its_way_counts_until_its_grace_is_over() -> None:
    """The digest changes when the grace period of a pending endpoint ends."""
    new = replace(FULL, endpoints={"vpce-1": gateway("1", created_at=NOW, state="pending")})
    in_time, late = (
        digest(replace(new, observed_at=NOW + timedelta(minutes=each))) for each in (15, 15.1)
    )
    assert in_time != late
    assert digest(replace(new, observed_at=NOW + timedelta(minutes=3))) == in_time


def test_a_policy_with_a_condition_on_the_time_is_evaluated_each_time() -> None:
    """A condition on the time makes each digest different, in whatever case the key is written."""
    for policy in (UNTIL_LATER, UNTIL_LATER.replace("CurrentT", "EPOCHT"), '{"\\u0041": 1}'):
        timed = replace(FULL, endpoints={"vpce-1": gateway("1", policy=policy)})
        later = replace(timed, observed_at=NOW + timedelta(seconds=1))
        assert digest(timed) != digest(later)


@settings(max_examples=40)
@given(snapshots())
def test_nothing_else_depends_on_the_time(snapshot: Snapshot) -> None:
    """Without new endpoints and conditions on the time, the digest is the same in any year."""
    timeless = {
        name: replace(each, created_at=None, policy=OWN_ONLY)
        for name, each in snapshot.endpoints.items()
    }
    now = replace(snapshot, endpoints=timeless)
    then = replace(now, observed_at=NOW + timedelta(days=1_000))
    assert evaluate_vpc(now, REQUIRED) == evaluate_vpc(then, REQUIRED)


@given(st.floats(0, 9_000), st.floats(0, 80), st.text())
def test_every_scope_is_evaluated_once_a_day(start: float, hours: float, name: str) -> None:
    """A digest lasts at most a day, and the time alone says whether it still can."""
    before = NOW + timedelta(hours=start)
    now = before + timedelta(hours=hours)
    scope = Scope("111122223333", "eu-west-1", f"vpc-{name}")
    old = replace(FULL, scope=scope, observed_at=before, endpoints={})
    same = digest(old) == digest(replace(old, observed_at=now))
    assert same is is_same_day(scope, before, now)
    assert not (same and now - before >= timedelta(days=1))


def test_scopes_have_their_days_at_different_hours() -> None:
    """No hour has many more scopes to evaluate than another."""
    hours = [0] * 24
    for number in range(2_400):
        scope = Scope("111122223333", "eu-west-1", f"vpc-{number}")
        starts = [not is_same_day(scope, *span) for span in _hours()]
        hours[starts.index(True)] += 1
    assert max(hours) < 200


def _hours() -> list[tuple[datetime, datetime]]:
    return [(NOW + timedelta(hours=each), NOW + timedelta(hours=each + 1)) for each in range(24)]


def shuffled(draw: Any, value: Any) -> Any:
    """Return the value with its mappings in another order."""
    if isinstance(value, dict):
        items = draw(st.permutations(list(value.items())))
        return {key: shuffled(draw, each) for key, each in items}
    if is_dataclass(value) and not isinstance(value, type):
        changed = {each.name: shuffled(draw, getattr(value, each.name)) for each in fields(value)}
        return replace(value, **changed)
    return value


@settings(max_examples=30)
@given(st.data(), snapshots())
def test_the_order_of_a_mapping_does_not_matter(data: st.DataObject, snapshot: Snapshot) -> None:
    """The digest is the same, and so are the findings."""
    other = shuffled(data.draw, snapshot)
    assert digest(snapshot) == digest(other)
    stored = apply_transitions({}, judged(snapshot, waivers(snapshot))({}))
    assert judged(other, waivers(other))(stored) == ()


def judged(snapshot: Snapshot, accepted: Waivers) -> Any:
    """Return a function that compares the verdicts on a snapshot with stored findings."""
    return partial(_compared, snapshot, evaluate_vpc(snapshot, accepted.baseline), accepted)


def _compared(
    snapshot: Snapshot, verdicts: Sequence[Verdict], accepted: Waivers, stored: Any
) -> Any:
    return find_transitions(
        snapshot.scope,
        stored,
        verdicts,
        observed_at=snapshot.observed_at,
        waivers=accepted,
    )


BASELINES = (REQUIRED, replace(REQUIRED, pending_grace_minutes=5), Baseline(waiver_max_days=0))
evaluations = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 12), st.booleans(), st.sampled_from(BASELINES)),
    max_size=8,
)


@settings(max_examples=60)
@given(snapshots(), snapshots(), evaluations)
def test_skipping_unchanged_snapshots_finds_the_same(
    first: Snapshot, second: Snapshot, series: list[tuple[int, int, bool, Baseline]]
) -> None:
    """Through changes, waivers, other baselines and minutes: the same findings and versions."""
    always: dict[str, Finding] = {}
    skipping: dict[str, Finding] = {}
    last, minute = "", 0
    for which, minutes, waived, baseline in series:
        minute += minutes
        seen = replace((first, second)[which], observed_at=NOW + timedelta(minutes=minute))
        accepted = waivers(seen, *[WAIVER] * waived, baseline=baseline)
        now = digest_snapshot(seen, accepted)
        compare = judged(seen, accepted)
        always = apply_transitions(always, compare(always))
        if now != last:
            skipping = apply_transitions(skipping, compare(skipping))
        last = now
        assert skipping == always
