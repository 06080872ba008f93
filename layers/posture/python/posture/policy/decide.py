"""The questions about a policy, each answered by an example, by none exists, or by unknown.

Every example is run through the plain evaluator before it is given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Protocol

from posture.policy.automata import Budget, ExhaustedError, Union, union
from posture.policy.cases import MOST_SITES, Cases, Question
from posture.policy.clauses import Clauses
from posture.policy.document import Policy, Statement
from posture.policy.evaluate import UnsupportedElementError, evaluate
from posture.policy.request import Request
from posture.policy.scalars import instant
from posture.policy.search import Found, Search
from posture.policy.service_actions import takes_no_policy
from posture.policy.template import glob, pieces
from posture.policy.trust import Site, Trust
from posture.policy.values import UndecidedError
from posture.policy.witness import request_of

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
        self, search: Search, site: Site, assigned: Assigned, *, loose: bool
    ) -> Found | None:
        """Give what is found."""


class Answer(StrEnum):
    """The three answers."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """One question's answer: yes with a request and the statement that lets it in, or why not.

    `exceptions` are requests of AWS's services, and of services with a principal's credentials,
    that are let through although the answer is no.
    """

    answer: Answer
    request: Request | None = None
    statement: Statement | None = None
    reason: str = ""
    exceptions: tuple[Request, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """What a policy comes to at its endpoint."""

    full_access: Finding
    untrusted_principal: Finding
    untrusted_resource: Finding
    anything: Finding
    disallowed_action: Finding | None = None

    @property
    def questions(self) -> dict[str, Finding]:
        """The answers by the names of the questions, those that were asked."""
        asked = {
            "full_access": self.full_access,
            "untrusted_principal": self.untrusted_principal,
            "untrusted_resource": self.untrusted_resource,
            "disallowed_action": self.disallowed_action,
        }
        return {name: finding for name, finding in asked.items() if finding is not None}

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The answers to the questions that were asked."""
        return tuple(self.questions.values())

    @property
    def allows_nothing(self) -> bool | None:
        """Whether no request at all gets through; None where that is not known."""
        return {Answer.NO: True, Answer.YES: False}.get(self.anything.answer)


@dataclass(frozen=True, slots=True)
class Case:
    """Where a policy stands, and what is expected of it.

    `now` is the earliest time a request may be made; `allowed_actions` are patterns, none for any.
    """

    site: Site
    trust: Trust = field(default_factory=Trust)
    now: datetime | None = None
    allowed_actions: frozenset[str] = frozenset()


def decide(policy: Policy, case: Case, *, states: int = STATES) -> Decision:
    """Answer every question about a policy."""
    trust = case.trust.with_account(case.site.account)
    decider = _Decider(policy, replace(case, trust=trust), states)
    return Decision(
        full_access=decider.full_access(),
        untrusted_principal=decider.answer(UNTRUSTED_PRINCIPAL),
        untrusted_resource=decider.answer(UNTRUSTED_RESOURCE),
        anything=decider.anything(),
        disallowed_action=decider.disallowed(),
    )


class _Decider:
    def __init__(self, policy: Policy, case: Case, states: int) -> None:
        self.policy = policy
        self.case = case
        self.states = states
        self.clauses = Clauses(policy)
        self.now = instant(case.now.isoformat()) if case.now else None

    @cached_property
    def cases(self) -> Cases:
        """The worlds of the policy, the same for every question."""
        return Cases(self.policy, self.case.site, self.case.trust, Budget(self.states))

    def full_access(self) -> Finding:
        """Full access is that nothing is refused."""
        if takes_no_policy(self.case.site.service):
            reason = "an endpoint to somebody's endpoint service takes no policy"
            return Finding(Answer.YES, reason=reason)

        def look(search: Search, site: Site, assigned: Assigned, *, loose: bool) -> Found | None:
            return search.find_refused(site, assigned, loose=loose)

        found = self._looked(look, allowed=False)
        if found.answer is Answer.UNKNOWN:
            return found
        if found.answer is Answer.YES:
            why = f"{found.statement} denies it" if found.statement else "no statement allows it"
            return Finding(Answer.NO, found.request, found.statement, why)
        return self._whatever()

    def _whatever(self) -> Finding:
        """Give an example of what full access lets in."""
        example = self.answer(UNTRUSTED_PRINCIPAL, exceptions=False)
        if example.answer is not Answer.YES:
            example = self.answer(ANYTHING, exceptions=False)
        return replace(example, answer=Answer.YES, reason="no request is refused")

    def answer(self, question: Question, *, exceptions: bool = True) -> Finding:
        """Look for a request that counts and is let through."""
        if takes_no_policy(self.case.site.service):
            reason = "an endpoint to somebody's endpoint service takes no policy"
            return Finding(Answer.YES, reason=reason)

        def look(search: Search, site: Site, assigned: Assigned, *, loose: bool) -> Found | None:
            return search.find(question, site, assigned, loose=loose)

        found = self._looked(look, allowed=True)
        if exceptions and found.answer is Answer.NO:
            return replace(found, exceptions=tuple(self._exceptions(question)))
        return found

    def _exceptions(self, question: Question) -> Iterator[Request]:
        for apart in (replace(question, services=True), replace(question, forwarded=True)):
            found = self.answer(apart, exceptions=False)
            if found.request:
                yield found.request

    def anything(self) -> Finding:
        """Look for any request at all, of services, too."""
        apart = replace(ANYTHING, services=True), replace(ANYTHING, forwarded=True)
        found = Finding(Answer.NO)
        for question in (ANYTHING, *apart):
            found = self.answer(question, exceptions=False)
            if found.answer is not Answer.NO:
                break
        return found

    def disallowed(self) -> Finding | None:
        """Look for an action outside the allow list, where there is one."""
        if not self.case.allowed_actions:
            return None
        listed = union(
            *(glob(pieces(e.lower(), variables=False)) for e in sorted(self.case.allowed_actions))
        )

        def look(search: Search, site: Site, assigned: Assigned, *, loose: bool) -> Found | None:
            return search.find(ANYTHING, site, assigned, loose=loose)

        return self._looked(look, allowed=True, avoiding=listed)

    def _looked(self, look: Look, *, allowed: bool, avoiding: Union | None = None) -> Finding:
        """Ask at every endpoint it may be; where they differ, nothing is decided."""
        budget = Budget(self.states)
        try:
            cases = self.cases
            search = Search(cases, self.clauses, budget, self.now, avoiding)
            found = [self._at(site, look, search, allowed=allowed) for site in cases.sites()]
        except ExhaustedError:
            return Finding(Answer.UNKNOWN, reason=f"the policy is too intricate: {TOO_MUCH}")
        except UndecidedError as error:
            reason = f"{error} is compared in ways that are not taken together"
            return Finding(Answer.UNKNOWN, reason=reason)
        answers = {each.answer for each in found}
        if len(answers) == 1 and len(found) <= MOST_SITES:
            return found[0]
        unknown = next((each for each in found if each.answer is Answer.UNKNOWN), None)
        return unknown or Finding(Answer.UNKNOWN, reason=WHERE)

    def _at(self, site: Site, look: Look, search: Search, *, allowed: bool) -> Finding:
        """Ask at one endpoint: exactly first, then with all that is unclear as it suits."""
        search.unclear.clear()
        for assigned in search.cases.assignments():
            found = look(search, site, assigned, loose=False)
            if found:
                return self._checked(found, site, allowed=allowed)
        if search.unclear or search.cases.references:
            unclear = ", ".join(search.unclear) or f"variable {min(search.cases.references)}"
            if look(search, site, {}, loose=True):
                return Finding(Answer.UNKNOWN, reason=f"it depends on {unclear}")
        return Finding(Answer.NO)

    def _checked(self, found: Found, site: Site, *, allowed: bool) -> Finding:
        """Run an example through the plain evaluator."""
        request = request_of(found)
        try:
            outcome = evaluate(self.policy, request, gateway=site.gateway)
        except UnsupportedElementError as error:
            return Finding(Answer.UNKNOWN, reason=f"it depends on {error}")
        if outcome.allowed != allowed:
            return Finding(Answer.UNKNOWN, request, reason="the evaluator does not confirm it")
        return Finding(Answer.YES, request, outcome.statement)
