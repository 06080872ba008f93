"""Records in every form: a table, JSON, a line of JSON each, CSV, Markdown."""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import islice
from textwrap import indent
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from posture_cli.console import answers
from posture_cli.text import printable

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
    "waived": "blue",
    "intact": "green",
    "altered": "bold red",
    "malformed": "red",
    "applied": "green",
}
WHOLE = 45  # letters of the longest word that a table keeps whole: longer than any id
FOLDED = 24  # columns that sentences and ARNs may be folded to
PADDING = 3  # columns between two of a table's
CHUNK = 1_000  # rows of a table that are held to align them
MARKUP = re.compile(r"[\\`*_{}\[\]()#|~!]")
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would execute


class Output(StrEnum):
    """How records are written."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"  # one JSON object a line
    CSV = "csv"
    MARKDOWN = "markdown"


def write(records: Iterable[Record], columns: Sequence[str], output: Output) -> int:
    """Write records to standard output as they come, and give how many there were.

    Args:
        records: what to write; JSON holds them whole. None is held longer than it takes to write
            it, but those of a table, whose columns are as wide as each thousand rows need.
        columns: the fields that a table, CSV and Markdown show, in order.
        output: the form.
    """
    counted = _Counted(records)
    WRITERS[output](counted, columns)
    return counted.number


class _Counted:
    """Records that are counted as they pass."""

    def __init__(self, records: Iterable[Record]) -> None:
        self._records = records
        self.number = 0

    def __iter__(self) -> Iterator[Record]:
        for record in self._records:
            self.number += 1
            yield record


def write_json(value: object) -> None:
    """Write one JSON document; control characters stay escaped."""
    sys.stdout.write(json.dumps(value, indent=2, default=str) + "\n")


def table(records: Sequence[Record], columns: Sequence[str]) -> Table:
    """Draw a table for a terminal; sentences fold, ids do not, nothing is cut."""
    grid = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        least = _least(records, column)
        grid.add_column(column.upper(), overflow="fold", min_width=least)
    for record in records:
        grid.add_row(*(_styled(_cell(record.get(column))) for column in columns))
    return grid


def _write_array(records: Iterable[Record], _: Sequence[str]) -> None:
    """Write the JSON array that `write_json` would, one element at a time."""
    before = "["
    for record in records:
        element = indent(json.dumps(record, indent=2, default=str), "  ")
        sys.stdout.write(f"{before}\n{element}")
        before = ","
    sys.stdout.write("[]\n" if before == "[" else "\n]\n")


def _write_lines(records: Iterable[Record], _: Sequence[str]) -> None:
    for record in records:
        sys.stdout.write(json.dumps(record, default=str) + "\n")


def _write_csv(records: Iterable[Record], columns: Sequence[str]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    for record in records:
        writer.writerow([_harmless(_cell(record.get(column))) for column in columns])


def _write_markdown(records: Iterable[Record], columns: Sequence[str]) -> None:
    sys.stdout.write(f"| {' | '.join(columns)} |\n|{' --- |' * len(columns)}\n")
    for record in records:
        cells = (_cell(record.get(column)) for column in columns)
        sys.stdout.write(f"| {' | '.join(map(_in_markdown, cells))} |\n")


def _write_table(records: Iterable[Record], columns: Sequence[str]) -> None:
    coming = iter(records)
    chunk, first = list(islice(coming, CHUNK)), True
    while chunk or first:
        if sys.stdout.isatty():
            _show(chunk, columns)
        else:
            _write_plain(chunk, columns, header=first)
        chunk, first = list(islice(coming, CHUNK)), False


def _show(records: Sequence[Record], columns: Sequence[str]) -> None:
    """Draw a table where the terminal has room for one, else record below record."""
    console = answers()
    needed = sum(_least(records, column) + PADDING for column in columns)
    if needed <= console.width:
        console.print(table(records, columns))
        return
    for record in records:
        console.print(stacked(record, columns))


def _least(records: Sequence[Record], column: str) -> int:
    """Give the width below which a column would break words that people copy, as ids are."""
    cells = [_cell(record.get(column)) for record in records]
    longest = max(map(len, cells), default=0)
    whole = longest <= WHOLE and not any(" " in cell for cell in cells)
    return max(len(column), longest if whole else min(longest, FOLDED))


def stacked(record: Record, columns: Sequence[str]) -> Group:
    """Give a record on lines that break between its values, the last value below the others."""
    *before, last = columns
    cells = [_cell(record.get(column)) for column in before]
    head = Text("  ").join(_styled(cell) for cell in cells if cell)
    below = _cell(record.get(last))
    return Group(head, Padding(_styled(below), (0, 0, 1, 2)) if below else "")


def _write_plain(records: Sequence[Record], columns: Sequence[str], *, header: bool) -> None:
    """Write aligned columns, a line a record: for pipes, grep and log files."""
    rows = [[column.upper() for column in columns]] if header else []
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


def _in_markdown(cell: str) -> str:
    """Make text that says nothing in Markdown nor in the HTML it may hold."""
    return MARKUP.sub(r"\\\g<0>", cell).replace("&", "&amp;").replace("<", "&lt;")


WRITERS: Mapping[Output, Callable[[Iterable[Record], Sequence[str]], None]] = {
    Output.TABLE: _write_table,
    Output.JSON: _write_array,
    Output.NDJSON: _write_lines,
    Output.CSV: _write_csv,
    Output.MARKDOWN: _write_markdown,
}
