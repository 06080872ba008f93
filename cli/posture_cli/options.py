"""What several verbs share, so that they read and behave the same."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from posture_cli.render.records import Output

OutputOption = Annotated[
    Output, typer.Option("--output", "-o", help="How to write the answer.", show_default=True)
]


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
    typer.Option("--region", "-r", help="A region to look at; repeat for several."),
]
VpcsOption = Annotated[
    list[str] | None,
    typer.Option("--vpc", help="Only this VPC; repeat for several."),
]
BaselineOption = Annotated[
    Path | None,
    typer.Option("--baseline", help="A baseline file; without one, sensible defaults hold."),
]
StackOption = Annotated[
    str, typer.Option("--stack", help="The stack that was deployed.", show_default=True)
]
StackRegionOption = Annotated[
    str | None, typer.Option("--region", "-r", help="The region of the stack.")
]


def examples(*lines: str) -> str:
    """Give the end of a verb's help, whose lines a backspace keeps apart."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
