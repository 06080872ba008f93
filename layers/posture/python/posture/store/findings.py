"""Reading findings across scopes: by scope, status, account, rule and resource."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from heapq import merge
from itertools import chain, islice
from operator import attrgetter

from posture.model.finding import Finding, FindingStatus
from posture.model.rule_ids import current_rule_id, first_rule_id
from posture.model.scope import Scope
from posture.model.verdict import Severity
from posture.store.attribute_values import StoredItem, require_text, serialize
from posture.store.items import RESOLVED, is_finding_key, parse_finding
from posture.store.queries import BATCH, KeyRange, StoredTable, time_range
from posture.store.scope_record import (
    LISTED,
    RECORD_KEY,
    ScopeRecord,
    parse_readable,
    parse_scope_record,
)

# The attributes of a scope record that say when it was observed and where its chain ends.
SUMMARY = (
    "scope", "item", "kind", "schema", "head_of", "revision", "commit", "observed_at",
    "first_observed_at", "chain_length", "chain_tip", "passed",
)  # fmt: skip
# Those that say what was evaluated.
EVALUATED = (
    "picture", "picture_at", "snapshot_at", "shared_at", "shared_view", "shared_links", "catalogue",
)  # fmt: skip


class Findings(StoredTable):
    """The findings table as its readers see it, read page by page.

    `since` and `until` bound when a finding was last updated, both included. Every method uses a
    key or an index, never a scan; what comes from an index may be a moment old. Every method raises
    `CorruptItemError` at an item that cannot be read.
    """

    def list_scopes(self) -> Iterator[Scope]:
        """List every scope that was ever evaluated, including those that no longer exist."""
        for item in self._query("listed", LISTED, index="all-scopes"):
            yield Scope.parse(require_text({"scope": item["scope"].get("S")}, "scope"))

    def list_partitions(self) -> frozenset[str]:
        """List the partitions that have a scope record in the index of all scopes, or findings."""
        listed = [("listed", LISTED, "all-scopes")]
        listed += [("status", status.value, "by-status") for status in FindingStatus]
        return frozenset(
            str(item["scope"].get("S"))
            for key, value, index in listed
            for item in self._query(key, value, index=index, attributes=("scope",))
        )

    def read_items(self, scope: Scope) -> Iterator[StoredItem]:
        """Read the items of a scope as they are stored, by key; an item that is no finding too."""
        return self._query("scope", str(scope))

    def read_records(
        self,
        scopes: Iterable[Scope],
        also: tuple[str, ...] = (),
        unreadable: dict[str, str] | None = None,
    ) -> Iterator[ScopeRecord]:
        """Read the records of scopes, without coverage; a scope without a record is left out.

        Args:
            scopes: The scopes.
            also: Further attributes, such as EVALUATED.
            unreadable: Gets the reason why a record cannot be read, by its scope as text. None: an
                error is raised.
        """
        remaining = iter(scopes)
        while some := list(islice(remaining, BATCH)):
            keys = ({"scope": str(each), "item": RECORD_KEY} for each in some)
            items = self._get_all(keys, attributes=SUMMARY + also)
            if unreadable is None:
                yield from map(parse_scope_record, items)
            else:
                yield from parse_readable(items, unreadable)

    def find(self, scope: Scope, rule: str, resource: str) -> Finding | None:
        """Find the finding of a rule on a resource, read consistently; None if none is stored.

        `rule` may be a current or former id; an item that still carries the former one is found.
        """
        current = current_rule_id(rule)
        keys = [f"{each}#{resource}" for each in sorted({current, first_rule_id(current)})]
        items = (
            self._get(serialize({"scope": str(scope), "item": f"{prefix}{key}"}))
            for key in keys
            for prefix in ("", RESOLVED)
        )
        found = (parse_finding(item) for item in items if item)
        return max(found, key=attrgetter("version"), default=None)

    def find_by_scope(self, scope: Scope) -> Iterator[Finding]:
        """Find all findings of a scope, resolved ones included, by rule and resource."""
        items = self._query("scope", str(scope))
        return (parse_finding(item) for item in items if is_finding_key(str(item["item"].get("S"))))

    def find_by_status(
        self,
        status: FindingStatus,
        *,
        account: str | None = None,
        severities: Iterable[Severity] = (),
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Iterator[Finding]:
        """Find the findings of one status, in all accounts or one, the most severe first.

        Within a severity the least recently updated comes first.
        """
        key, value, index = "status", status.value, "by-status"
        if account:
            key, value, index = "account_status", f"{account}#{status}", "by-account-status"
        return chain.from_iterable(
            self._find(key, value, index, between)
            for between in _severity_ranges(severities, since, until)
        )

    def find_by_rule(
        self, rule: str, *, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[Finding]:
        """Find a rule's findings, the least recently updated first.

        `rule` may be a current or former id; items that still carry the former one are found, too.
        """
        current, between = current_rule_id(rule), _updated(since, until)
        ids = sorted({current, first_rule_id(current)})
        found = (self._find("rule", each, "by-rule", between) for each in ids)
        return merge(*found, key=attrgetter("updated_at"))

    def find_by_resource(
        self, resource: str, *, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[Finding]:
        """Find a resource's findings, the least recently updated first."""
        return self._find("resource", resource, "by-resource", _updated(since, until))

    def _find(
        self, key: str, value: str, index: str, between: KeyRange | None
    ) -> Iterator[Finding]:
        return map(parse_finding, self._query(key, value, index=index, between=between))


def _updated(since: datetime | None, until: datetime | None) -> KeyRange | None:
    return time_range("updated_at", since, until) if since or until else None


def _severity_ranges(
    severities: Iterable[Severity], since: datetime | None, until: datetime | None
) -> Iterator[KeyRange | None]:
    """Return the ranges of `severity_updated` to read, the most severe first; None for all."""
    wanted = frozenset(severities)
    if not wanted and since is None and until is None:
        yield None
        return
    name, first, last = time_range("severity_updated", since, until)
    for severity in Severity:
        if not wanted or severity in wanted:
            prefix = f"{severity.rank}-{severity}#"
            yield KeyRange(name, prefix + first, prefix + last)
