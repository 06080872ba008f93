"""A trial, which shares what a change does not concern, answers as an evaluation from scratch."""

from collections.abc import Iterable
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from network_strategies import snapshots
from posture.analysis.coverage import PARTS
from posture.model.baseline import Baseline
from posture.model.network import Snapshot
from posture.model.verdict import Verdict
from posture.remedies.changed_rules import evaluate_changed
from posture.remedies.effect import compare_contexts
from posture.rules.contexts import VpcContext
from posture.rules.engine import evaluate_context

BASELINE = Baseline(required_services=("kms", "s3"))


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
