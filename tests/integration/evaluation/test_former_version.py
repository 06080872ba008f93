"""A table of the former version: its findings live on under the new rule ids, without an alert."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from former_version import rewrite_as_former_version, scan
from monitor_stage import HOME, Stage, shared_session
from notify_stage import STREAMS
from notify_stage import Stage as NotifyStage
from posture.model.finding import Finding, FindingStatus
from posture.model.rule_ids import FORMER_RULE_IDS, first_rule_id
from posture.model.waiver import Waiver
from posture.store.findings import Findings
from posture.store.history import History
from posture.store.scope_evaluation import Evaluation, WriteOutcome
from posture.store.waivers import WaiverTable
from posture_cli.audit.verify import Verifier
from stack_tables import TABLES
from stored_findings import read_stored_findings

ALICE = "arn:aws:iam::111122223333:user/alice"
OPEN_GROUP = "endpoint-security-group-open"


@pytest.fixture
def former(stage: Stage) -> Stage:
    """Return a region whose tables the former version wrote, a waived finding among them."""
    stage.open_group()
    stage.evaluate()
    at = stage.clock()
    waiver = Waiver(
        id="w-1",
        rule="endpoint-policy-full-access",
        resource=stage.network.gateway,
        scope="*",
        reason="being replaced",
        ticket="SEC-1",
        requested_by=ALICE,
        requested_at=at,
        expires_at=at + timedelta(days=30),
        approved_by=ALICE,
        approved_at=at,
    )
    WaiverTable(stage.dynamodb, TABLES.baseline, TABLES.history).add(waiver)
    stage.sweep()
    rewrite_as_former_version(stage.dynamodb)
    return stage


@pytest.fixture
def notifier(former: Stage) -> Iterator[NotifyStage]:
    """Return a notifier that reads the findings' stream, all of it so far taken as old."""
    session = shared_session()
    sns, sqs = session.client("sns"), session.client("sqs")
    topic_arn = sns.create_topic(Name="alerts")["TopicArn"]
    queue_url = sqs.create_queue(QueueName="inbox")["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])
    queue_arn = attributes["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=queue_arn)
    streams = session.client("dynamodbstreams", config=STREAMS)
    stage = NotifyStage(former.dynamodb, streams, sns, sqs, topic_arn, queue_url)
    yield stage
    stage.metrics.clear_metrics()


def stored(stage: Stage) -> dict[str, Finding]:
    """Return all findings of the full VPC by id."""
    return read_stored_findings(stage.store, stage.network.scope)


def item_keys(stage: Stage) -> set[str]:
    """Return the keys of all finding items of the full VPC."""
    items = scan(stage.dynamodb, TABLES.findings)
    return {
        each["item"]["S"]
        for each in items
        if each["kind"] == {"S": "finding"} and each["scope"]["S"] == str(stage.network.scope)
    }


def published(notifier: NotifyStage, after: int) -> list[Any]:
    """Let the notifier handle the stream after so many records; return what it published."""
    answer = notifier.notify(notifier.records()[after:])
    assert answer == {"batchItemFailures": []}
    return notifier.inbox()


def fault(stage: Stage) -> object:
    """Return what `posture verify` finds wrong in the full VPC's history."""
    verifier = Verifier(stage.dynamodb, TABLES, stage.clock)
    (result,) = verifier.verify_scopes(iter([stage.network.scope]))
    return result.fault


def test_the_stage_is_that_of_the_former_version(former: Stage) -> None:
    """The findings are under former ids, and some of them were renamed."""
    keys = item_keys(former)
    assert f"endpoint-open-to-everybody#{former.network.interface}" in keys
    assert f"endpoint-policy-full-access#{former.network.gateway}" in keys
    assert not {key.partition("#")[0] for key in keys} & set(FORMER_RULE_IDS.values())
    assert fault(former) is None


def test_findings_live_on_under_the_new_ids(former: Stage, notifier: NotifyStage) -> None:
    """No transition, no row of history, no alert: the items are rewritten, and that is all."""
    before, rows, records = stored(former), former.rows(), len(notifier.records())
    former.clock.time += timedelta(days=2)
    result = former.sweep()
    assert {each.outcome for each in result.results} == {WriteOutcome.UNCHANGED}
    assert all(each.evaluated for each in result.results)
    after = stored(former)
    assert after == before
    assert {each.status for each in after.values()} == {FindingStatus.OPEN, FindingStatus.WAIVED}
    assert item_keys(former) == {f"{each.rule}#{each.resource}" for each in after.values()}
    assert OPEN_GROUP in {each.rule for each in after.values()}
    assert former.rows() == rows
    assert fault(former) is None
    assert published(notifier, records) == []


def test_later_sweeps_write_nothing_more(former: Stage) -> None:
    """The words of the former version stay, and are not taken for a change of the network."""
    former.sweep()
    items = scan(former.dynamodb, TABLES.findings)
    former.clock.time += timedelta(days=2)
    former.sweep()
    kept = [each for each in items if each["kind"] == {"S": "finding"}]
    assert all(each in scan(former.dynamodb, TABLES.findings) for each in kept)


def test_a_real_change_is_reported_as_ever(former: Stage, notifier: NotifyStage) -> None:
    """The first evaluation after the upgrade resolves what was repaired, and names the call."""
    before, rows, records = stored(former), former.rows(), len(notifier.records())
    former.close_group()
    former.evaluate()
    (resolved,) = (
        each for each in stored(former).values() if each.status is FindingStatus.RESOLVED
    )
    assert resolved.rule == OPEN_GROUP
    assert resolved.resolved_by
    assert [each.event_name for each in resolved.resolved_by.candidates] == [
        "RevokeSecurityGroupIngress"
    ]
    assert resolved.version == before[resolved.id].version + 1
    assert former.rows() == rows + 1
    assert fault(former) is None
    (alert,) = published(notifier, records)
    assert OPEN_GROUP in alert["Message"]
    life = History(former.dynamodb, TABLES.history).find_by("id", resolved.id)
    assert [each.transition.finding.rule for each in life] == [OPEN_GROUP, OPEN_GROUP]


def test_a_finding_whose_facts_change_later_is_changed(former: Stage) -> None:
    """What is compared is the verdict of the first evaluation after the upgrade."""
    former.sweep()
    rows = former.rows()
    former.network.ec2.authorize_security_group_ingress(
        GroupId=former.network.group,
        IpPermissions=[
            {
                "IpProtocol": "tcp",
                "FromPort": 0,
                "ToPort": 65535,
                "Ipv6Ranges": [{"CidrIpv6": "::/0"}],
            }
        ],
    )
    former.sweep()
    assert former.rows() == rows + 1
    assert fault(former) is None


def test_a_waiver_on_a_former_id_holds_until_it_ends(former: Stage) -> None:
    """Its finding is waived before and after, and opens once it has expired."""
    former.sweep()
    (waived,) = (each for each in stored(former).values() if each.status is FindingStatus.WAIVED)
    assert (waived.rule, waived.resource) == (
        "endpoint-policy-allows-full-access",
        former.network.gateway,
    )
    former.clock.time += timedelta(days=31)
    former.sweep()
    assert stored(former)[waived.id] != waived
    assert stored(former)[waived.id].status is FindingStatus.OPEN


def test_a_vpc_that_is_gone_ends_its_former_findings(former: Stage) -> None:
    """The items under the former ids do not stay behind."""
    scope = replace(former.network.scope, subject=former.network.bare)
    before = dict(former.store.load(scope).findings)
    former.network.ec2.delete_vpc(VpcId=former.network.bare)
    former.sweep()
    after = former.store.load(scope).findings
    assert before.keys() == after.keys()
    assert {each.status for each in after.values()} <= {FindingStatus.RESOLVED}
    assert scope not in {each.scope for each in former.store.load_region_records(HOME, {})}


@pytest.mark.parametrize("asked", [OPEN_GROUP, first_rule_id(OPEN_GROUP)])
def test_a_rule_is_found_by_either_id(former: Stage, asked: str) -> None:
    """Before and after the items are rewritten."""
    findings = Findings(former.dynamodb, TABLES.findings)
    before = list(findings.find_by_rule(asked))
    assert [each.rule for each in before] == [OPEN_GROUP]
    former.sweep()
    assert list(findings.find_by_rule(asked)) == before


def test_of_two_evaluations_at_once_one_rewrites_the_items(former: Stage) -> None:
    """The other one meets the new revision, reads again and finds it done."""
    read_before = former.store.load(former.network.scope)
    former.sweep()
    result = former.store.load(former.network.scope)
    assert (len(read_before.former), len(result.former)) == (len(read_before.findings), 0)
    at = former.clock()
    late = Evaluation(former.network.scope, at)
    assert former.store.record(late, lambda _: (), read_before).outcome is WriteOutcome.UNCHANGED
    assert former.store.load(former.network.scope).findings == result.findings
