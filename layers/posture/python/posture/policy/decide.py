"""Decide the questions about a policy: each is answered yes with an example, no, or unknown.

The evaluator confirms every example before it is returned.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from enum import StrEnum
from functools import cached_property
from itertools import chain

from posture.lean_dataclass import dataclass
from posture.policy import keys
from posture.policy.case_enumeration import MAX_ENDPOINTS, CaseEnumeration
from posture.policy.clauses import ClauseEvaluator
from posture.policy.conditions import UnsupportedElementError
from posture.policy.cost import ALL_ELEMENTS, list_elements, name_costly_elements
from posture.policy.document import Policy, Statement, combine_policies
from posture.policy.evaluate import PolicyResult, evaluate
from posture.policy.features.aws_owned import list_accounts_of_aws
from posture.policy.permitted import PermittedRequests, permit_buckets, permit_own
from posture.policy.policy_check import EndpointContext, PolicyCheck
from posture.policy.question import Question
from posture.policy.request import Request
from posture.policy.scalars import parse_instant
from posture.policy.search import FoundRequest, RequestSearch
from posture.policy.search_budget import BudgetExceededError, SearchBudget
from posture.policy.service_actions import is_customer_service
from posture.policy.service_reference import is_service
from posture.policy.shapes import ACTION, RESOURCE
from posture.policy.template import compile_globs
from posture.policy.value_tests import IncompatibleTestsError
from posture.policy.witness import build_request, name_region

MAX_UNITS = 1_000_000  # of work on one policy, all its questions together: about a second
TOO_COMPLEX = "the policy is too complex to evaluate within the limit on work"
UNKNOWN_SOURCE = "the answer depends on the VPC or the endpoint, whose IDs are not given"
UNKNOWN_REGION = "the answer depends on the Region of the endpoint, which is not given"
UNKNOWN_ACTIONS = "the actions of {} are not known"
NO_POLICY = "endpoints of customers' endpoint services do not support policies"
REGION_AT = 3  # field of an ARN
MAX_BUCKETS = 8  # of AWS that a policy matches without naming them, before one is the example
SHARES = 3  # each question may use up to a third of the work that remains
ANYTHING = Question()
UNTRUSTED_PRINCIPAL = Question(untrusted_principal=True)
UNTRUSTED_RESOURCE = Question(untrusted_resource=True)


class PolicyAnswer(StrEnum):
    """The answer to a question about a policy."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class QuestionResult:
    """The answer to one question.

    Attributes:
        answer: The answer.
        request: The example: an allowed request that counts. Of full access, a denied request.
        statement: The statement that allows, or denies, the example.
        reason: Why the answer is what it is, where no example says so.
        exceptions: Allowed requests of AWS services, and of services with a principal's
            credentials, if the answer is no.
    """

    answer: PolicyAnswer
    request: Request | None = None
    statement: Statement | None = None
    reason: str = ""
    exceptions: tuple[Request, ...] = ()


@dataclass(frozen=True, slots=True)
class PolicyDecision:
    """The answers about a policy at its endpoint.

    Attributes:
        full_access: Is every request of principals and unauthenticated callers allowed?
        untrusted_principal: Is a request of an untrusted principal allowed?
        untrusted_resource: Is a request for an untrusted resource allowed?
        anything: Is any request allowed?
        disallowed_action: Is an action allowed that is not listed? None without a list.
    """

    full_access: QuestionResult
    untrusted_principal: QuestionResult
    untrusted_resource: QuestionResult
    anything: QuestionResult
    disallowed_action: QuestionResult | None = None

    @property
    def results(self) -> dict[str, QuestionResult]:
        """The answers that are reported, by the names of their questions."""
        answers = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: each for name, each in answers.items() if each and name != "anything"}

    @property
    def allows_nothing(self) -> bool | None:
        """Whether the policy allows no request at all; None if not known."""
        return {PolicyAnswer.NO: True, PolicyAnswer.YES: False}.get(self.anything.answer)


def decide_policy(
    policy: Policy, check: PolicyCheck, budget: SearchBudget | None = None
) -> PolicyDecision:
    """Answer every question about a policy.

    Args:
        policy: The policy.
        check: Its endpoint, and what it may allow.
        budget: Pays for all questions together; MAX_UNITS by default.
    """
    decider = Decider(policy, check, budget or SearchBudget(MAX_UNITS))
    if is_customer_service(check.endpoint.service):
        allowed = QuestionResult(PolicyAnswer.YES, reason=NO_POLICY)
        return PolicyDecision(allowed, allowed, allowed, allowed, decider.find_disallowed_action())
    return PolicyDecision(
        full_access=decider.decide_full_access(),
        untrusted_principal=decider.decide_with_exceptions(UNTRUSTED_PRINCIPAL),
        untrusted_resource=decider.decide_with_exceptions(UNTRUSTED_RESOURCE),
        anything=decider.decide_anything(),
        disallowed_action=decider.find_disallowed_action(),
    )


class Decider:
    """Decides questions about a policy, or about what it allows and another policy denies.

    Args:
        policy: The policy.
        check: Its endpoint, and what it may allow.
        budget: Pays for all questions together.
        other: The other policy; both have names.
    """

    def __init__(
        self,
        policy: Policy,
        check: PolicyCheck,
        budget: SearchBudget,
        other: Policy | None = None,
    ) -> None:
        trust = check.trust.with_account(check.endpoint.account)
        endpoint = replace(check.endpoint, own_organization=trust.own_organization)
        self.policy = policy
        self.other = other
        self.both = combine_policies(policy, other) if other else policy
        self.check = replace(check, endpoint=endpoint, trust=trust)
        self.budget = budget
        self.clauses = ClauseEvaluator(policy, budget)
        self.other_clauses = ClauseEvaluator(other, budget) if other else None
        self.now = parse_instant(check.now.isoformat()) if check.now else None
        self.statements = (*policy.statements, *(other.statements if other else ()))
        self.characters = sum(each.size for each in list_elements(self.statements))

    @cached_property
    def permitted(self) -> PermittedRequests:
        """The requests of features that may be allowed to anyone."""
        return permit_own(self.check)

    @cached_property
    def cases(self) -> CaseEnumeration | None:
        """The request cases of the policy, the same for every question; None if too many."""
        endpoint, trust = self.check.endpoint, self.check.trust
        try:
            with self.budget.share(2), self.budget.on(ALL_ELEMENTS):
                cases = CaseEnumeration(self.both, endpoint, trust, self.budget)
        except BudgetExceededError:
            return None
        if cases.mentions.accounts.positions:
            only = self.check.features if self.check.only_features else None
            cases.trust = replace(trust, of_aws=list_accounts_of_aws(only))
        return cases

    def decide_full_access(self) -> QuestionResult:
        """Search for a denied request. If there is none, return an example of an allowed one."""
        found = self.decide(Question(denied=True))
        if found.reason == UNKNOWN_REGION and self.decide(ANYTHING).answer is PolicyAnswer.NO:
            return QuestionResult(PolicyAnswer.NO, reason="it allows no request in any Region")
        if found.answer is PolicyAnswer.UNKNOWN:
            return found
        if found.answer is PolicyAnswer.YES:
            reason = f"{found.statement} denies it" if found.statement else "no statement allows it"
            return replace(found, answer=PolicyAnswer.NO, reason=reason)
        example = self.decide(UNTRUSTED_PRINCIPAL)
        if example.answer is not PolicyAnswer.YES:
            example = self.decide(ANYTHING)
        return replace(example, answer=PolicyAnswer.YES, reason="the policy allows every request")

    def decide_with_exceptions(self, question: Question) -> QuestionResult:
        """Decide a question; if the answer is no, add what services may do all the same."""
        found = self.decide(question)
        if found.answer is not PolicyAnswer.NO:
            return found
        services = [self.decide(each) for each in _ask_about_services(question)]
        exceptions = tuple(each.request for each in services if each.request)
        return replace(found, exceptions=exceptions)

    def decide_anything(self) -> QuestionResult:
        """Decide whether any request is allowed, of services too."""
        found = QuestionResult(PolicyAnswer.NO)
        for question in (ANYTHING, *_ask_about_services(ANYTHING)):
            found = self.decide(question)
            if found.answer is not PolicyAnswer.NO:
                break
        return found

    def find_disallowed_action(self) -> QuestionResult | None:
        """Decide whether an action is allowed that the check does not list."""
        listed = sorted(each.lower() for each in self.check.allowed_actions)
        return self.decide(Question(allowed_actions=compile_globs(listed))) if listed else None

    def decide(self, question: Question) -> QuestionResult:
        """Decide a question at every endpoint it may be; unknown if the answers differ."""
        cases, spent = self.cases, dict(self.budget.spent)
        if cases is None:
            return self._give_up({})
        try:
            with self.budget.share(SHARES):
                found = [self._decide_at(each, question, cases) for each in cases.list_endpoints()]
        except BudgetExceededError:
            return self._give_up(spent)
        except IncompatibleTestsError as error:
            reason = f"the policy compares {error} with operators of different types"
            return QuestionResult(PolicyAnswer.UNKNOWN, reason=reason)
        if len({each.answer for each in found}) == 1 and len(found) <= MAX_ENDPOINTS:
            return found[0]
        unknown = (each for each in found if each.answer is PolicyAnswer.UNKNOWN)
        return next(unknown, QuestionResult(PolicyAnswer.UNKNOWN, reason=UNKNOWN_SOURCE))

    def _give_up(self, before: Mapping[str, int]) -> QuestionResult:
        """Return the answer to a question that costs too much, with the element that costs most."""
        spent = {name: units - before.get(name, 0) for name, units in self.budget.spent.items()}
        return QuestionResult(PolicyAnswer.UNKNOWN, reason=explain_limit(self.statements, spent))

    def _decide_at(
        self, endpoint: EndpointContext, question: Question, cases: CaseEnumeration
    ) -> QuestionResult:
        """Search exactly at first, then with a favourable assumption about all that is unclear."""
        variables = cases.variables
        search = RequestSearch(
            cases,
            self.clauses,
            question,
            self.budget,
            self.now,
            endpoint,
            denied_by=self.other_clauses,
            permitted=self.permitted,
        )
        for assigned in cases.list_assignments():
            found = self._find(replace(search, assigned=assigned))
            is_vpc_tested = found and found.chosen.get(keys.SOURCE_VPC_ARN)
            if is_vpc_tested and self._depends_on_region:
                return QuestionResult(PolicyAnswer.UNKNOWN, reason=UNKNOWN_REGION)
            if found and self._is_uncertain(found):
                reason = UNKNOWN_ACTIONS.format(endpoint.service or found.case.service)
                return QuestionResult(PolicyAnswer.UNKNOWN, reason=reason)
            if found:
                return self._confirm(found, denied=question.denied)
        if question.denied and self._depends_on_unknown_actions:
            reason = UNKNOWN_ACTIONS.format(endpoint.service)
            return QuestionResult(PolicyAnswer.UNKNOWN, reason=reason)
        undecided = list(search.undecided) or [f"variable {each}" for each in variables[:1]]
        if undecided and replace(search, approximate=True).find():
            reason = f"the answer depends on {', '.join(undecided)}"
            return QuestionResult(PolicyAnswer.UNKNOWN, reason=reason)
        return QuestionResult(PolicyAnswer.NO)

    def _find(self, search: RequestSearch) -> FoundRequest | None:
        """Search again without what a policy may allow of a bucket of AWS, where one is found."""
        found = search.find()
        for _ in range(MAX_BUCKETS):
            resource = found.chosen.get(RESOURCE) if found else None
            permitted = resource and permit_buckets(
                search.permitted, self.both, self.check, resource[0]
            )
            if not permitted:
                break
            search = replace(search, permitted=permitted)
            found = search.find()
        return found

    @cached_property
    def _depends_on_region(self) -> bool:
        """Whether the endpoint's Region is not known, and the policy names one in a VPC's ARN."""
        conditions = (each for statement in self.both.statements for each in statement.conditions)
        stated = (each.values for each in conditions if each.lower_key == keys.SOURCE_VPC_ARN)
        arns = [each.split(":") for each in chain(*stated)]
        regions = {fields[REGION_AT] for fields in arns if len(fields) > REGION_AT}
        return not self.check.endpoint.region and bool(regions - {"*"})

    @cached_property
    def _depends_on_unknown_actions(self) -> bool:
        """Whether nothing is known about the endpoint's service, and the policy names actions."""
        endpoint = self.check.endpoint
        named = {action for each in self.both.statements for action in each.actions}
        is_unknown = bool(endpoint.service) and not endpoint.action_prefixes
        return is_unknown and bool(named - {"*"})

    def _is_uncertain(self, found: FoundRequest) -> bool:
        """Return whether an example is a guess, for the service's actions are not known."""
        case, action = found.case, found.chosen[ACTION]
        if self._depends_on_unknown_actions:
            return True
        is_guess = action is not None and not action[0].endswith(":*")
        named_actions = set(case.named_actions)
        return (
            not is_service(case.service or "")
            and is_guess
            and not named_actions & set(action or ())
        )

    def _confirm(self, found: FoundRequest, *, denied: bool) -> QuestionResult:
        """Evaluate the policy for an example."""
        request = build_request(found)
        texts = (request.action, request.resource, *chain(*request.context.values()))
        self.budget.spend(self.characters * (2 + max(map(len, texts)) // 128) // 8)
        gateway = found.case.endpoint.gateway
        try:
            result, is_denied = self._evaluate(request, gateway=gateway)
        except UnsupportedElementError as error:
            reason = f"the answer depends on {error}"
            return QuestionResult(PolicyAnswer.UNKNOWN, reason=reason)
        if result.allowed == denied or not is_denied:
            reason = "the evaluator does not confirm the example"
            return QuestionResult(PolicyAnswer.UNKNOWN, request, reason=reason)
        named = name_region(request, found.case)
        if named != request and self._evaluate(named, gateway=gateway) == (result, is_denied):
            request = named
        return QuestionResult(PolicyAnswer.YES, request, result.statement)

    def _evaluate(self, request: Request, *, gateway: bool) -> tuple[PolicyResult, bool]:
        """Evaluate the policy; and return whether the other one, if there is one, denies."""
        result = evaluate(self.policy, request, gateway=gateway)
        other = self.other
        return result, not other or not evaluate(other, request, gateway=gateway).allowed


def explain_limit(statements: Sequence[Statement], spent: Mapping[str, int]) -> str:
    """Explain that a policy costs too much, and which elements take most of the work."""
    elements = name_costly_elements(statements, spent)
    return f"{TOO_COMPLEX}; {elements} takes most of it" if elements else TOO_COMPLEX


def _ask_about_services(question: Question) -> Iterator[Question]:
    yield replace(question, by_service=True)
    yield replace(question, forwarded=True)
