"""Evaluate the condition operators of one statement for one concrete request.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address

from posture.policy.document import Condition
from posture.policy.operators import ConditionOperator, OperatorFamily, Quantifier
from posture.policy.scalars import COMPARISONS, parse_instant, parse_network, parse_number
from posture.policy.wildcards import PatternText, arn_matches, glob_matches, resolve_all


class UnsupportedElementError(Exception):
    """An operator or principal whose effect AWS does not document."""


def condition_holds(
    condition: Condition, context: Mapping[str, tuple[str, ...]], *, variables: bool
) -> bool:
    """Return whether a condition holds for a request.

    Args:
        condition: The condition.
        context: The condition keys of the request, in lower case.
        variables: Whether `${…}` in the condition's values is a policy variable.

    Raises:
        UnsupportedElementError: AWS does not document the operator.
    """
    operator = condition.operator
    if operator.family is OperatorFamily.UNKNOWN:
        raise UnsupportedElementError(operator.written)
    values = context.get(condition.lower_key)
    if operator.family is OperatorFamily.PRESENCE:
        return any((value.lower() == "true") == (values is None) for value in condition.values)
    if values is None or (not values and operator.quantifier is not Quantifier.NONE):
        return operator.holds_when_absent
    stated = resolve_all(
        condition.values,
        context if variables else None,
        wildcards=operator.comparison == "like",
    )
    passing = [
        any(value_matches(operator, value, each) for each in stated) != operator.negated
        for value in values
    ]
    is_single = operator.quantifier is Quantifier.NONE
    needs_all = operator.negated if is_single else operator.quantifier is Quantifier.ALL
    return all(passing) if needs_all else any(passing)


def value_matches(operator: ConditionOperator, value: str, stated: PatternText) -> bool:
    """Return whether a value compares with a stated one as the operator says, negation aside."""
    if operator.family is OperatorFamily.ARN:
        return arn_matches(stated, value, whole=True)
    if operator.comparison == "like":
        return glob_matches(stated, value)
    written = "".join(each or "" for each in stated)
    if operator.family is OperatorFamily.ADDRESS:
        return _is_in_network(value, written)
    if operator.family in {OperatorFamily.NUMBER, OperatorFamily.DATE}:
        parse = parse_instant if operator.family is OperatorFamily.DATE else parse_number
        left, right = parse(value), parse(written)
        compare = COMPARISONS[operator.comparison]
        return left is not None and right is not None and compare(left, right)
    if operator.comparison == "ignore-case":
        return value.lower() == written.lower()
    return value == written


def _is_in_network(value: str, block: str) -> bool:
    network = parse_network(block)
    try:
        return network is not None and ip_address(value) in network
    except ValueError:
        return False
