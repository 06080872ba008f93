"""Check which needs a policy blocks: each is asked with its true signer.

A request that the workload can choose, such as one of some role for some repository, passes if the
policy allows any such request.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from enum import StrEnum
from functools import cached_property, lru_cache
from itertools import islice, product

from posture.lean_dataclass import dataclass
from posture.policy import keys
from posture.policy.automata import compile_patterns
from posture.policy.case_enumeration import CaseEnumeration
from posture.policy.clauses import ClauseEvaluator
from posture.policy.conditions import UnsupportedElementError
from posture.policy.cost import list_elements
from posture.policy.decide import explain_limit
from posture.policy.document import Policy
from posture.policy.endpoint_dependence import generalize_check
from posture.policy.evaluate import evaluate
from posture.policy.features.table import Signer, Use
from posture.policy.mentions import EXTERNAL_ACCOUNTS
from posture.policy.needs.cases import NeedCases, has_no_resource
from posture.policy.needs.needs import Need, list_needs
from posture.policy.operators import OperatorFamily
from posture.policy.parse import parse_policy
from posture.policy.policy_check import PolicyCheck
from posture.policy.question import Question
from posture.policy.request import CallerKind, Request
from posture.policy.request_case import OpenValue, OwnerKind, RequestCase, resolve_key
from posture.policy.scalars import parse_instant
from posture.policy.search import FoundRequest, RequestSearch
from posture.policy.search_budget import BudgetExceededError, SearchBudget
from posture.policy.shapes import ACTION, RESOURCE, SESSION
from posture.policy.tokens import match_text
from posture.policy.value_tests import (
    IncompatibleTestsError,
    KeyValues,
    RequiredOutcome,
    ValueTest,
)
from posture.policy.witness import build_request

NEED_UNITS = 1 << 18  # of work on the needs of one policy
LEAST_NEED_UNITS = NEED_UNITS // 16  # enough for the needs of most policies
NOT_ALLOWED = "no statement allows it"
MAX_OWNERS = 32  # other owners whose resources a workload may use
MANY_OWNERS = "whose resources the workload uses, of many accounts that the policy names"
UNCONFIRMED = "an example that the evaluator does not confirm"


class NeedStatus(StrEnum):
    """Whether a policy lets a need through."""

    PASSES = "passes"
    BLOCKED = "blocked"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class NeedResult:
    """Whether a policy lets a need through.

    Attributes:
        need: The need.
        status: The answer.
        signer: Who signs the request that is not let through; otherwise the most probable signer.
        action: The action of that request.
        reason: Why it is blocked, or why the answer is not known.
        request: The request that is blocked.
    """

    need: Need
    status: NeedStatus
    signer: Signer
    action: str
    reason: str = ""
    request: Request | None = None


def check_needs(
    policy: Policy, needs: Iterable[Need], check: PolicyCheck, units: int = NEED_UNITS
) -> tuple[NeedResult, ...]:
    """Return for each need whether a policy lets it through.

    Args:
        policy: The policy.
        needs: The needs, as `list_needs` returns them for the endpoint of the check.
        check: The endpoint, and the organizations that its account may be in.
        units: The work that all needs together may take.
    """
    checker = _NeedChecker(policy, check, SearchBudget(units))
    return tuple(map(checker.check_need, needs))


def check_needs_of_text(
    text: str, check: PolicyCheck, *uses: Use, units: int = NEED_UNITS
) -> tuple[NeedResult, ...]:
    """Check the needs of an endpoint, once for all endpoints that its policy cannot distinguish.

    Args:
        text: The policy, which is well formed.
        check: The endpoint and its features.
        uses: How often the requests are made; see `list_needs`.
        units: The work that all needs together may take.
    """
    return _check_text(text, generalize_check(text, check), uses, units)


@lru_cache(maxsize=512)
def _check_text(
    text: str, check: PolicyCheck, uses: tuple[Use, ...], units: int
) -> tuple[NeedResult, ...]:
    needs = list_needs(check.features, check.endpoint, *uses)
    return check_needs(parse_policy(text), needs, check, units) if needs else ()


@dataclass(frozen=True, slots=True)
class _Denial:
    """A request that is denied, why, and the elements that could not be decided."""

    case: RequestCase
    request: Request
    reason: str
    undecided: tuple[str, ...] = ()


@dataclass(frozen=True)
class _NeedChecker:
    policy: Policy
    check: PolicyCheck
    budget: SearchBudget

    @cached_property
    def evaluation_units(self) -> int:
        """The work of one evaluation."""
        statements = self.policy.statements
        return len(statements) + sum(each.size for each in list_elements(statements)) // 16

    @cached_property
    def cases(self) -> NeedCases:
        return NeedCases(self.policy, self.check)

    @cached_property
    def search(self) -> RequestSearch:
        endpoint, now = self.check.endpoint, self.check.now
        trust = self.check.trust.with_account(endpoint.account)
        return RequestSearch(
            CaseEnumeration(self.policy, endpoint, trust, self.budget),
            ClauseEvaluator(self.policy, self.budget),
            Question(),
            self.budget,
            parse_instant(now.isoformat()) if now else None,
            endpoint,
        )

    def check_need(self, need: Need) -> NeedResult:
        """Ask for every signer. The most probable one decides if AWS confirms it."""
        if need.missing:
            first = need.asked[0] if need.asked else ""
            return NeedResult(need, NeedStatus.UNKNOWN, need.signers[0], first, need.missing)
        signers = need.signers[:1] if need.confirmed else need.signers
        results = [self._check_signer(need, each) for each in signers]
        failing = [each for each in results if each.status is not NeedStatus.PASSES]
        if not failing:
            return results[0]
        if len({each.status for each in results}) == 1:
            return failing[0]
        why = f"AWS does not state who signs it; {failing[0].reason}"
        return replace(failing[0], status=NeedStatus.UNKNOWN, reason=why)

    def _check_signer(self, need: Need, signer: Signer) -> NeedResult:
        """Return the first request of a signer that is not let through, blocked ones first."""
        unknown: NeedResult | None = None
        for action in need.asked:
            for resource in ("*",) if has_no_resource(need, action) else need.examples or ("",):
                found = self._check_request(need, signer, action, resource)
                if found.status is NeedStatus.BLOCKED:
                    return found
                if found.status is NeedStatus.UNKNOWN:
                    unknown = unknown or found
        passes = NeedResult(need, NeedStatus.PASSES, signer, need.asked[0])
        return unknown or passes

    def _check_request(self, need: Need, signer: Signer, action: str, resource: str) -> NeedResult:
        asked = NeedResult(need, NeedStatus.PASSES, signer, action)
        allowed: list[RequestCase] = []
        denied: list[_Denial] = []
        try:
            for case in self.cases.list_cases(need, signer, action):
                denial = self._find_denial(case, action, resource)
                if denial:
                    denied.append(denial)
                else:
                    allowed.append(case)
        except (BudgetExceededError, UnsupportedElementError, IncompatibleTestsError) as error:
            limit = explain_limit(self.policy.statements, self.budget.spent)
            why = f"the answer depends on {error}" if str(error) else limit
            return replace(asked, status=NeedStatus.UNKNOWN, reason=why)
        if not denied:
            return asked
        first = denied[0]
        blocked, request = NeedStatus.BLOCKED, first.request
        found = replace(asked, status=blocked, reason=first.reason, request=request)
        undecided = dict.fromkeys(name for each in denied for name in each.undecided)
        if undecided:
            why = f"the answer depends on {', '.join(undecided)}"
            return replace(found, status=NeedStatus.UNKNOWN, reason=why)
        if allowed:
            why = self._explain_difference(allowed[0], first.case)
            return replace(found, status=NeedStatus.UNKNOWN, reason=why)
        return found

    def _find_denial(self, case: RequestCase, action: str, resource: str) -> _Denial | None:
        """Return why the policy denies a request of a case, whatever the workload chooses."""
        request = build_request(FoundRequest(case, dict(_choose(case, action, resource)), None))
        self.budget.spend(self.evaluation_units)
        result = evaluate(self.policy, request, gateway=case.endpoint.gateway)
        if result.allowed:
            return None
        reason = f"{result.statement} denies it" if result.statement else NOT_ALLOWED
        denial = _Denial(case, request, reason)
        if resource and self._is_determined(case):
            return denial
        required = dict(_require(action, resource))
        search = replace(self.search, required=required, undecided={})
        others = list(islice(self._list_other_owners(case, resource), MAX_OWNERS + 1))
        for each in (case, *others[:MAX_OWNERS]):
            found = search.find_in(each)
            if found and self._is_confirmed(found):
                return None
            if found:
                search.undecided[UNCONFIRMED] = None
        if len(others) > MAX_OWNERS:
            search.undecided[MANY_OWNERS] = None
        return replace(denial, undecided=tuple(search.undecided))

    def _is_confirmed(self, found: FoundRequest) -> bool:
        """Return whether the evaluator, which is independent of the search, allows a request."""
        self.budget.spend(self.evaluation_units)
        gateway = found.case.endpoint.gateway
        return evaluate(self.policy, build_request(found), gateway=gateway).allowed

    def _is_determined(self, case: RequestCase) -> bool:
        """Return whether the workload chooses nothing that the policy can distinguish."""
        named = self.cases.mentions.all_keys
        is_open = any(isinstance(resolve_key(key, case), OpenValue) for key in named)
        return not is_open and all(each.principals.any_principal for each in self.policy.statements)

    def _list_other_owners(self, case: RequestCase, resource: str) -> Iterator[RequestCase]:
        """Yield the case with the other owners that the policy distinguishes."""
        owner, mentions = case.owner, self.cases.mentions
        if resource or owner is None or owner.kind is not OwnerKind.ACCOUNT:
            return
        named = mentions.accounts.positions.keys()
        unnamed = next((each for each in EXTERNAL_ACCOUNTS if each not in named), "")
        others = sorted({*named, unnamed} - {owner.account, ""})
        organizations = (owner.organization, None, *sorted(mentions.organizations.positions))
        for account, organization in product(others, dict.fromkeys(organizations)):
            yield replace(case, owner=replace(owner, account=account, organization=organization))

    def _explain_difference(self, one: RequestCase, other: RequestCase) -> str:
        """Name what AWS does not state, or what the baseline leaves open."""
        if one.endpoint.own_organization != other.endpoint.own_organization:
            account = self.check.endpoint.account
            return f"the organization of account {account} is not known (organization)"
        return "AWS does not state all condition keys of the request"


def _choose(case: RequestCase, action: str, resource: str) -> Iterator[tuple[str, KeyValues]]:
    """Yield typical values of everything that is open in a case."""
    endpoint, account = case.endpoint, case.caller.account
    yield ACTION, (action,)
    service = action.partition(":")[0]
    typical = f"arn:{case.partition}:{service}:{endpoint.region}:{endpoint.account}:example"
    yield RESOURCE, (resource or typical,)
    yield "aws:securetransport", ("true",)
    if case.caller.kind is CallerKind.PRINCIPAL:
        role = f"arn:{case.partition}:iam::{account}:role/Workload"
        yield keys.PRINCIPAL_ARN, (f"{role}{SESSION}session",)


def _require(action: str, resource: str) -> Iterator[tuple[str, tuple[RequiredOutcome, ...]]]:
    for key, text in ((ACTION, action.lower()), (RESOURCE, resource)):
        if text:
            test = ValueTest(OperatorFamily.STRING, compile_patterns(match_text(text)))
            yield key, ((test, True),)
