"""Findings and verdicts in the formats of other tools. Pure."""

from posture.model.scope import Scope
from posture.model.verdict import Verdict

ScopedVerdict = tuple[Scope, Verdict]
