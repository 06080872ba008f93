"""What a changed fact of the shared network concerns is evaluated again, and nothing else."""

from collections.abc import Iterator
from dataclasses import replace

import boto3
import pytest
from moto import mock_aws

from organization_builders import (
    HUB,
    HUB_TABLE,
    Organization,
    build_organization,
)
from organization_stage import OrganizationStage
from posture.model.finding import CauseKind
from posture.model.shared_network import HostedZone
from posture.runtime.deadline import Deadline
from posture.store.scope_store import WriteOutcome

SPOKES = ("vpc-spoke1", "vpc-spoke2", "vpc-spoke3")


@pytest.fixture
def stage() -> Iterator[OrganizationStage]:
    """Return a surveyed organization whose VPCs were evaluated."""
    with mock_aws():
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
    assert {each.scope.subject for each in result.swept.results} == {"vpc-spoke2", HUB}


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
    assert {each.scope.subject for each in result.swept.results} == set(SPOKES)
    assert all(each.outcome is WriteOutcome.COMMITTED for each in result.swept.results)


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
    assert [each.subject for each in result.swept.failed] == ["vpc-spoke2"]
    assert len(result.swept.results) == len(SPOKES)
    row = stage.dynamodb.get_item(
        TableName="history", Key={"scope": {"S": "rejected"}, "entry": {"S": "1"}}
    )["Item"]
    assert "vpc-spoke2" in row["reason"]["S"]
    # The retry evaluates what is left.
    again = stage.refresh()
    assert {each.scope.subject for each in again.swept.results} == {"vpc-spoke2"}
    assert again.build_response() == {"batchItemFailures": []}


def test_what_no_time_was_left_for_is_left_to_the_retry(stage: OrganizationStage) -> None:
    """The records come again, and what is left is known from the tables."""
    stage.organization = empty_zone(stage.organization)
    stage.survey()
    result = stage.refresh(Deadline(lambda: 1.0))
    assert (len(result.swept.remaining), result.swept.results) == (4, ())
    assert result.build_response() == {"batchItemFailures": [{"itemIdentifier": "1"}]}
    assert len(stage.refresh().swept.results) == 4


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
    assert len(result.swept.results) == 4
