"""One value of a request against one of a policy, for the plain evaluator.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from __future__ import annotations

import operator as python
from collections.abc import Callable
from fractions import Fraction
from ipaddress import ip_address

from posture.policy.operators import Family, Operator
from posture.policy.scalars import instant, network_of, number
from posture.policy.wildcards import Text, glob_matches, whole_arn_matches

ORDER: dict[str, Callable[[Fraction, Fraction], bool]] = {
    "equals": python.eq,
    "less": python.lt,
    "less-equal": python.le,
    "greater": python.gt,
    "greater-equal": python.ge,
}


def compare(operator: Operator, value: str, stated: Text) -> bool:
    """Tell whether the operator's test holds, its negation left aside."""
    if operator.family is Family.ARN:
        return whole_arn_matches(stated, value)
    if operator.test == "like":
        return glob_matches(stated, value)
    written = "".join(each or "" for each in stated)
    if operator.family is Family.ADDRESS:
        return _within(value, written)
    if operator.family in {Family.NUMBER, Family.DATE}:
        read = instant if operator.family is Family.DATE else number
        left, right = read(value), read(written)
        return left is not None and right is not None and ORDER[operator.test](left, right)
    if operator.test == "ignore-case":
        return value.lower() == written.lower()
    return value == written


def _within(value: str, block: str) -> bool:
    network = network_of(block)
    try:
        return network is not None and ip_address(value) in network
    except ValueError:
        return False
