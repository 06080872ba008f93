"""Results of rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field
from functools import partial

from posture.lean_dataclass import dataclass
from posture.model.verdict import Evidence, Remediation, Severity, Status


@dataclass(frozen=True, slots=True)
class RuleResult:
    """A rule's result for one resource; the engine turns it into a verdict.

    Attributes:
        resource: The id of the resource that was evaluated.
        concerns: Ids of the resources whose changes can cause this result.
        remediation: What to do; None for the rule's general advice.
        alternatives: What to do where `remediation` does not resolve the finding or would open
            another one: further candidates, the best first.
        propose: Lists the remediation and its alternatives instead. It is called only where they
            are wanted: not where a change is tried out.
        severity: Set only where this case is more or less severe than the rule's default.
        root: The root cause, in words that all results with the same cause share.
    """

    resource: str
    summary: str
    evidence: tuple[Evidence, ...] = ()
    status: Status = field(kw_only=True)
    remediation: Remediation | None = None
    concerns: frozenset[str] = frozenset()
    severity: Severity | None = None
    root: str = ""
    alternatives: tuple[Remediation, ...] = ()
    propose: Callable[[], Sequence[Remediation]] | None = None


passed = partial(RuleResult, status=Status.PASS)
failed = partial(RuleResult, status=Status.FAIL)
undecided = partial(RuleResult, status=Status.UNKNOWN)
not_applicable = partial(RuleResult, status=Status.NOT_APPLICABLE)
