"""Findings: failed verdicts from when they open to when they resolve. Times are UTC."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from posture.model.rule_ids import first_rule_id
from posture.model.scope import Scope
from posture.model.verdict import Severity, Verdict


class FindingStatus(StrEnum):
    """The status of a finding."""

    OPEN = "open"
    UNKNOWN = "unknown"  # the rule could not be evaluated
    RESOLVED = "resolved"
    WAIVED = "waived"


class Step(StrEnum):
    """The kind of a transition."""

    OPENED = "opened"
    CHANGED = "changed"
    RESOLVED = "resolved"
    WAIVED = "waived"  # accepted until the waiver expires


@dataclass(frozen=True, slots=True)
class Cause:
    """The change that most likely caused a transition."""

    event_id: str
    event_name: str
    actor: str
    time: datetime
    source_ip: str = ""
    user_agent: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """The latest state of one rule on one resource of one scope.

    `version` counts transitions from 1. `opened_at` is when the finding last opened; `updated_at`
    is the observation time of the evaluation that wrote this version.

    `verdict_digest` is set where a former version of the monitor worded `verdict`: the next
    evaluation compares its own verdict with this digest instead ("": no digest is known yet).
    """

    scope: Scope
    rule: str
    resource: str
    status: FindingStatus
    severity: Severity
    verdict: Verdict
    version: int
    opened_at: datetime
    updated_at: datetime
    cause: Cause | None = None
    verdict_digest: str | None = field(default=None, compare=False)

    @property
    def id(self) -> str:
        """The id, always the same for a rule and resource of a scope."""
        return finding_id(self.scope, self.rule, self.resource)


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of a finding, recorded in the history and alerted; `finding` is the new state."""

    step: Step
    finding: Finding
    reason: str = ""  # why the finding resolved, such as `repaired`


def finding_id(scope: Scope, rule: str, resource: str) -> str:
    """Return a finding's id: `f-` and 20 hexadecimal digits of a SHA-256 digest.

    The rule's first id is hashed, so that a finding keeps its id when its rule is renamed.
    """
    digest = hashlib.sha256(f"{scope}|{first_rule_id(rule)}|{resource}".encode()).hexdigest()
    return f"f-{digest[:20]}"
