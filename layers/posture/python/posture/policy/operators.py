"""The condition operators of IAM policies: names, value types, comparisons and quantifiers.

This module reads an operator's name. `conditions` evaluates an operator for one request;
`condition_tests` compiles it into a test for the search.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache

from posture.lean_dataclass import dataclass


class OperatorFamily(StrEnum):
    """The type of value that an operator compares."""

    STRING = "string"
    ARN = "arn"
    NUMBER = "number"
    DATE = "date"
    BOOL = "bool"
    BINARY = "binary"
    ADDRESS = "address"
    PRESENCE = "presence"  # Null
    UNKNOWN = "unknown"


class Quantifier(StrEnum):
    """How an operator treats a key with several values."""

    NONE = ""
    ALL = "ForAllValues"
    ANY = "ForAnyValue"


@dataclass(frozen=True, slots=True)
class ConditionOperator:
    """An operator, taken apart.

    `comparison` is the relation between a value of the request and one of the policy: equals,
    like, ignore-case, less, less-equal, greater or greater-equal.
    """

    written: str
    family: OperatorFamily
    comparison: str = "equals"
    negated: bool = False
    if_exists: bool = False
    quantifier: Quantifier = Quantifier.NONE

    @property
    def holds_when_absent(self) -> bool:
        """Whether the condition holds for a request without the key; Null aside."""
        if self.if_exists or self.quantifier is Quantifier.ALL:
            return True
        return self.negated and self.quantifier is Quantifier.NONE


COMPARISONS = {
    "Equals": ("equals", False),
    "NotEquals": ("equals", True),
    "LessThan": ("less", False),
    "LessThanEquals": ("less-equal", False),
    "GreaterThan": ("greater", False),
    "GreaterThanEquals": ("greater-equal", False),
}
OPERATORS: dict[str, tuple[OperatorFamily, str, bool]] = {
    "StringEquals": (OperatorFamily.STRING, "equals", False),
    "StringNotEquals": (OperatorFamily.STRING, "equals", True),
    "StringEqualsIgnoreCase": (OperatorFamily.STRING, "ignore-case", False),
    "StringNotEqualsIgnoreCase": (OperatorFamily.STRING, "ignore-case", True),
    "StringLike": (OperatorFamily.STRING, "like", False),
    "StringNotLike": (OperatorFamily.STRING, "like", True),
    # ArnEquals and ArnLike behave identically, by AWS's page on operators.
    "ArnEquals": (OperatorFamily.ARN, "like", False),
    "ArnLike": (OperatorFamily.ARN, "like", False),
    "ArnNotEquals": (OperatorFamily.ARN, "like", True),
    "ArnNotLike": (OperatorFamily.ARN, "like", True),
    "Bool": (OperatorFamily.BOOL, "ignore-case", False),
    "BinaryEquals": (OperatorFamily.BINARY, "equals", False),
    "IpAddress": (OperatorFamily.ADDRESS, "equals", False),
    "NotIpAddress": (OperatorFamily.ADDRESS, "equals", True),
    "Null": (OperatorFamily.PRESENCE, "equals", False),
    **{f"Numeric{name}": (OperatorFamily.NUMBER, *test) for name, test in COMPARISONS.items()},
    **{f"Date{name}": (OperatorFamily.DATE, *test) for name, test in COMPARISONS.items()},
}
BY_LOWER_NAME = {name.lower(): meaning for name, meaning in OPERATORS.items()}
QUANTIFIERS = {"forallvalues": Quantifier.ALL, "foranyvalue": Quantifier.ANY}
IF_EXISTS = "ifexists"


@lru_cache(maxsize=256)
def parse_operator(written: str) -> ConditionOperator:
    """Parse the name of an operator. Case is ignored.

    Returns:
        The operator; of the family UNKNOWN if AWS does not document it.
    """
    prefix, colon, rest = written.lower().rpartition(":")
    quantifier = QUANTIFIERS.get(prefix, Quantifier.NONE)
    if_exists = rest.endswith(IF_EXISTS)
    found = BY_LOWER_NAME.get(rest.removesuffix(IF_EXISTS))
    misplaced = found is not None and found[0] is OperatorFamily.PRESENCE and (if_exists or colon)
    if found is None or misplaced or (colon and quantifier is Quantifier.NONE):
        return ConditionOperator(written, OperatorFamily.UNKNOWN)
    return ConditionOperator(written, *found, if_exists, quantifier)
