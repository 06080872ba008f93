"""`posture rules`: what is checked, and why."""

from __future__ import annotations

import sys

import typer

from posture.rules.rule_catalogue import RULES
from posture_cli import exit_codes as exits
from posture_cli.options import CatalogueOutput, CatalogueOutputOption, examples
from posture_cli.render import rules as shown
from posture_cli.render.records import Output, write

EXAMPLES = examples(
    "posture rules",
    "posture rules --output json",
    "posture rules --output markdown > docs/rules.md",
)


def rules(*, output: CatalogueOutputOption = CatalogueOutput.TABLE) -> None:
    """List every rule: what it asks, how bad a failure is, what it needs to read.

    The markdown form is the page docs/rules.md.
    """
    if output is CatalogueOutput.MARKDOWN:
        sys.stdout.write(shown.as_markdown(RULES))
    else:
        columns = shown.CSV_COLUMNS if output is CatalogueOutput.CSV else shown.COLUMNS
        write([shown.record(rule) for rule in RULES], columns, Output(output.value))
    raise typer.Exit(exits.CLEAN)
