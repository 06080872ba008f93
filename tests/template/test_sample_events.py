"""Every sample event is what the functions take."""

import json
from pathlib import Path
from typing import Any

import pytest

from posture.aws.announced import announced
from posture.changes.batch import from_sqs
from posture.changes.catalogue import EVENT_NAMES
from posture.model.change import Outcome
from stack_template import PATH

EVENTS = PATH.parent / "events"
OTHERS = {"changes-batch", "sweep", "findings-stream"}
CALLS = sorted(path for path in EVENTS.glob("*.json") if path.stem not in OTHERS)


def read(path: Path) -> Any:
    """Read a sample."""
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", CALLS, ids=lambda path: path.stem)
def test_a_call_is_a_change_that_leads_somewhere(path: Path) -> None:
    """It is named after its event, which the stack listens to."""
    (received,) = from_sqs(read(path)).received
    change = received.change
    words = "".join(part.title() for part in path.stem.split("-"))
    assert change.event_name == words
    assert change.event_name in EVENT_NAMES
    assert change.outcome is Outcome.APPLIED
    assert change.resource_ids


def test_each_family_has_a_sample() -> None:
    """Endpoints, routes, groups, ACLs, DNS, lists, services, gateways, peerings."""
    assert len(CALLS) >= 10


def test_the_batch_has_both_sorts() -> None:
    """Two changes are read, one message is rejected."""
    batch = from_sqs(read(EVENTS / "changes-batch.json"))
    assert (len(batch.received), len(batch.rejected)) == (2, 1)


def test_the_stream_record_announces_a_commit() -> None:
    """In the form the notifier reads."""
    (record,) = read(EVENTS / "findings-stream.json")["Records"]
    found = announced(record)
    assert found is not None
    assert found.commit == "2026-11-23T12:00:09.000000Z#1"


def test_the_schedule_sends_nothing_in_particular() -> None:
    """A sweep looks at everything."""
    assert read(EVENTS / "sweep.json") == {}
