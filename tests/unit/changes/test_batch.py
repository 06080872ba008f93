"""Batches and files: every readable record is read, whatever stands beside it."""

import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from change_records import VPC, enveloped, record
from posture.changes.batch import ChangeBatch, parse_log_file, parse_sqs_event
from posture.errors import MalformedChangeError

GOOD = record("DeleteVpc", {"vpcId": VPC})


def queued(*bodies: Any) -> dict[str, Any]:
    """Give what Lambda hands over from a queue."""
    return {
        "Records": [
            {
                "messageId": f"m-{number}",
                "body": body if isinstance(body, str) else json.dumps(body),
            }
            for number, body in enumerate(bodies, 1)
        ]
    }


def outcome(batch: ChangeBatch) -> tuple[list[str], dict[str, str]]:
    """Give the messages that were read, and why the others were not."""
    return (
        [each.message_id for each in batch.received],
        {each.message_id: each.reason for each in batch.rejected},
    )


def test_one_bad_message_holds_up_no_other() -> None:
    """It is named with its reason and kept as it came."""
    batch = parse_sqs_event(queued(enveloped(GOOD), "{", enveloped(GOOD)))
    received, rejected = outcome(batch)
    assert received == ["m-1", "m-3"]
    assert list(rejected) == ["m-2"]
    assert "body: expected JSON" in rejected["m-2"]
    assert batch.rejected[0].body == "{"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("", "body: expected JSON"),
        ("null", "record: expected an object"),
        ("[" * 100_000, "body: expected JSON, got one nested too deeply"),
        ('{"detail": []}', "detail: expected a CloudTrail record"),
    ],
    ids=["empty", "null", "bottomless", "list"],
)
def test_a_body_that_is_no_event(body: str, told: str) -> None:
    """It is rejected with a reason."""
    _, rejected = outcome(parse_sqs_event(queued(body)))
    assert told in rejected["m-1"]


def test_an_event_by_itself_is_a_batch_of_one() -> None:
    """As `sam local invoke` hands it over."""
    received, rejected = outcome(parse_sqs_event(enveloped(GOOD)))
    assert (len(received), rejected) == (1, {})


def test_a_log_file_by_itself_is_a_batch_of_its_records() -> None:
    """They are named by their number, as there are no messages."""
    received, rejected = outcome(parse_sqs_event({"Records": [GOOD, {"eventName": "DeleteVpc"}]}))
    assert (received, list(rejected)) == (["record 1"], ["record 2"])


@pytest.mark.parametrize("depth", [300, 700, 960])
def test_parameters_nested_too_deeply_hold_up_no_other(depth: int) -> None:
    """JSON of that depth can be read, but not walked through."""
    nested = json.dumps(GOOD).replace(f'"{VPC}"', '{"a": ' * depth + "0" + "}" * depth)
    received, rejected = outcome(parse_sqs_event(queued(nested, GOOD)))
    assert "m-2" in received
    assert sorted([*received, *rejected]) == ["m-1", "m-2"]
    assert all("nested too deeply" in reason for reason in rejected.values())


@pytest.mark.parametrize("event", [{}, {"Records": None}, {"Records": [1]}, {"hello": "world"}])
def test_what_is_no_batch_is_an_error(event: dict[str, Any]) -> None:
    """Nobody could say which message to hand out again."""
    with pytest.raises(MalformedChangeError, match="Records"):
        parse_sqs_event(event)


FILES = {
    "log file": json.dumps({"Records": [GOOD, GOOD]}),
    "list of records": json.dumps([GOOD, GOOD]),
    "list of events": json.dumps([enveloped(GOOD), enveloped(GOOD)]),
    "one a line": f"{json.dumps(GOOD)}\n{json.dumps(enveloped(GOOD))}\n",
    "one a line, spaced": f"{json.dumps(GOOD)}\r\n\r\n{json.dumps(GOOD)}",
    "looked up": json.dumps(
        {"Events": [{"EventId": "e", "CloudTrailEvent": json.dumps(each)} for each in (GOOD, GOOD)]}
    ),
    "queue batch": json.dumps(queued(enveloped(GOOD), enveloped(GOOD))),
}


@pytest.mark.parametrize("form", FILES)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzipped"])
def test_files_in_every_form(form: str, *, packed: bool) -> None:
    """All hold the same two records."""
    content = FILES[form].encode()
    batch = parse_log_file(gzip.compress(content) if packed else content)
    assert len(batch.received) == 2
    assert batch.rejected == ()
    assert {each.change.vpc_ids for each in batch.received} == {frozenset({VPC})}


def test_a_byte_order_mark_is_no_mistake() -> None:
    """Windows writes one."""
    assert len(parse_log_file(b"\xef\xbb\xbf" + json.dumps(GOOD).encode()).received) == 1


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"hello", "expected JSON"),
        (b"", "expected JSON"),
        (b"\xff\xfe", "expected text in UTF-8"),
        (b"\x1f\x8b broken", "expected a gzip file"),
        (gzip.compress(b"{}" * 100)[:-9], "expected a gzip file"),
    ],
    ids=["text", "empty", "UTF-16", "no gzip", "half a gzip file"],
)
def test_a_file_that_cannot_be_read(content: bytes, told: str) -> None:
    """It says what was expected."""
    with pytest.raises(MalformedChangeError, match=told):
        parse_log_file(content)


def test_bad_members_are_named_by_their_place() -> None:
    """In a file there are no message ids."""
    received, rejected = outcome(parse_log_file(json.dumps({"Records": [GOOD, {}, 3]}).encode()))
    assert received == ["record 1"]
    assert list(rejected) == ["record 2", "record 3"]


@given(st.lists(st.text(max_size=20) | st.just(json.dumps(GOOD)), max_size=6))
def test_every_message_is_either_read_or_rejected(bodies: list[str]) -> None:
    """None is lost, none counted twice."""
    received, rejected = outcome(parse_sqs_event(queued(*bodies)))
    assert sorted([*received, *rejected]) == [f"m-{n}" for n in range(1, len(bodies) + 1)]
    assert len(received) == bodies.count(json.dumps(GOOD))
