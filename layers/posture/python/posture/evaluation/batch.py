"""One look at everything that a batch's changes concern: each scope once, many of them together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from aws_lambda_powertools import Logger

from posture.ec2.describe import chunked
from posture.ec2.dns_attributes import UNLIMITED, DnsCache
from posture.ec2.observer import Observer
from posture.ec2.region import RegionSnapshot
from posture.errors import describe_error
from posture.evaluation.region_sweep import RegionSweep
from posture.evaluation.scope import Look, ScopeEvaluator, ScopeResult
from posture.evaluation.scope_resolver import ResolvedScopes, ScopeResolver
from posture.model.change import Change
from posture.model.dns import DnsAttributes
from posture.model.network import Facet, Snapshot
from posture.model.scope import Region, Scope
from posture.runtime.deadline import Deadline
from posture.store.baselines import BaselineTable
from posture.store.rejections import Rejections
from posture.store.scope_store import Store

SETTLED = timedelta(minutes=4)  # what is older was looked at before: the second look is due by 5
SCOPES_AT_ONCE = 4  # each reads EC2 by ten requests at once
TOGETHER = 2  # VPCs of an account, from which on the same requests for all are fewer

logger = Logger()

Failures = Mapping[str, str]  # event id -> why
# Whatever goes wrong about one change or scope, a mistake of ours included: the others go on, and
# this one comes again and at last lies in the dead-letter queue.
CAUGHT = Exception


@dataclass(frozen=True, slots=True)
class EvaluationPorts:
    """What the evaluator works with.

    `observer` looks at the monitor's own account and region, `members` at the same region of other
    accounts, by account.
    """

    observer: Observer
    resolver: ScopeResolver
    store: Store
    baselines: BaselineTable
    rejections: Rejections
    members: Mapping[str, Observer] = field(default_factory=dict)

    def observer_of(self, account: str) -> Observer:
        """Give who looks at an account; KeyError where it is not watched."""
        return self.observer if account == self.observer.region.account else self.members[account]

    def watches(self, region: Region) -> bool:
        """Whether changes of this account and region are for this monitor."""
        home = self.observer.region
        return region.name == home.name and (
            region.account == home.account or region.account in self.members
        )


@dataclass(frozen=True, slots=True)
class _Group:
    """Scopes of one account; with a picture, it shows each VPC that still exists."""

    scopes: Sequence[Scope]
    picture: RegionSnapshot | None = None


class BatchEvaluation:
    """One look at everything that a batch's changes concern."""

    def __init__(
        self, ports: EvaluationPorts, changes: Sequence[Change], deadline: Deadline
    ) -> None:
        self._ports = ports
        self._changes = changes
        self._deadline = deadline
        self.regions_swept = 0
        self.results: list[ScopeResult] = []

    def run(self) -> Failures:
        """Record every scope once; give the changes that must come again."""
        assessor = ScopeEvaluator(self._ports.store, self._ports.baselines.load())
        placed, failures = self._placed()
        for region, unplaced in placed.regions.items():
            failures |= self._sweep(region, unplaced)
        for group in self._groups(placed.scopes):
            failures |= self._assess(assessor, group, placed.scopes)
        return failures

    def _placed(self) -> tuple[ResolvedScopes, dict[str, str]]:
        """Place the changes; one by one where together they cannot be."""
        try:
            return self._ports.resolver.resolve(self._changes), {}
        except CAUGHT:
            logger.exception("changes not placed together")
        scopes: dict[Scope, tuple[Change, ...]] = {}
        regions: dict[Region, tuple[Change, ...]] = {}
        failures = {}
        for change in self._changes:
            try:
                placed = self._ports.resolver.resolve([change])
            except CAUGHT as error:
                failures[change.event_id] = describe_error(error)
                continue
            for scope, found in placed.scopes.items():
                scopes[scope] = (*scopes.get(scope, ()), *found)
            for region, found in placed.regions.items():
                regions[region] = (*regions.get(region, ()), *found)
        return ResolvedScopes(scopes, regions), failures

    def _sweep(self, region: Region, changes: Sequence[Change]) -> Failures:
        """Look at the whole region for the changes that lead to no VPC in particular."""
        ports = self._ports
        events = [each.event_id for each in changes]
        observer = ports.observer_of(region.account)
        try:
            swept = RegionSweep(observer, ports.store, ports.baselines).run(changes, self._deadline)
        except CAUGHT as error:
            logger.exception("region not swept", extra={"event_ids": events})
            return dict.fromkeys(events, describe_error(error))
        self.regions_swept += 1
        self.results += swept.results
        missing = "; ".join(swept.describe_missing())
        return dict.fromkeys(events, missing) if missing else {}

    def _groups(self, scopes: Iterable[Scope]) -> Iterator[_Group]:
        """Cut the scopes into what is read together, each group read when its turn comes.

        The VPCs of an account take the same requests, a slice at a time. Endpoint services, and
        VPCs that cannot be read together, are read one by one: one that cannot be read at all
        fails no other.
        """
        by_account: dict[str, list[Scope]] = defaultdict(list)
        alone: list[Scope] = []
        for scope in scopes:
            (by_account[scope.account] if scope.vpc_id else alone).append(scope)
        for account, vpcs in by_account.items():
            for group in chunked(vpcs):
                if picture := self._picture(account, [scope.subject for scope in group]):
                    yield _Group(group, picture)
                else:
                    alone += group
        yield _Group(alone)

    def _picture(self, account: str, vpc_ids: Sequence[str]) -> RegionSnapshot | None:
        """Read VPCs together, DNS attributes afresh; None where that does not pay or not work."""
        if len(vpc_ids) < TOGETHER:
            return None
        try:
            observer = self._ports.observer_of(account)
            return observer.collect_vpcs(vpc_ids, DnsCache(budget=UNLIMITED))
        except CAUGHT:
            logger.exception("VPCs not read together", extra={"account": account})
            return None

    def _assess(
        self, assessor: ScopeEvaluator, group: _Group, changes: Mapping[Scope, Sequence[Change]]
    ) -> Failures:
        """Record the scopes of a group side by side."""
        failures: dict[str, str] = {}
        with ThreadPoolExecutor(SCOPES_AT_ONCE, thread_name_prefix="scope") as pool:
            results = pool.map(
                lambda scope: self._attempt(assessor, scope, changes[scope], group.picture),
                group.scopes,
            )
            for scope, result in zip(group.scopes, results, strict=True):
                if isinstance(result, ScopeResult):
                    self.results.append(result)
                else:
                    failures |= dict.fromkeys((each.event_id for each in changes[scope]), result)
        return failures

    def _attempt(
        self,
        assessor: ScopeEvaluator,
        scope: Scope,
        changes: Sequence[Change],
        picture: RegionSnapshot | None,
    ) -> ScopeResult | str:
        """Look at one scope; give why it failed."""
        events = [each.event_id for each in changes]
        about: dict[str, Any] = {
            "correlation_id": events[0],
            "event_ids": events,
            "scope": str(scope),
        }
        try:
            done = self._assessed(assessor, scope, changes, picture)
        except CAUGHT as error:
            logger.exception("scope not evaluated", extra=about)
            return describe_error(error)
        outcome = {
            "outcome": done.outcome.value,
            "judged": done.evaluated,
            "transitions": len(done.transitions),
        }
        logger.info("scope evaluated", extra=about | outcome)
        return done

    def _assessed(
        self,
        assessor: ScopeEvaluator,
        scope: Scope,
        changes: Sequence[Change],
        picture: RegionSnapshot | None,
    ) -> ScopeResult:
        observer = self._ports.observer_of(scope.account)
        observed_at = picture.observed_at if picture else observer.now()
        look = self._look(assessor, scope, changes, picture)
        if look is None:
            return assessor.gone(scope, observed_at, changes)
        settled = all(observed_at - each.time > SETTLED for each in changes)
        return assessor.assess(look, settled=settled)

    def _look(
        self,
        assessor: ScopeEvaluator,
        scope: Scope,
        changes: Sequence[Change],
        picture: RegionSnapshot | None,
    ) -> Look | None:
        """Take a scope's picture, or find it in that of many; None where there is nothing now."""
        observer = self._ports.observer_of(scope.account)
        if scope.vpc_id is None:
            service = observer.collect_services(scope.subject).services.get(scope.subject)
            return assessor.service(service, changes) if service else None
        snapshot = picture.vpcs.get(scope.vpc_id) if picture else observer.collect_vpc(scope)
        return assessor.vpc(snapshot, changes, dns=_dns(snapshot)) if snapshot else None


def _dns(snapshot: Snapshot) -> DnsAttributes | None:
    """Give the DNS attributes to remember: those that were read just now."""
    if Facet.DNS_ATTRIBUTES in snapshot.unreadable:
        return None
    vpc = snapshot.vpc
    return DnsAttributes(vpc.dns_support, vpc.dns_hostnames, snapshot.observed_at)
