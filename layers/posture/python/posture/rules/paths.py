"""Rules about how traffic reaches services."""

from __future__ import annotations

from posture.rules.rule import Rule, VpcCase

RULES: tuple[Rule[VpcCase], ...] = ()
