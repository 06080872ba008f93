"""Verifies the hash chain of every scope, and that the findings follow from the history."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from posture.errors import ConflictError, CorruptItemError
from posture.lifecycle.diff import is_bad
from posture.model.finding import Finding
from posture.model.scope import Region, Scope
from posture.runtime.clock import TimeSource, utc_now
from posture.store.actors import PARTITION as ACTORS
from posture.store.findings import Findings
from posture.store.hash_chain import Chain
from posture.store.history import History, keep_latest
from posture.store.items import Entry, parse_history_entry
from posture.store.pending_causes import PendingCauses, name_partition
from posture.store.rejections import PARTITION as REJECTED
from posture.store.scope_record import RECORD_KEY
from posture.store.shared_network import SharedNetworkTable
from posture.store.waivers import PARTITION
from posture_cli.audit.chain_walk import ChainFault, ChainWalk, Row
from posture_cli.audit.exported_ends import ExportedChain, ExportedEnds
from posture_cli.audit.observed import format_instant
from posture_cli.audit.stored_baseline import StoredBaseline
from posture_cli.audit.stored_scope import StoredScope, parse_stored_scope

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from posture.runtime.settings import Tables

NETWORK = "shared network"
NO_SCOPES = {PARTITION, REJECTED, ACTORS}  # the partitions of history that are none
ATTEMPTS = 3  # a scope that is written during its verification is verified again

Loader = Callable[[], tuple[Chain, Mapping[str, Finding] | None]]  # the recorded end, the findings


@dataclass(frozen=True, slots=True)
class VerificationResult:
    """The result of verifying the history of one scope.

    Attributes:
        scope: The scope, as the partition key of the history.
        chain: The end of its chain. Stored elsewhere, it later proves that nothing was rewritten.
        unchained: The number of rows from before chains existed, which are not verified.
        fault: The first fault, if there is one.
        times: When the first and the last row were written; None without rows.
        exported: The number of rows that an export proves.
        first_observed_at: When the scope was first observed; None where it is not known.
        recorded: Whether the scope is in the findings table.
    """

    scope: str
    chain: Chain
    unchained: int = 0
    fault: ChainFault | None = None
    times: tuple[datetime, datetime] | None = None
    exported: int = 0
    first_observed_at: datetime | None = None
    recorded: bool = True


def describe_verification(
    results: Sequence[VerificationResult], ends: ExportedEnds
) -> Iterator[str]:
    """Describe what was verified, from when to when, against what, and what is not proven."""
    yield describe_rows(results)
    yield from describe_witnesses(results, ends)


def describe_rows(results: Sequence[VerificationResult]) -> str:
    """Describe what was verified, and from when to when."""
    altered = sum(result.fault is not None for result in results)
    rows = sum(result.chain.length for result in results)
    unchained = sum(result.unchained for result in results)
    times = [instant for result in results for instant in result.times or ()]
    text = f"{rows} rows in {len(results)} chains"
    if times:
        text += f", written from {format_instant(min(times))} to {format_instant(max(times))}"
    if unchained:
        text += f", {unchained} older rows without a chain, which cannot be verified"
    return f"{text}: {f'{altered} chains are altered' if altered else 'intact'}"


def describe_witnesses(results: Sequence[VerificationResult], ends: ExportedEnds) -> Iterator[str]:
    """Describe with which exports the chains were compared, and what they do not prove."""
    yield from ends.warnings
    if not ends:
        yield (
            "not compared with exported ends: that someone who can write both tables rewrote a "
            "chain, or removed a scope, the last rows or all digests with what refers to them, "
            "would not be noticed; see --against"
        )
        return
    proven = sum(result.exported for result in results)
    chains = sum(result.exported > 0 for result in results)
    since = sum(result.chain.length - result.exported for result in results if not result.fault)
    text = f"compared with {' and '.join(ends.list_descriptions())}"
    text += f": {proven} rows in {chains} chains are as they were exported"
    if since:
        text += f"; {since} rows since are consistent, but no export proves them yet"
    yield text


class RowVisitor(Protocol):
    """Sees the rows of a scope while they are verified, so that they are read once."""

    def begin(self) -> None:
        """Forget the rows so far: the chain of a scope is read from its beginning."""

    def add(self, row: Entry) -> None:
        """See the next row of the chain."""


class Verifier:
    """Verifies the history of a stack; `visitor` sees every row that is intact."""

    def __init__(
        self,
        client: DynamoDBClient,
        tables: Tables,
        now: TimeSource = utc_now,
        visitor: RowVisitor | None = None,
    ) -> None:
        self._findings = Findings(client, tables.findings)
        self._history = History(client, tables.history)
        self._baseline = StoredBaseline(client, tables.baseline)
        self._pending = PendingCauses(client, tables.findings)
        self._network = SharedNetworkTable(client, tables.network)
        self._now = now
        self._visitor = visitor

    def verify_all(self, exported: ExportedEnds | None = None) -> Iterator[VerificationResult]:
        """Verify each scope of both tables and of the exports, as `verify_scopes`.

        So a scope is verified although its record was removed or is no longer listed, and so is
        one to which only findings, or only rows of history, were copied.
        """
        names = {*self._findings.list_partitions(), *self._history.list_partitions()} - NO_SCOPES
        scopes = {name: _parse_scope(name) for name in sorted(names)}
        yield from self.verify_scopes(filter(None, scopes.values()), exported)
        for name in (name for name, scope in scopes.items() if scope is None):
            fault = ChainFault("", "inserted: no scope and nothing else has such a key")
            yield VerificationResult(name, Chain(), fault=fault)
        yield from self._verify_pending_causes(filter(None, scopes.values()))

    def _verify_pending_causes(self, scopes: Iterable[Scope]) -> Iterator[VerificationResult]:
        """Yield a result for each Region of scopes with a pending cause that cannot be read."""
        for region in sorted({Region(each.account, each.region) for each in scopes}):
            unreadable = self._pending.find(region, self._now()).unreadable
            for name, reason in list(unreadable.items())[:1]:
                fault = ChainFault(name, f"altered: {reason}")
                yield VerificationResult(name_partition(region), Chain(), fault=fault)

    def verify_network(self, region: str) -> Iterator[VerificationResult]:
        """Yield a result if an item of the shared network cannot be read or is of the future.

        The facts have no history: a survey reads them anew.
        """
        try:
            names = list(self._network.find_ahead(region, self._now()))
        except CorruptItemError as error:
            yield _describe_corrupt(NETWORK, error)
            return
        for name in names[:1]:
            fault = ChainFault(name, "altered: its time is in the future")
            yield VerificationResult(NETWORK, Chain(), fault=fault)

    def verify_scopes(
        self, scopes: Iterable[Scope], exported: ExportedEnds | None = None
    ) -> Iterator[VerificationResult]:
        """Verify each scope, and that its chain still contains every exported end.

        Scopes that are only in `exported` are verified, too.

        Raises:
            ConflictError: A scope was written during every attempt.
        """
        ends = exported or ExportedEnds()
        done = set()
        for scope in scopes:
            done.add(str(scope))
            yield self._verify_scope(scope, ends)
        for name in sorted(set(ends.chains) - done - {PARTITION}):
            yield self._verify_scope(Scope.parse(name), ends)

    def verify_waivers(self, exported: ExportedEnds | None = None) -> VerificationResult:
        """Verify the history of the waivers, whose chain ends in the baseline table.

        Its rows are dated by the computers of those who decide, so their times prove nothing.
        """
        known = replace((exported or ExportedEnds()).find(PARTITION), exported_at=None)
        try:
            result = self._verify(PARTITION, lambda: (self._baseline.load_chain(), None), known)
            rows = self._history.query_rows(PARTITION)
            fault = result.fault or self._baseline.find_fault(rows, self._now())
        except CorruptItemError as error:
            return _describe_corrupt(PARTITION, error)
        return replace(result, fault=fault)

    def _verify_scope(self, scope: Scope, ends: ExportedEnds) -> VerificationResult:
        loaded = StoredScope()

        def load() -> tuple[Chain, Mapping[str, Finding]]:
            nonlocal loaded
            loaded = parse_stored_scope(self._findings.read_items(scope), self._now())
            return loaded.chain, loaded.findings

        try:
            result = self._verify(str(scope), load, ends.find(str(scope)))
        except CorruptItemError as error:
            return _describe_corrupt(str(scope), error)
        record, fault = loaded.record, result.fault or loaded.fault
        if record is None and (result.chain.length or result.unchained or loaded.findings):
            fault = ChainFault(RECORD_KEY, "removed: the scope has history or findings")
        if record is None and not fault and str(scope) in ends.chains:
            fault = ChainFault(RECORD_KEY, "removed: the scope was exported")
        first = record.first_observed_at if record else None
        return replace(result, fault=fault, first_observed_at=first, recorded=record is not None)

    def _verify(self, partition: str, load: Loader, exported: ExportedChain) -> VerificationResult:
        """Verify a chain, and the findings that follow from it if `load` returns any."""
        for _ in range(ATTEMPTS):
            end, stored = load()
            walk = ChainWalk(exported)
            rows = walk.walk(self._history.query_rows(partition))
            findings, fault = self._replay(rows, of_findings=stored is not None)
            fault = walk.fault or fault or walk.check_end(end)
            fault = fault or _check_exported(walk, exported) or _compare(stored or {}, findings)
            if fault is None or load()[0] == end:
                proven = 0 if fault else exported.longest
                return VerificationResult(
                    partition, walk.chain, walk.unchained, fault, walk.times, proven
                )
        raise ConflictError(f"{partition}: written during every attempt; verify it again")

    def _replay(
        self, rows: Iterable[Row], *, of_findings: bool
    ) -> tuple[dict[str, Finding], ChainFault | None]:
        """Walk all rows, and rebuild the findings if the rows are `of_findings`."""
        latest: dict[str, Entry] = {}
        if self._visitor:
            self._visitor.begin()
        for row in rows:
            if not of_findings:
                continue
            try:
                entry = parse_history_entry(row)
            except CorruptItemError as error:
                return {}, ChainFault(row["entry"].get("S", ""), f"altered: {error}")
            keep_latest(latest, entry)
            if self._visitor:
                self._visitor.add(entry)
        return {name: row.transition.finding for name, row in latest.items()}, None


def _parse_scope(name: str) -> Scope | None:
    """Parse the key of a partition; None where it is that of no scope."""
    try:
        return Scope.parse(name)
    except ValueError:
        return None


def _describe_corrupt(partition: str, error: CorruptItemError) -> VerificationResult:
    return VerificationResult(partition, Chain(), fault=ChainFault("", f"altered: {error}"))


def _check_exported(walk: ChainWalk, exported: ExportedChain) -> ChainFault | None:
    """Compare a chain with all that was exported of it."""
    left, longest = walk.chain.length, exported.longest
    if exported.problem:
        problem = exported.problem
    elif left < longest:
        problem = f"removed: {left} rows are left of the {longest} exported"
    elif walk.rewritten:
        problem = f"altered: rewritten up to row {walk.rewritten} since its end was exported"
    elif exported.unchained is not None and walk.unchained != exported.unchained:
        problem = (
            f"altered: {walk.unchained} rows without a digest, {exported.unchained} when exported"
        )
    else:
        return None
    return ChainFault("", problem)


def _compare(stored: Mapping[str, Finding], rebuilt: Mapping[str, Finding]) -> ChainFault | None:
    """Compare the stored findings with those rebuilt from history.

    A resolved finding may have expired from the findings table; its history proves it.
    """
    for name in sorted({*stored, *rebuilt}):
        finding = rebuilt.get(name) or stored[name]
        key = f"{finding.rule}#{finding.resource}"
        if name not in stored:
            if not is_bad(finding):
                continue
            return ChainFault(key, "removed: the finding is not in the findings table")
        if name not in rebuilt:
            return ChainFault(key, "inserted: no history row has this finding")
        if stored[name] != rebuilt[name]:
            return ChainFault(key, "altered: the finding differs from its last history row")
    return None
