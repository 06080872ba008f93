"""Whether the policy of a central endpoint lets any request of another account through."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from posture.analysis.central.answers import CentralStep, StepKind, StepStatus
from posture.analysis.endpoint_contexts import build_endpoint_context, supports_policy
from posture.model.network import Endpoint, Snapshot
from posture.policy import EndpointContext, MalformedPolicyError, PolicyAnswer, PolicyCheck, Trust
from posture.policy import parse_policy as parse
from posture.policy.decide import MAX_UNITS, Decider, QuestionResult
from posture.policy.search_budget import SearchBudget
from posture.policy.service_actions import find_action_prefixes

ACCOUNT = re.compile(r"\d{12}")
ORGANIZATION = re.compile(r"\bo-[a-z0-9]{10,32}\b")
NEGATED = re.compile(r"Deny|Not")  # also in NotPrincipal and StringNotEquals
SOURCE = re.compile(r"aws:(?:source|vpcsource)", re.IGNORECASE)
BLOCKS = re.compile(r"aws:vpcsourceip", re.IGNORECASE)
ALLOWS = re.compile(r'"Allow"')
# A policy treats all accounts alike that it does not name.
UNNAMED = ("999999999999", "888888888888")


def evaluate_policy(
    endpoint: Endpoint, snapshot: Snapshot, user: Snapshot, organization: str = ""
) -> CentralStep | None:
    """Decide whether the policy of an endpoint lets some request from a VPC through.

    Args:
        endpoint: The endpoint.
        snapshot: Its VPC.
        user: The VPC that uses it.
        organization: The organization of that VPC's account, or the account's path in it; "" if it
            is not known.

    Returns:
        None where the policy does not distinguish accounts, organizations or sources and names
        actions of the service, or only allows this account by name.
    """
    text, account = endpoint.policy, user.scope.account
    own = organization.partition("/")[0]
    if text is None or supports_policy(snapshot, endpoint) is False:
        return None
    foreign = bool(own) and bool(set(ORGANIZATION.findall(text)) - {own})
    by_account = bool(ACCOUNT.search(text)) and account != snapshot.scope.account
    by_source = bool(SOURCE.search(text)) or not ALLOWS.search(text)
    prefixes = find_action_prefixes(endpoint.service_name)
    by_action = bool(prefixes) and not _allows_actions(text, prefixes)
    if not foreign and not by_account and not by_source and not by_action:
        return None
    if account in text and not (NEGATED.search(text) or foreign or by_source or by_action):
        return None
    asked = account if account in text else next(each for each in UNNAMED if each not in text)
    limits = [
        {"Action": "*", "Condition": each}
        for each in (
            {"StringNotEquals": {"aws:PrincipalAccount": asked}},
            *_list_limits(text, user, own),
        )
    ]
    if by_action:
        limits.append({"NotAction": [f"{each}:*" for each in prefixes]})
    found = _decide(text, json.dumps(limits), build_endpoint_context(snapshot, endpoint))
    named = f"the policy of {endpoint.id}"
    status, said, missing = StepStatus.HOLDS, f"{named} lets requests of {account} through", ""
    if found.answer is PolicyAnswer.NO:
        status, said = StepStatus.BROKEN, f"{named} allows no request of account {account}"
    elif found.answer is PolicyAnswer.UNKNOWN:
        status, missing = StepStatus.UNKNOWN, f"what the policy means: {found.reason}"
        said = f"whether {named} allows requests of account {account} is not known"
    owner = snapshot.scope.account
    return CentralStep(StepKind.POLICY, status, endpoint.id, said, owner, missing)


def _list_limits(text: str, user: Snapshot, organization: str) -> Iterator[dict[str, Any]]:
    """List conditions of requests that no principal and no host of the VPC makes."""
    if organization:
        yield {"StringNotEquals": {"aws:PrincipalOrgID": organization}}
    if BLOCKS.search(text):
        blocks = [str(each) for each in (*user.vpc.cidrs, *user.vpc.ipv6_cidrs)]
        yield {"NotIpAddress": {"aws:VpcSourceIp": blocks}}


@lru_cache(maxsize=512)
def _allows_actions(text: str, prefixes: tuple[str, ...]) -> bool:
    """Return whether a policy may allow actions with these prefixes, or cannot be parsed."""
    try:
        allowing = [each for each in parse(text).statements if each.allows]
    except (MalformedPolicyError, ValueError):
        return True
    named = {it.lower().partition(":")[0] for each in allowing for it in each.actions}
    return any(each.excludes_actions for each in allowing) or any(
        each in prefixes or "*" in each or "?" in each or "$" in each for each in named
    )


@lru_cache(maxsize=512)
def _decide(text: str, limits: str, endpoint: EndpointContext) -> QuestionResult:
    """Decide whether a policy that denies all other requests allows anything."""
    try:
        policy = parse(_deny_others(text, limits))
    except (MalformedPolicyError, ValueError) as error:
        return QuestionResult(PolicyAnswer.UNKNOWN, reason=f"it cannot be parsed: {error}")
    check = PolicyCheck(endpoint, Trust())
    return Decider(policy, check, SearchBudget(MAX_UNITS // 4)).decide_anything()


def _deny_others(text: str, limits: str) -> str:
    document: Any = json.loads(text)
    if not isinstance(document, dict):
        raise MalformedPolicyError("it is no object")
    stated = document.get("Statement", [])
    deny = (
        {"Effect": "Deny", "Principal": "*", "Resource": "*", **each} for each in json.loads(limits)
    )
    statements = stated if isinstance(stated, list) else [stated]
    return json.dumps({**document, "Statement": [*statements, *deny]})
