"""`posture events`: which calls make the monitor look, and why the others do not."""

from __future__ import annotations

import sys

import typer

from posture.changes.event_names import EXCLUDED, MONITORED, format_markdown
from posture_cli import exit_codes as exits
from posture_cli.options import CatalogueOutput, CatalogueOutputOption, examples
from posture_cli.render.records import Output, write_records

EXAMPLES = examples("posture events", "posture events --output markdown > docs/events.md")
COLUMNS = ("listened_to", "family", "event", "reason")


def events(*, output: CatalogueOutputOption = CatalogueOutput.TABLE) -> None:
    """List the EC2 calls that can move posture: which are listened to, which are not, and why.

    The markdown form is the page docs/events.md.
    """
    if output is CatalogueOutput.MARKDOWN:
        sys.stdout.write(format_markdown())
    else:
        records = [
            {
                "listened_to": "yes" if listened else "no",
                "family": group.family,
                "event": name,
                "reason": group.reason,
            }
            for listened, groups in ((True, MONITORED), (False, EXCLUDED))
            for group in groups
            for name in group.names
        ]
        write_records(records, COLUMNS, Output(output.value))
    raise typer.Exit(exits.CLEAN)
