"""`posture replay`: what the monitor makes of recorded changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from posture.changes.batch import Batch, Received, from_file
from posture.errors import MalformedChangeError
from posture.model.change import Outcome
from posture_cli import exit_codes as exits
from posture_cli.console import notes
from posture_cli.options import OutputOption, StackOption, StackRegionOption, examples
from posture_cli.render import changes as shown
from posture_cli.render.records import Output, write

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
    applied: list[Received] = []
    for file in files:
        batch = _read(file)
        rows += _rows(file, batch)
        applied += [it for it in batch.received if it.change.outcome is Outcome.APPLIED]
    write(rows, shown.CSV_COLUMNS if output is Output.CSV else shown.COLUMNS, output)
    counts = Counter(row["outcome"] for row in rows)
    notes().print(", ".join(f"{number} {outcome}" for outcome, number in sorted(counts.items())))
    if send and applied:
        _send([each.body for each in applied], stack, region)
    raise typer.Exit(exits.FINDINGS if counts[shown.MALFORMED] else exits.CLEAN)


def _read(file: Path) -> Batch:
    try:
        return from_file(file.read_bytes())
    except MalformedChangeError as error:
        raise MalformedChangeError(f"{file}: {error}") from None


def _rows(file: Path, batch: Batch) -> Iterator[dict[str, Any]]:
    for received in batch.received:
        yield shown.change_record(str(file), received)
    for rejected in batch.rejected:
        yield shown.rejected_record(str(file), rejected)


def _send(bodies: Sequence[str], stack: str, region: str | None) -> None:
    from posture_cli import deployed  # noqa: PLC0415 - boto3 would slow plain reading down

    url = deployed.output_of(stack, "ChangesQueueUrl", region)
    with notes().status(f"sending {len(bodies)} changes to {url}"):
        deployed.send(url, bodies, region)
    notes().print(f"sent {len(bodies)} changes to {url}")
