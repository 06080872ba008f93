"""The result of a rule for one resource, with its evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from enum import StrEnum

from posture.lean_dataclass import dataclass


class Status(StrEnum):
    """The possible results of a rule."""

    PASS = "pass"  # noqa: S105 - not a password
    FAIL = "fail"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not-applicable"


class Severity(StrEnum):
    """The severity of a failure, with the labels of AWS Security Hub."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFORMATIONAL = "informational"

    @property
    def rank(self) -> int:
        """The position in order of severity; 0 is the most severe."""
        return RANKS[self]


RANKS = {each: rank for rank, each in enumerate(Severity)}


@dataclass(frozen=True, slots=True)
class Evidence:
    """A fact as a sentence, and the values behind it (ids, CIDR blocks, statements) as text."""

    text: str
    record: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Remediation:
    """What to do: a sentence, and the AWS CLI command that does it, or "".

    `verified` is what was shown by applying the command to the snapshot and evaluating the result,
    as in "resolves this; opens nothing"; "" where nothing was shown.
    """

    text: str
    command: str = ""
    verified: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of one rule for one resource.

    `summary` is a full sentence that names the resource. `concerns` are the ids of all resources on
    which the result depends: a change that names one of them may be its cause. `root` describes the
    root cause, in the same words for every resource that it affects. `alternatives` are what to do
    where `remediation` would not hold, in order; they are tried and never reported as such.
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
    alternatives: tuple[Remediation, ...] = ()

    def drop_unproven_command(self) -> Verdict:
        """Return the verdict with a sentence as its remediation, unless its command is proven."""
        remedy = self.remediation
        if remedy is None or remedy.verified or not (remedy.command or self.alternatives):
            return self
        return replace(self, remediation=replace(remedy, command=""), alternatives=())
