"""One step of an explanation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from posture.lean_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class ExplanationStep:
    """One step of an explanation: its subject, a sentence, and the facts as a record."""

    about: str  # subnet, names, route, onward, network ACL, security group, interface, policy
    text: str
    record: Mapping[str, str] = field(default_factory=dict)
