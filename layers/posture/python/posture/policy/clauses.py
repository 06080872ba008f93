"""Evaluate the clauses of a statement in one request case.

A statement is a conjunction of clauses: its principals, its actions, its resources and each of its
conditions. In a request case most clauses are true or false; the others require something of one
open text or key.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from posture.policy.automata import Pattern
from posture.policy.clause_results import (
    DEFERRED,
    ClauseResult,
    Requirement,
    Undecidable,
    require_match,
)
from posture.policy.condition_tests import compile_condition
from posture.policy.cost import DENIALS
from posture.policy.document import Condition, Policy, Statement, shorten
from posture.policy.operators import OperatorFamily
from posture.policy.principals import evaluate_principals
from posture.policy.request_case import OpenValue, RequestCase, resolve_key
from posture.policy.search_budget import SearchBudget
from posture.policy.shapes import ACTION, RESOURCE
from posture.policy.template import (
    MANY,
    Template,
    Variable,
    compile_glob,
    compile_globs,
    compile_resource,
    parse_resource,
    parse_template,
    substitute_variables,
)
from posture.policy.tokens import match_text
from posture.policy.value_tests import KeyValues, ValueTest

FEW = 2  # principals that are evaluated again in each case
ONLY_STARS = re.compile(r"\*+")


class ClauseEvaluator:
    """Evaluates the statements of one policy, and compiles each element once.

    `budget` pays for it.
    """

    def __init__(self, policy: Policy, budget: SearchBudget) -> None:
        self.policy = policy
        self.budget = budget
        self.allows = [each for each in policy.statements if each.allows]
        self.denies = [each for each in policy.statements if not each.allows]
        self._known: dict[object, ClauseResult] = {}
        self._tests: dict[tuple[int, int], ValueTest | Undecidable] = {}
        self._templates: dict[int, tuple[list[Template], list[Variable]]] = {}
        self._resolved: dict[object, tuple[list[Template], bool]] = {}
        self._of_everything = {
            each.number
            for each in policy.statements
            if any(ONLY_STARS.fullmatch(resource) for resource in each.resources)
        }

    def evaluate(self, statement: Statement, case: RequestCase) -> list[ClauseResult]:
        """Return the results of all clauses that are not true; only [False] if one is false."""
        found: list[ClauseResult] = []
        with self.budget.on(self.budget.topic if statement.allows else DENIALS):
            for result in self._evaluate_each(statement, case):
                if result is False:
                    return [False]
                if result is not True:
                    found.append(result)
        return found

    def _evaluate_each(self, statement: Statement, case: RequestCase) -> Iterable[ClauseResult]:
        self.budget.spend(2 + 2 * len(statement.conditions))
        if len(statement.principals.aws) <= FEW:
            yield evaluate_principals(statement, case)
        else:
            yield self._remember(
                (statement.number, case.caller, case.partition, case.endpoint.gateway),
                statement.principals.aws,
                lambda: evaluate_principals(statement, case),
            )
        yield self._remember(
            (statement.number, case.service),
            statement.actions,
            lambda: evaluate_action(statement, case),
        )
        for condition in statement.conditions:
            yield self._evaluate_condition(statement, condition, case)
        yield self._evaluate_resource(statement, case)

    def _remember(
        self, known: object, texts: Sequence[str], evaluate: Callable[[], ClauseResult]
    ) -> ClauseResult:
        """Evaluate a clause once for all that it depends on."""
        found = self._known.get(known)
        if found is None:
            self.budget.spend(sum(map(len, texts)))
            found = self._known[known] = evaluate()
        return found

    def _evaluate_resource(self, statement: Statement, case: RequestCase) -> ClauseResult:
        excludes = statement.excludes_resources
        if statement.number in self._of_everything:
            return not excludes
        if not statement.resources:
            return excludes
        if case.owner is None or case.service is None:
            return DEFERRED
        resolved = self._resolve(statement.resources, case, parse_resource)
        if resolved is None:
            return DEFERRED
        parts, approximate = resolved
        patterns = (pattern for each in parts for pattern in compile_resource(each))
        return self._remember(
            id(parts),
            statement.resources,
            lambda: require_match(RESOURCE, patterns, negated=excludes, approximate=approximate),
        )

    def _evaluate_condition(  # noqa: PLR0911 - one return for each reason
        self, statement: Statement, condition: Condition, case: RequestCase
    ) -> ClauseResult:
        operator = condition.operator
        if operator.family is OperatorFamily.UNKNOWN:
            return Undecidable(f"the operator {shorten(operator.written)} of {statement}")
        value = resolve_key(condition.lower_key, case)
        if value is OpenValue.DEFERRED:
            return DEFERRED
        if value is OpenValue.UNKNOWABLE:
            return Undecidable(f"{shorten(condition.key)} of {statement}")
        parse = partial(parse_template, wildcards=operator.comparison == "like")
        found = self._resolve(condition.values, case, parse)
        if found is None:
            return DEFERRED
        parts, approximate = found
        known = id(condition), id(parts)
        test = self._tests.get(known)
        if test is None:
            test = self._tests[known] = compile_condition(condition, parts)
        if isinstance(test, Undecidable):
            return replace(test, element=f"{test.element} of {statement}")
        if isinstance(value, OpenValue):
            return Requirement(condition.lower_key, test, approximate)
        if approximate:
            return Undecidable(f"a variable in {condition} of {statement}")
        self.budget.spend(sum(map(len, value or ())) * test.weight)
        return test.holds(value)

    def _resolve(
        self, values: tuple[str, ...], case: RequestCase, parse: Callable[..., Template]
    ) -> tuple[list[Template], bool] | None:
        """Replace variables by the values that the case gives them, once for the same values.

        Returns:
            The texts, and whether a `*` stands for a variable that the case leaves open; None if a
            variable depends on the owner or the service, which are not chosen yet.
        """
        if id(values) not in self._templates:
            templates = [parse(each, variables=self.policy.has_variables) for each in values]
            named = (part for parts in templates for part in parts if isinstance(part, Variable))
            self._templates[id(values)] = templates, list(dict.fromkeys(named))
        templates, variables = self._templates[id(values)]
        self.budget.spend(2 * len(variables))
        known = {each: resolve_key(each.key, case) for each in variables}
        if OpenValue.DEFERRED in known.values():
            return None
        resolved = id(values), *known.values()
        if resolved not in self._resolved:
            self.budget.spend(sum(map(len, values)))
            self._resolved[resolved] = _replace_variables(templates, known)
        return self._resolved[resolved]


def _replace_variables(
    templates: Iterable[Template], known: Mapping[Variable, KeyValues | OpenValue]
) -> tuple[list[Template], bool]:
    found: list[Template] = []
    approximate = False
    for parts in templates:
        held = {part: known[part] for part in parts if isinstance(part, Variable)}
        if any(isinstance(each, OpenValue) for each in held.values()):
            approximate = True
            found.append(tuple(MANY if isinstance(each, Variable) else each for each in parts))
            continue
        first = {
            each: value[0] if isinstance(value, tuple) and value else None
            for each, value in held.items()
        }
        bound = substitute_variables(parts, first)
        if bound is not None:  # a variable without a value matches nothing
            found.append(bound)
    return found, approximate


def evaluate_action(statement: Statement, case: RequestCase) -> ClauseResult:
    """Return what the Action or NotAction element requires. Case is ignored."""
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
