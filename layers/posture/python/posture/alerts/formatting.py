"""How values that others chose are shown: on one line, in characters that stay where they are."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime

from posture.lifecycle.bounds import CUT
from posture.model.finding import Finding, FindingStatus, Step, Transition

# Control, format (bidirectional overrides among them), surrogate, private, unassigned,
# line and paragraph separators: what could break a line, hide text or turn it around.
UNSHOWN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
REPLACEMENT = "?"


def format_line(text: str, limit: int) -> str:
    """Give text on one line of at most `limit` characters."""
    short = text if len(text) <= limit else text[: limit - 1] + CUT
    return " ".join("".join(map(_shown, short)).split())


def format_command(command: str, limit: int) -> tuple[str, ...]:
    """Give a command exactly as it is to be typed, or nothing where it cannot be shown so."""
    lines = tuple(command.splitlines())
    exact = all(_shown(char) == char for each in lines for char in each)
    return lines if exact and len(command) <= limit else ()


def format_ascii_line(text: str, limit: int) -> str:
    """Give text in ASCII on one line of at most `limit` characters."""
    spelt = unicodedata.normalize("NFKD", format_line(text, 10 * limit))
    plain = spelt.encode("ascii", "ignore").decode()
    return plain if len(plain) <= limit else plain[: limit - 3].rstrip() + "..."


def format_time(time: datetime) -> str:
    """Give a time as people read it, as in 2026-01-31 12:00:00 UTC."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def format_label(step: Transition) -> str:
    """Give the word in brackets: the severity of what is bad, or that it is over."""
    return "RESOLVED" if step.step is Step.RESOLVED else format_severity(step.finding)


def format_severity(finding: Finding) -> str:
    """Give the severity, and that it is not known to be bad where it is not."""
    unknown = finding.status is FindingStatus.UNKNOWN
    return f"{finding.severity.upper()}, UNKNOWN" if unknown else finding.severity.upper()


def _shown(char: str) -> str:
    if char in "\t\n\r":
        return " "
    return REPLACEMENT if unicodedata.category(char) in UNSHOWN else char
