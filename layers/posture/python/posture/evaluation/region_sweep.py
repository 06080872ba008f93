"""The sweep of a whole region: evaluate every scope, and correct what events did not report.

A region is swept slice by slice, the least recently observed VPCs first: memory is bounded, and a
sweep that runs out of time leaves the most recently observed ones to the next sweep.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger

from posture.ec2.dns_attributes import UNLIMITED, DnsCache, may_modify_dns
from posture.ec2.endpoint_services import ServicesSnapshot
from posture.ec2.errors import describe_failure, is_busy
from posture.ec2.observer import Observer
from posture.ec2.region import RegionSnapshot, VpcListing, measure_size
from posture.errors import describe_error
from posture.evaluation.missed_changes import MissedChanges
from posture.evaluation.observed_scope import ObservedScope
from posture.evaluation.rule_results import FIRST_POLICY_UNITS, CostlyScopeError
from posture.evaluation.scope import ScopeEvaluator, ScopeResult, unchanged
from posture.evaluation.sweep_result import NO_TIME, SweepResult, merge_results
from posture.lean_dataclass import dataclass
from posture.lifecycle.diff import is_bad
from posture.lifecycle.snapshot_digest import is_same_day
from posture.model.change import Change
from posture.model.endpoint_service import EndpointServiceSnapshot, ServiceFacet
from posture.model.network import Facet, Snapshot, Vpc
from posture.model.region_access import RegionAccess
from posture.model.scope import Region, Scope
from posture.rules.contexts import VPC_POLICY_UNITS
from posture.runtime.deadline import Deadline
from posture.store.baselines import BaselineTable
from posture.store.scope_record import ScopeRecord
from posture.store.scope_store import Store

if TYPE_CHECKING:
    from posture.evaluation.shared_facts import SharedFacts

MAX_FAILED_READS = 16  # of a slice; halving finds one of 200 VPCs that cannot be read in eight
KEPT = timedelta(days=1)  # how long findings say what is so in a VPC that cannot be read
WRITERS = 8  # scopes recorded at once; the connection pool holds ten DynamoDB calls

logger = Logger()

Task = Callable[..., ScopeResult]
Denied = Mapping[Facet | ServiceFacet, str]  # why the region's scopes cannot be listed


class RegionSweep:
    """Sweeps the region of one observer."""

    def __init__(
        self,
        observer: Observer,
        store: Store,
        baselines: BaselineTable,
        shared: SharedFacts | None = None,
    ) -> None:
        """Create a sweep; `shared` is the network that VPCs share, None where it is not read."""
        self.region = observer.region
        self._shared = shared
        self._observer = observer
        self._store = store
        self._baselines = baselines

    def run(self, changes: Sequence[Change] = (), deadline: Deadline | None = None) -> SweepResult:
        """Evaluate every VPC and endpoint service of the region, and resolve what is gone.

        A slice that cannot be read does not stop the others.

        Args:
            changes: Those that led to the sweep because they could not be resolved to a VPC. One of
                them is a cause only where it names what a finding concerns.
            deadline: When to stop; the VPCs that are left are in the result.

        Raises:
            ClientError, BotoCoreError: EC2 does not list VPCs, or DynamoDB does not answer.
            CorruptItemError: the baseline cannot be read.
        """
        deadline = deadline or Deadline()
        slices = self.run_slices(changes, deadline)
        results: list[SweepResult] = []
        while not results or (results[-1].remaining and deadline.allows()):
            with deadline.step():
                results.append(next(slices))
        done = [replace(each, remaining=()) for each in results[:-1]]
        return merge_results(self.region, [*done, results[-1]])

    def run_slices(
        self,
        changes: Sequence[Change] = (),
        deadline: Deadline | None = None,
        since: datetime | None = None,
    ) -> Iterator[SweepResult]:
        """Sweep slice by slice; each result names what remains. Raises what `run` does.

        A listing that is denied fails the region: the scopes that it would name are not swept.
        Slices of which every VPC was observed `since` a time are left out, but for the first one:
        so a sweep that was stopped continues.
        """
        records, unrecorded = self._load_records()
        evaluator = ScopeEvaluator(self._store, self._baselines, self._observer.now, self._shared)
        latest = evaluator.latest()
        access = records.pop(self.region.scope, None)
        unrecorded |= self._acknowledge(records.pop(self.region.monitor, None))
        # What a change leads to has an event; what a schedule finds may lack one.
        missed = None if changes else MissedChanges(self._store, self._observer.now)
        try:
            listing = self._observer.list_vpcs()
            services = self._observer.collect_services(
                known=[scope.subject for scope in records if not scope.vpc_id]
            )
        except Exception as error:
            # Whatever the reason is, throttling included: what is not listed is not evaluated.
            reason = describe_failure(error, Facet.VPC)
            unlisted: Denied = {Facet.VPC: reason, ServiceFacet.CONFIGURATION: reason}
            self._record_access(evaluator, unlisted, access, self._observer.now())
            raise
        denied = _find_denied(listing, services)
        is_read = bool(denied) or not listing.ids
        if is_read:
            unrecorded |= self._record_access(evaluator, denied, access, listing.observed_at)
        reasons = "; ".join(dict.fromkeys(denied.values()))
        failed_regions: dict[Region, str] = {self.region: reasons} if denied else {}
        pass_ = _Pass(
            observer=self._observer,
            evaluator=evaluator,
            changes=[replace(change, sweeps=True) for change in changes],
            records={scope.subject: each for scope, each in records.items() if scope.vpc_id},
            latest=latest,
            listing=listing,
        )
        believable = pass_.find_believable()
        cache = _build_cache(believable, changes)
        observed = [pass_.observe(each) for each in services.services.values()]
        tasks = dict(pass_.end_missing(records, services))
        slices = pass_.slices(believable, since)
        for number, ids in enumerate(slices, 1):
            failed, unrecorded = unrecorded, {}
            read, unread = pass_.read(ids, cache, deadline or Deadline())
            failed |= unread
            if not is_read and (read or number == len(slices)):
                # A region that lists its VPCs but lets none of them be read is not read, either.
                is_read = True
                lost: Denied = {}
                if unread and not read:
                    reason = next(iter(unread.values()))
                    lost, failed_regions[self.region] = {Facet.VPC: reason}, reason
                failed |= self._record_access(evaluator, lost, access, listing.observed_at)
            for part, vpcs in (read | pass_.build_unknown(unread)).items():
                seen, unseen = pass_.observe_all(vpcs)
                observed += seen
                failed |= unseen
                tasks |= pass_.end_deleted(vpcs, part)
            same = _find_unchanged(evaluator, observed, records, latest)
            tasks |= {
                each.scope: partial(
                    evaluator.evaluate,
                    each,
                    is_new=each.scope not in records,
                    policy_units=FIRST_POLICY_UNITS,
                )
                for each in sorted(observed, key=lambda it: measure_size(it.snapshot))
                if each.scope not in same
            }
            result = _run_tasks(self.region, tasks, same, deadline or Deadline())
            remaining = tuple(pass_.scope(each) for later in slices[number:] for each in later)
            observed, tasks = [], {}
            if missed:
                missed.note(result.results, records)
            yield replace(
                result,
                failed={**result.failed, **failed},
                failed_regions=failed_regions,
                remaining=remaining,
                without_event=missed.count(self.region) if missed and number == 1 else 0,
            )

    def _acknowledge(self, known: ScopeRecord | None) -> dict[Scope, str]:
        """Resolve the findings about the monitor that a person acknowledged; return why not."""
        if known is None:
            return {}
        # Imported where something was found: most accounts need it in no sweep.
        from posture.evaluation.tampering import TamperingRecorder  # noqa: PLC0415

        recorder = TamperingRecorder(self._store, self._baselines, self._observer.now)
        result = _attempt(known.scope, partial(recorder.record, known.scope))
        return {known.scope: result} if isinstance(result, str) else {}

    def end(self, reason: str, deadline: Deadline | None = None) -> SweepResult:
        """Resolve all findings of the region, such as those of an account that is not watched."""
        evaluator = ScopeEvaluator(self._store, self._baselines, self._observer.now, self._shared)
        now = self._observer.now()
        records, unreadable = self._load_records()
        tasks: dict[Scope, Task] = {
            scope: partial(evaluator.end, scope, now, reason=reason) for scope in records
        }
        result = _run_tasks(self.region, tasks, (), deadline or Deadline())
        return replace(result, failed={**result.failed, **unreadable})

    def _record_access(
        self,
        evaluator: ScopeEvaluator,
        denied: Denied,
        known: ScopeRecord | None,
        observed_at: datetime,
    ) -> dict[Scope, str]:
        """Open, keep or resolve the finding of the region; return why it was not recorded."""
        scope = self.region.scope
        task: Task
        if denied:
            extra = {"region": str(self.region), "reasons": sorted(denied.values())}
            logger.error("account not read", extra=extra)
            task = partial(self._evaluate_access, evaluator, denied, observed_at)
        elif known:
            task = partial(evaluator.end, scope, observed_at)
        else:
            return {}
        result = _attempt(scope, task)
        return {scope: result} if isinstance(result, str) else {}

    def _evaluate_access(
        self, evaluator: ScopeEvaluator, denied: Denied, observed_at: datetime
    ) -> ScopeResult:
        """Evaluate the region itself, which cannot be read since its finding was opened."""
        scope = self.region.scope
        bad = filter(is_bad, self._store.load(scope).findings.values())
        since = min((each.opened_at for each in bad), default=observed_at)
        access = RegionAccess(scope, observed_at, since, denied)
        return evaluator.evaluate(evaluator.observe(access))

    def last_observed_at(self) -> datetime | None:
        """Return when the least recently observed scope was observed; None where none is known.

        Raises:
            ClientError, BotoCoreError: DynamoDB does not answer.
        """
        records, _ = self._load_records()
        times = (each.observed_at for scope, each in records.items() if not scope.is_monitor)
        return min(times, default=None)

    def _load_records(self) -> tuple[dict[Scope, ScopeRecord], dict[Scope, str]]:
        """Load the scope records of the region, and why others cannot be read."""
        unreadable: dict[Scope, str] = {}
        records = self._store.load_region_records(self.region, unreadable)
        return {each.scope: each for each in records}, unreadable


@dataclass(frozen=True, slots=True)
class _Pass:
    """One pass over a region; `records` are those of known VPCs, by VPC id.

    `latest` is the latest time that can be stored by now.
    """

    observer: Observer
    evaluator: ScopeEvaluator
    changes: Sequence[Change]
    records: Mapping[str, ScopeRecord]
    latest: datetime
    listing: VpcListing

    def scope(self, vpc_id: str) -> Scope:
        """Return the scope of a VPC."""
        return Scope(self.observer.region.account, self.observer.region.name, vpc_id)

    def find_believable(self) -> Mapping[str, ScopeRecord]:
        """Return the records without those whose times have not come yet."""
        return {
            vpc_id: record
            for vpc_id, record in self.records.items()
            if not record.is_ahead_of(self.latest)
        }

    def slices(
        self, believable: Mapping[str, ScopeRecord], since: datetime | None
    ) -> Sequence[Sequence[str]]:
        """Return the listed VPC ids in slices, the least recently observed first."""
        times = {vpc_id: record.observed_at for vpc_id, record in believable.items()}
        first, *others = self.listing.slices(times)
        if since:
            others = [ids for ids in others if ids[0] not in times or times[ids[0]] < since]
        return (first, *others)

    def read(
        self, ids: Sequence[str], cache: DnsCache, deadline: Deadline
    ) -> tuple[dict[tuple[str, ...], RegionSnapshot], dict[Scope, str]]:
        """Read a slice; where that fails, read its halves, so that one VPC fails no other.

        Returns:
            What was read, by the ids of its VPCs, and why the other VPCs were not.
        """
        read: dict[tuple[str, ...], RegionSnapshot] = {}
        failed: dict[Scope, str] = {}
        waiting, failures = [tuple(ids)], 0
        while waiting:
            part = waiting.pop()
            try:
                if len(part) == len(ids):
                    snapshot = self.observer.collect_slice(self.listing, part, cache, self.records)
                else:
                    share = cache.share(len(part) / len(self.listing.ids))
                    snapshot = self.observer.collect_vpcs(part, share)
                read[part] = snapshot
            except Exception as error:
                failures += 1
                extra = {"region": str(self.observer.region), "vpcs": len(part)}
                logger.exception("VPCs not read together", extra=extra)
                halve = len(part) > 1 and failures < MAX_FAILED_READS and not is_busy(error)
                if halve and deadline.allows():
                    middle = len(part) // 2
                    waiting += [part[:middle], part[middle:]]
                else:
                    failed |= dict.fromkeys(map(self.scope, part), describe_error(error))
        return read, failed

    def build_unknown(self, failed: Mapping[Scope, str]) -> dict[tuple[str, ...], RegionSnapshot]:
        """Build the snapshots of VPCs that could not be read for a day: nothing of them is known.

        They are as in `read`, but of no ids, since nothing says which of them exist. Until then a
        failed sweep says so, and the next one comes soon. A record whose time has not come yet does
        not say when the VPC was read.
        """
        if not failed:
            return {}
        now = self.observer.now()
        vpcs = {
            scope.subject: Snapshot(
                scope,
                now,
                Vpc(scope.subject, cidrs=()),
                unreadable=dict.fromkeys(Facet, f"not read for a day: {reason}"),
            )
            for scope, reason in failed.items()
            if (record := self.records.get(scope.subject))
            and (record.is_ahead_of(self.latest) or record.observed_at < now - KEPT)
        }
        return {(): RegionSnapshot(self.observer.region, now, vpcs)}

    def observe(
        self,
        snapshot: Snapshot | EndpointServiceSnapshot,
        vpcs: RegionSnapshot | None = None,
    ) -> ObservedScope:
        """Digest a snapshot; `vpcs` is the slice that a VPC was read with."""
        dns = vpcs.dns.get(snapshot.scope.subject) if vpcs else None
        return self.evaluator.observe(snapshot, self.changes, dns)

    def observe_all(self, vpcs: RegionSnapshot) -> tuple[list[ObservedScope], dict[Scope, str]]:
        """Digest the VPCs of a slice; one that fails does not stop the others."""
        observed: list[ObservedScope] = []
        failed: dict[Scope, str] = {}
        for each in vpcs.vpcs.values():
            try:
                observed.append(self.observe(each, vpcs))
            except Exception as error:
                logger.exception("VPC not observed", extra={"scope": str(each.scope)})
                failed[each.scope] = describe_error(error)
        return observed, failed

    def end_deleted(self, vpcs: RegionSnapshot, ids: Sequence[str]) -> Iterator[tuple[Scope, Task]]:
        """Resolve the findings of VPCs that were deleted since they were listed."""
        for vpc_id in filter(vpcs.lacks, ids):
            if vpc_id in self.records:
                yield self._end(self.scope(vpc_id), vpcs.observed_at)

    def end_missing(
        self, known: Iterable[Scope], services: ServicesSnapshot
    ) -> Iterator[tuple[Scope, Task]]:
        """Resolve the findings of known scopes that are not listed, where the list is complete."""
        listed = set(self.listing.ids)
        for scope in known:
            existing = listed if scope.vpc_id else services.services.keys()
            vpcs = self.listing.vpcs
            unreadable = vpcs.why_incomplete("") if scope.vpc_id else services.unreadable
            if scope.subject not in existing and not unreadable:
                yield self._end(scope, self.listing.observed_at)

    def _end(self, scope: Scope, observed_at: datetime) -> tuple[Scope, Task]:
        return scope, partial(self.evaluator.end, scope, observed_at, self.changes)


def _find_denied(listing: VpcListing, services: ServicesSnapshot) -> Denied:
    """Return the listings that may lack scopes; there is no service where EC2 offers none."""
    denied: dict[Facet | ServiceFacet, str] = {}
    if listing.vpcs.unreadable:
        denied[Facet.VPC] = listing.vpcs.unreadable
    if services.denied and services.unreadable:
        denied[ServiceFacet.CONFIGURATION] = services.unreadable
    return denied


def _build_cache(records: Mapping[str, ScopeRecord], changes: Iterable[Change]) -> DnsCache:
    """Cache the stored DNS attributes, unless a change modified those of an unknown VPC."""
    if may_modify_dns(changes):
        return DnsCache(budget=UNLIMITED)
    return DnsCache({vpc_id: record.dns for vpc_id, record in records.items() if record.dns})


def _find_unchanged(
    evaluator: ScopeEvaluator,
    observed: Iterable[ObservedScope],
    records: Mapping[Scope, ScopeRecord],
    latest: datetime,
) -> frozenset[Scope]:
    """Return the scopes in which nothing changed; on failure none, so each is compared alone."""
    candidates = (
        each
        for each in observed
        if (record := records.get(each.scope))
        and not record.is_ahead_of(latest)
        and is_same_day(each.scope, record.observed_at, each.observation.observed_at)
    )
    try:
        return evaluator.find_unchanged(candidates)
    except Exception:
        logger.exception("unchanged scopes not recorded together")
        return frozenset()


def _run_tasks(
    region: Region, tasks: Mapping[Scope, Task], same: Iterable[Scope], deadline: Deadline
) -> SweepResult:
    """Run the tasks side by side, as far as time allows; one that fails does not stop the others.

    Scopes that take long come last, one by one.
    """
    deadline = deadline.measure_apart()  # a scope takes less than a slice

    def attempt(scope: Scope, task: Task) -> ScopeResult | str | None:
        if not deadline.allows():
            return NO_TIME
        with deadline.step(counts_failure=False):
            return _attempt(scope, task)

    with ThreadPoolExecutor(WRITERS, thread_name_prefix="record") as pool:
        results = dict(zip(tasks, pool.map(attempt, tasks, tasks.values()), strict=True))
    for scope in [scope for scope, result in results.items() if result is None]:
        results[scope] = attempt(scope, partial(tasks[scope], policy_units=VPC_POLICY_UNITS))
    done = [each for each in results.values() if isinstance(each, ScopeResult)]
    failed = {scope: each for scope, each in results.items() if isinstance(each, str)}
    return SweepResult(region, (*map(unchanged, same), *done), failed)


def _attempt(scope: Scope, task: Task) -> ScopeResult | str | None:
    """Run a task; return why it failed, or None if the scope takes long."""
    try:
        return task()
    except CostlyScopeError:
        return None
    except Exception as error:
        logger.exception("scope not recorded", extra={"scope": str(scope)})
        return describe_error(error)
