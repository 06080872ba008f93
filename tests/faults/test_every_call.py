"""Every AWS call of every function is struck in turn, and the monitor gets over it."""

import os
from collections.abc import Iterator

import boto3
import pytest
from botocore.exceptions import ClientError

from fault_injection import Fault, Run, Strikes
from faulty_monitor import (
    FaultyMonitor,
    assert_history_replays,
    evaluate_directly,
    faulty,
    tampered,
)
from monitor_stage import ANY_ADDRESS, shared_session
from posture.ec2.observer import Observer
from posture.model.scope import Region, Scope
from sample_network import REGION, SampleNetwork, build_sample_network

MEMBER = "222222222222"
THOROUGH = bool(os.environ.get("FAULT_STORIES"))
# A kill after one call is a kill before the next one, so only `make faults` strikes both.
KINDS = list(Fault) if THOROUGH else [Fault.KILLED_AFTER]


@pytest.fixture
def monitor() -> Iterator[FaultyMonitor]:
    """Return a monitor that has swept its region."""
    with faulty() as monitor:
        monitor.settle()
        yield monitor


def move(monitor: FaultyMonitor) -> None:
    """Open the group, or close it where it is open; the record is in the queue."""
    stage = monitor.stage
    (stage.close_group if stage.about(stage.network.group) else stage.open_group)()
    for record in stage.taken():
        monitor.send(record)


def assert_sound(monitor: FaultyMonitor) -> None:
    """What changed is found, and each transition reported."""
    scope = monitor.stage.network.scope
    assert monitor.stored(scope).keys() == monitor.truth_of(scope).keys()
    steps = {
        (each.transition.finding.id, each.transition.finding.version)
        for each in monitor.history(scope)
    }
    count_reported = monitor.count_reported()
    assert steps <= count_reported.keys()
    assert {each for each, times in count_reported.items() if times > 1} <= monitor.excused


@pytest.mark.parametrize("fault", KINDS)
def test_the_evaluator_gets_over_it(monitor: FaultyMonitor, fault: Fault) -> None:
    """After a fault at any call, a change is handed out again, and recorded and reported once."""
    number, calls = 0, 1
    while number < calls:
        move(monitor)
        run = monitor.evaluate(list(monitor.queue), Run("evaluate", {number: fault}))
        while monitor.queue:
            calls = max(calls, len(monitor.evaluate(list(monitor.queue)).calls))
        calls = max(calls, len(run.calls))
        if fault in {
            Fault.STALE,
            Fault.DENIED,
        }:  # the snapshot is wrong, so a second evaluation follows
            monitor.send_again(monitor.records[-1:])
            monitor.evaluate(list(monitor.queue))
        monitor.report_all()
        assert_sound(monitor)
        number += 1
    assert calls > 15


@pytest.mark.parametrize("fault", KINDS)
def test_the_sweep_gets_over_it(monitor: FaultyMonitor, fault: Fault) -> None:
    """Struck at any call, the next sweep does what this one left undone."""
    number, calls = 0, 1
    while number < calls:
        move(monitor)
        monitor.queue.clear()
        calls = max(calls, len(monitor.sweep(Run("sweep", {number: fault})).calls))
        calls = max(calls, len(monitor.sweep().calls))
        monitor.report_all()
        assert_sound(monitor)
        number += 1 if THOROUGH else 3
    assert calls > 15


@pytest.fixture
def member(monkeypatch: pytest.MonkeyPatch) -> SampleNetwork:
    """Return a network in a member account, as its own administrator made it."""
    monkeypatch.setattr("posture.runtime.clients.session", lambda: tampered()[0]._session)
    sts = shared_session().client("sts")
    role = f"arn:aws:iam::{MEMBER}:role/Admin"
    made = sts.assume_role(RoleArn=role, RoleSessionName="admin")["Credentials"]
    session = boto3.Session(
        made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"], region_name=REGION
    )
    return build_sample_network(session.client("ec2"))


def flip(network: SampleNetwork) -> None:
    """Open the endpoint to 0.0.0.0/0, or close it."""
    rule = {"GroupId": network.group, "IpPermissions": [ANY_ADDRESS]}
    try:
        network.ec2.authorize_security_group_ingress(**rule)
    except ClientError:
        network.ec2.revoke_security_group_ingress(**rule)


@pytest.mark.parametrize("fault", KINDS)
def test_the_sweep_of_a_member_gets_over_it(
    monitor: FaultyMonitor, member: SampleNetwork, fault: Fault
) -> None:
    """Struck at any call, the one that assumes its role included, the next sweep mends it."""
    home = Region(MEMBER, REGION)
    scope = Scope(MEMBER, REGION, member.vpc)
    number, calls, names = 0, 1, set[str]()
    while number < calls:
        flip(member)
        for struck in (number, None):
            strikes: Strikes = {} if struck is None else {struck: fault}
            run = monitor.sweep(Run("sweep of a member", strikes), monitor.member(home))
            calls = max(calls, len(run.calls))
            names |= {each.name for each in run.calls}
        truth = evaluate_directly(Observer(member.ec2, home), scope)
        assert monitor.stored(scope).keys() == truth.keys()
        number += 1 if THOROUGH else 5
    assert_history_replays(monitor)
    assert "AssumeRole" in names
    assert calls > 15


@pytest.mark.parametrize("many", [5, 0], ids=["alone", "in digests"])
@pytest.mark.parametrize("fault", KINDS)
def test_the_notifier_gets_over_it(
    monitor: FaultyMonitor, fault: Fault, many: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a fault at any call, an alert is sent; twice only after a fault while it was sent."""
    monkeypatch.setattr("posture.notification.notify.MAX_SINGLE_ALERTS", many)
    number, calls = 0, 1
    while number < calls:
        move(monitor)
        monitor.evaluate(list(monitor.queue))
        run = monitor.notify(Run("notify", {number: fault}))
        calls = max(calls, len(run.calls), monitor.report_all())
        assert_sound(monitor)
        number += 1
    assert calls > 3


def test_another_evaluator_gets_in_between(monitor: FaultyMonitor) -> None:
    """Whichever call a whole sweep overtakes, versions are neither skipped nor repeated."""
    for _ in range(2):  # the first one reads what the process remembers from then on
        move(monitor)
        calls = monitor.evaluate(list(monitor.queue)).calls
    for number in (at for at, call in enumerate(calls) if THOROUGH or call.service == "dynamodb"):
        move(monitor)
        monitor.evaluate(list(monitor.queue), Run("evaluate", meanwhile={number: monitor.sweep}))
        monitor.settle()
        assert_sound(monitor)
        assert_history_replays(monitor)
