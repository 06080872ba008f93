"""`posture verify`: whether anybody altered the findings or their history."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from posture.model.scope import Scope
from posture_cli import exit_codes as exits
from posture_cli.console import open_stderr
from posture_cli.options import (
    BaselineTableOption,
    FindingsTableOption,
    HistoryTableOption,
    OutputOption,
    ScopeOption,
    StackOption,
    StackRegionOption,
    VerboseOption,
    examples,
)
from posture_cli.render.records import Output, write_records

if TYPE_CHECKING:
    from posture_cli.audit.open_tables import OpenTables
    from posture_cli.audit.verify import ChainEnds, VerificationResult

EXAMPLES = examples(
    "posture verify",
    "posture verify --heads heads-2026-09-30.json",
    "posture verify --against heads-2026-09-30.json",
    "posture verify --scope 111122223333/eu-west-1/vpc-0123456789abcdef0",
)
COLUMNS = ("verdict", "scope", "rows", "entry", "problem")
CSV_COLUMNS = ("verdict", "scope", "rows", "unchained", "tip", "entry", "problem")


def verify(  # noqa: PLR0913 - one parameter an option
    *,
    stack: StackOption = "posture",
    region: StackRegionOption = None,
    scope: ScopeOption = None,
    heads: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write where every chain ends to this file, to be kept elsewhere."
        ),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Also prove that what this file tells of is still in the chains."
        ),
    ] = None,
    findings_table: FindingsTableOption = None,
    history_table: HistoryTableOption = None,
    baseline_table: BaselineTableOption = None,
    output: OutputOption = Output.TABLE,
    verbose: VerboseOption = False,
) -> None:
    """Prove that history was only ever added to, and that the findings are what it leads to.

    Each row of history carries the digest of the row before it in its scope, and the scope's head
    the last one. For each scope the first row that was altered, removed or inserted is named.

    Whoever may write both tables could write a whole chain and its head anew. Heads that were
    exported before and kept out of their reach show that as well: --heads, later --against.

    Exit code: 0 when all is as it was written, 1 when something was altered, 2 on a mistake.
    """
    from posture_cli.audit import heads_file  # noqa: PLC0415 - boto3 would slow other verbs down
    from posture_cli.audit.open_tables import open_tables  # noqa: PLC0415

    exported = heads_file.read(against) if against else {}
    named = {"findings": findings_table, "history": history_table}
    if baseline_table or not all(named.values()):
        named["baseline"] = baseline_table
    tables = open_tables(stack, region, **named)
    proofs = _proofs(tables, scope, exported)
    write_records(
        [_record(proof) for proof in proofs],
        CSV_COLUMNS if output is Output.CSV else COLUMNS,
        output,
    )
    faults = [proof for proof in proofs if proof.fault]
    tables.tell_cost(verbose=verbose)
    _conclude(proofs, len(faults))
    if heads and not faults:
        now = datetime.now(UTC)
        heads_file.write(heads, proofs, table=tables.tables.history, exported_at=now)
        open_stderr().print(
            f"wrote {heads}; keep it where nobody who may write the tables can reach it"
        )
    elif heads:
        open_stderr().print(f"{heads} was not written, as something was altered")
    raise typer.Exit(exits.FINDINGS if faults else exits.CLEAN)


def _proofs(
    tables: OpenTables, scope: Scope | None, exported: ChainEnds
) -> Sequence[VerificationResult]:
    from posture.store.waivers import PARTITION  # noqa: PLC0415 - as above
    from posture_cli.audit.verify import Verifier  # noqa: PLC0415

    scopes = iter([scope]) if scope else tables.findings.list_scopes()
    if scope:
        exported = {name: chain for name, chain in exported.items() if name == str(scope)}
    proofs = []
    with open_stderr().status("walking the chains") as progress:
        verifier = Verifier(tables.client, tables.tables)
        for proof in verifier.verify(scopes, exported):
            proofs.append(proof)
            progress.update(f"walked {len(proofs)} chains, last {proof.scope}")
        if tables.tables.baseline and not scope:
            proofs.append(verifier.waivers(exported.get(PARTITION)))
    return proofs


def _conclude(proofs: Sequence[VerificationResult], faults: int) -> None:
    rows = sum(proof.chain.length for proof in proofs)
    old = sum(proof.unchained for proof in proofs)
    told = f"{rows} rows in {len(proofs)} chains"
    if old:
        told += f", {old} more from before there were chains, which nothing proves"
    open_stderr().print(f"{told}: {f'{faults} chains are not as written' if faults else 'intact'}")


def _record(proof: VerificationResult) -> dict[str, Any]:
    fault = proof.fault
    return {
        "verdict": "altered" if fault else "intact",
        "scope": proof.scope,
        "rows": proof.chain.length,
        "unchained": proof.unchained,
        "tip": proof.chain.tip,
        "entry": fault.entry if fault else None,
        "problem": fault.problem if fault else None,
    }
