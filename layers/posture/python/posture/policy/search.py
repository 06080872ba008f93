"""Looks for a request that a policy lets through: world by world, then text by text.

In a world the policy asks for one statement that allows whose clauses all hold, and for one clause
of each statement that denies that does not. What is open is chosen so that it meets all of that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

from posture.policy import keys, service_actions
from posture.policy.automata import BudgetExceededError, PatternSet, SearchBudget, compile_patterns
from posture.policy.case_enumeration import CaseEnumeration, Question
from posture.policy.clause_results import DEFERRED, ClauseResult, Requirement, Undecidable
from posture.policy.clauses import ClauseEvaluator
from posture.policy.document import Statement
from posture.policy.ownership import find_presumed_own
from posture.policy.policy_check import EndpointContext
from posture.policy.request import CallerKind
from posture.policy.request_case import KeyValues, OwnerKind, RequestCase, find_presence
from posture.policy.shapes import ACTION, RESOURCE, find_hints, find_shape, match_named_actions
from posture.policy.tokens import match_text
from posture.policy.value_tests import RequiredOutcome, ValueDomain, choose_value

EVERYTHING = Question("full_access")
ChosenValues = Mapping[str, KeyValues]
BOOLEANS = compile_patterns(match_text("true"), match_text("false"))
Needs = dict[str, tuple[RequiredOutcome, ...]]


@dataclass(frozen=True, slots=True)
class FoundRequest:
    """A world, what was chosen in it, and the statement that lets it through."""

    world: RequestCase
    chosen: ChosenValues
    statement: Statement | None


class RequestSearch:
    """One search of a policy at one endpoint.

    `loose`: what cannot be decided is taken to be as it suits, so that nothing found proves that
    nothing exists, and something found proves nothing; `unclear` names what was taken so.
    """

    def __init__(
        self,
        cases: CaseEnumeration,
        clauses: ClauseEvaluator,
        budget: SearchBudget,
        now: Fraction | None,
        avoiding: PatternSet | None = None,
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
        self,
        question: Question,
        site: EndpointContext,
        assigned: Mapping[str, str | None],
        *,
        loose: bool,
    ) -> FoundRequest | None:
        """Give a request that counts and is let through, or nothing.

        A statement that takes too long does not keep the others from being looked at: each has its
        share, and those that need more come last.

        Raises:
            ExhaustedError: no other statement lets one through, and there is not enough for these.
        """

        def look(statement: Statement) -> FoundRequest | None:
            for world in self._worlds(question, statement, site, assigned, loose=loose):
                chosen = self._in(world, question, statement, self.denies, loose=loose)
                if chosen is not None:
                    return FoundRequest(world, chosen, statement)
            return None

        late: list[Statement] = []
        for at, statement in enumerate(self.allows):
            try:
                with self.budget.share(len(self.allows) - at):
                    found = look(statement)
            except BudgetExceededError:
                late.append(statement)
            else:
                if found:
                    return found
        return next(filter(None, map(look, late)), None)

    def find_refused(
        self, site: EndpointContext, assigned: Mapping[str, str | None], *, loose: bool
    ) -> FoundRequest | None:
        """Give a request of a principal or of nobody that is not let through, or nothing.

        It is one that a statement denies, or one that no statement allows.
        """
        for world in self._every_world(site, assigned):
            for deny in self.denies:
                if chosen := self._in(world, EVERYTHING, deny, (), loose=loose):
                    return FoundRequest(world, chosen, deny)
            if chosen := self._in(world, EVERYTHING, None, self.allows, loose=loose):
                return FoundRequest(world, chosen, None)
        return None

    def _every_world(
        self, site: EndpointContext, assigned: Mapping[str, str | None]
    ) -> Iterator[RequestCase]:
        for caller, owner in product(self.cases.callers(), self.cases.owners):
            pair = self.cases.together(caller, owner)
            if pair is not None and caller.kind is not CallerKind.FEDERATED:
                for service in self.cases.services(None, *pair):
                    yield RequestCase(site, self.cases.partition, *pair, service, assigned)

    def _worlds(
        self,
        question: Question,
        statement: Statement,
        site: EndpointContext,
        assigned: Mapping[str, str | None],
        *,
        loose: bool,
    ) -> Iterator[RequestCase]:
        trust, partition = self.cases.trust, self.cases.partition
        for caller in self.cases.callers(services=question.services, forwarded=question.forwarded):
            early = RequestCase(site, partition, caller, None, None, assigned)
            if not question.of_caller(caller, trust) or not self._open(
                statement, early, loose=loose
            ):
                continue
            for owner in self.cases.owners:
                pair = self.cases.together(caller, owner)
                if pair is None or not question.counts(*pair, trust):
                    continue
                world = RequestCase(site, partition, *pair, None, assigned)
                if self._open(statement, world, loose=loose):
                    for service in self.cases.services(statement, *pair):
                        yield RequestCase(site, partition, *pair, service, assigned)

    def _open(self, statement: Statement, world: RequestCase, *, loose: bool) -> bool:
        """Tell whether anything may get through in a world that is not complete yet."""
        self.budget.spend()
        allowing = self.clauses.of(statement, world)
        if allowing == [False]:
            return False
        opaque = [each.element for each in allowing if isinstance(each, Undecidable)]
        self.unclear.update(dict.fromkeys(opaque))
        if opaque and not loose:
            return False
        return all(self.clauses.of(each, world) for each in self.denies)

    def _in(
        self,
        world: RequestCase,
        question: Question,
        statement: Statement | None,
        against: Sequence[Statement],
        *,
        loose: bool,
    ) -> ChosenValues | None:
        """Choose what is open so that one statement applies, and none of those `against`."""
        self.budget.spend()
        needs: Needs = {ACTION: (), RESOURCE: ()}
        if world.caller.kind is CallerKind.PRINCIPAL:
            needs[keys.PRINCIPAL_ARN] = ()
        for truth in self.clauses.of(statement, world) if statement else ():
            if truth is False or truth is DEFERRED:
                return None
            if isinstance(truth, Undecidable):
                self.unclear[truth.element] = None
                if not loose:
                    return None
            if isinstance(truth, Requirement):
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
        self, world: RequestCase, against: Sequence[Statement], *, loose: bool
    ) -> list[list[Requirement]] | None:
        """Give the clauses of each statement one of which must fail; None where none can."""
        found: list[list[Requirement]] = []
        for each_of in against:
            truths = self.clauses.of(each_of, world)
            if truths == [False]:
                continue
            sure = [each for each in truths if isinstance(each, Requirement) and not each.loose]
            vague = [each for each in truths if not any(each is one for one in sure)]
            for each in vague:
                self.unclear[_element(each, each_of)] = None
            if vague and loose:
                continue
            if not sure:
                return None
            found.append(sure)
        return sorted(found, key=len)

    def _chosen(
        self, needs: Needs, choices: list[list[Requirement]], rooms: _Rooms
    ) -> ChosenValues | None:
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


def _element(truth: ClauseResult, statement: Statement | None) -> str:
    if isinstance(truth, Undecidable):
        return truth.element
    is_principal = isinstance(truth, Requirement) and truth.key == keys.PRINCIPAL_ARN
    return f"{'a principal' if is_principal else 'a variable'} of {statement}"


class _Rooms:
    """What each open key may hold in one world, and what was found for it."""

    def __init__(
        self,
        search: RequestSearch,
        world: RequestCase,
        question: Question,
        statement: Statement | None,
    ) -> None:
        self.search = search
        self.world = world
        self.question = question
        self.statement = statement
        self._rooms: dict[str, ValueDomain] = {}
        self._found: dict[tuple[str, frozenset[RequiredOutcome]], list[KeyValues]] = {}

    def values(self, key: str, wanted: tuple[RequiredOutcome, ...]) -> list[KeyValues]:
        """Give a value that meets every test, as a list of at most one."""
        known = key, frozenset(wanted)
        if known not in self._found:
            if key not in self._rooms:
                self._rooms[key] = self._room(key)
            self._found[known] = choose_value(key, wanted, self._rooms[key], self.search.budget)
        return self._found[known]

    def _room(self, key: str) -> ValueDomain:
        world = self.world
        shape, hints = find_shape(key, world), find_hints(key, world)
        if key == ACTION:
            shape = _actions(world) or shape
            return ValueDomain(
                shape, tuple(self._no_actions()), keys.KeyPresence.ALWAYS, hints=hints
            )
        if key == RESOURCE:
            avoiding: tuple[PatternSet, ...] = ()
            if self.statement and self.question.resource and not self.search.cases.trust.strict:
                own = find_presumed_own(
                    self.statement, self.search.denies, world, self.search.cases
                )
                avoiding = (own,) if own else ()
            return ValueDomain(shape, avoiding, keys.KeyPresence.ALWAYS, hints=hints)
        if key in keys.BOOLEAN:
            return ValueDomain(
                BOOLEANS, (), find_presence(key, world.caller), hints=("true", "false")
            )
        several = key in keys.MULTIVALUED or not (
            keys.is_single(key) or key in keys.FIXED or key.startswith("aws:")
        )
        least = self.search.now if key in {keys.NOW, keys.EPOCH} else None
        return ValueDomain(
            shape, (), find_presence(key, world.caller), several=several, hints=hints, least=least
        )

    def _no_actions(self) -> Iterator[PatternSet]:
        """Give the actions that belong to other worlds than this one."""
        service, owner = self.world.service or "", self.world.owner
        if self.search.avoiding is not None:
            yield self.search.avoiding
        if owner is None:
            return
        if owner.kind is not OwnerKind.CALLER and service in service_actions.WITHOUT_RESOURCE:
            yield match_named_actions(service, service_actions.WITHOUT_RESOURCE[service])
        if service == "sts" and self.world.caller.kind is not CallerKind.FEDERATED:
            yield match_named_actions(service, service_actions.FEDERATED)
        keyless = service_actions.WITHOUT_OWNER_KEYS.get(service)
        if keyless and owner.keyed and self.search.cases.tells_owners:
            yield match_named_actions(service, keyless)


def _actions(world: RequestCase) -> PatternSet | None:
    """Give the actions of the worlds that have just a few."""
    service, owner = world.service or "", world.owner
    if world.caller.kind is CallerKind.FEDERATED:
        return match_named_actions(service, service_actions.FEDERATED)
    if owner and owner.kind is OwnerKind.CALLER:
        return match_named_actions(service, service_actions.WITHOUT_RESOURCE[service])
    if owner and not owner.keyed:
        return match_named_actions(service, service_actions.WITHOUT_OWNER_KEYS[service])
    return None
