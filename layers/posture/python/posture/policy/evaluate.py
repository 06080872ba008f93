"""Evaluate a policy for one concrete request, step by step as AWS's evaluation logic does.

An explicit deny wins, then an allow; otherwise the request is implicitly denied. This module shares
only the parsed document with the search for requests, because it confirms what that finds.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-basics.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from posture.lean_dataclass import dataclass
from posture.policy.conditions import UnsupportedElementError, condition_holds
from posture.policy.document import Policy, Statement
from posture.policy.request import CallerKind, Request
from posture.policy.wildcards import (
    ARN_FIELDS,
    glob_matches,
    resolve_all,
    resolve_resources,
    resource_matches,
)

ACCOUNT = re.compile(r"([0-9]{12})|arn:[a-z-]+:iam::([0-9]{12}):root")


@dataclass(frozen=True, slots=True)
class PolicyResult:
    """Whether a request is allowed, and the statement that allows or explicitly denies it."""

    allowed: bool
    statement: Statement | None = None


def evaluate(policy: Policy, request: Request, *, gateway: bool = False) -> PolicyResult:
    """Evaluate one request.

    Args:
        policy: The policy.
        request: The request.
        gateway: Whether the policy is attached to a gateway endpoint, where an account named as
            principal is its root user only.

    Raises:
        UnsupportedElementError: The result depends on an element that AWS does not document.
    """
    for allows in (False, True):
        statements = [each for each in policy.statements if each.allows is allows]
        applying = _find_applying(policy, statements, request, gateway=gateway)
        if applying:
            return PolicyResult(allowed=allows, statement=applying)
    return PolicyResult(allowed=False)


def _find_applying(
    policy: Policy, statements: Iterable[Statement], request: Request, *, gateway: bool
) -> Statement | None:
    """Return a statement that applies, whatever is undocumented about the others."""
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
    variables = policy.has_variables
    return (
        _names_action(statement, request.action) != statement.excludes_actions
        and _names_resource(statement, request, variables) != statement.excludes_resources
        and _names_caller(statement, request, gateway=gateway) != statement.excludes_principals
        and all(
            condition_holds(each, request.context, variables=variables)
            for each in statement.conditions
        )
    )


def _names_action(statement: Statement, action: str) -> bool:
    stated = resolve_all((each.lower() for each in statement.actions), None, wildcards=True)
    return any(glob_matches(each, action.lower()) for each in stated)


def _names_resource(statement: Statement, request: Request, variables: bool) -> bool:
    context = request.context if variables else None
    stated = resolve_resources(statement.resources, context)
    return any(resource_matches(each, request.resource) for each in stated)


def _names_caller(  # noqa: PLR0911 - one return for each kind of caller
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
    if any(_is_caller(each, request, gateway=gateway) for each in named.aws):
        return True
    if named.canonical or any(_could_be_in(request.account, each) for each in named.aws):
        raise UnsupportedElementError("a principal")
    return False


def _could_be_in(account: str, named: str) -> bool:
    """Return whether a principal with a wildcard would match an account, if AWS accepted it."""
    if "*" not in named and "?" not in named:
        return False
    fields = named.split(":")
    return len(fields) < ARN_FIELDS or "*" in fields[4] or "?" in fields[4] or fields[4] == account


def _is_caller(named: str, request: Request, *, gateway: bool) -> bool:
    """Return whether a named principal is the caller: its account, role, user or session."""
    if account := ACCOUNT.fullmatch(named):
        is_own = request.account in account.groups()
        return is_own and (not gateway or request.principal.endswith(":root"))
    if ":assumed-role/" in named:
        role = request.principal.rpartition("/")[2]
        return request.session != "" and named.endswith(
            f"::{request.account}:assumed-role/{role}/{request.session}"
        )
    return named == request.principal
