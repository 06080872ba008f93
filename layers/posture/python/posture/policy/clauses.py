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

    def evaluate(self, statement: Statement, case: RequestCase) -> list[ClauseResult]:
        """Give the truth of each clause; just one that is false, where one is."""
        found: list[ClauseResult] = []
        for result in self._each(statement, case):
            if result is False:
                return [False]
            if result is not True:
                found.append(result)
        return found

    def _each(self, statement: Statement, case: RequestCase) -> Iterable[ClauseResult]:
        yield evaluate_principals(statement, case)
        yield evaluate_action(statement, case)
        for condition in statement.conditions:
            yield self.condition(statement, condition, case)
        yield self.resources(statement, case)

    def resources(self, statement: Statement, case: RequestCase) -> ClauseResult:
        """Tell what the resource must be."""
        excludes = statement.excludes_resources
        if any(ONLY_STARS.fullmatch(each) for each in statement.resources):
            return not excludes
        if not statement.resources:
            return excludes
        if case.owner is None or case.service is None:
            return DEFERRED
        found = self._resolved(statement.resources, case, wildcards=True)
        if found is None:
            return DEFERRED
        parts, approximate = found
        test = ValueTest(
            OperatorFamily.STRING, compile_patterns(*map(compile_arn, parts)), negated=excludes
        )
        return Requirement(RESOURCE, test, approximate)

    def condition(  # noqa: PLR0911 - one return a reason
        self, statement: Statement, condition: Condition, case: RequestCase
    ) -> ClauseResult:
        """Tell what a key must hold."""
        if condition.operator.family is OperatorFamily.UNKNOWN:
            return Undecidable(f"the operator {condition.operator.written} of {statement}")
        value = resolve_key(condition.lower_key, case)
        if value is OpenValue.LATER:
            return DEFERRED
        if value is OpenValue.UNKNOWABLE:
            return Undecidable(f"{condition.key} of {statement}")
        wildcards = condition.operator.comparison == "like"
        found = self._resolved(condition.values, case, wildcards=wildcards)
        if found is None:
            return DEFERRED
        parts, approximate = found
        test = self._test(condition, tuple(parts))
        if isinstance(test, Undecidable):
            return replace(test, element=f"{test.element} of {statement}")
        if isinstance(value, OpenValue):
            return Requirement(condition.lower_key, test, approximate)
        if approximate:
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
        self, values: Sequence[str], case: RequestCase, *, wildcards: bool
    ) -> tuple[list[tuple[TemplatePart, ...]], bool] | None:
        """Resolve references, and tell whether some are left; None when one has to wait."""
        found: list[tuple[TemplatePart, ...]] = []
        approximate = False
        for value in values:
            parts = parse_template(value, variables=self.policy.has_variables, wildcards=wildcards)
            known = {
                part: resolve_key(part.key, case) for part in parts if isinstance(part, Variable)
            }
            if OpenValue.LATER in known.values():
                return None
            if any(isinstance(each, OpenValue) for each in known.values()):
                approximate = True
                found.append(tuple(MANY if isinstance(each, Variable) else each for each in parts))
                continue
            bound = substitute_variables(
                parts, {each: _first(held) for each, held in known.items()}
            )
            if bound is not None:  # else a reference has no value: nothing can match
                found.append(bound)
        return found, approximate


def _first(value: object) -> str | None:
    return str(value[0]) if isinstance(value, tuple) and value else None


def evaluate_action(statement: Statement, case: RequestCase) -> ClauseResult:
    """Tell what the action must be; action names are compared in any case."""
    excludes = statement.excludes_actions
    if any(ONLY_STARS.fullmatch(each) for each in statement.actions):
        return not excludes
    if case.service is None:
        return DEFERRED
    found: list[Pattern] = []
    for each in statement.actions:
        prefix, _, name = each.lower().partition(":")
        if not compile_patterns(compile_glob(parse_template(prefix))).accepts(case.service):
            continue
        if ONLY_STARS.fullmatch(name):
            return not excludes
        found.append((*match_text(f"{case.service}:"), *compile_glob(parse_template(name))))
    if not found:
        return excludes
    return Requirement(
        ACTION, ValueTest(OperatorFamily.STRING, compile_patterns(*found), negated=excludes)
    )
