"""What a changed fact of the shared network concerns is evaluated again, and nothing else."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from finding_builders import change
from organization_builders import (
    HUB,
    HUB_ACCOUNT,
    HUB_TABLE,
    Organization,
    build_organization,
)
from organization_stage import OrganizationStage
from posture.evaluation.refresh import Refresher
from posture.evaluation.rule_results import POLICY_RULES
from posture.evaluation.scope import ScopeEvaluator
from posture.lifecycle.diff import get_material
from posture.model.finding import CauseKind
from posture.model.network import Snapshot, TargetKind
from posture.model.scope import Region
from posture.model.shared_kind import SharedKind
from posture.model.shared_network import HostedZone
from posture.rules.engine import evaluate_context
from posture.rules.rule_catalogue import VPC_RULES
from posture.runtime.deadline import Deadline
from posture.store.scope_evaluation import WriteOutcome
from posture.store.scope_record import ScopeRecord
from posture_cli.audit.verify import Verifier
from posture_cli.embedded.moto_patches import patch_moto
from stack_tables import TABLES

SPOKES = ("vpc-spoke1", "vpc-spoke2", "vpc-spoke3")


@pytest.fixture
def stage() -> Iterator[OrganizationStage]:
    """Return a surveyed organization whose VPCs were evaluated."""
    with mock_aws():
        patch_moto()
        client = boto3.client(
            "dynamodb", "eu-west-1", aws_access_key_id="a", aws_secret_access_key="a"
        )
        made = OrganizationStage(client, build_organization(spokes=3))
        made.survey()
        made.evaluate_all()
        made.refresh()
        yield made


def empty_zone(organization: Organization) -> Organization:
    """Remove the records of one zone, which the spokes use."""
    zone = organization.shared.zones["Z-kms.eu-west-1.amazonaws.com"]
    return organization.edit_shared(zones={zone.id: replace(zone, records=())})


def test_nothing_is_evaluated_again_while_no_fact_changes(stage: OrganizationStage) -> None:
    """A survey that reads the same moves no head."""
    stage.survey()
    result = stage.refresh()
    assert (result.dependents, result.build_response()) == (0, {"batchItemFailures": []})


def test_a_changed_zone_concerns_all_that_use_it(stage: OrganizationStage) -> None:
    """They are evaluated from their stored snapshots, which keep their times."""
    before = {name: stage.list_open(name).keys() for name in SPOKES}
    observed = {name: stage.load(name).observed_at for name in SPOKES}
    stage.organization = empty_zone(stage.organization)
    assert stage.survey() == 1
    result = stage.refresh()
    assert result.dependents == len(SPOKES) + 1  # and the hub
    assert stage.observer.read == []
    for name in SPOKES:
        opened = stage.list_open(name).keys() - before[name]
        assert opened, name
        # The snapshot has its own time, so that a later read of EC2 is never refused.
        assert stage.load(name).observed_at == observed[name]
        for key in opened:
            finding = stage.list_open(name)[key]
            assert finding.opened_by.cause
            assert finding.opened_by.cause.kind is CauseKind.SHARED_NETWORK
            assert finding.opened_at > observed[name]  # it was not so then
    assert stage.refresh().dependents == 0


def test_a_route_back_to_one_vpc_concerns_this_vpc_and_the_hub(stage: OrganizationStage) -> None:
    """The other spokes do not depend on it, although it is of the same table."""
    table = stage.organization.shared.tables[HUB_TABLE]
    assert table.routes
    left = tuple(each for each in table.routes if "spoke2" not in each.attachment_ids[0])
    tables = {table.id: replace(table, routes=left)}
    stage.organization = stage.organization.edit_shared(tables=tables)
    stage.survey()
    result = stage.refresh()
    assert {each.scope.subject for each in result.sweep_result.results} == {"vpc-spoke2", HUB}


def test_a_fact_that_no_vpc_depends_on_concerns_none(stage: OrganizationStage) -> None:
    """A zone that is associated with no VPC."""
    zone = HostedZone("Z-other", "example.com", "100000000001", ())
    stage.organization = stage.organization.edit_shared(zones={zone.id: zone})
    assert stage.survey() == 1
    assert stage.refresh().dependents == 0


def test_a_changed_hub_concerns_its_spokes(stage: OrganizationStage) -> None:
    """The hub's evaluation stores what others depend on; they follow without a survey."""
    groups = stage.organization.snapshots[HUB].security_groups
    closed = {name: replace(each, ingress=()) for name, each in groups.items()}
    stage.organization = stage.organization.edit_vpc(
        HUB, lambda hub: replace(hub, security_groups=closed)
    )
    stage.evaluate(HUB)
    result = stage.refresh()
    assert {each.scope.subject for each in result.sweep_result.results} == set(SPOKES)
    assert all(each.outcome is WriteOutcome.COMMITTED for each in result.sweep_result.results)


def test_one_dependent_that_fails_stops_no_other(
    stage: OrganizationStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is named, and the retry evaluates it alone."""
    stage.organization = empty_zone(stage.organization)
    stage.survey()
    record = type(stage.store).record

    def fail(self: object, evaluation: object, *others: object) -> object:
        if "spoke2" in str(evaluation.scope):  # type: ignore[attr-defined]
            raise RuntimeError("no")
        return record(self, evaluation, *others)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(type(stage.store), "record", fail)
        result = stage.refresh()
    assert result.build_response() == {"batchItemFailures": [{"itemIdentifier": "1"}]}
    assert [each.subject for each in result.sweep_result.failed] == ["vpc-spoke2"]
    assert len(result.sweep_result.results) == len(SPOKES)
    row = stage.dynamodb.get_item(
        TableName="history", Key={"scope": {"S": "rejected"}, "entry": {"S": "1"}}
    )["Item"]
    assert "vpc-spoke2" in row["reason"]["S"]
    # The retry evaluates what is left.
    again = stage.refresh()
    assert {each.scope.subject for each in again.sweep_result.results} == {"vpc-spoke2"}
    assert again.build_response() == {"batchItemFailures": []}


def test_a_dependent_whose_record_cannot_be_read_stops_no_other(stage: OrganizationStage) -> None:
    """It is named, and the records are retried."""
    stage.organization = empty_zone(stage.organization)
    stage.survey()
    scope = stage.organization.snapshots["vpc-spoke2"].scope
    stage.dynamodb.update_item(
        TableName="findings",
        Key={"scope": {"S": str(scope)}, "item": {"S": "#head"}},
        UpdateExpression="SET revision = :text",
        ExpressionAttributeValues={":text": {"S": "three"}},
    )
    result = stage.refresh()
    assert list(result.sweep_result.failed) == [scope]
    assert "revision" in result.sweep_result.failed[scope]
    assert len(result.sweep_result.results) == len(SPOKES)
    assert result.build_response() == {"batchItemFailures": [{"itemIdentifier": "1"}]}


def test_what_no_time_was_left_for_is_left_to_the_retry(stage: OrganizationStage) -> None:
    """The records come again, and what is left is known from the tables."""
    stage.organization = empty_zone(stage.organization)
    stage.survey()
    result = stage.refresh(Deadline(lambda: 1.0))
    assert (len(result.sweep_result.remaining), result.sweep_result.results) == (4, ())
    assert result.build_response() == {"batchItemFailures": [{"itemIdentifier": "1"}]}
    assert len(stage.refresh().sweep_result.results) == 4


def test_a_vpc_without_a_stored_snapshot_is_read(stage: OrganizationStage) -> None:
    """The others cost no call."""
    record = stage.load("vpc-spoke1")
    key = {
        "scope": {"S": str(record.scope)},
        "item": {"S": f"~snapshot#{record.snapshot_at:%Y-%m-%dT%H:%M:%S.%fZ}"},
    }
    stage.dynamodb.delete_item(TableName="findings", Key=key)
    stage.organization = empty_zone(stage.organization)
    stage.survey()
    result = stage.refresh()
    assert (stage.observer.read, result.read_anew) == (["vpc-spoke1"], 1)
    assert len(result.sweep_result.results) == 4


def test_a_newer_read_with_older_facts_is_evaluated_with_the_newer_ones(
    stage: OrganizationStage,
) -> None:
    """An invocation loaded the network before it changed; its read of EC2 is newer."""
    slow = stage.build_evaluator()
    stage.organization = empty_zone(stage.organization)
    stage.survey()
    stage.refresh()
    known = stage.list_open("vpc-spoke1").keys()
    view = stage.load("vpc-spoke1").shared
    result = stage.evaluate("vpc-spoke1", slow)
    record = stage.load("vpc-spoke1")
    assert result.outcome is not WriteOutcome.STALE
    assert (record.observed_at, record.shared) == (stage.now, view)
    assert stage.list_open("vpc-spoke1").keys() == known


def test_a_read_during_the_refresh_is_neither_lost_nor_left_with_older_facts(
    stage: OrganizationStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow invocation records a newer snapshot, with older facts, while its VPC is refreshed."""
    slow = stage.build_evaluator()
    stage.organization = empty_zone(stage.organization)
    stage.survey()
    load = Refresher._load
    read_at: list[datetime] = []

    def load_late(self: Refresher, record: ScopeRecord) -> Snapshot | None:
        found = load(self, record)
        if record.scope.subject == "vpc-spoke1" and not read_at:
            stage.evaluate("vpc-spoke1", slow)
            read_at.append(stage.now)
        return found

    monkeypatch.setattr(Refresher, "_load", load_late)
    result = stage.refresh()
    assert result.build_response() == {"batchItemFailures": []}
    record = stage.load("vpc-spoke1")
    assert record.shared
    assert (record.observed_at, record.shared.changed_at) == (
        read_at[0],
        stage.table.load_head(stage.organization.shared.region),
    )
    assert stage.refresh().dependents == 0


def test_a_vpc_whose_first_evaluation_used_older_facts_is_evaluated_again(
    stage: OrganizationStage,
) -> None:
    """The refresh did not know it yet, so nothing else would."""
    slow = stage.build_evaluator()
    stage.organization = empty_zone(stage.organization)
    stage.survey()
    stage.refresh()
    added = build_organization(spokes=4).snapshots["vpc-spoke4"]
    stage.organization = Organization(
        {**stage.organization.snapshots, "vpc-spoke4": added}, stage.organization.shared
    )
    stage.evaluate("vpc-spoke4", slow)
    assert stage.refresh().dependents == 0


def test_a_vpc_that_is_led_to_a_changed_fact_later_is_evaluated_again(
    stage: OrganizationStage,
) -> None:
    """When the fact changed, the VPC had no route to it, so the refresh passed it over."""
    slow = stage.build_evaluator()
    gateway = replace(next(iter(stage.organization.shared.gateways.values())), id="tgw-other")
    stage.organization = stage.organization.edit_shared(gateways={gateway.id: gateway})
    stage.survey()
    assert stage.refresh().dependents == 0

    def lead_there(spoke: Snapshot) -> Snapshot:
        table = next(iter(spoke.route_tables.values()))
        route = next(it for it in table.routes if it.target.kind is TargetKind.TRANSIT_GATEWAY)
        target = replace(route.target, id=gateway.id)
        changed = replace(table, routes=(*table.routes, replace(route, target=target)))
        return replace(spoke, route_tables={**spoke.route_tables, table.id: changed})

    stage.organization = stage.organization.edit_vpc("vpc-spoke1", lead_there)
    stage.evaluate("vpc-spoke1", slow)
    assert stage.refresh().dependents == 0


def test_the_calls_that_led_to_the_survey_are_candidates(stage: OrganizationStage) -> None:
    """The caller that emptied the zone is named; a call about another zone is not."""
    zone = "Z-kms.eu-west-1.amazonaws.com"
    stage.organization = empty_zone(stage.organization).edit_shared(
        zones={"Z-other": HostedZone("Z-other", "example.com", HUB_ACCOUNT, ())}
    )
    region = Region(HUB_ACCOUNT, "eu-west-1")
    kinds = frozenset({SharedKind.ZONES})
    stage.survey(
        [replace(change(name, name), region=region, kinds=kinds) for name in (zone, "Z-other")]
    )
    stage.refresh()
    opened = [each.opened_by for each in stage.list_open("vpc-spoke1").values()]
    named = {cause.event_id for each in opened for cause in each.candidates}
    assert named == {zone}


def test_a_vpc_that_is_gone_is_no_central_one_any_more(stage: OrganizationStage) -> None:
    """What others depended on of it is removed, and they are evaluated again."""
    left = dict(stage.organization.snapshots)
    scope = left.pop(HUB).scope
    stage.organization = replace(stage.organization, snapshots=left)
    stage.now += timedelta(seconds=1)
    stage.build_evaluator().end(scope, stage.now)
    assert stage.build_facts().load().network.central_vpcs == {}
    assert stage.refresh().dependents == len(SPOKES)


def test_without_the_table_nothing_is_recorded_of_the_shared_network(
    stage: OrganizationStage,
) -> None:
    """Switched off, a VPC is evaluated as if there were no shared network."""
    evaluator = ScopeEvaluator(stage.store, stage.baselines, lambda: stage.now)
    stage.evaluate("vpc-spoke1", evaluator)
    assert stage.load("vpc-spoke1").shared is None


def test_what_a_refresh_wrote_is_verified(stage: OrganizationStage) -> None:
    """The chains hold, the rows are in order of time; a time in the future is named."""
    stage.organization = empty_zone(stage.organization)
    stage.survey()
    stage.refresh()
    stage.evaluate("vpc-spoke1")
    verifier = Verifier(stage.dynamodb, TABLES, now=lambda: stage.now)
    results = list(verifier.verify_all())
    assert len(results) == len(SPOKES) + 1
    assert [each.fault for each in results] == [None] * len(results)
    late = Verifier(stage.dynamodb, TABLES, now=lambda: stage.now - timedelta(hours=1))
    assert all(each.fault for each in late.verify_all())


def test_rules_that_read_no_changed_fact_keep_what_is_stored_of_them(
    stage: OrganizationStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scope records, and the open findings, are those of an evaluation of all rules."""
    asked: list[frozenset[str]] = []
    everything = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
    open_policy = json.dumps({"Statement": [everything]})

    def open_up(vpc: Snapshot) -> Snapshot:
        opened = {name: replace(it, policy=open_policy) for name, it in vpc.endpoints.items()}
        return replace(vpc, endpoints=opened)

    bad, *good = SPOKES
    stage.organization = stage.organization.edit_vpc(bad, open_up)
    stage.evaluate(bad)
    intact = stage.organization
    monkeypatch.setattr("posture.evaluation.refresh.MAX_PROVEN", 0)
    states = []
    for keeps in (True, False):

        def watch(context: Any, rules: Any = VPC_RULES) -> Any:
            listed = tuple(rules)
            asked.append(frozenset(rule.id for rule in set(VPC_RULES) - set(listed)))
            return evaluate_context(context, listed)

        monkeypatch.setattr("posture.evaluation.rule_results.evaluate_context", watch)
        if not keeps:
            monkeypatch.setattr(
                "posture.evaluation.rule_results.list_kept_rules", lambda *_: frozenset()
            )
        stage.organization = empty_zone(intact)
        stage.survey()
        assert stage.refresh().dependents == len(SPOKES) + 1
        states.append(
            {
                name: (
                    stage.load(name).passed or frozenset(),
                    {key: get_material(it.verdict) for key, it in stage.list_open(name).items()},
                )
                for name in (*SPOKES, HUB)
            }
        )
        stage.organization = intact
        stage.survey()
        stage.refresh()
    assert states[0] == states[1]
    assert {POLICY_RULES, frozenset()} == set(asked)
    assert any(key[0] in POLICY_RULES for key in states[0][bad][1])
    for name in good:
        assert any(each.partition("/")[0] in POLICY_RULES for each in states[0][name][0]), name
