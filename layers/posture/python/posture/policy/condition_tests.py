"""The test that a condition makes of its key, once its values are resolved."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction

from posture.policy import keys
from posture.policy.automata import Pattern, compile_patterns
from posture.policy.clause_results import Undecidable
from posture.policy.document import Condition
from posture.policy.operators import OperatorFamily, Quantifier
from posture.policy.scalars import IpNetwork, parse_instant, parse_network, parse_number
from posture.policy.shapes import SESSION
from posture.policy.template import (
    MANY,
    TemplatePart,
    compile_arn,
    compile_glob,
    is_literal,
    is_whole_arn,
)
from posture.policy.tokens import ANY, IDENTITY, match_many, match_text
from posture.policy.value_tests import ValueTest


def compile_condition(
    condition: Condition, parts: Iterable[tuple[TemplatePart, ...]]
) -> ValueTest | Undecidable:
    """Give the test of a condition whose values are resolved."""
    operator = condition.operator
    when_absent = _when_absent(condition)
    if operator.family is OperatorFamily.PRESENCE:
        return _presence(condition)
    test = ValueTest(
        operator.family,
        negated=operator.negated,
        when_absent=when_absent,
        quantifier=operator.quantifier,
    )
    if operator.family in {OperatorFamily.NUMBER, OperatorFamily.DATE, OperatorFamily.ADDRESS}:
        return _bounded(condition, test, parts)
    return replace(test, patterns=compile_patterns(*_patterns(condition, parts)))


def _when_absent(condition: Condition) -> bool:
    operator = condition.operator
    if operator.if_exists or operator.quantifier is Quantifier.ALL:
        return True
    return operator.negated and operator.quantifier is Quantifier.NONE


def _presence(condition: Condition) -> ValueTest | Undecidable:
    wanted = {value.lower() for value in condition.values}
    if len(wanted) != 1 or not wanted <= {"true", "false"}:
        return Undecidable(f"the value of {condition}")
    return ValueTest(OperatorFamily.PRESENCE, when_absent=wanted == {"true"})


def _patterns(
    condition: Condition, values: Iterable[tuple[TemplatePart, ...]]
) -> Iterable[Pattern]:
    is_principal = condition.lower_key == keys.PRINCIPAL_ARN
    wide = IDENTITY if is_principal else ANY
    any_case = condition.operator.comparison == "ignore-case"
    for parts in values:
        is_arn = condition.operator.family is OperatorFamily.ARN
        if is_arn and not is_whole_arn(parts) and any(part is not MANY for part in parts):
            continue  # an ARN operator takes whole ARNs, or * for any
        pattern = (
            compile_arn(parts, wide=wide)
            if is_arn
            else compile_glob(parts, any_case=any_case, wide=wide)
        )
        yield pattern
        if is_principal:
            yield (*pattern, *match_text(SESSION), match_many(ANY))


def _bounded(
    condition: Condition, test: ValueTest, values: Iterable[tuple[TemplatePart, ...]]
) -> ValueTest | Undecidable:
    bounds: list[tuple[str, Fraction | IpNetwork]] = []
    for parts in values:
        written = "".join(part for part in parts if isinstance(part, str))
        bound = _bound(test.family, written) if is_literal(parts) else None
        if bound is None:
            return Undecidable(f"the value {written!r} of {condition}")
        bounds.append((condition.operator.comparison, bound))
    return replace(test, bounds=tuple(bounds))


def _bound(family: OperatorFamily, written: str) -> Fraction | IpNetwork | None:
    if family is OperatorFamily.ADDRESS:
        return parse_network(written)
    return parse_instant(written) if family is OperatorFamily.DATE else parse_number(written)
