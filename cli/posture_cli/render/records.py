"""Writes records as a table, JSON, newline-delimited JSON, CSV or Markdown."""

import csv
import json
import re
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from io import StringIO
from itertools import islice
from typing import Any

from posture_cli.options import Output
from posture_cli.text import make_printable

Record = Mapping[str, Any]

CHUNK = 1_000  # rows of a table that are aligned together
HEADINGS = {"looks_at": "evaluates", "listened_to": "handled"}
MARKUP = re.compile(r"[\\`*_{}\[\]()#|~!]")
# A spreadsheet would execute it, in some languages also with full-width characters, in some
# programs also after spaces. https://owasp.org/www-community/attacks/CSV_Injection
FORMULA = "=+-@\t\r"
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


def _write_array(records: Iterable[Record], _: Sequence[str]) -> None:
    """Write the same array as `write_json`, one element at a time."""
    encoder = json.JSONEncoder(indent=2, default=str)
    before = "["
    for record in records:
        element = encoder.encode([record])[1:-2]  # in an array, without its brackets
        sys.stdout.write(before + element)
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
    return [_escape_formula(format_cell(find_value(record, column))) for column in columns]


def _write_markdown(records: Iterable[Record], columns: Sequence[str]) -> None:
    sys.stdout.write(f"| {' | '.join(columns)} |\n|{' --- |' * len(columns)}\n")
    for record in records:
        cells = (format_cell(find_value(record, column)) for column in columns)
        sys.stdout.write(f"| {' | '.join(map(escape_markdown, cells))} |\n")


def _write_table(records: Iterable[Record], columns: Sequence[str]) -> None:
    remaining = iter(records)
    chunk, first = list(islice(remaining, CHUNK)), True
    while chunk or first:
        if sys.stdout.isatty():
            # Only a terminal needs rich, which takes a tenth of the start of a command.
            from posture_cli.render.tables import print_table  # noqa: PLC0415

            print_table(chunk, columns)
        else:
            _write_plain(chunk, columns, header=first)
        chunk, first = list(islice(remaining, CHUNK)), False


def _write_plain(records: Sequence[Record], columns: Sequence[str], *, header: bool) -> None:
    """Write aligned columns, one line per record: for pipes, grep and log files."""
    rows = [[format_heading(column) for column in columns]] if header else []
    rows += [[format_cell(find_value(record, column)) for column in columns] for record in records]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        sys.stdout.write("  ".join(cells).rstrip() + "\n")


def format_heading(column: str) -> str:
    """Return the heading of a column."""
    return HEADINGS.get(column, column).upper()


def find_value(record: Record, column: str) -> object:
    """Find the value of a column, which may be a member of a nested value."""
    if column in record or column not in PATHS:
        return record.get(column)
    value: Any = record
    for name in PATHS[column]:
        value = (value or {}).get(name)
    return value


def format_cell(value: object) -> str:
    """Return a value as the text that a person reads: sentences, and ids separated by commas."""
    if value is None:
        return ""
    if isinstance(value, dict) and "text" in value:
        return make_printable(value["text"])
    if isinstance(value, (list, tuple)):
        if all(isinstance(each, str) for each in value):
            return make_printable(", ".join(value))
        if all(isinstance(each, dict) and "text" in each for each in value):
            return "; ".join(map(format_cell, value))
    if isinstance(value, (list, tuple, dict)):
        return json.dumps(value, default=str)
    return make_printable(value)


def _escape_formula(cell: str) -> str:
    """Return a cell that a spreadsheet takes for text, and whole."""
    first = unicodedata.normalize("NFKC", cell.lstrip()[:1])
    text = f"'{cell}" if first and first in FORMULA else cell
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
