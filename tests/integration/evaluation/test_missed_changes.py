"""A change whose event was lost is counted by the sweep after the one that found it, once."""

from datetime import timedelta
from typing import Any

import pytest

from monitor_stage import ANY_ADDRESS, Stage
from posture.model.scope import Scope
from posture.store.scope_store import Store
from posture_cli.audit.verify import Verifier
from stack_tables import TABLES

HOUR = timedelta(hours=1)


def sweep_later(stage: Stage, after: timedelta = HOUR) -> int:
    """Sweep after a time; return how many changes without an event it counts."""
    stage.clock.time += after
    return stage.sweep().count_metrics()["ChangesWithoutEvent"]


def noted(stage: Stage) -> list[dict[str, Any]]:
    """Return what sweeps noted, as it is stored."""
    items = stage.dynamodb.scan(TableName="findings")["Items"]
    return [dict(each) for each in items if each["kind"] == {"S": "pending-cause"}]


def lose_event(stage: Stage) -> None:
    """Open the endpoint, by a call whose event never arrives."""
    stage.open_group()
    stage.taken()


def test_a_lost_event_counts_once(watched: Stage) -> None:
    """The first sweep finds what was changed; the next one knows that no event came."""
    lose_event(watched)
    assert sweep_later(watched) == 0
    assert watched.about(watched.network.group)
    assert sweep_later(watched) == 1
    assert sweep_later(watched) == 0


def test_a_repair_whose_event_was_lost_counts(watched: Stage) -> None:
    """Nobody would see who closed it, either."""
    watched.open_group()
    watched.evaluate()
    assert sweep_later(watched) == 0
    watched.close_group()
    watched.taken()
    assert sweep_later(watched) == 0
    assert not watched.about(watched.network.group)
    assert sweep_later(watched) == 1


def test_an_event_that_arrives_is_none_that_was_lost(watched: Stage) -> None:
    """Neither before the sweep nor some minutes after it."""
    watched.open_group()
    late = watched.taken()
    assert sweep_later(watched, timedelta(minutes=1)) == 0
    watched.clock.time += timedelta(minutes=15)
    watched.evaluate(*late)
    assert sweep_later(watched) == 0
    watched.close_group()
    watched.evaluate()
    assert sweep_later(watched) == 0
    assert sweep_later(watched) == 0


def test_a_late_event_is_waited_for(watched: Stage) -> None:
    """A sweep a few minutes after the first does not decide."""
    lose_event(watched)
    assert sweep_later(watched, timedelta(minutes=5)) == 0
    assert sweep_later(watched, timedelta(minutes=20)) == 0
    assert sweep_later(watched, timedelta(minutes=20)) == 1


def test_an_old_answer_of_ec2_is_no_lost_event(watched: Stage) -> None:
    """EC2 is eventually consistent: a sweep may find what is no longer so."""
    lose_event(watched)
    sweep_later(watched)
    watched.network.ec2.revoke_security_group_ingress(
        GroupId=watched.network.group, IpPermissions=[ANY_ADDRESS]
    )
    watched.clock.time += timedelta(minutes=5)
    watched.sweep()
    assert not watched.about(watched.network.group)
    assert sweep_later(watched, timedelta(minutes=26)) == 0


def test_what_the_first_sweep_finds_is_no_lost_event(stage: Stage) -> None:
    """No event tells of what was made before the monitor."""
    assert sweep_later(stage) == 0
    assert sweep_later(stage) == 0


def test_a_failure_to_look_fails_no_sweep(watched: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The count comes with the next sweep."""
    lose_event(watched)
    sweep_later(watched)
    with monkeypatch.context() as broken:
        name = "posture.store.pending_causes.PendingCauses.remove"
        broken.setattr(name, lambda *_: 1 / 0)
        watched.clock.time += HOUR
        watched.sweep().require_complete()
    assert sweep_later(watched) == 1


def test_an_edited_time_hides_no_lost_event(watched: Stage) -> None:
    """What is to be counted says when it was found by its key, which no edit changes."""
    lose_event(watched)
    sweep_later(watched)
    (item,) = noted(watched)
    later = {"S": "2036-12-01T12:00:00.000000Z"}
    watched.dynamodb.put_item(TableName="findings", Item={**item, "observed_at": later})
    assert sweep_later(watched) == 1
    assert sweep_later(watched) == 0


EDITS: dict[str, dict[str, Any]] = {
    "no scope": {"of": {"S": "vpc-1"}},
    "another scope": {"of": {"S": "111122223333/eu-west-1/vpc-2"}},
    "no findings": {"findings": {"L": []}},
    "no list of findings": {"findings": {"N": "1"}},
    "no time": {"item": {"S": "yesterday#vpc-1"}},
    "a time that has not come": {"item": {"S": "2036-12-01T12:00:00.000000Z#vpc-1"}},
}


@pytest.mark.parametrize("name", EDITS)
def test_what_cannot_be_read_counts_and_hides_no_other(watched: Stage, name: str) -> None:
    """It may be a change without an event: it counts until it is deleted, and `verify` names it."""
    verifier = Verifier(watched.dynamodb, TABLES, watched.clock)
    lose_event(watched)
    sweep_later(watched)
    (item,) = noted(watched)
    assert not [each.scope for each in verifier.verify_all() if each.fault]
    # It is read before the intact one.
    edited = {**item, "item": {"S": "2026-01-01T12:00:00.000000Z#vpc-1"}, **EDITS[name]}
    watched.dynamodb.put_item(TableName="findings", Item=edited)
    (altered,) = [each for each in verifier.verify_all() if each.fault]
    assert altered.scope == item["scope"]["S"]
    assert altered.fault
    assert altered.fault.entry == edited["item"]["S"]
    assert sweep_later(watched) == 2
    assert sweep_later(watched) == 1
    key = {name: edited[name] for name in ("scope", "item")}
    watched.dynamodb.delete_item(TableName="findings", Key=key)
    assert sweep_later(watched) == 0


def test_findings_that_cannot_be_read_hide_no_other_change(
    watched: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next sweep looks for those again."""
    lose_event(watched)
    sweep_later(watched)
    (item,) = noted(watched)
    other = "111122223333/eu-west-1/vpc-1"
    key = "2026-01-01T12:00:00.000000Z#vpc-1"
    copy = {**item, "item": {"S": key}, "of": {"S": other}}
    watched.dynamodb.put_item(TableName="findings", Item=copy)
    name = "posture.store.scope_store.Store.load_findings"
    load = Store.load_findings

    def fail(store: Store, scope: Scope, keys: Any) -> Any:
        return 1 / 0 if scope.subject == "vpc-1" else load(store, scope, keys)

    monkeypatch.setattr(name, fail)
    assert sweep_later(watched) == 1
    assert [each["item"] for each in noted(watched)] == [{"S": key}]
