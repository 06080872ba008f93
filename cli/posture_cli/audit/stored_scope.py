"""What the findings table holds of one scope, and what no evaluation can have written of it. Pure.

The history proves a finding. What it does not prove is where the item is stored and when DynamoDB
deletes it, and what the scope record says beside the end of the chain.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from posture.lifecycle.diff import is_bad
from posture.model.finding import Finding, FindingStatus
from posture.model.instant import CLOCK_TOLERANCE, format_iso
from posture.model.rule_ids import first_rule_id
from posture.store.attribute_values import StoredItem
from posture.store.hash_chain import Chain
from posture.store.items import is_finding_key, list_finding_keys, parse_finding
from posture.store.scope_record import (
    LISTED,
    RECORD_KEY,
    ScopeRecord,
    parse_scope_record,
)
from posture_cli.audit.chain_walk import ChainFault

EXPIRES = "expires_at"


@dataclass(frozen=True, slots=True)
class StoredScope:
    """The scope record, the findings by id, and the first item that no evaluation wrote so."""

    record: ScopeRecord | None = None
    findings: Mapping[str, Finding] = field(default_factory=dict)
    fault: ChainFault | None = None

    @property
    def chain(self) -> Chain:
        """The end of the chain that is recorded."""
        return self.record.chain if self.record else Chain()


def parse_stored_scope(items: Iterable[StoredItem], now: datetime) -> StoredScope:
    """Parse all items of a scope.

    Args:
        items: The items in the order of their keys.
        now: The current time.

    Raises:
        CorruptItemError: One of them cannot be read.
    """
    record: StoredItem | None = None
    findings: dict[str, Finding] = {}
    faults: list[ChainFault] = []
    for item in items:
        key = item["item"].get("S", "")
        if key == RECORD_KEY:
            record = item
        elif is_finding_key(key):
            finding = parse_finding(item)
            if problem := _check_finding(item, key, finding, findings):
                faults.append(ChainFault(key, problem))
            findings[finding.id] = finding
    parsed = parse_scope_record(record) if record else None
    if record and parsed:
        problems = _check_record(record, parsed, findings.values(), now)
        faults = [*(ChainFault(RECORD_KEY, each) for each in problems), *faults]
    return StoredScope(parsed, findings, faults[0] if faults else None)


def _check_finding(
    item: StoredItem, key: str, finding: Finding, others: Mapping[str, Finding]
) -> str:
    """Find what is wrong with where a finding is stored, and until when; "" if it is right."""
    is_resolved = finding.status is FindingStatus.RESOLVED
    former = replace(finding, rule=first_rule_id(finding.rule))
    keys = {key for it in (finding, former) for key in list_finding_keys(it.rule, it.resource)}
    if not is_resolved:  # former versions stored resolved findings among the others
        keys = {each for each in keys if not each.startswith("~")}
    if finding.id in others:
        return "inserted: the finding is stored under another key as well"
    if key not in keys:
        return f"altered: the item holds the finding {finding.rule}#{finding.resource}"
    if EXPIRES in item and not is_resolved:
        return "altered: it expires, though the finding is not resolved"
    return ""


def _check_record(
    item: StoredItem, record: ScopeRecord, findings: Iterable[Finding], now: datetime
) -> Iterator[str]:
    """Find what is wrong with a scope record."""
    unresolved = Counter(each.status.value for each in findings if is_bad(each))
    if record.is_ahead_of(now + CLOCK_TOLERANCE):
        yield f"altered: its time {format_iso(max(record.times))} is in the future"
    if EXPIRES in item:
        yield "altered: it expires"
    if item.get("listed") != {"S": LISTED}:
        yield "altered: it is not in the index of all scopes"
    if unresolved and not record.exists:
        yield "altered: it is not in the index of its Region, though findings are not resolved"
    # They are written with the last transaction of an evaluation, as the digest is.
    if record.snapshot_digest and dict(record.counts) != unresolved:
        yield "altered: its counts are not those of the findings"
