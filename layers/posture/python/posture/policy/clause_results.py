"""What a clause of a statement comes to in a world: true, false, or a question left open."""

from __future__ import annotations

from dataclasses import dataclass

from posture.policy.value_tests import ValueTest


@dataclass(frozen=True, slots=True)
class Requirement:
    """A clause that holds when a test of one open key has the outcome true.

    `loose`: the test lets more pass than the clause does, for a reference in it is not resolved.
    """

    key: str
    test: ValueTest
    approximate: bool = False


@dataclass(frozen=True, slots=True)
class Undecidable:
    """A clause that cannot be decided; `element` names it."""

    element: str


class Deferred:
    """A clause that waits for the owner or the service to be chosen."""


DEFERRED = Deferred()
ClauseResult = bool | Requirement | Undecidable | Deferred
