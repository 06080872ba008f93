"""`posture verify`: checks that the findings and their history were not altered."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

from posture.model.instant import CLOCK_TOLERANCE, format_iso
from posture.model.scope import Scope
from posture.store.chain_ends import ExportHeader
from posture_cli import options
from posture_cli.audit.chain_ends_file import parse_chain_ends, write_chain_ends
from posture_cli.audit.evidence_bucket import is_bucket, read_bucket
from posture_cli.audit.exported_ends import ExportedEnds, StackEnds, add_to_stacks
from posture_cli.audit.open_stacks import OpenStacks, UnreadStack, open_stacks
from posture_cli.audit.open_tables import OpenTables
from posture_cli.audit.verify import VerificationResult, describe_rows, describe_witnesses
from posture_cli.audit.verify_tables import verify_tables
from posture_cli.command import CommandGroup
from posture_cli.console import open_stderr, print_note
from posture_cli.deployed import open_s3
from posture_cli.failure import CommandError
from posture_cli.options import Output, option
from posture_cli.progress import show_progress
from posture_cli.render.stack_records import RecordKind, build_unread_entry, write_stack_records
from posture_cli.suggest import suggest

COLUMNS = ("verdict", "scope", "rows", "since", "until", "exported", "entry", "problem")
CSV_COLUMNS = (
    "verdict", "scope", "rows", "exported", "unchained", "since", "until", "first_observed_at",
    "tip", "entry", "problem", "stack", "region",
)  # fmt: skip

Ends = Mapping[OpenTables, ExportedEnds]
Results = Sequence[tuple[OpenTables, VerificationResult]]

app = CommandGroup()


@app.add(
    "posture verify",
    "posture verify --heads heads-2026-09-30.json",
    "posture verify --against heads-2026-09-30.json",
    "posture verify --against s3://evidence-bucket/posture/111122223333/eu-west-1/",
    "posture verify --against alerts.ndjson",
    "posture verify --region all --against s3://evidence-bucket/posture/111122223333/",
    "posture verify --scope 111122223333/eu-west-1/vpc-0123456789abcdef0",
)
def verify(
    *,
    where: options.StacksOptions,
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

    With SharedNetwork=on the items of the shared network are read as well, unless --scope is given:
    one that cannot be read, or has a time in the future, is named. They have no history; the next
    survey replaces them.

    You need dynamodb:Query and GetItem on the tables, that of the shared network included, and Scan
    on the history table.

    Repeat --region, or give --region all, to verify the stacks of several Regions at the same time.
    Each export is compared with the history that it is of, and --heads writes one file for all. One
    that cannot be read has a record with the verdict unknown, and --heads writes nothing then.

    Exit code: 0 when nothing was altered, 1 when something was, 2 on error, 4 when one of several
    stacks could not be read.
    """
    started = datetime.now(UTC)
    stacks = open_stacks(where, tables.all_named())
    ends = _read_ends(against or (), stacks)
    results = _verify(stacks, scope, ends)
    names = {tables.stack for tables, _ in results} | {it.stack for it in stacks.unread}
    kind = RecordKind(
        COLUMNS,
        CSV_COLUMNS,
        "chain",
        build_unread=_build_unread_record,
        places=("stack", "region") if len(names) > 1 else ("region",),
        before="scope",
    )
    write_stack_records(stacks, (_build_record(*each) for each in results), kind, output)
    altered = any(result.fault for _, result in results)
    for line in _describe(results, ends, stacks):
        print_note(line)
    if heads and not altered and not stacks.unread:
        _write_heads(heads, results, started, complete=scope is None)
    elif heads:
        why = "something was altered" if altered else "not all stacks were read"
        print_note(f"did not write {heads}, because {why}")
    stacks.finish(found=altered, verbose=tables.verbose)


def _verify(stacks: OpenStacks, scope: Scope | None, ends: Ends) -> Results:
    """Verify the chains of all stacks at once.

    Raises:
        CommandError: No stack ever observed the scope.
    """

    def read(tables: OpenTables) -> Iterator[tuple[OpenTables, VerificationResult]]:
        if scope and stacks.several and scope.region != tables.region:
            return
        for result in verify_tables(tables, scope, ends[tables]):
            yield tables, result

    results = []
    with show_progress("verifying the chains") as progress:
        for tables, result in stacks.take_turns(read):
            known = result.recorded or result.chain.length or ends[tables].chains
            if not scope or known or result.fault:
                results.append((tables, result))
            progress.describe(f"verified {len(results)} chains, last {result.scope}")
    stacks.require_any()
    if scope and not results and not stacks.unread:
        listed = {str(each) for tables in stacks.opened for each in tables.list_scopes()}
        raise CommandError(f"{scope} was never observed{suggest(str(scope), listed)}")
    return sorted(results, key=_find_place) if stacks.several else results


def _find_place(verified: tuple[OpenTables, VerificationResult]) -> tuple[str, str]:
    tables, _ = verified
    return tables.region, tables.stack


def _describe(results: Results, ends: Ends, stacks: OpenStacks) -> Iterator[str]:
    """Describe what was verified; of several stacks, against which exports each was compared."""
    yield describe_rows([result for _, result in results])
    said: dict[str, list[str]] = {}
    for tables in stacks.opened:
        own = [result for it, result in results if it is tables]
        if own or not stacks.several:
            for line in describe_witnesses(own, ends[tables]):
                said.setdefault(line, []).append(tables.region)
    for line, regions in said.items():
        yield f"{', '.join(regions)}: {line}" if stacks.several else line


def _write_heads(file: Path, results: Results, started: datetime, *, complete: bool) -> None:
    """Write the ends of the chains of each stack."""
    exports = []
    for _, verified in groupby(results, key=_find_place):
        listed = [*verified]
        tables = listed[0][0]
        name = tables.tables.history
        header = ExportHeader(name, started, tables.stack, complete=complete, region=tables.region)
        exports.append((header, [result for _, result in listed]))
    write_chain_ends(file, exports)
    print_note(f"wrote {file}; store it where users who can write to the tables cannot change it")


def _find_region(tables: OpenTables) -> str:
    """Return the Region of the monitor; restored tables may be in another one."""
    return next((each.region for each in tables.list_scopes()), tables.region)


def _read_ends(locations: Sequence[str], stacks: OpenStacks) -> Ends:
    """Read what was exported of each stack."""
    several = stacks.several or not locations
    latest = datetime.now(UTC) + CLOCK_TOLERANCE
    found = {
        it: StackEnds(
            it.stack,
            it.region if several else _find_region(it),
            it.tables.history,
            ExportedEnds(latest=latest),
        )
        for it in stacks.opened
    }
    number = 0
    noted: set[str] = set()

    def add(name: str, body: bytes) -> None:
        nonlocal number
        for document in parse_chain_ends(name, body):
            number += 1
            progress.update(f"read {number} exports")
            try:
                noted.add(add_to_stacks(document, [*found.values()]))
            except ValueError as error:
                raise CommandError(f"{name}: {error}; verify one stack at a time") from None

    def warn(warning: str) -> None:
        for each in found.values():
            each.ends.warn(warning)

    with open_stderr().status("reading exported ends") as progress:
        for each in locations:
            if is_bucket(each):
                read_bucket(open_s3(stacks.opened[0].region), each, add, warn)
            else:
                add(each, Path(each).read_bytes())
    for each in sorted(noted - {""}):
        print_note(each)
    return {tables: each.ends for tables, each in found.items()}


def _build_unread_record(unread: UnreadStack, account: str) -> dict[str, Any]:
    """Build the record that stands for the chains of a stack that was not read."""
    scope = "/".join(filter(None, (account, unread.region)))
    return build_unread_entry(unread, CSV_COLUMNS, "verdict", "problem") | {"scope": scope}


def _build_record(tables: OpenTables, result: VerificationResult) -> dict[str, Any]:
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
        "stack": tables.stack,
        "region": tables.region,
    }
