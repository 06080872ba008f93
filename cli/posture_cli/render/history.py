"""Builds the records of history entries."""

from __future__ import annotations

from typing import Any

from posture.model.instant import format_iso
from posture.store.items import Entry
from posture_cli.render.findings import build_finding_record

COLUMNS = ("time", "step", "status", "severity", "rule", "resource", "vpc", "actor", "summary")
CSV_COLUMNS = (
    *COLUMNS, "account", "region", "reason", "id", "version", "commit", "evidence", "remediation",
)  # fmt: skip


def build_entry_record(entry: Entry) -> dict[str, Any]:
    """Build the record of a history entry: the step, and the finding after it."""
    transition = entry.transition
    return {
        "time": format_iso(entry.observed_at),
        "step": transition.step.value,
        "reason": transition.reason,
        "commit": entry.commit,
        **build_finding_record(transition.finding),
    }
