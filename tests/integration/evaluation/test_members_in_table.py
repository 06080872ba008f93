"""Members in the baseline table: added, removed, denied and throttled while others change.

The handlers of the functions run as in Lambda, joined by the stream of the table.
"""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.iam import models

from member_accounts import ONE, OTHER, Organization
from monitor_stage import HOME, Stage, batch
from posture.errors import CorruptItemError
from posture.evaluation import member_sweep
from posture.model import member as member_model
from posture.model.finding import FindingStatus
from posture.model.member import Member, MemberSource, MemberState
from posture.model.scope import Region, Scope
from posture.runtime import clients
from posture.store import watched_accounts
from posture.store.history import History
from posture.store.members import MemberTable
from posture_cli.embedded.event_source_mappings import StreamMapping
from posture_cli.embedded.functions import EmbeddedFunction
from sample_network import ACCOUNT, REGION
from stack_tables import TABLES

ROOT = Path(__file__).parents[3]
SETTINGS = {
    "AWS_REGION": REGION,
    "MONITORED_ACCOUNT": ACCOUNT,
    "FINDINGS_TABLE": TABLES.findings,
    "HISTORY_TABLE": TABLES.history,
    "BASELINE_TABLE": TABLES.baseline,
    "OWNERSHIP_TABLE": TABLES.ownership,
    "IDEMPOTENCY_TABLE": TABLES.idempotency,
    "ALERT_TOPIC_ARN": f"arn:aws:sns:{REGION}:{ACCOUNT}:alerts",
    "STACK_NAME": "posture",
    "RESOLVED_FINDING_DAYS": "0",
    "MEMBERS": "table",
    "MEMBER_ROLE_NAME": "posture-look",
    "MEMBER_EXTERNAL_ID": "our-external-id",
    "POWERTOOLS_SERVICE_NAME": "posture",
    "POWERTOOLS_METRICS_NAMESPACE": "VpcEndpointPosture",
}


class Stack:
    """The functions of a stack whose members are in the table, and the stream between them."""

    def __init__(self, organization: Organization) -> None:
        self.organization = organization
        dynamodb = organization.stage.dynamodb
        made = dynamodb.update_table(
            TableName=TABLES.baseline,
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
        )
        self.table = MemberTable(dynamodb, TABLES.baseline)
        self.functions = {name: self._load(name) for name in ("evaluate", "sweep", "sweep_member")}
        self.received: list[str] = []  # the accounts that the worker received, in this order
        self.given_up: list[Any] = []  # records whose retries are exhausted
        pattern = {"dynamodb": {"Keys": {"kind": {"S": ["member"]}}}}
        properties = {
            "EventSourceArn": made["TableDescription"]["LatestStreamArn"],
            "BatchSize": 1,
            "MaximumRetryAttempts": 2,
            "FilterCriteria": {"Filters": [{"Pattern": json.dumps(pattern)}]},
        }
        streams = boto3.client("dynamodbstreams", region_name=REGION)
        self.stream = StreamMapping(streams, properties, self._work, self.given_up.extend)

    def deny(self, *accounts: str) -> None:
        """Let the roles of these accounts alone be refused, and new processes begin."""
        self.organization.lose(*accounts)
        self.functions = {name: self._load(name) for name in self.functions}

    def member(self, account: str) -> Member:
        """Return a member as it is stored."""
        stored = self.table.get(account)
        assert stored
        return stored

    def name(self, *accounts: str, state: MemberState = MemberState.ACTIVE) -> None:
        """Name accounts as the list of AWS Organizations does."""
        now = self.organization.stage.clock()
        for account in accounts:
            self.table.put(account, state, MemberSource.ORGANIZATION, now - timedelta(days=400))

    def settle(self) -> list[str]:
        """Let the worker receive all records; return the accounts that it looked at."""
        self.received.clear()
        for _ in range(50):
            if not self.stream.poll():
                return self.received
        raise AssertionError("the stream never ends: a member is due for ever")

    def sweep(self) -> Any:
        """Invoke the scheduled sweep; return what it counted."""
        return self.functions["sweep"]({})

    def evaluate(self, *records: Any) -> list[Any]:
        """Evaluate changes; return those to receive again."""
        answer = self.functions["evaluate"](batch(*records))
        return [each["itemIdentifier"] for each in answer["batchItemFailures"]]

    def measure(self, name: str, function: str) -> list[float]:
        """Return the values of a metric that a function wrote."""
        lines = self.functions[function].log.getvalue().splitlines()
        written = [json.loads(each) for each in lines if each.startswith("{")]
        return [value for each in written if name in each for value in each[name]]

    def _load(self, name: str) -> EmbeddedFunction:
        app = ROOT / "functions" / name / "app.py"
        return EmbeddedFunction(name, app, SETTINGS, f"arn:aws:lambda:{REGION}:{ACCOUNT}:{name}")

    def _work(self, event: Any) -> Any:
        self.received += [each["dynamodb"]["Keys"]["name"]["S"] for each in event["Records"]]
        return self.functions["sweep_member"](event)


@pytest.fixture
def stack(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """Return a stack of an organization of three accounts, of which the table names none."""
    # Each account has resources of its own, by the keys of a request; others are the monitor's.
    monkeypatch.delenv("MOTO_ACCOUNT_ID")
    monkeypatch.setattr(models, "DEFAULT_ACCOUNT_ID", ACCOUNT)
    monkeypatch.setattr(member_model, "ASKED_JUST_NOW", timedelta(0))
    monkeypatch.setattr(watched_accounts, "LIFETIME", 0.0)
    monkeypatch.setattr(member_sweep, "ATTEMPTS", 2)
    made: tuple[Any, ...] = (clients.session, clients.dynamodb, clients.ec2)
    for each in made:
        each.cache_clear()
    yield Stack(Organization(stage))
    for each in made:
        each.cache_clear()


def throttle(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Let EC2 throttle the accounts in the set that is returned."""
    throttled: set[str] = set()
    create = clients.member_ec2

    def create_throttled(role: str, *args: Any) -> Any:
        def refuse(**_: Any) -> None:
            if role.split(":")[4] in throttled:
                error: Any = {"Error": {"Code": "RequestLimitExceeded", "Message": "slow down"}}
                raise ClientError(error, "DescribeVpcs")

        made = create(role, *args)
        made.meta.events.register("before-call.ec2.DescribeVpcs", refuse)
        return made

    monkeypatch.setattr(clients, "member_ec2", create_throttled)
    return throttled


def test_members_are_swept_when_they_are_listed(stack: Stack) -> None:
    """Without waiting for the schedule; and with it, all of them once."""
    stack.name(ONE, OTHER)
    assert set(stack.settle()) == {ONE, OTHER}
    for account in (ONE, OTHER):
        member = stack.member(account)
        assert not member.is_due(stack.organization.stage.clock())
        assert member.swept_at == member.tried_at
        assert (member.last_error, member.attempts, member.begun_at) == ("", 0, None)
        vpc = stack.organization.networks[account].scope.subject
        scope = Scope(account, REGION, vpc)
        known = stack.organization.stage.store.load_region_records(Region(account, REGION), {})
        assert scope in {each.scope for each in known}
    before = stack.member(ONE).swept_at
    counts = stack.sweep()
    assert (counts["MembersAsked"], counts["MembersActive"]) == (2, 2)
    assert set(stack.settle()) == {ONE, OTHER}
    after = stack.member(ONE).swept_at
    assert before
    assert after
    assert after > before


def test_the_scheduled_sweep_reads_no_member_itself(stack: Stack) -> None:
    """It takes no longer for 5,000 members, and assumes no role."""
    stack.name(ONE, OTHER)
    stack.sweep()
    assert stack.organization.assumed == []
    assert stack.measure("MembersNeverSwept", "sweep") == [2]
    (age,) = stack.measure("LongestSinceMemberSweep", "sweep")
    assert age > timedelta(days=300).total_seconds()  # since it was first named, and never swept
    stack.settle()
    stack.sweep()
    assert stack.measure("LongestSinceMemberSweep", "sweep")[1] < 300
    assert stack.measure("MembersNeverSwept", "sweep") == [2]  # a count of 0 is not written


def test_changes_follow_the_table(stack: Stack) -> None:
    """Those of an account are evaluated as long as it is a member, without another deployment."""
    record = stack.organization.open_group(ONE)
    assert stack.evaluate(record) == []
    assert stack.organization.findings(ONE) == []
    assert stack.measure("ChangesUnmonitored", "evaluate") == [1]
    stack.name(ONE)
    assert stack.evaluate(record) == []
    assert stack.organization.findings(ONE)
    stack.name(ONE, state=MemberState.LEFT)
    assert stack.evaluate(record) == []
    assert stack.measure("ChangesUnmonitored", "evaluate") == [1, 1]


def test_members_that_cannot_be_read_are_not_taken_for_none(
    stack: Stack,
) -> None:
    """A change is received again, instead of being dropped as one of an unknown account."""
    record = stack.organization.open_group(ONE)
    stack.name(ONE)

    def deny(model: Any, **_: Any) -> None:
        error: Any = {"Error": {"Code": "AccessDeniedException", "Message": "no"}}
        raise ClientError(error, model.name)

    events = clients.dynamodb().meta.events
    events.register("before-call.dynamodb.Query", deny)
    with pytest.raises(ClientError, match="AccessDenied"):
        stack.evaluate(record)
    with pytest.raises(ClientError, match="AccessDenied"):
        stack.sweep()
    events.unregister("before-call.dynamodb.Query", deny)
    assert stack.evaluate(record) == []
    assert stack.organization.findings(ONE)


def test_findings_of_a_member_that_left_are_ended(stack: Stack) -> None:
    """With the reason, in the history as well; another one's stay, and it may come back."""
    organization = stack.organization
    for account in (ONE, OTHER):
        organization.open_group(account)
    stack.name(ONE, OTHER)
    stack.settle()
    (opened,) = [it for it in organization.findings(ONE) if "security-group-open" in it.rule]
    stack.name(ONE, state=MemberState.LEFT)
    stack.settle()
    assert organization.findings(ONE) == organization.findings(ONE, FindingStatus.UNKNOWN) == []
    (ended,) = [
        it for it in organization.findings(ONE, FindingStatus.RESOLVED) if it.id == opened.id
    ]
    assert ended.status is FindingStatus.RESOLVED
    rows = History(organization.stage.dynamodb, TABLES.history).find_by_scope(ended.scope)
    assert member_sweep.LEFT in {row.transition.reason for row in rows}
    assert organization.findings(OTHER)
    member = stack.member(ONE)
    assert not member.is_due(stack.organization.stage.clock())
    assert stack.sweep()["MembersLeft"] == 1
    stack.settle()
    stack.name(ONE)
    stack.settle()
    assert opened.id in {it.id for it in organization.findings(ONE)}


def test_each_member_that_leaves_is_counted_once(stack: Stack) -> None:
    """Also one without findings, whose end no alert reports: MembersLeftAlarm does."""
    stack.name(ONE, OTHER)
    stack.settle()
    stack.name(OTHER, state=MemberState.LEFT)
    stack.settle()
    stack.sweep()  # asks for those that left as well
    stack.settle()
    assert stack.measure("MembersEnded", "sweep_member") == [1]
    log = stack.functions["sweep_member"].log.getvalue().splitlines()
    (line,) = [each for each in log if "no longer a member" in each]
    assert json.loads(line)["account"] == OTHER
    assert json.loads(line)["decided_by"] == "organization"


def test_findings_that_are_recorded_after_a_member_left_end_with_the_next_sweep(
    stack: Stack,
) -> None:
    """An evaluation was under way when the account left."""
    stack.name(ONE)
    stack.settle()
    record = stack.organization.open_group(ONE)
    stack.name(ONE, state=MemberState.LEFT)
    stack.settle()
    stack.organization.evaluate(record)  # with the members of before
    assert stack.organization.findings(ONE)
    stack.sweep()
    stack.settle()
    assert stack.organization.findings(ONE) == []


def test_a_member_that_denies_access_holds_up_no_other(stack: Stack) -> None:
    """It is tried again behind the others, named, and asked for by the next sweep again."""
    stack.name(ONE, OTHER)
    stack.settle()
    before = stack.member(ONE).swept_at
    stack.deny(ONE)
    stack.organization.open_group(OTHER)
    stack.sweep()
    assert set(stack.settle()[:2]) == {ONE, OTHER}  # not tried again before the other one
    assert stack.organization.findings(OTHER)
    member = stack.member(ONE)
    assert not member.is_due(stack.organization.stage.clock())
    assert member.swept_at == before
    assert f"{ONE}/{REGION}: AccessDenied: sts:AssumeRole" in member.last_error
    assert stack.measure("MembersPostponed", "sweep_member") == [1]
    assert sum(stack.measure("AccountsNotSwept", "sweep_member")) == 1
    (finding,) = stack.organization.unread(ONE)
    assert finding.rule == "account-region-not-readable"
    assert stack.given_up == []  # no record is retried by Lambda for an account's sake
    assert stack.sweep()["MembersFailing"] == 1
    stack.deny()
    stack.settle()
    assert stack.member(ONE).last_error == ""
    assert stack.organization.unread(ONE) == []


def test_a_member_that_is_throttled_delays_no_other(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are swept and their changes evaluated; it follows when EC2 answers again."""
    throttled = throttle(monkeypatch)
    stack.name(ONE, OTHER)
    stack.settle()
    before = {account: stack.member(account).swept_at for account in (ONE, OTHER)}
    throttled.add(ONE)
    stack.sweep()
    assert set(stack.settle()[:2]) == {ONE, OTHER}
    assert "RequestLimitExceeded" in stack.member(ONE).last_error
    assert stack.member(ONE).swept_at == before[ONE]
    assert stack.member(OTHER).swept_at != before[OTHER]
    stack.evaluate(stack.organization.open_group(OTHER))
    assert "endpoint-security-group-open" in {it.rule for it in stack.organization.findings(OTHER)}
    throttled.clear()
    stack.sweep()
    stack.settle()
    assert stack.member(ONE).swept_at != before[ONE]
    assert stack.organization.unread(ONE) == []


def test_a_member_that_ends_the_process_is_given_up_by_name(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Out of memory or time: nothing is returned, and Lambda retries the record."""

    def crash(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    stack.name(ONE)
    with monkeypatch.context() as patched:
        patched.setattr(member_sweep, "sweep_accounts", crash)
        event = {"Records": [{"dynamodb": {"Keys": {"name": {"S": ONE}}, "SequenceNumber": "1"}}]}
        for _ in range(member_sweep.ATTEMPTS):
            with pytest.raises(KeyboardInterrupt):
                stack.functions["sweep_member"](event)
        assert stack.functions["sweep_member"](event) == {"batchItemFailures": []}
    assert stack.member(ONE).last_error == member_sweep.NEVER_ENDED
    assert stack.measure("AccountsNotSwept", "sweep_member") == [1]
    stack.settle()
    assert stack.member(ONE).swept_at is None
    stack.sweep()
    stack.settle()
    assert stack.member(ONE).swept_at


def test_a_record_whose_member_cannot_be_looked_up_is_received_again(stack: Stack) -> None:
    """DynamoDB does not answer: Lambda retries, then its failure destination has the record."""
    stack.name(ONE)
    stack.settle()
    stack.sweep()

    def fail(model: Any, **_: Any) -> None:
        error: Any = {"Error": {"Code": "InternalServerError", "Message": "later"}}
        raise ClientError(error, model.name)

    events = clients.dynamodb().meta.events
    events.register("before-call.dynamodb.GetItem", fail)
    assert stack.settle() == [ONE] * 3
    assert [it["dynamodb"]["Keys"]["name"]["S"] for it in stack.given_up] == [ONE]
    events.unregister("before-call.dynamodb.GetItem", fail)
    assert stack.member(ONE).is_due(stack.organization.stage.clock())
    stack.sweep()
    stack.settle()
    assert not stack.member(ONE).is_due(stack.organization.stage.clock())


def test_an_item_that_cannot_be_read_hides_no_other(stack: Stack) -> None:
    """Its account is named by the sweep and by the worker, and its changes are evaluated."""
    stack.name(ONE, OTHER)
    stack.organization.stage.dynamodb.update_item(
        TableName=TABLES.baseline,
        Key={"kind": {"S": "member"}, "name": {"S": ONE}},
        UpdateExpression="SET last_seen = :text",
        ExpressionAttributeValues={":text": {"S": "yesterday"}},
    )
    stack.settle()
    assert stack.member(OTHER).swept_at
    with pytest.raises(CorruptItemError, match=f"member / {ONE} cannot be read"):
        stack.sweep()
    assert stack.measure("MembersUnreadable", "sweep") == [1]
    assert stack.given_up == []
    stack.evaluate(stack.organization.open_group(ONE))
    assert stack.organization.findings(ONE)


def test_the_own_account_among_the_members_is_swept_by_the_schedule(stack: Stack) -> None:
    """The organization lists it as well; it has no role to assume."""
    stack.name(ACCOUNT)
    stack.settle()
    assert stack.organization.assumed == []
    assert stack.sweep()["MembersActive"] == 0
    assert stack.member(ACCOUNT).swept_at
    assert stack.organization.of(HOME.scope, FindingStatus.UNKNOWN) == []
