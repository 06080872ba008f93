"""Rules about which endpoints there are, and whether they work."""

from __future__ import annotations

from collections.abc import Iterator

from posture.analysis.grace import in_grace
from posture.analysis.services import named
from posture.model.network import Endpoint, EndpointType, Facet, Service
from posture.model.service_names import region_in, short_name
from posture.model.verdict import Evidence, Remediation, Severity, Status
from posture.rules.controls import AVAILABILITY, BOUNDARY, PRESENCE
from posture.rules.facts import endpoint_fact, endpoint_name, listed
from posture.rules.rule import Family, Judgement, Rule, VpcCase

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


def _required(case: VpcCase) -> Iterator[Judgement]:
    for short in case.baseline.required_services:
        service = named(case.snapshot, short)
        yield _not_offered(case, short) if service is None else _presence(case, service)


def _not_offered(case: VpcCase, short: str) -> Judgement:
    region = case.snapshot.scope.region
    return Judgement(
        resource=short,
        status=Status.UNKNOWN,
        summary=f"{short} is required, and {region} offers no endpoint of that name",
        evidence=(
            Evidence(
                f"DescribeVpcEndpointServices lists {len(case.snapshot.services)} services of "
                f"{region}; none is named {short}.",
                {"service": short, "region": region},
            ),
        ),
        remediation=Remediation(
            "Correct the name in the baseline, or override it for this region.",
            "aws ec2 describe-vpc-endpoint-services --query ServiceNames",
        ),
        concerns=frozenset({case.snapshot.vpc.id}),
    )


def _presence(case: VpcCase, service: Service) -> Judgement:
    having = [each for each in case.endpoints_of(*SERVING) if each.service_name == service.name]
    working = [each for each in having if each.state == AVAILABLE]
    coming = [each for each in having if each.state in ON_THE_WAY]
    vpc = case.snapshot.vpc.id
    # EC2 shows a deleted endpoint for a while: whoever deleted it is the cause.
    own = (each for each in case.snapshot.endpoints.values() if each.service_name == service.name)
    concerns = frozenset({vpc, *(each.id for each in own)})
    if working:
        ids = listed(each.id for each in working)
        summary = f"{service.name} is reached by {ids}"
        return Judgement(service.name, Status.PASS, summary, concerns=concerns)
    if coming:
        ids = listed(each.id for each in coming)
        summary = f"{service.name}: {ids} is on the way"
        return Judgement(service.name, Status.NOT_APPLICABLE, summary, concerns=concerns)
    return Judgement(
        resource=service.name,
        status=Status.FAIL,
        summary=f"{vpc} has no available endpoint of {service.name}, which the baseline requires",
        evidence=(
            Evidence(
                f"{vpc} has {_counted(len(case.endpoints))} available one of {service.name}.",
                {"vpc": vpc, "service": service.name, "required_as": short_name(service.name)},
            ),
            *map(endpoint_fact, having),
        ),
        remediation=Remediation(
            "Make an endpoint of the service"
            + ("." if _gateway(service) else " in a subnet of each availability zone, with a "
               "security group that admits the VPC on 443."),
            _create(case, service),
        ),
        concerns=concerns,
    )  # fmt: skip


def _counted(endpoints: int) -> str:
    return f"{endpoints} endpoints, but no" if endpoints > 1 else "no"


def _gateway(service: Service) -> bool:
    return EndpointType.GATEWAY in service.types


def _create(case: VpcCase, service: Service) -> str:
    if not _gateway(service):
        return _create_interface(case, service)
    tables = sorted({table.id for table in case.tables.values() if table})
    chosen = f" --route-table-ids {' '.join(tables)}" if tables else ""
    return (
        f"aws ec2 create-vpc-endpoint --vpc-id {case.snapshot.vpc.id} "
        f"--vpc-endpoint-type Gateway --service-name {service.name}{chosen}"
    )


def _create_interface(case: VpcCase, service: Service) -> str:
    """Give the command where other endpoints of the VPC show which security groups endpoints get.

    Where none does, nobody but people can say.
    """
    groups = next(filter(None, (_own_groups(case, each) for each in case.endpoints)), ())
    offered = [each for each in case.subnets if not service.zones or each.zone in service.zones]
    by_zone = {subnet.zone: subnet.id for subnet in reversed(offered)}
    if not groups or not by_zone:
        return ""
    dns = " --private-dns-enabled" if service.private_dns_names else ""
    return (
        f"aws ec2 create-vpc-endpoint --vpc-id {case.snapshot.vpc.id} "
        f"--vpc-endpoint-type Interface --service-name {service.name}{dns} "
        f"--subnet-ids {' '.join(by_zone[zone] for zone in sorted(by_zone))} "
        f"--security-group-ids {' '.join(groups)}"
    )


def _own_groups(case: VpcCase, endpoint: Endpoint) -> tuple[str, ...]:
    """Give the groups of an available interface endpoint, unless the default one is among them."""
    if endpoint.type is not EndpointType.INTERFACE or endpoint.state != AVAILABLE:
        return ()
    known = case.snapshot.security_groups
    groups = [known[each] for each in endpoint.security_group_ids if each in known]
    return () if any(each.name == "default" for each in groups) else endpoint.security_group_ids


# --- an endpoint that does not work --------------------------------------------------------------


def _states(case: VpcCase) -> Iterator[Judgement]:
    yield from (_state(case, endpoint) for endpoint in case.endpoints)


def _state(case: VpcCase, endpoint: Endpoint) -> Judgement:
    name = endpoint_name(endpoint)
    if endpoint.state == AVAILABLE:
        return Judgement(endpoint.id, Status.PASS, f"{name} is available")
    if endpoint.state in ON_THE_WAY:
        return _pending(case, endpoint, name)
    status = Status.FAIL if endpoint.state in BROKEN else Status.UNKNOWN
    state = endpoint.state or "in no state that EC2 tells"
    return Judgement(
        resource=endpoint.id,
        status=status,
        severity=Severity.MEDIUM if endpoint.state == "partial" else None,
        summary=f"{name} is {state}",
        evidence=(endpoint_fact(endpoint), *_last_error(endpoint)),
        remediation=_repair(endpoint),
    )


def _pending(case: VpcCase, endpoint: Endpoint, name: str) -> Judgement:
    if endpoint.created_at is None:
        summary = f"{name} is {endpoint.state}, nobody knows since when"
        return Judgement(endpoint.id, Status.UNKNOWN, summary, (endpoint_fact(endpoint),))
    if in_grace(endpoint, case.baseline, case.snapshot.observed_at):
        summary = f"{name} is {endpoint.state}, and still may be"
        return Judgement(endpoint.id, Status.NOT_APPLICABLE, summary)
    since = f"{endpoint.created_at:%Y-%m-%d %H:%M} UTC"
    minutes = case.baseline.pending_grace_minutes
    return Judgement(
        resource=endpoint.id,
        status=Status.FAIL,
        summary=f"{name} is {endpoint.state} for longer than {minutes} minutes",
        evidence=(
            endpoint_fact(endpoint),
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


def _regions(case: VpcCase) -> Iterator[Judgement]:
    own = case.snapshot.scope.region
    for endpoint in case.endpoints:
        name = endpoint_name(endpoint)
        region = endpoint.service_region or region_in(endpoint.service_name)
        if region is None or region == own:
            yield Judgement(endpoint.id, Status.PASS, f"{name} leads to no other region")
            continue
        allowed = region in case.baseline.allowed_regions
        yield Judgement(
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


RULES: tuple[Rule[VpcCase], ...] = (
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
        judge=_required,
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
        judge=_states,
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
        judge=_regions,
        reads=frozenset({Facet.ENDPOINTS}),
        controls=BOUNDARY,
        references=(CROSS_REGION,),
    ),
)
