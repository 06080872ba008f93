"""Compile a condition, whose variables are replaced, into a test of its key's value.

The search for requests uses these tests; `conditions` evaluates the same operators for one request.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction

from posture.policy import keys
from posture.policy.automata import Pattern, compile_patterns
from posture.policy.clause_results import Undecidable
from posture.policy.document import Condition, shorten
from posture.policy.operators import OperatorFamily
from posture.policy.scalars import IpNetwork, parse_instant, parse_network, parse_number
from posture.policy.shapes import SESSION
from posture.policy.template import (
    MANY,
    Template,
    compile_arn,
    compile_glob,
    is_literal,
    is_whole_arn,
)
from posture.policy.tokens import ANY, IDENTITY, match_many, match_text
from posture.policy.value_tests import BoundSet, ValueTest


def compile_condition(condition: Condition, values: Iterable[Template]) -> ValueTest | Undecidable:
    """Return the test that a condition makes of its key.

    Args:
        condition: The condition.
        values: Its values with variables replaced.
    """
    operator = condition.operator
    if operator.family is OperatorFamily.PRESENCE:
        return _compile_null(condition)
    test = ValueTest(
        operator.family,
        negated=operator.negated,
        holds_when_absent=operator.holds_when_absent,
        quantifier=operator.quantifier,
    )
    if operator.family in {OperatorFamily.NUMBER, OperatorFamily.DATE, OperatorFamily.ADDRESS}:
        return _add_bounds(test, condition, values)
    return replace(test, patterns=compile_patterns(*_compile_texts(condition, values)))


def _compile_null(condition: Condition) -> ValueTest | Undecidable:
    wanted = {value.lower() for value in condition.values}
    if wanted not in ({"true"}, {"false"}):
        return Undecidable(f"the value of {condition}")
    return ValueTest(OperatorFamily.PRESENCE, holds_when_absent=wanted == {"true"})


def _compile_texts(condition: Condition, values: Iterable[Template]) -> Iterable[Pattern]:
    is_principal = condition.lower_key == keys.PRINCIPAL_ARN
    wide = IDENTITY if is_principal else ANY
    any_case = condition.operator.comparison == "ignore-case"
    for parts in values:
        if condition.operator.family is not OperatorFamily.ARN:
            pattern = compile_glob(parts, any_case=any_case, wide=wide)
        elif is_whole_arn(parts) or (parts and all(part is MANY for part in parts)):
            pattern = compile_arn(parts, wide=wide)
        else:
            continue  # ARN operators compare whole ARNs, or `*`
        yield pattern
        if is_principal:
            yield (*pattern, *match_text(SESSION), match_many(ANY))


def _add_bounds(
    test: ValueTest, condition: Condition, values: Iterable[Template]
) -> ValueTest | Undecidable:
    bounds: list[Fraction | IpNetwork] = []
    for parts in values:
        written = "".join(part for part in parts if isinstance(part, str))
        bound = _parse_bound(test.family, written) if is_literal(parts) else None
        if bound is None:
            return Undecidable(f"the value {shorten(written)!r} of {condition}")
        bounds.append(bound)
    return replace(test, bounds=BoundSet(condition.operator.comparison, bounds))


def _parse_bound(family: OperatorFamily, written: str) -> Fraction | IpNetwork | None:
    if family is OperatorFamily.ADDRESS:
        return parse_network(written)
    return parse_instant(written) if family is OperatorFamily.DATE else parse_number(written)
