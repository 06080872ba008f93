"""The sweep of all accounts of a monitor in one invocation, within the time that it has."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger

from posture.ec2.observer import Observer
from posture.errors import describe_error
from posture.evaluation.region_sweep import RegionSweep
from posture.evaluation.sweep_result import NO_TIME, SweepResult, merge_results
from posture.model.scope import Region, Scope
from posture.runtime.deadline import Deadline
from posture.store.baselines import BaselineTable
from posture.store.scope_store import Store

if TYPE_CHECKING:
    from posture.evaluation.shared_facts import SharedFacts

DAY = timedelta(days=1)
LAST = datetime.max.replace(tzinfo=UTC)

logger = Logger()

Chance = Callable[[], float]  # from 0 to 1


def sweep_accounts(  # noqa: PLR0913 - the ports, and two things that tests control
    home: Observer,
    members: Iterable[Observer],
    store: Store,
    baselines: BaselineTable,
    *,
    deadline: Deadline | None = None,
    chance: Chance = random.random,
    shared: SharedFacts | None = None,
    since: datetime | None = None,
) -> SweepResult:
    """Sweep the home account and all members; one that fails does not stop the others.

    Accounts take turns, one slice each, the least recently observed first, until all are done or
    the deadline forbids another slice. So neither a large account nor one that always fails delays
    the others; what remains comes first in the next sweep. `shared` is the network that VPCs share,
    None where it is not read; central VPCs of which it has no snapshot are read before all others.
    VPCs that were observed `since` a time need not be read again: a stopped sweep continues.
    """
    deadline = deadline or Deadline()
    observers = (home, *members)
    if shared:
        by_account = {each.region.account: each for each in observers}
        store_central_first(shared, home, by_account, deadline)
    sweeps = [RegionSweep(observer, store, baselines, shared) for observer in observers]
    ordered = _sort_by_last_observed(sweeps, home.now(), chance)
    turns = deque(
        (each.region, each.run_slices(deadline=deadline, since=since)) for each in ordered
    )
    remaining: dict[Region, Sequence[Scope]] = {}
    results: list[SweepResult] = []
    while turns and deadline.allows():
        region, slices = turns.popleft()
        with deadline.step(), deadline.limit_reads():
            result = _run_slice(region, slices)
        results.append(replace(result, remaining=()))
        remaining[region] = result.remaining
        if result.remaining:
            turns.append((region, slices))
    for region, _ in turns:
        if region in remaining:
            results.append(SweepResult(region, remaining=tuple(remaining[region])))
        else:
            results.append(SweepResult(region, failed_regions={region: NO_TIME}))
    return merge_results(home.region, results)


def store_central_first(
    shared: SharedFacts, home: Observer, members: Mapping[str, Observer], deadline: Deadline
) -> None:
    """Store the central VPCs that shared facts name and of which no snapshot is stored."""
    # Imported where the network is read: a cold start of the others need not wait for it.
    from posture.evaluation.central_first import store_central_vpcs  # noqa: PLC0415

    try:
        store_central_vpcs(shared, home, members, deadline)
    except Exception:  # the sweep of each account reports what cannot be read
        logger.exception("central VPCs not stored first")


def _run_slice(region: Region, slices: Iterator[SweepResult]) -> SweepResult:
    try:
        return next(slices)
    except Exception as error:
        logger.exception("account not swept", extra={"region": str(region)})
        return SweepResult(region, failed_regions={region: describe_error(error)})


def _sort_by_last_observed(
    sweeps: list[RegionSweep], now: datetime, chance: Chance
) -> list[RegionSweep]:
    """Sort accounts by when their least recently observed scope was observed."""
    if len(sweeps) == 1:
        return sweeps
    times = {each.region: _last_observed_at(each, now, chance) for each in sweeps}
    return sorted(sweeps, key=lambda each: times[each.region])


def _last_observed_at(sweep: RegionSweep, now: datetime, chance: Chance) -> datetime:
    """Return when an account was last observed.

    An account with no known scope may be empty, and have none at the next sweep either. It gets a
    random place, so that a thousand empty accounts do not delay all others.
    """
    try:
        return sweep.last_observed_at() or now - DAY * chance()
    except Exception:
        logger.exception("scope records not read", extra={"region": str(sweep.region)})
        return LAST  # the sweep of the account reports the error
