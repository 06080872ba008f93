"""Rules about the presence, state and Region of endpoints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import product

from posture.analysis.grace import is_within_grace_period
from posture.edits.operations.endpoints import DeleteVpcEndpoints
from posture.model.network import Endpoint, EndpointType, Facet, Service
from posture.model.service_names import find_region, short_name
from posture.model.verdict import Evidence, Remediation, Severity, Status
from posture.rules.central.required import evaluate_central_presence
from posture.rules.contexts import VpcContext
from posture.rules.controls import FLOW, PRESENCE, PRIVATE_PATH
from posture.rules.endpoint_lookups import AVAILABLE, AWS_SERVICE_TYPES, PENDING
from posture.rules.evidence import endpoint_evidence, format_endpoint, join_names
from posture.rules.remediation import build_remediation, list_remediations
from posture.rules.remediation.gateways import (
    create_gateway_endpoint,
    delete_specific_routes,
    list_tables,
    open_acls_to_gateway,
    route_services,
)
from posture.rules.remediation.interfaces import create_interface_endpoint, recreate_endpoint
from posture.rules.result import RuleResult, failed, not_applicable, passed, undecided
from posture.rules.rule import Family, Rule

# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_VpcEndpoint.html
FAILED = frozenset({"rejected", "failed", "expired", "partial"})

STATES = "https://docs.aws.amazon.com/vpc/latest/privatelink/concepts.html#concepts-vpc-endpoints"
SUPPORT = "https://docs.aws.amazon.com/vpc/latest/privatelink/aws-services-privatelink-support.html"
CROSS_REGION = (
    "https://docs.aws.amazon.com/vpc/latest/privatelink/"
    "privatelink-share-your-services.html#endpoint-service-cross-region"
)


def _required(vpc: VpcContext) -> Iterator[RuleResult]:
    for short, forms in vpc.required_forms.items():
        yield _presence(vpc, *forms) if forms else _not_offered(vpc, short)


def _not_offered(vpc: VpcContext, short: str) -> RuleResult:
    region = vpc.snapshot.scope.region
    return undecided(
        resource=short,
        summary=f"{short} is required, but {region} offers no endpoint service of that name",
        evidence=(
            Evidence(
                f"DescribeVpcEndpointServices lists {len(vpc.snapshot.services)} services of "
                f"{region}. None is named {short}.",
                {"service": short, "region": region},
            ),
        ),
        remediation=Remediation(
            "Correct the service name in the baseline, or override it for this Region. "
            "DescribeVpcEndpointServices lists the names."
        ),
        concerns=frozenset({vpc.snapshot.vpc.id}),
    )


def _presence(vpc: VpcContext, service: Service, *others: Service) -> RuleResult:
    """Evaluate whether a service has an endpoint, or one of its other forms has."""
    names = {each.name for each in (service, *others)}
    existing = [each for each in vpc.endpoints_of(*AWS_SERVICE_TYPES) if each.service_name in names]
    available = [each for each in existing if each.state == AVAILABLE]
    pending = [each for each in existing if each.state in PENDING]
    vpc_id = vpc.snapshot.vpc.id
    # EC2 lists a deleted endpoint for a while, and its deletion is the cause of this finding.
    own = (each for each in vpc.snapshot.endpoints.values() if each.service_name in names)
    concerns = frozenset({vpc_id, *(each.id for each in own)})
    if available:
        ids = join_names(each.id for each in available)
        by = ", ".join(sorted({each.service_name for each in available} - {service.name}))
        summary = f"{service.name} has the available endpoint {ids}{by and f' ({by})'}"
        return passed(service.name, summary, concerns=concerns)
    if pending:
        ids = join_names(each.id for each in pending)
        return not_applicable(service.name, f"{service.name}: {ids} is pending", concerns=concerns)
    owner = vpc.snapshot.vpc.owner
    if owner and owner != vpc.snapshot.scope.account:
        summary = (
            f"{service.name}: {vpc_id} belongs to {owner}, whose endpoints cannot be read here"
        )
        remedy = Remediation(f"Evaluate {vpc_id} in account {owner}, which shares its subnets.")
        return undecided(service.name, summary, remediation=remedy, concerns=concerns)
    create = partial(_create, vpc, service, existing)
    if central := evaluate_central_presence(vpc, (service, *others), create):
        facts = (*central.evidence, *map(endpoint_evidence, existing))
        return replace(central, concerns=central.concerns | concerns, evidence=facts)
    return failed(
        resource=service.name,
        summary=f"{vpc_id} has no available endpoint for {service.name}, which the baseline "
        "requires",
        evidence=(
            Evidence(
                f"{vpc_id} has {_counted(len(vpc.endpoints))} available one of {service.name}.",
                {"vpc": vpc_id, "service": service.name, "required_as": short_name(service.name)},
            ),
            *map(endpoint_evidence, existing),
        ),
        propose=create,
        concerns=concerns,
    )


def _counted(endpoints: int) -> str:
    return f"{endpoints} endpoints, but no" if endpoints > 1 else "no"


def _gateway(service: Service) -> bool:
    return EndpointType.GATEWAY in service.types


def _create(
    vpc: VpcContext, service: Service, existing: Sequence[Endpoint]
) -> tuple[Remediation, ...]:
    """List what creates an endpoint, in place of those that can carry no traffic any more."""
    dead = tuple(each.id for each in existing if each.state in FAILED)
    first = [DeleteVpcEndpoints(vpc_endpoint_ids=dead)] if dead else []
    what = "Create an endpoint for the service"
    if _gateway(service):
        routed = route_services(vpc, [service])
        # A VPC whose subnets have their routes already, or none, still lacks the endpoint.
        bare = [create_gateway_endpoint(vpc, service, ())]
        specific = delete_specific_routes(vpc, [service], list_tables(vpc))
        entries = open_acls_to_gateway(vpc, service)
        return list_remediations(
            (f"{what}.", None if routed is None else (*first, *routed)),
            (
                f"{what}, and delete more specific routes.",
                (*first, *specific, *routed) if routed and specific else None,
            ),
            (
                f"{what}, and let its traffic through network ACLs.",
                (*first, *entries, *routed) if routed and entries else None,
            ),
            (f"{what}.", None if list_tables(vpc) else (*first, *bare)),
            otherwise=f"{what}.",
        )
    where = f"{what} in a subnet of each Availability Zone, with"
    group = "security group that allows the subnets on the port of the service."
    return list_remediations(
        *(
            (
                f"{where} {'a new' if new_group else 'a'} {group}",
                None if edits is None else (*first, *edits),
            )
            for new_group, opened in product((False, True), repeat=2)
            for edits in [
                create_interface_endpoint(
                    vpc, service, new_group=new_group, open_network_acls=opened
                )
            ]
        ),
        otherwise=f"{where} a security group that allows the VPC's CIDR blocks on port 443.",
    )


def _states(vpc: VpcContext) -> Iterator[RuleResult]:
    yield from (_state(vpc, endpoint) for endpoint in vpc.endpoints)


def _state(vpc: VpcContext, endpoint: Endpoint) -> RuleResult:
    name = format_endpoint(endpoint)
    if endpoint.state == AVAILABLE:
        return passed(endpoint.id, f"{name} is available")
    if endpoint.state in PENDING:
        return _pending(vpc, endpoint, name)
    status = Status.FAIL if endpoint.state in FAILED else Status.UNKNOWN
    return RuleResult(
        resource=endpoint.id,
        status=status,
        severity=Severity.MEDIUM if endpoint.state == "partial" else None,
        summary=f"{name} is in state {endpoint.state or 'unknown'}",
        evidence=(endpoint_evidence(endpoint), *_last_error(endpoint)),
        propose=partial(_list_state_remediations, vpc, endpoint),
    )


def _pending(vpc: VpcContext, endpoint: Endpoint, name: str) -> RuleResult:
    if endpoint.created_at is None:
        summary = f"{name} is in state {endpoint.state}; its creation time is not known"
        return undecided(endpoint.id, summary, (endpoint_evidence(endpoint),))
    if is_within_grace_period(endpoint, vpc.baseline, vpc.snapshot.observed_at):
        summary = f"{name} is in state {endpoint.state}, within the grace period"
        return not_applicable(endpoint.id, summary)
    since = f"{endpoint.created_at:%Y-%m-%d %H:%M} UTC"
    minutes = vpc.baseline.pending_grace_minutes
    return failed(
        resource=endpoint.id,
        summary=f"{name} has been in state {endpoint.state} for more than {minutes} minutes",
        evidence=(
            endpoint_evidence(endpoint),
            Evidence(f"{endpoint.id} was created at {since}.", {"created_at": since}),
        ),
        propose=partial(_list_state_remediations, vpc, endpoint),
    )


def _last_error(endpoint: Endpoint) -> Iterator[Evidence]:
    if endpoint.last_error:
        text = f"The last error of {endpoint.id}: {endpoint.last_error}"
        yield Evidence(text, {"last_error": endpoint.last_error})


def _list_state_remediations(vpc: VpcContext, endpoint: Endpoint) -> tuple[Remediation, ...]:
    delete = DeleteVpcEndpoints(vpc_endpoint_ids=(endpoint.id,))
    if endpoint.state == "pendingacceptance":
        return (Remediation("Ask the service owner to accept the endpoint connection."),)
    if endpoint.state in {"rejected", "expired"}:
        what = (
            "The service owner rejected the connection or did not accept it in time. Delete the "
            "endpoint, and create it again once the owner agrees."
        )
        return list_remediations((what, [delete]), otherwise=what)
    what = "Check the endpoint's last error and its subnets."
    if endpoint.state not in FAILED - {"partial"}:
        return (Remediation(f"{what} Recreate the endpoint if necessary."),)
    again = recreate_endpoint(vpc, endpoint)
    return list_remediations(
        (f"{what} Then create the endpoint again.", None if again is None else (delete, *again)),
        (f"{what} Delete the endpoint if it is not needed.", [delete]),
        otherwise=what,
    )


def _regions(vpc: VpcContext) -> Iterator[RuleResult]:
    own = vpc.snapshot.scope.region
    for endpoint in vpc.endpoints:
        name = format_endpoint(endpoint)
        region = endpoint.service_region or find_region(endpoint.service_name)
        if region is None or region == own:
            yield passed(endpoint.id, f"{name} connects to a service in the VPC's Region")
            continue
        if find_region(endpoint.service_name) is None:
            yield passed(endpoint.id, f"{name} connects to a global service, which has one Region")
            continue
        allowed = region in vpc.baseline.allowed_regions
        yield RuleResult(
            resource=endpoint.id,
            status=Status.PASS if allowed else Status.FAIL,
            summary=f"{name} connects from {own} to a service in {region}"
            + (", which the baseline allows" if allowed else ""),
            evidence=(
                Evidence(
                    f"The service of {endpoint.id} is in {region}; the VPC is in {own}.",
                    {"service": endpoint.service_name, "service_region": region, "region": own},
                ),
            ),
            remediation=build_remediation(
                f"Use the service in {own}, or allow {region} in the baseline (allowed_regions).",
                [DeleteVpcEndpoints(vpc_endpoint_ids=(endpoint.id,))],
            ),
        )


RULES: tuple[Rule[VpcContext], ...] = (
    Rule(
        id="required-service-without-endpoint",
        title="Required service has no endpoint",
        requirement="Required services have an available endpoint, here or where names lead",
        family=Family.ENDPOINTS,
        severity=Severity.HIGH,
        rationale=(
            "Without an endpoint, traffic to the service uses the internet, and workloads without "
            "internet access cannot reach the service. An endpoint in another VPC counts if the "
            "names of the service lead there and every subnet with workloads reaches it and is "
            "answered; otherwise the finding names the first step that is broken. Without the "
            "shared network (SharedNetwork), that is not known for a VPC with a route to another "
            "network."
        ),
        remediation="Create an endpoint for the service.",
        evaluate=_required,
        reads=frozenset({Facet.ENDPOINTS, Facet.SERVICES}),
        controls=PRIVATE_PATH,
        service_controls=PRESENCE,
        references=(SUPPORT,),
    ),
    Rule(
        id="endpoint-not-available",
        title="Endpoint is not available",
        requirement="Every endpoint is in state available",
        family=Family.ENDPOINTS,
        severity=Severity.HIGH,
        rationale=(
            "An endpoint that has failed, expired or been rejected carries no traffic. A pending "
            "endpoint is reported after the grace period that the baseline sets "
            "(pending_grace_minutes)."
        ),
        remediation="Find the cause, and recreate the endpoint.",
        evaluate=_states,
        reads=frozenset({Facet.ENDPOINTS}),
        references=(STATES,),
    ),
    Rule(
        id="endpoint-in-other-region",
        title="Endpoint connects to another Region",
        requirement="Endpoints connect to services in the VPC's Region or an allowed Region",
        family=Family.ENDPOINTS,
        severity=Severity.MEDIUM,
        rationale=(
            "A cross-Region endpoint moves data out of the Region where it should stay, and the "
            "transfer between Regions is charged."
        ),
        remediation="Use the service in the VPC's Region.",
        evaluate=_regions,
        reads=frozenset({Facet.ENDPOINTS}),
        controls=FLOW,
        references=(CROSS_REGION,),
    ),
)
