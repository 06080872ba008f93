"""The trace of the states between two snapshots, and the cause that follows from it."""

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import IPv4Network
from typing import Any

import pytest

from finding_builders import SCOPE, at, change, verdict
from posture.attribution.causes import Attributor
from posture.attribution.differences import Difference, list_differences, make_changes
from posture.attribution.events import BaselineVersion, Earlier, Present
from posture.attribution.states import State, Trace, trace_states
from posture.attribution.verdicts import StateVerdicts
from posture.baseline.document import BaselineDocument
from posture.lifecycle.diff import find_transitions
from posture.model.baseline import Baseline
from posture.model.change import Change
from posture.model.finding import Cause, Step
from posture.model.network import (
    Route,
    RouteTable,
    SecurityGroup,
    SecurityGroupRule,
    Snapshot,
    Subnet,
    Target,
    TargetKind,
    Vpc,
)
from posture.model.verdict import Verdict
from posture.remedies.effect import VerdictKey

VPC = SCOPE.subject
WORLD = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
OPEN = SecurityGroupRule("tcp", 443, 443, cidr=IPv4Network("0.0.0.0/0"))


def network(**parts: Any) -> Snapshot:
    """Return a VPC with a route table and a security group."""
    table = RouteTable("rtb-1", VPC, True, (), (), {"rtbassoc-1": VPC}, ())
    return replace(
        Snapshot(
            SCOPE,
            at(-60),
            Vpc(VPC, (IPv4Network("10.0.0.0/16"),)),
            route_tables={"rtb-1": table},
            security_groups={"sg-1": SecurityGroup("sg-1", "web", VPC, (), ())},
        ),
        **parts,
    )


def call(name: str, request: Mapping[str, Any] | None, *ids: str, minute: float = -2) -> Change:
    """Return a call with its request; its event id is its name and time."""
    return replace(
        change(f"{name}@{minute}", *ids, minute=minute), event_name=name, request=request
    )


def open_group(minute: float = -2) -> Change:
    """Return the call that opens the group."""
    request = {"GroupId": "sg-1", "IpPermissions": [WORLD]}
    return call("AuthorizeSecurityGroupIngress", request, "sg-1", minute=minute)


def close_group(minute: float = -2) -> Change:
    """Return the call that closes the group again."""
    request = {"GroupId": "sg-1", "IpPermissions": [WORLD]}
    return call("RevokeSecurityGroupIngress", request, "sg-1", minute=minute)


def opened(snapshot: Snapshot) -> Snapshot:
    """Return the snapshot with the group open."""
    group = replace(snapshot.security_groups["sg-1"], ingress=(OPEN,))
    return replace(snapshot, security_groups={**snapshot.security_groups, "sg-1": group})


def trace(before: Snapshot | None, after: Snapshot | None, *changes: Change) -> Trace:
    """Trace the states between an hour ago and now."""
    version = BaselineVersion(1, BaselineDocument())
    earlier = Earlier(SCOPE, at(-60), before, 1, "code", at(-10))
    return trace_states(earlier, Present(SCOPE, at(0), after, (version,), "code"), changes)


def name(found: Trace) -> list[str]:
    """Return the calls that changed something, those that may have with a question mark."""
    return [
        f"{each.cause.event_name}{'' if each.exact else '?'}" for each in found.states if each.cause
    ]


def test_a_call_that_gives_the_present_snapshot_explains_it() -> None:
    """Nothing is left."""
    found = trace(network(), opened(network()), open_group())
    assert name(found) == ["AuthorizeSecurityGroupIngress"]
    assert found.unexplained == ()


def test_calls_of_one_second_are_applied_in_an_order_that_ec2_accepts() -> None:
    """Whichever order they are delivered in, the group cannot be closed before it is opened."""
    calls = [close_group(-2), open_group(-2)]
    assert name(trace(network(), network(), *calls)) == [
        "AuthorizeSecurityGroupIngress",
        "RevokeSecurityGroupIngress",
    ]


def test_calls_of_one_second_are_applied_in_the_order_that_gives_the_snapshot() -> None:
    """EC2 accepts both orders of two calls that set the same attribute."""
    request = {"VpcId": VPC, "EnableDnsSupport": {"Value": False}}
    off = call("ModifyVpcAttribute", request, VPC)
    on = replace(off, event_id="on", request={**request, "EnableDnsSupport": {"Value": True}})
    before = network(vpc=replace(network().vpc, dns_support=True))
    for calls in ((off, on), (on, off)):
        found = trace(before, before, *calls)
        assert [each.change for each in found.states] == [None, off, on]
        assert found.unexplained == ()


def test_what_was_observed_since_is_not_attributed_to_an_older_call() -> None:
    """The scope was seen ten minutes ago without the effect of a call an hour ago."""
    found = trace(network(), opened(network()), open_group(-30))
    assert name(found) == []
    assert {each.id for each in found.unexplained} == {"sg-1"}


def test_a_call_after_the_reading_is_not_part_of_the_snapshot() -> None:
    """It is part of the next one."""
    found = trace(network(), opened(network()), open_group(-2), close_group(0.01))
    assert name(found) == ["AuthorizeSecurityGroupIngress"]


def test_a_call_of_unknown_effect_explains_what_it_names() -> None:
    """It is possible, not exact; what it does not name stays unexplained."""
    route = Route(IPv4Network("0.0.0.0/0"), None, Target(TargetKind.INTERNET_GATEWAY, "igw-1"))
    table = replace(network().route_tables["rtb-1"], routes=(route,))
    after = replace(opened(network()), route_tables={"rtb-1": table})
    found = trace(network(), after, call("ModifySecurityGroupRules", None, "sg-1"))
    assert name(found) == ["ModifySecurityGroupRules?"]
    assert {each.id for each in found.unexplained} == {"rtb-1"}


@pytest.mark.parametrize(
    ("event", "ids", "explains"),
    [("CreateTags", (VPC,), True), ("CreateTags", ("subnet-1",), False), ("CreateVpc", (), False)],
    ids=["that sets the tag", "of another resource", "that names nothing"],
)
def test_a_tag_is_explained_by_the_call(event: str, ids: tuple[str, ...], explains: bool) -> None:
    """That of a VPC, by a call that names the VPC."""
    tagged = replace(network(), vpc=replace(network().vpc, tags={"stage": "sandbox"}))
    found = trace(network(), tagged, call(event, None, *ids))
    assert (found.unexplained == ()) is explains


def test_a_tag_call_explains_nothing_but_tags() -> None:
    """A group of the same ids that was opened as well was opened by another call."""
    found = trace(network(), opened(network()), call("CreateTags", None, VPC, "sg-1"))
    assert name(found) == []


def test_differences_lead_from_one_snapshot_to_the_other() -> None:
    """Each part that differs is named with its ids; made, they leave no difference."""
    subnet = Subnet("subnet-1", VPC, "eu-west-1a", IPv4Network("10.0.1.0/24"))
    route = Route(IPv4Network("0.0.0.0/0"), None, Target(TargetKind.INTERNET_GATEWAY, "igw-1"))
    table = replace(
        network().route_tables["rtb-1"],
        routes=(route,),
        associations={"rtbassoc-1": VPC, "rtbassoc-2": "subnet-1"},
        subnet_ids=("subnet-1",),
    )
    after = opened(network(subnets={"subnet-1": subnet}, route_tables={"rtb-1": table}))
    found = list_differences(network(), after)
    assert {(each.part, each.id, each.name) for each in found} == {
        ("subnets", "subnet-1", ""),
        ("route_tables", "rtb-1", "routes"),
        ("route_tables", "rtb-1", "associations"),
        ("security_groups", "sg-1", "ingress"),
    }
    assert any("igw-1" in each.texts for each in found)
    assert list_differences(make_changes(network(), found), after) == ()
    assert make_changes(network(), found) == after
    assert make_changes(after, list_differences(after, network())) == network()


class Judged(StateVerdicts):
    """Verdicts that are stated: for each state whether it fails, alone and completed."""

    def __init__(self, trace: Trace, alone: str, completed: str) -> None:
        super().__init__(trace)
        self._stated = alone, completed

    def find(self, number: int) -> dict[VerdictKey, Verdict]:
        """Return a failure for an `x`, and a lesser one for an `o`."""
        return self._fail(self._stated[0][number])

    def find_completed(self, number: int) -> dict[VerdictKey, Verdict]:
        """Return a failure for an `x`, in a state that has what no known event explains."""
        return self._fail(self._stated[1][number])

    def _fail(self, mark: str) -> dict[VerdictKey, Verdict]:
        found = {"x": verdict(), "o": verdict(evidence=())}.get(mark)
        return {("route-missing", "subnet-0a"): found} if found else {}


UNSEEN = Difference("route_tables", "rtb-9", "routes", None, None, frozenset({"rtb-9"}))


@pytest.mark.parametrize(
    ("alone", "completed", "exact", "named", "settled"),
    [
        (".xx", "", True, "= a", True),
        ("..x", "", True, "= b", True),
        ("x.x", "", True, "= b", True),
        (".xx", ".xx", True, "= a", False),
        (".xx", "xxx", True, "a", False),
        ("...", ".xx", True, "a", False),
        ("...", "xxx", True, "", False),
        ("xxx", "", True, "", True),
        ("..x", "", False, "b, a", False),
    ],
    ids=[
        "the first of two",
        "the second of two",
        "that it undid",
        "what is unexplained is not enough",
        "what is unexplained is enough as well",
        "both are needed",
        "only what is unexplained did it",
        "it was so before",
        "two calls of unknown effect on one route",
    ],
)
def test_the_cause_is_what_can_have_produced_the_verdict(
    alone: str, completed: str, exact: bool, named: str, settled: bool
) -> None:
    """The last event after which it is so; certain only if nothing else can have done it."""
    difference = replace(UNSEEN, id="rtb-1")
    baseline = Baseline()
    states = [State(None, None, at(-9), network(), baseline)]
    for number, event in enumerate("ab"):
        cause = Cause(event, event, "arn", at(number - 5))
        states.append(State(cause, None, cause.time, None, baseline, exact, (difference,)))
    found = Trace(tuple(states), (UNSEEN,) if completed else ())
    attributor = Attributor(found, Judged(found, alone, completed), {}, VPC)
    (step,) = find_transitions(SCOPE, {}, [verdict()], observed_at=at(0))
    answer = attributor.attribute(step)
    certain = answer.attribution.cause
    candidates = ", ".join(each.event_name for each in answer.attribution.candidates)
    assert (f"= {certain.event_name}" if certain else candidates) == named
    assert answer.settled is settled


@pytest.mark.parametrize(
    ("second", "id_of_b", "named"),
    [(-4, "rtb-1", "b, a"), (-4, "rtb-2", "= a"), (-3, "rtb-1", "= a")],
    ids=["on one route", "on another table", "a minute later"],
)
def test_calls_of_one_second_that_change_the_same_are_candidates(
    second: int, id_of_b: str, named: str
) -> None:
    """Which of them came first is not known."""
    states = [State(None, None, at(-9), network(), Baseline())]
    for event, minute, resource in (("a", -4, "rtb-1"), ("b", second, id_of_b)):
        cause, did = Cause(event, event, "arn", at(minute)), replace(UNSEEN, id=resource)
        states.append(State(cause, None, cause.time, None, Baseline(), True, (did,)))
    found = Trace(tuple(states))
    (step,) = find_transitions(SCOPE, {}, [verdict()], observed_at=at(0))
    answer = Attributor(found, Judged(found, ".xx", ""), {}, VPC).attribute(step).attribution
    candidates = ", ".join(each.event_name for each in answer.candidates)
    assert (f"= {answer.cause.event_name}" if answer.cause else candidates) == named


@pytest.mark.parametrize(("alone", "named"), [("oox", "b"), ("oxx", "a"), (".ox", "b")])
def test_what_changed_a_verdict_is_what_led_to_the_present_one(alone: str, named: str) -> None:
    """Not what made it fail, where its evidence was another one."""
    states = [State(None, None, at(-9), network(), Baseline())]
    for number, event in enumerate("ab"):
        cause = Cause(event, event, "arn", at(number - 5))
        states.append(State(cause, None, cause.time, None, Baseline(), True, (UNSEEN,)))
    found = Trace(tuple(states))
    (step,) = find_transitions(SCOPE, {}, [verdict()], observed_at=at(0))
    attributor = Attributor(found, Judged(found, alone, ""), {}, VPC)
    answer = attributor.attribute(replace(step, step=Step.CHANGED)).attribution
    assert answer.cause is not None
    assert answer.cause.event_name == named


def test_a_refused_call_of_the_same_second_is_a_candidate() -> None:
    """Delivered the other way round, it would have been the one: EC2 did not refuse it."""
    delete = call("DeleteSecurityGroup", {"GroupId": "sg-1"}, "sg-1")
    gone = network(security_groups={})
    found = trace(opened(network()), gone, delete, close_group())
    attributor = Attributor(found, Judged(found, "x.", ""), {}, VPC)
    (step,) = find_transitions(SCOPE, {}, [verdict()], observed_at=at(0))
    answer = attributor.attribute(replace(step, step=Step.RESOLVED)).attribution
    assert {each.event_name for each in answer.possible} == {
        "DeleteSecurityGroup",
        "RevokeSecurityGroupIngress",
    }


def test_the_calls_are_bounded() -> None:
    """A hundred calls are traced, the latest ones."""
    calls = [open_group(-5 + number / 100) for number in range(150)]
    found = trace(network(), opened(network()), *calls)
    assert len(found.states) + len(found.unapplied) <= 101
