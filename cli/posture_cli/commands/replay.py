"""`posture replay`: reads recorded changes as the monitor does."""

from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from posture.changes.batch import ChangeBatch, ReceivedChange, parse_log_file
from posture.errors import MalformedChangeError
from posture.model.change import ChangeOutcome
from posture.model.instant import format_iso
from posture_cli import exit_codes
from posture_cli.command import CommandGroup
from posture_cli.console import open_stderr, print_note
from posture_cli.deployed import read_stack_output, send_messages
from posture_cli.options import Output, OutputOption, StackOptions, argument
from posture_cli.render.records import write_records

MALFORMED = "malformed"
WITH_SURVEYS = "read by a survey if the stack's parameter SharedNetwork is on"
COLUMNS = ("time", "event", "outcome", "account", "region", "looks_at", "actor", "reason")
CSV_COLUMNS = ("file", "place", "event_id", *COLUMNS, "identity")

app = CommandGroup()


@app.add(
    "posture replay events/calls/create-route.json",
    "posture replay logs/*.json.gz --output csv",
    "posture replay --send --stack posture lost-events.json.gz",
)
def replay(
    *,
    files: Annotated[
        list[Path], argument("FILE", "CloudTrail log files (gzipped or not), records, events.")
    ],
    send: Annotated[
        bool, typer.Option("--send", help="Also send the changes to the queue of the stack.")
    ] = False,
    where: StackOptions,
    output: OutputOption = Output.TABLE,
) -> None:
    """Read recorded changes as the monitor does, and show what each makes it evaluate, or why none.

    A file may hold a CloudTrail log, a record, an EventBridge event, a list of these, or the output
    of `aws cloudtrail lookup-events` or `aws logs filter-log-events`. With --send a deployed
    monitor evaluates the changes again. It always evaluates the current state, so replaying a
    change that it knows writes nothing.

    Exit code: 0 when every record could be parsed, 1 when one could not, 2 on error.
    """
    rows: list[dict[str, Any]] = []
    applied: list[ReceivedChange] = []
    for file in files:
        batch = _read(file)
        rows += [build_change_record(str(file), received) for received in batch.received]
        rows += [
            {"file": str(file), "place": it.message_id, "outcome": MALFORMED, "reason": it.reason}
            for it in batch.rejected
        ]
        applied += [it for it in batch.received if it.change.outcome is ChangeOutcome.APPLIED]
    write_records(rows, COLUMNS, output, CSV_COLUMNS)
    counts = Counter(row["outcome"] for row in rows)
    print_note(", ".join(f"{number} {outcome}" for outcome, number in sorted(counts.items())))
    if send and applied:
        url = read_stack_output(where.stack, "ChangesQueueUrl", where.region)
        with open_stderr().status(f"sending {len(applied)} changes to {url}"):
            send_messages(url, [each.body for each in applied], where.region)
        print_note(f"sent {len(applied)} changes to {url}")
    if send and (surveyed := counts[ChangeOutcome.SURVEYED]):
        print_note(f"{surveyed} changes of the shared network not sent: the next survey reads it")
    if counts[MALFORMED]:
        raise typer.Exit(exit_codes.FINDINGS)


def _read(file: Path) -> ChangeBatch:
    try:
        return parse_log_file(file.read_bytes())
    except MalformedChangeError as error:
        raise MalformedChangeError(f"{file}: {error}") from None


def build_change_record(file: str, received: ReceivedChange) -> dict[str, Any]:
    """Build the record of a change that could be parsed."""
    change = received.change
    # The VPCs and services that the monitor evaluates, or the resources whose owner it does.
    named = sorted(change.vpc_ids | change.service_ids) or sorted(change.resource_ids)
    ignored = change.outcome is ChangeOutcome.IGNORED
    surveyed = change.outcome is ChangeOutcome.SURVEYED
    evaluated = "" if ignored else ", ".join(named) or "the whole region"
    kinds = ", ".join(sorted(change.kinds))
    return {
        "file": file,
        "place": received.message_id,
        "event_id": change.event_id,
        "time": format_iso(change.time),
        "event": change.event_name,
        "outcome": change.outcome.value,
        "account": change.region.account,
        "region": change.region.name,
        "vpcs": sorted(change.vpc_ids),
        "services": sorted(change.service_ids),
        "resources": sorted(change.resource_ids),
        "looks_at": f"the shared network: {kinds}" if surveyed else evaluated,
        "actor": str(change.actor),
        "identity": change.actor.describe_identity(change.region.account),
        "kinds": sorted(change.kinds),
        "reason": WITH_SURVEYS if surveyed else change.ignored_because,
    }
