"""`posture tables`: restores the tables of a monitor, and lets a new stack take tables over."""

import json
import shlex
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from posture.runtime.settings import Tables
from posture_cli import exit_codes, options
from posture_cli.audit.exported_ends import ExportedEnds
from posture_cli.audit.open_tables import CapacityMeter, OpenTables, open_tables
from posture_cli.audit.verify import describe_verification
from posture_cli.audit.verify_tables import verify_tables
from posture_cli.command import CommandGroup
from posture_cli.console import open_stderr, print_note
from posture_cli.deployed import open_dynamodb
from posture_cli.options import Output, option
from posture_cli.plan.template import load_document, parse_template
from posture_cli.project_files import find_project
from posture_cli.recovery.adoption import Adoption, build_adoption
from posture_cli.recovery.restore import choose_time, start_restore, wait_until_restored
from posture_cli.recovery.stored import LOGICAL_IDS, find_retained, read_key, read_table
from posture_cli.render.records import write_records
from posture_cli.times import parse_past

TEMPLATE_FILE = "template.json"
RESOURCES_FILE = "resources.json"
CHANGE_SET = "adopt-tables"

app = CommandGroup("Restore the tables, and let a new stack take over those of a deleted one.")


@app.callback()
def _group() -> None:
    """Restore the tables, and let a new stack take over those of a deleted one."""


@app.add(
    "posture tables restore",
    "posture tables restore --at 2026-09-30T12:00Z",
    "posture tables restore --drill",
)
def restore(
    *,
    where: options.StackOptions,
    at: Annotated[
        datetime | None,
        option(
            "TIME",
            "The time to restore to. Default: the latest that all tables can be restored to.",
            parser=parse_past,
        ),
    ] = None,
    drill: Annotated[
        bool, typer.Option("--drill", help="Delete the restored tables once they are verified.")
    ] = False,
    tables: options.AllTableOptions,
    output: options.OutputOption = Output.TABLE,
) -> None:
    """Restore findings, history and baseline to one time, to new tables, and verify these.

    DynamoDB restores each table to a new one, with its indexes and its encryption, but without its
    stream, expiry, point-in-time recovery and deletion protection. The stack keeps its tables. To
    let a stack use the restored ones: posture tables adopt, which restores these settings, too.

    The restored tables are verified like posture verify does. A chain may be reported as altered if
    it was written at that second, because DynamoDB restores each table by itself: then restore to
    some seconds earlier. The command can be repeated with the same --at, and continues.

    Exit code: 0 when the restored tables are intact, 1 when they are not, 2 on error.
    """
    opened = open_tables(where.stack, where.region, _name_all(tables))
    sources = {kind: getattr(opened.tables, kind) for kind in LOGICAL_IDS}
    time = choose_time(opened.client, sources, at)
    targets = {kind: start_restore(opened.client, name, time) for kind, name in sources.items()}
    for name in targets.values():
        with open_stderr().status(f"restoring {name}"):
            wait_until_restored(opened.client, name)
    rows = [
        {"table": sources[kind], "restored": name, "at": f"{time:%FT%TZ}"}
        for kind, name in targets.items()
    ]
    write_records(rows, ("table", "restored", "at"), output)
    intact = _verify(_open_named(opened.client, targets), verbose=tables.verbose)
    if drill and intact:
        for name in targets.values():
            opened.client.delete_table(TableName=name)
        print_note("the drill succeeded; the restored tables are deleted")
    if not intact:
        raise typer.Exit(exit_codes.FINDINGS)


@app.add(
    "posture tables adopt",
    "posture tables adopt --template stack/template.yaml --folder adopt",
    "posture tables adopt --findings-table posture-FindingsTable-1A2B3C4D5E6F-at-20260930T120000Z",
)
def adopt(
    *,
    where: options.StackOptions,
    template: Annotated[
        Path | None,
        option("FILE", "The template that will be deployed. Default: that of this version."),
    ] = None,
    folder: Annotated[Path, option("FOLDER", "Where to write the two files.")] = Path("adopt"),
    tables: options.AllTableOptions,
) -> None:
    """Write what CloudFormation needs to import the tables of a deleted stack into a new one.

    Findings, history, baseline and their key stay when a stack is deleted. This command finds the
    tables by the stack's name, compares their keys, indexes and capacity mode with the template,
    verifies the chains, and writes a template and a list of resources to the folder. It changes
    nothing in AWS. It prints the commands that import the tables, as a stack of its own with
    nothing else; then deploy as usual, which creates all other resources. A setting that differs,
    such as the stream of a restored table, is changed by that deployment.

    Exit code: 0 when the tables are intact, 1 when a chain is altered (the files are written all
    the same), 2 on error.
    """
    client = open_dynamodb(where.region)
    found = find_retained(client, where.stack, _name_all(tables))
    named = {kind: getattr(found, kind) for kind in LOGICAL_IDS}
    stored = {kind: read_table(client, name) for kind, name in named.items()}
    keys = [table.key_arn for table in stored.values() if table.key_arn]
    source = template or find_project() / "template.yaml"
    declared = parse_template(str(source), load_document(source))
    adoption = build_adoption(declared, stored, read_key(keys[0], where.region) if keys else None)
    intact = _verify(_open_named(client, named), verbose=tables.verbose)
    _write(folder, adoption)
    _print_commands(where, folder)
    if not intact:
        raise typer.Exit(exit_codes.FINDINGS)


def _name_all(tables: options.AllTableOptions) -> dict[str, str | None]:
    return tables.named(*LOGICAL_IDS)


def _open_named(client: Any, named: Mapping[str, str]) -> OpenTables:
    return OpenTables(client, Tables(**named, ownership="", idempotency=""), CapacityMeter(client))


def _verify(opened: OpenTables, *, verbose: bool) -> bool:
    """Verify all chains; name each that is altered."""
    ends = ExportedEnds()
    with open_stderr().status("verifying the chains"):
        results = [*verify_tables(opened, None, ends)]
    opened.print_cost(verbose=verbose)
    for line in describe_verification(results, ends):
        print_note(line)
    faults = [(result.scope, result.fault) for result in results if result.fault]
    for scope, fault in faults:
        print_note(f"{scope}: {' '.join(filter(None, (fault.entry, fault.problem)))}")
    return not faults


def _write(folder: Path, adoption: Adoption) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, document in (
        (TEMPLATE_FILE, adoption.template),
        (RESOURCES_FILE, adoption.resources),
    ):
        (folder / name).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def _print_commands(where: options.StackOptions, folder: Path) -> None:
    change_set = ["--change-set-name", CHANGE_SET]
    commands = (
        [
            *("create-change-set", *change_set, "--change-set-type", "IMPORT"),
            *("--template-body", f"file://{folder / TEMPLATE_FILE}"),
            *("--resources-to-import", f"file://{folder / RESOURCES_FILE}"),
        ],
        ["wait", "change-set-create-complete", *change_set],
        ["execute-change-set", *change_set],
        ["wait", "stack-import-complete"],
    )
    region = ["--region", where.region] if where.region else []
    for command in commands:
        words = ["aws", "cloudformation", *command, "--stack-name", where.stack, *region]
        typer.echo(shlex.join(words))
    print_note(f"wrote {folder}; run these commands, then deploy the stack as usual")
