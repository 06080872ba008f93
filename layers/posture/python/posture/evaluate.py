"""The use case of the changes queue: look where a batch of changes points, and record what is true.

A message succeeds once every scope it concerns is recorded; the others of its batch do not wait for
it. What fails is handed out again by the queue, and in the end to its dead-letter queue.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from aws_lambda_powertools import Logger

from posture.assess import Assessment, Assessor, Look
from posture.aws.baselines import BaselineTable
from posture.aws.head import Dns
from posture.aws.observer import Observer
from posture.aws.place import Placed, Places
from posture.aws.rejections import LAST_TRY, Rejections
from posture.aws.store import Outcome as Recording
from posture.aws.store import Store
from posture.changes.batch import Batch, Received, Rejected, from_sqs
from posture.model.change import Change, Outcome
from posture.model.network import Facet, Snapshot
from posture.model.scope import Region, Scope
from posture.sweep import Sweeper

SCOPES_AT_ONCE = 4  # each reads EC2 by ten requests at once
SETTLED = timedelta(minutes=4)  # what is older was looked at before: the second look is due by 5

logger = Logger()

Failures = Mapping[str, str]  # event id -> why
# Whatever goes wrong about one change or scope, a mistake of ours included: the others go on, and
# this one comes again and at last lies in the dead-letter queue.
CAUGHT = Exception


@dataclass(frozen=True, slots=True)
class Ports:
    """What the evaluator works with.

    `observer` looks at the monitor's own account and region, `members` at the same region of other
    accounts, by account.
    """

    observer: Observer
    places: Places
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
class Evaluated:
    """What a batch came to. `failed` are the ids of messages that must come again."""

    changes: int = 0
    ignored: int = 0
    rejected: int = 0
    swept: int = 0
    assessments: tuple[Assessment, ...] = ()
    failed: tuple[str, ...] = field(default=())

    def response(self) -> dict[str, list[dict[str, str]]]:
        """Give the partial batch response.

        https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
        """
        return {"batchItemFailures": [{"itemIdentifier": each} for each in self.failed]}

    def counts(self) -> dict[str, int]:
        """Give the batch's metrics by name."""
        outcomes = [each.outcome for each in self.assessments]
        return {
            "ChangesReceived": self.changes,
            "ChangesIgnored": self.ignored,
            "ChangesRejected": self.rejected,
            "ChangesFailed": len(self.failed) - self.rejected,
            "RegionsSwept": self.swept,
            "ScopesEvaluated": len(outcomes),
            "ScopesUnchanged": sum(not each.judged for each in self.assessments),
            "StaleEvaluations": outcomes.count(Recording.STALE),
        }


class Evaluator:
    """Evaluates batches for one account and region."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    def evaluate(self, event: Mapping[str, Any]) -> Evaluated:
        """Evaluate what the changes queue hands over, or one EventBridge event by itself.

        Raises:
            MalformedChangeError: the event is neither.
            ClientError, BotoCoreError: the tables do not answer, so all of it must come again.
            CorruptItemError: the baseline cannot be read.
        """
        batch = self._ours(from_sqs(event))
        self._reject(batch.rejected)
        applied = [each for each in batch.received if each.change.outcome is Outcome.APPLIED]
        changes = {each.change.event_id: each.change for each in applied}
        looked = _Look(self._ports, list(changes.values()))
        try:
            failures = looked.run() if changes else {}
        except CAUGHT as error:
            self._give_up(applied, dict.fromkeys(changes, _why(error)))
            raise
        self._give_up(applied, failures)
        late = [each.message_id for each in applied if each.change.event_id in failures]
        return Evaluated(
            changes=len(batch.received) + len(batch.rejected),
            ignored=len(batch.received) - len(applied),
            rejected=len(batch.rejected),
            swept=looked.swept,
            assessments=tuple(looked.assessments),
            failed=(*(each.message_id for each in batch.rejected), *late),
        )

    def _ours(self, batch: Batch) -> Batch:
        """Reject changes of accounts and regions that cannot be read from here."""
        home = self._ports.observer.region
        foreign = [each for each in batch.received if not self._ports.watches(each.change.region)]
        rejected = [
            Rejected(
                each.message_id,
                f"event {each.change.event_id} is of {each.change.region}, this monitor of {home}",
                repr(each.change),
            )
            for each in foreign
        ]
        received = tuple(each for each in batch.received if each not in foreign)
        return Batch(received, (*batch.rejected, *rejected))

    def _give_up(self, applied: Iterable[Received], failures: Failures) -> None:
        """Keep why a change failed at its last try: a dead letter itself does not tell."""
        for each in applied:
            if each.tries < LAST_TRY or each.change.event_id not in failures:
                continue
            reason = f"failed {each.tries} times, at last by {failures[each.change.event_id]}"
            try:
                self._reject([Rejected(each.message_id, reason, each.body)])
            except CAUGHT:  # the log has it, and the others of the batch must not fail for it
                logger.exception("reason not kept", extra={"message_id": each.message_id})

    def _reject(self, rejected: Iterable[Rejected]) -> None:
        now = self._ports.observer.now()
        for each in rejected:
            reason = {"message_id": each.message_id, "reason": each.reason}
            logger.error("change rejected", extra=reason)
            self._ports.rejections.keep(each, now)


class _Look:
    """One look at everything that a batch's changes concern."""

    def __init__(self, ports: Ports, changes: Sequence[Change]) -> None:
        self._ports = ports
        self._changes = changes
        self.swept = 0
        self.assessments: list[Assessment] = []

    def run(self) -> Failures:
        """Record every scope once; give the changes that must come again."""
        assessor = Assessor(self._ports.store, self._ports.baselines.load())
        placed, failures = self._placed()
        for region, unplaced in placed.regions.items():
            failures |= self._sweep(region, unplaced)
        scopes = placed.scopes
        with ThreadPoolExecutor(SCOPES_AT_ONCE, thread_name_prefix="scope") as pool:
            results = pool.map(lambda scope: self._attempt(assessor, scope, scopes[scope]), scopes)
            for scope, result in zip(scopes, results, strict=True):
                if isinstance(result, Assessment):
                    self.assessments.append(result)
                else:
                    failures |= dict.fromkeys((each.event_id for each in scopes[scope]), result)
        return failures

    def _placed(self) -> tuple[Placed, dict[str, str]]:
        """Place the changes; one by one where together they cannot be."""
        try:
            return self._ports.places.place(self._changes), {}
        except CAUGHT:
            logger.exception("changes not placed together")
        scopes: dict[Scope, tuple[Change, ...]] = {}
        regions: dict[Region, tuple[Change, ...]] = {}
        failures = {}
        for change in self._changes:
            try:
                placed = self._ports.places.place([change])
            except CAUGHT as error:
                failures[change.event_id] = _why(error)
                continue
            for scope, found in placed.scopes.items():
                scopes[scope] = (*scopes.get(scope, ()), *found)
            for region, found in placed.regions.items():
                regions[region] = (*regions.get(region, ()), *found)
        return Placed(scopes, regions), failures

    def _sweep(self, region: Region, changes: Sequence[Change]) -> Failures:
        """Look at the whole region for the changes that lead to no VPC in particular."""
        ports = self._ports
        events = [each.event_id for each in changes]
        observer = ports.observer_of(region.account)
        try:
            swept = Sweeper(observer, ports.store, ports.baselines).sweep(changes)
        except CAUGHT as error:
            logger.exception("region not swept", extra={"event_ids": events})
            return dict.fromkeys(events, _why(error))
        self.swept += 1
        self.assessments += swept.assessments
        failed = "; ".join(f"{scope}: {reason}" for scope, reason in swept.failed.items())
        return dict.fromkeys(events, failed) if failed else {}

    def _attempt(
        self, assessor: Assessor, scope: Scope, changes: Sequence[Change]
    ) -> Assessment | str:
        """Look at one scope; give why it failed."""
        events = [each.event_id for each in changes]
        about: dict[str, Any] = {
            "correlation_id": events[0],
            "event_ids": events,
            "scope": str(scope),
        }
        try:
            done = self._assessed(assessor, scope, changes)
        except CAUGHT as error:
            logger.exception("scope not evaluated", extra=about)
            return _why(error)
        outcome = {
            "outcome": done.outcome.value,
            "judged": done.judged,
            "transitions": len(done.transitions),
        }
        logger.info("scope evaluated", extra=about | outcome)
        return done

    def _assessed(self, assessor: Assessor, scope: Scope, changes: Sequence[Change]) -> Assessment:
        observer = self._ports.observer_of(scope.account)
        observed_at = observer.now()
        look = self._look(assessor, observer, scope, changes)
        if look is None:
            return assessor.gone(scope, observed_at, changes)
        settled = all(observed_at - each.time > SETTLED for each in changes)
        return assessor.assess(look, settled=settled)

    @staticmethod
    def _look(
        assessor: Assessor, observer: Observer, scope: Scope, changes: Sequence[Change]
    ) -> Look | None:
        """Take a scope's picture; None where there is nothing any more."""
        if scope.vpc_id is None:
            service = observer.services(scope.subject).services.get(scope.subject)
            return assessor.service(service, changes) if service else None
        snapshot = observer.vpc(scope)
        return assessor.vpc(snapshot, changes, dns=_dns(snapshot)) if snapshot else None


def _why(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _dns(snapshot: Snapshot) -> Dns | None:
    """Give the DNS attributes to remember: those that were read just now."""
    if Facet.DNS_ATTRIBUTES in snapshot.unreadable:
        return None
    vpc = snapshot.vpc
    return Dns(vpc.dns_support, vpc.dns_hostnames, snapshot.observed_at)
