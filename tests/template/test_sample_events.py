"""Every sample event is what the functions take, and has its line in the README."""

import pytest

from posture.changes.batch import parse_sqs_event
from posture.changes.event_names import EVENT_NAMES
from posture.model.change import ChangeOutcome
from posture.store.stream_records import parse_stream_record
from sample_events import EXPECTED, FOLDER, FUNCTIONS, names, read, rows_of
from stack_template import RESOURCES

CALLS = names("calls")


@pytest.mark.parametrize("name", CALLS)
def test_a_call_is_a_change_that_leads_somewhere(name: str) -> None:
    """It is named after its event, which the stack listens to."""
    (received,) = parse_sqs_event(read(name)).received
    change = received.change
    words = "".join(part.title() for part in name.removeprefix("calls/").split("-"))
    assert change.event_name == words
    assert change.event_name in EVENT_NAMES
    assert change.outcome is ChangeOutcome.APPLIED
    assert change.resource_ids


def test_each_family_has_a_sample() -> None:
    """Endpoints, routes, groups, ACLs, DNS, lists, services, gateways, peerings."""
    assert len(CALLS) >= 10


def test_every_kind_is_explained_and_has_an_expectation() -> None:
    """A file, a line that says what it shows, and what must come of it."""
    kinds = [name for folder in FUNCTIONS if folder != "calls" for name in names(folder)]
    explained = list(rows_of((FOLDER / "README.md").read_text(encoding="utf-8")))
    assert sorted(EXPECTED) == sorted(kinds) == sorted(explained)


def test_each_function_has_samples() -> None:
    """The folders are named after functions of the template."""
    assert set(FUNCTIONS.values()) == {
        name for name, it in RESOURCES.items() if it["Type"] == "AWS::Serverless::Function"
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
    """What can be read is read, and what cannot is rejected by itself."""
    batch = parse_sqs_event(read(name))
    assert (len(batch.received), len(batch.rejected)) == (received, rejected)


def test_a_duplicate_is_one_change_in_two_messages() -> None:
    """The event's id is the same, the messages' ids are not."""
    one, other = parse_sqs_event(read("evaluate/duplicate")).received
    assert one.change.event_id == other.change.event_id
    assert one.message_id != other.message_id


def test_a_failed_call_moved_nothing() -> None:
    """The record says that EC2 refused it."""
    (received,) = parse_sqs_event(read("evaluate/failed-call")).received
    assert received.change.outcome is not ChangeOutcome.APPLIED


@pytest.mark.parametrize("name", ["notify/opened", "notify/resolved"])
def test_stream_records_announce_one_commit(name: str) -> None:
    """In the form the notifier reads."""
    found = {parse_stream_record(record) for record in read(name)["Records"]}
    assert len(found) == 1
    assert None not in found


def test_the_schedule_sends_nothing_in_particular() -> None:
    """A sweep looks at everything."""
    assert read("sweep/schedule") == {}
