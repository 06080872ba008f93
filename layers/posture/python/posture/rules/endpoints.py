"""Rules about the presence, state and Region of endpoints."""

from __future__ import annotations

from collections.abc import Iterator

from posture.analysis.grace import is_within_grace_period
from posture.analysis.services import list_service_forms
from posture.model.network import Endpoint, EndpointType, Facet, Service
from posture.model.service_names import find_region, short_name
from posture.model.verdict import Evidence, Remediation, Severity, Status
from posture.rules.controls import AVAILABILITY, BOUNDARY, PRESENCE
from posture.rules.evidence import endpoint_evidence, format_endpoint, join_names
from posture.rules.result import RuleResult, failed, not_applicable, passed, undecided
from posture.rules.rule import Family, Rule, VpcContext

AVAILABLE = "available"
PENDING = frozenset({"pending", "pendingacceptance"})
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_VpcEndpoint.html
FAILED = frozenset({"rejected", "failed", "expired", "partial"})
AWS_SERVICE_TYPES = (EndpointType.GATEWAY, EndpointType.INTERFACE)

STATES = "https://docs.aws.amazon.com/vpc/latest/privatelink/concepts.html#concepts-vpc-endpoints"
SUPPORT = "https://docs.aws.amazon.com/vpc/latest/privatelink/aws-services-privatelink-support.html"
CROSS_REGION = (
    "https://docs.aws.amazon.com/vpc/latest/privatelink/"
    "privatelink-share-your-services.html#endpoint-service-cross-region"
)


def _required(vpc: VpcContext) -> Iterator[RuleResult]:
    for short in vpc.baseline.required_services:
        forms = list_service_forms(vpc.snapshot, short, fips=vpc.baseline.accept_fips_endpoints)
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
            "Correct the service name in the baseline, or override it for this Region.",
            "aws ec2 describe-vpc-endpoint-services --query ServiceNames",
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
        remediation=Remediation(
            "Create an endpoint for the service"
            + ("." if _gateway(service) else " in a subnet of each Availability Zone, with a "
               "security group that allows the VPC's CIDR blocks on port 443."),
            _create_command(vpc, service),
        ),
        concerns=concerns,
    )  # fmt: skip


def _counted(endpoints: int) -> str:
    return f"{endpoints} endpoints, but no" if endpoints > 1 else "no"


def _gateway(service: Service) -> bool:
    return EndpointType.GATEWAY in service.types


def _create_command(vpc: VpcContext, service: Service) -> str:
    if not _gateway(service):
        return _create_interface_command(vpc, service)
    tables = sorted({table.id for table in vpc.tables.values() if table})
    chosen = f" --route-table-ids {' '.join(tables)}" if tables else ""
    return (
        f"aws ec2 create-vpc-endpoint --vpc-id {vpc.snapshot.vpc.id} "
        f"--vpc-endpoint-type Gateway --service-name {service.name}{chosen}"
    )


def _create_interface_command(vpc: VpcContext, service: Service) -> str:
    """Build the command with the security groups that another endpoint of the VPC has.

    Without such an endpoint the groups are for a person to choose, and there is no command.
    """
    groups = next(filter(None, (_own_groups(vpc, each) for each in vpc.endpoints)), ())
    offered = [each for each in vpc.subnets if not service.zones or each.zone in service.zones]
    by_zone = {subnet.zone: subnet.id for subnet in reversed(offered)}
    if not groups or not by_zone:
        return ""
    dns = " --private-dns-enabled" if service.private_dns_names else ""
    return (
        f"aws ec2 create-vpc-endpoint --vpc-id {vpc.snapshot.vpc.id} "
        f"--vpc-endpoint-type Interface --service-name {service.name}{dns} "
        f"--subnet-ids {' '.join(by_zone[zone] for zone in sorted(by_zone))} "
        f"--security-group-ids {' '.join(groups)}"
    )


def _own_groups(vpc: VpcContext, endpoint: Endpoint) -> tuple[str, ...]:
    """Return the groups of an available interface endpoint, unless it has the default group."""
    if endpoint.type is not EndpointType.INTERFACE or endpoint.state != AVAILABLE:
        return ()
    known = vpc.snapshot.security_groups
    groups = [known[each] for each in endpoint.security_group_ids if each in known]
    return () if any(each.name == "default" for each in groups) else endpoint.security_group_ids


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
        remediation=_state_remediation(endpoint),
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
        remediation=_state_remediation(endpoint),
    )


def _last_error(endpoint: Endpoint) -> Iterator[Evidence]:
    if endpoint.last_error:
        text = f"The last error of {endpoint.id}: {endpoint.last_error}"
        yield Evidence(text, {"last_error": endpoint.last_error})


def _state_remediation(endpoint: Endpoint) -> Remediation:
    if endpoint.state == "pendingacceptance":
        return Remediation("Ask the service owner to accept the endpoint connection.")
    if endpoint.state in {"rejected", "expired"}:
        return Remediation(
            "The service owner rejected the connection or did not accept it in time. Delete the "
            "endpoint, and create it again once the owner agrees.",
            f"aws ec2 delete-vpc-endpoints --vpc-endpoint-ids {endpoint.id}",
        )
    return Remediation(
        "Check the endpoint's last error and its subnets, and recreate the endpoint if necessary.",
        f"aws ec2 describe-vpc-endpoints --vpc-endpoint-ids {endpoint.id}",
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
            remediation=Remediation(
                f"Use the service in {own}, or allow {region} in the baseline (allowed_regions).",
                f"aws ec2 delete-vpc-endpoints --vpc-endpoint-ids {endpoint.id}",
            ),
        )


RULES: tuple[Rule[VpcContext], ...] = (
    Rule(
        id="required-service-without-endpoint",
        title="Required service has no endpoint",
        requirement="Every service that the baseline requires has an available endpoint",
        family=Family.ENDPOINTS,
        severity=Severity.HIGH,
        rationale=(
            "Without an endpoint, traffic to the service uses the internet, and workloads without "
            "internet access cannot reach the service."
        ),
        remediation="Create an endpoint for the service.",
        evaluate=_required,
        reads=frozenset({Facet.ENDPOINTS, Facet.SERVICES}),
        controls=PRESENCE,
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
        controls=AVAILABILITY,
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
        controls=BOUNDARY,
        references=(CROSS_REGION,),
    ),
)
