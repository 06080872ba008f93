"""Private DNS of endpoints: off, or on without effect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from posture.analysis.descriptions import describe_paths
from posture.analysis.services import service_of
from posture.model.network import Endpoint, EndpointType, Facet, Service
from posture.model.service_names import short_name
from posture.model.verdict import Evidence, Remediation, Severity, Status
from posture.rules.controls import BOUNDARY
from posture.rules.evidence import format_endpoint, join_names
from posture.rules.prices import estimate_interface_hours
from posture.rules.remediation_commands import WORKING
from posture.rules.rule import Family, Rule, RuleResult, VpcContext

PRIVATE_DNS = "https://docs.aws.amazon.com/vpc/latest/privatelink/privatelink-access-aws-services.html#interface-endpoint-private-dns"
DNS_ATTRIBUTES = (
    "https://docs.aws.amazon.com/vpc/latest/userguide/AmazonDNS-concepts.html#vpc-dns-support"
)


# --- off -----------------------------------------------------------------------------------------


def _private_dns_off(vpc: VpcContext) -> Iterator[RuleResult]:
    for endpoint in vpc.endpoints_of(EndpointType.INTERFACE):
        service = vpc.snapshot.services.get(endpoint.service_name)
        yield _private_dns(vpc, endpoint, service)


def _private_dns(vpc: VpcContext, endpoint: Endpoint, service: Service | None) -> RuleResult:
    name = format_endpoint(endpoint)
    if endpoint.private_dns:
        return RuleResult(endpoint.id, Status.PASS, f"{name} has private DNS on")
    if service is None:
        summary = f"{name} has private DNS off; whether its service offers it is not known"
        return RuleResult(endpoint.id, Status.UNKNOWN, summary, _no_service(endpoint))
    if not service.private_dns_names:
        summary = f"{name}: the service offers no private DNS"
        return RuleResult(endpoint.id, Status.NOT_APPLICABLE, summary)
    if endpoint.private_dns is None:
        return RuleResult(endpoint.id, Status.UNKNOWN, f"{name}: EC2 does not tell of private DNS")
    if instead := _answers_instead(vpc, endpoint):
        summary = f"{name} has private DNS off; {instead.id} serves the service's own names"
        concerns = frozenset({endpoint.id, instead.id})
        return RuleResult(endpoint.id, Status.NOT_APPLICABLE, summary, concerns=concerns)
    names = ", ".join(service.private_dns_names)
    return RuleResult(
        resource=endpoint.id,
        status=Status.FAIL,
        summary=f"{name} has private DNS off: {service.private_dns_names[0]} still leads to the "
        "service's public addresses",
        evidence=(
            Evidence(
                f"{endpoint.service_name} offers private DNS for {names}; it is off.",
                {"endpoint": endpoint.id, "names": names, "private_dns": "off"},
            ),
            *_instead(vpc, service),
            Evidence(
                "A private hosted zone may still take the names to the endpoint: zones are not "
                "read.",
                {"private_hosted_zones": "not read"},
            ),
            estimate_interface_hours(len(endpoint.network_interface_ids or endpoint.subnet_ids)),
        ),
        remediation=Remediation(
            "Switch private DNS on, or see to it that clients use the endpoint's own names.",
            f"aws ec2 modify-vpc-endpoint --vpc-endpoint-id {endpoint.id} --private-dns-enabled",
        ),
    )


def _instead(vpc: VpcContext, service: Service) -> Iterator[Evidence]:
    """Say which way subnets send to a service's public addresses, as its names lead there."""
    by_way: dict[str, list[str]] = {}
    for subnet in vpc.subnets:
        paths = vpc.analysis.paths.find_paths(subnet, service)
        if paths:
            by_way.setdefault(describe_paths(paths, exact=False), []).append(subnet.id)
    for way, subnets in by_way.items():
        yield Evidence(
            f"From {join_names(subnets)} the public addresses of {short_name(service.name)}: {way}.",
            {"subnets": ", ".join(subnets), "way": way},
        )


def _answers_instead(vpc: VpcContext, endpoint: Endpoint) -> Endpoint | None:
    """Give another endpoint of the service that takes its names, or is a route to its addresses.

    Only one interface endpoint of a service may have private DNS; with a gateway endpoint in the
    VPC, S3's and DynamoDB's own names are meant to go there.
    """
    return next(
        (
            other
            for other in vpc.endpoints
            if other.id != endpoint.id
            and other.service_name == endpoint.service_name
            and other.state in WORKING
            and (other.private_dns or other.type is EndpointType.GATEWAY)
        ),
        None,
    )


def _no_service(endpoint: Endpoint) -> tuple[Evidence, ...]:
    return (
        Evidence(
            f"DescribeVpcEndpointServices does not list {endpoint.service_name}.",
            {"service": endpoint.service_name},
        ),
    )


# --- without effect ------------------------------------------------------------------------------


def _private_dns_ineffective(vpc: VpcContext) -> Iterator[RuleResult]:
    for endpoint in vpc.endpoints_of(EndpointType.INTERFACE):
        if endpoint.private_dns:
            yield _dns_attributes(vpc, endpoint)


def _dns_attributes(vpc: VpcContext, endpoint: Endpoint) -> RuleResult:
    name = format_endpoint(endpoint)
    network = vpc.snapshot.vpc
    attributes = {
        "enableDnsSupport": network.dns_support,
        "enableDnsHostnames": network.dns_hostnames,
    }
    concerns = frozenset({endpoint.id, network.id})
    off = [name for name, value in attributes.items() if value is False]
    unread = [name for name, value in attributes.items() if value is None]
    if not off and not unread:
        summary = f"the private DNS of {name} is in effect"
        return RuleResult(endpoint.id, Status.PASS, summary, concerns=concerns)
    facts = tuple(
        Evidence(
            f"{name} of {network.id} is {'off' if value is False else 'not known'}.",
            {
                "vpc": network.id,
                "attribute": name,
                "value": "false" if value is False else "unknown",
            },
        )
        for name, value in attributes.items()
        if not value
    )
    if not off:
        summary = f"{name}: whether private DNS is in effect is not known"
        return RuleResult(endpoint.id, Status.UNKNOWN, summary, facts, concerns=concerns)
    root = f"{join_names(off)} of {network.id} {'are' if len(off) > 1 else 'is'} off"
    return RuleResult(
        resource=endpoint.id,
        status=Status.FAIL,
        summary=f"{name} has private DNS on, without effect: {root}",
        evidence=(
            *facts,
            *_instead(vpc, service_of(vpc.snapshot, endpoint)),
            estimate_interface_hours(len(endpoint.network_interface_ids or endpoint.subnet_ids)),
        ),
        root=root,
        remediation=Remediation(
            "Switch the VPC's DNS attributes on.",
            " && ".join(
                f"aws ec2 modify-vpc-attribute --vpc-id {network.id} {option}"
                for option in _options(off)
            ),
        ),
        concerns=concerns,
    )


def _options(attributes: Sequence[str]) -> Iterator[str]:
    options = {
        "enableDnsSupport": "--enable-dns-support",
        "enableDnsHostnames": "--enable-dns-hostnames",
    }
    yield from (options[each] for each in attributes)


RULES: tuple[Rule[VpcContext], ...] = (
    Rule(
        id="endpoint-private-dns-ineffective",
        title="private DNS has no effect",
        requirement="Where an endpoint has private DNS on, the VPC's DNS attributes let it work",
        family=Family.INTERFACES,
        severity=Severity.HIGH,
        rationale=(
            "Private DNS needs both DNS attributes of the VPC. With one of them off, the service's "
            "own names lead to its public addresses, and traffic goes past the endpoint."
        ),
        remediation="Switch the VPC's DNS attributes on.",
        evaluate=_private_dns_ineffective,
        reads=frozenset({Facet.ENDPOINTS, Facet.VPC, Facet.DNS_ATTRIBUTES}),
        controls=BOUNDARY,
        references=(DNS_ATTRIBUTES, PRIVATE_DNS),
    ),
    Rule(
        id="endpoint-private-dns-disabled",
        title="private DNS is off",
        requirement="Interface endpoints have private DNS on where the service offers it",
        family=Family.INTERFACES,
        severity=Severity.MEDIUM,
        rationale=(
            "Without private DNS the service's own names lead to its public addresses: software "
            "that is not told the endpoint's names goes past it."
        ),
        remediation="Switch private DNS on.",
        evaluate=_private_dns_off,
        reads=frozenset({Facet.ENDPOINTS, Facet.SERVICES}),
        controls=BOUNDARY,
        references=(PRIVATE_DNS,),
    ),
)
