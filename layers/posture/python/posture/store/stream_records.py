"""The records of the findings table's stream: which commit wrote a finding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from posture.errors import CorruptItemError
from posture.model.finding import FindingStatus
from posture.model.scope import Scope


@dataclass(frozen=True, slots=True)
class CommitReference:
    """One transaction of one scope."""

    scope: Scope
    commit: str


def parse_stream_record(record: Mapping[str, Any]) -> CommitReference | None:
    """Return the commit that a stream record reports.

    None where there is nothing to report: a deleted item, one edited by hand, a scope record, a
    waived finding. The record has the form of
    https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html

    Raises:
        CorruptItemError: the item has no readable scope and commit.
    """
    images = record.get("dynamodb", {})
    new, old = images.get("NewImage"), images.get("OldImage", {})
    if new is None or new.get("kind") != {"S": "finding"} or new.get("commit") == old.get("commit"):
        return None
    if "carried_from" in new:  # an item of a former version was rewritten; nothing happened
        return None
    if new.get("status") == {"S": FindingStatus.WAIVED}:
        return None
    try:
        return CommitReference(Scope.parse(new["scope"]["S"]), new["commit"]["S"])
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        number = images.get("SequenceNumber")
        raise CorruptItemError(f"stream record {number} names no commit: {error}") from error
