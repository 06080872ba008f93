"""Rules about endpoint services, the provider's side."""

from __future__ import annotations

from posture.rules.rule import Rule, ServiceCase

RULES: tuple[Rule[ServiceCase], ...] = ()
