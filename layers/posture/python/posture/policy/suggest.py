"""A policy that closes what was found and keeps the rest: the same, with statements that deny.

The pattern is AWS's own for data perimeters: deny whoever is of neither a trusted account nor a
trusted organisation, and likewise for resources; AWS's services are left out of both.
https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_data-perimeters.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from posture.policy import keys, service_actions
from posture.policy.decide import PolicyAnswer, PolicyDecision, decide_policy
from posture.policy.descriptions import CANONICAL
from posture.policy.document import MAX_POLICY_CHARACTERS, Policy
from posture.policy.endpoint_dependence import generalise_check
from posture.policy.ownership import name_without_account
from posture.policy.parse import parse_policy
from posture.policy.policy_check import PolicyCheck

SIGNED_IN = [f"sts:{name}" for name in service_actions.FEDERATED]
NOT_A_SERVICE = {"aws:PrincipalIsAWSService": "false", "aws:ViaAWSService": "false"}


def suggest_policy(text: str, decision: PolicyDecision, check: PolicyCheck) -> str | None:
    """Give a policy document without the holes that a decision found.

    None where there is no hole that statements can close, or where the result would be too long.
    """
    principals = decision.untrusted_principal.answer is PolicyAnswer.YES
    resources = decision.untrusted_resource.answer is PolicyAnswer.YES
    if not (principals or resources) or service_actions.is_customer_service(check.endpoint.service):
        return None
    return _closed(text, generalise_check(text, check), principals=principals, resources=resources)


@lru_cache(maxsize=256)
def _closed(text: str, check: PolicyCheck, *, principals: bool, resources: bool) -> str | None:
    policy = parse_policy(text)
    check = replace(check, trust=check.trust.with_account(check.endpoint.account))
    denies = [*(_principals(check) if principals else ()), *_resources(policy, check, resources)]
    suggested = _joined(text, denies)
    if suggested is None or len(suggested) > MAX_POLICY_CHARACTERS:
        return None
    again = decide_policy(parse_policy(suggested), check)
    still = {again.untrusted_principal.answer, again.untrusted_resource.answer}
    return suggested if still == {PolicyAnswer.NO} else None


def _joined(text: str, denies: Iterable[Mapping[str, Any]]) -> str | None:
    document = json.loads(text.removeprefix("\ufeff"))
    stated = document["Statement"]
    statements = stated if isinstance(stated, list) else [stated]
    return json.dumps({**document, "Statement": [*statements, *denies]}, indent=2)


def _principals(check: PolicyCheck) -> Iterable[Mapping[str, Any]]:
    """Deny strangers; whoever an identity provider signs in has no account yet."""
    carried = check.endpoint.action_prefixes
    signs_in = not carried or "sts" in carried
    yield {
        "Sid": "DenyUntrustedPrincipals",
        "Effect": "Deny",
        "Principal": "*",
        **({"NotAction": SIGNED_IN} if signs_in else {"Action": "*"}),
        "Resource": "*",
        "Condition": {
            "StringNotEquals": _trusted(check, keys.PRINCIPAL_ACCOUNT, keys.PRINCIPAL_ORG),
            "BoolIfExists": NOT_A_SERVICE,
        },
    }
    if signs_in:
        yield {
            "Sid": "DenySignInToUntrustedRoles",
            "Effect": "Deny",
            "Principal": "*",
            "Action": SIGNED_IN,
            "Resource": "*",
            "Condition": {
                "StringNotEquals": _trusted(check, keys.RESOURCE_ACCOUNT, keys.RESOURCE_ORG)
            },
        }


def _resources(policy: Policy, check: PolicyCheck, wanted: bool) -> Iterable[Mapping[str, Any]]:
    """Deny strangers' resources; the names that the policy vouches for are kept."""
    if not wanted:
        return
    kept = () if check.trust.strict else _vouched(policy)
    yield {
        "Sid": "DenyUntrustedResources",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "*",
        **({"NotResource": list(kept)} if kept else {"Resource": "*"}),
        "Condition": {
            "StringNotEquals": _trusted(check, keys.RESOURCE_ACCOUNT, keys.RESOURCE_ORG),
            "BoolIfExists": NOT_A_SERVICE,
        },
    }


def _vouched(policy: Policy) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for statement in policy.statements:
        if statement.allows and not statement.excludes_resources:
            for resource in statement.resources:
                if (name := name_without_account(resource)) and "${" not in resource:
                    found[name] = None
                    if ":s3:::" in name:
                        found[f"{name}/*"] = None
    return tuple(found)


def _trusted(check: PolicyCheck, account: str, organization: str) -> Mapping[str, Any]:
    """Give the values that a stranger has none of: of no trusted account and organisation."""
    trust = check.trust
    names = {account: sorted(trust.accounts), organization: sorted(trust.organizations)}
    return {CANONICAL[key]: values for key, values in names.items() if values}
