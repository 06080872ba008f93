"""Who a statement's principals are, in one world."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from posture.policy import keys
from posture.policy.automata import Pattern, compile_patterns
from posture.policy.clause_results import ClauseResult, Deferred, Requirement, Undecidable
from posture.policy.document import Principals, Statement
from posture.policy.operators import OperatorFamily
from posture.policy.request import CallerKind
from posture.policy.request_case import RequestCase
from posture.policy.shapes import SESSION
from posture.policy.template import compile_glob, parse_template
from posture.policy.tokens import ANY, IDENTITY, match_many, match_text
from posture.policy.value_tests import ValueTest

ACCOUNT = re.compile(r"\d{12}")
PRINCIPAL = re.compile(
    r"arn:(?P<partition>[a-z-]+):(?P<service>iam|sts)::(?P<account>\d{12}):(?P<name>[^*?]+)"
)
WILD = re.compile(r"arn:[a-z*-]+:(?:iam|sts)::([\d*?]+):.+")  # with a wildcard somewhere
SESSION_OF = re.compile(r"assumed-role/(?P<role>[^/]+)/(?P<session>[^/]+)")
UNIQUE_ID = re.compile(r"A[A-Z]{3}[A-Z0-9]{12,}")  # what is left of a deleted user or role
WHATEVER = match_many(ANY)
WHOLE_ACCOUNT: tuple[Pattern, ...] = ((WHATEVER,),)


def evaluate_principals(statement: Statement, case: RequestCase) -> ClauseResult:
    """Tell who the caller must be."""
    result = _named(statement, case)
    if not statement.excludes_principals or isinstance(result, (Undecidable, Deferred)):
        return result
    if isinstance(result, Requirement):
        return replace(result, test=replace(result.test, negated=True))
    return not result


def _named(statement: Statement, case: RequestCase) -> ClauseResult:
    named, kind = statement.principals, case.caller.kind
    if kind is CallerKind.FEDERATED:
        if named.any_principal or "*" in named.federated:
            return True
        providers = compile_patterns(*map(match_text, named.federated))
        return bool(named.federated) and Requirement(
            keys.PROVIDER, ValueTest(OperatorFamily.STRING, providers)
        )
    if named.any_account:
        return True
    if kind is CallerKind.SERVICE:
        return bool(named.services)
    if kind is CallerKind.ANONYMOUS:
        return False
    return _principal(named, statement, case)


def _principal(named: Principals, statement: Statement, case: RequestCase) -> ClauseResult:
    meant = [_meant(each, case) for each in named.aws]
    if any(each is WHOLE_ACCOUNT for each in meant):
        return True
    if named.canonical or any(each is None for each in meant):
        return Undecidable(f"the principals of {statement}")
    found = [pattern for each in meant for pattern in each or ()]
    approximate = any("*" in each or "?" in each for each in named.aws)
    if not found:
        return False
    if approximate and statement.excludes_principals:
        return Undecidable(f"the principals of {statement}")
    return Requirement(
        keys.PRINCIPAL_ARN, ValueTest(OperatorFamily.STRING, compile_patterns(*found)), approximate
    )


def _meant(named: str, case: RequestCase) -> tuple[Pattern, ...] | None:
    """Give the identities of the caller's account that a principal stands for.

    None where that cannot be known. AWS takes no wildcard here; if it did, it would mean these.
    """
    account = case.caller.account
    if ACCOUNT.fullmatch(named):
        named = f"arn:{case.partition}:iam::{named}:root"
    if parts := PRINCIPAL.fullmatch(named):
        if parts["account"] != account:
            return ()
        if parts["name"] == "root" and not case.endpoint.gateway:
            return WHOLE_ACCOUNT
        return tuple(_identities(named, parts))
    if wild := WILD.fullmatch(named):
        could = compile_patterns(compile_glob(parse_template(wild[1]))).accepts(account)
        return ((*compile_glob(parse_template(named)), WHATEVER),) if could else ()
    return () if UNIQUE_ID.fullmatch(named) else None


def _identities(whole: str, parts: re.Match[str]) -> Iterable[Pattern]:
    """Give the identities that a principal's ARN names: a role stands for all its sessions."""
    session = SESSION_OF.fullmatch(parts["name"])
    if session:
        role = f"arn:{parts['partition']}:iam::{parts['account']}:role/"
        behind = match_text(f"{session['role']}{SESSION}{session['session']}")
        yield (*match_text(role), *behind)
        yield (*match_text(role), match_many(IDENTITY), *match_text("/"), *behind)
        return
    yield match_text(whole)
    yield (*match_text(f"{whole}{SESSION}"), WHATEVER)
