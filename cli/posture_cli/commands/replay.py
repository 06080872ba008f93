"""`posture replay`: what the monitor makes of recorded changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from posture.changes.batch import ChangeBatch, ReceivedChange, parse_log_file
from posture.errors import MalformedChangeError
from posture.model.change import ChangeOutcome
from posture_cli import exit_codes as exits
from posture_cli.console import open_stderr
from posture_cli.options import OutputOption, StackOption, StackRegionOption, examples
from posture_cli.render import changes as shown
from posture_cli.render.records import Output, write_records

EXAMPLES = examples(
    "posture replay events/calls/create-route.json",
    "posture replay logs/*.json.gz --output csv",
    "posture replay --send --stack posture lost-events.json.gz",
)


def replay(
    *,
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE", help="CloudTrail log files (gzipped or not), records, events."
        ),
    ],
    send: Annotated[
        bool, typer.Option("--send", help="Also put what applies on the stack's changes queue.")
    ] = False,
    stack: StackOption = "posture",
    region: StackRegionOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Read recorded changes as the monitor reads them: where each makes it look, or why not.

    Takes CloudTrail log files, single records, EventBridge events, lists of any of them, and what
    `aws cloudtrail lookup-events` answers. With --send a deployed monitor evaluates them again: it
    looks at what is true now, so replaying a change that was handled writes nothing.

    Exit code: 0 when every record could be read, 1 when one could not, 2 on a mistake.
    """
    rows: list[dict[str, Any]] = []
    applied: list[ReceivedChange] = []
    for file in files:
        batch = _read(file)
        rows += _rows(file, batch)
        applied += [it for it in batch.received if it.change.outcome is ChangeOutcome.APPLIED]
    write_records(rows, shown.CSV_COLUMNS if output is Output.CSV else shown.COLUMNS, output)
    counts = Counter(row["outcome"] for row in rows)
    open_stderr().print(
        ", ".join(f"{number} {outcome}" for outcome, number in sorted(counts.items()))
    )
    if send and applied:
        _send([each.body for each in applied], stack, region)
    raise typer.Exit(exits.FINDINGS if counts[shown.MALFORMED] else exits.CLEAN)


def _read(file: Path) -> ChangeBatch:
    try:
        return parse_log_file(file.read_bytes())
    except MalformedChangeError as error:
        raise MalformedChangeError(f"{file}: {error}") from None


def _rows(file: Path, batch: ChangeBatch) -> Iterator[dict[str, Any]]:
    for received in batch.received:
        yield shown.build_change_record(str(file), received)
    for rejected in batch.rejected:
        yield shown.build_rejected_record(str(file), rejected)


def _send(bodies: Sequence[str], stack: str, region: str | None) -> None:
    from posture_cli import deployed  # noqa: PLC0415 - boto3 would slow plain reading down

    url = deployed.output_of(stack, "ChangesQueueUrl", region)
    with open_stderr().status(f"sending {len(bodies)} changes to {url}"):
        deployed.send(url, bodies, region)
    open_stderr().print(f"sent {len(bodies)} changes to {url}")
