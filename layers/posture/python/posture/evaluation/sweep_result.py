"""What a sweep came to: of one slice, of a region, of all accounts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from posture.errors import SweepIncompleteError
from posture.evaluation.scope import ScopeResult
from posture.model.scope import Region, Scope
from posture.store.scope_store import WriteOutcome

NO_TIME = "no time was left"
SOME = 5  # scopes that a message names; of more it tells how many there are


@dataclass(frozen=True, slots=True)
class SweepResult:
    """What a sweep came to.

    `failed` names each scope that could not be read or recorded, `unswept` each account, and why.
    `left` are VPCs that there was no time for, the longest unseen first.
    """

    region: Region
    results: tuple[ScopeResult, ...] = ()
    failed: Mapping[Scope, str] = field(default_factory=dict)
    failed_regions: Mapping[Region, str] = field(default_factory=dict)
    remaining: tuple[Scope, ...] = ()

    def describe_missing(self) -> tuple[str, ...]:
        """Tell what was not looked at or not recorded, and why; nothing when all is done."""
        by_reason: dict[str, list[Scope]] = defaultdict(list)
        for scope, reason in self.failed.items():
            by_reason[reason].append(scope)
        told = [f"{where}: {reason}" for where, reason in self.failed_regions.items()]
        told += [f"{_named(scopes)}: {reason}" for reason, scopes in by_reason.items()]
        if self.remaining:
            told.append(f"{_named(self.remaining)}: {NO_TIME}")
        return tuple(told)

    def require_complete(self) -> None:
        """Refuse to call it done while anything is missing.

        Raises:
            SweepIncompleteError: it names what is missing, and why.
        """
        if missing := self.describe_missing():
            number = len(self.failed_regions) + len(self.failed) + len(self.remaining)
            raise SweepIncompleteError(f"{number} missing of {self.region}: {'; '.join(missing)}")

    def count_metrics(self) -> dict[str, int]:
        """Give the sweep's metrics by name."""
        done = [each.outcome for each in self.results]
        return {
            "ScopesSwept": len(done) + len(self.failed),
            "ScopesFailed": len(self.failed),
            "ScopesLeft": len(self.remaining),
            "AccountsNotSwept": len(self.failed_regions),
            # What no event had told: events that were lost, or posture that moves without any.
            "FindingsRepaired": sum(len(each.transitions) for each in self.results),
            "ScopesUnchanged": sum(not each.evaluated for each in self.results),
            "StaleEvaluations": done.count(WriteOutcome.STALE),
        }


def merge_results(region: Region, parts: Iterable[SweepResult]) -> SweepResult:
    """Make one of what several parts came to."""
    parts = tuple(parts)
    return SweepResult(
        region,
        tuple(each for part in parts for each in part.results),
        {scope: why for part in parts for scope, why in part.failed.items()},
        {where: why for part in parts for where, why in part.failed_regions.items()},
        tuple(scope for part in parts for scope in part.remaining),
    )


def _named(scopes: Sequence[Scope]) -> str:
    more = len(scopes) - SOME
    named = ", ".join(map(str, scopes[:SOME]))
    return f"{named} and {more} more" if more > 0 else named
