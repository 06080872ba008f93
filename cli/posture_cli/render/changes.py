"""Recorded changes as records: where each leads, or why it leads nowhere."""

from __future__ import annotations

from typing import Any

from posture.changes.batch import ReceivedChange, RejectedRecord
from posture.model.change import Change, ChangeOutcome
from posture.model.instant import format_iso

MALFORMED = "malformed"
COLUMNS = ("time", "event", "outcome", "account", "region", "looks_at", "actor", "reason")
CSV_COLUMNS = ("file", "place", "event_id", *COLUMNS)


def build_change_record(file: str, received: ReceivedChange) -> dict[str, Any]:
    """Give the record of a change that could be read."""
    change = received.change
    return {
        "file": file,
        "place": received.message_id,
        "event_id": change.event_id,
        "time": format_iso(change.time),
        "event": change.event_name,
        "outcome": change.outcome.value,
        "account": change.region.account,
        "region": change.region.name,
        "vpcs": sorted(change.vpc_ids),
        "services": sorted(change.service_ids),
        "resources": sorted(change.resource_ids),
        "looks_at": _looks_at(change),
        "actor": str(change.actor),
        "reason": change.ignored_because,
    }


def _looks_at(change: Change) -> str:
    """Say where the monitor looks: at what is named outright, or at the owner of what is named."""
    if change.outcome is ChangeOutcome.IGNORED:
        return ""
    named = sorted(change.vpc_ids | change.service_ids) or sorted(change.resource_ids)
    return ", ".join(named) or "the whole region"


def build_rejected_record(file: str, rejected: RejectedRecord) -> dict[str, Any]:
    """Give the record of what could not be read."""
    return {
        "file": file,
        "place": rejected.message_id,
        "outcome": MALFORMED,
        "reason": rejected.reason,
    }
