"""Share the decision of a policy among the endpoints and times that the policy cannot distinguish.

Most policies are the same text at many endpoints, and name neither their endpoint nor the time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, replace
from functools import lru_cache

from posture.policy import keys
from posture.policy.decide import PolicyDecision, QuestionResult
from posture.policy.policy_check import EndpointContext, PolicyCheck
from posture.policy.request import Request

# What a text must contain, escaped or not, to distinguish endpoints or times.
ENDPOINT_OR_TIME = re.compile(r"vpc|time|date|epoch|\\u", re.IGNORECASE)
TIME = re.compile(rf"{keys.NOW}|{keys.EPOCH}|\\u", re.IGNORECASE)
QUESTIONS = tuple(each.name for each in fields(PolicyDecision))


def generalize_check(text: str, check: PolicyCheck) -> PolicyCheck:
    """Remove the endpoint ID, the VPC and the time from a check if the policy names none."""
    if _distinguishes(text):
        return check
    endpoint = replace(check.endpoint, vpc_id=None, endpoint_id=None)
    return replace(check, now=None, endpoint=endpoint)


@lru_cache(maxsize=128)  # a search takes longer than most other work on a policy that is known
def _distinguishes(text: str) -> bool:
    return ENDPOINT_OR_TIME.search(text) is not None


def depends_on_time(text: str) -> bool:
    """Return whether what a policy allows may depend on the time of the request."""
    return TIME.search(text) is not None


def restore_endpoint(endpoint: EndpointContext, decision: PolicyDecision) -> PolicyDecision:
    """Put an endpoint and its VPC into the examples of a generalized decision."""
    own = {keys.SOURCE_VPC: endpoint.vpc_id, keys.SOURCE_ENDPOINT: endpoint.endpoint_id}
    known = {key: (value,) for key, value in own.items() if value is not None}
    answers = (getattr(decision, name) for name in QUESTIONS)
    return PolicyDecision(*(_restore(each, known) if each else None for each in answers))  # type: ignore[arg-type]


def _restore(result: QuestionResult, known: Mapping[str, tuple[str, ...]]) -> QuestionResult:
    if not (result.request or result.exceptions):
        return result
    return replace(
        result,
        request=result.request and _add_keys(result.request, known),
        exceptions=tuple(_add_keys(each, known) for each in result.exceptions),
    )


def _add_keys(request: Request, known: Mapping[str, tuple[str, ...]]) -> Request:
    return replace(request, context={**request.context, **known})
