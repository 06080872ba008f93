"""Batches and files: every well-formed record is parsed, whatever else is in them."""

import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from change_records import VPC, build_event, build_record
from posture.changes.batch import ChangeBatch, parse_log_file, parse_sqs_event
from posture.errors import MalformedChangeError

GOOD = build_record("DeleteVpc", {"vpcId": VPC})


def build_sqs_event(*bodies: Any) -> dict[str, Any]:
    """Build the event of a function that polls an SQS queue."""
    return {
        "Records": [
            {
                "messageId": f"m-{number}",
                "body": body if isinstance(body, str) else json.dumps(body),
            }
            for number, body in enumerate(bodies, 1)
        ]
    }


def summarize(batch: ChangeBatch) -> tuple[list[str], dict[str, str]]:
    """Return the ids of parsed messages, and the reason for each rejected one."""
    return (
        [each.message_id for each in batch.received],
        {each.message_id: each.reason for each in batch.rejected},
    )


def test_a_malformed_message_does_not_affect_others() -> None:
    """It is kept as received, with the reason."""
    batch = parse_sqs_event(build_sqs_event(build_event(GOOD), "{", build_event(GOOD)))
    received, rejected = summarize(batch)
    assert received == ["m-1", "m-3"]
    assert list(rejected) == ["m-2"]
    assert "body: expected JSON" in rejected["m-2"]
    assert batch.rejected[0].body == "{"


@pytest.mark.parametrize(
    ("body", "forged"),
    [
        (GOOD, False),  # as a log file has it, which names no sender
        (build_event(GOOD), False),
        (build_event(GOOD) | {"account": "444455556666"}, True),
    ],
    ids=["record", "own", "other"],
)
def test_an_account_sends_its_own_calls_only(body: dict[str, Any], *, forged: bool) -> None:
    """EventBridge names the account that sent an event; its record may say anything."""
    (received,) = parse_sqs_event(build_sqs_event(body)).received
    assert received.is_forged is forged


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", "body: expected JSON"),
        ("null", "record: expected an object"),
        ("[" * 100_000, "body: the JSON is nested too deeply"),
        ('{"detail": []}', "detail: expected a CloudTrail record"),
    ],
    ids=["empty", "null", "nested", "list"],
)
def test_a_body_that_is_no_event_is_rejected(body: str, reason: str) -> None:
    """The reason says what was expected."""
    _, rejected = summarize(parse_sqs_event(build_sqs_event(body)))
    assert reason in rejected["m-1"]


def test_an_event_without_a_queue_is_a_batch_of_one() -> None:
    """`sam local invoke` passes such an event."""
    received, rejected = summarize(parse_sqs_event(build_event(GOOD)))
    assert (len(received), rejected) == (1, {})


def test_a_log_file_is_a_batch_of_its_records() -> None:
    """Records are named by their number, as there are no message ids."""
    received, rejected = summarize(parse_sqs_event({"Records": [GOOD, {"eventName": "DeleteVpc"}]}))
    assert (received, list(rejected)) == (["record 1"], ["record 2"])


@pytest.mark.parametrize("depth", [300, 700, 960])
def test_deeply_nested_parameters_do_not_affect_other_messages(depth: int) -> None:
    """JSON of that depth can be parsed but not searched for ids."""
    nested = json.dumps(GOOD).replace(f'"{VPC}"', '{"a": ' * depth + "0" + "}" * depth)
    received, rejected = summarize(parse_sqs_event(build_sqs_event(nested, GOOD)))
    assert "m-2" in received
    assert sorted([*received, *rejected]) == ["m-1", "m-2"]
    assert all("nested too deeply" in reason for reason in rejected.values())


@pytest.mark.parametrize("event", [{}, {"Records": None}, {"Records": [1]}, {"hello": "world"}])
def test_any_other_event_is_an_error(event: dict[str, Any]) -> None:
    """There is no message id to report as failed."""
    with pytest.raises(MalformedChangeError, match="Records"):
        parse_sqs_event(event)


FILES = {
    "log file": json.dumps({"Records": [GOOD, GOOD]}),
    "list of records": json.dumps([GOOD, GOOD]),
    "list of events": json.dumps([build_event(GOOD), build_event(GOOD)]),
    "one a line": f"{json.dumps(GOOD)}\n{json.dumps(build_event(GOOD))}\n",
    "one a line, spaced": f"{json.dumps(GOOD)}\r\n\r\n{json.dumps(GOOD)}",
    "LookupEvents response": json.dumps(
        {"Events": [{"EventId": "e", "CloudTrailEvent": json.dumps(each)} for each in (GOOD, GOOD)]}
    ),
    "FilterLogEvents response": json.dumps(
        {
            "events": [
                {"logStreamName": "s", "timestamp": 1, "message": json.dumps(each), "eventId": "3"}
                for each in (GOOD, GOOD)
            ],
            "searchedLogStreams": [],
        }
    ),
    "data of a log subscription": json.dumps(
        {"messageType": "DATA_MESSAGE", "logEvents": [{"id": "3", "message": json.dumps(GOOD)}] * 2}
    ),
    "exported log": f"2026-11-23T12:00:00.000Z {json.dumps(GOOD)}\n" * 2,
    "tail of a log": f"2026-11-23T12:00:00.000000+00:00 stream-1 {json.dumps(GOOD)}\n" * 2,
    "ReceiveMessage response": json.dumps(
        {"Messages": [{"MessageId": "m", "Body": json.dumps(build_event(GOOD))}] * 2}
    ),
    "queue batch": json.dumps(build_sqs_event(build_event(GOOD), build_event(GOOD))),
}


@pytest.mark.parametrize("form", FILES)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzipped"])
def test_every_form_of_file_is_parsed(form: str, *, packed: bool) -> None:
    """All forms contain the same two records."""
    content = FILES[form].encode()
    batch = parse_log_file(gzip.compress(content) if packed else content)
    assert len(batch.received) == 2
    assert batch.rejected == ()
    assert {each.change.vpc_ids for each in batch.received} == {frozenset({VPC})}


def test_a_byte_order_mark_is_accepted() -> None:
    """Windows programs write one."""
    assert len(parse_log_file(b"\xef\xbb\xbf" + json.dumps(GOOD).encode()).received) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"hello", "expected JSON"),
        (b"", "expected JSON"),
        (b"\xff\xfe", "expected text in UTF-8"),
        (b"\x1f\x8b broken", "expected a gzip file"),
        (gzip.compress(b"{}" * 100)[:-9], "expected a gzip file"),
    ],
    ids=["text", "empty", "UTF-16", "not gzip", "truncated gzip file"],
)
def test_a_malformed_file_is_an_error(content: bytes, message: str) -> None:
    """The message says what was expected."""
    with pytest.raises(MalformedChangeError, match=message):
        parse_log_file(content)


@pytest.mark.parametrize(
    ("file", "what"),
    [
        ({"digestS3Bucket": "b", "logFiles": []}, "a digest file of CloudTrail"),
        ({"awslogs": {"data": "H4sI"}}, "the event of a CloudWatch Logs subscription"),
        ({"QueryResultRows": [], "QueryStatus": "FINISHED"}, "CloudTrail Lake query"),
        ({"results": [], "status": "Complete"}, "CloudWatch Logs Insights query"),
        ({"trailList": []}, "a list of trails"),
    ],
)
def test_a_file_of_another_kind_is_named(file: Any, what: str) -> None:
    """An error about a field that it lacks would not say what is wrong."""
    with pytest.raises(MalformedChangeError, match=f"expected CloudTrail records, not .*{what}"):
        parse_log_file(json.dumps(file).encode())


def test_malformed_records_of_a_file_are_named_by_number() -> None:
    """A file has no message ids."""
    received, rejected = summarize(parse_log_file(json.dumps({"Records": [GOOD, {}, 3]}).encode()))
    assert received == ["record 1"]
    assert list(rejected) == ["record 2", "record 3"]


@given(st.lists(st.text(max_size=20) | st.just(json.dumps(GOOD)), max_size=6))
def test_every_message_is_either_parsed_or_rejected(bodies: list[str]) -> None:
    """No message is lost or counted twice."""
    received, rejected = summarize(parse_sqs_event(build_sqs_event(*bodies)))
    assert sorted([*received, *rejected]) == [f"m-{n}" for n in range(1, len(bodies) + 1)]
    assert len(received) == bodies.count(json.dumps(GOOD))
