"""A trial, which shares what a change does not concern, answers as an evaluation from scratch."""

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from network_builders import OWN_ONLY, S3, build_snapshot, eni, gateway, interface, subnet
from network_strategies import snapshots
from posture.analysis.kept_parts import PARTS
from posture.model.baseline import Baseline
from posture.model.network import Snapshot
from posture.model.verdict import Verdict
from posture.remedies.changed_rules import POLICY_RULES, evaluate_changed, evaluate_policies
from posture.remedies.effect import compare_contexts
from posture.rules.contexts import VPC_POLICY_UNITS, VpcContext
from posture.rules.endpoint_policy_context import EndpointPolicyContext
from posture.rules.engine import evaluate_context

BASELINE = Baseline(required_services=("kms", "s3"))
ENDPOINTS = ("vpce-s3", "vpce-ddb", "vpce-kms", "vpce-kms2", "vpce-i3", "vpce-x")
FULL = '{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}}'
POLICIES = (OWN_ONLY, FULL, "{")
TWO_ENDPOINTS = build_snapshot(
    subnet("a"),
    eni("a", "a", "10.0.0.10"),
    interface("kms", network_interface_ids=("eni-a",), subnet_ids=("subnet-a",), policy=FULL),
    gateway("s3", S3, policy=FULL),
)


@given(
    snapshots(),
    snapshots(),
    st.sets(st.sampled_from(sorted(PARTS - {"unreadable"})), min_size=1, max_size=3),
    st.sampled_from(["routes", "everything"]),
)
@settings(max_examples=60)
def test_a_trial_answers_as_an_evaluation_from_scratch(
    before: Snapshot, other: Snapshot, parts: set[str], change: str
) -> None:
    """Whatever the change is: parts of another network, or routes of the same tables."""
    after = replace(before, **{name: getattr(other, name) for name in parts})
    if change == "routes":
        tables = {
            name: replace(each, routes=(*each.routes, *other.route_tables[name].routes))
            for name, each in before.route_tables.items()
            if name in other.route_tables
        }
        after = replace(before, route_tables={**before.route_tables, **tables})
    former = VpcContext(before, BASELINE)
    known = evaluate_context(former)
    _ = former.coverage
    tried, scratch = VpcContext(after, BASELINE, former=former), VpcContext(after, BASELINE)
    verdicts = evaluate_changed(former, tried, known)
    assert _list_advised(verdicts) == _list_advised(evaluate_context(scratch))
    assert _list_cells(tried) == _list_cells(scratch)
    alone = VpcContext(before, BASELINE)
    one, other_one = (
        compare_contexts(former, tried, (), ()),
        compare_contexts(alone, scratch, (), ()),
    )
    assert [(it.subnet_id, it.service, it.is_lost) for it in one.cells] == [
        (it.subnet_id, it.service, it.is_lost) for it in other_one.cells
    ]
    assert one.lost_routes == other_one.lost_routes


@given(snapshots(), st.dictionaries(st.sampled_from(ENDPOINTS), st.sampled_from(POLICIES)))
@settings(max_examples=60)
def test_a_change_of_policies_answers_as_an_evaluation_from_scratch(
    before: Snapshot, policies: dict[str, str]
) -> None:
    """Whatever the policies are, parsed or not, and whatever could not be read."""
    known = evaluate_context(VpcContext(before, BASELINE))
    after = _set_policies(before, policies)
    former = VpcContext(before, BASELINE)
    _, verdicts = evaluate_policies(former, after, VPC_POLICY_UNITS, known)
    assert _list_advised(verdicts) == _list_advised(evaluate_context(VpcContext(after, BASELINE)))


def test_a_change_of_a_policy_keeps_the_verdicts_on_the_others() -> None:
    """Only the policies that it concerns are evaluated."""
    before = TWO_ENDPOINTS
    former = VpcContext(before, BASELINE)
    known = evaluate_context(former)
    after = _set_policies(before, {"vpce-kms": OWN_ONLY})
    _, verdicts = evaluate_policies(former, after, VPC_POLICY_UNITS, known)
    evaluated = {id(each) for each in verdicts} - {id(each) for each in known}
    found = [each for each in verdicts if id(each) in evaluated]
    assert {each.resource for each in found} == {"vpce-kms"}
    assert {each.rule for each in found} == POLICY_RULES.keys()


@pytest.mark.parametrize("fails", ["before", "after"])
def test_a_rule_that_fails_on_a_policy_answers_for_the_whole_vpc(
    fails: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So all policies are evaluated again when it fails no more, and none of its verdicts stays."""

    def refuse(subject: EndpointPolicyContext) -> str:
        if subject.endpoint.policy == OWN_ONLY:
            raise RuntimeError
        return subject.endpoint.id

    monkeypatch.setattr(EndpointPolicyContext, "name", property(refuse))
    fine, failing = TWO_ENDPOINTS, _set_policies(TWO_ENDPOINTS, {"vpce-kms": OWN_ONLY})
    before, after = (failing, fine) if fails == "before" else (fine, failing)
    former = VpcContext(before, BASELINE)
    known = evaluate_context(former)
    _, verdicts = evaluate_policies(former, after, VPC_POLICY_UNITS, known)
    assert _list_advised(verdicts) == _list_advised(evaluate_context(VpcContext(after, BASELINE)))


def _set_policies(snapshot: Snapshot, policies: dict[str, str]) -> Snapshot:
    known = snapshot.endpoints
    changed = {
        name: replace(known[name], policy=policies[name]) for name in known & policies.keys()
    }
    return replace(snapshot, endpoints={**known, **changed})


def _list_cells(vpc: VpcContext) -> list[tuple[object, ...]]:
    """List what decides about each cell; the endpoints of a shared one have their former policy."""
    return [
        (subnet, service, it.outcome, it.summary, it.paths, it.reaches, it.obstacles, it.own_zone)
        for subnet, row in vpc.coverage.cells.items()
        for service, it in row.items()
    ]


def _list_advised(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """List verdicts in one order, without the remediations that a trial does not need."""
    plain = (replace(each, remediation=None, alternatives=()) for each in verdicts)
    return sorted(plain, key=lambda it: (it.rule, it.resource, it.status, it.summary))
