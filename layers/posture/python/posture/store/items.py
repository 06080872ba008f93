"""Findings and their transitions to and from items of the findings and history tables.

Attribute names are plain words, so that an auditor can query them. Unknown attributes are ignored,
and items of an older version are upgraded (`schema`). An item that cannot be read raises an error
that names its key: a finding that is skipped would never be reported.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from posture.alerts.event_texts import build_event_texts
from posture.errors import BaselineError, CorruptItemError
from posture.lean_dataclass import dataclass
from posture.lifecycle.bounds import is_truncated
from posture.model.change import THROUGH
from posture.model.finding import (
    UNKNOWN_CAUSE,
    Attribution,
    Cause,
    CauseKind,
    Finding,
    FindingStatus,
    Step,
    Transition,
)
from posture.model.instant import format_iso, parse_iso
from posture.model.rule_ids import current_rule_id
from posture.model.scope import Scope, ScopeNames
from posture.model.verdict import Evidence, Remediation, Severity, Status, Verdict
from posture.runtime.encoded_item import EncodedItem
from posture.store.attribute_values import (
    StoredItem,
    deserialize,
    require_int,
    require_text,
    serialize,
)
from posture.store.schema import SCHEMA, WORDING, upgrade

UNREADABLE = (ValueError, TypeError, AttributeError, KeyError, OSError, EOFError, BaselineError)
RESOLVED = "~resolved#"  # begins the sort key of a resolved finding; no rule id begins with it
TRANSIENT = "~transient#"  # begins the sort key of a mark that a transient finding was recorded
OTHERS = ("#", "~")  # begin the sort keys of items that are no findings, and RESOLVED
MARK_KEPT = timedelta(days=1)  # longer than the events of a transient finding are compared
SEVERAL = "several"  # the `actor` of a row of history that several did cause, or can have caused
REPORTED = {"finding", "transient"}  # the kinds of items that alerts report
CAUSE_TEXTS = ("event_id", "event_name", "actor", "source_ip", "user_agent")


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of history: a transition, and the commit, one of `parts`, that wrote it."""

    transition: Transition
    commit: str
    parts: int
    observed_at: datetime
    number: int = 0  # of the row in its scope's chain; 0 where it was written before chains existed
    digest: str = ""  # of the row


@dataclass(frozen=True, slots=True)
class TransitionItems:
    """The items that a transition writes, without the commit that writes them.

    `vacated` is the sort key that the finding leaves, "" for none.
    """

    transition: Transition
    finding: EncodedItem
    row: EncodedItem
    vacated: str = ""


@dataclass(frozen=True, slots=True)
class CommitReference:
    """One transaction of one scope, as the table's stream names it."""

    scope: Scope
    commit: str


def build_items(
    transition: Transition,
    former_key: str = "",
    keep_resolved: timedelta | None = None,
    observed_at: datetime | None = None,
) -> TransitionItems:
    """Build the finding's item and the row of history of a transition.

    Args:
        transition: The transition.
        former_key: The sort key that the finding has so far; "" for a new finding.
        keep_resolved: How long a resolved finding stays in the table; None keeps it.
        observed_at: The observation time of the evaluation; None where the transition updated the
            finding, so that it is `updated_at`.
    """
    finding = transition.finding
    if not transition.is_lasting:
        return _build_transient(transition, observed_at or finding.updated_at)
    key = item_key(finding)
    updated_at = format_iso(finding.updated_at)
    seen_at = format_iso(observed_at or finding.updated_at)
    shared = EncodedItem(serialize(_attributes(finding)))
    of_finding = {
        "item": key,
        "kind": "finding",
        "wording": WORDING,
        "expires_at": find_expiry(finding, keep_resolved),
        "account_status": f"{finding.scope.account}#{finding.status}",
        "severity_updated": f"{finding.severity.rank}-{finding.severity}#{updated_at}",
    }
    of_row = {
        "entry": f"{seen_at}#{finding.id}#{finding.version}",  # orders a scope's rows by time
        "kind": "transition",
        "step": transition.step.value,
        "reason": transition.reason,
        "observed_at": seen_at,
        "event": build_event_texts(finding),
        **_actor_fields(transition),
    }
    return TransitionItems(
        transition,
        shared.extend(serialize(of_finding)),
        shared.extend(serialize(of_row)),
        former_key if former_key != key else "",
    )


def _build_transient(transition: Transition, observed_at: datetime) -> TransitionItems:
    """Build the row of a transient finding, and a mark that it was recorded.

    The finding's own item does not change: it was neither open before nor is it now.
    """
    finding, seen_at = transition.finding, format_iso(observed_at)
    name = transient_key(transition)
    scope = {"scope": str(finding.scope), "schema": SCHEMA}
    mark = {
        "item": name,
        "kind": "transient",
        "until": format_iso(finding.updated_at),
        "expires_at": int((observed_at + MARK_KEPT).timestamp()),
    }
    row = {
        **_attributes(finding),
        **_actor_fields(transition),
        "entry": f"{seen_at}#{finding.id}#{name.removeprefix(TRANSIENT)}",
        "kind": "transition",
        "step": transition.step.value,
        "reason": transition.reason,
        "observed_at": seen_at,
    }
    finding_item, row_item = EncodedItem(serialize({**scope, **mark})), EncodedItem(serialize(row))
    return TransitionItems(transition, finding_item, row_item)


def transient_key(step: Transition) -> str:
    """Return the sort key of the mark of a transient finding, by its origin."""
    digest = hashlib.sha256("|".join(step.origin).encode()).hexdigest()
    return f"{TRANSIENT}{digest[:20]}"


def is_finding_key(key: str) -> bool:
    """Whether a sort key of the findings table is that of a finding."""
    return key.startswith(RESOLVED) or not key.startswith(OTHERS)


def find_expiry(finding: Finding, keep_resolved: timedelta | None) -> int | None:
    """Return when DynamoDB may delete a resolved finding, in seconds since 1970; None for never.

    Its history stays. https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html
    """
    if keep_resolved is None or finding.status is not FindingStatus.RESOLVED:
        return None
    return int((finding.updated_at + keep_resolved).timestamp())


def item_key(finding: Finding) -> str:
    """Return the sort key of a finding in the findings table.

    Those of resolved findings sort after all others, so that an evaluation does not read them.
    """
    return resolved_key(finding) if finding.status is FindingStatus.RESOLVED else open_key(finding)


def list_finding_keys(rule: str, resource: str) -> tuple[str, str]:
    """Return the sort keys that a finding has until it is resolved, and once it is."""
    key = f"{rule}#{resource}"
    return key, f"{RESOLVED}{key}"


def open_key(finding: Finding) -> str:
    """Return the sort key that a finding has until it is resolved."""
    return list_finding_keys(finding.rule, finding.resource)[0]


def resolved_key(finding: Finding) -> str:
    """Return the sort key that a finding has once it is resolved."""
    return list_finding_keys(finding.rule, finding.resource)[1]


def with_commit(item: EncodedItem, commit: str, parts: int | None = None) -> EncodedItem:
    """Add the commit that writes an item, and to a row of history the number of its parts."""
    return item.extend(serialize({"commit": commit, "parts": parts}))


def cause_fields(finding: Finding) -> dict[str, Any]:
    """Return the attributes on what opened, resolved and last changed a finding."""
    resolved_by = finding.resolved_by
    return {
        **_attribution_fields(finding.caused_by),
        "opened_by": _attribution_fields(finding.opened_by),
        "resolved_by": _attribution_fields(resolved_by) if resolved_by else None,
        "actor": _find_caller(finding.caused_by.actor or "") or None,
    }


def parse_finding(item: StoredItem) -> Finding:
    """Parse a finding's item.

    Raises:
        CorruptItemError: an attribute is missing or malformed.
    """
    fields = deserialize(item)
    with naming_item("finding", fields.get("scope"), fields.get("item")):
        return _finding(upgrade(fields))


def parse_history_entry(item: StoredItem) -> Entry:
    """Parse a row of history.

    Raises:
        CorruptItemError: an attribute is missing or malformed.
    """
    fields = deserialize(item)
    with naming_item("history row", fields.get("scope"), fields.get("entry")):
        step, reason = Step(require_text(fields, "step")), require_text(fields, "reason")
        return Entry(
            transition=Transition(step, _finding(upgrade(fields)), reason),
            commit=require_text(fields, "commit"),
            parts=require_int(fields, "parts"),
            observed_at=parse_iso(require_text(fields, "observed_at")),
            number=require_int(fields, "number") if "number" in fields else 0,
            digest=str(fields.get("digest", "")),
        )


def parse_stream_record(record: Mapping[str, Any]) -> CommitReference | None:
    """Return the commit that a stream record of a finding or a transient finding's mark reports.

    None where there is nothing to report: a deleted item, one edited by hand, a scope record, a
    waived finding. The record has the form of
    https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html

    Raises:
        CorruptItemError: the item has no readable scope and commit.
    """
    images = record.get("dynamodb", {})
    new, old = images.get("NewImage"), images.get("OldImage", {})
    if new is None or new.get("kind", {}).get("S") not in REPORTED:
        return None
    if new.get("commit") == old.get("commit"):
        return None
    if "carried_from" in new:  # an item of a former version was rewritten; nothing happened
        return None
    if new.get("status") == {"S": FindingStatus.WAIVED}:
        return None
    try:
        return CommitReference(Scope.parse(new["scope"]["S"]), new["commit"]["S"])
    except UNREADABLE as error:
        number = images.get("SequenceNumber")
        raise CorruptItemError(f"stream record {number} names no commit: {error}") from error


@contextmanager
def naming_item(kind: str, partition: object, key: object) -> Iterator[None]:
    """Add the key of the item to errors of its parser.

    Raises:
        CorruptItemError: an attribute is missing or malformed.
    """
    try:
        yield
    except UNREADABLE as error:
        raise CorruptItemError(f"{kind} {partition} / {key} cannot be read: {error}") from error


def _attributes(finding: Finding) -> dict[str, Any]:
    verdict, remedy = finding.verdict, finding.verdict.remediation
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
        "scope_name": finding.names.subject or None,
        "account_name": finding.names.account or None,
        "answer": verdict.status.value,
        "summary": verdict.summary,
        "evidence": [{"text": fact.text, "record": dict(fact.record)} for fact in verdict.evidence],
        "truncated": is_truncated(verdict) or None,
        "remediation": remedy
        and {"text": remedy.text, "command": remedy.command, "verified": remedy.verified},
        "concerns": sorted(verdict.concerns),
        "root": verdict.root or None,
        "version": finding.version,
        "opened_at": format_iso(finding.opened_at),
        "updated_at": format_iso(finding.updated_at),
        **cause_fields(finding),
    }


def _finding(fields: Mapping[str, Any]) -> Finding:
    verdict = _verdict(fields)
    digest = require_text(fields, "verdict_digest") if "verdict_digest" in fields else None
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
        opened_by=_attribution(fields["opened_by"]),
        resolved_by=_attribution(fields["resolved_by"]) if "resolved_by" in fields else None,
        caused_by=_attribution(fields),
        names=ScopeNames(
            str(fields.get("scope_name") or ""), str(fields.get("account_name") or "")
        ),
        verdict_digest=digest,
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
        remediation=_remediation(remedy) if remedy else None,
        concerns=frozenset(map(str, fields["concerns"])),
        root=str(fields.get("root") or ""),
    )


def _remediation(fields: Mapping[str, Any]) -> Remediation:
    """Read a remediation; items of former versions do not say what was shown of its command."""
    verified = require_text(fields, "verified") if "verified" in fields else ""
    return Remediation(require_text(fields, "text"), require_text(fields, "command"), verified)


def _attribution_fields(attribution: Attribution) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if attribution.cause:
        fields["cause"] = _cause_fields(attribution.cause)
    if attribution.candidates:
        fields["candidates"] = [_cause_fields(each) for each in attribution.candidates]
    return fields


def _actor_fields(transition: Transition) -> dict[str, Any]:
    """Return the key of the index by actor, and all actors of a row that has several."""
    if transition.actor:
        return {"actor": _find_caller(transition.actor)}
    actors = list(dict.fromkeys(map(_find_caller, transition.actors)))
    return {"actor": SEVERAL, "actors": actors} if actors else {}


def _find_caller(actor: str) -> str:
    """Return an actor without the AWS service that made the call: who asks by actor means both."""
    return actor.partition(THROUGH)[0]


def _cause_fields(cause: Cause) -> dict[str, str]:
    texts = {name: str(getattr(cause, name)) for name in CAUSE_TEXTS}
    identity = {"identity": cause.identity} if cause.identity else {}
    return {**texts, "time": format_iso(cause.time), "kind": cause.kind.value, **identity}


def _attribution(fields: Mapping[str, Any]) -> Attribution:
    cause, candidates = fields.get("cause"), fields.get("candidates", ())
    if cause is None and not candidates:
        return UNKNOWN_CAUSE
    return Attribution(_cause(cause) if cause else None, tuple(map(_cause, candidates)))


def _cause(fields: Mapping[str, Any]) -> Cause:
    texts = {name: require_text(fields, name) for name in CAUSE_TEXTS}
    kind = CauseKind(require_text(fields, "kind"))
    texts["identity"] = require_text(fields, "identity") if "identity" in fields else ""
    return Cause(**texts, time=parse_iso(require_text(fields, "time")), kind=kind)
