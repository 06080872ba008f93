"""One step of a reasoning, for people and for machines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ExplanationStep:
    """One step of the reasoning: what it is about, a sentence, and the record behind it."""

    about: str  # subnet, names, route, onward, network ACL, security group, interface
    text: str
    record: Mapping[str, str] = field(default_factory=dict)
