"""A verdict with a life. Times are UTC."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from posture.model.rule_ids import first_rule_id
from posture.model.scope import Scope
from posture.model.verdict import Severity, Verdict


class FindingStatus(StrEnum):
    """Where a finding stands."""

    OPEN = "open"
    UNKNOWN = "unknown"  # the fact could not be read or decided
    RESOLVED = "resolved"
    WAIVED = "waived"


class Step(StrEnum):
    """One step of a finding's life."""

    OPENED = "opened"
    CHANGED = "changed"
    RESOLVED = "resolved"
    WAIVED = "waived"  # somebody accepts it for a time


@dataclass(frozen=True, slots=True)
class Cause:
    """The change that brought a transition about, as far as it can be told."""

    event_id: str
    event_name: str
    actor: str
    time: datetime
    source_ip: str = ""
    user_agent: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """The latest state of one rule on one resource of one scope.

    `version` counts transitions from 1. `opened_at` is when it last went from good to bad;
    `updated_at` is the `observed_at` of the evaluation that wrote this version.
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

    @property
    def id(self) -> str:
        """Deterministic: the same rule on the same resource is the same finding for ever."""
        return finding_id(self.scope, self.rule, self.resource)


@dataclass(frozen=True, slots=True)
class Transition:
    """One step of a finding: what history keeps and alerts tell. `finding` is the state after."""

    step: Step
    finding: Finding
    reason: str = ""  # why a resolution was possible: repaired, resource gone, VPC gone, exempt


def finding_id(scope: Scope, rule: str, resource: str) -> str:
    """Name a finding by what it is about: `f-` and 20 hexadecimal digits of a SHA-256.

    The rule's first id is hashed, so that a finding keeps its id when its rule is renamed.
    """
    digest = hashlib.sha256(f"{scope}|{first_rule_id(rule)}|{resource}".encode()).hexdigest()
    return f"f-{digest[:20]}"
