"""Looks for a request that a policy lets through: world by world, then text by text.

In a world the policy asks for one statement that allows whose clauses all hold, and for one clause
of each statement that denies that does not. What is open is chosen so that it meets all of that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

from posture.policy import keys
from posture.policy import service_actions as catalogue
from posture.policy.alphabet import text
from posture.policy.automata import Budget, ExhaustedError, Union, union
from posture.policy.cases import Cases, Question
from posture.policy.clauses import Clauses
from posture.policy.document import Statement
from posture.policy.ownership import presumed_own
from posture.policy.request_case import (
    CallerKind,
    Constant,
    OwnerKind,
    World,
    presence,
)
from posture.policy.shapes import ACTION, RESOURCE, hints_of, named_actions, shape_of
from posture.policy.trust import Site
from posture.policy.truth import LATER, Need, Opaque, Truth
from posture.policy.values import Room, Wanted, choose

EVERYTHING = Question("full_access")
Chosen = Mapping[str, Constant]
BOOLEANS = union(text("true"), text("false"))
Needs = dict[str, tuple[Wanted, ...]]


@dataclass(frozen=True, slots=True)
class Found:
    """A world, what was chosen in it, and the statement that lets it through."""

    world: World
    chosen: Chosen
    statement: Statement | None


class Search:
    """One search of a policy at one endpoint.

    `loose`: what cannot be decided is taken to be as it suits, so that nothing found proves that
    nothing exists, and something found proves nothing; `unclear` names what was taken so.
    """

    def __init__(
        self,
        cases: Cases,
        clauses: Clauses,
        budget: Budget,
        now: Fraction | None,
        avoiding: Union | None = None,
    ) -> None:
        self.cases = cases
        self.clauses = clauses
        self.budget = budget
        self.now = now
        self.avoiding = avoiding  # actions that do not count
        self.unclear: dict[str, None] = {}
        statements = cases.policy.statements
        self.allows = [each for each in statements if each.allows]
        self.denies = [each for each in statements if not each.allows]

    def find(
        self, question: Question, site: Site, assigned: Mapping[str, str | None], *, loose: bool
    ) -> Found | None:
        """Give a request that counts and is let through, or nothing.

        A statement that takes too long does not keep the others from being looked at: each has its
        share, and those that need more come last.

        Raises:
            ExhaustedError: no other statement lets one through, and there is not enough for these.
        """

        def look(statement: Statement) -> Found | None:
            for world in self._worlds(question, statement, site, assigned, loose=loose):
                chosen = self._in(world, question, statement, self.denies, loose=loose)
                if chosen is not None:
                    return Found(world, chosen, statement)
            return None

        late: list[Statement] = []
        for at, statement in enumerate(self.allows):
            try:
                with self.budget.share(len(self.allows) - at):
                    found = look(statement)
            except ExhaustedError:
                late.append(statement)
            else:
                if found:
                    return found
        return next(filter(None, map(look, late)), None)

    def find_refused(
        self, site: Site, assigned: Mapping[str, str | None], *, loose: bool
    ) -> Found | None:
        """Give a request of a principal or of nobody that is not let through, or nothing.

        It is one that a statement denies, or one that no statement allows.
        """
        for world in self._every_world(site, assigned):
            for deny in self.denies:
                if chosen := self._in(world, EVERYTHING, deny, (), loose=loose):
                    return Found(world, chosen, deny)
            if chosen := self._in(world, EVERYTHING, None, self.allows, loose=loose):
                return Found(world, chosen, None)
        return None

    def _every_world(self, site: Site, assigned: Mapping[str, str | None]) -> Iterator[World]:
        for caller, owner in product(self.cases.callers(), self.cases.owners):
            pair = self.cases.together(caller, owner)
            if pair is not None and caller.kind is not CallerKind.FEDERATED:
                for service in self.cases.services(None, *pair):
                    yield World(site, self.cases.partition, *pair, service, assigned)

    def _worlds(
        self,
        question: Question,
        statement: Statement,
        site: Site,
        assigned: Mapping[str, str | None],
        *,
        loose: bool,
    ) -> Iterator[World]:
        trust, partition = self.cases.trust, self.cases.partition
        for caller in self.cases.callers(services=question.services, forwarded=question.forwarded):
            early = World(site, partition, caller, None, None, assigned)
            if not question.of_caller(caller, trust) or not self._open(
                statement, early, loose=loose
            ):
                continue
            for owner in self.cases.owners:
                pair = self.cases.together(caller, owner)
                if pair is None or not question.counts(*pair, trust):
                    continue
                world = World(site, partition, *pair, None, assigned)
                if self._open(statement, world, loose=loose):
                    for service in self.cases.services(statement, *pair):
                        yield World(site, partition, *pair, service, assigned)

    def _open(self, statement: Statement, world: World, *, loose: bool) -> bool:
        """Tell whether anything may get through in a world that is not complete yet."""
        self.budget.spend()
        allowing = self.clauses.of(statement, world)
        if allowing == [False]:
            return False
        opaque = [each.element for each in allowing if isinstance(each, Opaque)]
        self.unclear.update(dict.fromkeys(opaque))
        if opaque and not loose:
            return False
        return all(self.clauses.of(each, world) for each in self.denies)

    def _in(
        self,
        world: World,
        question: Question,
        statement: Statement | None,
        against: Sequence[Statement],
        *,
        loose: bool,
    ) -> Chosen | None:
        """Choose what is open so that one statement applies, and none of those `against`."""
        self.budget.spend()
        needs: Needs = {ACTION: (), RESOURCE: ()}
        if world.caller.kind is CallerKind.PRINCIPAL:
            needs[keys.PRINCIPAL_ARN] = ()
        for truth in self.clauses.of(statement, world) if statement else ():
            if truth is False or truth is LATER:
                return None
            if isinstance(truth, Opaque):
                self.unclear[truth.element] = None
                if not loose:
                    return None
            if isinstance(truth, Need):
                if truth.loose:
                    self.unclear[_element(truth, statement)] = None
                    if not loose:
                        return None
                needs[truth.key] = (*needs.get(truth.key, ()), (truth.test, True))
        choices = self._choices(world, against, loose=loose)
        if choices is None:
            return None
        rooms = _Rooms(self, world, question, statement)
        return self._chosen(needs, choices, rooms)

    def _choices(
        self, world: World, against: Sequence[Statement], *, loose: bool
    ) -> list[list[Need]] | None:
        """Give the clauses of each statement one of which must fail; None where none can."""
        found: list[list[Need]] = []
        for each_of in against:
            truths = self.clauses.of(each_of, world)
            if truths == [False]:
                continue
            sure = [each for each in truths if isinstance(each, Need) and not each.loose]
            vague = [each for each in truths if not any(each is one for one in sure)]
            for each in vague:
                self.unclear[_element(each, each_of)] = None
            if vague and loose:
                continue
            if not sure:
                return None
            found.append(sure)
        return sorted(found, key=len)

    def _chosen(self, needs: Needs, choices: list[list[Need]], rooms: _Rooms) -> Chosen | None:
        """Let one clause of every deny fail, going back where that leaves nothing to choose."""
        if not all(rooms.values(key, wanted) for key, wanted in needs.items()):
            return None
        if not choices:
            return {key: rooms.values(key, wanted)[0] for key, wanted in needs.items()}
        for need in choices[0]:
            self.budget.spend()
            wanted = (*needs.get(need.key, ()), (need.test, False))
            found = self._chosen({**needs, need.key: wanted}, choices[1:], rooms)
            if found is not None:
                return found
        return None


def _element(truth: Truth, statement: Statement | None) -> str:
    if isinstance(truth, Opaque):
        return truth.element
    is_principal = isinstance(truth, Need) and truth.key == keys.PRINCIPAL_ARN
    return f"{'a principal' if is_principal else 'a variable'} of {statement}"


class _Rooms:
    """What each open key may hold in one world, and what was found for it."""

    def __init__(
        self, search: Search, world: World, question: Question, statement: Statement | None
    ) -> None:
        self.search = search
        self.world = world
        self.question = question
        self.statement = statement
        self._rooms: dict[str, Room] = {}
        self._found: dict[tuple[str, frozenset[Wanted]], list[Constant]] = {}

    def values(self, key: str, wanted: tuple[Wanted, ...]) -> list[Constant]:
        """Give a value that meets every test, as a list of at most one."""
        known = key, frozenset(wanted)
        if known not in self._found:
            if key not in self._rooms:
                self._rooms[key] = self._room(key)
            self._found[known] = choose(key, wanted, self._rooms[key], self.search.budget)
        return self._found[known]

    def _room(self, key: str) -> Room:
        world = self.world
        shape, hints = shape_of(key, world), hints_of(key, world)
        if key == ACTION:
            shape = _actions(world) or shape
            return Room(shape, tuple(self._no_actions()), keys.Presence.ALWAYS, hints=hints)
        if key == RESOURCE:
            avoiding: tuple[Union, ...] = ()
            if self.statement and self.question.resource and not self.search.cases.trust.strict:
                own = presumed_own(self.statement, self.search.denies, world, self.search.cases)
                avoiding = (own,) if own else ()
            return Room(shape, avoiding, keys.Presence.ALWAYS, hints=hints)
        if key in keys.BOOLEAN:
            return Room(BOOLEANS, (), presence(key, world.caller), hints=("true", "false"))
        several = key in keys.MULTIVALUED or not (
            keys.is_single(key) or key in keys.FIXED or key.startswith("aws:")
        )
        least = self.search.now if key in {keys.NOW, keys.EPOCH} else None
        return Room(
            shape, (), presence(key, world.caller), several=several, hints=hints, least=least
        )

    def _no_actions(self) -> Iterator[Union]:
        """Give the actions that belong to other worlds than this one."""
        service, owner = self.world.service or "", self.world.owner
        if self.search.avoiding is not None:
            yield self.search.avoiding
        if owner is None:
            return
        if owner.kind is not OwnerKind.CALLER and service in catalogue.WITHOUT_RESOURCE:
            yield named_actions(service, catalogue.WITHOUT_RESOURCE[service])
        if service == "sts" and self.world.caller.kind is not CallerKind.FEDERATED:
            yield named_actions(service, catalogue.FEDERATED)
        keyless = catalogue.WITHOUT_OWNER_KEYS.get(service)
        if keyless and owner.keyed and self.search.cases.tells_owners:
            yield named_actions(service, keyless)


def _actions(world: World) -> Union | None:
    """Give the actions of the worlds that have just a few."""
    service, owner = world.service or "", world.owner
    if world.caller.kind is CallerKind.FEDERATED:
        return named_actions(service, catalogue.FEDERATED)
    if owner and owner.kind is OwnerKind.CALLER:
        return named_actions(service, catalogue.WITHOUT_RESOURCE[service])
    if owner and not owner.keyed:
        return named_actions(service, catalogue.WITHOUT_OWNER_KEYS[service])
    return None
