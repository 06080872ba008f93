"""In which order findings are listed."""

from __future__ import annotations

from enum import StrEnum


class Sort(StrEnum):
    """What comes first."""

    SEVERITY = "severity"  # the worst, then the one that changed least recently
    UPDATED = "updated"
    OPENED = "opened"
    RULE = "rule"
    RESOURCE = "resource"
    SCOPE = "scope"
