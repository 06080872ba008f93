"""Who a statement's principals are, in one world."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from posture.policy import keys
from posture.policy.alphabet import ANY, IDENTITY, star, text
from posture.policy.automata import Pattern, union
from posture.policy.document import Principals, Statement
from posture.policy.operators import Family
from posture.policy.request_case import CallerKind, World
from posture.policy.shapes import SESSION
from posture.policy.template import glob, pieces
from posture.policy.truth import Later, Need, Opaque, Truth
from posture.policy.values import Test

ACCOUNT = re.compile(r"\d{12}")
PRINCIPAL = re.compile(
    r"arn:(?P<partition>[a-z-]+):(?P<service>iam|sts)::(?P<account>\d{12}):(?P<name>[^*?]+)"
)
WILD = re.compile(r"arn:[a-z*-]+:(?:iam|sts)::([\d*?]+):.+")  # with a wildcard somewhere
SESSION_OF = re.compile(r"assumed-role/(?P<role>[^/]+)/(?P<session>[^/]+)")
UNIQUE_ID = re.compile(r"A[A-Z]{3}[A-Z0-9]{12,}")  # what is left of a deleted user or role
WHATEVER = star(ANY)
WHOLE_ACCOUNT: tuple[Pattern, ...] = ((WHATEVER,),)


def principals(statement: Statement, world: World) -> Truth:
    """Tell who the caller must be."""
    truth = _named(statement, world)
    if not statement.excludes_principals or isinstance(truth, (Opaque, Later)):
        return truth
    if isinstance(truth, Need):
        return replace(truth, test=replace(truth.test, negated=True))
    return not truth


def _named(statement: Statement, world: World) -> Truth:
    named, kind = statement.principals, world.caller.kind
    if kind is CallerKind.FEDERATED:
        if named.everybody or "*" in named.federated:
            return True
        providers = union(*map(text, named.federated))
        return bool(named.federated) and Need(keys.PROVIDER, Test(Family.STRING, providers))
    if named.anybody:
        return True
    if kind is CallerKind.SERVICE:
        return bool(named.services)
    if kind is CallerKind.ANONYMOUS:
        return False
    return _principal(named, statement, world)


def _principal(named: Principals, statement: Statement, world: World) -> Truth:
    meant = [_meant(each, world) for each in named.aws]
    if any(each is WHOLE_ACCOUNT for each in meant):
        return True
    if named.canonical or any(each is None for each in meant):
        return Opaque(f"the principals of {statement}")
    found = [pattern for each in meant for pattern in each or ()]
    loose = any("*" in each or "?" in each for each in named.aws)
    if not found:
        return False
    if loose and statement.excludes_principals:
        return Opaque(f"the principals of {statement}")
    return Need(keys.PRINCIPAL_ARN, Test(Family.STRING, union(*found)), loose)


def _meant(named: str, world: World) -> tuple[Pattern, ...] | None:
    """Give the identities of the caller's account that a principal stands for.

    None where that cannot be known. AWS takes no wildcard here; if it did, it would mean these.
    """
    account = world.caller.account
    if ACCOUNT.fullmatch(named):
        named = f"arn:{world.partition}:iam::{named}:root"
    if parts := PRINCIPAL.fullmatch(named):
        if parts["account"] != account:
            return ()
        if parts["name"] == "root" and not world.site.gateway:
            return WHOLE_ACCOUNT
        return tuple(_identities(named, parts))
    if wild := WILD.fullmatch(named):
        could = union(glob(pieces(wild[1], variables=False))).accepts(account)
        return ((*glob(pieces(named, variables=False)), WHATEVER),) if could else ()
    return () if UNIQUE_ID.fullmatch(named) else None


def _identities(whole: str, parts: re.Match[str]) -> Iterable[Pattern]:
    """Give the identities that a principal's ARN names: a role stands for all its sessions."""
    session = SESSION_OF.fullmatch(parts["name"])
    if session:
        role = f"arn:{parts['partition']}:iam::{parts['account']}:role/"
        behind = text(f"{session['role']}{SESSION}{session['session']}")
        yield (*text(role), *behind)
        yield (*text(role), star(IDENTITY), *text("/"), *behind)
        return
    yield text(whole)
    yield (*text(f"{whole}{SESSION}"), WHATEVER)
