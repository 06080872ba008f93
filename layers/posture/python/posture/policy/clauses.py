"""What each element of a statement asks of a request, in one world.

A statement is a conjunction of clauses: its principals, its actions, its resources and each of its
conditions. In a world most of them are true or false outright; the rest ask something of one open
text or key.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from posture.policy.alphabet import text
from posture.policy.automata import Pattern, union
from posture.policy.callers import principals
from posture.policy.conditions import test_of
from posture.policy.document import Condition, Policy, Statement
from posture.policy.operators import Family
from posture.policy.request_case import Open, World, value_of
from posture.policy.shapes import ACTION, RESOURCE
from posture.policy.template import MANY, Piece, Variable, arn, glob, pieces, resolved
from posture.policy.truth import LATER, Need, Opaque, Truth
from posture.policy.values import Test

ONLY_STARS = re.compile(r"\*+")


class Clauses:
    """The clauses of one policy, compiled once."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._tests: dict[tuple[int, tuple[tuple[Piece, ...], ...]], Test | Opaque] = {}

    def of(self, statement: Statement, world: World) -> list[Truth]:
        """Give the truth of each clause; just one that is false, where one is."""
        found: list[Truth] = []
        for truth in self._each(statement, world):
            if truth is False:
                return [False]
            if truth is not True:
                found.append(truth)
        return found

    def _each(self, statement: Statement, world: World) -> Iterable[Truth]:
        yield principals(statement, world)
        yield actions(statement, world)
        for condition in statement.conditions:
            yield self.condition(statement, condition, world)
        yield self.resources(statement, world)

    def resources(self, statement: Statement, world: World) -> Truth:
        """Tell what the resource must be."""
        excludes = statement.excludes_resources
        if any(ONLY_STARS.fullmatch(each) for each in statement.resources):
            return not excludes
        if not statement.resources:
            return excludes
        if world.owner is None or world.service is None:
            return LATER
        found = self._resolved(statement.resources, world, wildcards=True)
        if found is None:
            return LATER
        parts, loose = found
        test = Test(Family.STRING, union(*map(arn, parts)), negated=excludes)
        return Need(RESOURCE, test, loose)

    def condition(  # noqa: PLR0911 - one return a reason
        self, statement: Statement, condition: Condition, world: World
    ) -> Truth:
        """Tell what a key must hold."""
        if condition.operator.family is Family.UNKNOWN:
            return Opaque(f"the operator {condition.operator.written} of {statement}")
        value = value_of(condition.name, world)
        if value is Open.LATER:
            return LATER
        if value is Open.UNKNOWABLE:
            return Opaque(f"{condition.key} of {statement}")
        wildcards = condition.operator.test == "like"
        found = self._resolved(condition.values, world, wildcards=wildcards)
        if found is None:
            return LATER
        parts, loose = found
        test = self._test(condition, tuple(parts))
        if isinstance(test, Opaque):
            return replace(test, element=f"{test.element} of {statement}")
        if isinstance(value, Open):
            return Need(condition.name, test, loose)
        if loose:
            return Opaque(f"a variable in {condition} of {statement}")
        return test.holds(value)

    def _test(self, condition: Condition, parts: tuple[tuple[Piece, ...], ...]) -> Test | Opaque:
        known = id(condition), parts
        if known not in self._tests:
            self._tests[known] = test_of(condition, parts)
        return self._tests[known]

    def _resolved(
        self, values: Sequence[str], world: World, *, wildcards: bool
    ) -> tuple[list[tuple[Piece, ...]], bool] | None:
        """Resolve references, and tell whether some are left; None when one has to wait."""
        found: list[tuple[Piece, ...]] = []
        loose = False
        for value in values:
            parts = pieces(value, variables=self.policy.has_variables, wildcards=wildcards)
            known = {
                part: value_of(part.key, world) for part in parts if isinstance(part, Variable)
            }
            if Open.LATER in known.values():
                return None
            if any(isinstance(each, Open) for each in known.values()):
                loose = True
                found.append(tuple(MANY if isinstance(each, Variable) else each for each in parts))
                continue
            bound = resolved(parts, {each: _first(held) for each, held in known.items()})
            if bound is not None:  # else a reference has no value: nothing can match
                found.append(bound)
        return found, loose


def _first(value: object) -> str | None:
    return str(value[0]) if isinstance(value, tuple) and value else None


def actions(statement: Statement, world: World) -> Truth:
    """Tell what the action must be; action names are compared in any case."""
    excludes = statement.excludes_actions
    if any(ONLY_STARS.fullmatch(each) for each in statement.actions):
        return not excludes
    if world.service is None:
        return LATER
    found: list[Pattern] = []
    for each in statement.actions:
        prefix, _, name = each.lower().partition(":")
        if not union(glob(pieces(prefix, variables=False))).accepts(world.service):
            continue
        if ONLY_STARS.fullmatch(name):
            return not excludes
        found.append((*text(f"{world.service}:"), *glob(pieces(name, variables=False))))
    if not found:
        return excludes
    return Need(ACTION, Test(Family.STRING, union(*found), negated=excludes))
