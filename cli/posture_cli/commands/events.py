"""`posture events`: lists the calls that the monitor handles, and those that it ignores."""

import sys

from posture.changes.event_names import HANDLED, IGNORED, IGNORED_ELSEWHERE, format_markdown
from posture.changes.shared_events import NOT_SURVEYED, SURVEYED
from posture_cli.command import CommandGroup
from posture_cli.options import Output, OutputOption
from posture_cli.render.records import write_records

COLUMNS = ("listened_to", "family", "event", "reason")
CSV_COLUMNS = ("listened_to", "source", "family", "event", "reason")

app = CommandGroup()


@app.add("posture events", "posture events --output markdown > docs/events.md")
def events(*, output: OutputOption = Output.TABLE) -> None:
    """List the calls that can change posture: which the monitor handles, which not, and why.

    Surveys of the shared network listen only if the stack's parameter SharedNetwork is on. The
    markdown format is the page docs/events.md.
    """
    if output is Output.MARKDOWN:
        sys.stdout.write(format_markdown())
        return
    records = [
        {
            "listened_to": listened_to,
            "source": group.source,
            "family": group.family,
            "event": name,
            "reason": group.reason,
        }
        for listened_to, groups in (
            ("yes", HANDLED),
            ("by surveys", SURVEYED),
            ("no", (*IGNORED, *NOT_SURVEYED, *IGNORED_ELSEWHERE)),
        )
        for group in groups
        for name in group.names
    ]
    write_records(records, COLUMNS, output, CSV_COLUMNS)
