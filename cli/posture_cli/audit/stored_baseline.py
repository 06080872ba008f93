"""Verifies the baseline table: the waivers by their history, the document, the member accounts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from posture.store.attribute_values import StoredItem
from posture.store.baselines import BaselineTable, name_version
from posture.store.members import MemberTable
from posture.store.waivers import WaiverTable, parse_waiver
from posture_cli.audit.chain_walk import ChainFault

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from posture.store.hash_chain import Chain


class StoredBaseline:
    """The baseline table of a stack."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._baselines = BaselineTable(client, table)
        self._waivers = WaiverTable(client, table)
        self._members = MemberTable(client, table)

    def load_chain(self) -> Chain:
        """Load where the chain of the waivers' history ends."""
        return self._waivers.load_chain()

    def find_fault(self, rows: Iterable[StoredItem], now: datetime) -> ChainFault | None:
        """Find the first item that was not written as it is; `rows` are the waivers' history.

        Raises:
            CorruptItemError: One cannot be read.
        """
        faults = (*self._check_waivers(rows), *self._check_document(), *self._check_members(now))
        return next(iter(faults), None)

    def _check_waivers(self, rows: Iterable[StoredItem]) -> Iterator[ChainFault]:
        """Compare each waiver with the last row of its history."""
        ordered = sorted(rows, key=lambda row: int(row.get("number", {}).get("N", "0")))
        written = {each.id: each for each in map(parse_waiver, ordered)}
        stored = {each.id: each for each in self._waivers.load()}
        for name in sorted(written.keys() | stored.keys()):
            if name not in stored:
                yield ChainFault(name, "removed: the waiver is not in the baseline table")
            elif name not in written:
                yield ChainFault(name, "inserted: no history row has this waiver")
            elif stored[name] != written[name]:
                yield ChainFault(name, "altered: the waiver differs from its last history row")

    def _check_document(self) -> Iterator[ChainFault]:
        """Compare the current baseline with its version, which is written in one transaction."""
        current = self._baselines.load_applied()
        if current.version and self._baselines.load_version(current.version) != current:
            name = name_version(current.version)
            yield ChainFault("baseline", f"altered: the current baseline differs from {name}")

    def _check_members(self, now: datetime) -> Iterator[ChainFault]:
        """Find members with a time that has not come yet."""
        for member in self._members.load().members:
            if ahead := ", ".join(member.list_ahead(now)):
                problem = f"altered: its time {ahead} is in the future"
                yield ChainFault(f"member {member.account}", problem)
