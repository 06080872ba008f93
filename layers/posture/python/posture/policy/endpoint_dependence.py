"""What a policy cannot tell apart: most are one and the same text at many endpoints."""

from __future__ import annotations

import re
from dataclasses import replace

from posture.policy import keys
from posture.policy.decide import PolicyDecision, QuestionResult
from posture.policy.policy_check import EndpointContext, PolicyCheck
from posture.policy.request import Request

# What must stand in a text, escaped or not, for it to tell one endpoint or hour from another.
SITED = re.compile(r"vpc|time|date|epoch|\\u", re.IGNORECASE)
TIMED = re.compile(rf"{keys.NOW}|{keys.EPOCH}|\\u", re.IGNORECASE)


def generalise_check(text: str, check: PolicyCheck) -> PolicyCheck:
    """Give the case without the endpoint, its VPC and the hour, where the text asks for none."""
    if SITED.search(text):
        return check
    return replace(check, now=None, endpoint=replace(check.endpoint, vpc_id=None, endpoint_id=None))


def depends_on_time(text: str) -> bool:
    """Tell whether what a policy lets through may hang on the time of the request."""
    return TIMED.search(text) is not None


def restore_endpoint(endpoint: EndpointContext, decision: PolicyDecision) -> PolicyDecision:
    """Give the decision of an unsited case as one of an endpoint, in whose VPC its requests are."""
    own = {keys.SOURCE_VPC: endpoint.vpc_id, keys.SOURCE_ENDPOINT: endpoint.endpoint_id}
    known = {key: (value,) for key, value in own.items() if value is not None}

    def request(there: Request) -> Request:
        return replace(there, context={**there.context, **known})

    def finding(found: QuestionResult) -> QuestionResult:
        return replace(
            found,
            request=request(found.request) if found.request else None,
            exceptions=tuple(request(each) for each in found.exceptions),
        )

    return PolicyDecision(
        finding(decision.full_access),
        finding(decision.untrusted_principal),
        finding(decision.untrusted_resource),
        finding(decision.anything),
        finding(decision.disallowed_action) if decision.disallowed_action else None,
    )
