"""Filters and sorts findings, and reads them by the index that fits the filter best."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from heapq import merge, nsmallest
from itertools import chain, islice
from typing import Any, TypeVar

from posture.model.finding import Finding, FindingStatus
from posture.model.scope import Scope
from posture.model.verdict import Severity
from posture.store.findings import Findings
from posture.store.history import History, rebuild_findings
from posture_cli.audit.actors import ActorFilter, ActorRole
from posture_cli.audit.past import RECORDED_WITHIN, Episode, find_episodes

Item = TypeVar("Item")


class SortOrder(StrEnum):
    """The orders of a list of findings."""

    SEVERITY = "severity"  # the most severe first, then the one that changed least recently
    UPDATED = "updated"
    OPENED = "opened"
    RULE = "rule"
    RESOURCE = "resource"
    SCOPE = "scope"


SORT_KEYS: dict[SortOrder, Callable[[Finding], Any]] = {
    SortOrder.SEVERITY: lambda it: (it.severity.rank, it.updated_at, it.id),
    SortOrder.UPDATED: lambda it: (it.updated_at, it.id),
    SortOrder.OPENED: lambda it: (it.opened_at, it.id),
    SortOrder.RULE: lambda it: (it.rule, str(it.scope), it.resource),
    SortOrder.RESOURCE: lambda it: (it.resource, str(it.scope), it.rule),
    SortOrder.SCOPE: lambda it: (it.scope, it.rule, it.resource),
}


@dataclass(frozen=True, slots=True)
class FindingFilter:
    """The filters of a list of findings; an empty one matches all. Times filter by `updated_at`."""

    statuses: frozenset[FindingStatus] = frozenset()
    severities: frozenset[Severity] = frozenset()
    rule: str | None = None
    resource: str | None = None
    account: str | None = None
    region: str | None = None
    vpc: str | None = None
    scope: Scope | None = None
    actor: ActorFilter | None = None
    role: ActorRole = ActorRole.ANY
    since: datetime | None = None
    until: datetime | None = None

    def matches(self, finding: Finding) -> bool:
        """Whether a finding matches every filter."""
        return (
            (not self.statuses or finding.status in self.statuses)
            and (not self.severities or finding.severity in self.severities)
            and self.rule in {None, finding.rule}
            and self.resource in {None, finding.resource}
            and self.matches_scope(finding.scope)
            and (self.actor is None or self.actor.matches_finding(finding, self.role))
            and (self.since is None or finding.updated_at >= self.since)
            and (self.until is None or finding.updated_at <= self.until)
        )

    def matches_scope(self, scope: Scope) -> bool:
        """Whether a scope may have findings that match."""
        return (
            self.account in {None, scope.account}
            and self.region in {None, scope.region}
            and self.vpc in {None, scope.subject}
            and self.scope in {None, scope}
        )


def read_findings(
    findings: Findings, chosen: FindingFilter, sort: SortOrder, limit: int | None
) -> Iterator[Finding]:
    """Read the findings that match as they are now.

    If an index has the requested order, findings are yielded as they are read, and nothing is read
    beyond `limit`. Otherwise all that match are read first.
    """
    found, order = _query(findings, chosen)
    matching = filter(chosen.matches, found)
    if order is sort:
        return islice(matching, limit)
    return sort_findings(matching, sort, limit)


def find_past_findings(
    history: History, scopes: Iterable[Scope], chosen: FindingFilter, instant: datetime
) -> Iterator[Finding]:
    """Rebuild the findings of scopes that match from history, as they were at an instant."""
    for scope in scopes:
        rows = history.find_by_scope(scope, until=instant)
        yield from filter(chosen.matches, rebuild_findings(rows).values())


def find_past_episodes(
    history: History,
    scopes: Iterable[Scope],
    chosen: FindingFilter,
    since: datetime,
    until: datetime,
) -> Iterator[Episode]:
    """Find when findings of scopes were bad in a period, if they matched at any time of it."""
    for scope in scopes:
        rows = history.find_by_scope(scope, until=until + RECORDED_WITHIN)
        for episode in find_episodes(rows, since, until):
            if any(map(chosen.matches, episode.states)):
                yield episode


def list_scopes(findings: Findings, chosen: FindingFilter) -> Iterator[Scope]:
    """List every scope that may have findings that match, including deleted ones."""
    listed = iter([chosen.scope]) if chosen.scope else findings.list_scopes()
    return filter(chosen.matches_scope, listed)


def sort_findings(
    found: Iterable[Finding], sort: SortOrder, limit: int | None
) -> Iterator[Finding]:
    """Sort findings; at most `limit` of them are in memory at a time."""
    return sort_items(found, SORT_KEYS[sort], limit)


def sort_items(
    found: Iterable[Item], key: Callable[[Item], Any], limit: int | None
) -> Iterator[Item]:
    """Sort anything by a key; at most `limit` of it is in memory at a time."""
    if limit is None:
        return iter(sorted(found, key=key))
    return iter(nsmallest(limit, found, key=key))


def merge_findings(
    found: Iterable[Iterator[Finding]], sort: SortOrder, limit: int | None
) -> Iterator[Finding]:
    """Merge the findings of several stacks, each of which is sorted already."""
    return islice(merge(*found, key=SORT_KEYS[sort]), limit)


def _query(findings: Findings, chosen: FindingFilter) -> tuple[Iterator[Finding], SortOrder | None]:
    """Query a superset of the findings that match; also return the order they come in, if any."""
    if chosen.scope or chosen.vpc:
        listed = map(findings.find_by_scope, list_scopes(findings, chosen))
        return chain.from_iterable(listed), None
    period = {"since": chosen.since, "until": chosen.until}
    if chosen.resource:
        return findings.find_by_resource(chosen.resource, **period), SortOrder.UPDATED
    if chosen.rule:
        return findings.find_by_rule(chosen.rule, **period), SortOrder.UPDATED
    by_status = [
        findings.find_by_status(
            status, account=chosen.account, severities=chosen.severities, **period
        )
        for status in sorted(chosen.statuses or FindingStatus)
    ]
    return merge(*by_status, key=SORT_KEYS[SortOrder.SEVERITY]), SortOrder.SEVERITY
