"""The survey function's use case: from events and the schedule to stored facts."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from change_records import build_event, build_record
from network_services import NetworkServices
from organization_builders import (
    HUB_ACCOUNT,
    SPOKES_TABLE,
    Organization,
    build_organization,
    get_spoke_account,
)
from posture.errors import SurveyIncompleteError
from posture.model.scope import Region
from posture.model.shared_kind import FACETS, SharedKind
from posture.model.shared_network import SharedFacet, SharedNetwork
from posture.organization.survey import NO_TIME
from posture.runtime.deadline import Deadline
from posture.store.shared_network import SharedNetworkTable
from posture.survey.surveyor import Surveyor
from stack_tables import NETWORK, create_tables
from written_network import write_network

REGION = "eu-west-1"
START = datetime(2026, 11, 28, 10, 30, tzinfo=UTC)
FIRST = get_spoke_account(1)


class Stage:
    """An organization, what its accounts see, and the monitor that surveys them by a clock."""

    def __init__(self) -> None:
        self.at = START
        self.organization: Organization = build_organization()
        self.services = NetworkServices(REGION)
        write_network(self.services, self.organization.shared)
        client = boto3.client("dynamodb", region_name=REGION)
        create_tables(client)
        self.table = SharedNetworkTable(client, NETWORK)
        self.accounts = self.organization.shared.accounts
        self.surveyor = Surveyor(
            self.table,
            self.services.open_account,
            Region(HUB_ACCOUNT, REGION),
            self.accounts,
            lambda: self.at,
        )

    def load(self) -> SharedNetwork:
        """Load the stored network."""
        return self.table.load(REGION, self.accounts, self.at).network

    def receive(self, *records: dict[str, Any], tries: int = 1) -> dict[str, Any]:
        """Build the event of a queue that delivers records for the given time."""
        return {
            "Records": [
                {
                    "messageId": f"m{number}",
                    "body": json.dumps(build_event(each)),
                    "attributes": {"ApproximateReceiveCount": str(tries)},
                }
                for number, each in enumerate(records, 1)
            ]
        }


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Stand for AWS."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield Stage()


def record_change(
    name: str, source: str, account: str = HUB_ACCOUNT, **more: Any
) -> dict[str, Any]:
    """Record a call in an account."""
    region = "us-east-1" if source.startswith("route53.") else REGION
    given = {"eventSource": source, "awsRegion": region, "recipientAccountId": account}
    return build_record(name, more.get("request"), **given)


def test_the_schedule_surveys_everything_once(stage: Stage) -> None:
    """What is stored as it is, is not written again."""
    first = stage.surveyor.survey_all()
    parts = len(SharedKind) * len(stage.accounts)
    assert (first.read, first.changed, first.failed) == (parts, parts, {})
    first.require_complete()
    found = stage.load()
    assert found.zones.keys() == stage.organization.shared.zones.keys()
    assert found.unread == ()
    stage.at += timedelta(hours=6)
    second = stage.surveyor.survey_all()
    assert (second.read, second.changed, second.age) == (parts, 0, 0)
    assert set(stage.table.load_times(REGION, stage.at).values()) == {stage.at}


def test_an_event_reads_one_kind_in_one_account(stage: Stage) -> None:
    """And finds what changed."""
    stage.surveyor.survey_all()
    stage.services.calls.clear()
    stage.services.replace(HUB_ACCOUNT, "SearchTransitGatewayRoutes", of=SPOKES_TABLE)
    stage.at += timedelta(minutes=1)
    record = record_change("DeleteTransitGatewayRoute", "ec2.amazonaws.com")
    result = stage.surveyor.survey_changes(stage.receive(record))
    assert (result.read, result.changed, result.messages) == (1, 1, [])
    assert {account for account, _ in stage.services.calls} == {HUB_ACCOUNT}
    assert stage.load().tables[SPOKES_TABLE].routes == ()
    assert stage.load().observed_at == START  # of the parts that were not read


def test_many_events_of_one_kind_are_one_survey(stage: Stage) -> None:
    """A burst costs no more than a single change."""
    stage.surveyor.survey_all()
    stage.services.calls.clear()
    stage.at += timedelta(minutes=1)
    record = record_change("ChangeResourceRecordSets", "route53.amazonaws.com")
    result = stage.surveyor.survey_changes(stage.receive(*[record] * 50))
    assert (result.changes, result.read) == (50, 1)
    assert stage.services.calls[HUB_ACCOUNT, "ListHostedZones"] == 1


def test_what_fails_keeps_its_facts_and_their_time(stage: Stage) -> None:
    """Its message is received again; the others of the batch are done."""
    stage.surveyor.survey_all()
    stage.at += timedelta(hours=1)
    stage.services.fail(HUB_ACCOUNT, "ThrottlingException", "ListHostedZones")
    zones = record_change("ChangeResourceRecordSets", "route53.amazonaws.com")
    rules = record_change("AssociateResolverRule", "route53resolver.amazonaws.com", FIRST)
    result = stage.surveyor.survey_changes(stage.receive(zones, rules, tries=5))
    assert result.build_response() == {"batchItemFailures": [{"itemIdentifier": "m1"}]}
    assert "ThrottlingException" in result.failed[SharedKind.ZONES, HUB_ACCOUNT]
    assert stage.load().zones.keys() == stage.organization.shared.zones.keys()
    times = stage.table.load_times(REGION, stage.at)
    assert times[SharedKind.ZONES, HUB_ACCOUNT] == START
    assert times[SharedKind.RESOLVER, FIRST] == stage.at


def test_a_failure_of_the_schedule_is_an_error_and_shows_in_the_age(stage: Stage) -> None:
    """So that Lambda retries; what was read is stored."""
    stage.surveyor.survey_all()
    stage.services.fail(FIRST, "ThrottlingException", "DescribeVpcs")
    stage.at += timedelta(hours=6)
    result = stage.surveyor.survey_all()
    assert result.age == timedelta(hours=6).total_seconds()
    with pytest.raises(SurveyIncompleteError, match=f"1 parts .* zones of {FIRST}: Throttling"):
        result.require_complete()
    stage.services.errors.clear()
    again = stage.surveyor.survey_all()
    assert (again.read, again.failed) == (1, {})


def test_facts_that_cannot_be_read_again_are_used_for_a_day(stage: Stage) -> None:
    """Then they are unread, with the reason and their age, until a survey reads them."""
    stage.surveyor.survey_all()
    stage.services.fail(HUB_ACCOUNT, "ThrottlingException", "ListHostedZones")
    stage.at += timedelta(hours=24)
    stage.surveyor.survey_all()
    assert stage.load().zones
    stage.at += timedelta(hours=1)
    stage.surveyor.survey_all()
    found = stage.load()
    assert found.zones == {}
    assert {each.facet for each in found.unread} == set(FACETS[SharedKind.ZONES])
    assert "the facts of 2026-11-28T10:30:00" in found.unread[0].why
    stage.services.errors.clear()
    stage.at += timedelta(hours=1)
    stage.surveyor.survey_all()
    assert (bool(stage.load().zones), stage.load().unread) == (True, ())


def test_a_first_failure_is_named(stage: Stage) -> None:
    """Rather than that no survey has read the account yet."""
    stage.services.fail(HUB_ACCOUNT, "ThrottlingException", "ListHostedZones")
    stage.surveyor.survey_all()
    assert {each.why for each in stage.load().unread} == {
        "ThrottlingException: ListHostedZones failed in spite of retries"
    }


def test_access_that_is_denied_is_stored_as_unread(stage: Stage) -> None:
    """It replaces the facts: what may not be read any more is not known any more."""
    stage.surveyor.survey_all()
    stage.services.fail(HUB_ACCOUNT, "AccessDenied", "ListHostedZones")
    stage.at += timedelta(hours=6)
    result = stage.surveyor.survey_all()
    assert (result.failed, result.unread) == ({}, 3)
    found = stage.load()
    assert found.zones == {}
    assert {(each.facet, each.account) for each in found.unread} == {
        (each, HUB_ACCOUNT) for each in (SharedFacet.ZONES, SharedFacet.ZONE, SharedFacet.RECORDS)
    }


def test_a_permission_that_was_granted_is_used_at_once(stage: Stage) -> None:
    """By the next survey, however soon it comes; what is complete is not read again so soon."""
    stage.services.fail(HUB_ACCOUNT, "AccessDenied", "ListHostedZones")
    stage.surveyor.survey_all()
    stage.services.errors.clear()
    stage.at += timedelta(minutes=1)
    assert stage.surveyor.survey_all().read == 1
    assert stage.load().unread == ()


def test_without_time_the_oldest_are_read_first_and_the_rest_is_named(stage: Stage) -> None:
    """The next survey goes on with them."""
    left = iter([100.0] * 4)
    result = stage.surveyor.survey_all(Deadline(lambda: next(left, 1.0)))
    assert 0 < result.read < len(SharedKind) * len(stage.accounts)
    assert set(result.failed.values()) == {NO_TIME}
    read = result.read
    again = stage.surveyor.survey_all()
    assert again.read == len(SharedKind) * len(stage.accounts) - read


def test_changes_of_others_and_malformed_messages_are_told_apart(stage: Stage) -> None:
    """The former are dropped, the latter go to the dead-letter queue."""
    other = record_change("ChangeResourceRecordSets", "route53.amazonaws.com", "999999999999")
    event = stage.receive(other)
    hub = record_change("ChangeResourceRecordSets", "route53.amazonaws.com")
    unlisted = [
        build_event(hub, account="999999999999"),  # about another account than it comes from
        build_event({}, account="999999999999"),
    ]
    event["Records"] += [
        {"messageId": "m2", "body": "{"},
        *({"messageId": "m3", "body": json.dumps(each)} for each in unlisted),
    ]
    result = stage.surveyor.survey_changes(event)
    assert (result.dropped, result.read, result.messages) == (3, 0, ["m2"])
    assert not stage.services.calls


def test_an_item_that_was_edited_is_replaced(stage: Stage) -> None:
    """The survey reads what is stored, and writes it anew where it cannot be read."""
    stage.surveyor.survey_all()
    client = boto3.client("dynamodb", region_name=REGION)
    name = f"part#zones#{HUB_ACCOUNT}"
    client.update_item(
        TableName=NETWORK,
        Key={"region": {"S": REGION}, "item": {"S": name}},
        UpdateExpression="SET #d = :d, #c = :c",
        ExpressionAttributeNames={"#d": "digest", "#c": "chunks"},
        ExpressionAttributeValues={":d": {"S": "edited"}, ":c": {"S": "many"}},
    )
    stage.at += timedelta(hours=6)
    fresh = SharedNetworkTable(client, NETWORK)
    replace(stage.surveyor, table=fresh).survey_all()
    assert fresh.load(REGION, stage.accounts, stage.at).network.zones
