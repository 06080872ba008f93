"""Rules about which endpoints there are, and whether they work."""

from __future__ import annotations

from collections.abc import Iterator

from posture.analysis.grace import is_within_grace_period
from posture.analysis.services import find_service
from posture.model.network import Endpoint, EndpointType, Facet, Service
from posture.model.service_names import find_region, short_name
from posture.model.verdict import Evidence, Remediation, Severity, Status
from posture.rules.controls import AVAILABILITY, BOUNDARY, PRESENCE
from posture.rules.evidence import endpoint_evidence, format_endpoint, join_names
from posture.rules.rule import Family, Rule, RuleResult, VpcContext

AVAILABLE = "available"
ON_THE_WAY = frozenset({"pending", "pendingacceptance"})
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_VpcEndpoint.html
BROKEN = frozenset({"rejected", "failed", "expired", "partial"})
SERVING = (EndpointType.GATEWAY, EndpointType.INTERFACE)

STATES = "https://docs.aws.amazon.com/vpc/latest/privatelink/concepts.html#concepts-vpc-endpoints"
SUPPORT = "https://docs.aws.amazon.com/vpc/latest/privatelink/aws-services-privatelink-support.html"
CROSS_REGION = (
    "https://docs.aws.amazon.com/vpc/latest/privatelink/"
    "privatelink-share-your-services.html#endpoint-service-cross-region"
)


# --- a required service without an endpoint ------------------------------------------------------


def _required(vpc: VpcContext) -> Iterator[RuleResult]:
    for short in vpc.baseline.required_services:
        service = find_service(vpc.snapshot, short)
        yield _not_offered(vpc, short) if service is None else _presence(vpc, service)


def _not_offered(vpc: VpcContext, short: str) -> RuleResult:
    region = vpc.snapshot.scope.region
    return RuleResult(
        resource=short,
        status=Status.UNKNOWN,
        summary=f"{short} is required, and {region} offers no endpoint of that name",
        evidence=(
            Evidence(
                f"DescribeVpcEndpointServices lists {len(vpc.snapshot.services)} services of "
                f"{region}; none is named {short}.",
                {"service": short, "region": region},
            ),
        ),
        remediation=Remediation(
            "Correct the name in the baseline, or override it for this region.",
            "aws ec2 describe-vpc-endpoint-services --query ServiceNames",
        ),
        concerns=frozenset({vpc.snapshot.vpc.id}),
    )


def _presence(vpc: VpcContext, service: Service) -> RuleResult:
    having = [each for each in vpc.endpoints_of(*SERVING) if each.service_name == service.name]
    working = [each for each in having if each.state == AVAILABLE]
    coming = [each for each in having if each.state in ON_THE_WAY]
    vpc_id = vpc.snapshot.vpc.id
    # EC2 shows a deleted endpoint for a while: whoever deleted it is the cause.
    own = (each for each in vpc.snapshot.endpoints.values() if each.service_name == service.name)
    concerns = frozenset({vpc_id, *(each.id for each in own)})
    if working:
        ids = join_names(each.id for each in working)
        summary = f"{service.name} is reached by {ids}"
        return RuleResult(service.name, Status.PASS, summary, concerns=concerns)
    if coming:
        ids = join_names(each.id for each in coming)
        summary = f"{service.name}: {ids} is on the way"
        return RuleResult(service.name, Status.NOT_APPLICABLE, summary, concerns=concerns)
    return RuleResult(
        resource=service.name,
        status=Status.FAIL,
        summary=f"{vpc_id} has no available endpoint of {service.name}, which the baseline requires",
        evidence=(
            Evidence(
                f"{vpc_id} has {_counted(len(vpc.endpoints))} available one of {service.name}.",
                {"vpc": vpc_id, "service": service.name, "required_as": short_name(service.name)},
            ),
            *map(endpoint_evidence, having),
        ),
        remediation=Remediation(
            "Make an endpoint of the service"
            + ("." if _gateway(service) else " in a subnet of each availability zone, with a "
               "security group that admits the VPC on 443."),
            _create(vpc, service),
        ),
        concerns=concerns,
    )  # fmt: skip


def _counted(endpoints: int) -> str:
    return f"{endpoints} endpoints, but no" if endpoints > 1 else "no"


def _gateway(service: Service) -> bool:
    return EndpointType.GATEWAY in service.types


def _create(vpc: VpcContext, service: Service) -> str:
    if not _gateway(service):
        return _create_interface(vpc, service)
    tables = sorted({table.id for table in vpc.tables.values() if table})
    chosen = f" --route-table-ids {' '.join(tables)}" if tables else ""
    return (
        f"aws ec2 create-vpc-endpoint --vpc-id {vpc.snapshot.vpc.id} "
        f"--vpc-endpoint-type Gateway --service-name {service.name}{chosen}"
    )


def _create_interface(vpc: VpcContext, service: Service) -> str:
    """Give the command where other endpoints of the VPC show which security groups endpoints get.

    Where none does, nobody but people can say.
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
    """Give the groups of an available interface endpoint, unless the default one is among them."""
    if endpoint.type is not EndpointType.INTERFACE or endpoint.state != AVAILABLE:
        return ()
    known = vpc.snapshot.security_groups
    groups = [known[each] for each in endpoint.security_group_ids if each in known]
    return () if any(each.name == "default" for each in groups) else endpoint.security_group_ids


# --- an endpoint that does not work --------------------------------------------------------------


def _states(vpc: VpcContext) -> Iterator[RuleResult]:
    yield from (_state(vpc, endpoint) for endpoint in vpc.endpoints)


def _state(vpc: VpcContext, endpoint: Endpoint) -> RuleResult:
    name = format_endpoint(endpoint)
    if endpoint.state == AVAILABLE:
        return RuleResult(endpoint.id, Status.PASS, f"{name} is available")
    if endpoint.state in ON_THE_WAY:
        return _pending(vpc, endpoint, name)
    status = Status.FAIL if endpoint.state in BROKEN else Status.UNKNOWN
    state = endpoint.state or "in no state that EC2 tells"
    return RuleResult(
        resource=endpoint.id,
        status=status,
        severity=Severity.MEDIUM if endpoint.state == "partial" else None,
        summary=f"{name} is {state}",
        evidence=(endpoint_evidence(endpoint), *_last_error(endpoint)),
        remediation=_repair(endpoint),
    )


def _pending(vpc: VpcContext, endpoint: Endpoint, name: str) -> RuleResult:
    if endpoint.created_at is None:
        summary = f"{name} is {endpoint.state}, nobody knows since when"
        return RuleResult(endpoint.id, Status.UNKNOWN, summary, (endpoint_evidence(endpoint),))
    if is_within_grace_period(endpoint, vpc.baseline, vpc.snapshot.observed_at):
        summary = f"{name} is {endpoint.state}, and still may be"
        return RuleResult(endpoint.id, Status.NOT_APPLICABLE, summary)
    since = f"{endpoint.created_at:%Y-%m-%d %H:%M} UTC"
    minutes = vpc.baseline.pending_grace_minutes
    return RuleResult(
        resource=endpoint.id,
        status=Status.FAIL,
        summary=f"{name} is {endpoint.state} for longer than {minutes} minutes",
        evidence=(
            endpoint_evidence(endpoint),
            Evidence(f"{endpoint.id} was made at {since}.", {"created_at": since}),
        ),
        remediation=_repair(endpoint),
    )


def _last_error(endpoint: Endpoint) -> Iterator[Evidence]:
    if endpoint.last_error:
        yield Evidence(f"EC2 says: {endpoint.last_error}", {"last_error": endpoint.last_error})


def _repair(endpoint: Endpoint) -> Remediation:
    if endpoint.state == "pendingacceptance":
        return Remediation("Ask the service's owner to accept the connection.")
    if endpoint.state in {"rejected", "expired"}:
        return Remediation(
            "The service's owner refused the connection or let it expire: delete the endpoint, or "
            "make it anew when the owner agrees.",
            f"aws ec2 delete-vpc-endpoints --vpc-endpoint-ids {endpoint.id}",
        )
    return Remediation(
        "Look at the endpoint's last error and its subnets, and make it anew if need be.",
        f"aws ec2 describe-vpc-endpoints --vpc-endpoint-ids {endpoint.id}",
    )


# --- an endpoint in another region ---------------------------------------------------------------


def _regions(vpc: VpcContext) -> Iterator[RuleResult]:
    own = vpc.snapshot.scope.region
    for endpoint in vpc.endpoints:
        name = format_endpoint(endpoint)
        region = endpoint.service_region or find_region(endpoint.service_name)
        if region is None or region == own:
            yield RuleResult(endpoint.id, Status.PASS, f"{name} leads to no other region")
            continue
        allowed = region in vpc.baseline.allowed_regions
        yield RuleResult(
            resource=endpoint.id,
            status=Status.PASS if allowed else Status.FAIL,
            summary=f"{name} leads from {own} to {region}"
            + (", which the baseline allows" if allowed else ""),
            evidence=(
                Evidence(
                    f"The service of {endpoint.id} is in {region}, the VPC in {own}.",
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
        title="required service has no endpoint",
        requirement="Every service the baseline requires has an available endpoint",
        family=Family.ENDPOINTS,
        severity=Severity.HIGH,
        rationale=(
            "Without an endpoint, traffic to the service leaves over the internet, or workloads "
            "without a way to the internet are cut off from it."
        ),
        remediation="Make an endpoint of the service.",
        evaluate=_required,
        reads=frozenset({Facet.ENDPOINTS, Facet.SERVICES}),
        controls=PRESENCE,
        references=(SUPPORT,),
    ),
    Rule(
        id="endpoint-not-available",
        title="endpoint is not available",
        requirement="Every endpoint is available",
        family=Family.ENDPOINTS,
        severity=Severity.HIGH,
        rationale=(
            "An endpoint that failed, was rejected or expired carries nothing. One that is pending "
            "is given the time the baseline sets (pending_grace_minutes) before it counts."
        ),
        remediation="Find out why, and make the endpoint anew.",
        evaluate=_states,
        reads=frozenset({Facet.ENDPOINTS}),
        controls=AVAILABILITY,
        references=(STATES,),
    ),
    Rule(
        id="endpoint-in-other-region",
        title="endpoint leads to another region",
        requirement="Endpoints lead to services of the VPC's own region or an allowed one",
        family=Family.ENDPOINTS,
        severity=Severity.MEDIUM,
        rationale=(
            "An endpoint to another region takes data out of the region it should stay in, and is "
            "charged for the way between them."
        ),
        remediation="Use the service in the VPC's own region.",
        evaluate=_regions,
        reads=frozenset({Facet.ENDPOINTS}),
        controls=BOUNDARY,
        references=(CROSS_REGION,),
    ),
)
