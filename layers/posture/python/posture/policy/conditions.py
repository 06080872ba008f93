"""The test that a condition makes of its key, once its values are resolved."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction

from posture.policy import keys
from posture.policy.alphabet import ANY, IDENTITY, star, text
from posture.policy.automata import Pattern, union
from posture.policy.document import Condition
from posture.policy.operators import Family, Quantifier
from posture.policy.scalars import Network, instant, network_of, number
from posture.policy.shapes import SESSION
from posture.policy.template import MANY, Piece, arn, glob, is_literal, is_whole_arn
from posture.policy.truth import Opaque
from posture.policy.values import Test


def test_of(condition: Condition, parts: Iterable[tuple[Piece, ...]]) -> Test | Opaque:
    """Give the test of a condition whose values are resolved."""
    operator = condition.operator
    absent = _when_absent(condition)
    if operator.family is Family.PRESENCE:
        return _presence(condition)
    test = Test(
        operator.family, negated=operator.negated, absent=absent, quantifier=operator.quantifier
    )
    if operator.family in {Family.NUMBER, Family.DATE, Family.ADDRESS}:
        return _bounded(condition, test, parts)
    return replace(test, texts=union(*_patterns(condition, parts)))


def _when_absent(condition: Condition) -> bool:
    operator = condition.operator
    if operator.if_exists or operator.quantifier is Quantifier.ALL:
        return True
    return operator.negated and operator.quantifier is Quantifier.NONE


def _presence(condition: Condition) -> Test | Opaque:
    wanted = {value.lower() for value in condition.values}
    if len(wanted) != 1 or not wanted <= {"true", "false"}:
        return Opaque(f"the value of {condition}")
    return Test(Family.PRESENCE, absent=wanted == {"true"})


def _patterns(condition: Condition, values: Iterable[tuple[Piece, ...]]) -> Iterable[Pattern]:
    is_principal = condition.name == keys.PRINCIPAL_ARN
    wide = IDENTITY if is_principal else ANY
    any_case = condition.operator.test == "ignore-case"
    for parts in values:
        is_arn = condition.operator.family is Family.ARN
        if is_arn and not is_whole_arn(parts) and any(part is not MANY for part in parts):
            continue  # an ARN operator takes whole ARNs, or * for any
        pattern = arn(parts, wide=wide) if is_arn else glob(parts, any_case=any_case, wide=wide)
        yield pattern
        if is_principal:
            yield (*pattern, *text(SESSION), star(ANY))


def _bounded(
    condition: Condition, test: Test, values: Iterable[tuple[Piece, ...]]
) -> Test | Opaque:
    bounds: list[tuple[str, Fraction | Network]] = []
    for parts in values:
        written = "".join(part for part in parts if isinstance(part, str))
        bound = _bound(test.family, written) if is_literal(parts) else None
        if bound is None:
            return Opaque(f"the value {written!r} of {condition}")
        bounds.append((condition.operator.test, bound))
    return replace(test, bounds=tuple(bounds))


def _bound(family: Family, written: str) -> Fraction | Network | None:
    if family is Family.ADDRESS:
        return network_of(written)
    return instant(written) if family is Family.DATE else number(written)
