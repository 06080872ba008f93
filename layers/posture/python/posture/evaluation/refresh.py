"""Evaluates the VPCs again that a changed fact of the shared network concerns.

They are found by their views: the facts that a VPC depends on have a digest, which is stored with
the result of its evaluation, and those whose view has another digest now are the dependents of all
changes since. So what is left to do is always known from the tables, however often an invocation
is repeated and wherever it ended (docs/decisions/0098-dependents-from-views.md).

A dependent is evaluated from its stored snapshot, without a call to EC2.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import field, replace
from datetime import datetime
from typing import Any

from aws_lambda_powertools import Logger

from posture.analysis.central.view import build_view
from posture.changes.batch import RejectedRecord
from posture.errors import ConflictError, CorruptItemError, describe_error
from posture.evaluation.batch import CAUGHT, EvaluationPorts
from posture.evaluation.central_first import store_central_vpcs
from posture.evaluation.rule_results import FIRST_POLICY_UNITS, CostlyScopeError, ProofAllowance
from posture.evaluation.scope import ScopeEvaluator, ScopeResult
from posture.evaluation.shared_facts import SharedFacts, read_links
from posture.evaluation.sweep_result import NO_TIME, SweepResult
from posture.lean_dataclass import dataclass
from posture.model.network import Snapshot
from posture.model.scope import Region, Scope
from posture.model.shared_network import SharedNetwork
from posture.rules.contexts import VPC_POLICY_UNITS
from posture.runtime.deadline import Deadline
from posture.store.findings import EVALUATED, Findings
from posture.store.scope_evaluation import WriteOutcome
from posture.store.scope_record import ScopeRecord

SCOPES_AT_ONCE = 2  # the work is mostly of the processor
# Scopes whose remediations are proven in one invocation: a proof takes longer than an evaluation,
# and one change has the same remedy for all that it concerns.
MAX_PROVEN = 3
ATTEMPTS = 3  # others may evaluate the scope meanwhile
UNREADABLE = (ValueError, TypeError, KeyError)

logger = Logger()


@dataclass(frozen=True, slots=True)
class RefreshResult:
    """What became of the dependents of the changes that a batch of stream records reports."""

    sweep_result: SweepResult
    dependents: int = 0
    read_anew: int = 0  # whose snapshot was not stored, so that EC2 was asked
    failed_records: tuple[str, ...] = ()

    def build_response(self) -> dict[str, list[dict[str, str]]]:
        """Build the answer to Lambda: the records to retry."""
        return {"batchItemFailures": [{"itemIdentifier": each} for each in self.failed_records]}

    def count_metrics(self) -> dict[str, int]:
        """Count the metrics, by name."""
        done = [each.outcome for each in self.sweep_result.results]
        return {
            "DependentScopes": self.dependents,
            "ScopesEvaluated": len(done),
            "ScopesReadAnew": self.read_anew,
            "ScopesFailed": len(self.sweep_result.failed),
            "ScopesLeft": len(self.sweep_result.remaining),
            "StaleEvaluations": done.count(WriteOutcome.STALE),
            "FutureTimes": sum(each.was_ahead for each in self.sweep_result.results),
        }


@dataclass(slots=True)
class _Progress:
    results: list[ScopeResult] = field(default_factory=list)
    failed: dict[Scope, str] = field(default_factory=dict)
    remaining: list[Scope] = field(default_factory=list)
    read_anew: int = 0


class Refresher:
    """Evaluates the dependents of changed facts in the Region of one monitor."""

    def __init__(self, ports: EvaluationPorts, shared: SharedFacts, findings: Findings) -> None:
        """Create the refresher.

        Args:
            ports: What evaluates scopes.
            shared: The shared network.
            findings: The findings table, of which all scope records are read.
        """
        self._ports = ports
        self._shared = shared
        self._findings = findings

    def refresh(self, event: Mapping[str, Any], deadline: Deadline) -> RefreshResult:
        """Evaluate the dependents of all changes until now.

        A VPC that a new fact names is stored before those that use it are evaluated.
        One that fails does not stop the others. If any is left, the records are retried, and then
        only what is left is evaluated.

        Args:
            event: Stream records of the table of the shared network.
            deadline: When to stop.

        Raises:
            ClientError, BotoCoreError: DynamoDB does not answer; the whole batch must be retried.
            CorruptItemError: The baseline or the shared network cannot be read.
        """
        records = [str(each["dynamodb"]["SequenceNumber"]) for each in event["Records"]]
        region = self._ports.observer.region
        if not any(_is_of(each, region) for each in event["Records"]):
            return RefreshResult(SweepResult(region))
        ports = self._ports
        store_central_vpcs(self._shared, ports.observer, ports.members, deadline)
        evaluator = ScopeEvaluator(
            ports.store,
            ports.baselines,
            ports.observer.now,
            self._shared,
            ProofAllowance(MAX_PROVEN),
        )
        unreadable: dict[str, str] = {}
        dependents = self._find_dependents(unreadable)
        progress = self._evaluate_all(evaluator, dependents, deadline)
        progress.failed |= {Scope.parse(each): why for each, why in unreadable.items()}
        sweep_result = SweepResult(
            region,
            tuple(progress.results),
            progress.failed,
            remaining=tuple(progress.remaining),
        )
        retried = records[:1] if progress.failed or progress.remaining else []
        if progress.failed:
            self._keep_reason(records[0], sweep_result)
        return RefreshResult(sweep_result, len(dependents), progress.read_anew, tuple(retried))

    def _find_dependents(self, unreadable: dict[str, str]) -> tuple[ScopeRecord, ...]:
        """Find the VPCs that were evaluated with other facts than the present ones.

        Those whose record cannot be read are added to `unreadable`, with the reason.
        """
        network = self._shared.load().network
        scopes = (
            each
            for each in self._findings.list_scopes()
            if each.vpc_id and self._ports.watches(Region(each.account, each.region))
        )
        records = self._findings.read_records(scopes, EVALUATED, unreadable)
        return tuple(each for each in records if each.exists and not _is_current(each, network))

    def _evaluate_all(
        self, evaluator: ScopeEvaluator, records: Iterable[ScopeRecord], deadline: Deadline
    ) -> _Progress:
        """Evaluate scopes side by side; those that take long come last, one by one."""
        progress = _Progress()
        postponed: list[ScopeRecord] = []

        def attempt(record: ScopeRecord) -> ScopeResult | str | None:
            return self._attempt(evaluator, record, deadline, FIRST_POLICY_UNITS, progress)

        with ThreadPoolExecutor(SCOPES_AT_ONCE, thread_name_prefix="scope") as pool:
            listed = tuple(records)
            for record, result in zip(listed, pool.map(attempt, listed), strict=True):
                if result is None:
                    postponed.append(record)
                else:
                    _settle(progress, record.scope, result)
        for record in postponed:
            result = self._attempt(evaluator, record, deadline, VPC_POLICY_UNITS, progress)
            _settle(progress, record.scope, result or NO_TIME)
        return progress

    def _attempt(
        self,
        evaluator: ScopeEvaluator,
        record: ScopeRecord,
        deadline: Deadline,
        policy_units: int,
        progress: _Progress,
    ) -> ScopeResult | str | None:
        """Evaluate one scope; return why it failed, or None if it takes long."""
        extra: dict[str, Any] = {"scope": str(record.scope)}
        if not deadline.allows():
            return NO_TIME
        try:
            with deadline.step():
                result = self._evaluate(evaluator, record, policy_units, progress)
        except CostlyScopeError:
            return None
        except CAUGHT as error:
            logger.exception("scope not evaluated", extra=extra)
            return describe_error(error)
        extra |= {"outcome": result.outcome.value, "transitions": len(result.transitions)}
        logger.info("scope evaluated", extra=extra)
        return result

    def _evaluate(
        self,
        evaluator: ScopeEvaluator,
        record: ScopeRecord,
        policy_units: int,
        progress: _Progress,
    ) -> ScopeResult:
        """Evaluate a scope from its stored snapshot, or from EC2 where none is stored.

        Where others evaluated it meanwhile, it is their snapshot that may still need the facts.
        """
        scope, store = record.scope, self._ports.store
        current: ScopeRecord | None = record
        for _ in range(ATTEMPTS):
            if current is None or not current.exists:
                return ScopeResult(scope, WriteOutcome.STALE)
            snapshot = self._load(current)
            if snapshot is None:
                progress.read_anew += 1
                snapshot, now = self._read(scope)
                if snapshot is None:
                    return evaluator.end(scope, now)
            observed = evaluator.observe(snapshot)
            result = evaluator.evaluate(observed, policy_units=policy_units)
            if result.outcome is not WriteOutcome.STALE:
                return result
            current = store.load_record(scope)
            if current and _is_current(current, self._shared.load().network):
                return result  # others did the same
        raise ConflictError(f"{scope}: others kept evaluating it")

    def _load(self, record: ScopeRecord) -> Snapshot | None:
        """Load the snapshot that a record is the result of; None where it is not stored whole.

        It was observed again, the same, when the record says.
        """
        if not record.snapshot_digest or record.snapshot_at is None or record.shared is None:
            return None
        try:
            stored = self._ports.store.snapshots.load(record.scope, record.snapshot_at)
            catalogue = self._shared.table.load_catalogue(
                record.scope.region, record.shared.catalogue
            )
        except CorruptItemError:
            logger.exception("stored snapshot not read", extra={"scope": str(record.scope)})
            return None
        if stored is None or catalogue is None or not isinstance(stored.snapshot, Snapshot):
            return None
        return replace(
            stored.snapshot,
            observed_at=record.observed_at,
            services=catalogue.services,
            prefix_lists={**catalogue.prefix_lists, **stored.snapshot.prefix_lists},
        )

    def _read(self, scope: Scope) -> tuple[Snapshot | None, datetime]:
        """Read a VPC from EC2; None if it does not exist, with the time before the read."""
        observer = self._ports.observer_of(scope.account)
        now = observer.now()
        return observer.collect_vpc(scope), now

    def _keep_reason(self, number: str, sweep_result: SweepResult) -> None:
        """Record why scopes failed: a dead-letter message holds the numbers of records only."""
        reason = f"not evaluated again: {'; '.join(sweep_result.describe_missing())}"
        logger.error("dependents not evaluated", extra={"reason": reason})
        try:
            now = self._ports.observer.now()
            self._ports.rejections.keep(RejectedRecord(number, reason, ""), now)
        except CAUGHT:  # the log has the reason
            logger.exception("reason not recorded", extra={"record": number})


def _is_of(record: Mapping[str, Any], region: Region) -> bool:
    """Whether a stream record is of the network of a Region."""
    keys = record["dynamodb"].get("Keys", {})
    return bool(keys.get("region") == {"S": region.name})


def _is_current(record: ScopeRecord, network: SharedNetwork) -> bool:
    """Whether a scope was evaluated with the facts that it depends on now."""
    used = record.shared
    if used is None or not used.view:
        return False
    try:
        links = read_links(used.links)
    except UNREADABLE:
        logger.exception("links not read", extra={"scope": str(record.scope)})
        return False
    return build_view(network, links).digest == used.view


def _settle(progress: _Progress, scope: Scope, result: ScopeResult | str) -> None:
    if isinstance(result, ScopeResult):
        progress.results.append(result)
    elif result == NO_TIME:
        progress.remaining.append(scope)
    else:
        progress.failed[scope] = result
