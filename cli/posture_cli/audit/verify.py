"""Proving a table: every scope's chain, its head, and the findings that the history leads to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from posture.errors import ConflictError, CorruptItemError
from posture.lifecycle.diff import apply_transitions
from posture.model.finding import Finding, Transition
from posture.model.scope import Scope
from posture.store.hash_chain import Chain
from posture.store.history import History
from posture.store.items import parse_history_entry
from posture.store.scope_store import Store
from posture.store.waivers import PARTITION, WaiverTable
from posture_cli.audit.chain_walk import ChainFault, ChainWalk, Row

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from posture.runtime.settings import Tables

ATTEMPTS = 3  # a scope that is written while it is walked is walked again

ChainEnds = Mapping[str, Chain]  # by scope


@dataclass(frozen=True, slots=True)
class VerificationResult:
    """What a scope's history came to.

    Attributes:
        scope: The partition.
        chain: Where its chain ends; kept elsewhere, it shows later that nothing was rewritten.
        unchained: How many rows are from before there were chains, and are taken as they are.
        fault: The first thing wrong, if anything is.
    """

    scope: str
    chain: Chain
    unchained: int = 0
    fault: ChainFault | None = None


class Verifier:
    """Walks the chains of a stack's history."""

    def __init__(self, client: DynamoDBClient, tables: Tables) -> None:
        self._store = Store(client, tables)
        self._history = History(client, tables.history)
        self._waivers = WaiverTable(client, tables.baseline)

    def verify(self, scopes: Iterator[Scope], exported: ChainEnds) -> Iterator[VerificationResult]:
        """Prove each scope, and that every exported head is still part of its chain.

        Raises:
            ConflictError: a scope was written each time that it was walked.
        """
        seen = set()
        for scope in scopes:
            seen.add(str(scope))
            yield self._prove(scope, exported.get(str(scope)))
        for name in sorted(set(exported) - seen - {PARTITION}):
            yield self._prove(Scope.parse(name), exported[name])

    def waivers(self, exported: Chain | None) -> VerificationResult:
        """Prove the history of the waivers, whose chain ends in the baseline table."""
        for _ in range(ATTEMPTS):
            head = self._waivers.chain()
            walk = ChainWalk(frozenset({exported.length} if exported else ()))
            for _ in walk.over(self._history.query_rows(PARTITION)):
                pass
            fault = walk.end(head) or _kept(walk, exported)
            if fault is None or self._waivers.chain() == head:
                return VerificationResult(PARTITION, walk.chain, walk.unchained, fault)
        raise ConflictError(f"{PARTITION}: written each time they were walked; verify them again")

    def _prove(self, scope: Scope, exported: Chain | None) -> VerificationResult:
        try:
            return self._walked(scope, exported)
        except CorruptItemError as error:
            return VerificationResult(
                str(scope), Chain(), fault=ChainFault("", f"altered: {error}")
            )

    def _walked(self, scope: Scope, exported: Chain | None) -> VerificationResult:
        for _ in range(ATTEMPTS):
            state = self._store.load(scope)
            head = state.record.chain if state.record else Chain()
            walk = ChainWalk(frozenset({exported.length} if exported else ()))
            findings, fault = _replayed(walk.over(self._history.query_rows(str(scope))))
            fault = walk.fault or fault or walk.end(head)
            fault = fault or _kept(walk, exported) or _differing(state.findings, findings)
            if fault is None or self._chain(scope) == head:
                return VerificationResult(str(scope), walk.chain, walk.unchained, fault)
        raise ConflictError(f"{scope}: it was written each time it was walked; verify it again")

    def _chain(self, scope: Scope) -> Chain:
        head = self._store.load_record(scope)
        return head.chain if head else Chain()


def _replayed(rows: Iterator[Row]) -> tuple[dict[str, Finding], ChainFault | None]:
    """Give the findings that the rows lead to."""
    steps: list[Transition] = []
    for row in rows:
        try:
            steps.append(parse_history_entry(row).transition)
        except CorruptItemError as error:
            return {}, ChainFault(row["entry"].get("S", ""), f"altered: {error}")
    return apply_transitions({}, steps), None


def _kept(walk: ChainWalk, exported: Chain | None) -> ChainFault | None:
    """Compare a chain with what was exported of it."""
    if exported is None or exported.length == 0:
        return None
    if walk.chain.length < exported.length:
        problem = f"removed: {walk.chain.length} rows are left of the {exported.length} exported"
    elif walk.passed[exported.length] != exported.tip:
        problem = f"altered: rewritten up to row {exported.length} since its head was exported"
    else:
        return None
    return ChainFault("", problem)


def _differing(stored: Mapping[str, Finding], told: Mapping[str, Finding]) -> ChainFault | None:
    """Compare the findings with what the history says of them."""
    for name in sorted({*stored, *told}):
        finding = told.get(name) or stored[name]
        key = f"{finding.rule}#{finding.resource}"
        if name not in stored:
            return ChainFault(key, "removed: the finding is missing from the findings table")
        if name not in told:
            return ChainFault(key, "inserted: no row of history tells of this finding")
        if stored[name] != told[name]:
            return ChainFault(key, "altered: the finding is not as its last row of history tells")
    return None
