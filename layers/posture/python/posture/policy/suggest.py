"""Suggest policies that deny what was found and keep what workloads need.

The first adds Deny statements, which follow AWS's pattern for data perimeters: deny principals, or
resources, of neither a trusted account nor a trusted organization, except for requests of AWS
services and for the resources of AWS that features need. The second is the least policy. Only those
are returned that are proven to be closed, and to let through what trusted principals need.
https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_data-perimeters.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from posture.lean_dataclass import dataclass
from posture.policy import keys, service_actions
from posture.policy.decide import (
    MAX_UNITS,
    Decider,
    PolicyAnswer,
    PolicyDecision,
    decide_policy,
)
from posture.policy.descriptions import CANONICAL
from posture.policy.document import MAX_POLICY_CHARACTERS, Policy
from posture.policy.endpoint_dependence import generalize_check
from posture.policy.features.table import Signer, Use, read_features
from posture.policy.generate import PolicyConflictError, generate_policy
from posture.policy.needs.check import NEED_UNITS, NeedStatus, check_needs
from posture.policy.needs.needs import Need, list_needs
from posture.policy.needs.statements import build_statements, list_own_arns
from posture.policy.ownership import name_without_account
from posture.policy.parse import parse_policy
from posture.policy.permitted import READS, list_named_buckets
from posture.policy.policy_check import PolicyCheck, Trust
from posture.policy.question import Question
from posture.policy.request import CallerKind
from posture.policy.request_case import Caller, OwnerKind, ResourceOwner
from posture.policy.search_budget import SearchBudget

MAX_SUGGESTION_UNITS = MAX_UNITS // 2
SIGN_IN = [f"sts:{name}" for name in service_actions.FEDERATED]
EXCEPT_SERVICES = {
    "BoolIfExists": {"aws:PrincipalIsAWSService": "false", "aws:ViaAWSService": "false"}
}
PRINCIPAL_KEYS = (keys.PRINCIPAL_ACCOUNT, keys.PRINCIPAL_ORG)
OWNER_KEYS = (keys.RESOURCE_ACCOUNT, keys.RESOURCE_ORG)
Statements = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class SuggestedPolicy:
    """A policy that is proven to be closed and to let needs through.

    Attributes:
        text: The policy.
        keeps_rest: Whether it keeps the statements, and all access that is trusted.
        stops: The features, not named in the baseline, that work now and would not any more.
    """

    text: str
    keeps_rest: bool
    stops: tuple[str, ...]


class _OwnQuestion(Question):
    """Is a request of a principal of a trusted account for a trusted resource allowed?"""

    def may_count(self, caller: Caller, trust: Trust) -> bool:
        return caller.kind is CallerKind.PRINCIPAL and caller.account in trust.accounts

    def counts(self, caller: Caller, owner: ResourceOwner, trust: Trust) -> bool:
        is_own = owner.kind is OwnerKind.CALLER or trust.covers(owner.account, owner.organization)
        return is_own and self.may_count(caller, trust)


def suggest_policies(
    text: str, decision: PolicyDecision, check: PolicyCheck, units: int = MAX_SUGGESTION_UNITS
) -> tuple[SuggestedPolicy, ...]:
    """Return policies that allow nothing untrusted and let the needs of the check through.

    Args:
        text: The policy.
        decision: The answers about it.
        check: What it was checked against.
        units: The work that deciding each suggested policy may take.

    Returns:
        The policies, the one that changes least first; none if there is nothing to deny, or no
        policy is proven.
    """
    found = frozenset(
        name for name, each in decision.results.items() if each.answer is PolicyAnswer.YES
    )
    if not found or service_actions.is_customer_service(check.endpoint.service):
        return ()
    return _suggest(text, generalize_check(text, check), units, found)


def suggest_for_needs(
    text: str, decision: PolicyDecision, check: PolicyCheck, units: int = MAX_SUGGESTION_UNITS
) -> str | None:
    """Return the policy with statements that let needs through, and nothing else untrusted.

    Args:
        text: The policy, which blocks needs of the check.
        decision: The answers about it.
        check: What it is checked against.
        units: The work that deciding the suggested policy may take.
    """
    check = generalize_check(text, check)
    answers = tuple((name, each.answer) for name, each in decision.results.items())
    return _suggest_for_needs(text, answers, check, units)


@lru_cache(maxsize=256)
def _suggest(
    text: str, check: PolicyCheck, units: int, found: frozenset[str]
) -> tuple[SuggestedPolicy, ...]:
    trust = check.trust.with_account(check.endpoint.account)
    check = replace(check, trust=trust)
    policy = parse_policy(text)
    exempt = _Exemptions.of(policy, check)
    denies: Statements = []
    if "untrusted_principal" in found:
        denies += _deny_principals(check, exempt)
    if "untrusted_resource" in found:
        denies.append(_deny_resources(policy, check, exempt))
    if "disallowed_action" in found:
        allowed = {"NotAction": sorted(check.allowed_actions)}
        denies.append(_deny("DenyOtherActions", allowed, {"Resource": "*"}, {}))
    needs = list_needs(check.features, check.endpoint)
    blocked = _find_blocked(policy, needs, check, units)
    missing = _list_missing(needs, blocked, check)
    # Of a policy that allows everything, the least policy loses nothing that is trusted.
    is_open = "full_access" in found
    amended = None if is_open else _add_statements(text, [*missing, *denies])
    candidates = [(amended, True), (_generate(check, units), False)]
    return tuple(
        SuggestedPolicy(each, keeps, _list_stopped(policy, parse_policy(each), check, units))
        for each, keeps in candidates
        if each and _is_proven(each, blocked, check, units)
    )


@lru_cache(maxsize=256)
def _suggest_for_needs(
    text: str, answers: tuple[tuple[str, PolicyAnswer], ...], check: PolicyCheck, units: int
) -> str | None:
    needs = list_needs(check.features, check.endpoint)
    statements = _list_missing(needs, _find_blocked(parse_policy(text), needs, check, units), check)
    suggested = _add_statements(text, statements) if statements else None
    if not suggested:
        return None
    after = parse_policy(suggested)
    found = decide_policy(after, check, SearchBudget(units)).results
    is_worse = any(found[name].answer is not answer for name, answer in answers)
    is_blocked = _find_blocked(after, needs, check, units)
    return None if is_worse or is_blocked else suggested


def _list_missing(needs: Iterable[Need], blocked: set[Need], check: PolicyCheck) -> Statements:
    """Return the statements for the needs that a policy blocks."""
    listed = build_statements((each for each in needs if each in blocked), check)
    return [dict(each.statement) for each in listed]


def _add_statements(text: str, added: Statements) -> str | None:
    """Return the policy with further statements; None if it would be too long."""
    document = json.loads(text.removeprefix("\ufeff"))
    stated = document["Statement"]
    statements = stated if isinstance(stated, list) else [stated]
    suggested = {**document, "Statement": [*statements, *_rename(statements, added)]}
    written = json.dumps(suggested, indent=2)
    if len(written) > MAX_POLICY_CHARACTERS:
        written = json.dumps(suggested, separators=(",", ":"))
    return written if len(written) <= MAX_POLICY_CHARACTERS else None


def _rename(statements: Statements, added: Statements) -> Iterator[Mapping[str, Any]]:
    """Yield statements with Sids that the policy does not have yet."""
    used = {each.get("Sid") for each in statements}
    for each in added:
        names = (f"{each['Sid']}{number or ''}" for number in range(len(used) + 1))
        sid = next(name for name in names if name not in used)
        used.add(sid)
        yield {**each, "Sid": sid}


def _generate(check: PolicyCheck, units: int) -> str | None:
    try:
        return generate_policy(check, units=units).text
    except PolicyConflictError:
        return None


def _is_proven(text: str, before: set[Need], check: PolicyCheck, units: int) -> bool:
    """Return whether a policy is closed, lets trusted principals in, and blocks no further need.

    Args:
        text: The policy.
        before: The needs that the present policy blocks.
        check: What it is checked against.
        units: The work that deciding it may take, and the same again for its needs.
    """
    policy = parse_policy(text)
    budget = SearchBudget(units)
    decision = decide_policy(policy, check, budget)
    answers = {decision.untrusted_principal.answer, decision.untrusted_resource.answer}
    unlisted = decision.disallowed_action
    if answers != {PolicyAnswer.NO} or (unlisted and unlisted.answer is PolicyAnswer.YES):
        return False
    own = Decider(policy, check, budget).decide(_OwnQuestion())
    if own.answer is not PolicyAnswer.YES:
        return False
    needs = list_needs(check.features, check.endpoint)
    return _find_blocked(policy, needs, check, units) <= before


def _find_blocked(
    policy: Policy, needs: Iterable[Need], check: PolicyCheck, units: int
) -> set[Need]:
    results = check_needs(policy, needs, check, min(units, NEED_UNITS))
    return {each.need for each in results if each.status is NeedStatus.BLOCKED}


def _list_stopped(before: Policy, after: Policy, check: PolicyCheck, units: int) -> tuple[str, ...]:
    """Return the features that the baseline does not name and that would stop."""
    others = [name for name in read_features() if name not in check.features]
    needs = [
        each
        for each in list_needs(others, check.endpoint, Use.ALWAYS)
        if each.owned_by_aws and each.feature not in check.features and not each.missing
    ]
    blocked = _find_blocked(before, needs, check, units)
    stopped = _find_blocked(after, needs, check, units) - blocked
    return tuple(sorted({each.feature for each in stopped}))


@dataclass(frozen=True, slots=True)
class _Exemptions:
    """The resources of AWS that are not denied: for anyone, by actions, and for own principals."""

    for_anyone: Mapping[tuple[str, ...], list[str]]
    for_own: list[str]

    @classmethod
    def of(cls, policy: Policy, check: PolicyCheck) -> _Exemptions:
        anyone: dict[tuple[str, ...], list[str]] = {}
        own: dict[str, None] = {}
        for bucket in [] if check.only_features else dict.fromkeys(list_named_buckets(policy)):
            anyone.setdefault(READS, []).extend((bucket, f"{bucket}/*"))
        for need in list_needs(check.features, check.endpoint):
            if need.owned_by_aws and need.resource and "::image/" not in need.resource:
                if need.signers == (Signer.OWN,):
                    own[need.resource] = None
                elif all(need.resource not in each for each in anyone.values()):
                    anyone.setdefault(need.actions, []).append(need.resource)
        return cls(anyone, list(own))

    @property
    def anyone(self) -> list[str]:
        """The resources that anyone may use with some actions."""
        return list(dict.fromkeys(each for listed in self.for_anyone.values() for each in listed))


def _deny_principals(check: PolicyCheck, exempt: _Exemptions) -> Iterator[dict[str, Any]]:
    """Deny untrusted principals. Callers that sign in have no account, so their role counts."""
    carried = check.endpoint.action_prefixes
    signs_in = not carried or "sts" in carried
    actions = {"NotAction": SIGN_IN} if signs_in else {"Action": "*"}
    condition = {**_not_trusted(PRINCIPAL_KEYS, check.trust), **EXCEPT_SERVICES}
    yield _deny("DenyUntrustedPrincipals", actions, _all_but(exempt.anyone), condition)
    for allowed, resources in exempt.for_anyone.items():
        others = {"NotAction": list(allowed)}
        yield _deny("DenyOtherUseOfAwsResources", others, {"Resource": resources}, condition)
    if signs_in:
        condition = _not_trusted(OWNER_KEYS, check.trust)
        actions = {"Action": SIGN_IN}
        yield _deny("DenySignInToUntrustedRoles", actions, {"Resource": "*"}, condition)


def _deny_resources(policy: Policy, check: PolicyCheck, exempt: _Exemptions) -> dict[str, Any]:
    """Deny untrusted resources, except those that the policy names in full and those of AWS.

    Where requests may lack the keys of the owner, which a negated operator takes for untrusted, the
    ARNs of trusted accounts are left out.
    """
    trust, carried = check.trust, check.endpoint.action_prefixes
    own = [] if trust.strict else _list_presumed_own(policy)
    if any(each in service_actions.WITHOUT_OWNER_KEYS for each in carried):
        own += list_own_arns(check.endpoint, trust)
    kept = list(dict.fromkeys((*own, *exempt.anyone, *exempt.for_own)))
    condition = {**_not_trusted(OWNER_KEYS, trust), **EXCEPT_SERVICES}
    return _deny("DenyUntrustedResources", {"Action": "*"}, _all_but(kept), condition)


def _all_but(kept: list[str]) -> dict[str, Any]:
    return {"NotResource": kept} if kept else {"Resource": "*"}


def _deny(
    sid: str, actions: dict[str, Any], resources: dict[str, Any], condition: dict[str, Any]
) -> dict[str, Any]:
    start = {"Sid": sid, "Effect": "Deny", "Principal": "*"}
    return {**start, **actions, **resources, **({"Condition": condition} if condition else {})}


def _not_trusted(names: tuple[str, str], trust: Trust) -> dict[str, Any]:
    trusted = zip(names, (trust.accounts, trust.organizations), strict=True)
    return {"StringNotEquals": {CANONICAL[key]: sorted(ids) for key, ids in trusted if ids}}


def _list_presumed_own(policy: Policy) -> list[str]:
    found: dict[str, None] = {}
    for statement in policy.statements:
        if statement.allows and not statement.excludes_resources:
            for resource in statement.resources:
                if (name := name_without_account(resource)) and "${" not in resource:
                    found[name] = None
                    if ":s3:::" in name:
                        found[f"{name}/*"] = None
    return list(found)
