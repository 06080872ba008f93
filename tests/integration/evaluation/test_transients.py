"""What was opened and put back between two looks is recorded once, alerted and verified."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from monitor_stage import ALICE, Stage, shared_session
from posture.attribution.transients import POSSIBLE, PUT_BACK
from posture.model.finding import Step, Transition
from posture.model.waiver import Waiver
from posture.rules.record import CHANGES_NOT_FOLLOWED
from posture.store.history import History
from posture.store.items import parse_stream_record
from posture.store.waivers import WaiverTable
from posture_cli.audit.past import find_episodes
from posture_cli.audit.verify import Verifier
from posture_cli.embedded.cloudtrail import ApiCaller, record_calls
from sample_network import ACCOUNT
from stack_tables import TABLES

OPEN = "endpoint-security-group-open"
BOB = ApiCaller(ACCOUNT, "NetworkAdmin", "bob")
Record = dict[str, Any]


def flap(stage: Stage, seconds: float = 30) -> tuple[Record, Record]:
    """Let Alice open the group, and Bob close it; return the records of both calls."""
    stage.open_group()
    (opened,) = stage.taken()
    stage.clock.time += timedelta(seconds=seconds)
    bob = shared_session().client("ec2")
    record_calls(bob, BOB, stage.deliver)
    stage.alice, alice = bob, stage.alice
    stage.close_group()
    stage.alice = alice
    (closed,) = stage.taken()
    stage.clock.time += timedelta(seconds=10)
    return opened, closed


def list_transients(stage: Stage, rule: str | None = OPEN) -> list[Transition]:
    """List the transient findings in history."""
    rows = History(stage.dynamodb, TABLES.history).find_by_scope(stage.network.scope)
    steps = (row.transition for row in rows if row.transition.step is Step.TRANSIENT)
    return [step for step in steps if rule in {None, step.finding.rule}]


def name(step: Transition) -> tuple[str, list[str], list[str]]:
    """Return the reason, who opened it, and who put it back."""
    finding = step.finding
    assert finding.resolved_by is not None
    return step.reason, list(finding.opened_by.actors), list(finding.resolved_by.actors)


CERTAIN = (PUT_BACK, [ALICE.arn], [BOB.arn])


def test_what_one_batch_opens_and_puts_back_is_recorded(watched: Stage) -> None:
    """With both callers and times; the finding itself was never open."""
    opened, closed = flap(watched)
    watched.evaluate(opened, closed)
    (step,) = list_transients(watched)
    assert name(step) == CERTAIN
    times = step.finding.opened_at, step.finding.updated_at
    assert [f"{each:%Y-%m-%dT%H:%M:%SZ}" for each in times] == [
        opened["eventTime"],
        closed["eventTime"],
    ]
    assert OPEN not in {each.rule for each in watched.findings()}


@pytest.mark.parametrize("order", ["as made", "reversed"])
def test_each_event_may_come_alone_and_in_any_order(watched: Stage, order: str) -> None:
    """What is known of the first one is kept until the second one comes."""
    records = flap(watched)
    for record in records if order == "as made" else records[::-1]:
        watched.evaluate(record)
    (step,) = list_transients(watched)
    assert name(step) == CERTAIN


def test_duplicates_and_second_looks_record_nothing_more(watched: Stage) -> None:
    """Nor do they raise another alert."""
    records = flap(watched)
    watched.evaluate(*records)
    before = watched.rows()
    for minutes in (0, 1, 5, 20):
        watched.clock.time += timedelta(minutes=minutes)
        watched.evaluate(*records)
        watched.evaluate(records[1])
        watched.evaluate(records[0])
    assert watched.rows() == before


def test_an_event_that_never_comes_leaves_its_caller_unknown(watched: Stage) -> None:
    """The second look does not wait any longer."""
    opened, _ = flap(watched)
    watched.evaluate(opened)
    assert list_transients(watched) == []
    watched.clock.time += timedelta(minutes=5)
    watched.evaluate(opened)
    (step,) = list_transients(watched)
    assert name(step) == (f"{POSSIBLE}what put it back is not known", [ALICE.arn], [])


def test_an_event_after_another_snapshot_is_found_in_its_own_window(watched: Stage) -> None:
    """It comes late, when something else was changed and observed."""
    opened, closed = flap(watched)
    watched.alice.delete_vpc_endpoints(VpcEndpointIds=[watched.network.gateway])
    watched.evaluate(closed, *watched.taken())
    watched.clock.time += timedelta(minutes=3)
    watched.evaluate(opened)
    (step,) = list_transients(watched)
    assert name(step) == CERTAIN


def test_what_was_observed_while_open_is_no_transient(watched: Stage) -> None:
    """It was a finding, and duplicates do not make it another one."""
    watched.open_group()
    (opened,) = watched.taken()
    watched.evaluate(opened)
    watched.clock.time += timedelta(seconds=20)
    watched.close_group()
    (closed,) = watched.taken()
    watched.evaluate(closed, opened)
    for _ in range(2):
        watched.clock.time += timedelta(minutes=5)
        watched.evaluate(opened, closed)
    assert list_transients(watched, None) == []


@pytest.mark.parametrize("gap", [0.2, 0.4, 0.6, 0.8])
def test_what_was_observed_while_open_is_no_transient_of_a_later_window(
    watched: Stage, gap: float
) -> None:
    """By whole seconds, both calls may lie in each of the windows that end soon after them."""
    records: list[Record] = []
    watched.clock.step = timedelta()

    def observe(seconds: float) -> None:
        watched.clock.time += timedelta(seconds=seconds)
        records.extend(taken := watched.taken())
        watched.evaluate(*taken)

    watched.open_group()
    observe(gap / 2)
    watched.close_group()
    observe(gap / 2)
    for number in range(4):
        block = f"10.0.{200 + number}.0/28"
        watched.alice.create_subnet(VpcId=watched.network.vpc, CidrBlock=block)
        observe(gap)
    watched.clock.time += timedelta(minutes=1)
    watched.open_group()  # the same finding, which another call opens now
    observe(10)
    watched.close_group()
    observe(10)
    before = watched.rows()
    watched.clock.time += timedelta(minutes=1)
    watched.evaluate(*records)
    for record in reversed(records):
        watched.evaluate(record)
    assert list_transients(watched, None) == []
    assert watched.rows() == before


def test_what_another_call_hides_is_recorded(watched: Stage) -> None:
    """The endpoint that had the open group is gone at the look."""
    watched.open_group()
    watched.clock.time += timedelta(seconds=9)
    watched.alice.delete_vpc_endpoints(VpcEndpointIds=[watched.network.interface])
    watched.evaluate()
    (step,) = list_transients(watched)
    assert step.finding.resolved_by is not None
    assert step.finding.resolved_by.cause is not None
    assert step.finding.resolved_by.cause.event_name == "DeleteVpcEndpoints"


def test_a_waiver_accepts_it_as_it_accepts_a_finding(watched: Stage) -> None:
    """Nothing is recorded."""
    now = watched.clock.time
    waiver = Waiver(
        id="w-1",
        rule=OPEN,
        resource="*",
        scope="*",
        reason="accepted",
        ticket="T-1",
        requested_by="arn:aws:iam::111122223333:user/carol",
        requested_at=now - timedelta(days=1),
        expires_at=now + timedelta(days=1),
        approved_by="arn:aws:iam::111122223333:user/dave",
        approved_at=now - timedelta(hours=2),
    )
    WaiverTable(watched.dynamodb, TABLES.baseline, TABLES.history).add(waiver)
    watched.evaluate(*flap(watched))
    assert list_transients(watched) == []


def test_its_mark_is_reported_once_and_the_history_verifies(watched: Stage) -> None:
    """The stream record of the mark names the commit, and `posture verify` finds no fault."""
    watched.evaluate(*flap(watched))
    items = watched.dynamodb.query(
        TableName=TABLES.findings,
        KeyConditionExpression="#scope = :scope AND begins_with(#item, :prefix)",
        ExpressionAttributeNames={"#scope": "scope", "#item": "item"},
        ExpressionAttributeValues={
            ":scope": {"S": str(watched.network.scope)},
            ":prefix": {"S": "~transient#"},
        },
    )["Items"]
    (row,) = list_transients(watched)
    commits = {
        parse_stream_record({"dynamodb": {"NewImage": item, "SequenceNumber": "1"}})
        for item in items
    }
    assert len(commits) == 1
    (commit,) = commits
    assert commit is not None
    history = History(watched.dynamodb, TABLES.history)
    reported = history.load_commit(commit.scope, commit.commit)
    assert row in [each.transition for each in reported]
    verifier = Verifier(watched.dynamodb, TABLES, watched.clock)
    (result,) = verifier.verify_scopes([watched.network.scope])
    assert result.fault is None


def test_what_was_followed_before_is_not_counted_again(
    watched: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A group that is opened and closed all the time leaves each time once, and no entry more."""
    monkeypatch.setattr("posture.attribution.transients.MAX_FOLLOWED", 4)
    for _ in range(4):
        watched.evaluate(*flap(watched))
    assert [name(step) for step in list_transients(watched)] == [CERTAIN] * 4
    assert list_transients(watched, CHANGES_NOT_FOLLOWED.id) == []
    many = [record for _ in range(4) for record in flap(watched)]
    watched.evaluate(*many)
    (step,) = list_transients(watched, CHANGES_NOT_FOLLOWED.id)
    assert step.reason == f"{POSSIBLE}3 changes were not followed"
    watched.evaluate(*many)
    assert len(list_transients(watched, CHANGES_NOT_FOLLOWED.id)) == 1


def test_a_call_that_is_known_later_amends_who_put_it_back(watched: Stage) -> None:
    """Alice opened it twice and Bob closed it twice; the calls in between come late."""
    first, second = flap(watched), flap(watched)
    watched.evaluate(first[0], second[1])
    (step,) = list_transients(watched)
    assert step.finding.updated_at > list_times(first)[1]
    watched.clock.time += timedelta(minutes=2)
    watched.evaluate(first[1], second[0])
    history = History(watched.dynamodb, TABLES.history)
    rows = list(history.find_by_scope(watched.network.scope))
    found = [row.transition for row in rows if row.transition.finding.rule == OPEN]
    times = [list_times(first), list_times(second)]
    reported = {(it.step, it.finding.opened_at, it.finding.updated_at) for it in found}
    assert reported == {
        (Step.TRANSIENT, times[0][0], times[1][1]),
        (Step.AMENDED, *times[0]),
        (Step.TRANSIENT, *times[1]),
    }
    (result,) = Verifier(watched.dynamodb, TABLES, watched.clock).verify_scopes(
        [watched.network.scope]
    )
    assert result.fault is None
    since, until = step.finding.opened_at, watched.clock.time
    episodes = [it for it in find_episodes(rows, since, until) if it.finding.rule == OPEN]
    assert sorted((it.finding.opened_at, it.finding.updated_at) for it in episodes) == times


def list_times(records: tuple[Record, Record]) -> tuple[datetime, datetime]:
    """Return when the calls were made."""
    first, last = (datetime.fromisoformat(each["eventTime"]) for each in records)
    return first, last


def test_a_late_event_is_followed_although_the_scope_is_settled(watched: Stage) -> None:
    """The other one was followed long before, and nothing else changed since."""
    opened, closed = flap(watched)
    watched.evaluate(closed)
    watched.clock.time += timedelta(minutes=9)
    watched.evaluate(opened)
    (step,) = list_transients(watched)
    assert name(step) == CERTAIN


def test_a_late_event_is_followed_back_over_many_observations(watched: Stage) -> None:
    """Each of them found another change, so that the snapshot of the time is not the latest."""
    opened, closed = flap(watched)
    watched.evaluate(closed)
    for number in range(7):
        block = f"10.0.{200 + number}.0/28"
        watched.alice.create_subnet(VpcId=watched.network.vpc, CidrBlock=block)
        watched.evaluate()
        watched.clock.time += timedelta(seconds=40)
    watched.evaluate(opened)
    (step,) = list_transients(watched)
    assert name(step) == CERTAIN


def test_what_nobody_is_known_to_have_put_back_is_told_after_other_changes(watched: Stage) -> None:
    """The second evaluation of the call comes when the latest snapshot is a later one."""
    opened, _ = flap(watched)
    watched.evaluate(opened)
    assert list_transients(watched) == []
    watched.alice.create_subnet(VpcId=watched.network.vpc, CidrBlock="10.0.200.0/28")
    watched.evaluate()
    watched.clock.time += timedelta(minutes=5)
    watched.evaluate(opened)
    (step,) = list_transients(watched)
    assert (step.reason.startswith(POSSIBLE), step.finding.opened_by.actors) == (True, (ALICE.arn,))


def test_the_permissions_of_an_endpoint_service_are_followed_as_well(watched: Stage) -> None:
    """Any account could connect for a minute."""
    made = watched.network.ec2.create_vpc_endpoint_service_configuration(
        NetworkLoadBalancerArns=[watched.load_balancer()], AcceptanceRequired=True
    )
    service = made["ServiceConfiguration"]["ServiceId"]
    watched.sweep()
    watched.clock.time += timedelta(hours=1)
    for verb in ("Add", "Remove"):
        more: Any = {f"{verb}AllowedPrincipals": ["*"]}
        watched.alice.modify_vpc_endpoint_service_permissions(ServiceId=service, **more)
        watched.clock.time += timedelta(minutes=1)
    watched.evaluate()
    history = History(watched.dynamodb, TABLES.history)
    rows = history.find_by_scope(replace(watched.network.scope, subject=service))
    steps = {(row.transition.step, row.transition.finding.rule) for row in rows}
    assert (Step.TRANSIENT, "endpoint-service-allows-untrusted-principal") in steps
