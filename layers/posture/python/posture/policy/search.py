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
from posture.policy.value_tests import RequiredOutcome, ValueDomain, choose_values

EVERYTHING = Question("full_access")
ChosenValues = Mapping[str, KeyValues]
BOOLEANS = compile_patterns(match_text("true"), match_text("false"))
Requirements = dict[str, tuple[RequiredOutcome, ...]]


@dataclass(frozen=True, slots=True)
class FoundRequest:
    """A world, what was chosen in it, and the statement that lets it through."""

    case: RequestCase
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
        excluded: PatternSet | None = None,
    ) -> None:
        self.cases = cases
        self.clauses = clauses
        self.budget = budget
        self.now = now
        self.excluded = excluded  # actions that do not count
        self.undecided: dict[str, None] = {}
        statements = cases.policy.statements
        self.allows = [each for each in statements if each.allows]
        self.denies = [each for each in statements if not each.allows]

    def find(
        self,
        question: Question,
        endpoint: EndpointContext,
        assigned: Mapping[str, str | None],
        *,
        approximate: bool,
    ) -> FoundRequest | None:
        """Give a request that counts and is let through, or nothing.

        A statement that takes too long does not keep the others from being looked at: each has its
        share, and those that need more come last.

        Raises:
            ExhaustedError: no other statement lets one through, and there is not enough for these.
        """

        def look(statement: Statement) -> FoundRequest | None:
            for case in self._worlds(
                question, statement, endpoint, assigned, approximate=approximate
            ):
                chosen = self._in(case, question, statement, self.denies, approximate=approximate)
                if chosen is not None:
                    return FoundRequest(case, chosen, statement)
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
        self, endpoint: EndpointContext, assigned: Mapping[str, str | None], *, approximate: bool
    ) -> FoundRequest | None:
        """Give a request of a principal or of nobody that is not let through, or nothing.

        It is one that a statement denies, or one that no statement allows.
        """
        for case in self._every_world(endpoint, assigned):
            for deny in self.denies:
                if chosen := self._in(case, EVERYTHING, deny, (), approximate=approximate):
                    return FoundRequest(case, chosen, deny)
            if chosen := self._in(case, EVERYTHING, None, self.allows, approximate=approximate):
                return FoundRequest(case, chosen, None)
        return None

    def _every_world(
        self, endpoint: EndpointContext, assigned: Mapping[str, str | None]
    ) -> Iterator[RequestCase]:
        for caller, owner in product(self.cases.callers(), self.cases.owners):
            pair = self.cases.together(caller, owner)
            if pair is not None and caller.kind is not CallerKind.FEDERATED:
                for service in self.cases.services(None, *pair):
                    yield RequestCase(endpoint, self.cases.partition, *pair, service, assigned)

    def _worlds(
        self,
        question: Question,
        statement: Statement,
        endpoint: EndpointContext,
        assigned: Mapping[str, str | None],
        *,
        approximate: bool,
    ) -> Iterator[RequestCase]:
        trust, partition = self.cases.trust, self.cases.partition
        for caller in self.cases.callers(services=question.services, forwarded=question.forwarded):
            early = RequestCase(endpoint, partition, caller, None, None, assigned)
            if not question.of_caller(caller, trust) or not self._open(
                statement, early, approximate=approximate
            ):
                continue
            for owner in self.cases.owners:
                pair = self.cases.together(caller, owner)
                if pair is None or not question.counts(*pair, trust):
                    continue
                case = RequestCase(endpoint, partition, *pair, None, assigned)
                if self._open(statement, case, approximate=approximate):
                    for service in self.cases.services(statement, *pair):
                        yield RequestCase(endpoint, partition, *pair, service, assigned)

    def _open(self, statement: Statement, case: RequestCase, *, approximate: bool) -> bool:
        """Tell whether anything may get through in a world that is not complete yet."""
        self.budget.spend()
        allowing = self.clauses.evaluate(statement, case)
        if allowing == [False]:
            return False
        opaque = [each.element for each in allowing if isinstance(each, Undecidable)]
        self.undecided.update(dict.fromkeys(opaque))
        if opaque and not approximate:
            return False
        return all(self.clauses.evaluate(each, case) for each in self.denies)

    def _in(
        self,
        case: RequestCase,
        question: Question,
        statement: Statement | None,
        against: Sequence[Statement],
        *,
        approximate: bool,
    ) -> ChosenValues | None:
        """Choose what is open so that one statement applies, and none of those `against`."""
        self.budget.spend()
        requirements: Requirements = {ACTION: (), RESOURCE: ()}
        if case.caller.kind is CallerKind.PRINCIPAL:
            requirements[keys.PRINCIPAL_ARN] = ()
        for result in self.clauses.evaluate(statement, case) if statement else ():
            if result is False or result is DEFERRED:
                return None
            if isinstance(result, Undecidable):
                self.undecided[result.element] = None
                if not approximate:
                    return None
            if isinstance(result, Requirement):
                if result.approximate:
                    self.undecided[_element(result, statement)] = None
                    if not approximate:
                        return None
                requirements[result.key] = (*requirements.get(result.key, ()), (result.test, True))
        choices = self._choices(case, against, approximate=approximate)
        if choices is None:
            return None
        domains = _ValueDomains(self, case, question, statement)
        return self._chosen(requirements, choices, domains)

    def _choices(
        self, case: RequestCase, against: Sequence[Statement], *, approximate: bool
    ) -> list[list[Requirement]] | None:
        """Give the clauses of each statement one of which must fail; None where none can."""
        found: list[list[Requirement]] = []
        for each_of in against:
            truths = self.clauses.evaluate(each_of, case)
            if truths == [False]:
                continue
            sure = [
                each for each in truths if isinstance(each, Requirement) and not each.approximate
            ]
            vague = [each for each in truths if not any(each is one for one in sure)]
            for each in vague:
                self.undecided[_element(each, each_of)] = None
            if vague and approximate:
                continue
            if not sure:
                return None
            found.append(sure)
        return sorted(found, key=len)

    def _chosen(
        self, requirements: Requirements, choices: list[list[Requirement]], domains: _ValueDomains
    ) -> ChosenValues | None:
        """Let one clause of every deny fail, going back where that leaves nothing to choose."""
        if not all(domains.values(key, wanted) for key, wanted in requirements.items()):
            return None
        if not choices:
            return {key: domains.values(key, wanted)[0] for key, wanted in requirements.items()}
        for requirement in choices[0]:
            self.budget.spend()
            wanted = (*requirements.get(requirement.key, ()), (requirement.test, False))
            found = self._chosen({**requirements, requirement.key: wanted}, choices[1:], domains)
            if found is not None:
                return found
        return None


def _element(result: ClauseResult, statement: Statement | None) -> str:
    if isinstance(result, Undecidable):
        return result.element
    is_principal = isinstance(result, Requirement) and result.key == keys.PRINCIPAL_ARN
    return f"{'a principal' if is_principal else 'a variable'} of {statement}"


class _ValueDomains:
    """What each open key may hold in one world, and what was found for it."""

    def __init__(
        self,
        search: RequestSearch,
        case: RequestCase,
        question: Question,
        statement: Statement | None,
    ) -> None:
        self.search = search
        self.case = case
        self.question = question
        self.statement = statement
        self._domains: dict[str, ValueDomain] = {}
        self._found: dict[tuple[str, frozenset[RequiredOutcome]], list[KeyValues]] = {}

    def values(self, key: str, wanted: tuple[RequiredOutcome, ...]) -> list[KeyValues]:
        """Give a value that meets every test, as a list of at most one."""
        known = key, frozenset(wanted)
        if known not in self._found:
            if key not in self._domains:
                self._domains[key] = self._build_domain(key)
            self._found[known] = choose_values(key, wanted, self._domains[key], self.search.budget)
        return self._found[known]

    def _build_domain(self, key: str) -> ValueDomain:
        case = self.case
        shape, preferred = find_shape(key, case), find_hints(key, case)
        if key == ACTION:
            shape = _actions(case) or shape
            return ValueDomain(
                shape, tuple(self._no_actions()), keys.KeyPresence.ALWAYS, preferred=preferred
            )
        if key == RESOURCE:
            excluded: tuple[PatternSet, ...] = ()
            if self.statement and self.question.resource and not self.search.cases.trust.strict:
                own = find_presumed_own(self.statement, self.search.denies, case, self.search.cases)
                excluded = (own,) if own else ()
            return ValueDomain(shape, excluded, keys.KeyPresence.ALWAYS, preferred=preferred)
        if key in keys.BOOLEAN:
            return ValueDomain(
                BOOLEANS, (), find_presence(key, case.caller), preferred=("true", "false")
            )
        multivalued = key in keys.MULTIVALUED or not (
            keys.is_single(key) or key in keys.FIXED or key.startswith("aws:")
        )
        earliest = self.search.now if key in {keys.NOW, keys.EPOCH} else None
        return ValueDomain(
            shape,
            (),
            find_presence(key, case.caller),
            multivalued=multivalued,
            preferred=preferred,
            earliest=earliest,
        )

    def _no_actions(self) -> Iterator[PatternSet]:
        """Give the actions that belong to other worlds than this one."""
        service, owner = self.case.service or "", self.case.owner
        if self.search.excluded is not None:
            yield self.search.excluded
        if owner is None:
            return
        if owner.kind is not OwnerKind.CALLER and service in service_actions.WITHOUT_RESOURCE:
            yield match_named_actions(service, service_actions.WITHOUT_RESOURCE[service])
        if service == "sts" and self.case.caller.kind is not CallerKind.FEDERATED:
            yield match_named_actions(service, service_actions.FEDERATED)
        keyless = service_actions.WITHOUT_OWNER_KEYS.get(service)
        if keyless and owner.has_owner_keys and self.search.cases.tells_owners:
            yield match_named_actions(service, keyless)


def _actions(case: RequestCase) -> PatternSet | None:
    """Give the actions of the worlds that have just a few."""
    service, owner = case.service or "", case.owner
    if case.caller.kind is CallerKind.FEDERATED:
        return match_named_actions(service, service_actions.FEDERATED)
    if owner and owner.kind is OwnerKind.CALLER:
        return match_named_actions(service, service_actions.WITHOUT_RESOURCE[service])
    if owner and not owner.has_owner_keys:
        return match_named_actions(service, service_actions.WITHOUT_OWNER_KEYS[service])
    return None
