"""Builds the records of changes: the scopes that each makes the monitor evaluate, or why none."""

from __future__ import annotations

from typing import Any

from posture.changes.batch import ReceivedChange, RejectedRecord
from posture.model.change import Change, ChangeOutcome
from posture.model.instant import format_iso

MALFORMED = "malformed"
COLUMNS = ("time", "event", "outcome", "account", "region", "looks_at", "actor", "reason")
CSV_COLUMNS = ("file", "place", "event_id", *COLUMNS)


def build_change_record(file: str, received: ReceivedChange) -> dict[str, Any]:
    """Build the record of a change that could be parsed."""
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
        "looks_at": _evaluated_scopes(change),
        "actor": str(change.actor),
        "reason": change.ignored_because,
    }


def _evaluated_scopes(change: Change) -> str:
    """Name what the monitor evaluates: the VPCs and services, or the owners of the resources."""
    if change.outcome is ChangeOutcome.IGNORED:
        return ""
    named = sorted(change.vpc_ids | change.service_ids) or sorted(change.resource_ids)
    return ", ".join(named) or "the whole region"


def build_rejected_record(file: str, rejected: RejectedRecord) -> dict[str, Any]:
    """Build the record of a change that could not be parsed."""
    return {
        "file": file,
        "place": rejected.message_id,
        "outcome": MALFORMED,
        "reason": rejected.reason,
    }
