"""The handler of the survey function, with members in the baseline table that come and go."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from change_records import build_event, build_record
from network_services import NetworkServices
from organization_builders import HUB_ACCOUNT, build_organization, get_spoke_account
from posture.model.member import MemberSource, MemberState
from posture.model.shared_kind import SharedKind
from posture.runtime import clients
from posture.store import watched_accounts
from posture.store.members import MemberTable
from posture.store.shared_network import SharedNetworkTable
from posture_cli.embedded.functions import EmbeddedFunction
from stack_tables import NETWORK, TABLES, create_tables
from written_network import write_network

APP = Path(__file__).parents[3] / "functions" / "survey" / "app.py"
REGION = "eu-west-1"
ONE, OTHER = get_spoke_account(1), get_spoke_account(2)
JOINED = datetime(2026, 1, 1, tzinfo=UTC)
SETTINGS = {
    "AWS_REGION": REGION,
    "MONITORED_ACCOUNT": HUB_ACCOUNT,
    "FINDINGS_TABLE": TABLES.findings,
    "HISTORY_TABLE": TABLES.history,
    "BASELINE_TABLE": TABLES.baseline,
    "OWNERSHIP_TABLE": TABLES.ownership,
    "IDEMPOTENCY_TABLE": TABLES.idempotency,
    "NETWORK_TABLE": NETWORK,
    "ALERT_TOPIC_ARN": f"arn:aws:sns:{REGION}:{HUB_ACCOUNT}:alerts",
    "STACK_NAME": "posture",
    "RESOLVED_FINDING_DAYS": "0",
    "MEMBERS": "table",
    "MEMBER_ROLE_NAME": "posture-look",
    "MEMBER_EXTERNAL_ID": "our-external-id",
    "POWERTOOLS_SERVICE_NAME": "survey",
    "POWERTOOLS_METRICS_NAMESPACE": "VpcEndpointPosture",
}


class Stage:
    """The deployed function, the services of each account, and the tables."""

    def __init__(self) -> None:
        self.services = NetworkServices(REGION)
        write_network(self.services, build_organization(spokes=2).shared)
        dynamodb = boto3.client("dynamodb", region_name=REGION)
        create_tables(dynamodb)
        self.members = MemberTable(dynamodb, TABLES.baseline)
        self.network = SharedNetworkTable(dynamodb, NETWORK)
        arn = f"arn:aws:lambda:{REGION}:{HUB_ACCOUNT}:function:survey"
        self.survey = EmbeddedFunction("survey", APP, SETTINGS, arn)

    def name(self, account: str, state: MemberState = MemberState.ACTIVE) -> None:
        """Name an account as the list of AWS Organizations does."""
        self.members.put(account, state, MemberSource.ORGANIZATION, JOINED)

    def asked(self) -> set[str]:
        """Return the accounts that were asked since the last time."""
        accounts = {account for account, _ in self.services.calls}
        self.services.calls.clear()
        return accounts

    def receive(self, *accounts: str) -> Any:
        """Invoke the function with a change of the Resolver rules in each of the accounts."""
        records = [
            build_record(
                "AssociateResolverRule",
                eventSource="route53resolver.amazonaws.com",
                awsRegion=REGION,
                recipientAccountId=each,
            )
            for each in accounts
        ]
        return self.survey(
            {
                "Records": [
                    {
                        "messageId": f"m{number}",
                        "body": json.dumps(build_event(each)),
                        "attributes": {"ApproximateReceiveCount": "1"},
                    }
                    for number, each in enumerate(records)
                ]
            }
        )


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Stand for AWS; the table of members is read again by each invocation."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setattr(watched_accounts, "LIFETIME", 0.0)
    made: tuple[Any, ...] = (clients.session, clients.dynamodb)
    for each in made:
        each.cache_clear()
    with mock_aws():
        found = Stage()
        opened = found.services.open_account
        monkeypatch.setattr("posture.organization.members.open_members", lambda *_: opened)
        yield found
    for each in made:
        each.cache_clear()


def test_the_schedule_surveys_the_members_of_the_table(stage: Stage) -> None:
    """Those that are members at the time, and the own account, in one process."""
    stage.name(ONE)
    stage.name(OTHER, MemberState.LEFT)
    assert stage.survey({})["SharedPartsRead"] == 2 * len(SharedKind)
    assert stage.asked() == {HUB_ACCOUNT, ONE}
    stage.name(OTHER)
    stage.name(ONE, MemberState.LEFT)
    assert stage.survey({})["SharedPartsFailed"] == 0
    assert OTHER in stage.asked()
    stored = {account for _, account in stage.network.load_times(REGION, datetime.now(UTC))}
    assert {HUB_ACCOUNT, OTHER} <= stored
    stage.asked()
    assert stage.survey({})["SharedPartsRead"] == 0  # all of the members was read a moment ago
    assert ONE not in stage.asked()


def test_changes_of_members_alone_are_surveyed(stage: Stage) -> None:
    """What is of another account, or of one that left, is acknowledged and counted."""
    stage.name(ONE)
    stage.name(OTHER, MemberState.LEFT)
    assert stage.receive(ONE, OTHER, "999999999999") == {"batchItemFailures": []}
    assert ONE in stage.asked()
    assert '"ChangesUnmonitored":[2.0]' in stage.survey.log.getvalue().replace(" ", "")
    stage.name(OTHER)
    assert stage.receive(OTHER) == {"batchItemFailures": []}
    assert OTHER in stage.asked()


def test_members_that_cannot_be_read_are_not_taken_for_none(stage: Stage) -> None:
    """The changes are received again, and the schedule fails."""
    stage.name(ONE)

    def deny(model: Any, **_: Any) -> None:
        error: Any = {"Error": {"Code": "AccessDeniedException", "Message": "no"}}
        raise ClientError(error, model.name)

    stage.survey({})
    events = clients.dynamodb().meta.events
    events.register("before-call.dynamodb.Query", deny)
    with pytest.raises(ClientError, match="AccessDenied"):
        stage.receive(ONE)
    with pytest.raises(ClientError, match="AccessDenied"):
        stage.survey({})
    events.unregister("before-call.dynamodb.Query", deny)
    assert stage.receive(ONE) == {"batchItemFailures": []}


def test_a_member_that_denies_access_is_named_and_delays_no_other(stage: Stage) -> None:
    """The facts of the others are stored; those of it are unread, and the metric counts them."""
    stage.name(ONE)
    stage.name(OTHER)
    stage.services.fail(ONE, "AccessDenied", "ListResolverRules")
    counted = stage.survey({})
    assert counted["SharedPartsRead"] == 3 * len(SharedKind)
    assert counted["SharedFactsUnread"] >= 1
    unread = stage.network.load(REGION, {HUB_ACCOUNT, ONE, OTHER}, datetime.now(UTC)).network.unread
    assert {each.account for each in unread} == {ONE}
