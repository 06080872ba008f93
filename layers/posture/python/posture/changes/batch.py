"""Many records at once: a batch of queue messages, or a CloudTrail log file."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

from posture.changes.cloudtrail import parse_record
from posture.errors import MalformedChangeError
from posture.model.change import Change

GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class ReceivedChange:
    """A change and the queue message (or the place in a file) that brought it.

    `body` is the text as it came, `tries` how often the queue has handed it out, now included.
    """

    message_id: str
    change: Change
    body: str = ""
    tries: int = 1


@dataclass(frozen=True, slots=True)
class RejectedRecord:
    """What cannot be read, and why. `body` is the text as it came."""

    message_id: str
    reason: str
    body: str


@dataclass(frozen=True, slots=True)
class ChangeBatch:
    """The readable and the unreadable; one never holds up the other."""

    received: tuple[ReceivedChange, ...]
    rejected: tuple[RejectedRecord, ...]


def parse_sqs_event(event: Mapping[str, Any]) -> ChangeBatch:
    """Read what Lambda hands over from the changes queue.

    An EventBridge event handed over directly, without a queue, is taken for a batch of one, and so
    is a CloudTrail log file for a batch of its records.

    Raises:
        MalformedChangeError: the event is none of them.
    """
    if "Records" not in event and "detail" in event:
        return _batch([(str(event.get("id", "")), event)])
    records = event.get("Records")
    if not isinstance(records, list) or not all(isinstance(each, Mapping) for each in records):
        raise MalformedChangeError("Records: expected the list of messages that SQS hands over")
    return _batch(
        [
            (str(each.get("messageId", f"record {number}")), each.get("body", each))
            for number, each in enumerate(records, 1)
        ],
        [_tries(each.get("attributes")) for each in records],
    )


def parse_log_file(content: bytes) -> ChangeBatch:
    """Read a CloudTrail log file, gzipped or not.

    `{"Records": […]}`, one record, one EventBridge event, a list of either, or one a line; a list
    of queue messages as Lambda hands them over is read, too, and so is what CloudTrail's
    LookupEvents answers. A member is named by its number.

    Raises:
        MalformedChangeError: the file is no JSON at all.
    """
    text = _text(content)
    try:
        value = json.loads(text)
    except ValueError as error:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) < 2 or not lines[0].lstrip().startswith("{"):  # noqa: PLR2004
            raise MalformedChangeError(f"expected JSON: {error}") from None
        return _batch([(f"line {number}", line) for number, line in enumerate(lines, 1)])
    except RecursionError:
        raise MalformedChangeError("expected JSON: nested too deeply") from None
    return _batch([(f"record {number}", each) for number, each in enumerate(_records(value), 1)])


def _text(content: bytes) -> str:
    try:
        if content.startswith(GZIP):
            content = gzip.decompress(content)
        return content.decode("utf-8-sig")
    except (OSError, EOFError, zlib.error) as error:
        raise MalformedChangeError(f"expected a gzip file: {error}") from None
    except UnicodeDecodeError as error:
        raise MalformedChangeError(f"expected text in UTF-8: {error}") from None


def _records(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        lists = (value.get(name) for name in ("Records", "Events"))
        value = next((each for each in lists if isinstance(each, list)), value)
    return [_inner(each) for each in (value if isinstance(value, list) else [value])]


def _inner(value: Any) -> Any:
    """Take a record out of the queue message or the looked-up event that quotes it."""
    if isinstance(value, Mapping) and "messageId" in value and "body" in value:
        return value["body"]
    if isinstance(value, Mapping) and "CloudTrailEvent" in value:
        return value["CloudTrailEvent"]
    return value


def _tries(attributes: Any) -> int:
    count = attributes.get("ApproximateReceiveCount") if isinstance(attributes, Mapping) else None
    return int(count) if isinstance(count, str) and count.isdecimal() else 1


def _batch(bodies: Sequence[tuple[str, Any]], tries: Iterable[int] = repeat(1)) -> ChangeBatch:
    received: list[ReceivedChange] = []
    rejected: list[RejectedRecord] = []
    for (message_id, body), tried in zip(bodies, tries, strict=False):
        try:
            change = parse_record(_decoded(body))
            received.append(ReceivedChange(message_id, change, _shown(body), tried))
        except MalformedChangeError as error:
            rejected.append(RejectedRecord(message_id, str(error), _shown(body)))
    return ChangeBatch(tuple(received), tuple(rejected))


def _decoded(body: Any) -> Any:
    if not isinstance(body, str):
        return body
    try:
        return json.loads(body)
    except ValueError as error:
        raise MalformedChangeError(f"body: expected JSON: {error}") from None
    except RecursionError:
        raise MalformedChangeError("body: expected JSON, got one nested too deeply") from None


def _shown(body: Any) -> str:
    try:
        return body if isinstance(body, str) else json.dumps(body, default=str)
    except RecursionError:
        return "nested too deeply to be shown"
