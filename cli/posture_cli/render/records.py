"""Records in the three forms: a table, JSON, CSV."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from posture_cli.render.console import answers
from posture_cli.render.text import printable

Record = Mapping[str, Any]

STYLES = {
    "critical": "bold red",
    "high": "red",
    "medium": "yellow",
    "low": "cyan",
    "fail": "red",
    "open": "red",
    "unknown": "magenta",
    "pass": "green",
    "resolved": "green",
    "malformed": "red",
    "applied": "green",
}
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would execute


class Output(StrEnum):
    """How records are written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def write(records: Sequence[Record], columns: Sequence[str], output: Output) -> None:
    """Write records to standard output.

    Args:
        records: what to write; JSON holds them whole.
        columns: the fields that a table and CSV show, in order.
        output: the form.
    """
    if output is Output.JSON:
        write_json(list(records))
    elif output is Output.CSV:
        _write_csv(records, columns)
    elif sys.stdout.isatty():
        answers().print(table(records, columns))
    else:
        _write_plain(records, columns)


def write_json(value: object) -> None:
    """Write one JSON document; control characters stay escaped."""
    sys.stdout.write(json.dumps(value, indent=2, default=str) + "\n")


def table(records: Sequence[Record], columns: Sequence[str]) -> Table:
    """Draw a table for a terminal; long cells fold, none is cut."""
    grid = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        grid.add_column(column.upper(), overflow="fold")
    for record in records:
        grid.add_row(*(_styled(_cell(record.get(column))) for column in columns))
    return grid


def _write_csv(records: Sequence[Record], columns: Sequence[str]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    for record in records:
        writer.writerow([_harmless(_cell(record.get(column))) for column in columns])


def _write_plain(records: Sequence[Record], columns: Sequence[str]) -> None:
    """Write aligned columns, a line a record: for pipes, grep and log files."""
    rows = [[column.upper() for column in columns]]
    rows += [[_cell(record.get(column)) for column in columns] for record in records]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        sys.stdout.write("  ".join(cells).rstrip() + "\n")


def _styled(cell: str) -> Text:
    return Text(cell, style=STYLES.get(cell, ""))


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, (list, tuple, dict)):
        return json.dumps(value, default=str)
    return printable(value)


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(FORMULA) else cell
