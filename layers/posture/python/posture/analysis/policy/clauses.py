"""What each element of a statement asks of a request, in one world.

A statement is a conjunction of clauses: its principals, its actions, its resources and each of its
conditions. In a world most of them are true or false outright; the rest ask something of one open
text or key.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from posture.analysis.policy import keys
from posture.analysis.policy.alphabet import ANY, IDENTITY, star, text
from posture.analysis.policy.automata import Pattern, union
from posture.analysis.policy.document import Condition, Policy, Principals, Statement
from posture.analysis.policy.operators import Family, Quantifier
from posture.analysis.policy.scalars import Network, instant, network_of, number
from posture.analysis.policy.shapes import ACTION, RESOURCE, SESSION
from posture.analysis.policy.template import (
    MANY,
    Piece,
    Variable,
    arn,
    glob,
    is_literal,
    is_whole_arn,
    pieces,
    resolved,
)
from posture.analysis.policy.values import Test
from posture.analysis.policy.world import CallerKind, Open, World, value_of

ACCOUNT = re.compile(r"\d{12}")
PRINCIPAL = re.compile(
    r"arn:(?P<partition>[a-z-]+):(?P<service>iam|sts)::(?P<account>\d{12}):(?P<name>[^*?]+)"
)
WILD = re.compile(r"arn:[a-z*-]+:(?:iam|sts)::([\d*?]+):.+")  # with a wildcard somewhere
SESSION_OF = re.compile(r"assumed-role/(?P<role>[^/]+)/(?P<session>[^/]+)")
UNIQUE_ID = re.compile(r"A[A-Z]{3}[A-Z0-9]{12,}")  # what is left of a deleted user or role
ONLY_STARS = re.compile(r"\*+")
WHATEVER = star(ANY)
WHOLE_ACCOUNT: tuple[Pattern, ...] = ((WHATEVER,),)


@dataclass(frozen=True, slots=True)
class Need:
    """A clause that holds when a test of one open key has the outcome true.

    `loose`: the test lets more pass than the clause does, for a reference in it is not resolved.
    """

    key: str
    test: Test
    loose: bool = False


@dataclass(frozen=True, slots=True)
class Opaque:
    """A clause that cannot be decided; `element` names it."""

    element: str


class Later:
    """A clause that waits for the owner or the service to be chosen."""


LATER = Later()
Truth = bool | Need | Opaque | Later


class Clauses:
    """The clauses of one policy, compiled once."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._tests: dict[tuple[int, tuple[tuple[Piece, ...], ...]], Test | Opaque] = {}

    def of(self, statement: Statement, world: World) -> list[Truth]:
        """Give the truth of each clause; just one that is false, where one is."""
        found: list[Truth] = []
        for truth in self._each(statement, world):
            if truth is False:
                return [False]
            if truth is not True:
                found.append(truth)
        return found

    def _each(self, statement: Statement, world: World) -> Iterable[Truth]:
        yield principals(statement, world)
        yield actions(statement, world)
        for condition in statement.conditions:
            yield self.condition(statement, condition, world)
        yield self.resources(statement, world)

    def resources(self, statement: Statement, world: World) -> Truth:
        """Tell what the resource must be."""
        excludes = statement.excludes_resources
        if any(ONLY_STARS.fullmatch(each) for each in statement.resources):
            return not excludes
        if not statement.resources:
            return excludes
        if world.owner is None or world.service is None:
            return LATER
        found = self._resolved(statement.resources, world, wildcards=True)
        if found is None:
            return LATER
        parts, loose = found
        test = Test(Family.STRING, union(*map(arn, parts)), negated=excludes)
        return Need(RESOURCE, test, loose)

    def condition(  # noqa: PLR0911 - one return a reason
        self, statement: Statement, condition: Condition, world: World
    ) -> Truth:
        """Tell what a key must hold."""
        if condition.operator.family is Family.UNKNOWN:
            return Opaque(f"the operator {condition.operator.written} of {statement}")
        value = value_of(condition.name, world)
        if value is Open.LATER:
            return LATER
        if value is Open.UNKNOWABLE:
            return Opaque(f"{condition.key} of {statement}")
        wildcards = condition.operator.test == "like"
        found = self._resolved(condition.values, world, wildcards=wildcards)
        if found is None:
            return LATER
        parts, loose = found
        test = self._test(condition, tuple(parts))
        if isinstance(test, Opaque):
            return replace(test, element=f"{test.element} of {statement}")
        if isinstance(value, Open):
            return Need(condition.name, test, loose)
        if loose:
            return Opaque(f"a variable in {condition} of {statement}")
        return test.holds(value)

    def _test(self, condition: Condition, parts: tuple[tuple[Piece, ...], ...]) -> Test | Opaque:
        known = id(condition), parts
        if known not in self._tests:
            self._tests[known] = test_of(condition, parts)
        return self._tests[known]

    def _resolved(
        self, values: Sequence[str], world: World, *, wildcards: bool
    ) -> tuple[list[tuple[Piece, ...]], bool] | None:
        """Resolve references, and tell whether some are left; None when one has to wait."""
        found: list[tuple[Piece, ...]] = []
        loose = False
        for value in values:
            parts = pieces(value, variables=self.policy.has_variables, wildcards=wildcards)
            known = {
                part: value_of(part.key, world) for part in parts if isinstance(part, Variable)
            }
            if Open.LATER in known.values():
                return None
            if any(isinstance(each, Open) for each in known.values()):
                loose = True
                found.append(tuple(MANY if isinstance(each, Variable) else each for each in parts))
                continue
            bound = resolved(parts, {each: _first(held) for each, held in known.items()})
            if bound is not None:  # else a reference has no value: nothing can match
                found.append(bound)
        return found, loose


def _first(value: object) -> str | None:
    return str(value[0]) if isinstance(value, tuple) and value else None


def actions(statement: Statement, world: World) -> Truth:
    """Tell what the action must be; action names are compared in any case."""
    excludes = statement.excludes_actions
    if any(ONLY_STARS.fullmatch(each) for each in statement.actions):
        return not excludes
    if world.service is None:
        return LATER
    found: list[Pattern] = []
    for each in statement.actions:
        prefix, _, name = each.lower().partition(":")
        if not union(glob(pieces(prefix, variables=False))).accepts(world.service):
            continue
        if ONLY_STARS.fullmatch(name):
            return not excludes
        found.append((*text(f"{world.service}:"), *glob(pieces(name, variables=False))))
    if not found:
        return excludes
    return Need(ACTION, Test(Family.STRING, union(*found), negated=excludes))


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


def test_of(condition: Condition, parts: Iterable[tuple[Piece, ...]]) -> Test | Opaque:
    """Give the test of a condition whose values are resolved."""
    operator = condition.operator
    absent = _when_absent(condition)
    if operator.family is Family.PRESENCE:
        return _presence(condition)
    test = Test(
        operator.family, negated=operator.negated, absent=absent, quantifier=operator.quantifier
    )
    if operator.family in {Family.NUMBER, Family.DATE, Family.ADDRESS}:
        return _bounded(condition, test, parts)
    return replace(test, texts=union(*_patterns(condition, parts)))


def _when_absent(condition: Condition) -> bool:
    operator = condition.operator
    if operator.if_exists or operator.quantifier is Quantifier.ALL:
        return True
    return operator.negated and operator.quantifier is Quantifier.NONE


def _presence(condition: Condition) -> Test | Opaque:
    wanted = {value.lower() for value in condition.values}
    if len(wanted) != 1 or not wanted <= {"true", "false"}:
        return Opaque(f"the value of {condition}")
    return Test(Family.PRESENCE, absent=wanted == {"true"})


def _patterns(condition: Condition, values: Iterable[tuple[Piece, ...]]) -> Iterable[Pattern]:
    is_principal = condition.name == keys.PRINCIPAL_ARN
    wide = IDENTITY if is_principal else ANY
    any_case = condition.operator.test == "ignore-case"
    for parts in values:
        is_arn = condition.operator.family is Family.ARN
        if is_arn and not is_whole_arn(parts) and any(part is not MANY for part in parts):
            continue  # an ARN operator takes whole ARNs, or * for any
        pattern = arn(parts, wide=wide) if is_arn else glob(parts, any_case=any_case, wide=wide)
        yield pattern
        if is_principal:
            yield (*pattern, *text(SESSION), WHATEVER)


def _bounded(
    condition: Condition, test: Test, values: Iterable[tuple[Piece, ...]]
) -> Test | Opaque:
    bounds: list[tuple[str, Fraction | Network]] = []
    for parts in values:
        written = "".join(part for part in parts if isinstance(part, str))
        bound = _bound(test.family, written) if is_literal(parts) else None
        if bound is None:
            return Opaque(f"the value {written!r} of {condition}")
        bounds.append((condition.operator.test, bound))
    return replace(test, bounds=tuple(bounds))


def _bound(family: Family, written: str) -> Fraction | Network | None:
    if family is Family.ADDRESS:
        return network_of(written)
    return instant(written) if family is Family.DATE else number(written)
