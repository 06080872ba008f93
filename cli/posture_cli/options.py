"""The options that several commands share, and the output formats."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from posture.model.rule_ids import current_rule_id
from posture.model.scope import Scope
from posture_cli.command import OptionGroup
from posture_cli.console import print_note
from posture_cli.text import make_printable
from posture_cli.times import parse_end, parse_start


class Output(StrEnum):
    """The formats of a list of records."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"  # one JSON object per line
    CSV = "csv"
    MARKDOWN = "markdown"


class ScanOutput(StrEnum):
    """The formats of a scan: records, or a report for a CI pipeline."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"
    MARKDOWN = "markdown"
    SARIF = "sarif"
    JUNIT = "junit"


class FindingsOutput(StrEnum):
    """The formats of findings: records, or events for other tools."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"
    MARKDOWN = "markdown"
    OCSF = "ocsf"  # one event per line
    ASFF = "asff"  # a JSON array for BatchImportFindings, which takes 100 findings per call


class CatalogueOutput(StrEnum):
    """The formats of a list that comes with the program."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "markdown"


def build_parser(pattern: str, expected: str) -> Callable[[str], str]:
    """Return a parser of an option that accepts what matches a pattern.

    Args:
        pattern: A regular expression for the whole value.
        expected: What the value must be, with an article and an example, for the error.
    """

    def parse(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise typer.BadParameter(f"{text!r} is not {expected}")
        return text

    return parse


def parse_rule(text: str) -> str:
    """Return the current id of a rule; note on standard error that a former id was given."""
    current = current_rule_id(text)
    if current != text:
        print_note(f"rule {make_printable(text)} is now called {current}")
    return current


def _parse_scope(text: str) -> Scope:
    try:
        return Scope.parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _table_option(name: str, *aliases: str) -> Any:
    return typer.Option(
        f"--{name}-table",
        *aliases,
        metavar="TABLE",
        help=f"The {name} table. Default: the one of the stack.",
    )


# us-gov-west-1, eusc-de-east-1
_parse_region = build_parser(r"[a-z]{2,4}(-[a-z]+)+-\d+", "a region, as in eu-west-1")
_output = typer.Option("--output", "-o", help="The output format.")
OutputOption = Annotated[Output, _output]
ScanOutputOption = Annotated[ScanOutput, _output]
FindingsOutputOption = Annotated[FindingsOutput, _output]
CatalogueOutputOption = Annotated[CatalogueOutput, _output]
RegionsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--region",
        "-r",
        parser=_parse_region,
        metavar="REGION",
        help="A region; repeat for several. Default: the region of your AWS settings.",
    ),
]
VpcsOption = Annotated[
    list[str] | None,
    typer.Option("--vpc", metavar="VPC", help="Only this VPC; repeat for several."),
]
BaselineOption = Annotated[
    Path | None,
    typer.Option(
        "--baseline", metavar="FILE", help="A baseline file. Default: the built-in baseline."
    ),
]
StackOption = Annotated[
    str, typer.Option("--stack", metavar="NAME", help="The stack of the deployed monitor.")
]
VpcOption = Annotated[
    str | None,
    typer.Option("--vpc", metavar="VPC", help="The id of a VPC or of an endpoint service."),
]
ScopeOption = Annotated[
    Scope | None,
    typer.Option(
        parser=_parse_scope, metavar="SCOPE", help="A scope, as alerts show it: ACCOUNT/REGION/VPC."
    ),
]
AsOfOption = Annotated[
    datetime | None,
    typer.Option(
        "--as-of",
        parser=parse_end,
        metavar="TIME",
        help="Show the findings of this time, rebuilt from history.",
    ),
]
LimitOption = Annotated[
    int | None,
    typer.Option(min=1, metavar="NUMBER", help="List at most this many, and read no further."),
]
BaselineTableOption = Annotated[str | None, _table_option("baseline")]
HistoryTableOption = Annotated[str | None, _table_option("history")]


@dataclass(frozen=True)
class StackOptions(OptionGroup):
    """Where the monitor is deployed."""

    stack: StackOption = "posture"
    region: Annotated[
        str | None,
        typer.Option(
            "--region", "-r", parser=_parse_region, metavar="REGION", help="The stack's region."
        ),
    ] = None


@dataclass(frozen=True)
class BaselineTableOptions(StackOptions):
    """The stack, and its baseline table, which also holds the waivers."""

    baseline_table: BaselineTableOption = None


@dataclass(frozen=True)
class WaiverTableOptions(BaselineTableOptions):
    """The stack, and the tables that a change of a waiver is written to."""

    history_table: HistoryTableOption = None


@dataclass(frozen=True)
class HistoryTableOptions(OptionGroup):
    """The history table, and whether the cost of reading is shown."""

    history_table: HistoryTableOption = None
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Also print the DynamoDB read units consumed.")
    ] = False

    def named(self, *tables: str) -> dict[str, str | None]:
        """Return the name of each of these tables, or None where the stack knows it."""
        return {table: getattr(self, f"{table}_table") for table in tables}


@dataclass(frozen=True)
class FindingTableOptions(HistoryTableOptions):
    """The findings and history tables."""

    findings_table: Annotated[str | None, _table_option("findings", "--table")] = None


@dataclass(frozen=True)
class AllTableOptions(FindingTableOptions):
    """The findings, history and baseline tables."""

    baseline_table: BaselineTableOption = None

    def all_named(self) -> dict[str, str | None]:
        """Return the names of all; without the baseline's where every other one was given."""
        named = self.named("findings", "history")
        if self.baseline_table or not all(named.values()):
            named |= self.named("baseline")
        return named


@dataclass(frozen=True)
class ScopeOptions(OptionGroup):
    """Filters for scopes."""

    account: Annotated[
        str | None, typer.Option("--account", metavar="ACCOUNT", help="An account of 12 digits.")
    ] = None
    vpc: VpcOption = None
    scope: ScopeOption = None


@dataclass(frozen=True)
class TimeOptions(OptionGroup):
    """Filters for times."""

    since: Annotated[
        datetime | None,
        typer.Option(parser=parse_start, metavar="TIME", help="Only changes at or after this."),
    ] = None
    until: Annotated[
        datetime | None,
        typer.Option(parser=parse_end, metavar="TIME", help="Only changes at or before this."),
    ] = None
