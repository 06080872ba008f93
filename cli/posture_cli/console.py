"""The two streams: results on standard output; progress, notes and errors on standard error.

Rich respects `NO_COLOR` and writes no colours to a pipe; lines in a pipe are never wrapped.
"""

import errno
import os
import sys

from rich.console import Console

UNWRAPPED = 100_000  # columns


class _Stdout(Console):
    """A console that lets `posture_cli.main` handle a closed pipe."""

    def on_broken_pipe(self) -> None:
        """Raise the error for which rich would exit with 1, the exit code of findings."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


def open_stdout() -> Console:
    """Return the console of standard output."""
    width = None if sys.stdout.isatty() else UNWRAPPED
    return _Stdout(file=sys.stdout, width=width, markup=False, highlight=False, emoji=False)


def open_stderr() -> Console:
    """Return the console of standard error."""
    width = None if sys.stderr.isatty() else UNWRAPPED
    return Console(file=sys.stderr, width=width, markup=False, highlight=False, emoji=False)


def print_note(text: str) -> None:
    """Print a line on standard error."""
    open_stderr().print(text)
