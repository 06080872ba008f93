"""`posture verify`: checks that the findings and their history were not altered."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from posture.model.scope import Scope
from posture.store.waivers import PARTITION
from posture_cli import exit_codes, options
from posture_cli.audit.chain_ends_file import read_chain_ends, write_chain_ends
from posture_cli.audit.open_tables import OpenTables, open_tables
from posture_cli.audit.verify import ChainEnds, VerificationResult, Verifier
from posture_cli.command import CommandGroup
from posture_cli.console import open_stderr, print_note
from posture_cli.options import Output, option
from posture_cli.render.records import write_records

COLUMNS = ("verdict", "scope", "rows", "entry", "problem")
CSV_COLUMNS = ("verdict", "scope", "rows", "unchained", "tip", "entry", "problem")

app = CommandGroup()


@app.add(
    "posture verify",
    "posture verify --heads heads-2026-09-30.json",
    "posture verify --against heads-2026-09-30.json",
    "posture verify --against alerts.ndjson",
    "posture verify --scope 111122223333/eu-west-1/vpc-0123456789abcdef0",
)
def verify(
    *,
    where: options.StackOptions,
    scope: options.ScopeOption = None,
    heads: Annotated[
        Path | None,
        option("FILE", "Write the end of every hash chain to this file; keep it elsewhere."),
    ] = None,
    against: Annotated[
        Path | None,
        option(
            "FILE",
            "Also verify that the chains still contain the ends in this file: an export of "
            "--heads, or alerts in JSON, one on each line.",
        ),
    ] = None,
    tables: options.AllTableOptions,
    output: options.OutputOption = Output.TABLE,
) -> None:
    """Verify that history was only appended to, and that the findings follow from it.

    Each history row holds the digest of the row before it, and the record of its scope holds the
    digest of the last row. For each scope the command names the first row that was altered, removed
    or inserted. The scopes are those of both tables, so a removed scope record is found.

    Someone who can write both tables could rewrite a whole chain. To detect that, export the ends
    of the chains with --heads, store the file where that person cannot write, and verify with
    --against later. Alerts that were received are such a witness, too: each holds the end of its
    scope's chain.

    Exit code: 0 when nothing was altered, 1 when something was, 2 on error.
    """
    expected = read_chain_ends(against) if against else {}
    opened = open_tables(where.stack, where.region, tables.all_named())
    results = _verify(opened, scope, expected)
    write_records(map(_build_record, results), COLUMNS, output, CSV_COLUMNS)
    altered = sum(result.fault is not None for result in results)
    opened.print_cost(verbose=tables.verbose)
    _print_summary(results, altered)
    if heads and not altered:
        now = datetime.now(UTC)
        write_chain_ends(heads, results, table=opened.tables.history, exported_at=now)
        print_note(
            f"wrote {heads}; store it where users who can write to the tables cannot change it"
        )
    elif heads:
        print_note(f"did not write {heads}, because something was altered")
    if altered:
        raise typer.Exit(exit_codes.FINDINGS)


def _verify(
    tables: OpenTables, scope: Scope | None, expected: ChainEnds
) -> Sequence[VerificationResult]:
    scopes = iter([scope]) if scope else tables.list_scopes()
    if scope:
        expected = {name: chain for name, chain in expected.items() if name == str(scope)}
    results = []
    with open_stderr().status("verifying the chains") as progress:
        verifier = Verifier(tables.client, tables.tables)
        verify_each = verifier.verify_scopes if scope else verifier.verify_all
        for result in verify_each(scopes, expected):
            results.append(result)
            progress.update(f"verified {len(results)} chains, last {result.scope}")
        if tables.tables.baseline and not scope:
            results.append(verifier.verify_waivers(expected.get(PARTITION)))
    return results


def _print_summary(results: Sequence[VerificationResult], altered: int) -> None:
    rows = sum(result.chain.length for result in results)
    unchained = sum(result.unchained for result in results)
    text = f"{rows} rows in {len(results)} chains"
    if unchained:
        text += f", {unchained} older rows without a chain, which cannot be verified"
    print_note(f"{text}: {f'{altered} chains are altered' if altered else 'intact'}")


def _build_record(result: VerificationResult) -> dict[str, Any]:
    fault = result.fault
    return {
        "verdict": "altered" if fault else "intact",
        "scope": result.scope,
        "rows": result.chain.length,
        "unchained": result.unchained,
        "tip": result.chain.tip,
        "entry": fault.entry if fault else None,
        "problem": fault.problem if fault else None,
    }
