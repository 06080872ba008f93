"""Stored DNS attributes are used where no call can have modified them, and nowhere else."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from monitor_stage import Stage
from posture.evaluation.changes import BatchResult
from posture.model.dns import DnsAttributes
from posture.store.scope_evaluation import WriteOutcome

ASKED = "DescribeVpcAttribute"


@pytest.fixture
def observed(stage: Stage) -> Stage:
    """Return a stage whose VPCs have been observed, with their DNS attributes."""
    stage.sweep()
    stage.clock.time += timedelta(minutes=5)
    return stage


def evaluate(stage: Stage, *records: Any) -> tuple[BatchResult, int]:
    """Evaluate records; return the result, and how often a DNS attribute was read."""
    calls = stage.network.record_calls()
    result = stage.evaluate(*records)
    assert result.failed == ()
    return result, calls.count(ASKED)


def load_dns(stage: Stage) -> DnsAttributes:
    """Load what is stored of the full VPC."""
    record = stage.store.load_record(stage.network.scope)
    assert record
    assert record.dns
    return record.dns


def disable_hostnames(stage: Stage) -> None:
    """Disable DNS hostnames in the full VPC, on the trail."""
    stage.alice.modify_vpc_attribute(VpcId=stage.network.vpc, EnableDnsHostnames={"Value": False})


def test_the_first_evaluation_of_another_change_uses_them(observed: Stage) -> None:
    """The second evaluation, five minutes later, reads them again."""
    before = load_dns(observed)
    observed.open_group()
    records = observed.taken()
    first, asked = evaluate(observed, *records)
    assert [each.outcome for each in first.results] == [WriteOutcome.COMMITTED]
    assert (asked, load_dns(observed)) == (0, before)
    observed.clock.time += timedelta(minutes=5)
    _, asked = evaluate(observed, *records)
    assert asked == 2
    assert load_dns(observed).observed_at > before.observed_at


def test_the_call_that_modifies_them_has_them_read(observed: Stage) -> None:
    """Alone, and beside another change of the VPC."""
    disable_hostnames(observed)
    observed.open_group()
    _, asked = evaluate(observed, *observed.taken())
    assert (asked, load_dns(observed).hostnames) == (2, False)


@pytest.mark.parametrize("age", [timedelta(hours=35), timedelta(hours=37)])
def test_they_are_used_for_36_hours(observed: Stage, age: timedelta) -> None:
    """As in a sweep."""
    observed.clock.time += age
    observed.open_group()
    _, asked = evaluate(observed, *observed.taken())
    assert asked == (0 if age < timedelta(hours=36) else 2)


def test_vpcs_read_together_use_them_each_for_itself(observed: Stage) -> None:
    """Of two VPCs of a batch, only the one whose attributes were modified is asked for them."""
    observed.alice.modify_vpc_attribute(
        VpcId=observed.network.bare, EnableDnsHostnames={"Value": False}
    )
    observed.open_group()
    result, asked = evaluate(observed, *observed.taken())
    assert (len(result.results), asked) == (2, 2)


def interrupt(stage: Stage, act: Callable[[], None]) -> None:
    """Act once while the next evaluation reads interfaces, after it read the DNS attributes."""

    def interfere(**_: Any) -> None:
        events.unregister(name, interfere)
        act()

    name = "before-call.ec2.DescribeNetworkInterfaces"
    events = stage.network.ec2.meta.events
    events.register_first(name, interfere)


def test_attributes_that_are_modified_meanwhile_are_read(observed: Stage) -> None:
    """Another evaluation stores later ones while this one reads the rest of the VPC."""
    observed.open_group()
    records = observed.taken()
    others: list[BatchResult] = []

    def modify() -> None:
        later = observed.clock.time
        observed.clock.time -= timedelta(seconds=20)  # its snapshot is a little older than ours
        disable_hostnames(observed)
        others.append(observed.evaluate())
        observed.clock.time = later

    interrupt(observed, modify)
    result, asked = evaluate(observed, *records)
    assert [each.outcome for each in others[0].results] == [WriteOutcome.COMMITTED]
    assert [each.outcome for each in result.results] == [WriteOutcome.COMMITTED]
    assert (asked, load_dns(observed).hostnames) == (4, False)
    assert observed.about(observed.network.group)


def overtake(stage: Stage, *_: Any) -> None:
    """Evaluate another change a little later, with the attributes that are stored."""
    stage.clock.time += timedelta(seconds=1)
    stage.open_group()
    others = stage.evaluate()
    assert [each.outcome for each in others.results] == [WriteOutcome.COMMITTED]
    assert load_dns(stage).hostnames


def evaluate_duplicate(stage: Stage, *records: Any) -> None:
    """Evaluate the same records a little later, with the attributes read again."""
    stage.clock.time += timedelta(seconds=1)
    stage.evaluate(*records)


@pytest.mark.parametrize(
    ("interruption", "outcome"),
    [(overtake, WriteOutcome.COMMITTED), (evaluate_duplicate, WriteOutcome.STALE)],
)
def test_an_evaluation_that_is_overtaken_is_repeated_unless_the_other_read_them_later(
    observed: Stage, interruption: Callable[..., None], outcome: WriteOutcome
) -> None:
    """A newer evaluation that used those that were stored before the call is not enough."""
    disable_hostnames(observed)
    records = observed.taken()
    interrupt(observed, partial(interruption, observed, *records))
    result, asked = evaluate(observed, *records)
    assert [each.outcome for each in result.results] == [outcome]
    assert (asked, load_dns(observed).hostnames) == (4, False)


def test_it_is_handed_out_again_where_others_keep_getting_ahead(observed: Stage) -> None:
    """Each time it is read."""
    disable_hostnames(observed)
    records = observed.taken()

    def overtake_again() -> None:
        overtake(observed)
        observed.close_group()
        interrupt(observed, overtake_again)

    interrupt(observed, overtake_again)
    assert observed.evaluate(*records).failed
    assert load_dns(observed).hostnames


def test_a_sweep_that_read_later_ones_is_not_lost(observed: Stage) -> None:
    """The call names no VPC that can be found, so all of the region are read."""
    disable_hostnames(observed)
    records = observed.taken()
    for each in records:
        each["requestParameters"] = None
    interrupt(observed, partial(overtake, observed))
    result, _ = evaluate(observed, *records)
    assert result.regions_swept == 1
    assert not load_dns(observed).hostnames
