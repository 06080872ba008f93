"""What each element of a statement asks of a request, in one world.

A statement is a conjunction of clauses: its principals, its actions, its resources and each of its
conditions. In a world most of them are true or false outright; the rest ask something of one open
text or key.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from posture.policy.automata import Pattern, compile_patterns
from posture.policy.clause_results import DEFERRED, ClauseResult, Requirement, Undecidable
from posture.policy.condition_tests import compile_condition
from posture.policy.document import Condition, Policy, Statement
from posture.policy.operators import OperatorFamily
from posture.policy.principals import evaluate_principals
from posture.policy.request_case import OpenValue, RequestCase, resolve_key
from posture.policy.shapes import ACTION, RESOURCE
from posture.policy.template import (
    MANY,
    TemplatePart,
    Variable,
    compile_arn,
    compile_glob,
    parse_template,
    substitute_variables,
)
from posture.policy.tokens import match_text
from posture.policy.value_tests import ValueTest

ONLY_STARS = re.compile(r"\*+")


class ClauseEvaluator:
    """The clauses of one policy, compiled once."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._tests: dict[
            tuple[int, tuple[tuple[TemplatePart, ...], ...]], ValueTest | Undecidable
        ] = {}

    def of(self, statement: Statement, world: RequestCase) -> list[ClauseResult]:
        """Give the truth of each clause; just one that is false, where one is."""
        found: list[ClauseResult] = []
        for truth in self._each(statement, world):
            if truth is False:
                return [False]
            if truth is not True:
                found.append(truth)
        return found

    def _each(self, statement: Statement, world: RequestCase) -> Iterable[ClauseResult]:
        yield evaluate_principals(statement, world)
        yield evaluate_action(statement, world)
        for condition in statement.conditions:
            yield self.condition(statement, condition, world)
        yield self.resources(statement, world)

    def resources(self, statement: Statement, world: RequestCase) -> ClauseResult:
        """Tell what the resource must be."""
        excludes = statement.excludes_resources
        if any(ONLY_STARS.fullmatch(each) for each in statement.resources):
            return not excludes
        if not statement.resources:
            return excludes
        if world.owner is None or world.service is None:
            return DEFERRED
        found = self._resolved(statement.resources, world, wildcards=True)
        if found is None:
            return DEFERRED
        parts, loose = found
        test = ValueTest(
            OperatorFamily.STRING, compile_patterns(*map(compile_arn, parts)), negated=excludes
        )
        return Requirement(RESOURCE, test, loose)

    def condition(  # noqa: PLR0911 - one return a reason
        self, statement: Statement, condition: Condition, world: RequestCase
    ) -> ClauseResult:
        """Tell what a key must hold."""
        if condition.operator.family is OperatorFamily.UNKNOWN:
            return Undecidable(f"the operator {condition.operator.written} of {statement}")
        value = resolve_key(condition.name, world)
        if value is OpenValue.LATER:
            return DEFERRED
        if value is OpenValue.UNKNOWABLE:
            return Undecidable(f"{condition.key} of {statement}")
        wildcards = condition.operator.test == "like"
        found = self._resolved(condition.values, world, wildcards=wildcards)
        if found is None:
            return DEFERRED
        parts, loose = found
        test = self._test(condition, tuple(parts))
        if isinstance(test, Undecidable):
            return replace(test, element=f"{test.element} of {statement}")
        if isinstance(value, OpenValue):
            return Requirement(condition.name, test, loose)
        if loose:
            return Undecidable(f"a variable in {condition} of {statement}")
        return test.holds(value)

    def _test(
        self, condition: Condition, parts: tuple[tuple[TemplatePart, ...], ...]
    ) -> ValueTest | Undecidable:
        known = id(condition), parts
        if known not in self._tests:
            self._tests[known] = compile_condition(condition, parts)
        return self._tests[known]

    def _resolved(
        self, values: Sequence[str], world: RequestCase, *, wildcards: bool
    ) -> tuple[list[tuple[TemplatePart, ...]], bool] | None:
        """Resolve references, and tell whether some are left; None when one has to wait."""
        found: list[tuple[TemplatePart, ...]] = []
        loose = False
        for value in values:
            parts = parse_template(value, variables=self.policy.has_variables, wildcards=wildcards)
            known = {
                part: resolve_key(part.key, world) for part in parts if isinstance(part, Variable)
            }
            if OpenValue.LATER in known.values():
                return None
            if any(isinstance(each, OpenValue) for each in known.values()):
                loose = True
                found.append(tuple(MANY if isinstance(each, Variable) else each for each in parts))
                continue
            bound = substitute_variables(
                parts, {each: _first(held) for each, held in known.items()}
            )
            if bound is not None:  # else a reference has no value: nothing can match
                found.append(bound)
        return found, loose


def _first(value: object) -> str | None:
    return str(value[0]) if isinstance(value, tuple) and value else None


def evaluate_action(statement: Statement, world: RequestCase) -> ClauseResult:
    """Tell what the action must be; action names are compared in any case."""
    excludes = statement.excludes_actions
    if any(ONLY_STARS.fullmatch(each) for each in statement.actions):
        return not excludes
    if world.service is None:
        return DEFERRED
    found: list[Pattern] = []
    for each in statement.actions:
        prefix, _, name = each.lower().partition(":")
        if not compile_patterns(compile_glob(parse_template(prefix, variables=False))).accepts(
            world.service
        ):
            continue
        if ONLY_STARS.fullmatch(name):
            return not excludes
        found.append(
            (*match_text(f"{world.service}:"), *compile_glob(parse_template(name, variables=False)))
        )
    if not found:
        return excludes
    return Requirement(
        ACTION, ValueTest(OperatorFamily.STRING, compile_patterns(*found), negated=excludes)
    )
