"""All accounts of a monitor swept in one invocation, each in its turn, as far as time allows."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from aws_lambda_powertools import Logger

from posture.ec2.observer import Observer
from posture.errors import describe_error
from posture.evaluation.region_sweep import RegionSweep
from posture.evaluation.sweep_result import NO_TIME, SweepResult, merge_results
from posture.model.scope import Region
from posture.runtime.deadline import Deadline
from posture.store.baselines import BaselineTable
from posture.store.scope_store import Store

DAY = timedelta(days=1)
LAST = datetime.max.replace(tzinfo=UTC)

logger = Logger()

Chance = Callable[[], float]  # from 0 to 1


def sweep_accounts(  # noqa: PLR0913 - what it works with, and two things that a test must decide
    home: Observer,
    members: Iterable[Observer],
    store: Store,
    baselines: BaselineTable,
    *,
    deadline: Deadline | None = None,
    chance: Chance = random.random,
) -> SweepResult:
    """Sweep home and each member account; one that fails does not stop the others.

    Accounts take turns, a slice each, the longest unseen first, until all is done or no time is
    left for another slice. So neither a large account nor one that always fails keeps others from
    their turn; what is left is first at the next sweep.
    """
    deadline = deadline or Deadline()
    sweepers = [RegionSweep(observer, store, baselines) for observer in (home, *members)]
    turns = deque(_Turn(each) for each in _longest_unseen_first(sweepers, home.now(), chance))
    done: list[SweepResult] = []
    while turns and deadline.allows():
        turn = turns.popleft()
        with deadline.step():
            done.append(turn.go_on())
        if turn.remaining:
            turns.append(turn)
    return merge_results(home.region, [*done, *(turn.given_up() for turn in turns)])


class _Turn:
    """One account's sweep, of which a slice is done at a time."""

    def __init__(self, sweeper: RegionSweep) -> None:
        self._region = sweeper.region
        self._parts = sweeper.run_slices()
        self._last: SweepResult | None = None

    @property
    def remaining(self) -> bool:
        """Whether there is another slice."""
        return self._last is not None and bool(self._last.remaining)

    def go_on(self) -> SweepResult:
        """Sweep the next slice; an account that cannot be swept is told as such."""
        try:
            self._last = next(self._parts)
        except Exception as error:
            logger.exception("account not swept", extra={"region": str(self._region)})
            self._last = _unswept(self._region, describe_error(error))
        return replace(self._last, remaining=())

    def given_up(self) -> SweepResult:
        """Tell what there was no time for."""
        if self._last is None:
            return _unswept(self._region, NO_TIME)
        return SweepResult(self._region, remaining=self._last.remaining)


def _unswept(region: Region, reason: str) -> SweepResult:
    return SweepResult(region, failed_regions={region: reason})


def _longest_unseen_first(
    sweepers: list[RegionSweep], now: datetime, chance: Chance
) -> Iterable[RegionSweep]:
    """Order the accounts by how long ago their longest unseen scope was looked at."""
    if len(sweepers) == 1:
        return sweepers
    seen = {sweeper.region: _last_seen(sweeper, now, chance) for sweeper in sweepers}
    return sorted(sweepers, key=lambda each: seen[each.region])


def _last_seen(sweeper: RegionSweep, now: datetime, chance: Chance) -> datetime:
    """Tell when an account was looked at.

    One without anything known may have nothing, and will not be known next time either: it takes
    its place by chance, so that a thousand empty accounts do not keep all others waiting.
    """
    try:
        return sweeper.last_observed_at() or now - DAY * chance()
    except Exception:
        logger.exception("heads not read", extra={"region": str(sweeper.region)})
        return LAST  # what is wrong will be told at its turn
