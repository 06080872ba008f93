"""One value of a request against one of a policy, for the plain evaluator.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from __future__ import annotations

import operator as python
from collections.abc import Callable
from fractions import Fraction
from ipaddress import ip_address

from posture.policy.operators import ConditionOperator, OperatorFamily
from posture.policy.scalars import parse_instant, parse_network, parse_number
from posture.policy.wildcards import PatternText, glob_matches, whole_arn_matches

ORDER: dict[str, Callable[[Fraction, Fraction], bool]] = {
    "equals": python.eq,
    "less": python.lt,
    "less-equal": python.le,
    "greater": python.gt,
    "greater-equal": python.ge,
}


def compare_values(operator: ConditionOperator, value: str, stated: PatternText) -> bool:
    """Tell whether the operator's test holds, its negation left aside."""
    if operator.family is OperatorFamily.ARN:
        return whole_arn_matches(stated, value)
    if operator.comparison == "like":
        return glob_matches(stated, value)
    written = "".join(each or "" for each in stated)
    if operator.family is OperatorFamily.ADDRESS:
        return _within(value, written)
    if operator.family in {OperatorFamily.NUMBER, OperatorFamily.DATE}:
        read = parse_instant if operator.family is OperatorFamily.DATE else parse_number
        left, right = read(value), read(written)
        return left is not None and right is not None and ORDER[operator.comparison](left, right)
    if operator.comparison == "ignore-case":
        return value.lower() == written.lower()
    return value == written


def _within(value: str, block: str) -> bool:
    network = parse_network(block)
    try:
        return network is not None and ip_address(value) in network
    except ValueError:
        return False
