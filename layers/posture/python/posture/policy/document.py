"""A parsed policy document, in which every element is a tuple of values.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
"""

from __future__ import annotations

from dataclasses import replace

from posture.lean_dataclass import dataclass
from posture.policy.operators import ConditionOperator

MAX_POLICY_CHARACTERS = 20_480  # white space included
VERSION_WITH_VARIABLES = "2012-10-17"
VERSIONS = ("2008-10-17", VERSION_WITH_VARIABLES)


LONGEST = 80  # characters of a name or value in a message


def shorten(text: str) -> str:
    """Return a text for a message, which may be as long as a policy, cut after its beginning."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


@dataclass(frozen=True, slots=True)
class Principals:
    """The principals that a statement names.

    `any_principal` is the bare `*`, which includes federated callers; `aws` may hold a `*`, too.
    """

    any_principal: bool = False
    aws: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    federated: tuple[str, ...] = ()
    canonical: tuple[str, ...] = ()

    @property
    def any_account(self) -> bool:
        """Whether the principals of every account are included."""
        return self.any_principal or "*" in self.aws


@dataclass(frozen=True, slots=True)
class Condition:
    """One operator and key with its values. `key` is as written; its case does not matter."""

    operator: ConditionOperator
    key: str
    values: tuple[str, ...]

    @property
    def lower_key(self) -> str:
        """The key as requests hold it."""
        return self.key.lower()

    def __str__(self) -> str:
        return f"{shorten(self.operator.written)} {shorten(self.key)}"


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement.

    `number` counts from 1, `line` is where the statement begins. `excludes_…` marks the Not-form
    of an element, such as NotPrincipal. `policy` names one of two policies that are compared.
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
    policy: str = ""

    def __str__(self) -> str:
        sid = f" ({shorten(self.sid)})" if self.sid else ""
        return f"statement {self.number}{sid}" + (f" of {self.policy}" if self.policy else "")


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A name that appears twice in one object."""

    name: str
    line: int


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy document. Without a Version it is of 2008-10-17, in which variables are literal.

    `name` is the one that its statements have, where two policies are compared.
    """

    statements: tuple[Statement, ...]
    version: str = VERSIONS[0]
    duplicates: tuple[Duplicate, ...] = ()
    name: str = ""

    @property
    def has_variables(self) -> bool:
        """Whether `${…}` is a policy variable."""
        return self.version == VERSION_WITH_VARIABLES


def name_policy(policy: Policy, name: str) -> Policy:
    """Return a policy with a name, which its statements have, too."""
    statements = tuple(replace(each, policy=name) for each in policy.statements)
    return replace(policy, name=name, statements=statements)


def combine_policies(policy: Policy, other: Policy) -> Policy:
    """Return a policy with the statements of two, for what does not depend on their effect."""
    statements = enumerate((*policy.statements, *other.statements), start=1)
    return Policy(
        tuple(replace(each, number=number) for number, each in statements),
        max(policy.version, other.version),
    )
