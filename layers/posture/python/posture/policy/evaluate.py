"""Whether a policy allows one concrete request: AWS's evaluation logic, written straight down.

It shares nothing with the decision procedure but the parsed document, for it is there to check
what that finds: an explicit deny wins, then an allow, else it is denied.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-basics.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from posture.policy.conditions import compare_values
from posture.policy.document import Condition, Policy, Statement
from posture.policy.operators import OperatorFamily, Quantifier
from posture.policy.request import CallerKind, Request
from posture.policy.wildcards import (
    PatternText,
    arn_matches,
    glob_matches,
    parse_pattern,
    resolve_text,
)

Context = Mapping[str, tuple[str, ...]]


class UnsupportedElementError(Exception):
    """An operator or principal that AWS's documentation does not describe."""


@dataclass(frozen=True, slots=True)
class PolicyResult:
    """Whether a request is allowed, and by which statement it is allowed or explicitly denied."""

    allowed: bool
    statement: Statement | None = None


def evaluate(policy: Policy, request: Request, *, gateway: bool = False) -> PolicyResult:
    """Evaluate one request.

    Raises:
        UnsupportedElementError: the outcome depends on something nobody documents.
    """
    for allows in (False, True):
        statements = [each for each in policy.statements if each.allows is allows]
        applying = _first_applying(policy, statements, request, gateway=gateway)
        if applying:
            return PolicyResult(allowed=allows, statement=applying)
    return PolicyResult(allowed=False)


def _first_applying(
    policy: Policy, statements: Iterable[Statement], request: Request, *, gateway: bool
) -> Statement | None:
    """Give a statement that applies; what is not documented of others does not matter then."""
    unsupported: UnsupportedElementError | None = None
    for statement in statements:
        try:
            if _applies(policy, statement, request, gateway=gateway):
                return statement
        except UnsupportedElementError as error:
            unsupported = error
    if unsupported:
        raise unsupported
    return None


def _applies(policy: Policy, statement: Statement, request: Request, *, gateway: bool) -> bool:
    return (
        _action(statement, request.action)
        and _resource(policy, statement, request)
        and _principal(statement, request, gateway=gateway) != statement.excludes_principals
        and all(_condition(policy, each, request.context) for each in statement.conditions)
    )


def _action(statement: Statement, action: str) -> bool:
    named = any(
        glob_matches(parse_pattern(each.lower()), action.lower()) for each in statement.actions
    )
    return named != statement.excludes_actions


def _resource(policy: Policy, statement: Statement, request: Request) -> bool:
    named = any(
        text is not None and arn_matches(text, request.resource)
        for text in _texts(policy, statement.resources, request.context, wildcards=True)
    )
    return named != statement.excludes_resources


def _texts(
    policy: Policy, values: Iterable[str], context: Context, *, wildcards: bool
) -> list[PatternText | None]:
    """Resolve the variables of some values; None where one has no value."""
    found = context if policy.has_variables else None
    return [resolve_text(value, found, wildcards=wildcards) for value in values]


# --- who -----------------------------------------------------------------------------------------


def _principal(  # noqa: PLR0911 - one return a kind of caller
    statement: Statement, request: Request, *, gateway: bool
) -> bool:
    named = statement.principals
    if named.any_principal:
        return True
    if request.kind is CallerKind.FEDERATED:
        provider = request.context.get("aws:federatedprovider", ("",))[0]
        return "*" in named.federated or provider in named.federated
    if "*" in named.aws:
        return True
    if request.kind is CallerKind.SERVICE:
        return bool(named.services)
    if request.kind is CallerKind.ANONYMOUS:
        return False
    if any(_identity(each, request, gateway=gateway) for each in named.aws):
        return True
    if named.canonical or any(_may_mean(each, request.account) for each in named.aws):
        raise UnsupportedElementError("a principal")
    return False


def _may_mean(named: str, account: str) -> bool:
    """Tell whether a principal with a wildcard would mean one of an account, if AWS took it."""
    if "*" not in named and "?" not in named:
        return False
    fields = named.split(":")
    return len(fields) < 6 or "*" in fields[4] or "?" in fields[4] or fields[4] == account  # noqa: PLR2004 - an ARN has six


def _identity(named: str, request: Request, *, gateway: bool) -> bool:
    if re.fullmatch(r"\d{12}", named):
        whole_account = named == request.account
        is_account = True
    else:
        found = re.fullmatch(r"arn:[a-z-]+:iam::(\d{12}):root", named)
        is_account = found is not None
        whole_account = found is not None and found[1] == request.account
    if is_account:
        return whole_account and (not gateway or request.principal.endswith(":root"))
    if ":assumed-role/" in named:
        role = request.principal.rpartition("/")[2]
        return request.session != "" and named.endswith(
            f"::{request.account}:assumed-role/{role}/{request.session}"
        )
    return named == request.principal


# --- under which conditions ----------------------------------------------------------------------


def _condition(policy: Policy, condition: Condition, context: Context) -> bool:
    operator = condition.operator
    if operator.family is OperatorFamily.UNKNOWN:
        raise UnsupportedElementError(operator.written)
    values = context.get(condition.lower_key)
    if operator.family is OperatorFamily.PRESENCE:
        return any((value.lower() == "true") == (values is None) for value in condition.values)
    if values is None or (not values and operator.quantifier is not Quantifier.NONE):
        if operator.quantifier is Quantifier.ALL or operator.if_exists:
            return True
        return operator.negated and operator.quantifier is Quantifier.NONE
    stated = [
        text
        for text in _texts(
            policy, condition.values, context, wildcards=operator.comparison == "like"
        )
        if text is not None
    ]
    passing = [
        any(compare_values(operator, value, each) for each in stated) != operator.negated
        for value in values
    ]
    if operator.quantifier is Quantifier.ALL:
        return all(passing)
    if operator.quantifier is Quantifier.ANY:
        return any(passing)
    return all(passing) if operator.negated else any(passing)
