"""Shows progress on a terminal, on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from posture.lean_dataclass import dataclass
from posture_cli.console import open_stderr

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


@dataclass(frozen=True, slots=True)
class ProgressLine:
    """A line on a terminal that says what is being done; threads may share it."""

    _shown: tuple[Progress, TaskID] | None = None

    def describe(self, text: str) -> None:
        """Show what is being done."""
        if self._shown:
            progress, task = self._shown
            progress.update(task, description=text)

    def advance(self) -> None:
        """Show that one more is done."""
        if self._shown:
            progress, task = self._shown
            progress.advance(task)


@contextmanager
def show_progress(text: str, things: str = "", total: int = 1) -> Iterator[ProgressLine]:
    """Show on a terminal what is being done, and nothing elsewhere.

    Args:
        text: What is being done at first.
        things: What is counted, as in "account-regions".
        total: How many there are; with several, a bar and an estimate of the time left are shown.
    """
    if not sys.stderr.isatty():
        yield ProgressLine()
        return
    from rich.progress import (  # noqa: PLC0415 - only a terminal needs rich
        BarColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.table import Column  # noqa: PLC0415

    bar = (
        BarColumn(bar_width=20),
        TextColumn("{task.completed} of {task.total} {task.fields[things]}"),
        TimeRemainingColumn(table_column=Column(min_width=8)),
        TextColumn("left", table_column=Column(min_width=4)),
    )
    console = open_stderr()
    with Progress(
        SpinnerColumn(),
        *(bar if total > 1 else ()),
        TextColumn("{task.description}", table_column=Column(no_wrap=True, overflow="ellipsis")),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        yield ProgressLine((progress, progress.add_task(text, total=total, things=things)))
