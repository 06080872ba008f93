"""Reading a scope: its record, its findings, and what was recorded of it before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from posture.model.finding import Finding, FindingStatus, Step, Transition
from posture.model.instant import format_iso
from posture.model.rule_ids import first_rule_id
from posture.model.scope import Region, Scope
from posture.store.attribute_values import StoredItem
from posture.store.items import (
    is_finding_key,
    list_finding_keys,
    open_key,
    parse_finding,
    resolved_key,
    transient_key,
)
from posture.store.queries import KeyRange, StoredTable
from posture.store.scope_evaluation import ScopeState
from posture.store.scope_record import (
    RECORD_KEY,
    ScopeRecord,
    parse_readable,
    parse_scope_record,
    record_key,
)

PUT_BACK_BY = "who put it back is known now"
UNRESOLVED_ITEMS = KeyRange("item", "#", "}")  # the scope record, and the findings before RESOLVED
DNS_ATTRIBUTES = ("scope", "item", "observed_at", "revision", "shared_at", "dns")
MAX_FORMER = 1_000  # items of a former version that one evaluation rewrites


class ScopeReader(StoredTable):
    """Reads the scopes of the findings table."""

    def load(self, scope: Scope) -> ScopeState:
        """Read a scope's record and unresolved findings, consistently.

        What is read does not grow with the findings that were ever resolved.

        Raises:
            CorruptItemError: an item cannot be read.
        """
        record, misplaced = None, False
        findings: dict[str, Finding] = {}
        former: dict[str, StoredItem] = {}
        keys: dict[str, str] = {}
        for item in self._query("scope", str(scope), between=UNRESOLVED_ITEMS):
            if item["item"] == {"S": RECORD_KEY}:
                record = parse_scope_record(item)
                continue
            if not is_finding_key(str(item["item"].get("S"))):
                continue  # a mark or a snapshot, of which no evaluation reads all
            moves = item.get("status") == {"S": FindingStatus.RESOLVED}
            misplaced |= moves
            if moves and len(former) >= MAX_FORMER:
                continue  # neither parsed nor kept: there may be very many
            finding = parse_finding(item)
            if moves or finding.verdict_digest == "":
                former[finding.id] = item
            if not moves:
                findings[finding.id] = finding
                keys[finding.id] = str(item["item"].get("S"))
        return ScopeState(scope, record, findings, former, keys, misplaced)

    def load_record(self, scope: Scope) -> ScopeRecord | None:
        """Read a scope's record, consistently.

        Raises:
            CorruptItemError: it cannot be read.
        """
        item = self._get(record_key(scope))
        return parse_scope_record(item) if item else None

    def load_dns_records(self, scopes: Iterable[Scope]) -> tuple[ScopeRecord, ...]:
        """Read the times and the DNS attributes of the records of many scopes, consistently.

        Raises:
            CorruptItemError: one of them cannot be read.
        """
        keys = [{"scope": str(each), "item": RECORD_KEY} for each in scopes]
        return tuple(map(parse_scope_record, self._get_all(keys, attributes=DNS_ATTRIBUTES)))

    def load_region_records(
        self, region: Region, unreadable: dict[Scope, str]
    ) -> tuple[ScopeRecord, ...]:
        """Read the records of all scopes of a region that exist as far as is known.

        They come from an index, so they may be a moment old and carry no coverage. The scopes of
        those that cannot be read are added to `unreadable` with the reason; the region's own stands
        for one whose key is no scope.
        """
        reasons: dict[str, str] = {}
        items = self._query("head_of", str(region), index="by-region")
        records = tuple(parse_readable(items, reasons))
        for key, reason in reasons.items():
            try:
                scope = Scope.parse(key)
            except ValueError:
                scope = region.scope
            unreadable[scope] = reason
        return records

    def load_findings(self, scope: Scope, keys: Iterable[tuple[str, str]]) -> tuple[Finding, ...]:
        """Read findings by rule and resource, resolved or not."""
        wanted = (
            {"scope": str(scope), "item": key}
            for rule, resource in keys
            for key in list_finding_keys(rule, resource)
        )
        return tuple(map(parse_finding, self._get_all(wanted)))

    def _add_resolved(self, state: ScopeState, steps: Iterable[Transition]) -> ScopeState | None:
        """Add the resolved findings that come back, so that their versions continue."""
        lasting = (step.finding for step in steps if step.is_lasting)
        new = (finding for finding in lasting if finding.id not in state.findings)
        wanted = {key for finding in new for key in _resolved_keys(finding, state)}
        items = self._get_all({"scope": str(state.scope), "item": key} for key in sorted(wanted))
        findings, keys = dict(state.findings), dict(state.keys)
        for item in items:
            finding = parse_finding(item)
            findings[finding.id], keys[finding.id] = finding, str(item["item"].get("S"))
        return replace(state, findings=findings, keys=keys) if items else None

    def drop_recorded(self, scope: Scope, steps: Sequence[Transition]) -> tuple[Transition, ...]:
        """Leave out the transient findings that were recorded before: events come more than once.

        So is what the same call had opened as a lasting finding: the times of records are whole
        seconds, so that two calls right after a snapshot look like two calls before it. What was
        put back earlier than is recorded, as a later event says, amends the record. If the scope's
        record was read before, the condition of the commit on it holds for what is read here as
        well.
        """
        known, opened = self._read_recorded(scope, steps)
        kept: list[Transition] = []
        for step in steps:
            mark, until = transient_key(step), format_iso(step.finding.updated_at)
            name, *begun = step.origin
            if any((name, event_id) in opened for event_id in begun):
                continue
            if mark in known and until >= known[mark]:
                continue
            amends = mark in known
            kept.append(replace(step, step=Step.AMENDED, reason=PUT_BACK_BY) if amends else step)
            known[mark] = until
        return tuple(kept)

    def _read_recorded(
        self, scope: Scope, steps: Iterable[Transition]
    ) -> tuple[dict[str, str], set[tuple[str, str]]]:
        """Read the ends of the transient findings by mark, and which call opened which finding."""
        keys: set[str] = set()
        for step in steps:
            finding = step.finding
            keys |= {transient_key(step), *list_finding_keys(finding.rule, finding.resource)}
        ends: dict[str, str] = {}
        opened: set[tuple[str, str]] = set()
        for item in self._get_all({"scope": str(scope), "item": key} for key in sorted(keys)):
            key = str(item["item"].get("S"))
            if not is_finding_key(key):
                ends[key] = str(item.get("until", {}).get("S", ""))
            elif (finding := parse_finding(item)).opened_by.cause:
                opened.add((finding.id, finding.opened_by.cause.event_id))
        return ends, opened


def _resolved_keys(finding: Finding, state: ScopeState) -> Iterator[str]:
    """Return the keys that a finding may be stored under since it was resolved."""
    yield resolved_key(finding)
    if state.misplaced:
        yield open_key(finding)
        yield open_key(replace(finding, rule=first_rule_id(finding.rule)))
