"""The use case of a schedule: look at a whole region in one go and repair what was lost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial

from aws_lambda_powertools import Logger

from posture.assess import Assessment, Assessor, Look, unchanged
from posture.aws.baselines import BaselineTable
from posture.aws.collect import RegionSnapshot
from posture.aws.collect_service import ServicesSnapshot
from posture.aws.dns_attributes import EVERY, MOVED_BY, DnsMemory
from posture.aws.head import Head
from posture.aws.observer import Observer
from posture.aws.store import Outcome, Store
from posture.errors import SweepIncompleteError
from posture.lifecycle.picture import may_be_same
from posture.model.change import Change
from posture.model.network import Facet
from posture.model.scope import Region, Scope

WRITERS = 8  # scopes recorded at once; each is some DynamoDB calls, of which ten fit in the pool

logger = Logger()

Task = Callable[[], Assessment]


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep came to.

    `failed` names each scope that could not be recorded, `unswept` each account, and why.
    """

    region: Region
    assessments: tuple[Assessment, ...] = ()
    failed: Mapping[Scope, str] = field(default_factory=dict)
    unswept: Mapping[Region, str] = field(default_factory=dict)

    def require_complete(self) -> None:
        """Refuse to call it done while a scope could not be recorded, or an account not swept.

        Raises:
            SweepIncompleteError: it names each of them, and why.
        """
        missing = [f"{where}: {reason}" for where, reason in self.unswept.items()]
        missing += [f"{where}: {reason}" for where, reason in self.failed.items()]
        if missing:
            told = "; ".join(missing)
            raise SweepIncompleteError(f"{len(missing)} missing of {self.region}: {told}")

    def counts(self) -> dict[str, int]:
        """Give the sweep's metrics by name."""
        done = [each.outcome for each in self.assessments]
        return {
            "ScopesSwept": len(done) + len(self.failed),
            "ScopesFailed": len(self.failed),
            "AccountsNotSwept": len(self.unswept),
            # What no event had told: events that were lost, or posture that moves without any.
            "FindingsRepaired": sum(len(each.transitions) for each in self.assessments),
            "ScopesUnchanged": sum(not each.judged for each in self.assessments),
            "StaleEvaluations": done.count(Outcome.STALE),
        }


def sweep_all(
    home: Observer, members: Iterable[Observer], store: Store, baselines: BaselineTable
) -> Swept:
    """Sweep home, then each member account; one that fails does not stop the others."""
    done: list[Swept] = []
    unswept: dict[Region, str] = {}
    for observer in (home, *members):
        try:
            done.append(Sweeper(observer, store, baselines).sweep())
        except Exception as error:
            logger.exception("account not swept", extra={"region": str(observer.region)})
            unswept[observer.region] = f"{type(error).__name__}: {error}"
    return Swept(
        home.region,
        tuple(each for swept in done for each in swept.assessments),
        {scope: why for swept in done for scope, why in swept.failed.items()},
        unswept,
    )


class Sweeper:
    """Sweeps the region of one observer."""

    def __init__(self, observer: Observer, store: Store, baselines: BaselineTable) -> None:
        self._observer = observer
        self._store = store
        self._baselines = baselines

    def sweep(self, changes: Sequence[Change] = ()) -> Swept:
        """Judge every VPC and endpoint service of the region, and end what is gone.

        `changes` are those that could not be placed in a VPC and made somebody sweep; only where
        one names what a finding is about is it taken for the cause.

        Raises:
            ClientError, BotoCoreError: EC2 or the tables do not answer.
            CorruptItemError: the baseline or a head cannot be read.
        """
        region = self._observer.region
        changes = [replace(change, sweeps=True) for change in changes]
        heads = {head.scope: head for head in self._store.scopes_in(region)}
        known = [scope.subject for scope in heads if scope.vpc_id]
        picture = self._observer.every_vpc(_memory(heads, changes), known)
        services = self._observer.services(
            known=[scope.subject for scope in heads if not scope.vpc_id]
        )
        assessor = Assessor(self._store, self._baselines.load())
        looks = [*_standing(assessor, picture, changes), *_services(assessor, services, changes)]
        same = _unchanged(assessor, looks, heads)
        tasks: dict[Scope, Task] = {
            **{
                look.scope: partial(assessor.assess, look, unknown=look.scope not in heads)
                for look in looks
                if look.scope not in same
            },
            **{
                scope: partial(assessor.gone, scope, picture.observed_at, changes)
                for scope in _gone(heads, picture, services)
            },
        }
        return _swept(region, tasks, same)


def _memory(heads: Mapping[Scope, Head], changes: Iterable[Change]) -> DnsMemory:
    """Give what heads remember; nothing stands once attributes moved and nobody knows whose."""
    if any(change.event_name == MOVED_BY for change in changes):
        return DnsMemory(budget=EVERY)
    return DnsMemory({scope.subject: head.dns for scope, head in heads.items() if head.dns})


def _standing(
    assessor: Assessor, picture: RegionSnapshot, changes: Sequence[Change]
) -> Iterator[Look]:
    for vpc_id, snapshot in picture.vpcs.items():
        yield assessor.vpc(snapshot, changes, dns=picture.dns.get(vpc_id))


def _services(
    assessor: Assessor, picture: ServicesSnapshot, changes: Sequence[Change]
) -> Iterator[Look]:
    for snapshot in picture.services.values():
        yield assessor.service(snapshot, changes)


def _unchanged(
    assessor: Assessor, looks: Iterable[Look], heads: Mapping[Scope, Head]
) -> frozenset[Scope]:
    """Give the scopes in which nothing is new; failing that, each of them finds out by itself."""
    likely = (
        look
        for look in looks
        if (head := heads.get(look.scope))
        and may_be_same(look.scope, head.observed_at, look.seen.observed_at)
    )
    try:
        return assessor.unchanged(likely)
    except Exception:
        logger.exception("unchanged scopes not recorded together")
        return frozenset()


def _gone(
    heads: Iterable[Scope], vpcs: RegionSnapshot, services: ServicesSnapshot
) -> Iterator[Scope]:
    """Give what is stored and no longer there; what cannot be read is not known to be gone."""
    vpcs_told = Facet.VPC not in vpcs.unreadable
    for scope in heads:
        if scope.vpc_id and vpcs_told and scope.vpc_id not in vpcs.vpcs:
            yield scope
        if not scope.vpc_id and not services.unreadable and scope.subject not in services.services:
            yield scope


def _swept(region: Region, tasks: Mapping[Scope, Task], same: Iterable[Scope]) -> Swept:
    """Run the tasks side by side; one that fails does not stop the others."""
    with ThreadPoolExecutor(WRITERS, thread_name_prefix="record") as pool:
        results = list(pool.map(_attempt, tasks, tasks.values()))
    failed = {
        scope: result
        for scope, result in zip(tasks, results, strict=True)
        if isinstance(result, str)
    }
    done = [each for each in results if isinstance(each, Assessment)]
    return Swept(region, (*map(unchanged, same), *done), failed)


def _attempt(scope: Scope, task: Task) -> Assessment | str:
    """Run a task; give why it failed, be it by a mistake of ours."""
    try:
        return task()
    except Exception as error:
        logger.exception("scope not recorded", extra={"scope": str(scope)})
        return f"{type(error).__name__}: {error}"
