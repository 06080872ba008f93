"""A policy document as its author wrote it, every scalar a list of one.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
"""

from __future__ import annotations

from dataclasses import dataclass, field

from posture.policy.operators import ConditionOperator

MAX_POLICY_CHARACTERS = 20_480  # characters, white space included
VERSION_WITH_VARIABLES = "2012-10-17"
VERSIONS = ("2008-10-17", VERSION_WITH_VARIABLES)


@dataclass(frozen=True, slots=True)
class Principals:
    """Whom a statement names. `everybody` is the bare `*`; `aws` may hold a `*`, too."""

    any_principal: bool = False
    aws: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    federated: tuple[str, ...] = ()
    canonical: tuple[str, ...] = ()

    @property
    def any_account(self) -> bool:
        """Whether every account's principals are meant."""
        return self.any_principal or "*" in self.aws


@dataclass(frozen=True, slots=True)
class Condition:
    """One operator and key with its values; the key as it is written, to be read in any case."""

    operator: ConditionOperator
    key: str
    values: tuple[str, ...]

    @property
    def lower_key(self) -> str:
        """The key as it is compared."""
        return self.key.lower()

    def __str__(self) -> str:
        return f"{self.operator.written} {self.key}"


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement; `number` counts from 1. Each `excludes_…` tells the Not-form of the element.

    `line` is where it begins in the text.
    """

    number: int
    allows: bool
    principals: Principals
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: tuple[Condition, ...] = ()
    excludes_principals: bool = False
    excludes_actions: bool = False
    excludes_resources: bool = False
    sid: str = ""
    line: int = 1

    def __str__(self) -> str:
        return f"statement {self.number}" + (f" ({self.sid})" if self.sid else "")


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A name that stands twice in one object."""

    name: str
    line: int


@dataclass(frozen=True, slots=True)
class Policy:
    """A whole document. Without a version it is of 2008, and variables are literal text."""

    statements: tuple[Statement, ...]
    version: str = VERSIONS[0]
    duplicates: tuple[Duplicate, ...] = field(default=())

    @property
    def has_variables(self) -> bool:
        """Whether `${…}` means something."""
        return self.version == VERSION_WITH_VARIABLES
