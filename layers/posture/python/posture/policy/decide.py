"""The questions about a policy, each answered by an example, by none exists, or by unknown.

Every example is run through the plain evaluator before it is given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import Protocol

from posture.policy.automata import BudgetExceededError, PatternSet, SearchBudget, compile_patterns
from posture.policy.case_enumeration import MOST_SITES, CaseEnumeration, Question
from posture.policy.clauses import ClauseEvaluator
from posture.policy.conditions import UnsupportedElementError
from posture.policy.document import Policy, Statement
from posture.policy.evaluate import evaluate
from posture.policy.policy_check import EndpointContext, PolicyCheck
from posture.policy.request import Request
from posture.policy.scalars import parse_instant
from posture.policy.search import FoundRequest, RequestSearch
from posture.policy.service_actions import is_customer_service
from posture.policy.template import compile_glob, parse_template
from posture.policy.value_tests import IncompatibleTestsError
from posture.policy.witness import build_request

STATES = 30_000  # looked at, at most, for one question: a second or two
TOO_MUCH = "deciding it would cost more than it may"
WHERE = "it depends on the VPC or the endpoint (aws:SourceVpc, aws:SourceVpce), which are not told"
Assigned = Mapping[str, str | None]
FULL_ACCESS = Question("full_access")
UNTRUSTED_PRINCIPAL = Question("untrusted_principal", principal=True)
UNTRUSTED_RESOURCE = Question("untrusted_resource", resource=True)
ANYTHING = Question("anything")


class Look(Protocol):
    """One way to look for a request."""

    def __call__(
        self,
        search: RequestSearch,
        endpoint: EndpointContext,
        assigned: Assigned,
        *,
        approximate: bool,
    ) -> FoundRequest | None:
        """Give what is found."""


class PolicyAnswer(StrEnum):
    """The three answers."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class QuestionResult:
    """One question's answer: yes with a request and the statement that lets it in, or why not.

    `exceptions` are requests of AWS's services, and of services with a principal's credentials,
    that are let through although the answer is no.
    """

    answer: PolicyAnswer
    request: Request | None = None
    statement: Statement | None = None
    reason: str = ""
    exceptions: tuple[Request, ...] = ()


@dataclass(frozen=True, slots=True)
class PolicyDecision:
    """What a policy comes to at its endpoint."""

    full_access: QuestionResult
    untrusted_principal: QuestionResult
    untrusted_resource: QuestionResult
    anything: QuestionResult
    disallowed_action: QuestionResult | None = None

    @property
    def questions(self) -> dict[str, QuestionResult]:
        """The answers by the names of the questions, those that were asked."""
        asked = {
            "full_access": self.full_access,
            "untrusted_principal": self.untrusted_principal,
            "untrusted_resource": self.untrusted_resource,
            "disallowed_action": self.disallowed_action,
        }
        return {name: finding for name, finding in asked.items() if finding is not None}

    @property
    def findings(self) -> tuple[QuestionResult, ...]:
        """The answers to the questions that were asked."""
        return tuple(self.questions.values())

    @property
    def allows_nothing(self) -> bool | None:
        """Whether no request at all gets through; None where that is not known."""
        return {PolicyAnswer.NO: True, PolicyAnswer.YES: False}.get(self.anything.answer)


def decide_policy(policy: Policy, check: PolicyCheck, *, states: int = STATES) -> PolicyDecision:
    """Answer every question about a policy."""
    trust = check.trust.with_account(check.endpoint.account)
    decider = _Decider(policy, replace(check, trust=trust), states)
    return PolicyDecision(
        full_access=decider.full_access(),
        untrusted_principal=decider.answer(UNTRUSTED_PRINCIPAL),
        untrusted_resource=decider.answer(UNTRUSTED_RESOURCE),
        anything=decider.anything(),
        disallowed_action=decider.disallowed(),
    )


class _Decider:
    def __init__(self, policy: Policy, check: PolicyCheck, states: int) -> None:
        self.policy = policy
        self.check = check
        self.states = states
        self.clauses = ClauseEvaluator(policy)
        self.now = parse_instant(check.now.isoformat()) if check.now else None

    @cached_property
    def cases(self) -> CaseEnumeration:
        """The worlds of the policy, the same for every question."""
        return CaseEnumeration(
            self.policy, self.check.endpoint, self.check.trust, SearchBudget(self.states)
        )

    def full_access(self) -> QuestionResult:
        """Full access is that nothing is refused."""
        if is_customer_service(self.check.endpoint.service):
            reason = "an endpoint to somebody's endpoint service takes no policy"
            return QuestionResult(PolicyAnswer.YES, reason=reason)

        def look(
            search: RequestSearch,
            endpoint: EndpointContext,
            assigned: Assigned,
            *,
            approximate: bool,
        ) -> FoundRequest | None:
            return search.find_refused(endpoint, assigned, approximate=approximate)

        found = self._looked(look, allowed=False)
        if found.answer is PolicyAnswer.UNKNOWN:
            return found
        if found.answer is PolicyAnswer.YES:
            why = f"{found.statement} denies it" if found.statement else "no statement allows it"
            return QuestionResult(PolicyAnswer.NO, found.request, found.statement, why)
        return self._whatever()

    def _whatever(self) -> QuestionResult:
        """Give an example of what full access lets in."""
        example = self.answer(UNTRUSTED_PRINCIPAL, exceptions=False)
        if example.answer is not PolicyAnswer.YES:
            example = self.answer(ANYTHING, exceptions=False)
        return replace(example, answer=PolicyAnswer.YES, reason="no request is refused")

    def answer(self, question: Question, *, exceptions: bool = True) -> QuestionResult:
        """Look for a request that counts and is let through."""
        if is_customer_service(self.check.endpoint.service):
            reason = "an endpoint to somebody's endpoint service takes no policy"
            return QuestionResult(PolicyAnswer.YES, reason=reason)

        def look(
            search: RequestSearch,
            endpoint: EndpointContext,
            assigned: Assigned,
            *,
            approximate: bool,
        ) -> FoundRequest | None:
            return search.find(question, endpoint, assigned, approximate=approximate)

        found = self._looked(look, allowed=True)
        if exceptions and found.answer is PolicyAnswer.NO:
            return replace(found, exceptions=tuple(self._exceptions(question)))
        return found

    def _exceptions(self, question: Question) -> Iterator[Request]:
        for apart in (replace(question, services=True), replace(question, forwarded=True)):
            found = self.answer(apart, exceptions=False)
            if found.request:
                yield found.request

    def anything(self) -> QuestionResult:
        """Look for any request at all, of services, too."""
        apart = replace(ANYTHING, services=True), replace(ANYTHING, forwarded=True)
        found = QuestionResult(PolicyAnswer.NO)
        for question in (ANYTHING, *apart):
            found = self.answer(question, exceptions=False)
            if found.answer is not PolicyAnswer.NO:
                break
        return found

    def disallowed(self) -> QuestionResult | None:
        """Look for an action outside the allow list, where there is one."""
        if not self.check.allowed_actions:
            return None
        listed = compile_patterns(
            *(compile_glob(parse_template(e.lower())) for e in sorted(self.check.allowed_actions))
        )

        def look(
            search: RequestSearch,
            endpoint: EndpointContext,
            assigned: Assigned,
            *,
            approximate: bool,
        ) -> FoundRequest | None:
            return search.find(ANYTHING, endpoint, assigned, approximate=approximate)

        return self._looked(look, allowed=True, excluded=listed)

    def _looked(
        self, look: Look, *, allowed: bool, excluded: PatternSet | None = None
    ) -> QuestionResult:
        """Ask at every endpoint it may be; where they differ, nothing is decided."""
        budget = SearchBudget(self.states)
        try:
            cases = self.cases
            search = RequestSearch(cases, self.clauses, budget, self.now, excluded)
            found = [
                self._at(endpoint, look, search, allowed=allowed) for endpoint in cases.sites()
            ]
        except BudgetExceededError:
            return QuestionResult(
                PolicyAnswer.UNKNOWN, reason=f"the policy is too intricate: {TOO_MUCH}"
            )
        except IncompatibleTestsError as error:
            reason = f"{error} is compared in ways that are not taken together"
            return QuestionResult(PolicyAnswer.UNKNOWN, reason=reason)
        answers = {each.answer for each in found}
        if len(answers) == 1 and len(found) <= MOST_SITES:
            return found[0]
        unknown = next((each for each in found if each.answer is PolicyAnswer.UNKNOWN), None)
        return unknown or QuestionResult(PolicyAnswer.UNKNOWN, reason=WHERE)

    def _at(
        self, endpoint: EndpointContext, look: Look, search: RequestSearch, *, allowed: bool
    ) -> QuestionResult:
        """Ask at one endpoint: exactly first, then with all that is unclear as it suits."""
        search.undecided.clear()
        for assigned in search.cases.assignments():
            found = look(search, endpoint, assigned, approximate=False)
            if found:
                return self._checked(found, endpoint, allowed=allowed)
        if search.undecided or search.cases.references:
            undecided = ", ".join(search.undecided) or f"variable {min(search.cases.references)}"
            if look(search, endpoint, {}, approximate=True):
                return QuestionResult(PolicyAnswer.UNKNOWN, reason=f"it depends on {undecided}")
        return QuestionResult(PolicyAnswer.NO)

    def _checked(
        self, found: FoundRequest, endpoint: EndpointContext, *, allowed: bool
    ) -> QuestionResult:
        """Run an example through the plain evaluator."""
        request = build_request(found)
        try:
            outcome = evaluate(self.policy, request, gateway=endpoint.gateway)
        except UnsupportedElementError as error:
            return QuestionResult(PolicyAnswer.UNKNOWN, reason=f"it depends on {error}")
        if outcome.allowed != allowed:
            return QuestionResult(
                PolicyAnswer.UNKNOWN, request, reason="the evaluator does not confirm it"
            )
        return QuestionResult(PolicyAnswer.YES, request, outcome.statement)
