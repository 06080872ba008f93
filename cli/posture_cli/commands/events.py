"""`posture events`: which calls make the monitor look, and why the others do not."""

from __future__ import annotations

import sys

import typer

from posture.changes.event_names import IN, OUT, as_markdown
from posture_cli import exit_codes as exits
from posture_cli.options import CatalogueOutput, CatalogueOutputOption, examples
from posture_cli.render.records import Output, write

EXAMPLES = examples("posture events", "posture events --output markdown > docs/events.md")
COLUMNS = ("listened_to", "family", "event", "reason")


def events(*, output: CatalogueOutputOption = CatalogueOutput.TABLE) -> None:
    """List the EC2 calls that can move posture: which are listened to, which are not, and why.

    The markdown form is the page docs/events.md.
    """
    if output is CatalogueOutput.MARKDOWN:
        sys.stdout.write(as_markdown())
    else:
        records = [
            {
                "listened_to": "yes" if listened else "no",
                "family": group.family,
                "event": name,
                "reason": group.reason,
            }
            for listened, groups in ((True, IN), (False, OUT))
            for group in groups
            for name in group.names
        ]
        write(records, COLUMNS, Output(output.value))
    raise typer.Exit(exits.CLEAN)
