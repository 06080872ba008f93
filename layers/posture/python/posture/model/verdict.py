"""What a rule says of one resource, and what a person can check it by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Status(StrEnum):
    """The four answers of a rule."""

    PASS = "pass"  # noqa: S105 - an answer, not a password
    FAIL = "fail"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not-applicable"


class Severity(StrEnum):
    """How bad a failure is, in the words of Security Hub."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFORMATIONAL = "informational"

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True)
class Evidence:
    """One checkable fact: a sentence, and the record behind it (ids, CIDRs, statements) as text."""

    text: str
    record: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Remediation:
    """What to do: a sentence, and the exact AWS CLI command where one exists ("" otherwise)."""

    text: str
    command: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One rule's answer for one resource.

    `summary` is a full sentence that names the resource. `concerns` are the ids of everything that
    brought the answer about: a change that names one of them is taken for its cause. `root` says
    what is wrong at the root, the same words for all the resources that suffer from it.
    """

    rule: str
    resource: str
    status: Status
    severity: Severity
    summary: str
    evidence: tuple[Evidence, ...] = ()
    remediation: Remediation | None = None
    concerns: frozenset[str] = frozenset()
    root: str = ""
