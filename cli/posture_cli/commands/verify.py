"""`posture verify`: checks that the findings and their history were not altered."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from posture.model.instant import format_iso
from posture.store.chain_ends import ExportHeader
from posture_cli import exit_codes, options
from posture_cli.audit.chain_ends_file import parse_chain_ends, write_chain_ends
from posture_cli.audit.evidence_bucket import is_bucket, read_bucket
from posture_cli.audit.exported_ends import ExportedEnds
from posture_cli.audit.open_tables import open_tables
from posture_cli.audit.verify import VerificationResult, describe_verification
from posture_cli.audit.verify_tables import verify_tables
from posture_cli.command import CommandGroup
from posture_cli.console import open_stderr, print_note
from posture_cli.deployed import open_s3
from posture_cli.options import Output, option
from posture_cli.render.records import write_records

COLUMNS = ("verdict", "scope", "rows", "since", "until", "exported", "entry", "problem")
CSV_COLUMNS = (
    "verdict", "scope", "rows", "exported", "unchained", "since", "until", "first_observed_at",
    "tip", "entry", "problem",
)  # fmt: skip

app = CommandGroup()


@app.add(
    "posture verify",
    "posture verify --heads heads-2026-09-30.json",
    "posture verify --against heads-2026-09-30.json",
    "posture verify --against s3://evidence-bucket/posture/111122223333/eu-west-1/",
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
        list[str] | None,
        option(
            "FILE|s3://BUCKET/PREFIX",
            "Also verify that the chains still contain the exported ends: of a file that --heads "
            "wrote, of alerts in JSON, one on each line, or of all exports in a bucket. Repeat for "
            "several.",
        ),
    ] = None,
    tables: options.AllTableOptions,
    output: options.OutputOption = Output.TABLE,
) -> None:
    """Verify that history was only appended to, and that the findings follow from it.

    Each history row holds the digest of the row before it, and the record of its scope holds the
    digest of the last row. For each scope the command names the first row that was altered, removed
    or inserted. The scopes are those of both tables, so a removed scope record is found.

    Someone who can write both tables could rewrite a whole chain, or remove a scope or the last
    rows with all that refers to them. Only ends of the chains that are kept elsewhere give that
    away: those that the stack exports to a bucket (parameter EvidenceBucket), a file of --heads, or
    alerts that were received. Compare with them by --against. The last lines say what was verified,
    from when to when, against which exports, and what is not proven.

    Exit code: 0 when nothing was altered, 1 when something was, 2 on error.
    """
    started = datetime.now(UTC)
    opened = open_tables(where.stack, where.region, tables.all_named())
    ends = _read_ends(against or (), where.region, opened.tables.history)
    results = verify_tables(opened, scope, ends)
    write_records(map(_build_record, results), COLUMNS, output, CSV_COLUMNS)
    altered = sum(result.fault is not None for result in results)
    opened.print_cost(verbose=tables.verbose)
    for line in describe_verification(results, ends):
        print_note(line)
    if heads and not altered:
        header = ExportHeader(
            opened.tables.history,
            started,
            where.stack,
            complete=scope is None,
            region=opened.region,
        )
        write_chain_ends(heads, results, header)
        print_note(
            f"wrote {heads}; store it where users who can write to the tables cannot change it"
        )
    elif heads:
        print_note(f"did not write {heads}, because something was altered")
    if altered:
        raise typer.Exit(exit_codes.FINDINGS)


def _read_ends(locations: Iterable[str], region: str | None, table: str) -> ExportedEnds:
    ends = ExportedEnds()
    with open_stderr().status("reading exported ends") as progress:
        for each in locations:
            if is_bucket(each):
                read_bucket(
                    open_s3(region),
                    each,
                    ends,
                    table,
                    lambda number: progress.update(f"read {number} exports"),
                )
            else:
                parse_chain_ends(each, Path(each).read_bytes(), ends, table)
    return ends


def _build_record(result: VerificationResult) -> dict[str, Any]:
    fault, times, first = result.fault, result.times, result.first_observed_at
    return {
        "verdict": "altered" if fault else "intact",
        "scope": result.scope,
        "rows": result.chain.length,
        "exported": result.exported,
        "unchained": result.unchained,
        "since": format_iso(times[0]) if times else None,
        "until": format_iso(times[1]) if times else None,
        "first_observed_at": format_iso(first) if first else None,
        "tip": result.chain.tip,
        "entry": fault.entry if fault else None,
        "problem": fault.problem if fault else None,
    }
