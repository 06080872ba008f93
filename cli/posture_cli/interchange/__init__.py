"""Findings and verdicts in the formats of other tools. Pure."""

from collections.abc import Iterator

from posture.model.scope import Scope
from posture.model.verdict import Remediation, Verdict

ScopedVerdict = tuple[Scope, Verdict]


def describe_remediation(remediation: Remediation) -> Iterator[str]:
    """Describe what to do in lines: a sentence, the command, and what was shown of it."""
    yield remediation.text
    if remediation.command:
        yield remediation.command
    if remediation.verified:
        yield f"Verified: {remediation.verified}"
