"""What services need to get through an endpoint, so that a policy does not break workloads.

Amazon ECR keeps the layers of images in a bucket of AWS's own, and Systems Manager its agents and
patch baselines: the S3 endpoint's policy must let them be read.
https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html
https://docs.aws.amazon.com/systems-manager/latest/userguide/ssm-agent-technical-details.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from posture.model.service_names import short_name
from posture.policy import keys, service_actions
from posture.policy.conditions import UnsupportedElementError
from posture.policy.decide import PolicyAnswer, PolicyDecision
from posture.policy.document import Policy
from posture.policy.evaluate import evaluate
from posture.policy.policy_check import EndpointContext
from posture.policy.request import CallerKind, Request

# By required service: the endpoint's service, and what must be readable there.
READ: dict[str, tuple[str, str]] = {
    "ecr.dkr": ("s3", "arn:{partition}:s3:::prod-{region}-starport-layer-bucket/layer"),
    "ecr.api": ("s3", "arn:{partition}:s3:::prod-{region}-starport-layer-bucket/layer"),
    "ssm": ("s3", "arn:{partition}:s3:::aws-ssm-{region}/file"),
}


@dataclass(frozen=True, slots=True)
class BlockedRequest:
    """Something that is needed and refused: what, why, and by which required service."""

    what: str
    why: str
    needed_by: str


def find_blocked_requests(
    policy: Policy, decision: PolicyDecision, endpoint: EndpointContext, required: Iterable[str]
) -> list[BlockedRequest] | None:
    """Give what required services need of an endpoint and do not get; None: they need nothing."""
    service = short_name(endpoint.service)
    concerned = [each for each in required if each == service or _reads(each, service)]
    if not concerned:
        return None
    return list(_refused(policy, decision, endpoint, concerned, service))


def _reads(required: str, service: str) -> bool:
    return required in READ and READ[required][0] == service


def _refused(
    policy: Policy,
    decision: PolicyDecision,
    endpoint: EndpointContext,
    required: Iterable[str],
    service: str,
) -> Iterator[BlockedRequest]:
    told: set[str] = set()
    for each in required:
        if each == service and decision.anything.answer is PolicyAnswer.NO:
            yield BlockedRequest(f"every request to {service}", "the policy allows nothing", each)
        elif _reads(each, service) and endpoint.region:
            request = _request(each, endpoint)
            if request.resource in told:
                continue
            told.add(request.resource)
            if why := _why_refused(policy, request, endpoint):
                yield BlockedRequest(f"{request.action} on {request.resource}", why, each)


def _why_refused(policy: Policy, request: Request, endpoint: EndpointContext) -> str | None:
    try:
        outcome = evaluate(policy, request, gateway=endpoint.gateway)
    except UnsupportedElementError:
        return None  # not known, and this is advice only
    if outcome.allowed:
        return None
    return f"{outcome.statement} denies it" if outcome.statement else "no statement allows it"


def _request(required: str, endpoint: EndpointContext) -> Request:
    """Give the request of a role of the account itself."""
    role = f"arn:{endpoint.partition}:iam::{endpoint.account}:role/Workload"
    resource = READ[required][1].format(partition=endpoint.partition, region=endpoint.region)
    context = {
        keys.PRINCIPAL_ACCOUNT: (endpoint.account,),
        keys.PRINCIPAL_ARN: (role,),
        "aws:principaltype": ("AssumedRole",),
        "aws:principalisawsservice": ("false",),
        "aws:viaawsservice": ("false",),
        "aws:securetransport": ("true",),
        "aws:requestedregion": (endpoint.region or service_actions.DEFAULT_REGION,),
        keys.SOURCE_VPC: (endpoint.vpc_id or "",),
        keys.SOURCE_ENDPOINT: (endpoint.endpoint_id or "",),
    }
    return Request(
        CallerKind.PRINCIPAL,
        endpoint.account,
        role,
        "session",
        "s3:GetObject",
        resource,
        "aws",
        context=context,
    )
