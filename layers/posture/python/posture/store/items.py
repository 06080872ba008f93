"""Findings and their history as items of the tables, and back.

Attribute names are plain words, so that an auditor can query them. Reading ignores attributes it
does not know and upgrades what an older version wrote (`schema`). An item that cannot be read
raises, naming table and key: a finding that is skipped would be one that nobody is told of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from posture.errors import CorruptItemError
from posture.lifecycle.bounds import is_truncated
from posture.model.finding import Cause, Finding, FindingStatus, Step, Transition
from posture.model.instant import format_iso, parse_iso
from posture.model.rule_ids import current_rule_id
from posture.model.scope import Scope
from posture.model.verdict import Evidence, Remediation, Severity, Status, Verdict
from posture.store.attribute_values import (
    Item,
    StoredItem,
    deserialize,
    require_int,
    require_text,
    serialize,
)
from posture.store.schema import SCHEMA, upgrade


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of history: a transition, and the commit (one of `parts`) that wrote it."""

    transition: Transition
    commit: str
    parts: int
    observed_at: datetime


@dataclass(frozen=True, slots=True)
class TransitionItems:
    """What a transition writes, but for the commit: the finding's item and the row of history."""

    finding: Item
    row: Item


def build_items(transition: Transition) -> TransitionItems:
    """Give the items of a transition; what both tell of the finding is made once."""
    finding = transition.finding
    updated_at = format_iso(finding.updated_at)
    told = serialize(_fields(finding))
    of_finding = {
        "item": item_key(finding),
        "kind": "finding",
        "account_status": f"{finding.scope.account}#{finding.status}",
        "severity_updated": f"{finding.severity.rank}-{finding.severity}#{updated_at}",
    }
    of_row = {
        "entry": f"{updated_at}#{finding.id}#{finding.version}",  # orders a scope's rows by time
        "kind": "transition",
        "step": transition.step.value,
        "reason": transition.reason,
        "observed_at": updated_at,
    }
    return TransitionItems({**told, **serialize(of_finding)}, {**told, **serialize(of_row)})


def item_key(finding: Finding) -> str:
    """Return the sort key of a finding in the findings table."""
    return f"{finding.rule}#{finding.resource}"


def with_commit(item: Item, commit: str, parts: int | None = None) -> Item:
    """Give an item with the commit that writes it, a row of history with how many parts it has."""
    return {**item, **serialize({"commit": commit, "parts": parts})}


def parse_finding(item: StoredItem) -> Finding:
    """Read a finding back.

    Raises:
        CorruptItemError: an attribute is missing or malformed.
    """
    fields = deserialize(item)
    try:
        return _finding(upgrade(fields))
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise corrupt_item_error(
            "finding", fields.get("scope"), fields.get("item"), error
        ) from error


def parse_history_entry(item: StoredItem) -> Entry:
    """Read a row of history back.

    Raises:
        CorruptItemError: an attribute is missing or malformed.
    """
    fields = deserialize(item)
    try:
        step, reason = Step(require_text(fields, "step")), require_text(fields, "reason")
        return Entry(
            transition=Transition(step, _finding(upgrade(fields)), reason),
            commit=require_text(fields, "commit"),
            parts=require_int(fields, "parts"),
            observed_at=parse_iso(require_text(fields, "observed_at")),
        )
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise corrupt_item_error(
            "history row", fields.get("scope"), fields.get("entry"), error
        ) from error


def corrupt_item_error(kind: str, scope: object, key: object, error: Exception) -> CorruptItemError:
    """Name the item that cannot be read, and what is wrong with it."""
    return CorruptItemError(f"{kind} {scope} / {key} cannot be read: {error}")


def _fields(finding: Finding) -> dict[str, Any]:
    verdict = finding.verdict
    return {
        "scope": str(finding.scope),
        "schema": SCHEMA,
        "id": finding.id,
        "rule": finding.rule,
        "resource": finding.resource,
        "status": finding.status.value,
        "severity": finding.severity.value,
        "account": finding.scope.account,
        "region": finding.scope.region,
        "vpc": finding.scope.vpc_id,
        "answer": verdict.status.value,
        "summary": verdict.summary,
        "evidence": [{"text": fact.text, "record": dict(fact.record)} for fact in verdict.evidence],
        "truncated": is_truncated(verdict) or None,
        "remediation": _remediation_map(verdict.remediation),
        "concerns": sorted(verdict.concerns),
        "root": verdict.root or None,
        "version": finding.version,
        "opened_at": format_iso(finding.opened_at),
        "updated_at": format_iso(finding.updated_at),
        "cause": _cause_map(finding.cause),
        "actor": (finding.cause.actor or None) if finding.cause else None,
    }


def _remediation_map(remediation: Remediation | None) -> dict[str, str] | None:
    return {"text": remediation.text, "command": remediation.command} if remediation else None


def _cause_map(cause: Cause | None) -> dict[str, str] | None:
    if cause is None:
        return None
    return {
        "event_id": cause.event_id,
        "event_name": cause.event_name,
        "actor": cause.actor,
        "time": format_iso(cause.time),
        "source_ip": cause.source_ip,
        "user_agent": cause.user_agent,
    }


def _finding(fields: Mapping[str, Any]) -> Finding:
    verdict = _verdict(fields)
    return Finding(
        scope=Scope.parse(require_text(fields, "scope")),
        rule=verdict.rule,
        resource=verdict.resource,
        status=FindingStatus(require_text(fields, "status")),
        severity=verdict.severity,
        verdict=verdict,
        version=require_int(fields, "version"),
        opened_at=parse_iso(require_text(fields, "opened_at")),
        updated_at=parse_iso(require_text(fields, "updated_at")),
        cause=_cause(fields.get("cause")),
        verdict_digest=fields.get("verdict_digest"),
    )


def _verdict(fields: Mapping[str, Any]) -> Verdict:
    remedy = fields.get("remediation")
    return Verdict(
        rule=current_rule_id(require_text(fields, "rule")),
        resource=require_text(fields, "resource"),
        status=Status(require_text(fields, "answer")),
        severity=Severity(require_text(fields, "severity")),
        summary=require_text(fields, "summary"),
        evidence=tuple(
            Evidence(
                require_text(fact, "text"),
                {name: require_text(fact["record"], name) for name in fact["record"]},
            )
            for fact in fields["evidence"]
        ),
        remediation=Remediation(require_text(remedy, "text"), require_text(remedy, "command"))
        if remedy
        else None,
        concerns=frozenset(map(str, fields["concerns"])),
        root=str(fields.get("root") or ""),
    )


def _cause(fields: Mapping[str, Any] | None) -> Cause | None:
    if fields is None:
        return None
    return Cause(
        event_id=require_text(fields, "event_id"),
        event_name=require_text(fields, "event_name"),
        actor=require_text(fields, "actor"),
        time=parse_iso(require_text(fields, "time")),
        source_ip=require_text(fields, "source_ip"),
        user_agent=require_text(fields, "user_agent"),
    )
