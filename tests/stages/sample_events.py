"""The sample events, and their results in the environment of `posture emulate`."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from posture.model.finding import FindingStatus
from posture.store.findings import Findings
from stack_template import PATH

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

FOLDER = PATH.parent / "events"
FUNCTIONS = {
    "evaluate": "EvaluateFunction",
    "calls": "EvaluateFunction",
    "sweep": "SweepFunction",
    "notify": "NotifyFunction",
}
SHARED_FUNCTIONS = {"survey": "SurveyFunction", "refresh": "RefreshFunction"}  # SharedNetwork=on
PAYMENTS = "vpc-0aaaaaaaaaaaaaaa1"
ANALYTICS = "vpc-0aaaaaaaaaaaaaaa2"
LEAK = ("gateway-service-bypasses-endpoint", "subnet-0aaaaaaaaaaaaaaa2")
KMS = ("required-service-without-endpoint", "com.amazonaws.eu-west-1.kms")
LOST = ("required-service-without-endpoint", "com.amazonaws.eu-west-1.sqs")
MOVED = ("subnet-without-gateway-endpoint-route", "subnet-0aaaaaaaaaaaaaaa5")


@dataclass(frozen=True)
class Expected:
    """The result of an event, independent of the events before it.

    Attributes:
        failed: The ids of the messages that fail.
        opens: Rule and resource of findings that are open afterwards.
        alert: A pattern for the subject of its alert, if none was sent before.
    """

    failed: tuple[str, ...] = ()
    opens: frozenset[tuple[str, str]] = frozenset()
    alert: str = ""


EXPECTED = {
    "evaluate/single-change": Expected(opens=frozenset({LEAK})),
    "evaluate/batch": Expected(opens=frozenset({LEAK, KMS, MOVED})),
    "evaluate/duplicate": Expected(opens=frozenset({LEAK})),
    "evaluate/unresolved": Expected(opens=frozenset({LEAK, KMS, MOVED})),
    "evaluate/malformed": Expected(
        failed=(
            "00000000-0000-4000-8000-000000000002",
            "00000000-0000-4000-8000-000000000003",
        ),
        opens=frozenset({LEAK}),
    ),
    "evaluate/failed-call": Expected(),
    "evaluate/aws-service": Expected(opens=frozenset({MOVED})),
    "evaluate/cross-account": Expected(),
    "sweep/schedule": Expected(opens=frozenset({LEAK, KMS, MOVED})),
    "notify/opened": Expected(alert=rf"\[HIGH\] .+ - {PAYMENTS} .+"),
    "notify/resolved": Expected(alert=rf"\[RESOLVED, HIGH\] .+ - {PAYMENTS} .+"),
    "notify/duplicate": Expected(),
    "notify/malformed": Expected(failed=("111000000000000000000000",)),
}
SHARED_EXPECTED = {
    "survey/schedule": Expected(),
    "survey/transit-route-deleted": Expected(),
    "survey/zone-record-deleted": Expected(),
    "survey/malformed": Expected(failed=("00000000-0000-4000-8000-000000000002",)),
    "refresh/network-changed": Expected(opens=frozenset({LOST})),
}


def list_active(client: "DynamoDBClient", table: str) -> set[tuple[str, str]]:
    """List rule and resource of every finding that is open or unknown."""
    found = Findings(client, table)
    statuses = (FindingStatus.OPEN, FindingStatus.UNKNOWN)
    return {(it.rule, it.resource) for each in statuses for it in found.find_by_status(each)}


def read_event(name: str) -> Any:
    """Read an event by its name, such as `evaluate/batch`."""
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def list_events(folder: str) -> list[str]:
    """Return the names of a folder's events."""
    return sorted(f"{folder}/{path.stem}" for path in (FOLDER / folder).glob("*.json"))


def find_function(name: str) -> str:
    """Return the logical id of an event's function."""
    return {**FUNCTIONS, **SHARED_FUNCTIONS}[Path(name).parts[0]]


def failed_ids(answer: Any) -> tuple[str, ...]:
    """Return the ids of the failed messages in a function's response."""
    return tuple(each["itemIdentifier"] for each in answer.get("batchItemFailures", ()))


def list_readme_events(table: str) -> Iterator[str]:
    """Yield the event name of each table row of events/README.md."""
    for line in table.splitlines():
        if line.startswith("| `"):
            yield line.split("`")[1]
