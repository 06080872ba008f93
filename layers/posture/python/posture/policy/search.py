"""Search for a request that a policy allows, or denies: case by case, then text by text.

In a request case an allowed request needs one Allow statement all of whose clauses hold, and in
each Deny statement one clause that does not. The open values are chosen to meet all of that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from fractions import Fraction

from posture.lean_dataclass import dataclass
from posture.policy import keys
from posture.policy.automata import PatternSet
from posture.policy.case_enumeration import CaseEnumeration
from posture.policy.clause_results import DEFERRED, ClauseResult, Requirement, Undecidable
from posture.policy.clauses import ClauseEvaluator
from posture.policy.cost import CASES, DENIALS
from posture.policy.document import Statement
from posture.policy.keys import KeyPresence
from posture.policy.operators import OperatorFamily
from posture.policy.ownership import find_presumed_own
from posture.policy.permitted import PermittedRequests
from posture.policy.policy_check import EndpointContext
from posture.policy.question import Question
from posture.policy.request import CallerKind
from posture.policy.request_case import (
    Assigned,
    Caller,
    OwnerKind,
    RequestCase,
    ResourceOwner,
)
from posture.policy.search_budget import BudgetExceededError, SearchBudget
from posture.policy.service_reference import find_group, group_by_arn
from posture.policy.shapes import ACTION, RESOURCE, find_shape
from posture.policy.template import compile_globs
from posture.policy.value_domains import build_domain
from posture.policy.value_tests import (
    KeyValues,
    RequiredOutcome,
    ValueDomain,
    ValueTest,
    choose_values,
)

ChosenValues = Mapping[str, KeyValues]
Requirements = dict[str, tuple[RequiredOutcome, ...]]
NOTHING_PERMITTED = PermittedRequests()
HAVING_EXCLUDED = keys.NODES | {ACTION, RESOURCE}  # whose values may not count


@dataclass(frozen=True, slots=True)
class FoundRequest:
    """A case, the values chosen in it, and the statement that allows or denies the request."""

    case: RequestCase
    chosen: ChosenValues
    statement: Statement | None


@dataclass(frozen=True)
class RequestSearch:
    """A search for a request that counts for a question.

    Attributes:
        cases: The request cases of the policy.
        clauses: The statements of the policy.
        question: The requests that count.
        budget: Pays for the search.
        now: The earliest time of a request, in seconds since 1970.
        endpoint: The endpoint, with the VPC and ID that it is assumed to have.
        assigned: The values of the keys that policy variables name.
        approximate: Assume of every undecidable element what helps to find a request. If none is
            found then, none exists; one that is found proves nothing.
        undecided: Receives the names of the elements that could not be decided.
        denied_by: The statements of another policy, which must deny the request.
        required: What the open values must meet, besides what the statements say.
        permitted: The resources that only AWS owns, and the requests that do not count.
    """

    cases: CaseEnumeration
    clauses: ClauseEvaluator
    question: Question
    budget: SearchBudget
    now: Fraction | None
    endpoint: EndpointContext
    assigned: Assigned = field(default_factory=dict)
    approximate: bool = False
    undecided: dict[str, None] = field(default_factory=dict)
    denied_by: ClauseEvaluator | None = None
    required: Mapping[str, tuple[RequiredOutcome, ...]] = field(default_factory=dict)
    permitted: PermittedRequests = NOTHING_PERMITTED

    def find(self) -> FoundRequest | None:
        """Return a request that counts; None if there is none.

        Each Allow statement has its share of the budget, so that one that takes long does not hide
        the others; statements that need more are searched last.

        Raises:
            BudgetExceededError: The search did too much work.
        """
        if self.question.denied:
            return self._find_denied()
        postponed: list[Statement] = []
        for at, statement in enumerate(self.clauses.allows):
            try:
                with self.budget.share(len(self.clauses.allows) - at):
                    found = self._find_allowed_by(statement)
            except BudgetExceededError:
                postponed.append(statement)
            else:
                if found:
                    return found
        return next(filter(None, map(self._find_allowed_by, postponed)), None)

    def find_in(self, case: RequestCase) -> FoundRequest | None:
        """Return an allowed request of one complete case.

        Raises:
            BudgetExceededError: The search did too much work.
        """
        for statement in self.clauses.allows:
            if self._may_allow(statement, case):
                chosen = self._choose_allowed(case, statement)
                if chosen is not None:
                    return FoundRequest(case, chosen, statement)
        return None

    def _find_allowed_by(self, statement: Statement) -> FoundRequest | None:
        def is_open(case: RequestCase) -> bool:
            return self._may_allow(statement, case)

        with self.budget.on(str(statement)):
            for case in self._list_cases(statement, is_open):
                chosen = self._choose_allowed(case, statement)
                if chosen is not None:
                    return FoundRequest(case, chosen, statement)
        return None

    def _choose_allowed(self, case: RequestCase, statement: Statement) -> ChosenValues | None:
        """Choose the open values so that a statement allows the request, and no other denies it."""
        denies, other = self.clauses.denies, self.denied_by
        if other is None:
            return self._choose(case, (statement,), denies)
        for deny in other.denies:
            if chosen := self._choose(case, (statement, deny), denies):
                return chosen
        return self._choose(case, (statement,), (*denies, *other.allows))

    def _find_denied(self) -> FoundRequest | None:
        """Return a request that a statement denies, or that no statement allows."""
        for case in self._list_cases(None, lambda _: True):
            for deny in self.clauses.denies:
                if chosen := self._choose(case, (deny,), ()):
                    return FoundRequest(case, chosen, deny)
            if chosen := self._choose(case, (), self.clauses.allows):
                return FoundRequest(case, chosen, None)
        return None

    def _list_cases(
        self, statement: Statement | None, is_open: Callable[[RequestCase], bool]
    ) -> Iterator[RequestCase]:
        """Yield the cases that count, if `is_open` with the caller, and with the owner, chosen."""
        for caller in self.cases.list_callers(self.question):
            partial = self._build_case(caller)
            if not self.question.may_count(caller, self.cases.trust) or not is_open(partial):
                continue
            for pair in self.cases.list_pairs(caller):
                self.budget.spend(on=CASES)
                counts = self.question.counts(*pair, self.cases.trust)
                if counts and is_open(self._build_case(*pair)):
                    for service in self.cases.list_services(statement, *pair):
                        yield self._build_case(*pair, service)

    def _build_case(
        self, caller: Caller, owner: ResourceOwner | None = None, service: str | None = None
    ) -> RequestCase:
        named = self.cases.named_actions.get(service or "", ())
        partition = self.cases.partition
        return RequestCase(self.endpoint, partition, caller, owner, service, self.assigned, named)

    def _may_allow(self, statement: Statement, case: RequestCase) -> bool:
        """Return whether a statement may allow requests of a case that is not complete yet."""
        self.budget.spend()
        evaluate = self._evaluate if self.denied_by else self.clauses.evaluate
        results = evaluate(statement, case)
        if results == [False]:
            return False
        undecidable = [each.element for each in results if isinstance(each, Undecidable)]
        self.undecided.update(dict.fromkeys(undecidable))
        if undecidable and not self.approximate:
            return False
        return all(evaluate(each, case) for each in self.clauses.denies)

    def _evaluate(self, statement: Statement, case: RequestCase) -> list[ClauseResult]:
        other = self.denied_by
        is_of_other = other is not None and statement.policy == other.policy.name
        return (other if other and is_of_other else self.clauses).evaluate(statement, case)

    def _choose(
        self, case: RequestCase, applying: Sequence[Statement], others: Sequence[Statement]
    ) -> ChosenValues | None:
        """Choose the open values so that some statements apply, and none of the others does.

        Where the chosen action does not apply to the chosen resource, go by kind of resource.
        """
        self.budget.spend()
        requirements = self._list_requirements(case, applying)
        alternatives = self._list_alternatives(case, others)
        if requirements is None or alternatives is None:
            return None
        topic = DENIALS if others and not others[0].allows else self.budget.topic
        for failing in (each[0] for each in alternatives if len(each) == 1):
            self.budget.spend(on=topic)
            wanted = requirements.get(failing.key, ())
            requirements[failing.key] = (*wanted, (failing.test, False))
        alternatives = [each for each in alternatives if len(each) > 1]

        def solve(case: RequestCase) -> ChosenValues | None:
            self.budget.spend(2)
            values = _OpenValues(self, case, next(iter(applying), None))
            with self.budget.on(topic):
                return self._solve(requirements, alternatives, values, requirements)

        chosen = solve(case)
        if chosen is None or self.required or _go_together(case, chosen):
            return chosen
        groups = group_by_arn(case.service or "")
        return next(filter(None, (solve(replace(case, group=each)) for each in groups)), None)

    def _list_requirements(
        self, case: RequestCase, applying: Iterable[Statement]
    ) -> Requirements | None:
        """Return what statements require of each open value; None if one does not apply."""
        only = self.question.only_resources
        resources = ((ValueTest(OperatorFamily.STRING, only), True),) if only else ()
        requirements: Requirements = {ACTION: (), RESOURCE: resources, **self.required}
        if case.caller.kind is CallerKind.PRINCIPAL:
            requirements.setdefault(keys.PRINCIPAL_ARN, ())
        results = ((each, result) for each in applying for result in self._evaluate(each, case))
        for statement, result in results:
            if result is False or result is DEFERRED:
                return None
            if not isinstance(result, Requirement) or result.approximate:
                self.undecided[_name_element(result, statement)] = None
                if not self.approximate:
                    return None
            if isinstance(result, Requirement):
                requirements[result.key] = (*requirements.get(result.key, ()), (result.test, True))
        return requirements

    def _list_alternatives(
        self, case: RequestCase, others: Sequence[Statement]
    ) -> list[list[Requirement]] | None:
        """Return, per statement, the clauses of which one must fail; None if none of them can."""
        found = [list(pair) for pair in self._list_permitted()]
        evaluate = self._evaluate if self.denied_by else self.clauses.evaluate
        for statement in others:
            results = evaluate(statement, case)
            if results == [False]:
                continue
            exact = [r for r in results if isinstance(r, Requirement) and not r.approximate]
            if len(exact) < len(results):
                inexact = [r for r in results if not isinstance(r, Requirement) or r.approximate]
                self.undecided.update((_name_element(r, statement), None) for r in inexact)
                if self.approximate:
                    continue
            if not exact:
                return None
            found.append(exact)
        return sorted(found, key=len)

    def _list_permitted(self) -> Iterable[tuple[Requirement, ...]]:
        return self.permitted.pairs if self.question.is_about_trust else ()

    def _solve(
        self,
        requirements: Requirements,
        alternatives: list[list[Requirement]],
        values: _OpenValues,
        changed: Iterable[str],
    ) -> ChosenValues | None:
        """Let one clause of each statement fail, and go back where that leaves no value.

        `changed` are the keys whose requirements were not met before.
        """
        for key in changed:
            if not values.choose(key, requirements[key]):
                return None
        if not alternatives:
            return {key: values.choose(key, wanted)[0] for key, wanted in requirements.items()}
        for failing in alternatives[0]:
            key = failing.key
            wanted = (*requirements.get(key, ()), (failing.test, False))
            self.budget.spend(2 + len(wanted) + (len(alternatives) + len(requirements)) // 8)
            further = {**requirements, key: wanted}
            found = self._solve(further, alternatives[1:], values, (key,))
            if found is not None:
                return found
        return None


def _go_together(case: RequestCase, chosen: ChosenValues) -> bool:
    """Return whether the chosen action applies to the chosen resource."""
    action, resource = chosen[ACTION], chosen[RESOURCE]
    group = find_group(action[0]) if action else None
    if group is None or not resource:
        return True
    shape = find_shape(RESOURCE, replace(case, group=group))
    return shape is None or shape.accepts(resource[0])


def _name_element(result: ClauseResult, statement: Statement) -> str:
    if isinstance(result, Undecidable):
        return result.element
    is_principal = isinstance(result, Requirement) and result.key == keys.PRINCIPAL_ARN
    return f"{'a principal' if is_principal else 'a variable'} of {statement}"


class _OpenValues:
    """The values chosen for open texts and keys in one case, each choice made once."""

    def __init__(
        self, search: RequestSearch, case: RequestCase, statement: Statement | None
    ) -> None:
        self.search = search
        self.case = case
        self.statement = statement
        self._domains: dict[str, ValueDomain] = {}
        self._chosen: dict[tuple[str, frozenset[RequiredOutcome]], list[KeyValues]] = {}

    def choose(self, key: str, wanted: tuple[RequiredOutcome, ...]) -> list[KeyValues]:
        """Return values that meet every test, as a list of at most one element."""
        known = key, frozenset(wanted)
        if known not in self._chosen:
            if key not in self._domains:
                self._domains[key] = self._build_domain(key)
            domain, budget = self._domains[key], self.search.budget
            with budget.on(key):
                budget.spend(1 + len(wanted) // 8)
                self._chosen[known] = budget.remember(
                    (domain, *known), lambda: choose_values(key, wanted, domain, budget)
                )
        return self._chosen[known]

    def _build_domain(self, key: str) -> ValueDomain:
        search = self.search
        excluded = tuple(self._list_excluded(key)) if key in HAVING_EXCLUDED else ()
        if key in search.required and key in {ACTION, RESOURCE}:
            return ValueDomain(None, excluded, KeyPresence.ALWAYS)
        is_trusted = key == RESOURCE and self._is_owner_trusted()
        has_owners = search.cases.has_owners
        return build_domain(
            key, self.case, excluded, search.now, has_owners=has_owners, is_trusted=is_trusted
        )

    def _is_owner_trusted(self) -> bool:
        owner = self.case.owner
        trust = self.search.cases.trust
        return owner is not None and trust.covers(owner.account, owner.organization)

    def _list_excluded(self, key: str) -> Iterator[PatternSet]:
        search, owner = self.search, self.case.owner
        question, trust = search.question, search.cases.trust
        if key == ACTION:
            if question.allowed_actions:
                yield question.allowed_actions
        elif key != RESOURCE:
            ids = trust.accounts if key == keys.NODE_ACCOUNT else trust.organizations
            if question.is_about_trust:
                yield compile_globs(sorted(ids))
        else:
            of_aws = search.permitted.of_aws
            if of_aws and owner and owner.kind is OwnerKind.ACCOUNT:
                yield of_aws
            if question.untrusted_resource and not trust.strict:
                own = self.statement and self._find_presumed_own(self.statement)
                if own:
                    yield own

    def _find_presumed_own(self, statement: Statement) -> PatternSet | None:
        search, denies = self.search, self.search.clauses.denies
        naming = [statement, *(each for each in denies if each.excludes_resources)]
        search.budget.spend(sum(len(text) for each in naming for text in each.resources))
        return find_presumed_own(statement, denies, self.case, search.cases)
