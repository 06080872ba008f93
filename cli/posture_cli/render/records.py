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
from rich.console import Group, RenderableType
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
INDENT = 2
CHUNK = 1_000  # rows of a table that are aligned together
HEADINGS = {"looks_at": "evaluates", "listened_to": "handled"}
MARKUP = re.compile(r"[\\`*_{}\[\]()#|~!]")
# A spreadsheet would execute it, in some languages also with full-width characters.
# https://owasp.org/www-community/attacks/CSV_Injection
FORMULA = (
    "=",
    "+",
    "-",
    "@",
    "\t",
    "\r",
    "\N{FULLWIDTH EQUALS SIGN}",
    "\N{FULLWIDTH PLUS SIGN}",
    "\N{FULLWIDTH HYPHEN-MINUS}",
    "\N{FULLWIDTH COMMERCIAL AT}",
)
CELL = 32_767  # characters that a cell of a spreadsheet holds
CUT = " … (cut; JSON has all of it)"
# Columns that are members of a nested value.
PATHS: Mapping[str, Sequence[str]] = {
    "command": ("remediation", "command"),
    "verified": ("remediation", "verified"),
    "event": ("cause", "event_name"),
    "opened_event": ("opened_by", "cause", "event_name"),
    "resolved_event": ("resolved_by", "cause", "event_name"),
}


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
        grid.add_row(*(_styled(_cell(_find(record, column))) for column in columns))
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
    return [_escape_formula(_cell(_find(record, column))) for column in columns]


def _write_markdown(records: Iterable[Record], columns: Sequence[str]) -> None:
    sys.stdout.write(f"| {' | '.join(columns)} |\n|{' --- |' * len(columns)}\n")
    for record in records:
        cells = (_cell(_find(record, column)) for column in columns)
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
    """Print a table; what has no room beside the first columns stands below each row."""
    console = open_stdout()
    needed = sum(_minimum_width(records, column) + PADDING for column in columns) - PADDING
    if needed <= console.width:
        console.print(build_table(records, columns))
        return
    beside = _choose_columns(records, columns, console.width)
    if beside:
        console.print(_build_line(map(_heading, columns), beside), style="bold")
        console.print("─" * console.width)
    for record in records:
        console.print(build_stacked_record(record, columns, beside, console.width))


def _choose_columns(
    records: Sequence[Record], columns: Sequence[str], available: int
) -> Sequence[int]:
    """Choose the widths of the first columns that fit beside each other without a break."""
    widths: list[int] = []
    for column in columns[:-1]:
        cells = (_cell(_find(record, column)) for record in records)
        widths.append(max(map(len, (_heading(column), *cells))))
        if sum(widths) + 2 * (len(widths) - 1) > available:
            return widths[:-1]
    return widths


def _minimum_width(records: Sequence[Record], column: str) -> int:
    """Return the width below which a column would break ids, which people copy."""
    cells = [_cell(_find(record, column)) for record in records]
    longest = max(map(len, cells), default=0)
    whole = longest <= UNBROKEN and not any(" " in cell for cell in cells)
    return max(len(_heading(column)), longest if whole else min(longest, FOLDED))


def build_stacked_record(
    record: Record, columns: Sequence[str], beside: Sequence[int], available: int
) -> Group:
    """Build a record: the cells of the first columns, and each other one below with its heading.

    Args:
        record: The record.
        columns: Its columns.
        beside: The widths of the first columns, which stand beside each other.
        available: The width of the terminal.
    """
    cells = [_cell(_find(record, column)) for column in columns]
    first = [_build_line(cells, beside)] if beside else []
    below = [
        _build_item(_heading(column), cell, available)
        for column, cell in zip(columns[len(beside) :], cells[len(beside) :], strict=True)
        if cell
    ]
    return Group(*first, *below, "")


def _build_line(cells: Iterable[str], widths: Sequence[int]) -> Text:
    padded = (
        Text(cell.ljust(width), style=STYLES.get(cell, ""))
        for cell, width in zip(cells, widths, strict=False)
    )
    return Text("  ").join(padded)


def _build_item(heading: str, cell: str, available: int) -> RenderableType:
    """Build a cell behind its heading; below it, where a word would be broken otherwise."""
    room = available - INDENT - len(heading) - 1
    title, text = Text(heading, style="dim"), _styled(cell)
    if max(map(len, cell.split()), default=0) > room:
        return Group(Padding(title, (0, 0, 0, INDENT)), Padding(text, (0, 0, 0, 2 * INDENT)))
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(title, text)
    return Padding(grid, (0, 0, 0, INDENT))


def _write_plain(records: Sequence[Record], columns: Sequence[str], *, header: bool) -> None:
    """Write aligned columns, one line per record: for pipes, grep and log files."""
    rows = [[_heading(column) for column in columns]] if header else []
    rows += [[_cell(_find(record, column)) for column in columns] for record in records]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        sys.stdout.write("  ".join(cells).rstrip() + "\n")


def _heading(column: str) -> str:
    return HEADINGS.get(column, column).upper()


def _styled(cell: str) -> Text:
    return Text(cell, style=STYLES.get(cell, ""))


def _find(record: Record, column: str) -> object:
    if column in record or column not in PATHS:
        return record.get(column)
    value: Any = record
    for name in PATHS[column]:
        value = (value or {}).get(name)
    return value


def _cell(value: object) -> str:
    """Return a value as the text that a person reads: sentences, and ids separated by commas."""
    if value is None:
        return ""
    if isinstance(value, dict) and "text" in value:
        return make_printable(value["text"])
    if isinstance(value, (list, tuple)):
        if all(isinstance(each, str) for each in value):
            return make_printable(", ".join(value))
        if all(isinstance(each, dict) and "text" in each for each in value):
            return "; ".join(map(_cell, value))
    if isinstance(value, (list, tuple, dict)):
        return json.dumps(value, default=str)
    return make_printable(value)


def _escape_formula(cell: str) -> str:
    """Return a cell that a spreadsheet takes for text, and whole."""
    text = f"'{cell}" if cell.startswith(FORMULA) else cell
    return text if len(text) <= CELL else text[: CELL - len(CUT)] + CUT


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
