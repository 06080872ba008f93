"""Who opened and who resolved a finding, in words and as JSON, for every output."""

from __future__ import annotations

from typing import Any

from posture.alerts.formatting import format_time
from posture.model.finding import Attribution, Cause, CauseKind, Finding
from posture.model.instant import format_iso

UNKNOWN = "unknown"


def name_attribution(attribution: Attribution) -> str:
    """Return who or what caused it, for a column: the actor of a call, or `one of: …`."""
    names = dict.fromkeys(map(_name_cause, attribution.possible))
    return _join(attribution, list(names))


def describe_attribution(attribution: Attribution) -> str:
    """Return who or what caused it, how and when, for a sentence that ends with `by`."""
    described = dict.fromkeys(map(describe_cause, attribution.possible))
    return _join(attribution, list(described))


def describe_cause(cause: Cause) -> str:
    """Return who or what caused it, how and when."""
    at = format_time(cause.time)
    actor = f"{cause.actor} ({cause.identity})" if cause.identity else cause.actor
    match cause.kind:
        case CauseKind.CALL:
            return f"{actor} with {cause.event_name} at {at}"
        case CauseKind.BASELINE:
            return f"{actor or UNKNOWN} with baseline {cause.event_id} at {at}"
        case CauseKind.WAIVER:
            return f"{actor} with {cause.event_name} of {cause.event_id} at {at}"
    return f"{_name_cause(cause)} at {at}"


def build_attribution_records(finding: Finding) -> dict[str, Any]:
    """Build who opened a finding, who resolved it, and who caused its latest transition."""
    resolved_by = finding.resolved_by
    return {
        "opened_by": build_attribution_record(finding.opened_by),
        "resolved_by": build_attribution_record(resolved_by) if resolved_by else None,
        "caused_by": build_attribution_record(finding.caused_by),
    }


def build_attribution_record(attribution: Attribution) -> dict[str, Any]:
    """Build the JSON: `text` for a column, `actor` only if it is certain, cause or candidates."""
    return {
        "text": name_attribution(attribution),
        "actor": attribution.actor,
        "cause": build_cause_record(attribution.cause) if attribution.cause else None,
        "candidates": [build_cause_record(each) for each in attribution.candidates],
    }


def build_cause_record(cause: Cause) -> dict[str, Any]:
    """Build the record of a cause: the event, and who made it from where."""
    return {
        "kind": cause.kind.value,
        "event_id": cause.event_id,
        "event_name": cause.event_name,
        "actor": cause.actor,
        "time": format_iso(cause.time),
        "source_ip": cause.source_ip,
        "user_agent": cause.user_agent,
        "identity": cause.identity,
    }


def _name_cause(cause: Cause) -> str:
    if cause.kind is CauseKind.UPGRADE:
        return "an upgrade of the monitor's rules"
    if cause.kind is CauseKind.SHARED_NETWORK:
        return "a change of the network that VPCs share"
    if cause.event_name == "PolicyDateReached":
        return "a date in an endpoint policy"
    if cause.kind is CauseKind.CLOCK:
        return f"the end of {f'waiver {cause.event_id}' if cause.event_id else 'a grace period'}"
    return cause.actor or f"{cause.kind} {cause.event_id}"


def _join(attribution: Attribution, possible: list[str]) -> str:
    """Join what can have caused it, and say that it is not certain where it is not."""
    if not possible:
        return UNKNOWN
    certain = attribution.cause or attribution.actor
    return possible[0] if certain and len(possible) == 1 else f"one of: {'; '.join(possible)}"
