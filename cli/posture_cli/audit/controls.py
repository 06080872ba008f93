"""Reads what the controls are counted from: findings that are not resolved, and what passed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from posture.model.finding import FindingStatus
from posture.model.scope import Scope
from posture.rules.control_counts import Check, Shortcoming, parse_checks
from posture.rules.rule_catalogue import ACCESS_RULES
from posture_cli.audit.finding_filter import FindingFilter, find_past_findings
from posture_cli.audit.open_tables import OpenTables

UNRESOLVED = frozenset(FindingStatus) - {FindingStatus.RESOLVED}


@dataclass(frozen=True, slots=True)
class ScopeResult:
    """The findings of a scope that are not resolved, and the checks that passed, if known.

    `observed_at` is when the scope was last observed; None for a past time.
    """

    scope: Scope
    bad: tuple[Shortcoming, ...]
    passed: frozenset[Check] | None
    observed_at: datetime | None = None


def build_access_shortcoming(account: str) -> Shortcoming:
    """Build what an account's Region that cannot be read has: everything in it is unknown."""
    (rule,) = ACCESS_RULES
    return Shortcoming(rule.id, account, FindingStatus.UNKNOWN)


def read_results(tables: OpenTables, scopes: Iterable[Scope]) -> Iterator[ScopeResult]:
    """Read the latest results of scopes, without those of scopes that are gone."""
    bad: dict[Scope, list[Shortcoming]] = defaultdict(list)
    for status in sorted(UNRESOLVED):
        for finding in tables.findings.find_by_status(status):
            bad[finding.scope].append(Shortcoming.of(finding))
    for record in tables.findings.read_records(scopes):
        if record.exists:
            checks = parse_checks(record.passed)
            yield ScopeResult(record.scope, tuple(bad[record.scope]), checks, record.observed_at)


def read_past_results(
    tables: OpenTables, scopes: Collection[Scope], instant: datetime
) -> Iterator[ScopeResult]:
    """Read the results of scopes at an earlier time, of which passes are not stored.

    A scope that nothing was open in, and that is gone, may have been gone by then: it is left out.
    """
    gone = {it.scope for it in tables.findings.read_records(scopes) if not it.exists}
    chosen = FindingFilter(statuses=UNRESOLVED)
    for scope in scopes:
        found = find_past_findings(tables.history, [scope], chosen, instant)
        bad = tuple(map(Shortcoming.of, found))
        if bad or (scope not in gone and not scope.is_region):
            yield ScopeResult(scope, bad, None)
