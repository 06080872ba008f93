"""Every sample event is valid input of its function, and is described in events/README.md."""

import pytest

from posture.changes.batch import parse_sqs_event
from posture.changes.event_names import EVENT_NAMES
from posture.model.change import ChangeOutcome
from posture.store.items import parse_stream_record
from sample_events import (
    EXPECTED,
    FOLDER,
    FUNCTIONS,
    SHARED_EXPECTED,
    SHARED_FUNCTIONS,
    list_events,
    list_readme_events,
    read_event,
)
from stack_template import RESOURCES

CALLS = list_events("calls")


@pytest.mark.parametrize("name", CALLS)
def test_a_call_is_a_change_with_resources(name: str) -> None:
    """It is named after its event, which matches the stack's rule."""
    (received,) = parse_sqs_event(read_event(name)).received
    change = received.change
    words = "".join(part.title() for part in name.removeprefix("calls/").split("-"))
    assert change.event_name == words
    assert change.event_name in EVENT_NAMES
    assert change.outcome is ChangeOutcome.APPLIED
    assert change.resource_ids


def test_each_family_has_a_sample() -> None:
    """Endpoints, routes, groups, ACLs, DNS, lists, services, gateways, peerings."""
    assert len(CALLS) >= 10


def test_every_event_is_described_and_has_an_expected_result() -> None:
    """Files, rows of the README and expected results correspond."""
    folders = {*FUNCTIONS, *SHARED_FUNCTIONS} - {"calls"}
    kinds = [name for folder in folders for name in list_events(folder)]
    explained = list(list_readme_events((FOLDER / "README.md").read_text(encoding="utf-8")))
    assert sorted({**EXPECTED, **SHARED_EXPECTED}) == sorted(kinds) == sorted(explained)


def test_each_function_has_samples() -> None:
    """The folders are named after functions of the template that it always deploys."""
    assert set(FUNCTIONS.values()) == {
        name
        for name, it in RESOURCES.items()
        if it["Type"] == "AWS::Serverless::Function" and "Condition" not in it
    }


@pytest.mark.parametrize(
    ("name", "received", "rejected"),
    [
        ("evaluate/single-change", 1, 0),
        ("evaluate/batch", 4, 0),
        ("evaluate/duplicate", 2, 0),
        ("evaluate/malformed", 1, 2),
    ],
)
def test_a_batch_has_its_messages(name: str, received: int, rejected: int) -> None:
    """Messages that cannot be parsed are rejected; the others are received."""
    batch = parse_sqs_event(read_event(name))
    assert (len(batch.received), len(batch.rejected)) == (received, rejected)


def test_a_duplicate_is_one_change_in_two_messages() -> None:
    """The event's id is the same, the messages' ids are not."""
    one, other = parse_sqs_event(read_event("evaluate/duplicate")).received
    assert one.change.event_id == other.change.event_id
    assert one.message_id != other.message_id


def test_a_failed_call_changed_nothing() -> None:
    """Its record has an error code."""
    (received,) = parse_sqs_event(read_event("evaluate/failed-call")).received
    assert received.change.outcome is not ChangeOutcome.APPLIED


@pytest.mark.parametrize("name", ["notify/opened", "notify/resolved"])
def test_stream_records_announce_one_commit(name: str) -> None:
    """In the format that the notify function reads."""
    found = {parse_stream_record(record) for record in read_event(name)["Records"]}
    assert len(found) == 1
    assert None not in found


def test_the_schedule_sends_an_empty_event() -> None:
    """A sweep needs no input."""
    assert read_event("sweep/schedule") == {}
