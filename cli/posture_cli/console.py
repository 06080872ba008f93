"""The two streams: results on standard output; progress, notes and errors on standard error.

Rich respects `NO_COLOR` and writes no colours to a pipe; lines in a pipe are never wrapped. It is
imported when it is needed: a tenth of the start of a command.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

UNWRAPPED = 100_000  # columns


def open_stdout() -> Console:
    """Return the console of standard output, which lets `posture_cli.main` handle a closed pipe."""
    from rich.console import Console  # noqa: PLC0415 - see above

    width = None if sys.stdout.isatty() else UNWRAPPED
    console = Console(file=sys.stdout, width=width, markup=False, highlight=False, emoji=False)
    setattr(console, "on_broken_pipe", _raise_broken_pipe)  # noqa: B010 - of this console only
    return console


def _raise_broken_pipe() -> None:
    """Raise the error for which rich would exit with 1, the exit code of findings."""
    raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


def open_stderr() -> Console:
    """Return the console of standard error."""
    from rich.console import Console  # noqa: PLC0415 - see above

    width = None if sys.stderr.isatty() else UNWRAPPED
    return Console(file=sys.stderr, width=width, markup=False, highlight=False, emoji=False)


def print_note(text: str) -> None:
    """Print a line on standard error; a terminal wraps it between words."""
    if sys.stderr.isatty():
        open_stderr().print(text)
    else:
        sys.stderr.write(f"{text}\n")
