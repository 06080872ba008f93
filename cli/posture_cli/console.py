"""The two streams: answers on standard output, progress and mistakes on standard error.

Rich keeps `NO_COLOR` and drops colours when it does not write to a terminal; what it writes to a
pipe is never wrapped.
"""

from __future__ import annotations

import errno
import os
import sys

from rich.console import Console

UNWRAPPED = 100_000  # columns


class _Answers(Console):
    """A console that leaves a closed pipe to whoever started the command."""

    def on_broken_pipe(self) -> None:
        """Raise what rich would end the process for, with the exit code of findings."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


def answers() -> Console:
    """Give the console of standard output."""
    width = None if sys.stdout.isatty() else UNWRAPPED
    return _Answers(file=sys.stdout, width=width, markup=False, highlight=False, emoji=False)


def notes() -> Console:
    """Give the console of standard error."""
    width = None if sys.stderr.isatty() else UNWRAPPED
    return Console(file=sys.stderr, width=width, markup=False, highlight=False, emoji=False)
