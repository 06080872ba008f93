"""Parses many records at once: a batch of SQS messages or a CloudTrail log file."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from posture.changes.cloudtrail import parse_record
from posture.changes.record_shapes import parse_account_id
from posture.changes.tampering import WRAPPER, is_tampering, parse_tampering
from posture.errors import MalformedChangeError
from posture.lean_dataclass import dataclass
from posture.model.change import Change

GZIP = b"\x1f\x8b"
# The lists of records in files and answers: CloudTrail's log files, LookupEvents, CloudWatch Logs
# (FilterLogEvents, GetLogEvents; the data of a subscription), ReceiveMessage of SQS.
LISTS = ("Records", "Events", "events", "logEvents", "Messages")
# Members that hold a record as text: of a queue's message, LookupEvents and CloudWatch Logs.
TEXTS = ("body", "Body", "CloudTrailEvent", "message")
# A line of a log: its time, and perhaps the name of its stream, then the record.
LOG_LINE = re.compile(r"\d{4}-\S+\s+(\S+\s+)?(?=\{)")
# What other files are, by a member that only they have.
OTHER_FILES = {
    "digestS3Bucket": "a digest file of CloudTrail, which holds hashes of log files and no records",
    "awslogs": "the event of a CloudWatch Logs subscription; decode `awslogs.data` with "
    "`base64 -d | gunzip`",
    "QueryResultRows": "the result of a CloudTrail Lake query; save each `eventData` as a line",
    "results": "the result of a CloudWatch Logs Insights query; use `aws logs filter-log-events`",
    "Trails": "a list of trails",
    "trailList": "a list of trails",
}


@dataclass(frozen=True, slots=True)
class ReceivedChange:
    """A change and the id of its SQS message, or its place in a file.

    `body` is the message as received. `receive_count` is how often the queue has delivered it.
    `sender` is the account that EventBridge names as the event's, "" for a record without an event.
    """

    message_id: str
    change: Change
    body: str = ""
    receive_count: int = 1
    sender: str = ""

    @property
    def is_forged(self) -> bool:
        """Whether an account sent an event about what another one did.

        CloudTrail delivers a record to the event bus of the account that it is about. EventBridge
        writes the account of an event, and keeps it where the event is forwarded.
        https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html
        """
        return self.sender not in {"", self.change.region.account}


@dataclass(frozen=True, slots=True)
class RejectedRecord:
    """A message that cannot be parsed, and why. `body` is the message as received.

    `sender` is the account that EventBridge names as the event's, "" where there is none.
    """

    message_id: str
    reason: str
    body: str
    sender: str = ""


@dataclass(frozen=True, slots=True)
class ChangeBatch:
    """The changes of a batch, and the messages that could not be parsed."""

    received: tuple[ReceivedChange, ...]
    rejected: tuple[RejectedRecord, ...]

    @property
    def size(self) -> int:
        """The number of messages or records."""
        return len(self.received) + len(self.rejected)


def parse_sqs_event(event: Mapping[str, Any]) -> ChangeBatch:
    """Parse the event of a Lambda function that polls the queue of changes.

    An EventBridge event without a queue is a batch of one, and a CloudTrail log file is a batch of
    its records.

    Raises:
        MalformedChangeError: the event is none of these.
    """
    if "Records" not in event and "detail" in event:
        return _parse_all([(str(event.get("id", "")), event, 1)], parse_message)
    records = event.get("Records")
    if not isinstance(records, list) or not all(isinstance(each, Mapping) for each in records):
        raise MalformedChangeError("Records: expected a list of SQS messages")
    return _parse_all(
        (
            (
                str(each.get("messageId", f"record {number}")),
                each.get("body", each),
                _parse_receive_count(each.get("attributes")),
            )
            for number, each in enumerate(records, 1)
        ),
        parse_message,
    )


def parse_message(record: Any) -> Change:
    """Parse a message of the queue: a change of a network, or a call that can stop the monitor.

    Raises:
        MalformedChangeError: It cannot be parsed; the message names the field.
    """
    return parse_tampering(record) if is_tampering(record) else parse_record(record)


def parse_log_file(content: bytes) -> ChangeBatch:
    """Parse a CloudTrail log file, compressed with gzip or not.

    The file holds `{"Records": […]}`, one record, one EventBridge event, or several of these as a
    list or one in each line. The event of a function with SQS messages and the answers of
    CloudTrail's LookupEvents and of CloudWatch Logs are parsed, too. A record is named by its
    number.

    Raises:
        MalformedChangeError: the file is not JSON, or it is known to be something else.
    """
    text = _decode(content)
    try:
        value = json.loads(text)
    except ValueError as error:
        lines = [_strip_time(line) for line in text.splitlines() if line.strip()]
        is_log = lines and LOG_LINE.match(text.lstrip())
        if not is_log and (len(lines) < 2 or not lines[0].lstrip().startswith("{")):  # noqa: PLR2004
            raise MalformedChangeError(f"expected JSON: {error}") from None
        return _parse_all((f"line {number}", line, 1) for number, line in enumerate(lines, 1))
    except RecursionError:
        raise MalformedChangeError("expected JSON: the JSON is nested too deeply") from None
    return _parse_all((f"record {n}", each, 1) for n, each in enumerate(_list_records(value), 1))


def _strip_time(line: str) -> str:
    """Return the record in a line of a log that CloudWatch Logs exported or printed."""
    match = LOG_LINE.match(line)
    return line[match.end() :] if match else line


def _decode(content: bytes) -> str:
    try:
        if content.startswith(GZIP):
            content = gzip.decompress(content)
        return content.decode("utf-8-sig")
    except (OSError, EOFError, zlib.error) as error:
        raise MalformedChangeError(f"expected a gzip file: {error}") from None
    except UnicodeDecodeError as error:
        raise MalformedChangeError(f"expected text in UTF-8: {error}") from None


def _list_records(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        for name, what in OTHER_FILES.items():
            if name in value:
                raise MalformedChangeError(f"expected CloudTrail records, not {what}")
        lists = (value.get(name) for name in LISTS)
        value = next((each for each in lists if isinstance(each, list)), value)
    return [_unwrap(each) for each in (value if isinstance(value, list) else [value])]


def _unwrap(value: Any) -> Any:
    """Return the record inside a message, a log event or an event of LookupEvents."""
    if isinstance(value, Mapping):
        return next((text for it in TEXTS if isinstance(text := value.get(it), str)), value)
    return value


def _parse_receive_count(attributes: Any) -> int:
    count = attributes.get("ApproximateReceiveCount") if isinstance(attributes, Mapping) else None
    return int(count) if isinstance(count, str) and count.isdecimal() else 1


def _parse_all(
    messages: Iterable[tuple[str, Any, int]], parse: Callable[[Any], Change] = parse_record
) -> ChangeBatch:
    received: list[ReceivedChange] = []
    rejected: list[RejectedRecord] = []
    for message_id, body, receive_count in messages:
        text, sender = _format_body(body), ""
        try:
            record = _parse_json(body)
            sender = _find_sender(record)
            received.append(ReceivedChange(message_id, parse(record), text, receive_count, sender))
        except MalformedChangeError as error:
            rejected.append(RejectedRecord(message_id, str(error), text, sender))
    return ChangeBatch(tuple(received), tuple(rejected))


def _find_sender(record: Any) -> str:
    """Find the account of an event, or of the event in the wrapper of a rule about tampering."""
    event = record.get(WRAPPER, record) if isinstance(record, Mapping) else None
    if not isinstance(event, Mapping) or "detail" not in event:
        return ""
    return parse_account_id(event.get("account"))


def _parse_json(body: Any) -> Any:
    if not isinstance(body, str):
        return body
    try:
        return json.loads(body)
    except ValueError as error:
        raise MalformedChangeError(f"body: expected JSON: {error}") from None
    except RecursionError:
        raise MalformedChangeError("body: the JSON is nested too deeply") from None


def _format_body(body: Any) -> str:
    try:
        return body if isinstance(body, str) else json.dumps(body, default=str)
    except RecursionError:
        return "the JSON is nested too deeply"
