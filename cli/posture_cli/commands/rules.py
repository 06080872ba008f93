"""`posture rules`: lists the rules."""

from __future__ import annotations

import sys

from posture.rules.rule_catalogue import RULES
from posture_cli.command import CommandGroup
from posture_cli.options import CatalogueOutputOption, Output
from posture_cli.render.records import write_records
from posture_cli.render.rules import COLUMNS, CSV_COLUMNS, build_rule_record, format_rules_page

app = CommandGroup()


@app.add(
    "posture rules",
    "posture rules --output json",
    "posture rules --output markdown > docs/rules.md",
)
def rules(*, output: CatalogueOutputOption = Output.TABLE) -> None:
    """List every rule: its requirement, the severity of a failure, and what it reads.

    The markdown format is the page docs/rules.md.
    """
    if output is Output.MARKDOWN:
        sys.stdout.write(format_rules_page(RULES))
    else:
        write_records(map(build_rule_record, RULES), COLUMNS, output, CSV_COLUMNS)
