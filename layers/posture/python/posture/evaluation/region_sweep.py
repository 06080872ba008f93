"""The use case of a schedule: look at a whole region and repair what was lost.

A region is swept slice by slice, the longest unseen VPCs first: what is held at once is bounded,
and a sweep that runs out of time leaves to the next one what was seen last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from aws_lambda_powertools import Logger

from posture.ec2.dns_attributes import CHANGE_EVENT, UNLIMITED, DnsCache
from posture.ec2.endpoint_services import ServicesSnapshot
from posture.ec2.observer import Observer
from posture.ec2.region import RegionSnapshot, VpcListing
from posture.errors import describe_error
from posture.evaluation.scope import Look, ScopeEvaluator, ScopeResult, unchanged
from posture.evaluation.sweep_result import SweepResult, merge_results
from posture.lifecycle.snapshot_digest import is_same_day
from posture.model.change import Change
from posture.model.scope import Region, Scope
from posture.runtime.deadline import Deadline
from posture.store.baselines import BaselineTable
from posture.store.scope_record import ScopeRecord
from posture.store.scope_store import Store

WRITERS = 8  # scopes recorded at once; each is some DynamoDB calls, of which ten fit in the pool

logger = Logger()

Task = Callable[[], ScopeResult]


class RegionSweep:
    """Sweeps the region of one observer."""

    def __init__(self, observer: Observer, store: Store, baselines: BaselineTable) -> None:
        self.region = observer.region
        self._observer = observer
        self._store = store
        self._baselines = baselines

    def run(self, changes: Sequence[Change] = (), deadline: Deadline | None = None) -> SweepResult:
        """Judge every VPC and endpoint service of the region, and end what is gone.

        `changes` are those that could not be placed in a VPC and made somebody sweep; only where
        one names what a finding is about is it taken for the cause. A slice that cannot be read
        does not stop the others; what the deadline forbids is left.

        Raises:
            ClientError, BotoCoreError: EC2 does not list what there is, or the tables not answer.
            CorruptItemError: the baseline or a head cannot be read.
        """
        deadline = deadline or Deadline()
        parts = self.run_slices(changes)
        done: list[SweepResult] = []
        while not done or (done[-1].remaining and deadline.allows()):
            with deadline.step():
                done.append(next(parts))
        return merge_results(
            self.region, [*(replace(part, remaining=()) for part in done[:-1]), done[-1]]
        )

    def run_slices(self, changes: Sequence[Change] = ()) -> Iterator[SweepResult]:
        """Sweep slice by slice; each part tells what is left after it. Raises what `sweep` does."""
        known = {head.scope: head for head in self._store.load_region_records(self.region)}
        heads = {scope.subject: head for scope, head in known.items() if scope.vpc_id}
        assessor = ScopeEvaluator(self._store, self._baselines.load())
        round_ = _Round(
            observer=self._observer,
            assessor=assessor,
            changes=[replace(change, sweeps=True) for change in changes],
            heads=heads,
            memory=_memory(heads, changes),
            listing=self._observer.list_vpcs(),
        )
        services = self._observer.collect_services(
            known=[scope.subject for scope in known if not scope.vpc_id]
        )
        looks = list(round_.services(services))
        tasks = dict(round_.gone(known, services))
        slices = round_.slices()
        for number, ids in enumerate(slices, 1):
            failed: dict[Scope, str] = {}
            try:
                picture = round_.picture(ids)
                looks += round_.standing(picture)
                tasks |= round_.vanished(picture, ids)
            except Exception as error:
                logger.exception("VPCs not read", extra={"region": str(self.region)})
                failed = dict.fromkeys(map(round_.scope, ids), describe_error(error))
            same = _unchanged(assessor, looks, known)
            tasks |= {
                look.scope: partial(assessor.assess, look, unknown=look.scope not in known)
                for look in looks
                if look.scope not in same
            }
            done = _recorded(self.region, tasks, same)
            left = tuple(round_.scope(each) for later in slices[number:] for each in later)
            looks, tasks = [], {}
            yield replace(done, failed={**done.failed, **failed}, remaining=left)

    def last_observed_at(self) -> datetime | None:
        """Tell when the longest unseen of the region's known scopes was looked at; None for none.

        Raises:
            ClientError, BotoCoreError: the tables do not answer.
            CorruptItemError: a head cannot be read.
        """
        return min(
            (head.observed_at for head in self._store.load_region_records(self.region)),
            default=None,
        )


@dataclass(frozen=True, slots=True)
class _Round:
    """One round through a region, with what is known of it already: `heads` by VPC id."""

    observer: Observer
    assessor: ScopeEvaluator
    changes: Sequence[Change]
    heads: Mapping[str, ScopeRecord]
    memory: DnsCache
    listing: VpcListing

    def scope(self, vpc_id: str) -> Scope:
        """Give the scope of a VPC."""
        return Scope(self.observer.region.account, self.observer.region.name, vpc_id)

    def slices(self) -> Sequence[Sequence[str]]:
        """Cut what is listed into slices, the longest unseen first."""
        return self.listing.slices(
            {vpc_id: head.observed_at for vpc_id, head in self.heads.items()}
        )

    def picture(self, ids: Sequence[str]) -> RegionSnapshot:
        """Read a slice."""
        return self.observer.collect_slice(self.listing, ids, self.memory, self.heads)

    def standing(self, picture: RegionSnapshot) -> Iterator[Look]:
        """Give the VPCs that are there."""
        for vpc_id, snapshot in picture.vpcs.items():
            yield self.assessor.vpc(snapshot, self.changes, dns=picture.dns.get(vpc_id))

    def services(self, picture: ServicesSnapshot) -> Iterator[Look]:
        """Give the endpoint services that are there."""
        for snapshot in picture.services.values():
            yield self.assessor.service(snapshot, self.changes)

    def vanished(self, picture: RegionSnapshot, ids: Sequence[str]) -> Iterator[tuple[Scope, Task]]:
        """End what went since it was listed."""
        for vpc_id in filter(picture.lacks, ids):
            if vpc_id in self.heads:
                yield self.scope(vpc_id), self._end(self.scope(vpc_id), picture.observed_at)

    def gone(
        self, known: Iterable[Scope], services: ServicesSnapshot
    ) -> Iterator[tuple[Scope, Task]]:
        """End what is stored and no longer there; what cannot be read is not known to be gone."""
        listed = {vpc.id for vpc in self.listing.vpcs.items}
        for scope in known:
            there = listed if scope.vpc_id else services.services.keys()
            unread = self.listing.vpcs.unreadable if scope.vpc_id else services.unreadable
            if scope.subject not in there and not unread:
                yield scope, self._end(scope, self.listing.observed_at)

    def _end(self, scope: Scope, observed_at: datetime) -> Task:
        return partial(self.assessor.gone, scope, observed_at, self.changes)


def _memory(heads: Mapping[str, ScopeRecord], changes: Iterable[Change]) -> DnsCache:
    """Give what heads remember; nothing stands once attributes moved and nobody knows whose."""
    if any(change.event_name == CHANGE_EVENT for change in changes):
        return DnsCache(budget=UNLIMITED)
    return DnsCache({vpc_id: head.dns for vpc_id, head in heads.items() if head.dns})


def _unchanged(
    assessor: ScopeEvaluator, looks: Iterable[Look], heads: Mapping[Scope, ScopeRecord]
) -> frozenset[Scope]:
    """Give the scopes in which nothing is new; failing that, each of them finds out by itself."""
    likely = (
        look
        for look in looks
        if (head := heads.get(look.scope))
        and is_same_day(look.scope, head.observed_at, look.seen.observed_at)
    )
    try:
        return assessor.unchanged(likely)
    except Exception:
        logger.exception("unchanged scopes not recorded together")
        return frozenset()


def _recorded(region: Region, tasks: Mapping[Scope, Task], same: Iterable[Scope]) -> SweepResult:
    """Run the tasks side by side; one that fails does not stop the others."""
    with ThreadPoolExecutor(WRITERS, thread_name_prefix="record") as pool:
        results = list(pool.map(_attempt, tasks, tasks.values()))
    failed = {
        scope: result
        for scope, result in zip(tasks, results, strict=True)
        if isinstance(result, str)
    }
    done = [each for each in results if isinstance(each, ScopeResult)]
    return SweepResult(region, (*map(unchanged, same), *done), failed)


def _attempt(scope: Scope, task: Task) -> ScopeResult | str:
    """Run a task; give why it failed, be it by a mistake of ours."""
    try:
        return task()
    except Exception as error:
        logger.exception("scope not recorded", extra={"scope": str(scope)})
        return describe_error(error)
