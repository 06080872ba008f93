"""The evaluation of all scopes that a batch of changes concerns: each scope once, VPCs together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger

from posture.ec2.describe import chunked
from posture.ec2.dns_attributes import UNLIMITED, DnsCache, may_modify_dns
from posture.ec2.errors import is_busy
from posture.ec2.observer import Observer
from posture.ec2.region import RegionSnapshot
from posture.errors import ConflictError, describe_error
from posture.evaluation.region_sweep import RegionSweep
from posture.evaluation.rule_results import FIRST_POLICY_UNITS, CostlyScopeError
from posture.evaluation.scope import ATTEMPTS, ScopeEvaluator, ScopeResult
from posture.evaluation.scope_reading import ScopeReading
from posture.evaluation.scope_resolver import ResolvedScopes, ScopeResolver
from posture.evaluation.sweep_result import NO_TIME
from posture.lean_dataclass import dataclass
from posture.model.change import Change
from posture.model.endpoint_service import EndpointServiceSnapshot, ServiceFacet
from posture.model.instant import CLOCK_TOLERANCE
from posture.model.network import Facet, Snapshot
from posture.model.scope import Region, Scope
from posture.rules.contexts import VPC_POLICY_UNITS
from posture.runtime.deadline import Deadline
from posture.store.baselines import BaselineTable
from posture.store.rejections import Rejections
from posture.store.scope_evaluation import WriteOutcome
from posture.store.scope_store import Store

if TYPE_CHECKING:
    from posture.evaluation.shared_facts import SharedFacts

SETTLED = timedelta(minutes=4)  # an older change was evaluated before: it comes again after 5
SCOPES_AT_ONCE = 4  # each sends ten EC2 requests at once
TOGETHER = 2  # from so many VPCs of an account on, shared requests are fewer

logger = Logger()

Failures = Mapping[str, str]  # the reason by event id
ScopeChanges = Mapping[Scope, Sequence[Change]]  # what is to be evaluated, and why
# One change or scope may fail for any reason, a bug included: the others go on, and the queue hands
# this one out again until it goes to the dead-letter queue.
CAUGHT = Exception


@dataclass(frozen=True, slots=True)
class EvaluationPorts:
    """What the evaluator works with.

    `observer` reads the monitor's own account and region, `members` the same region of other
    accounts, by account. `own_vpc` is the VPC of the functions, whose tag a schedule sets. `shared`
    is the network that VPCs share; None where it is not read.
    """

    observer: Observer
    resolver: ScopeResolver
    store: Store
    baselines: BaselineTable
    rejections: Rejections
    members: Mapping[str, Observer] = field(default_factory=dict)
    own_vpc: str = ""
    shared: SharedFacts | None = None

    def observer_of(self, account: str) -> Observer:
        """Return the observer of an account; KeyError where it is not monitored."""
        return self.observer if account == self.observer.region.account else self.members[account]

    def watches(self, region: Region) -> bool:
        """Whether this monitor is responsible for the account and region."""
        home = self.observer.region
        return region.name == home.name and (
            region.account == home.account or region.account in self.members
        )


class BatchEvaluation:
    """One evaluation of everything that a batch's changes concern."""

    def __init__(
        self, ports: EvaluationPorts, changes: Sequence[Change], deadline: Deadline
    ) -> None:
        self._ports = ports
        self._changes = changes
        self._deadline = deadline
        self.regions_swept = 0
        self.results: list[ScopeResult] = []
        self._postponed: list[tuple[Scope, RegionSnapshot | None, Sequence[Change]]] = []
        self._is_alone = False  # whether one scope is all there is
        self._busy: dict[str, str] = {}  # the accounts that EC2 throttles, and the error

    def run(self) -> Failures:
        """Evaluate every scope once; return the changes to retry, and why.

        Scopes that take long come last, one by one, as far as time allows.
        """
        with self._deadline.limit_reads():
            return self._run()

    def _run(self) -> Failures:
        ports = self._ports
        evaluator = ScopeEvaluator(ports.store, ports.baselines, ports.observer.now, ports.shared)
        resolved, failures = self._resolve_changes()
        self._is_alone = len(resolved.scopes) + len(resolved.regions) == 1
        for scopes, vpcs in self._read_groups(resolved.scopes):
            failures |= self._evaluate_group(evaluator, scopes, vpcs, resolved.scopes)
        for region, changes in resolved.regions.items():
            failures |= self._sweep(evaluator, region, changes)
        for scope, vpcs, causes in self._postponed:
            attempt = self._attempt(evaluator, scope, vpcs, causes, last=True)
            failures |= self._settle(scope, attempt, causes)
        return failures

    def _resolve_changes(self) -> tuple[ResolvedScopes, dict[str, str]]:
        """Resolve the changes to scopes together, or one by one where that fails."""
        try:
            resolved = self._ports.resolver.resolve(self._changes, self._deadline)
            return resolved, dict(resolved.denied)
        except CAUGHT:
            logger.exception("changes not resolved together")
        scopes: dict[Scope, tuple[Change, ...]] = {}
        regions: dict[Region, tuple[Change, ...]] = {}
        failures: dict[str, str] = {}
        for change in self._changes:
            try:
                resolved = self._ports.resolver.resolve([change], self._deadline)
            except CAUGHT as error:
                failures[change.event_id] = describe_error(error)
                continue
            failures |= resolved.denied
            for scope in resolved.scopes:
                scopes[scope] = (*scopes.get(scope, ()), change)
            for region in resolved.regions:
                regions[region] = (*regions.get(region, ()), change)
        return ResolvedScopes(scopes, regions), failures

    def _sweep(
        self, evaluator: ScopeEvaluator, region: Region, changes: Sequence[Change]
    ) -> Failures:
        """Sweep a region for the changes that could not be resolved to scopes.

        VPCs of which others stored a newer snapshot meanwhile are read again, each alone, where
        a change may have modified their DNS attributes: the others may have used stored ones.
        """
        ports = self._ports
        events = [each.event_id for each in changes]
        observer = ports.observer_of(region.account)
        if not self._deadline.allows():
            return dict.fromkeys(events, NO_TIME)
        try:
            sweep = RegionSweep(observer, ports.store, ports.baselines, ports.shared)
            result = sweep.run(changes, self._deadline)
        except CAUGHT as error:
            logger.exception("region not swept", extra={"event_ids": events})
            return dict.fromkeys(events, describe_error(error))
        self.regions_swept += 1
        self.results += result.results
        missing = "; ".join(result.describe_missing())
        failures = dict.fromkeys(events, missing) if missing else {}
        if may_modify_dns(changes):
            causes = [replace(each, sweeps=True) for each in changes]
            stale = {
                each.scope: causes
                for each in result.results
                if each.outcome is WriteOutcome.STALE and each.scope.vpc_id
            }
            failures |= self._evaluate_group(evaluator, tuple(stale), None, stale)
        return failures

    def _read_groups(
        self, scopes: ScopeChanges
    ) -> Iterator[tuple[Sequence[Scope], RegionSnapshot | None]]:
        """Group the scopes by what is read together, each group read when its turn comes.

        The VPCs of an account share requests. Endpoint services, and VPCs that cannot be read
        together, have no shared snapshot and are read one by one, so that one that cannot be read
        fails no other.
        """
        by_account: dict[str, list[Scope]] = defaultdict(list)
        alone: list[Scope] = []
        for scope in scopes:
            (by_account[scope.account] if scope.vpc_id else alone).append(scope)
        for account, vpcs in by_account.items():
            for group in chunked(vpcs):
                ids = [scope.subject for scope in group]
                if snapshot := self._read_together(account, ids, scopes):
                    yield snapshot.order_by_size(group), snapshot
                else:
                    alone += group
        yield alone, None

    def _build_cache(
        self, observer: Observer, vpc_ids: Sequence[str], changes: ScopeChanges
    ) -> DnsCache:
        """Cache the stored DNS attributes of the VPCs for which they may be used."""
        region, now = observer.region, observer.now()
        scopes = (Scope(region.account, region.name, each) for each in vpc_ids)
        kept = [each for each in scopes if _may_use_stored_dns(changes[each], now)]
        latest = now + CLOCK_TOLERANCE
        known = {
            each.scope.subject: each.dns
            for each in self._ports.store.load_dns_records(kept)
            if each.dns and not each.is_ahead_of(latest)
        }
        return DnsCache(known, budget=UNLIMITED, rotates=False)

    def _read_together(
        self, account: str, vpc_ids: Sequence[str], changes: ScopeChanges
    ) -> RegionSnapshot | None:
        """Read VPCs together; None where they are few or cannot be read.

        What fails for all may still succeed for each: a smaller answer, a later request.
        """
        if len(vpc_ids) < TOGETHER or account in self._busy:
            return None
        try:
            observer = self._ports.observer_of(account)
            return observer.collect_vpcs(vpc_ids, self._build_cache(observer, vpc_ids, changes))
        except CAUGHT:
            logger.exception("VPCs not read together", extra={"account": account})
            return None

    def _note_busy(self, account: str, error: Exception) -> None:
        """Note an account that EC2 throttles: its other scopes would only take others' time."""
        if is_busy(error):
            self._busy[account] = describe_error(error)

    def _evaluate_group(
        self,
        evaluator: ScopeEvaluator,
        scopes: Sequence[Scope],
        vpcs: RegionSnapshot | None,
        changes: ScopeChanges,
    ) -> Failures:
        """Evaluate the scopes of a group side by side."""
        failures: dict[str, str] = {}

        def attempt(scope: Scope) -> ScopeResult | str | None:
            return self._attempt(evaluator, scope, vpcs, changes[scope], last=self._is_alone)

        with ThreadPoolExecutor(SCOPES_AT_ONCE, thread_name_prefix="scope") as pool:
            # Most changes concern one scope, for which no thread is started.
            results = pool.map(attempt, scopes) if len(scopes) > 1 else map(attempt, scopes)
            for scope, result in zip(scopes, results, strict=True):
                if result is None:
                    self._postponed.append((scope, vpcs, changes[scope]))
                else:
                    failures |= self._settle(scope, result, changes[scope])
        return failures

    def _settle(
        self, scope: Scope, result: ScopeResult | str | None, changes: Sequence[Change]
    ) -> Failures:
        """Keep the result of a scope; return the changes of one that failed.

        Changes of other accounts do not come again where the scope's account denies reading it.
        """
        if isinstance(result, ScopeResult):
            self.results.append(result)
            if not result.denied:
                return {}
            changes = [each for each in changes if each.region.account == scope.account]
            result = result.denied
        reason = result or f"{scope} is not settled"
        return dict.fromkeys((each.event_id for each in changes), reason)

    def _attempt(
        self,
        evaluator: ScopeEvaluator,
        scope: Scope,
        vpcs: RegionSnapshot | None,
        changes: Sequence[Change],
        *,
        last: bool = False,
    ) -> ScopeResult | str | None:
        """Evaluate one scope; return why it failed, or None if it takes long and is not `last`."""
        events = [each.event_id for each in changes]
        extra: dict[str, Any] = {
            "correlation_id": events[0],
            "event_ids": events,
            "scope": str(scope),
        }
        obstacle = self._busy.get(scope.account) if self._deadline.allows() else NO_TIME
        if obstacle:
            logger.warning(obstacle, extra=extra)
            return obstacle
        units = VPC_POLICY_UNITS if last else FIRST_POLICY_UNITS
        try:
            with self._deadline.step(counts_failure=False):
                result = self._evaluate(evaluator, scope, vpcs, changes, units)
        except CostlyScopeError as error:
            logger.info("scope postponed", extra={**extra, "reason": str(error)})
            return None
        except CAUGHT as error:
            logger.exception("scope not evaluated", extra=extra)
            self._note_busy(scope.account, error)
            return describe_error(error)
        extra["outcome"] = result.outcome.value
        extra["evaluated"] = result.evaluated
        extra["transitions"] = len(result.transitions)
        logger.info("scope evaluated", extra=extra)
        return result

    def _evaluate(
        self,
        evaluator: ScopeEvaluator,
        scope: Scope,
        vpcs: RegionSnapshot | None,
        changes: Sequence[Change],
        policy_units: int,
    ) -> ScopeResult:
        """Evaluate a scope; read it anew where others stored a newer one with older facts.

        Raises:
            ConflictError: Others kept doing so.
        """
        uses_stored = _may_use_stored_dns(changes, self._ports.observer.now())
        for _ in range(ATTEMPTS):
            read, result = self._read_and_evaluate(
                evaluator, scope, vpcs, changes, policy_units, may_use_stored_dns=uses_stored
            )
            if result.outcome is not WriteOutcome.STALE or read.is_superseded():
                return result
            # They used stored DNS attributes, or read them anew for the change that modified them.
            vpcs, uses_stored = None, False
        raise ConflictError(f"{scope}: others kept evaluating it")

    def _read_and_evaluate(  # noqa: PLR0913 - as `_evaluate`, and one more
        self,
        evaluator: ScopeEvaluator,
        scope: Scope,
        vpcs: RegionSnapshot | None,
        changes: Sequence[Change],
        policy_units: int,
        *,
        may_use_stored_dns: bool,
    ) -> tuple[ScopeReading, ScopeResult]:
        read = ScopeReading(self._ports.store, self._ports.observer_of(scope.account), scope, vpcs)
        read.run(evaluator.latest(), may_use_stored_dns=may_use_stored_dns)
        snapshot = read.snapshot
        if snapshot is None:
            return read, evaluator.end(scope, read.observed_at, changes)
        settled = _are_settled(changes, read.observed_at)
        observed = evaluator.observe(snapshot, changes, read.dns)
        result = evaluator.evaluate(
            observed, settled=settled, policy_units=policy_units, state=read.state
        )
        return read, replace(result, denied=_find_denial(snapshot))


def _are_settled(changes: Iterable[Change], at: datetime) -> bool:
    """Whether all changes were evaluated before."""
    return all(at - each.time > SETTLED for each in changes)


def _may_use_stored_dns(changes: Sequence[Change], at: datetime) -> bool:
    """Whether the first evaluation of changes may use stored DNS attributes of what they concern.

    Not after the call that modifies them. The second evaluation of a change reads them again.
    """
    return not may_modify_dns(changes) and not _are_settled(changes, at)


def _find_denial(snapshot: Snapshot | EndpointServiceSnapshot) -> str:
    """Return why not even the existence of a scope could be read; "" where it could."""
    reasons = {facet.value: reason for facet, reason in snapshot.unreadable.items()}
    return reasons.get(Facet.VPC) or reasons.get(ServiceFacet.CONFIGURATION) or ""
