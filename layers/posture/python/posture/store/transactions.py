"""How the transitions of one evaluation are split into transactions.

A transaction holds 100 items and 4 MB at most:
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from posture.lean_dataclass import dataclass
from posture.model.finding import Transition
from posture.model.instant import format_iso
from posture.runtime.encoded_item import EncodedItem
from posture.runtime.settings import Tables
from posture.store.attribute_values import Item, serialize
from posture.store.conditional_writes import build_put
from posture.store.hash_chain import Chain, append_to_chain
from posture.store.items import TransitionItems, with_commit

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

MAX_ACTIONS = 100  # of one transaction
MAX_WRITES = 94  # of findings and history rows; up to six more are the record and its snapshots
OWN_BYTES = 4_096  # more than a finding's item has beside what its row has
MAX_BYTES = 3_000_000  # leaves a quarter for the scope record and for how DynamoDB counts


@dataclass(frozen=True, slots=True)
class TransactionPart:
    """One transaction of an evaluation: `number` from 1 of `parts`.

    `commit` is its name, which all its items hold. `findings` are the items of the findings table,
    `vacated` the keys that they had before, where those differ, `rows` the items of the history
    table, chained to the scope's last row; `chain` is where it ends.
    """

    number: int
    parts: int
    commit: str
    transitions: tuple[Transition, ...]
    findings: tuple[EncodedItem, ...]
    vacated: tuple[Item, ...]
    rows: tuple[EncodedItem, ...]
    chain: Chain

    @property
    def is_last(self) -> bool:
        """Whether it completes the evaluation."""
        return self.number == self.parts


class TransactionParts:
    """The transactions of an evaluation, of which the items of one are in memory at a time.

    They are built when they are iterated over; those of the first were built to be measured.
    """

    def __init__(
        self,
        chunks: Sequence[Sequence[Transition]],
        first: Sequence[TransitionItems],
        build: Callable[[Transition], TransitionItems],
        chain: Chain,
        name: Callable[[int], str],
    ) -> None:
        self._chunks = chunks
        self._first = first
        self._build = build
        self._chain = chain
        self._name = name

    def __len__(self) -> int:
        return len(self._chunks)

    def count_writes_of_first(self) -> int:
        """Count the writes of the first transaction's items."""
        return sum(map(_count_writes, self._first))

    def __iter__(self) -> Iterator[TransactionPart]:
        chain = self._chain
        for number, transitions in enumerate(self._chunks, 1):
            built = self._first if number == 1 else tuple(map(self._build, transitions))
            part = self._build_part(number, built, chain)
            chain = part.chain
            yield part

    def _build_part(
        self, number: int, built: Sequence[TransitionItems], chain: Chain
    ) -> TransactionPart:
        commit, parts = self._name(number), len(self)
        rows = []
        for items in built:
            row, chain = append_to_chain(with_commit(items.row, commit, parts), chain)
            rows.append(row)
        findings = tuple(with_commit(items.finding, commit) for items in built)
        taken = tuple(items.transition for items in built)
        vacated = tuple(
            {"scope": items.finding["scope"], **serialize({"item": items.vacated})}
            for items in built
            if items.vacated
        )
        return TransactionPart(number, parts, commit, taken, findings, vacated, tuple(rows), chain)


def split_into_parts(
    steps: Iterable[Transition],
    build: Callable[[Transition], TransitionItems],
    at: datetime,
    chain: Chain,
    name: str = "",
) -> TransactionParts:
    """Split transitions into transactions, in their order, continuing a chain.

    The names of the transactions begin with the time of the rows, and end with `name`.
    """
    chunks: list[Sequence[Transition]] = []
    first: Sequence[TransitionItems] = ()
    for chunk in _chunks(map(build, steps)):
        first = first or chunk
        chunks.append(tuple(items.transition for items in chunk))
    return TransactionParts(
        chunks, first, build, chain, lambda number: f"{format_iso(at)}#{number}{name}"
    )


def build_part_writes(part: TransactionPart, tables: Tables) -> list[TransactWriteItemTypeDef]:
    """Build the writes of findings and history rows."""
    writes: list[TransactWriteItemTypeDef] = []
    for finding, row in zip(part.findings, part.rows, strict=True):
        writes.append({"Put": {"TableName": tables.findings, "Item": finding}})
        writes.append(build_history_put(tables.history, row))
    writes += [{"Delete": {"TableName": tables.findings, "Key": key}} for key in part.vacated]
    return writes


def build_history_put(table: str, row: Item) -> TransactWriteItemTypeDef:
    """Build the write of a history row, which never replaces an existing one."""
    return {"Put": build_put(table, row, "attribute_not_exists(#entry)")}


def _chunks(steps: Iterable[TransitionItems]) -> Iterator[Sequence[TransitionItems]]:
    chunk: list[TransitionItems] = []
    writes = size = 0
    for items in steps:
        row = items.row.to_json().encode()  # has more bytes than DynamoDB counts
        # A finding's item has what its row has, and little of its own.
        more, weight = _count_writes(items), 2 * len(row) + OWN_BYTES
        if chunk and (writes + more > MAX_WRITES or size + weight > MAX_BYTES):
            yield chunk
            chunk, writes, size = [], 0, 0
        chunk.append(items)
        writes += more
        size += weight
    if chunk:
        yield chunk


def _count_writes(items: TransitionItems) -> int:
    return 3 if items.vacated else 2
