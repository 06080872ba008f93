"""What a clause of a statement amounts to in one request case: true, false, or a requirement."""

from __future__ import annotations

from collections.abc import Iterable

from posture.lean_dataclass import dataclass
from posture.policy.automata import Pattern, compile_patterns
from posture.policy.operators import OperatorFamily
from posture.policy.value_tests import ValueTest


@dataclass(frozen=True, slots=True)
class Requirement:
    """A clause that holds if the value of an open key passes a test.

    `approximate`: more values pass than the clause accepts, because a variable is not resolved.
    """

    key: str
    test: ValueTest
    approximate: bool = False


@dataclass(frozen=True, slots=True)
class Undecidable:
    """A clause that cannot be decided; `element` names what it is about."""

    element: str


class Deferred:
    """A clause that depends on the owner or the service, which are not chosen yet."""


DEFERRED = Deferred()
ClauseResult = bool | Requirement | Undecidable | Deferred


def require_match(
    key: str, patterns: Iterable[Pattern], *, negated: bool = False, approximate: bool = False
) -> Requirement:
    """Return the requirement that a text matches any of some patterns, or none if `negated`."""
    test = ValueTest(OperatorFamily.STRING, compile_patterns(*patterns), negated=negated)
    return Requirement(key, test, approximate)
