"""Verifies all chains of a monitor's tables while a person waits."""

from __future__ import annotations

from collections.abc import Iterator

from posture.model.scope import Scope
from posture_cli.audit.exported_ends import ExportedEnds
from posture_cli.audit.open_tables import OpenTables
from posture_cli.audit.verify import VerificationResult, Verifier


def verify_tables(
    tables: OpenTables, scope: Scope | None, ends: ExportedEnds
) -> Iterator[VerificationResult]:
    """Verify the chain of a scope, or all with those of the waivers, and the shared network.

    Raises:
        CommandError: The findings table does not exist.
    """
    verifier = Verifier(tables.client, tables.tables)
    if scope:
        yield from verifier.verify_scopes([scope], ends.select(str(scope)))
        return
    with tables.naming_missing_table():
        yield from verifier.verify_all(ends)
    if tables.tables.baseline:
        yield verifier.verify_waivers(ends)
    if tables.tables.network:
        yield from verifier.verify_network(tables.region)
