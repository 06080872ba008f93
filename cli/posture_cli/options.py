"""What several verbs share, so that they read and behave the same."""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from posture.model.scope import Scope
from posture_cli.render.records import Output
from posture_cli.times import first, last

REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-\d+")  # us-gov-west-1, eusc-de-east-1


def _region(text: str) -> str:
    if not REGION.fullmatch(text):
        raise typer.BadParameter(f"{text!r} is not a region, as in eu-west-1")
    return text


def _scope(text: str) -> Scope:
    try:
        return Scope.parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


OutputOption = Annotated[
    Output, typer.Option("--output", "-o", help="How to write the answer.", show_default=True)
]


class ScanOutput(StrEnum):
    """How a scan's verdicts are written: as records, or as a CI pipeline takes them."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"
    MARKDOWN = "markdown"
    SARIF = "sarif"
    JUNIT = "junit"


class FindingsOutput(StrEnum):
    """How findings are written: as records, or as other tools take them."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"
    MARKDOWN = "markdown"
    OCSF = "ocsf"  # a line an event
    ASFF = "asff"  # a JSON array, as BatchImportFindings takes it, a hundred at a time


class CatalogueOutput(StrEnum):
    """How a list that comes with the program is written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "markdown"


CatalogueOutputOption = Annotated[
    CatalogueOutput, typer.Option("--output", "-o", help="How to write the answer.")
]
RegionsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--region",
        "-r",
        parser=_region,
        metavar="REGION",
        help="A region to look at; repeat for several.",
    ),
]
VpcsOption = Annotated[
    list[str] | None,
    typer.Option("--vpc", metavar="VPC", help="Only this VPC; repeat for several."),
]
BaselineOption = Annotated[
    Path | None,
    typer.Option(
        "--baseline", metavar="FILE", help="A baseline file; without one, sensible defaults hold."
    ),
]
StackOption = Annotated[
    str,
    typer.Option("--stack", metavar="NAME", help="The stack that was deployed.", show_default=True),
]
StackRegionOption = Annotated[
    str | None,
    typer.Option(
        "--region", "-r", parser=_region, metavar="REGION", help="The region of the stack."
    ),
]
StackRegionsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--region",
        "-r",
        parser=_region,
        metavar="REGION",
        help="The region of a stack; repeat for several.",
    ),
]
FindingsTableOption = Annotated[
    str | None,
    typer.Option(
        "--findings-table",
        "--table",
        metavar="TABLE",
        help="The findings table, if not the stack's.",
    ),
]
HistoryTableOption = Annotated[
    str | None,
    typer.Option("--history-table", metavar="TABLE", help="The history table, if not the stack's."),
]
BaselineTableOption = Annotated[
    str | None,
    typer.Option(
        "--baseline-table", metavar="TABLE", help="The baseline table, if not the stack's."
    ),
]
AccountOption = Annotated[
    str | None, typer.Option("--account", metavar="ACCOUNT", help="An account, twelve digits.")
]
SubjectOption = Annotated[
    str | None, typer.Option("--vpc", metavar="VPC", help="A VPC, or an endpoint service.")
]
ScopeOption = Annotated[
    Scope | None,
    typer.Option(
        parser=_scope, metavar="SCOPE", help="A scope as alerts name it: ACCOUNT/REGION/VPC."
    ),
]
AsOfOption = Annotated[
    datetime | None,
    typer.Option(
        "--as-of", parser=last, metavar="TIME", help="What held then, rebuilt from history."
    ),
]
SinceOption = Annotated[
    datetime | None,
    typer.Option(parser=first, metavar="TIME", help="Only what happened from then on."),
]
UntilOption = Annotated[
    datetime | None,
    typer.Option(parser=last, metavar="TIME", help="Only what happened until then."),
]
LimitOption = Annotated[
    int | None,
    typer.Option(min=1, metavar="NUMBER", help="List so many at most, and read no further."),
]
VerboseOption = Annotated[
    bool, typer.Option("--verbose", "-v", help="Also say what was read, in DynamoDB's read units.")
]


def examples(*lines: str) -> str:
    """Give the end of a verb's help, whose lines a backspace keeps apart."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
