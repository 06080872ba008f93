"""What the policy of an endpoint stops, of all that the baseline requires."""

from __future__ import annotations

from functools import partial

from posture.model.baseline import Baseline
from posture.model.network import Endpoint, EndpointType
from posture.model.service_names import short_name
from posture.model.verdict import Evidence, Status
from posture.policy import PolicyAnswer
from posture.policy.features.table import Use, expand_features, read_features
from posture.policy.needs.check import NeedResult, NeedStatus, check_needs_of_text
from posture.policy.needs.descriptions import (
    describe_needed_request,
    describe_purpose,
    describe_result,
)
from posture.rules.contexts import VpcContext
from posture.rules.endpoint_policy_context import EndpointPolicyContext
from posture.rules.evidence import join_names
from posture.rules.result import RuleResult, failed

ADVICE = (
    "Allow the requests of the required services, or remove the services from required_services, "
    "and the features from aws_owned_resources, in the baseline."
)


def evaluate_needs(subject: EndpointPolicyContext) -> RuleResult:
    """Ask the policy of an endpoint for everything that the baseline requires of it."""
    endpoint, baseline = subject.endpoint, subject.vpc.baseline
    required = _list_required_services(baseline)
    service = short_name(endpoint.service_name)
    text, units = endpoint.policy or "", subject.need_units
    results = check_needs_of_text(text, subject.expected, Use.ALWAYS, units=units)
    if not results and service not in required:
        summary = f"{subject.name}: no required service depends on this endpoint"
        return subject.build_result(Status.NOT_APPLICABLE, summary)
    if other := find_gateway_instead(subject.vpc, endpoint):
        summary = f"{subject.name}: the names of {service} lead to {other.id} instead"
        return subject.build_result(Status.NOT_APPLICABLE, summary)
    if service in required and subject.decided.decision.anything.answer is PolicyAnswer.NO:
        return _fail_all(subject, service)
    blocked = [each for each in results if each.status is NeedStatus.BLOCKED]
    if blocked:
        return _fail(subject, blocked)
    unknown = [each for each in results if each.status is NeedStatus.UNKNOWN]
    if unknown:
        named = join_names(dict.fromkeys(map(describe_purpose, unknown)))
        summary = f"whether the policy of {subject.name} stops {named} is not known"
        evidence = (_build_evidence(subject, each) for each in unknown)
        return subject.build_result(Status.UNKNOWN, summary, *evidence)
    summary = f"the policy of {subject.name} allows the requests of required services"
    return subject.build_result(Status.PASS, summary)


def _list_required_services(baseline: Baseline) -> tuple[str, ...]:
    required = baseline.required_services
    fips = tuple(f"{each}-fips" for each in required) if baseline.accept_fips_endpoints else ()
    return required + fips


def find_gateway_instead(vpc: VpcContext, endpoint: Endpoint) -> Endpoint | None:
    """Return the gateway endpoint that the default names lead to, past an interface endpoint.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/privatelink-interface-endpoints.html
    """
    is_passed = endpoint.private_dns is False or endpoint.private_dns_only_for_inbound_resolver
    if endpoint.type is not EndpointType.INTERFACE or not is_passed:
        return None
    named = vpc.named_endpoints.get(endpoint.service_name, ())
    return next((each for each in named if each.type is EndpointType.GATEWAY), None)


def _fail_all(subject: EndpointPolicyContext, service: str) -> RuleResult:
    endpoint, request = subject.endpoint, f"every request to {service}"
    record = {"endpoint": endpoint.id, "request": request, "needed_by": service}
    why = "the policy allows nothing"
    return failed(
        resource=endpoint.id,
        summary=f"the policy of {subject.name} blocks {request}",
        evidence=(Evidence(f"{request} is blocked: {why}. {service} requires it.", record),),
        propose=partial(subject.list_replacements, ADVICE),
    )


def _fail(subject: EndpointPolicyContext, blocked: list[NeedResult]) -> RuleResult:
    named = join_names(dict.fromkeys(map(describe_purpose, blocked)))
    return failed(
        resource=subject.endpoint.id,
        summary=f"the policy of {subject.name} stops {named}",
        evidence=tuple(_build_evidence(subject, each) for each in blocked),
        propose=lambda: (subject.remedy_needs(ADVICE), *subject.list_replacements(ADVICE)),
    )


def _build_evidence(subject: EndpointPolicyContext, result: NeedResult) -> Evidence:
    needed_by = _explain_need(subject.vpc.baseline, result.need.feature)
    return Evidence(
        f"{describe_result(result)}. {needed_by}.",
        {
            "endpoint": subject.endpoint.id,
            "feature": result.need.feature,
            "request": describe_needed_request(result),
            "signer": result.signer.value,
            "reason": result.reason,
            "needed_by": needed_by,
            "source": next(iter(result.need.sources), ""),
        },
    )


def _explain_need(baseline: Baseline, feature: str) -> str:
    """Say what of the baseline needs a feature."""
    named = baseline.aws_owned_resources
    if named is not None:
        users = [each for each in named if feature in expand_features((each,))]
        return f"aws_owned_resources names {join_names(users)}"
    users = [
        service
        for service in baseline.required_services
        for each in read_features().values()
        if service in each.required_by and feature in expand_features((each.name,))
    ]
    return f"{join_names(dict.fromkeys(users))} is required"
