"""Writes records as a table, JSON, newline-delimited JSON, CSV or Markdown."""

import csv
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from io import StringIO
from itertools import islice
from textwrap import indent
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from posture_cli.console import open_stdout
from posture_cli.options import Output
from posture_cli.text import make_printable

Record = Mapping[str, Any]

STYLES = {
    **dict.fromkeys(("critical", "altered"), "bold red"),
    **dict.fromkeys(("high", "fail", "open", "malformed"), "red"),
    **dict.fromkeys(("pass", "resolved", "intact", "applied"), "green"),
    "medium": "yellow",
    "low": "cyan",
    "unknown": "magenta",
    "waived": "blue",
}
UNBROKEN = 45  # characters of the longest word that a table does not break; no id is longer
FOLDED = 24  # the smallest width of a column with sentences or ARNs
PADDING = 3  # characters between two columns of a table
CHUNK = 1_000  # rows of a table that are aligned together
HEADINGS = {"looks_at": "evaluates", "listened_to": "handled"}
MARKUP = re.compile(r"[\\`*_{}\[\]()#|~!]")
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would execute it


def write_records(
    records: Iterable[Record],
    columns: Sequence[str],
    output: Output,
    csv_columns: Sequence[str] | None = None,
) -> int:
    """Write records to standard output as they come.

    No record is kept longer than it takes to write it, except in a table, whose columns are
    aligned for every thousand rows.

    Args:
        records: The records; JSON holds them whole.
        columns: The fields that a table or Markdown shows, in order.
        output: The format.
        csv_columns: The fields of CSV, if they are not `columns`.

    Returns:
        The number of records.
    """
    count = 0

    def counted() -> Iterator[Record]:
        nonlocal count
        for count, record in enumerate(records, 1):  # noqa: B007 - only the count is used
            yield record

    WRITERS[output](counted(), csv_columns or columns if output is Output.CSV else columns)
    return count


def write_json(value: object) -> None:
    """Write one JSON document; control characters are escaped."""
    sys.stdout.write(json.dumps(value, indent=2, default=str) + "\n")


def build_table(records: Sequence[Record], columns: Sequence[str]) -> Table:
    """Build a table for a terminal, which wraps sentences and keeps ids whole."""
    grid = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        width = _minimum_width(records, column)
        grid.add_column(_heading(column), overflow="fold", min_width=width)
    for record in records:
        grid.add_row(*(_styled(_cell(record.get(column))) for column in columns))
    return grid


def _write_array(records: Iterable[Record], _: Sequence[str]) -> None:
    """Write the same array as `write_json`, one element at a time."""
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
        writer.writerow(_build_csv_cells(record, columns))


def format_csv_row(record: Record, columns: Sequence[str]) -> str:
    """Return the line that CSV has for a record."""
    line = StringIO()
    csv.writer(line, lineterminator="\n").writerow(_build_csv_cells(record, columns))
    return line.getvalue()


def _build_csv_cells(record: Record, columns: Sequence[str]) -> list[str]:
    return [_escape_formula(_cell(record.get(column))) for column in columns]


def _write_markdown(records: Iterable[Record], columns: Sequence[str]) -> None:
    sys.stdout.write(f"| {' | '.join(columns)} |\n|{' --- |' * len(columns)}\n")
    for record in records:
        cells = (_cell(record.get(column)) for column in columns)
        sys.stdout.write(f"| {' | '.join(map(escape_markdown, cells))} |\n")


def _write_table(records: Iterable[Record], columns: Sequence[str]) -> None:
    remaining = iter(records)
    chunk, first = list(islice(remaining, CHUNK)), True
    while chunk or first:
        if sys.stdout.isatty():
            _print_table(chunk, columns)
        else:
            _write_plain(chunk, columns, header=first)
        chunk, first = list(islice(remaining, CHUNK)), False


def _print_table(records: Sequence[Record], columns: Sequence[str]) -> None:
    """Print a table if the terminal is wide enough, otherwise one record below the other."""
    console = open_stdout()
    needed = sum(_minimum_width(records, column) + PADDING for column in columns)
    if needed <= console.width:
        console.print(build_table(records, columns))
        return
    for record in records:
        console.print(build_stacked_record(record, columns))


def _minimum_width(records: Sequence[Record], column: str) -> int:
    """Return the width below which a column would break ids, which people copy."""
    cells = [_cell(record.get(column)) for record in records]
    longest = max(map(len, cells), default=0)
    whole = longest <= UNBROKEN and not any(" " in cell for cell in cells)
    return max(len(_heading(column)), longest if whole else min(longest, FOLDED))


def build_stacked_record(record: Record, columns: Sequence[str]) -> Group:
    """Build a record that wraps between its values, with the last value below the others."""
    *before, last = columns
    cells = [_cell(record.get(column)) for column in before]
    head = Text("  ").join(_styled(cell) for cell in cells if cell)
    below = _cell(record.get(last))
    return Group(head, Padding(_styled(below), (0, 0, 1, 2)) if below else "")


def _write_plain(records: Sequence[Record], columns: Sequence[str], *, header: bool) -> None:
    """Write aligned columns, one line per record: for pipes, grep and log files."""
    rows = [[_heading(column) for column in columns]] if header else []
    rows += [[_cell(record.get(column)) for column in columns] for record in records]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        sys.stdout.write("  ".join(cells).rstrip() + "\n")


def _heading(column: str) -> str:
    return HEADINGS.get(column, column).upper()


def _styled(cell: str) -> Text:
    return Text(cell, style=STYLES.get(cell, ""))


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, dict) and "candidates" in value:
        return make_printable(value["text"])  # who or what caused something
    if isinstance(value, (list, tuple, dict)):
        return json.dumps(value, default=str)
    return make_printable(value)


def _escape_formula(cell: str) -> str:
    return f"'{cell}" if cell.startswith(FORMULA) else cell


def escape_markdown(cell: str) -> str:
    """Escape what Markdown, or HTML inside it, would interpret."""
    return MARKUP.sub(r"\\\g<0>", cell).replace("&", "&amp;").replace("<", "&lt;")


WRITERS: Mapping[Output, Callable[[Iterable[Record], Sequence[str]], None]] = {
    Output.TABLE: _write_table,
    Output.JSON: _write_array,
    Output.NDJSON: _write_lines,
    Output.CSV: _write_csv,
    Output.MARKDOWN: _write_markdown,
}
