"""The result of a sweep: of one slice, of a region, of all accounts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from itertools import chain

from posture.errors import SweepIncompleteError
from posture.evaluation.scope import ScopeResult
from posture.lean_dataclass import dataclass
from posture.lifecycle.bounds import truncate
from posture.model.scope import Region, Scope
from posture.store.scope_evaluation import WriteOutcome

NO_TIME = "no time was left"
MAX_NAMED = 5  # scopes or accounts that a message names for each reason; it counts the others
MAX_REASONS = 10  # that a message gives
MAX_REASON = 300  # characters of one; an error's message may be a whole web page


@dataclass(frozen=True, slots=True)
class SweepResult:
    """What became of a sweep.

    `failed` names each scope that could not be read or recorded, `failed_regions` each account, and
    why. `remaining` are VPCs that there was no time for, the least recently observed first.
    `without_event` counts scopes in which earlier sweeps found changes that no event tells of.
    """

    region: Region
    results: tuple[ScopeResult, ...] = ()
    failed: Mapping[Scope, str] = field(default_factory=dict)
    failed_regions: Mapping[Region, str] = field(default_factory=dict)
    remaining: tuple[Scope, ...] = ()
    without_event: int = 0

    def describe_missing(self) -> tuple[str, ...]:
        """Describe what was not evaluated or recorded, and why; empty when all is done.

        A thousand accounts of which each failed differently take no more room than a few.
        """
        by_reason: dict[str, list[Region | Scope]] = defaultdict(list)
        failed: Iterable[tuple[Region | Scope, str]]
        failed = chain(self.failed_regions.items(), self.failed.items())
        for place, reason in failed:
            by_reason[truncate(reason, MAX_REASON)].append(place)
        if self.remaining:
            by_reason[NO_TIME] += self.remaining
        described = [f"{_named(places)}: {reason}" for reason, places in by_reason.items()]
        more = len(described) - MAX_REASONS
        rest = [f"and for {more} more reason{'' if more == 1 else 's'}"] if more > 0 else []
        return (*described[:MAX_REASONS], *rest)

    def require_complete(self) -> None:
        """Raise an error if anything is missing.

        Raises:
            SweepIncompleteError: it names what is missing, and why.
        """
        if missing := self.describe_missing():
            number = len(self.failed_regions) + len(self.failed) + len(self.remaining)
            raise SweepIncompleteError(f"{number} not swept in {self.region}: {'; '.join(missing)}")

    def count_metrics(self) -> dict[str, int]:
        """Count the sweep's metrics, by name."""
        done = [each.outcome for each in self.results]
        return {
            "ScopesSwept": len({*(each.scope for each in self.results), *self.failed}),
            "ScopesFailed": len(self.failed),
            "ScopesLeft": len(self.remaining),
            "AccountsNotSwept": len(self.failed_regions),
            # Transitions that no event reported: events were lost, or AWS sends none.
            "FindingsRepaired": sum(len(each.transitions) for each in self.results),
            "ChangesWithoutEvent": self.without_event,
            "ScopesUnchanged": sum(not each.evaluated for each in self.results),
            "StaleEvaluations": done.count(WriteOutcome.STALE),
            "FutureTimes": sum(each.was_ahead for each in self.results),
        }


def merge_results(region: Region, parts: Iterable[SweepResult]) -> SweepResult:
    """Merge the results of several parts."""
    parts = tuple(parts)
    return SweepResult(
        region,
        tuple(each for part in parts for each in part.results),
        {scope: why for part in parts for scope, why in part.failed.items()},
        {where: why for part in parts for where, why in part.failed_regions.items()},
        tuple(scope for part in parts for scope in part.remaining),
        sum(part.without_event for part in parts),
    )


def _named(places: Sequence[Region | Scope]) -> str:
    more = len(places) - MAX_NAMED
    named = ", ".join(map(str, places[:MAX_NAMED]))
    return f"{named} and {more} more" if more > 0 else named
