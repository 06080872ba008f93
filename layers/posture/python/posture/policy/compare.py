"""Compare two policies: the requests that only one of them allows, each group with an example.

For every group of callers and resources the answer is yes with an example, no because the policies
decide all such requests alike, or unknown with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from enum import StrEnum
from functools import lru_cache
from itertools import product

from posture.lean_dataclass import dataclass
from posture.policy.automata import PatternSet, compile_patterns
from posture.policy.decide import MAX_UNITS, Decider, PolicyAnswer, QuestionResult
from posture.policy.document import Policy, Statement, name_policy
from posture.policy.parse import parse_policy
from posture.policy.policy_check import PolicyCheck, Trust
from posture.policy.question import Question
from posture.policy.request import CallerKind, Request
from posture.policy.request_case import Caller, OwnerKind, ResourceOwner
from posture.policy.search_budget import SearchBudget
from posture.policy.template import compile_globs
from posture.policy.tokens import ANY, FIELD, match_many, match_text

OLD, NEW = "the old policy", "the new policy"
MAX_ACTIONS = 6  # examples in one group, each with another action
AMBIGUOUS = "a name appears twice in a policy, and AWS does not document which one it uses"


class CallerGroup(StrEnum):
    """The callers whose requests are compared together."""

    TRUSTED = "trusted principals"
    UNTRUSTED = "untrusted principals"
    ANONYMOUS = "unauthenticated callers"
    FEDERATED = "callers that sign in with SAML or web identity"
    FORWARDED = "AWS services with a principal's credentials"
    SERVICE = "AWS service principals"


class ResourceGroup(StrEnum):
    """The resources whose requests are compared together."""

    TRUSTED = "trusted resources"
    UNTRUSTED = "untrusted resources"
    AWS = "resources of AWS"


@dataclass(frozen=True, slots=True)
class _GroupQuestion(Question):
    """Only requests of a group of callers for a group of resources count."""

    callers: CallerGroup = CallerGroup.TRUSTED
    resources: ResourceGroup = ResourceGroup.TRUSTED

    def may_count(self, caller: Caller, trust: Trust) -> bool:
        """Return whether a caller is in the group, or may be."""
        return _find_callers(caller, trust) is self.callers

    def counts(self, caller: Caller, owner: ResourceOwner, trust: Trust) -> bool:
        """Return whether a caller and an owner are in the groups."""
        is_caller = _find_callers(caller, trust) is self.callers
        return is_caller and _find_resources(owner, trust) is self.resources


def _find_callers(caller: Caller, trust: Trust) -> CallerGroup:
    if caller.kind is CallerKind.PRINCIPAL and not caller.forwarded:
        is_trusted = trust.covers(caller.account, caller.organization)
        return CallerGroup.TRUSTED if is_trusted else CallerGroup.UNTRUSTED
    return {
        CallerKind.PRINCIPAL: CallerGroup.FORWARDED,
        CallerKind.ANONYMOUS: CallerGroup.ANONYMOUS,
        CallerKind.FEDERATED: CallerGroup.FEDERATED,
        CallerKind.SERVICE: CallerGroup.SERVICE,
    }[caller.kind]


def _find_resources(owner: ResourceOwner, trust: Trust) -> ResourceGroup:
    if owner.kind is OwnerKind.AWS:
        return ResourceGroup.AWS
    is_trusted = trust.covers(owner.account, owner.organization)
    return ResourceGroup.TRUSTED if is_trusted else ResourceGroup.UNTRUSTED


@dataclass(frozen=True, slots=True)
class RequestChange:
    """Requests of one group that one policy allows and the other denies.

    Attributes:
        becomes_allowed: The new policy allows them and the old one denies them; or else the
            other way round.
        callers: Who makes the requests.
        resources: Whose resources they are for.
        examples: Requests of the group with different actions.
        statements: The statement that allows each example.
    """

    becomes_allowed: bool
    callers: CallerGroup
    resources: ResourceGroup
    examples: tuple[Request, ...]
    statements: tuple[Statement | None, ...]


@dataclass(frozen=True, slots=True)
class PolicyComparison:
    """How two policies differ.

    Attributes:
        changes: The groups of requests that become allowed or denied.
        unknown: Why it is not known whether other requests do; empty if none does.
    """

    changes: tuple[RequestChange, ...]
    unknown: tuple[str, ...]


def compare_policies(
    old: str, new: str, check: PolicyCheck, units: int = 4 * MAX_UNITS
) -> PolicyComparison:
    """Compare the texts of two policies at one endpoint.

    Args:
        old: The policy before a change.
        new: The policy after it.
        check: The endpoint, and the accounts and organizations that the groups refer to.
        units: The work that each direction may take.

    Raises:
        MalformedPolicyError: A text is not a policy document.
    """
    changes: list[RequestChange] = []
    unknown: dict[str, None] = {}
    before, after = (_read(old, OLD), _read(new, NEW))
    for allows, denies in ((after, before), (before, after)):
        compared = [
            _compare(one, other, check, SearchBudget(units), becomes_allowed=allows is after)
            for one, other in product(allows, denies)
        ]
        first = compared[0]
        if len({(bool(each.changes), bool(each.unknown)) for each in compared}) > 1:
            first = PolicyComparison((), (AMBIGUOUS,))
        changes += first.changes
        unknown.update(dict.fromkeys(first.unknown))
    return PolicyComparison(tuple(changes), tuple(unknown))


@lru_cache(maxsize=512)
def find_denied_request(
    old: str, new: str, check: PolicyCheck, units: int = MAX_UNITS
) -> tuple[QuestionResult, int]:
    """Decide whether a new policy denies trusted principals what the old one allows them.

    Only requests for trusted resources count, and of resources that have a Region those of the
    endpoint's own, which it serves.

    Args:
        old: The policy before a change.
        new: The policy after it.
        check: The endpoint, and the accounts and organizations that are trusted.
        units: The work that each pair of readings may take.

    Returns:
        Yes with a request that becomes denied, no, or unknown with the reason; and the units of
        work that it took.

    Raises:
        MalformedPolicyError: A text is not a policy document.
    """
    region = check.endpoint.region
    question = _GroupQuestion(only_resources=_match_region(region) if region else None)
    found, spent = QuestionResult(PolicyAnswer.NO), 0
    for one, other in product(_read(old, OLD), _read(new, NEW)):
        if _list_meanings(one) == _list_meanings(other):
            continue
        budget = SearchBudget(units)
        decided = Decider(one, check, budget, other).decide(question)
        spent += sum(budget.spent.values())
        if decided.answer is PolicyAnswer.YES or found.answer is PolicyAnswer.NO:
            found = decided
    return found, spent


@lru_cache(maxsize=64)
def _match_region(region: str) -> PatternSet:
    """Return the pattern set of `*`, and of the ARNs that name a Region or none."""
    name = match_many(FIELD)
    start = (*match_text("arn:"), name, *match_text(":"), name, *match_text(":"))
    ends = (match_text(f"{each}:") for each in ("", region))
    return compile_patterns(match_text("*"), *((*start, *end, match_many(ANY)) for end in ends))


def _read(text: str, name: str) -> list[Policy]:
    """Return every reading of a policy: names that appear twice may mean either."""
    policy = name_policy(parse_policy(text), name)
    if not policy.duplicates:
        return [policy]
    return [policy, name_policy(parse_policy(text, keep="first"), name)]


def _compare(
    policy: Policy,
    other: Policy,
    check: PolicyCheck,
    budget: SearchBudget,
    *,
    becomes_allowed: bool,
) -> PolicyComparison:
    """Find what a policy allows and the other one denies."""
    if _list_meanings(policy) == _list_meanings(other):
        return PolicyComparison((), ())
    decider = Decider(policy, check, budget, other)
    changes: list[RequestChange] = []
    unknown: dict[str, None] = {}
    for question in (Question(), Question(by_service=True), Question(forwarded=True)):
        if decider.decide(question).answer is PolicyAnswer.NO:
            continue
        for each in _list_groups(question):
            found = decider.decide(each)
            if found.answer is PolicyAnswer.UNKNOWN:
                unknown[found.reason] = None
            elif found.request:
                examples = [found, *_list_more(decider, each, found)]
                requests, statements = zip(
                    *((example.request, example.statement) for example in examples), strict=True
                )
                groups = each.callers, each.resources
                changes.append(RequestChange(becomes_allowed, *groups, requests, statements))
    return PolicyComparison(tuple(changes), tuple(unknown))


def _list_meanings(policy: Policy) -> set[Statement]:
    """Return the statements without what does not matter, in the language of their version."""
    stated = policy.statements
    return {replace(each, number=0, sid="", line=1, policy=policy.version) for each in stated}


def _list_groups(question: Question) -> Iterator[_GroupQuestion]:
    services = {CallerGroup.SERVICE: question.by_service, CallerGroup.FORWARDED: question.forwarded}
    is_direct = not any(services.values())
    for callers, resources in product(CallerGroup, ResourceGroup):
        if services.get(callers, is_direct):
            yield _GroupQuestion(
                by_service=question.by_service,
                forwarded=question.forwarded,
                callers=callers,
                resources=resources,
            )


def _list_more(
    decider: Decider, question: _GroupQuestion, found: QuestionResult
) -> Iterator[QuestionResult]:
    """Yield further examples of a group, each with an action that no other example has."""
    actions: list[str] = []
    while found.request and len(actions) < MAX_ACTIONS - 1:
        actions.append(found.request.action.lower())
        found = decider.decide(replace(question, allowed_actions=compile_globs(actions)))
        if found.answer is PolicyAnswer.YES:
            yield found
