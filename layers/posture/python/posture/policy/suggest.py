"""Suggest a policy that denies what was found and keeps the rest, by adding Deny statements.

The statements follow AWS's pattern for data perimeters: deny principals, or resources, of neither a
trusted account nor a trusted organization, except for requests of AWS services.
https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_data-perimeters.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any

from posture.policy import keys, service_actions
from posture.policy.automata import SearchBudget
from posture.policy.decide import MAX_UNITS, PolicyAnswer, PolicyDecision, decide_policy
from posture.policy.descriptions import CANONICAL
from posture.policy.document import MAX_POLICY_CHARACTERS, Policy
from posture.policy.endpoint_dependence import generalize_check
from posture.policy.ownership import name_without_account
from posture.policy.parse import parse_policy
from posture.policy.policy_check import PolicyCheck, Trust

MAX_SUGGESTION_UNITS = MAX_UNITS // 4
SIGN_IN = [f"sts:{name}" for name in service_actions.FEDERATED]
EXCEPT_SERVICES = {
    "BoolIfExists": {"aws:PrincipalIsAWSService": "false", "aws:ViaAWSService": "false"}
}
PRINCIPAL_KEYS = (keys.PRINCIPAL_ACCOUNT, keys.PRINCIPAL_ORG)
OWNER_KEYS = (keys.RESOURCE_ACCOUNT, keys.RESOURCE_ORG)


def suggest_policy(
    text: str, decision: PolicyDecision, check: PolicyCheck, units: int = MAX_SUGGESTION_UNITS
) -> str | None:
    """Return the policy with statements that deny untrusted principals and resources.

    Args:
        text: The policy.
        decision: The answers about it.
        check: What it was checked against.
        units: The work that deciding the suggested policy may take.

    Returns:
        The suggested policy, itself decided; None if there is nothing to deny, if Deny statements
        do not help, or if the policy would be too long or take too much work.
    """
    principals = decision.untrusted_principal.answer is PolicyAnswer.YES
    resources = decision.untrusted_resource.answer is PolicyAnswer.YES
    if not (principals or resources) or service_actions.is_customer_service(check.endpoint.service):
        return None
    check = generalize_check(text, check)
    return _suggest(text, check, units, principals=principals, resources=resources)


@lru_cache(maxsize=256)
def _suggest(
    text: str, check: PolicyCheck, units: int, *, principals: bool, resources: bool
) -> str | None:
    trust = check.trust.with_account(check.endpoint.account)
    check = replace(check, trust=trust)
    denies = list(_deny_principals(check)) if principals else []
    if resources:
        denies.append(_deny_resources(parse_policy(text), trust))
    document = json.loads(text.removeprefix("\ufeff"))
    stated = document["Statement"]
    statements = stated if isinstance(stated, list) else [stated]
    suggested = json.dumps({**document, "Statement": [*statements, *denies]}, indent=2)
    if len(suggested) > MAX_POLICY_CHARACTERS:
        return None
    decision = decide_policy(parse_policy(suggested), check, SearchBudget(units))
    answers = {decision.untrusted_principal.answer, decision.untrusted_resource.answer}
    return suggested if answers == {PolicyAnswer.NO} else None


def _deny_principals(check: PolicyCheck) -> Iterator[dict[str, Any]]:
    """Deny untrusted principals. Callers that sign in have no account, so their role counts."""
    carried = check.endpoint.action_prefixes
    signs_in = not carried or "sts" in carried
    actions = {"NotAction": SIGN_IN} if signs_in else {"Action": "*"}
    condition = {**_not_trusted(PRINCIPAL_KEYS, check.trust), **EXCEPT_SERVICES}
    yield _deny("DenyUntrustedPrincipals", actions, {"Resource": "*"}, condition)
    if signs_in:
        condition = _not_trusted(OWNER_KEYS, check.trust)
        actions = {"Action": SIGN_IN}
        yield _deny("DenySignInToUntrustedRoles", actions, {"Resource": "*"}, condition)


def _deny_resources(policy: Policy, trust: Trust) -> dict[str, Any]:
    """Deny untrusted resources, except those that the policy names in full."""
    kept = [] if trust.strict else _list_presumed_own(policy)
    resources = {"NotResource": kept} if kept else {"Resource": "*"}
    condition = {**_not_trusted(OWNER_KEYS, trust), **EXCEPT_SERVICES}
    return _deny("DenyUntrustedResources", {"Action": "*"}, resources, condition)


def _deny(
    sid: str, actions: dict[str, Any], resources: dict[str, Any], condition: dict[str, Any]
) -> dict[str, Any]:
    start = {"Sid": sid, "Effect": "Deny", "Principal": "*"}
    return {**start, **actions, **resources, "Condition": condition}


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
