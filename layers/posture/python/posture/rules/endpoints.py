"""Rules about which endpoints there are, and whether they work."""

from __future__ import annotations

from posture.rules.rule import Rule, VpcCase

RULES: tuple[Rule[VpcCase], ...] = ()
