"""Verifies all chains of a monitor's tables while a person waits."""

from __future__ import annotations

from collections.abc import Sequence

from posture.model.scope import Scope
from posture_cli.audit.exported_ends import ExportedEnds
from posture_cli.audit.open_tables import OpenTables
from posture_cli.audit.verify import VerificationResult, Verifier
from posture_cli.console import open_stderr
from posture_cli.failure import CommandError
from posture_cli.suggest import suggest


def verify_tables(
    tables: OpenTables, scope: Scope | None, ends: ExportedEnds
) -> Sequence[VerificationResult]:
    """Verify the chains of a scope, or all with those of the waivers, and show the progress.

    Raises:
        CommandError: The scope was never observed.
    """
    results = []
    with open_stderr().status("verifying the chains") as progress:
        verifier = Verifier(tables.client, tables.tables)
        found = (
            verifier.verify_scopes([scope], ends.select(str(scope)))
            if scope
            else verifier.verify_all(tables.list_scopes(), ends)
        )
        for result in found:
            results.append(result)
            progress.update(f"verified {len(results)} chains, last {result.scope}")
        if scope and not results[0].recorded and not results[0].chain.length and not ends.chains:
            known = suggest(str(scope), map(str, tables.list_scopes()))
            raise CommandError(f"{scope} was never observed{known}")
        if tables.tables.baseline and not scope:
            results.append(verifier.verify_waivers(ends))
    return results
