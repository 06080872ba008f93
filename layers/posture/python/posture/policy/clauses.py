"""Evaluate the clauses of a statement in one request case.

A statement is a conjunction of clauses: its principals, its actions, its resources and each of its
conditions. In a request case most clauses are true or false; the others require something of one
open text or key.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from posture.policy.automata import Pattern
from posture.policy.clause_results import (
    DEFERRED,
    ClauseResult,
    Requirement,
    Undecidable,
    require_match,
)
from posture.policy.condition_tests import compile_condition
from posture.policy.document import Condition, Policy, Statement
from posture.policy.operators import OperatorFamily
from posture.policy.principals import evaluate_principals
from posture.policy.request_case import OpenValue, RequestCase, resolve_key
from posture.policy.shapes import ACTION, RESOURCE
from posture.policy.template import (
    MANY,
    Template,
    Variable,
    compile_arn,
    compile_glob,
    compile_globs,
    parse_template,
    substitute_variables,
)
from posture.policy.tokens import match_text
from posture.policy.value_tests import ValueTest

ONLY_STARS = re.compile(r"\*+")


class ClauseEvaluator:
    """Evaluates the statements of one policy, and compiles each condition once."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.allows = [each for each in policy.statements if each.allows]
        self.denies = [each for each in policy.statements if not each.allows]
        self._tests: dict[tuple[int, tuple[Template, ...]], ValueTest | Undecidable] = {}

    def evaluate(self, statement: Statement, case: RequestCase) -> list[ClauseResult]:
        """Return the results of all clauses that are not true; only [False] if one is false."""
        found: list[ClauseResult] = []
        for result in self._evaluate_each(statement, case):
            if result is False:
                return [False]
            if result is not True:
                found.append(result)
        return found

    def _evaluate_each(self, statement: Statement, case: RequestCase) -> Iterable[ClauseResult]:
        yield evaluate_principals(statement, case)
        yield evaluate_action(statement, case)
        for condition in statement.conditions:
            yield self._evaluate_condition(statement, condition, case)
        yield self._evaluate_resource(statement, case)

    def _evaluate_resource(self, statement: Statement, case: RequestCase) -> ClauseResult:
        excludes = statement.excludes_resources
        if any(ONLY_STARS.fullmatch(each) for each in statement.resources):
            return not excludes
        if not statement.resources:
            return excludes
        if case.owner is None or case.service is None:
            return DEFERRED
        found = self._resolve(statement.resources, case, wildcards=True)
        if found is None:
            return DEFERRED
        parts, approximate = found
        patterns = map(compile_arn, parts)
        return require_match(RESOURCE, patterns, negated=excludes, approximate=approximate)

    def _evaluate_condition(  # noqa: PLR0911 - one return for each reason
        self, statement: Statement, condition: Condition, case: RequestCase
    ) -> ClauseResult:
        operator = condition.operator
        if operator.family is OperatorFamily.UNKNOWN:
            return Undecidable(f"the operator {operator.written} of {statement}")
        value = resolve_key(condition.lower_key, case)
        if value is OpenValue.DEFERRED:
            return DEFERRED
        if value is OpenValue.UNKNOWABLE:
            return Undecidable(f"{condition.key} of {statement}")
        found = self._resolve(condition.values, case, wildcards=operator.comparison == "like")
        if found is None:
            return DEFERRED
        parts, approximate = found
        test = self._compile(condition, tuple(parts))
        if isinstance(test, Undecidable):
            return replace(test, element=f"{test.element} of {statement}")
        if isinstance(value, OpenValue):
            return Requirement(condition.lower_key, test, approximate)
        if approximate:
            return Undecidable(f"a variable in {condition} of {statement}")
        return test.holds(value)

    def _compile(
        self, condition: Condition, parts: tuple[Template, ...]
    ) -> ValueTest | Undecidable:
        known = id(condition), parts
        if known not in self._tests:
            self._tests[known] = compile_condition(condition, parts)
        return self._tests[known]

    def _resolve(
        self, values: Sequence[str], case: RequestCase, *, wildcards: bool
    ) -> tuple[list[Template], bool] | None:
        """Replace variables by the values that the case gives them.

        Returns:
            The texts, and whether a `*` stands for a variable that the case leaves open; None if a
            variable depends on the owner or the service, which are not chosen yet.
        """
        found: list[Template] = []
        approximate = False
        for value in values:
            parts = parse_template(value, variables=self.policy.has_variables, wildcards=wildcards)
            known = {
                part: resolve_key(part.key, case) for part in parts if isinstance(part, Variable)
            }
            if OpenValue.DEFERRED in known.values():
                return None
            if any(isinstance(each, OpenValue) for each in known.values()):
                approximate = True
                found.append(tuple(MANY if isinstance(each, Variable) else each for each in parts))
                continue
            first = {
                each: held[0] if isinstance(held, tuple) and held else None
                for each, held in known.items()
            }
            bound = substitute_variables(parts, first)
            if bound is not None:  # a variable without a value matches nothing
                found.append(bound)
        return found, approximate


def evaluate_action(statement: Statement, case: RequestCase) -> ClauseResult:
    """Return what the Action or NotAction element requires; the case of letters is ignored."""
    excludes = statement.excludes_actions
    if any(ONLY_STARS.fullmatch(each) for each in statement.actions):
        return not excludes
    if case.service is None:
        return DEFERRED
    found: list[Pattern] = []
    for each in statement.actions:
        prefix, _, name = each.lower().partition(":")
        if not compile_globs((prefix,)).accepts(case.service):
            continue
        if ONLY_STARS.fullmatch(name):
            return not excludes
        found.append((*match_text(f"{case.service}:"), *compile_glob(parse_template(name))))
    return require_match(ACTION, found, negated=excludes) if found else excludes
