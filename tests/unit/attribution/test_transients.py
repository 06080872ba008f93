"""What was open only between two observations is found, with who opened it and who put it back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from network_builders import (
    ACCOUNT,
    NOW,
    OWN_ONLY,
    REGION,
    SCOPE,
    build_snapshot,
    eni,
    gateway,
    interface,
    nat,
    open_acl,
    route,
    service,
    subnet,
    table,
)
from posture.attribution.events import BaselineVersion, Earlier, Present
from posture.attribution.states import trace_states
from posture.attribution.transients import (
    MAX_FOLLOWED,
    POSSIBLE,
    PUT_BACK,
    Observed,
    find_transients,
)
from posture.attribution.verdicts import StateVerdicts
from posture.baseline.document import BaselineDocument
from posture.edits.apply import apply
from posture.edits.requests import parse_request
from posture.model.change import Actor, Change
from posture.model.finding import FindingStatus, Step, Transition
from posture.model.network import Snapshot
from posture.model.scope import Region
from posture.remedies.effect import select_worst
from posture.rules.engine import evaluate_vpc
from posture.rules.record import CHANGES_NOT_FOLLOWED

OPEN_POLICY = (
    '{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]}'
)
ALICE, BOB = "arn:aws:iam::111122223333:user/alice", "arn:aws:iam::111122223333:user/bob"
WORLD = [
    {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
]
LOOK = timedelta(minutes=10)  # from the earlier observation to the present one


def call(
    second: float,
    actor: str,
    name: str,
    *,
    ids: Iterable[str] = (),
    created: str = "",
    **request: Any,
) -> Change:
    """Build a call that was made so many seconds after the earlier observation."""
    return Change(
        event_id=f"e-{second}-{name}",
        event_name=name,
        event_source="ec2.amazonaws.com",
        time=NOW + timedelta(seconds=second),
        region=Region(ACCOUNT, REGION),
        actor=Actor(actor, ACCOUNT, "IAMUser"),
        source_ip="198.51.100.7",
        user_agent="aws-cli/2",
        vpc_ids=frozenset(),
        service_ids=frozenset(),
        resource_ids=frozenset(
            {each for each in request.values() if isinstance(each, str)} | {*ids}
        ),
        request=request or None,
        created=created,
    )


def build_network() -> Snapshot:
    """Build a VPC with a gateway endpoint, and an interface endpoint that only the VPC reaches."""
    return build_snapshot(
        subnet("a"),
        subnet("b", "b", "10.0.1.0/24"),
        nat("1", "b"),
        table("1", route("0.0.0.0/0", "nat-1"), route("pl-s3", "vpce-1"), subnets=["a"]),
        table("2", subnets=["b"], main=True),
        gateway("1", tables=["1"]),
        interface("2", network_interface_ids=("eni-a", "eni-b")),
        eni("a", "a", "10.0.0.9"),
        eni("b", "b", "10.0.1.9"),
        open_acl("1", ["subnet-a", "subnet-b"]),
        service(f"com.amazonaws.{REGION}.sns"),
    )


def find(
    calls: Iterable[Change],
    *,
    before: Snapshot | None = None,
    after: Snapshot | None = None,
    look: timedelta = LOOK,
) -> tuple[Transition, ...]:
    """Find what was transient before an observation that finds the network as before."""
    before = before or build_network()
    after = replace(after or before, observed_at=NOW + look)
    versions = (BaselineVersion(0, BaselineDocument()),)
    earlier = Earlier(SCOPE, NOW, before, 0, "code", NOW)
    trace = trace_states(earlier, Present(SCOPE, after.observed_at, after, versions, "code"), calls)
    verdicts = select_worst(evaluate_vpc(after, versions[0].document.default))
    return find_transients(StateVerdicts(trace), Observed(SCOPE, after.observed_at, verdicts))


def describe(steps: Iterable[Transition]) -> set[tuple[str, str, str, str]]:
    """Return rule, resource, and who opened and put back each."""
    return {
        (
            step.finding.rule,
            step.finding.resource,
            str(step.finding.opened_by.actor),
            str(step.finding.resolved_by and step.finding.resolved_by.actor),
        )
        for step in steps
    }


def at(second: float) -> datetime:
    """Return the time so many seconds after the earlier observation."""
    return NOW + timedelta(seconds=second)


def test_a_policy_that_was_open_for_a_minute_is_found() -> None:
    """Each request carries the whole policy, so it is certain."""
    opened = call(
        10, ALICE, "ModifyVpcEndpoint", VpcEndpointId="vpce-1", PolicyDocument=OPEN_POLICY
    )
    closed = call(70, BOB, "ModifyVpcEndpoint", VpcEndpointId="vpce-1", PolicyDocument=OWN_ONLY)
    steps = find([closed, opened])
    assert ("endpoint-policy-allows-full-access", "vpce-1", ALICE, BOB) in describe(steps)
    for step in steps:
        finding = step.finding
        assert (step.step, step.reason) == (Step.TRANSIENT, PUT_BACK)
        assert (finding.status, finding.opened_at) == (FindingStatus.RESOLVED, at(10))
        assert finding.updated_at == at(70)
        assert finding.verdict.remediation is None
        assert step.origin == (finding.id, opened.event_id)


REVOKE: dict[str, Any] = {"GroupId": "sg-endpoints", "IpPermissions": WORLD}


@pytest.mark.parametrize(
    ("opened", "closed", "rule"),
    [
        (
            call(10, ALICE, "AuthorizeSecurityGroupIngress", **REVOKE),
            call(20, BOB, "RevokeSecurityGroupIngress", **REVOKE),
            "endpoint-security-group-open",
        ),
        (
            call(10, ALICE, "DeleteRoute", RouteTableId="rtb-1", DestinationCidrBlock="0.0.0.0/0"),
            call(
                20,
                BOB,
                "CreateRoute",
                RouteTableId="rtb-1",
                DestinationCidrBlock="0.0.0.0/0",
                NatGatewayId="nat-1",
            ),
            None,
        ),
        (
            call(
                10,
                ALICE,
                "ModifyVpcEndpoint",
                VpcEndpointId="vpce-1",
                RemoveRouteTableIds=["rtb-1"],
            ),
            call(20, BOB, "ModifyVpcEndpoint", VpcEndpointId="vpce-1", AddRouteTableIds=["rtb-1"]),
            "subnet-without-gateway-endpoint-route",
        ),
        (
            call(10, ALICE, "ModifyVpcAttribute", VpcId="vpc-1", EnableDnsSupport={"Value": False}),
            call(20, BOB, "ModifyVpcAttribute", VpcId="vpc-1", EnableDnsSupport={"Value": True}),
            "endpoint-private-dns-ineffective",
        ),
    ],
    ids=["security group", "route to the internet", "route to the endpoint", "DNS"],
)
def test_calls_that_carry_what_they_change(
    opened: Change, closed: Change, rule: str | None
) -> None:
    """Policies, groups, routes and attributes; a route that opens nothing leaves no trace."""
    found = describe(find([opened, closed]))
    if rule is None:
        assert found == set()
    else:
        assert rule in {each[0] for each in found}
    assert {each[2:] for each in found} <= {(ALICE, BOB)}


def test_an_endpoint_that_existed_for_a_moment_is_found() -> None:
    """Its id is in the response of the call that created it."""
    opened = call(
        10,
        ALICE,
        "CreateVpcEndpoint",
        created="vpce-0123456789abcdef0",
        VpcId="vpc-1",
        ServiceName=f"com.amazonaws.{REGION}.sns",
        VpcEndpointType="Interface",
        SubnetIds=["subnet-a"],
        SecurityGroupIds=["sg-endpoints"],
    )
    closed = call(
        50,
        BOB,
        "DeleteVpcEndpoints",
        ids=["vpce-0123456789abcdef0"],
        VpcEndpointIds=["vpce-0123456789abcdef0"],
    )
    found = describe(find([opened, closed]))
    assert (
        "endpoint-policy-allows-full-access", "vpce-0123456789abcdef0", ALICE, BOB
    ) in found  # fmt: skip


def test_what_another_call_of_the_batch_hides_is_found() -> None:
    """The endpoint is changed for good, but it was worse in between."""
    calls = [
        call(10, ALICE, "ModifyVpcEndpoint", VpcEndpointId="vpce-1", PolicyDocument=OPEN_POLICY),
        call(
            20, BOB, "ModifyVpcEndpoint", VpcEndpointId="vpce-1", PolicyDocument='{"Statement": []}'
        ),
    ]
    after = build_network()
    changed = replace(after.endpoints["vpce-1"], policy='{"Statement": []}')
    after = replace(after, endpoints={**after.endpoints, "vpce-1": changed})
    found = describe(find(calls, after=after))
    assert ("endpoint-policy-allows-full-access", "vpce-1", ALICE, BOB) in found


def test_what_is_still_open_is_no_transient() -> None:
    """It is a finding."""
    opened = call(10, ALICE, "AuthorizeSecurityGroupIngress", **REVOKE)
    after = apply(build_network(), [parse_request(opened.event_name, opened.request or {})])
    assert find([opened], after=after) == ()


def test_only_the_part_that_was_put_back_is_transient() -> None:
    """Opened, put back and opened again: the second time is a finding, the first one is not."""
    calls = [
        call(10, ALICE, "AuthorizeSecurityGroupIngress", **REVOKE),
        call(20, BOB, "RevokeSecurityGroupIngress", **REVOKE),
        call(30, ALICE, "AuthorizeSecurityGroupIngress", **REVOKE),
    ]
    after = apply(build_network(), [parse_request(calls[0].event_name, calls[0].request or {})])
    (step,) = (it for it in find(calls, after=after) if "security-group-open" in it.finding.rule)
    assert (step.finding.opened_at, step.finding.updated_at) == (at(10), at(20))


def test_each_time_is_an_entry_of_its_own() -> None:
    """They have different first events."""
    calls = [
        call(10 + 10 * number, ALICE, f"{verb}SecurityGroupIngress", **REVOKE)
        for number, verb in enumerate(["Authorize", "Revoke"] * 3)
    ]
    steps = [it for it in find(calls) if it.finding.rule == "endpoint-security-group-open"]
    assert len({each.origin for each in steps}) == len(steps) == 3


def test_duplicates_and_their_order_do_not_matter() -> None:
    """Events are delivered at least once, in any order."""
    opened = call(10, ALICE, "AuthorizeSecurityGroupIngress", **REVOKE)
    closed = call(20, BOB, "RevokeSecurityGroupIngress", **REVOKE)
    assert find([opened, closed]) == find([closed, opened, closed, opened])


def test_within_one_second_the_order_is_that_which_ec2_accepts() -> None:
    """Nothing can be revoked before it is authorized; policies may replace each other both ways."""
    opened = call(10, ALICE, "AuthorizeSecurityGroupIngress", **REVOKE)
    closed = call(10, BOB, "RevokeSecurityGroupIngress", **REVOKE)
    steps = find([closed, opened])
    assert {it.reason for it in steps} == {PUT_BACK}
    opened = call(
        10, ALICE, "ModifyVpcEndpoint", VpcEndpointId="vpce-1", PolicyDocument=OPEN_POLICY
    )
    closed = call(10, BOB, "ModifyVpcEndpoint", VpcEndpointId="vpce-1", PolicyDocument=OWN_ONLY)
    closed = replace(closed, event_id="e-other")
    assert all(it.reason.startswith(POSSIBLE) for it in find([opened, closed]))


def test_who_put_it_back_is_waited_for() -> None:
    """The other call's event may arrive later; after the second look it is unknown."""
    opened = call(10, ALICE, "AuthorizeSecurityGroupIngress", **REVOKE)
    assert find([opened], look=timedelta(seconds=40)) == ()
    steps = find([opened], look=timedelta(minutes=5))
    assert steps
    for step in steps:
        assert step.reason == f"{POSSIBLE}what put it back is not known"
        assert step.finding.opened_by.actor == ALICE
        assert step.finding.resolved_by is not None
        assert step.finding.resolved_by.possible == ()


def test_a_call_without_a_known_effect_makes_it_possible() -> None:
    """It may have changed the group in between."""
    calls = [
        call(10, ALICE, "AuthorizeSecurityGroupIngress", **REVOKE),
        call(15, ALICE, "ModifySecurityGroupRules", ids=["sg-endpoints"]),
        call(20, BOB, "RevokeSecurityGroupIngress", **REVOKE),
    ]
    (step,) = (it for it in find(calls) if it.finding.rule == "endpoint-security-group-open")
    assert step.reason == f"{POSSIBLE}what ModifySecurityGroupRules did is not known"


def test_too_many_changes_are_counted() -> None:
    """What was not followed is said once, and nothing is guessed."""
    more = 10
    calls = [
        call(
            10 + number,
            ALICE,
            "AuthorizeSecurityGroupIngress",
            GroupId="sg-endpoints",
            IpPermissions=[{**WORLD[0], "IpRanges": [{"CidrIp": f"10.{number + 1}.0.0/16"}]}],
        )
        for number in range(MAX_FOLLOWED + more)
    ]
    after = apply(
        build_network(), [parse_request(each.event_name, each.request or {}) for each in calls]
    )
    (step,) = (it for it in find(calls, after=after) if it.finding.rule == CHANGES_NOT_FOLLOWED.id)
    assert step.reason == f"{POSSIBLE}{more - 1} changes were not followed"
    assert (step.finding.opened_at, step.finding.updated_at) == (at(10), at(10 + more - 2))
