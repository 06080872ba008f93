"""On any network every rule has a result, and the coverage matrix matches its explanations."""

from dataclasses import replace

from hypothesis import given, settings

from network_strategies import snapshots
from posture.analysis.coverage import Analysis
from posture.analysis.explain import explain
from posture.analysis.matrix import build_matrix_record, list_row_answers
from posture.analysis.path_outcome import PathOutcome
from posture.analysis.services import list_covered_services
from posture.model.baseline import Baseline
from posture.model.network import Facet, Snapshot
from posture.model.verdict import Status
from posture.rules.engine import evaluate_vpc


@settings(max_examples=80)
@given(snapshots())
def test_no_rule_fails_on_any_network(snapshot: Snapshot) -> None:
    """Unknown is an answer, a mistake of ours is none."""
    for verdict in evaluate_vpc(snapshot, Baseline(required_services=("kms", "s3"))):
        assert "internal error in the rule" not in verdict.summary, verdict.evidence
        assert verdict.summary
        assert verdict.status is not Status.FAIL or verdict.remediation


@settings(max_examples=80)
@given(snapshots())
def test_every_cell_is_described_and_explained(snapshot: Snapshot) -> None:
    """The matrix, its record and the reasoning of each cell say the same."""
    analysis = Analysis(snapshot)
    services = list_covered_services(snapshot, ["kms"])
    coverage = analysis.build_coverage(services)
    record = build_matrix_record(coverage, analysis)
    for place in analysis.subnets:
        for answer, service in zip(list_row_answers(record, place.id), services, strict=True):
            found = explain(analysis, place, service)
            assert answer["outcome"] == found.cell.outcome.value
            assert answer["summary"] == found.cell.summary
            assert all(step.text.endswith(".") for step in found.steps)


@settings(max_examples=80)
@given(snapshots())
def test_what_cannot_be_seen_is_never_private(snapshot: Snapshot) -> None:
    """Without network ACLs, no traffic to another subnet or a gateway is known to arrive."""
    blind = replace(snapshot, network_acls={}, unreadable={Facet.NETWORK_ACLS: "denied"})
    analysis = Analysis(blind)
    for place in analysis.subnets:
        for service in list_covered_services(blind):
            found = analysis.evaluate_cell(place, service)
            if found.outcome in {PathOutcome.PRIVATE, PathOutcome.BY_SECURITY_GROUP}:
                inside = {reach.interface.subnet_id for reach in found.reaches}
                assert inside == {place.id}
