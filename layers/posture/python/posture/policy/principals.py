"""Evaluate the principals of a statement in one request case.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from posture.policy import keys
from posture.policy.automata import Pattern
from posture.policy.clause_results import ClauseResult, Requirement, Undecidable, require_match
from posture.policy.document import Principals, Statement
from posture.policy.request import CallerKind
from posture.policy.request_case import RequestCase
from posture.policy.shapes import SESSION
from posture.policy.template import compile_glob, compile_globs, parse_template
from posture.policy.tokens import ANY, IDENTITY, match_many, match_text

ACCOUNT = re.compile(r"[0-9]{12}")
PRINCIPAL_ARN = re.compile(
    r"arn:(?P<partition>[a-z-]+):(?P<service>iam|sts)::(?P<account>[0-9]{12}):(?P<name>[^*?]+)"
)
WILDCARD_ARN = re.compile(r"arn:[a-z*-]+:(?:iam|sts)::([\d*?]+):.+")
SESSION_NAME = re.compile(r"assumed-role/(?P<role>[^/]+)/(?P<session>[^/]+)")
UNIQUE_ID = re.compile(r"A[A-Z]{3}[A-Z0-9]{12,}")  # stands for a deleted user or role
REST = match_many(ANY)
WHOLE_ACCOUNT: tuple[Pattern, ...] = ((REST,),)


def evaluate_principals(statement: Statement, case: RequestCase) -> ClauseResult:
    """Return what the Principal or NotPrincipal element requires of the caller."""
    result = _evaluate_named(statement, case)
    if not statement.excludes_principals:
        return result
    if isinstance(result, Requirement):
        return replace(result, test=replace(result.test, negated=True))
    return not result if isinstance(result, bool) else result


def _evaluate_named(statement: Statement, case: RequestCase) -> ClauseResult:
    named, kind = statement.principals, case.caller.kind
    if kind is CallerKind.FEDERATED:
        if named.any_principal or "*" in named.federated or not named.federated:
            return named.any_principal or bool(named.federated)
        return require_match(keys.PROVIDER, map(match_text, named.federated))
    if named.any_account or kind is CallerKind.ANONYMOUS:
        return named.any_account
    if kind is CallerKind.SERVICE:
        return bool(named.services)
    return _evaluate_principal(named, statement, case)


def _evaluate_principal(named: Principals, statement: Statement, case: RequestCase) -> ClauseResult:
    identities = [_find_identities(each, case) for each in named.aws]
    if any(each is WHOLE_ACCOUNT for each in identities):
        return True
    patterns = [pattern for each in identities for pattern in each or ()]
    has_wildcard = any("*" in each or "?" in each for each in named.aws)
    unknown = named.canonical or any(each is None for each in identities)
    if unknown or (patterns and has_wildcard and statement.excludes_principals):
        return Undecidable(f"the principals of {statement}")
    return bool(patterns) and require_match(keys.PRINCIPAL_ARN, patterns, approximate=has_wildcard)


def _find_identities(named: str, case: RequestCase) -> tuple[Pattern, ...] | None:
    """Return the identities in the caller's account that a principal stands for; None if unknown.

    AWS accepts no wildcard here. A principal with one counts as what it would match.
    """
    account = case.caller.account
    if ACCOUNT.fullmatch(named):
        named = f"arn:{case.partition}:iam::{named}:root"
    if parts := PRINCIPAL_ARN.fullmatch(named):
        if parts["account"] != account:
            return ()
        if parts["name"] == "root" and not case.endpoint.gateway:
            return WHOLE_ACCOUNT
        return tuple(_list_identities(named, parts))
    if wild := WILDCARD_ARN.fullmatch(named):
        matches = compile_globs((wild[1],)).accepts(account)
        return ((*compile_glob(parse_template(named)), REST),) if matches else ()
    return () if UNIQUE_ID.fullmatch(named) else None


def _list_identities(whole: str, parts: re.Match[str]) -> Iterable[Pattern]:
    """Yield the identities of a principal's ARN: a role includes all its sessions."""
    session = SESSION_NAME.fullmatch(parts["name"])
    if session:
        role = match_text(f"arn:{parts['partition']}:iam::{parts['account']}:role/")
        end = match_text(f"{session['role']}{SESSION}{session['session']}")
        yield (*role, *end)
        yield (*role, match_many(IDENTITY), *match_text("/"), *end)
        return
    yield match_text(whole)
    yield (*match_text(f"{whole}{SESSION}"), REST)
