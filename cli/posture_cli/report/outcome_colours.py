"""The colour in which the report shows each outcome and path of a coverage matrix."""

from collections.abc import Iterable, Mapping
from typing import Any

from posture.analysis.path import PathKind
from posture.analysis.path_outcome import PathOutcome

# The colours, the worst first; page.css defines a class for each.
WORST = ("bad", "warn", "unknown", "other", "idle", "good")
COLOUR_MEANINGS: Mapping[str, str] = {
    "good": "endpoint",
    "warn": "endpoint in part",
    "bad": "internet, or blocked",
    "other": "another network",
    "unknown": "unknown",
    "idle": "no route",
}
OUTCOME_COLOURS: Mapping[str, str] = {
    PathOutcome.INTERNET: "bad",
    PathOutcome.BLOCKED: "bad",
    PathOutcome.PARTLY: "warn",
    PathOutcome.UNKNOWN: "unknown",
    PathOutcome.NO_ROUTE: "idle",
    PathOutcome.OTHER_NETWORK: "other",
    PathOutcome.BY_SECURITY_GROUP: "good",
    PathOutcome.PRIVATE: "good",
}
PATH_COLOURS: Mapping[str, str] = {
    PathKind.GATEWAY_ENDPOINT: "good",
    PathKind.NAT_GATEWAY: "bad",
    PathKind.INTERNET_GATEWAY: "bad",
    PathKind.EGRESS_ONLY_GATEWAY: "bad",
    PathKind.BLACKHOLE: "bad",
    PathKind.NONE: "idle",
    PathKind.UNKNOWN: "unknown",
}


def find_outcome_colour(answer: Mapping[str, Any]) -> str:
    """Return the colour of an answer of a matrix."""
    return OUTCOME_COLOURS.get(str(answer["outcome"]), "unknown")


def find_path_colour(path: Mapping[str, Any], answer: Mapping[str, Any]) -> str:
    """Return the colour of one path of an answer."""
    default = "unknown" if answer["outcome"] == PathOutcome.UNKNOWN else "other"
    return PATH_COLOURS.get(str(path["path"]), default)


def choose_worst(colours: Iterable[str]) -> str:
    """Return the worst of several colours."""
    return min(colours, key=WORST.index, default="idle")
