"""A flood of changes delays another VPC's change by the batches before it, and hides nothing.

The queue hands out some 500 changes at a time. Whatever they name, a batch reads each VPC once, so
that a change is evaluated with the batch that it is in: the flood before it is what it waits for.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from monitor_stage import ALICE, Stage, attribute_change
from posture.model.finding import Step
from posture.store.history import History
from stack_tables import TABLES

Record = dict[str, Any]
OPEN = "endpoint-security-group-open"
BATCH = 500  # the event source mapping's BatchSize
FLOOD = 1_200


def change_one_vpc(vpcs: list[str], number: int) -> Record:
    """Return a change of one VPC."""
    return attribute_change(vpcs[0]) | {"eventID": f"flood-{number}"}


def change_many_vpcs(vpcs: list[str], number: int) -> Record:
    """Return a change of one of many VPCs."""
    return attribute_change(vpcs[number % len(vpcs)]) | {"eventID": f"flood-{number}"}


def change_nothing_known(_: list[str], number: int) -> Record:
    """Return a change of a subnet that never existed."""
    return attribute_change("") | {
        "eventID": f"flood-{number}",
        "eventName": "ModifySubnetAttribute",
        "requestParameters": {"subnetId": f"subnet-{number:017x}"},
    }


@pytest.mark.parametrize("flood", [change_one_vpc, change_many_vpcs, change_nothing_known])
def test_what_was_open_during_a_flood_is_recorded(
    watched: Stage, flood: Callable[[list[str], int], Record]
) -> None:
    """With its caller, by the batch that it is in, which reads no more than any other batch."""
    create = watched.network.ec2.create_vpc
    made = [create(CidrBlock=f"10.{number}.0.0/16")["Vpc"]["VpcId"] for number in range(20, 30)]
    watched.open_group()
    watched.clock.time += timedelta(seconds=30)
    watched.close_group()
    watched.clock.time += timedelta(seconds=10)
    opened, closed = watched.taken()
    noise = [flood(made, number) for number in range(FLOOD)]
    records = [*noise[:700], opened, *noise[700:800], closed, *noise[800:]]
    calls = watched.network.record_calls()
    spent = []
    for start in range(0, len(records), BATCH):
        part = records[start : start + BATCH]
        calls.clear()
        assert watched.evaluate(*part).failed == ()
        spent.append(len(calls))
        rows = History(watched.dynamodb, TABLES.history).find_by_scope(watched.network.scope)
        steps = [row.transition for row in rows if row.transition.step is Step.TRANSIENT]
        assert bool(steps) is (closed in part or len(spent) > 2)

    (finding,) = (each.finding for each in steps if each.finding.rule == OPEN)
    assert list(finding.opened_by.actors) == [ALICE.arn]
    assert finding.resolved_by is not None
    assert list(finding.resolved_by.actors) == [ALICE.arn]
    assert max(spent) < 80  # look-ups of 200 ids each, and one reading of the Region
