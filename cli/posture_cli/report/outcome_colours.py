"""How well each answer of the matrix looks: in which tone the report shows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from posture.analysis.path import PathKind

Record = Mapping[str, Any]

# How each outcome of the matrix is drawn, the worst first.
TONES = {
    "internet": "bad",
    "blocked": "bad",
    "partly": "warn",
    "unknown": "unknown",
    "no way": "idle",
    "other network": "other",
    "by group": "good",
    "endpoint": "good",
}
WORST = ("bad", "warn", "unknown", "other", "idle", "good")
PATHS: Mapping[str, str] = {
    PathKind.GATEWAY_ENDPOINT: "good",
    PathKind.NAT_GATEWAY: "bad",
    PathKind.INTERNET_GATEWAY: "bad",
    PathKind.EGRESS_ONLY_GATEWAY: "bad",
    PathKind.BLACKHOLE: "bad",
    PathKind.NONE: "idle",
    PathKind.UNKNOWN: "unknown",
}


def tone_of(answer: Record) -> str:
    """Give how an answer of the matrix is drawn."""
    return TONES.get(str(answer["outcome"]), "unknown")


def worst(tones: Iterable[str]) -> str:
    """Give the worst of several ways to fare."""
    return min(tones, key=WORST.index, default="idle")


def path_tone(path: Record, answer: Record) -> str:
    """Give how one of the paths of an answer is drawn."""
    return PATHS.get(str(path["path"]), "other" if answer["outcome"] != "unknown" else "unknown")
