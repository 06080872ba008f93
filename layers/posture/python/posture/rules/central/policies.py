"""Whether the policy of a central endpoint lets any request of another account through."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any

from posture.analysis.central.answers import CentralStep, StepKind, StepStatus
from posture.analysis.endpoint_contexts import build_endpoint_context, supports_policy
from posture.model.network import Endpoint, Snapshot
from posture.policy import EndpointContext, MalformedPolicyError, PolicyAnswer, PolicyCheck, Trust
from posture.policy import parse_policy as parse
from posture.policy.automata import SearchBudget
from posture.policy.decide import MAX_UNITS, Decider, QuestionResult

ACCOUNT = re.compile(r"\d{12}")
NEGATED = re.compile(r"Deny|Not")  # also in NotPrincipal and StringNotEquals
# A policy treats all accounts alike that it does not name.
UNNAMED = ("999999999999", "888888888888")


def judge_policy(endpoint: Endpoint, snapshot: Snapshot, account: str) -> CentralStep | None:
    """Judge whether the policy of an endpoint lets some request of an account through.

    Args:
        endpoint: The endpoint.
        snapshot: Its VPC.
        account: The account of the VPC that uses it.

    Returns:
        None where the policy does not distinguish accounts, or only allows this one by name.
    """
    text = endpoint.policy
    if text is None or supports_policy(snapshot, endpoint) is False:
        return None
    if not ACCOUNT.search(text) or account == snapshot.scope.account:
        return None
    if account in text and not NEGATED.search(text):
        return None
    asked = account if account in text else next(each for each in UNNAMED if each not in text)
    found = _decide(text, asked, build_endpoint_context(snapshot, endpoint))
    named = f"the policy of {endpoint.id}"
    status, said, missing = StepStatus.HOLDS, f"{named} lets requests of {account} through", ""
    if found.answer is PolicyAnswer.NO:
        status, said = StepStatus.BROKEN, f"{named} allows no request of account {account}"
    elif found.answer is PolicyAnswer.UNKNOWN:
        status, missing = StepStatus.UNKNOWN, f"what the policy means: {found.reason}"
        said = f"whether {named} allows requests of account {account} is not known"
    owner = snapshot.scope.account
    return CentralStep(StepKind.POLICY, status, endpoint.id, said, owner, missing)


@lru_cache(maxsize=512)
def _decide(text: str, account: str, endpoint: EndpointContext) -> QuestionResult:
    """Decide whether a policy that denies all other accounts allows anything."""
    try:
        policy = parse(_deny_others(text, account))
    except (MalformedPolicyError, ValueError) as error:
        return QuestionResult(PolicyAnswer.UNKNOWN, reason=f"it cannot be parsed: {error}")
    check = PolicyCheck(endpoint, Trust())
    return Decider(policy, check, SearchBudget(MAX_UNITS // 4)).decide_anything()


def _deny_others(text: str, account: str) -> str:
    document: dict[str, Any] = json.loads(text)
    stated = document.get("Statement", [])
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "*",
        "Resource": "*",
        "Condition": {"StringNotEquals": {"aws:PrincipalAccount": account}},
    }
    statements = stated if isinstance(stated, list) else [stated]
    return json.dumps({**document, "Statement": [*statements, deny]})
