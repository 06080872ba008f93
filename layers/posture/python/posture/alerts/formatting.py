"""Formatting of untrusted values: on one line, without control or invisible characters."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime

from posture.lifecycle.bounds import CUT
from posture.model.finding import Step, Transition

# Unicode categories that could break a line, hide text or reverse it: control, format (with the
# bidirectional overrides), surrogate, private use, unassigned, line and paragraph separators.
UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
REPLACEMENT = "?"


def format_line(text: str, limit: int) -> str:
    """Format text on one line of at most `limit` characters."""
    short = text if len(text) <= limit else text[: limit - 1] + CUT
    return " ".join("".join(map(_safe_char, short)).split())


def format_command(command: str, limit: int) -> tuple[str, ...]:
    """Split a command into lines, or return none if it cannot be shown exactly as typed."""
    lines = tuple(command.splitlines())
    exact = all(_safe_char(char) == char for each in lines for char in each)
    return lines if exact and len(command) <= limit else ()


def format_ascii_line(text: str, limit: int) -> str:
    """Format text in ASCII on one line of at most `limit` characters."""
    spelt = unicodedata.normalize("NFKD", format_line(text, 10 * limit))
    plain = spelt.encode("ascii", "ignore").decode()
    return plain if len(plain) <= limit else plain[: limit - 3].rstrip() + "..."


def format_time(time: datetime) -> str:
    """Format a time, as in `2026-01-31 12:00:00 UTC`."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


LABELS = {Step.RESOLVED: "RESOLVED", Step.AMENDED: "CAUSE AMENDED"}


def format_label(step: Transition) -> str:
    """Format the label in brackets: the severity, and whether the finding is resolved."""
    severity = step.finding.severity.upper()
    return f"{LABELS[step.step]}, {severity}" if step.step in LABELS else severity


def format_named(name: str, label: str, limit: int) -> str:
    """Format an id with the name that people gave it, as in `vpc-0a (main)`."""
    shown = format_line(name, limit)
    return f"{shown} ({format_line(label, limit)})" if label else shown


def _safe_char(char: str) -> str:
    if char in "\t\n\r":
        return " "
    return REPLACEMENT if unicodedata.category(char) in UNSAFE else char
