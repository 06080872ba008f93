"""The names of condition operators, taken apart.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache


class Family(StrEnum):
    """What kind of value an operator compares."""

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
    """How the values of a request are taken together."""

    NONE = ""
    ALL = "ForAllValues"
    ANY = "ForAnyValue"


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator: `test` is what holds between a request's value and one of the policy's.

    `test` is one of equals, like, ignore-case, less, less-equal, greater, greater-equal.
    """

    written: str
    family: Family
    test: str = "equals"
    negated: bool = False
    if_exists: bool = False
    quantifier: Quantifier = Quantifier.NONE


COMPARISONS = {
    "Equals": ("equals", False),
    "NotEquals": ("equals", True),
    "LessThan": ("less", False),
    "LessThanEquals": ("less-equal", False),
    "GreaterThan": ("greater", False),
    "GreaterThanEquals": ("greater-equal", False),
}
KNOWN: dict[str, tuple[Family, str, bool]] = {
    "StringEquals": (Family.STRING, "equals", False),
    "StringNotEquals": (Family.STRING, "equals", True),
    "StringEqualsIgnoreCase": (Family.STRING, "ignore-case", False),
    "StringNotEqualsIgnoreCase": (Family.STRING, "ignore-case", True),
    "StringLike": (Family.STRING, "like", False),
    "StringNotLike": (Family.STRING, "like", True),
    # ArnEquals and ArnLike behave identically, by AWS's page on operators.
    "ArnEquals": (Family.ARN, "like", False),
    "ArnLike": (Family.ARN, "like", False),
    "ArnNotEquals": (Family.ARN, "like", True),
    "ArnNotLike": (Family.ARN, "like", True),
    "Bool": (Family.BOOL, "ignore-case", False),
    "BinaryEquals": (Family.BINARY, "equals", False),
    "IpAddress": (Family.ADDRESS, "equals", False),
    "NotIpAddress": (Family.ADDRESS, "equals", True),
    "Null": (Family.PRESENCE, "equals", False),
    **{f"Numeric{name}": (Family.NUMBER, *test) for name, test in COMPARISONS.items()},
    **{f"Date{name}": (Family.DATE, *test) for name, test in COMPARISONS.items()},
}
BY_NAME = {name.lower(): meaning for name, meaning in KNOWN.items()}
QUANTIFIERS = {"forallvalues": Quantifier.ALL, "foranyvalue": Quantifier.ANY}
IF_EXISTS = "ifexists"


@lru_cache(maxsize=256)
def operator(written: str) -> Operator:
    """Take the name of an operator apart; one that nobody knows is of an unknown family."""
    prefix, colon, rest = written.lower().rpartition(":")
    quantifier = QUANTIFIERS.get(prefix, Quantifier.NONE)
    if_exists = rest.endswith(IF_EXISTS)
    found = BY_NAME.get(rest.removesuffix(IF_EXISTS))
    misplaced = found is not None and found[0] is Family.PRESENCE and (if_exists or colon)
    if found is None or misplaced or (colon and quantifier is Quantifier.NONE):
        return Operator(written, Family.UNKNOWN)
    family, test, negated = found
    return Operator(written, family, test, negated, if_exists, quantifier)
