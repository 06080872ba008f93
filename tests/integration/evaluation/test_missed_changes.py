"""A change whose event was lost is counted by the sweep after the one that found it, once."""

from datetime import timedelta

import pytest

from monitor_stage import ANY_ADDRESS, Stage

HOUR = timedelta(hours=1)


def sweep_later(stage: Stage, after: timedelta = HOUR) -> int:
    """Sweep after a time; return how many changes without an event it counts."""
    stage.clock.time += after
    return stage.sweep().count_metrics()["ChangesWithoutEvent"]


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
    (item,) = [
        dict(each)
        for each in watched.dynamodb.scan(TableName="findings")["Items"]
        if each["kind"] == {"S": "pending-cause"}
    ]
    later = {"S": "2036-12-01T12:00:00.000000Z"}
    watched.dynamodb.put_item(TableName="findings", Item={**item, "observed_at": later})
    assert sweep_later(watched) == 1
    assert sweep_later(watched) == 0
