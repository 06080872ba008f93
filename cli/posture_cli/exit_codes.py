"""The exit codes of every verb; an interrupted one ends with 130, by typer."""

from __future__ import annotations

CLEAN = 0
FINDINGS = 1  # something was found
MISTAKE = 2  # the command could not do what was asked
UNREAD = 141  # whoever read the answer closed the pipe, as `head` does; shells say so of SIGPIPE
UNDECIDED = 3  # only unknowns remain (policy check)
