"""Reads scopes one after the other, each once: its history, whether that is intact, its record."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from posture.model.scope import Scope
from posture.store.scope_record import ScopeRecord
from posture.store.scope_store import Store
from posture_cli.audit.observed import ObservedScope, build_observed
from posture_cli.audit.open_tables import OpenTables
from posture_cli.audit.verify import RowVisitor, VerificationResult, Verifier

Stacks = Sequence[tuple[OpenTables, Sequence[Scope]]]  # each with the scopes that are read


@dataclass(frozen=True, slots=True)
class ReadScope:
    """A scope whose rows the visitor has seen; `record` is None if none is stored."""

    tables: OpenTables
    scope: Scope
    result: VerificationResult
    record: ScopeRecord | None

    def observe(self, first_row: datetime | None) -> ObservedScope:
        """Return when it was observed, with the time of its first row."""
        return build_observed(self.scope, self.record, first_row)

    @property
    def is_gone(self) -> bool:
        """Whether it no longer exists, as far as is known."""
        return self.record is not None and not self.record.exists


def read_scopes(stacks: Stacks, visitor: RowVisitor, until: datetime) -> Iterator[ReadScope]:
    """Read each scope of each stack; the visitor sees its rows before it is yielded.

    Args:
        stacks: The tables of each stack, with the scopes to read.
        visitor: Sees every row, also those after `until` while the chain is intact.
        until: The last row that is needed of a chain that is not intact.

    Raises:
        ConflictError: A scope was written during every attempt to verify it.
    """
    for tables, scopes in stacks:
        verifier = Verifier(tables.client, tables.tables, visitor=visitor)
        store = Store(tables.client, tables.tables)
        for scope, result in zip(scopes, verifier.verify_scopes(scopes), strict=True):
            if result.fault:  # the rows after the fault were not seen
                visitor.begin()
                for row in tables.history.find_by_scope(scope, until=until):
                    visitor.add(row)
            yield ReadScope(tables, scope, result, store.load_record(scope))
