"""Find the requests that required services make through an endpoint and that its policy blocks.

Amazon ECR stores image layers, and Systems Manager its agents and patch baselines, in S3 buckets
that AWS owns. The policy of the S3 endpoint must allow them to be read.
https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html
https://docs.aws.amazon.com/systems-manager/latest/userguide/ssm-agent-technical-details.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from posture.model.service_names import short_name
from posture.policy import keys
from posture.policy.conditions import UnsupportedElementError
from posture.policy.decide import PolicyAnswer, PolicyDecision
from posture.policy.document import Policy
from posture.policy.evaluate import evaluate
from posture.policy.policy_check import EndpointContext
from posture.policy.request import CallerKind, Request

# By required service: the objects that it reads through the S3 endpoint.
S3_OBJECTS = {
    "ecr.dkr": "arn:{partition}:s3:::prod-{region}-starport-layer-bucket/layer",
    "ecr.api": "arn:{partition}:s3:::prod-{region}-starport-layer-bucket/layer",
    "ssm": "arn:{partition}:s3:::aws-ssm-{region}/file",
}


@dataclass(frozen=True, slots=True)
class BlockedRequest:
    """A request that a required service needs and the policy denies."""

    request: str
    reason: str
    required_by: str


def find_blocked_requests(
    policy: Policy, decision: PolicyDecision, endpoint: EndpointContext, required: Iterable[str]
) -> list[BlockedRequest] | None:
    """Return the requests of required services that a policy blocks.

    Args:
        policy: The policy.
        decision: The answers about it.
        endpoint: The endpoint that it is attached to.
        required: The short names of the required services.

    Returns:
        The blocked requests; None if no required service uses the endpoint.
    """
    service = short_name(endpoint.service)
    objects = S3_OBJECTS if service == "s3" else {}
    users = [each for each in required if each == service or each in objects]
    return list(_list_blocked(policy, decision, endpoint, users, service)) if users else None


def _list_blocked(
    policy: Policy,
    decision: PolicyDecision,
    endpoint: EndpointContext,
    users: Iterable[str],
    service: str,
) -> Iterator[BlockedRequest]:
    checked: set[str] = set()
    for user in users:
        if user == service and decision.anything.answer is PolicyAnswer.NO:
            yield BlockedRequest(f"every request to {service}", "the policy allows nothing", user)
        elif user != service and endpoint.region and S3_OBJECTS[user] not in checked:
            checked.add(S3_OBJECTS[user])
            request = _build_request(user, endpoint, endpoint.region)
            if reason := _explain_denial(policy, request, endpoint):
                yield BlockedRequest(f"{request.action} on {request.resource}", reason, user)


def _explain_denial(policy: Policy, request: Request, endpoint: EndpointContext) -> str | None:
    try:
        result = evaluate(policy, request, gateway=endpoint.gateway)
    except UnsupportedElementError:
        return None  # unknown, and the rule only gives advice
    if result.allowed:
        return None
    return f"{result.statement} denies it" if result.statement else "no statement allows it"


def _build_request(user: str, endpoint: EndpointContext, region: str) -> Request:
    """Build the request of a role in the endpoint's account."""
    role = f"arn:{endpoint.partition}:iam::{endpoint.account}:role/Workload"
    context = {
        keys.PRINCIPAL_ACCOUNT: endpoint.account,
        keys.PRINCIPAL_ARN: role,
        "aws:principaltype": "AssumedRole",
        "aws:principalisawsservice": "false",
        "aws:viaawsservice": "false",
        "aws:securetransport": "true",
        "aws:requestedregion": region,
        keys.SOURCE_VPC: endpoint.vpc_id or "",
        keys.SOURCE_ENDPOINT: endpoint.endpoint_id or "",
    }
    return Request(
        kind=CallerKind.PRINCIPAL,
        account=endpoint.account,
        principal=role,
        session="session",
        action="s3:GetObject",
        resource=S3_OBJECTS[user].format(partition=endpoint.partition, region=region),
        owner="aws",
        context={key: (value,) for key, value in context.items()},
    )
