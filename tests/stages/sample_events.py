"""The sample events, and what each comes to in the world that `posture emulate` serves."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stack_template import PATH

FOLDER = PATH.parent / "events"
FUNCTIONS = {
    "evaluate": "EvaluateFunction",
    "calls": "EvaluateFunction",
    "sweep": "SweepFunction",
    "notify": "NotifyFunction",
}
PAYMENTS = "vpc-0aaaaaaaaaaaaaaa1"
ANALYTICS = "vpc-0aaaaaaaaaaaaaaa2"
LEAK = ("gateway-service-bypasses-endpoint", "subnet-0aaaaaaaaaaaaaaa2")
KMS = ("required-service-without-endpoint", "com.amazonaws.eu-west-1.kms")
MOVED = ("subnet-without-gateway-endpoint-route", "subnet-0aaaaaaaaaaaaaaa5")


@dataclass(frozen=True)
class Expected:
    """What an event comes to, whichever events came before it.

    Args:
        failed: the ids of messages that come again.
        opens: rule and resource of findings that are open afterwards.
        alert: the pattern of the subject of the alert it causes, when it is the first to tell it.
    """

    failed: tuple[str, ...] = ()
    opens: frozenset[tuple[str, str]] = frozenset()
    alert: str = ""


EXPECTED = {
    "evaluate/single-change": Expected(opens=frozenset({LEAK})),
    "evaluate/batch": Expected(opens=frozenset({LEAK, KMS, MOVED})),
    "evaluate/duplicate": Expected(opens=frozenset({LEAK})),
    "evaluate/unplaceable": Expected(opens=frozenset({LEAK, KMS, MOVED})),
    "evaluate/malformed": Expected(
        failed=(
            "00000000-0000-4000-8000-000000000002",
            "00000000-0000-4000-8000-000000000003",
        ),
        opens=frozenset({LEAK}),
    ),
    "evaluate/failed-call": Expected(),
    "evaluate/aws-service": Expected(opens=frozenset({MOVED})),
    "evaluate/cross-account": Expected(failed=("6bcfcf8a-1d5a-4d1b-8c9c-1f3e6a7b8d09",)),
    "sweep/schedule": Expected(opens=frozenset({LEAK, KMS, MOVED})),
    "notify/opened": Expected(alert=rf"\[HIGH\] .+ - {PAYMENTS} .+"),
    "notify/resolved": Expected(alert=rf"\[RESOLVED\] .+ - {PAYMENTS} .+"),
    "notify/duplicate": Expected(),
    "notify/malformed": Expected(failed=("111000000000000000000000",)),
}


def read(name: str) -> Any:
    """Read an event by its name, as in `evaluate/batch`."""
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def names(folder: str) -> list[str]:
    """Name the events of a folder."""
    return sorted(f"{folder}/{path.stem}" for path in (FOLDER / folder).glob("*.json"))


def function_of(name: str) -> str:
    """Give the logical id of the function an event is for."""
    return FUNCTIONS[Path(name).parts[0]]


def failures(answer: Any) -> tuple[str, ...]:
    """Give the messages that a function's answer asks for again."""
    return tuple(each["itemIdentifier"] for each in answer.get("batchItemFailures", ()))


def rows_of(table: str) -> Iterator[str]:
    """Give the first cell of each row of events/README.md."""
    for line in table.splitlines():
        if line.startswith("| `"):
            yield line.split("`")[1]
