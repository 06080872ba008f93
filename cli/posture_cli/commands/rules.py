"""`posture rules`: what is checked, and why."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer

from posture.rules.catalogue import RULES
from posture_cli import exits
from posture_cli.options import examples
from posture_cli.render import rules as shown
from posture_cli.render.records import Output, write

EXAMPLES = examples(
    "posture rules",
    "posture rules --output json",
    "posture rules --output markdown > docs/rules.md",
)


class RulesOutput(StrEnum):
    """How the catalogue is written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "markdown"


def rules(
    *,
    output: Annotated[
        RulesOutput, typer.Option("--output", "-o", help="How to write the answer.")
    ] = RulesOutput.TABLE,
) -> None:
    """List every rule: what it asks, how bad a failure is, what it needs to read.

    The markdown form is the page docs/rules.md.
    """
    if output is RulesOutput.MARKDOWN:
        sys.stdout.write(shown.as_markdown(RULES))
    else:
        columns = shown.CSV_COLUMNS if output is RulesOutput.CSV else shown.COLUMNS
        write([shown.record(rule) for rule in RULES], columns, Output(output.value))
    raise typer.Exit(exits.CLEAN)
