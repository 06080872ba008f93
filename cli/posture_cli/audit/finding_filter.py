"""Which findings somebody wants to see, and the cheapest way to read just these."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from heapq import merge, nsmallest
from itertools import chain, islice
from typing import Any

from posture.lifecycle.diff import apply_transitions
from posture.model.finding import Finding, FindingStatus
from posture.model.scope import Scope
from posture.model.verdict import Severity
from posture.store.findings import Findings
from posture.store.history import History
from posture_cli.sort_orders import SortOrder

Key = Callable[[Finding], Any]


SORT_KEYS: dict[SortOrder, Key] = {
    SortOrder.SEVERITY: lambda it: (it.severity.rank, it.updated_at, it.id),
    SortOrder.UPDATED: lambda it: (it.updated_at, it.id),
    SortOrder.OPENED: lambda it: (it.opened_at, it.id),
    SortOrder.RULE: lambda it: (it.rule, str(it.scope), it.resource),
    SortOrder.RESOURCE: lambda it: (it.resource, str(it.scope), it.rule),
    SortOrder.SCOPE: lambda it: (it.scope, it.rule, it.resource),
}


@dataclass(frozen=True, slots=True)
class FindingFilter:
    """Filters; an empty one lets everything through. `since` and `until` bound `updated_at`."""

    statuses: frozenset[FindingStatus] = frozenset()
    severities: frozenset[Severity] = frozenset()
    rule: str | None = None
    resource: str | None = None
    account: str | None = None
    region: str | None = None
    vpc: str | None = None
    scope: Scope | None = None
    actor: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def takes(self, finding: Finding) -> bool:
        """Tell whether a finding passes every filter."""
        actor = finding.cause.actor if finding.cause else ""
        return (
            (not self.statuses or finding.status in self.statuses)
            and (not self.severities or finding.severity in self.severities)
            and self.rule in {None, finding.rule}
            and self.resource in {None, finding.resource}
            and self.lies_in(finding.scope)
            and (self.actor is None or self.actor in actor)
            and (self.since is None or finding.updated_at >= self.since)
            and (self.until is None or finding.updated_at <= self.until)
        )

    def lies_in(self, scope: Scope) -> bool:
        """Tell whether a scope may hold what is wanted."""
        return (
            self.account in {None, scope.account}
            and self.region in {None, scope.region}
            and self.vpc in {None, scope.subject}
            and self.scope in {None, scope}
        )


def read_findings(
    findings: Findings, wanted: FindingFilter, sort: SortOrder, limit: int | None
) -> Iterator[Finding]:
    """Give the wanted findings as they are now, read by the index that fits the filters best.

    Where that index has them in the order that is asked for, they come one by one as they are
    read, and nothing is read beyond `limit`. Otherwise all that match are read first.

    Raises:
        CorruptItemError: an item cannot be read.
    """
    found, natural = _read(findings, wanted)
    matching = filter(wanted.takes, found)
    if natural is sort:
        return islice(matching, limit)
    return sort_findings(matching, sort, limit)


def rebuild_findings(
    findings: Findings, history: History, wanted: FindingFilter, instant: datetime
) -> Iterator[Finding]:
    """Give the wanted findings as they were at an instant, rebuilt from history.

    Raises:
        CorruptItemError: a row of history cannot be read.
    """
    for scope in list_scopes(findings, wanted):
        steps = (row.transition for row in history.find_by_scope(scope, until=instant))
        yield from filter(wanted.takes, apply_transitions({}, steps).values())


def list_scopes(findings: Findings, wanted: FindingFilter) -> Iterator[Scope]:
    """Give every scope that may hold what is wanted, gone ones included."""
    listed = iter([wanted.scope]) if wanted.scope else findings.list_scopes()
    return filter(wanted.lies_in, listed)


def sort_findings(
    found: Iterable[Finding], sort: SortOrder, limit: int | None
) -> Iterator[Finding]:
    """Order findings that come in any order, holding no more of them than are wanted."""
    if limit is None:
        return iter(sorted(found, key=SORT_KEYS[sort]))
    return iter(nsmallest(limit, found, key=SORT_KEYS[sort]))


def merge_findings(
    found: Iterable[Iterator[Finding]], sort: SortOrder, limit: int | None
) -> Iterator[Finding]:
    """Give the findings of several stacks, each in this order already, as one list in it."""
    return islice(merge(*found, key=SORT_KEYS[sort]), limit)


def _read(findings: Findings, wanted: FindingFilter) -> tuple[Iterator[Finding], SortOrder | None]:
    """Give findings that hold all the wanted ones, and the order in which they come, if any."""
    if wanted.scope or wanted.vpc:
        listed = map(findings.find_by_scope, list_scopes(findings, wanted))
        return chain.from_iterable(listed), None
    if wanted.resource:
        by_resource = findings.find_by_resource(
            wanted.resource, since=wanted.since, until=wanted.until
        )
        return by_resource, SortOrder.UPDATED
    if wanted.rule:
        by_rule = findings.find_by_rule(wanted.rule, since=wanted.since, until=wanted.until)
        return by_rule, SortOrder.UPDATED
    by_status = [
        findings.find_by_status(
            status,
            account=wanted.account,
            severities=wanted.severities,
            since=wanted.since,
            until=wanted.until,
        )
        for status in sorted(wanted.statuses or FindingStatus)
    ]
    return merge(*by_status, key=SORT_KEYS[SortOrder.SEVERITY]), SortOrder.SEVERITY
