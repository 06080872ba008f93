"""Prints records as a table on a terminal, with rich, which only a terminal needs."""

from collections.abc import Iterable, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from posture_cli.console import open_stdout
from posture_cli.render.records import Record, find_value, format_cell, format_heading

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


def build_table(records: Sequence[Record], columns: Sequence[str]) -> Table:
    """Build a table for a terminal, which wraps sentences and keeps ids whole."""
    grid = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        width = _minimum_width(records, column)
        grid.add_column(format_heading(column), overflow="fold", min_width=width)
    for record in records:
        grid.add_row(*(_styled(format_cell(find_value(record, column))) for column in columns))
    return grid


def print_table(records: Sequence[Record], columns: Sequence[str]) -> None:
    """Print a table; what has no room beside the first columns stands below each row."""
    console = open_stdout()
    needed = sum(_minimum_width(records, column) + PADDING for column in columns) - PADDING
    if needed <= console.width:
        console.print(build_table(records, columns))
        return
    beside = _choose_columns(records, columns, console.width)
    if beside:
        console.print(_build_line(map(format_heading, columns), beside), style="bold")
        console.print("─" * console.width)
    for record in records:
        console.print(build_stacked_record(record, columns, beside, console.width))


def _choose_columns(
    records: Sequence[Record], columns: Sequence[str], available: int
) -> Sequence[int]:
    """Choose the widths of the first columns that fit beside each other without a break."""
    widths: list[int] = []
    for column in columns[:-1]:
        cells = (format_cell(find_value(record, column)) for record in records)
        widths.append(max(map(len, (format_heading(column), *cells))))
        if sum(widths) + 2 * (len(widths) - 1) > available:
            return widths[:-1]
    return widths


def _minimum_width(records: Sequence[Record], column: str) -> int:
    """Return the width below which a column would break ids, which people copy."""
    cells = [format_cell(find_value(record, column)) for record in records]
    longest = max(map(len, cells), default=0)
    whole = longest <= UNBROKEN and not any(" " in cell for cell in cells)
    return max(len(format_heading(column)), longest if whole else min(longest, FOLDED))


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
    cells = [format_cell(find_value(record, column)) for column in columns]
    first = [_build_line(cells, beside)] if beside else []
    below = [
        _build_item(format_heading(column), cell, available)
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


def _styled(cell: str) -> Text:
    return Text(cell, style=STYLES.get(cell, ""))
