"""Required services that a VPC without an endpoint of its own reaches by central ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from posture.analysis.central.answers import StepStatus
from posture.analysis.names import SWITCH, ResolvesTo, find_other_network
from posture.model.network import EndpointType, Facet, Service
from posture.model.verdict import Remediation, Severity
from posture.rules.central.offers import Offer, list_offers
from posture.rules.central.steps import (
    advise,
    build_evidence,
    build_failure,
    build_unknown,
    describe_break,
    describe_endpoints,
    is_decided_by_names,
    propose_repairs,
)
from posture.rules.central.use import CentralUse, evaluate_use
from posture.rules.contexts import VpcContext
from posture.rules.evidence import join_names
from posture.rules.prices import compare_central_charges
from posture.rules.result import RuleResult, passed, undecided

MOST_OFFERS = 2  # central endpoints that a summary names


def evaluate_central_presence(
    vpc: VpcContext,
    forms: Sequence[Service],
    create: Callable[[], Sequence[Remediation]],
) -> RuleResult | None:
    """Evaluate whether a VPC reaches a required service by a central endpoint.

    Args:
        vpc: The VPC, which has no endpoint for the service.
        forms: The service and its other forms that meet the requirement.
        create: Lists what creates an endpoint in the VPC.

    Returns:
        None where the names of the service lead to no other network, certainly.
    """
    service, vpc_id = forms[0], vpc.snapshot.vpc.id
    if vpc.shared is None:
        resolution = vpc.analysis.resolve_names(service)
        if resolution.resolves_to is not ResolvesTo.UNKNOWN:
            return None
        return undecided(
            resource=service.name,
            summary=f"{vpc_id} has no endpoint for {service.name}, which the baseline requires; "
            f"whether it uses one in another network is not known: {resolution.why}",
            remediation=Remediation(f"Let the monitor read the shared network: {SWITCH}."),
            concerns=frozenset({vpc_id}),
        )
    uses = [evaluate_use(vpc, each) for each in forms]
    for use in uses:
        if use.status is StepStatus.HOLDS and use.endpoints:
            return _pass(vpc, use, service)
    use = next((each for each in uses if each.is_central), uses[0])
    if use.status is StepStatus.UNKNOWN:
        # Wherever the names lead, a VPC without a route to other networks reaches nothing there.
        reaches = find_other_network(vpc.snapshot) or Facet.ROUTE_TABLES in vpc.snapshot.unreadable
        return build_unknown(vpc, use, service.name) if reaches else None
    return _fail(vpc, use, list_offers(vpc, service), create) if use.broken else None


def _pass(vpc: VpcContext, use: CentralUse, service: Service) -> RuleResult:
    by = f" ({use.service.name})" if use.service.name != service.name else ""
    summary = (
        f"{vpc.snapshot.vpc.id} reaches {service.name} by {describe_endpoints(use)}{by}, from "
        "every subnet with workloads"
    )
    concerns = use.concerns | {vpc.snapshot.vpc.id}
    return passed(service.name, summary, tuple(build_evidence(use)), concerns=concerns)


def _fail(
    vpc: VpcContext,
    use: CentralUse,
    offers: Sequence[Offer],
    create: Callable[[], Sequence[Remediation]],
) -> RuleResult:
    """Build the failure with the first broken step; an endpoint in the VPC is the last remedy."""
    service, summary = use.service, describe_break(vpc, use)
    if not use.is_central:
        summary = (
            f"{vpc.snapshot.vpc.id} has no available endpoint for {service.name}, which the "
            "baseline requires"
        )
        if offers:
            summary += f", and its names do not lead to {_describe_offers(offers)}"
        summary += f": {use.deciding.text}" if use.deciding else ""
    found = build_failure(vpc, use, service.name, summary)
    some = use.status is StepStatus.PARTLY and not is_decided_by_names(use)
    zones = len({each.zone for each in vpc.subnets})
    costs = (compare_central_charges(zones),) if use.is_central or offers else ()
    return replace(
        found,
        severity=Severity.MEDIUM if some else None,
        evidence=(*found.evidence, *costs),
        concerns=found.concerns | {each.endpoint.id for each in offers},
        remediation=advise(use),
        propose=lambda: _propose(vpc, use, create, sentence=use.is_central or bool(offers)),
    )


def _describe_offers(offers: Sequence[Offer]) -> str:
    named = [f"{each.endpoint.id} in {each.vpc_id}" for each in offers[:MOST_OFFERS]]
    return join_names(named) + " or others" * (len(offers) > MOST_OFFERS)


def _propose(
    vpc: VpcContext,
    use: CentralUse,
    create: Callable[[], Sequence[Remediation]],
    *,
    sentence: bool,
) -> tuple[Remediation, ...]:
    """List what repairs the step, or else what creates an endpoint in the VPC.

    A gateway endpoint is free of charge, so it goes first. An interface endpoint is charged by the
    hour, and the policy of a new one takes longer to generate than all else.
    """
    repairs = propose_repairs(vpc, use)
    repairs = repairs if sentence else repairs[:-1]
    if EndpointType.GATEWAY in use.service.types:
        return (*create(), *repairs)
    if any(each.command for each in repairs):
        return repairs
    return (*repairs, *create())
