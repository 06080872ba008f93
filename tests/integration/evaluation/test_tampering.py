"""Calls that can stop the monitor are findings with their caller, until they are acknowledged."""

import json
from datetime import datetime, timedelta
from typing import Any

from monitor_stage import HOME, Stage, batch
from posture.model.finding import CauseKind, Finding, FindingStatus, Step
from posture.model.instant import format_iso
from posture.model.scope import Region
from posture.model.waiver import Waiver
from posture.store.history import History
from posture.store.waivers import WaiverTable
from posture_cli.embedded.cloudtrail import ApiCaller
from sample_network import ACCOUNT
from stack_tables import TABLES
from stored_findings import read_stored_findings
from tampering_calls import MALLORY, NAMED, build_event, fill

SCOPE = HOME.monitor
RULE = "posture-ChangesRule-AB12"
SECURITY = "arn:aws:iam::111122223333:role/Security/eve"
DEPLOYER = ApiCaller(ACCOUNT, "deploy", "ci", invoked_by="cloudformation.amazonaws.com")


def disable(stage: Stage, event_id: str = "e-1", **more: Any) -> dict[str, Any]:
    """Return the event of someone who disables the rule of changes now."""
    at = stage.clock.time
    return build_event("events", "DisableRule", {"name": RULE}, time=at, event_id=event_id, **more)


def wrap(event: dict[str, Any]) -> str:
    """Return the message with an event as a rule's target wraps it."""
    return json.dumps({"tampering": event})


def raw(event: dict[str, Any]) -> str:
    """Return the message with an event itself."""
    return json.dumps(event)


def load(stage: Stage) -> dict[str, Finding]:
    """Return the findings about the monitor, by resource."""
    return {it.resource: it for it in read_stored_findings(stage.store, SCOPE).values()}


def list_steps(stage: Stage) -> list[Step]:
    """Return what happened to them, in order."""
    rows = History(stage.dynamodb, TABLES.history).find_by_scope(SCOPE)
    return [row.transition.step for row in sorted(rows, key=lambda it: it.number or 0)]


def waive(stage: Stage, until: datetime, *, resource: str = "*") -> None:
    """Approve a waiver now."""
    now = stage.clock.time
    waiver = Waiver(
        "w-1",
        "monitor-tampering",
        resource,
        "*",
        "planned",
        "CHG-1",
        SECURITY,
        now,
        until,
        SECURITY,
        now,
    )
    WaiverTable(stage.dynamodb, TABLES.baseline, TABLES.history).add(waiver)


def test_a_call_is_a_finding_of_what_it_changed(stage: Stage) -> None:
    """Who called what, from where and when is in the finding, its cause and the history."""
    time = stage.clock.time
    assert not stage.evaluate(wrap(disable(stage))).failed
    (finding,) = load(stage).values()
    assert (finding.resource, finding.status) == (RULE, FindingStatus.OPEN)
    cause = finding.opened_by.cause
    assert cause
    assert (cause.actor, cause.event_name, cause.time) == (MALLORY.arn, "DisableRule", time)
    assert cause.source_ip == MALLORY.source_ip
    (fact,) = finding.verdict.evidence
    for part in (MALLORY.arn, "events:DisableRule", RULE, MALLORY.source_ip, format_iso(time)):
        assert part in fact.text
    assert list_steps(stage) == [Step.OPENED]


def test_a_call_that_arrives_twice_is_told_once(stage: Stage) -> None:
    """The queue delivers a message more than once, with and without the wrapper."""
    event = disable(stage)
    for _ in range(2):
        stage.evaluate(wrap(event))
        stage.evaluate(raw(event))
    assert list_steps(stage) == [Step.OPENED]


def test_a_further_call_changes_the_finding(stage: Stage) -> None:
    """Its cause is the later call, what opened it the first."""
    first, second = disable(stage), disable(stage, "e-2", caller=ApiCaller(ACCOUNT, "Admin", "eve"))
    stage.evaluate(raw(first))
    stage.evaluate(raw(second))
    finding = load(stage)[RULE]
    assert finding.opened_by.cause
    assert finding.opened_by.cause.event_id == "e-1"
    assert finding.cause
    assert finding.cause.event_id == "e-2"
    assert {it.record["event_id"] for it in finding.verdict.evidence} == {"e-1", "e-2"}
    assert list_steps(stage) == [Step.OPENED, Step.CHANGED]


def test_it_stays_open_until_a_waiver_for_it_has_expired(stage: Stage) -> None:
    """No sweep resolves it by itself: a person has to look at it."""
    stage.evaluate(raw(disable(stage)))
    stage.sweep()
    assert load(stage)[RULE].status is FindingStatus.OPEN
    waive(stage, stage.clock.time + timedelta(days=1))
    stage.sweep()
    assert load(stage)[RULE].status is FindingStatus.WAIVED
    stage.clock.time += timedelta(days=2)
    stage.sweep()
    finding = load(stage)[RULE]
    assert finding.status is FindingStatus.RESOLVED
    assert finding.resolved_by
    assert finding.resolved_by.cause
    assert finding.resolved_by.cause.kind is CauseKind.WAIVER
    assert finding.resolved_by.cause.actor == SECURITY
    assert list_steps(stage) == [Step.OPENED, Step.WAIVED, Step.RESOLVED]
    stage.sweep()
    assert len(list_steps(stage)) == 3


def test_an_acknowledged_call_does_not_come_back_but_a_new_one_does(stage: Stage) -> None:
    """The message of the old call may be delivered again, even later."""
    event = disable(stage)
    stage.evaluate(raw(event))
    waive(stage, stage.clock.time + timedelta(hours=1))
    stage.clock.time += timedelta(hours=2)
    stage.sweep()
    assert load(stage)[RULE].status is FindingStatus.RESOLVED
    stage.evaluate(raw(event))
    assert load(stage)[RULE].status is FindingStatus.RESOLVED
    stage.evaluate(raw(disable(stage, "e-2")))
    assert load(stage)[RULE].status is FindingStatus.OPEN


def test_a_revoked_waiver_acknowledges_nothing(stage: Stage) -> None:
    """The finding opens again."""
    stage.evaluate(raw(disable(stage)))
    waive(stage, stage.clock.time + timedelta(days=1))
    stage.sweep()
    table = WaiverTable(stage.dynamodb, TABLES.baseline, TABLES.history)
    table.revoke(table.get("w-1"), SECURITY, stage.clock())
    stage.clock.time += timedelta(days=2)
    stage.sweep()
    assert load(stage)[RULE].status is FindingStatus.OPEN


def test_a_waiver_covers_a_planned_deployment_in_advance(stage: Stage) -> None:
    """What CloudFormation changes is one finding, less severe, of who deployed."""
    waive(stage, stage.clock.time + timedelta(hours=1), resource="CloudFormation")
    calls = [
        build_event(service, call, fill(named, "posture"), event_id=f"e-{number}", caller=DEPLOYER)
        for number, (service, call, named, _) in enumerate(NAMED)
        if service != "cloudformation"
    ]
    assert not stage.evaluate(*map(wrap, calls)).failed
    (finding,) = load(stage).values()
    assert (finding.resource, finding.status) == ("CloudFormation", FindingStatus.WAIVED)
    assert finding.severity.value == "medium"
    assert finding.opened_by.actors == (f"{DEPLOYER.arn} (through cloudformation.amazonaws.com)",)
    stage.clock.time += timedelta(hours=2)
    stage.sweep()
    assert load(stage)["CloudFormation"].status is FindingStatus.RESOLVED


def test_a_caller_cannot_pass_for_cloudformation(stage: Stage) -> None:
    """Callers choose their user agent; CloudTrail writes the source address."""
    stage.evaluate(raw(disable(stage, userAgent="cloudformation.amazonaws.com")))
    assert list(load(stage)) == [RULE]


def test_a_failed_call_is_no_finding(stage: Stage) -> None:
    """The rules do not deliver it; a redriven message might."""
    assert stage.evaluate(raw(disable(stage, errorCode="AccessDenied"))).ignored == 1
    assert not load(stage)


def test_a_call_to_ec2_needs_the_wrapper(stage: Stage) -> None:
    """Without it, it is a change of a network like any other."""
    request = {
        "DeleteVpcEndpointsRequest": {
            "VpcEndpointId": {"tag": 1, "content": "vpce-0a1b2c3d4e5f60718"}
        }
    }
    event = build_event("ec2", "DeleteVpcEndpoints", request)
    stage.evaluate(raw(event))
    assert not load(stage)
    stage.evaluate(wrap(event))
    assert list(load(stage)) == ["vpce-0a1b2c3d4e5f60718"]


def test_a_call_of_an_account_that_is_not_monitored_is_dropped(stage: Stage) -> None:
    """No untrusted account can open findings."""
    untrusted = ApiCaller("999999999999", "Admin", "eve")
    assert stage.evaluate(wrap(disable(stage, caller=untrusted))).unmonitored == 1
    assert not stage.store.load_record(Region("999999999999", HOME.name).monitor)


def test_a_call_that_a_global_service_records_elsewhere_is_of_this_region(stage: Stage) -> None:
    """IAM records its calls in us-east-1 only."""
    event = build_event("iam", "DeleteRole", {"roleName": "posture-SweepRole-AB12"})
    event["region"] = event["detail"]["awsRegion"] = "us-east-1"
    assert not stage.evaluate(wrap(event)).unmonitored
    assert list(load(stage)) == ["posture-SweepRole-AB12"]


def test_changes_of_the_same_batch_are_evaluated_and_a_broken_message_is_alone(
    stage: Stage,
) -> None:
    """One message with a call that cannot be read does not fail the others."""
    stage.sweep()
    stage.clock.time += timedelta(hours=1)
    stage.open_group()
    result = stage.evaluator().evaluate(
        batch(wrap({"detail": {}}), wrap(disable(stage)), *stage.taken())
    )
    assert result.failed == ("m-1",)
    assert stage.about(stage.network.group)
    assert load(stage)[RULE].status is FindingStatus.OPEN


def test_a_sweep_ends_no_other_finding_with_it(stage: Stage) -> None:
    """The monitor is neither a VPC that is gone nor a Region that can be read again."""
    stage.evaluate(raw(disable(stage)))
    end = stage.fail("DescribeVpcs", "UnauthorizedOperation")
    stage.sweep()
    assert len(stage.findings(HOME.scope)) <= 1
    end()
    stage.sweep()
    assert load(stage)[RULE].status is FindingStatus.OPEN
    assert not stage.findings(HOME.scope)


def test_names_of_any_length_are_recorded(stage: Stage) -> None:
    """A caller chooses the user agent, and some of the names."""
    long = "x" * 60_000
    event = build_event("events", "DisableRule", {"name": long}, userAgent=long, event_id=long)
    assert not stage.evaluate(wrap(event)).failed
    (finding,) = load(stage).values()
    assert finding.resource.startswith("xxx")
