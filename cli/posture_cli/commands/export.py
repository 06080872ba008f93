"""`posture export`: writes what the tables hold as JSON lines, for SQL."""

import json
from datetime import UTC, datetime
from typing import Annotated

from posture.model.instant import format_iso
from posture_cli.audit.actor_options import ActorOptions
from posture_cli.audit.exported_ends import ExportedEnds
from posture_cli.audit.finding_filter import FindingFilter
from posture_cli.audit.no_match import choose_scopes, require_match
from posture_cli.audit.open_stacks import open_stacks
from posture_cli.audit.verify import describe_verification
from posture_cli.command import CommandGroup
from posture_cli.console import open_stderr, print_note
from posture_cli.export.read import ExportedScope, ExportPeriod, export_stack, observe_period
from posture_cli.export.sql import build_athena_statements, build_duckdb_script
from posture_cli.export.write import open_export
from posture_cli.options import (
    AllTableOptions,
    ScopeOptions,
    StacksOptions,
    TimeOptions,
    argument,
    option,
)

app = CommandGroup()


@app.add(
    "posture export evidence/",
    "posture export evidence/ --since 2026-07-01 --until 2026-09-30",
    "posture export evidence/ --actor Deploy --as opener",
    "posture export s3://evidence-bucket/posture --region eu-west-1 --region us-east-1",
    "posture export evidence/ --athena s3://evidence-bucket/posture",
)
def export(
    target: Annotated[str, argument("FOLDER|s3://BUCKET/PREFIX", "Where to write.")],
    *,
    athena: Annotated[
        str | None,
        option(
            "s3://BUCKET/PREFIX",
            "Also write the statements for Athena: for an export that you copy there.",
        ),
    ] = None,
    times: TimeOptions,
    scopes: ScopeOptions,
    actors: ActorOptions,
    where: StacksOptions,
    tables: AllTableOptions,
) -> None:
    """Export findings, history, scopes, paths, controls and waivers as JSON lines, for SQL.

    Each is a folder with compressed JSON lines. The folder `athena` has the statements that create
    tables and views for auditors in Athena, one in each file; duckdb.sql does the same in DuckDB,
    in the folder of the export. manifest.json says what was exported, since when it speaks, and
    whether the history is intact: every row is verified while it is read.

    --since and --until select the rows of history. With --until the findings are those of that
    time, without paths, because the monitor stores only the latest ones. An export replaces the
    former one in the same place. --actor exports the findings, history and waivers of one actor
    only, as in posture findings; the other data sets stay whole, and manifest.json names the actor.
    A stack monitors one Region: repeat --region, or give --region all, for several. If one of them
    cannot be read, nothing is written.

    Exit code: 0 when everything is written, 1 when the history is not intact, 2 on error.
    """
    now = datetime.now(UTC)
    latest = times.until is None
    period = ExportPeriod(times.since, min(times.until or now, now), latest, **vars(actors))
    chosen = FindingFilter(**vars(scopes), **vars(actors))
    stacks = open_stacks(where, tables.all_named())
    stacks.require_all()
    names = ", ".join(sorted({it.stack for it in stacks.opened}))
    location = target if target.startswith("s3://") else athena
    exported: list[ExportedScope] = []
    with (
        open_stderr().status("reading findings and history") as status,
        open_export(target, stacks.opened[0].region) as folder,
    ):
        listed_scopes = choose_scopes(stacks, chosen)
        stacks.require_all()
        for each, listed in listed_scopes:
            with folder.open(f"{each.stack}-{each.region}"):
                for scope in export_stack(each, listed, period, folder):
                    exported.append(scope)
                    status.update(f"read {len(exported)} scopes")
        observed = observe_period(period, exported)
        observed.require_begun(period.until)
        if actors.actor and not any(map(folder.counts.get, ("findings", "history", "waivers"))):
            require_match((), chosen, stacks)
        results = [scope.result for scope in exported]
        faults = [f"{it.scope} {it.fault.entry}: {it.fault.problem}" for it in results if it.fault]
        verification = list(describe_verification(results, ExportedEnds()))
        manifest = {
            "exported_at": format_iso(now),
            "stack": names,
            "history_since": format_iso(period.since) if period.since else None,
            "as_of": format_iso(period.until),
            "actor": actors.actor.text if actors.actor else None,
            "role": actors.role.value if actors.actor else None,
            "observed": observed.describe(),
            "verification": verification,
            "faults": faults,
            "rows": folder.counts,
        }
        folder.add_text("manifest.json", json.dumps(manifest, indent=2) + "\n")
        folder.add_text("duckdb.sql", build_duckdb_script())
        for name, statement in build_athena_statements(location) if location else ():
            folder.add_text(f"athena/{name}", statement)
    for sentence in (observed.describe(), *verification):
        print_note(sentence)
    rows = ", ".join(f"{number} {name}" for name, number in sorted(folder.counts.items()))
    print_note(f"wrote {target}: {rows}")
    stacks.finish(found=bool(faults), verbose=tables.verbose)
