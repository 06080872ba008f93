"""Rules about private DNS of interface endpoints."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from posture.analysis.descriptions import describe_paths
from posture.analysis.endpoint_dns import WORKING
from posture.analysis.names import SWITCH, find_dns_doubt
from posture.analysis.services import get_service
from posture.edits.operations.endpoints import DnsOptions, ModifyVpcEndpoint
from posture.model.network import Endpoint, EndpointType, Facet, Service
from posture.model.service_names import short_name
from posture.model.verdict import Evidence, Remediation, Severity
from posture.rules.central.hub_names import evaluate_central_names, evaluate_other_answer
from posture.rules.contexts import VpcContext
from posture.rules.controls import BOUNDARY, FLOW
from posture.rules.evidence import format_endpoint, join_names
from posture.rules.prices import estimate_interface_hours
from posture.rules.remediation import build_remediation, list_remediations
from posture.rules.remediation.gateways import route_services
from posture.rules.remediation.interfaces import (
    enable_dns_attributes,
    let_subnets_in,
    list_blocked_networks,
    list_openings,
)
from posture.rules.result import RuleResult, failed, not_applicable, passed, undecided
from posture.rules.rule import Family, Rule

# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DnsOptions.html
ALL_DOMAINS, VERIFIED_DOMAINS = "ALL_DOMAINS", "VERIFIED_DOMAINS_ONLY"
OWN_DOMAINS = frozenset(
    {VERIFIED_DOMAINS, "VERIFIED_DOMAINS_AND_SPECIFIED_DOMAINS", "SPECIFIED_DOMAINS_ONLY"}
)
DNS_OPTIONS = "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DnsOptions.html"
PRIVATE_DNS = "https://docs.aws.amazon.com/vpc/latest/privatelink/privatelink-access-aws-services.html#interface-endpoint-private-dns"
DNS_ATTRIBUTES = (
    "https://docs.aws.amazon.com/vpc/latest/userguide/AmazonDNS-concepts.html#vpc-dns-support"
)
# Other endpoints that a command lets subnets reach, since private DNS of them takes effect, too.
MOST_OTHERS = 20
ATTRIBUTES_FIRST = (
    "First let the subnets reach the other endpoints with private DNS, and enable the DNS "
    "attributes of the VPC."
)


def _private_dns_disabled(vpc: VpcContext) -> Iterator[RuleResult]:
    for endpoint in vpc.endpoints_of(EndpointType.INTERFACE):
        service = vpc.snapshot.services.get(endpoint.service_name)
        yield _private_dns(vpc, endpoint, service)


def _private_dns(  # noqa: PLR0911 - one return for each case
    vpc: VpcContext, endpoint: Endpoint, service: Service | None
) -> RuleResult:
    name = format_endpoint(endpoint)
    if endpoint.private_dns:
        return passed(endpoint.id, f"{name} has private DNS enabled")
    if service is None:
        summary = f"{name} has private DNS disabled; whether its service offers it is not known"
        return undecided(endpoint.id, summary, _no_service(endpoint))
    if not service.private_dns_names:
        return not_applicable(endpoint.id, f"{name}: the service does not offer private DNS")
    if endpoint.private_dns is None:
        return undecided(endpoint.id, f"{name}: EC2 does not return whether private DNS is enabled")
    if other := _find_other(vpc, endpoint):
        summary = f"{name} has private DNS disabled; {other.id} serves the service's DNS names"
        concerns = frozenset({endpoint.id, other.id})
        return not_applicable(endpoint.id, summary, concerns=concerns)
    if central := evaluate_central_names(vpc, endpoint, service):
        return central
    names = ", ".join(service.private_dns_names)
    return failed(
        resource=endpoint.id,
        summary=f"{name} has private DNS disabled: {service.private_dns_names[0]} resolves to the "
        "service's public addresses",
        evidence=(
            Evidence(
                f"{endpoint.service_name} offers private DNS for {names}; it is disabled.",
                {"endpoint": endpoint.id, "names": names, "private_dns": "off"},
            ),
            *_public_paths(vpc, service),
            _describe_zones(vpc),
            estimate_interface_hours(len(endpoint.network_interface_ids or endpoint.subnet_ids)),
        ),
        propose=partial(_enable, vpc, endpoint),
    )


def _describe_zones(vpc: VpcContext) -> Evidence:
    if vpc.shared is None:
        return Evidence(
            "A private hosted zone can still resolve the names to the endpoint. The monitor does "
            f"not read private hosted zones without {SWITCH}.",
            {"private_hosted_zones": "not read"},
        )
    return Evidence(
        "No private hosted zone and no Route 53 Profile leads the names to the endpoint.",
        {"private_hosted_zones": "none"},
    )


def _enable(vpc: VpcContext, endpoint: Endpoint) -> tuple[Remediation, ...]:
    """List what enables private DNS, after the security groups and network ACLs let clients in."""
    what = "Enable private DNS, or configure clients to use the endpoint-specific DNS names."
    attributes = enable_dns_attributes(vpc)
    service = get_service(vpc.snapshot, endpoint)
    has_gateway = EndpointType.GATEWAY in service.types
    # By default, private DNS of S3 is for inbound Resolver endpoints and needs a gateway endpoint.
    options = DnsOptions(private_dns_only_for_inbound_resolver_endpoint=False)
    enable = ModifyVpcEndpoint(
        vpc_endpoint_id=endpoint.id,
        private_dns_enabled=True,
        dns_options=options if has_gateway else None,
    )
    # Private DNS of other endpoints takes effect with the attributes.
    others = vpc.remember(("gated",), partial(_list_gated, vpc)) if attributes else ()
    served = [endpoint, *(each for each in others if each is not endpoint)]
    if len(others) > MOST_OTHERS:
        served, what = [], f"{what} {ATTRIBUTES_FIRST}"
    return list_remediations(
        (
            "Create a gateway endpoint for the VPC's own traffic, which is free of charge.",
            route_services(vpc, [service]) if has_gateway else None,
        ),
        *(
            (what, None if first is None else (*first, *attributes, enable))
            for first in (let_subnets_in(vpc, served) if served else ())
        ),
        otherwise=what,
    )


def _list_gated(vpc: VpcContext) -> tuple[Endpoint, ...]:
    """List the endpoints with private DNS that gates keep some subnet from."""
    return tuple(
        each
        for each in vpc.endpoints_of(EndpointType.INTERFACE)
        if each.private_dns and (list_blocked_networks(vpc, each) or list_openings(vpc, [each]))
    )


def _public_paths(vpc: VpcContext, service: Service) -> Iterator[Evidence]:
    """Build the evidence for the subnets' paths to a service's public addresses."""
    by_path: dict[str, list[str]] = {}
    for subnet in vpc.subnets:
        paths = vpc.analysis.paths.find_paths(subnet, service)
        if paths:
            by_path.setdefault(describe_paths(paths, exact=False), []).append(subnet.id)
    for path, subnets in by_path.items():
        yield Evidence(
            f"Path from {join_names(subnets)} to the public addresses of "
            f"{short_name(service.name)}: {path}.",
            {"subnets": ", ".join(subnets), "way": path},
        )


def _find_other(vpc: VpcContext, endpoint: Endpoint) -> Endpoint | None:
    """Find another endpoint that serves the service's DNS names or its public addresses.

    Only one interface endpoint for a service can have private DNS. With a gateway endpoint in the
    VPC, the DNS names of S3 and DynamoDB are meant to resolve to the public addresses.
    """
    return next(
        (
            other
            for other in vpc.named_endpoints.get(endpoint.service_name, ())
            if other.id != endpoint.id and other.state in WORKING
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
        if other := evaluate_other_answer(vpc, endpoint):
            return other
        if doubt := find_dns_doubt(network):
            return _dns_servers(vpc, endpoint, doubt)
        return passed(endpoint.id, f"private DNS of {name} is effective", concerns=concerns)
    facts = tuple(
        Evidence(
            f"{name} of {network.id} is {'disabled' if value is False else 'not known'}.",
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
        summary = f"{name}: whether private DNS is effective is not known"
        return undecided(endpoint.id, summary, facts, concerns=concerns)
    root = f"{join_names(off)} of {network.id} {'are' if len(off) > 1 else 'is'} disabled"
    return failed(
        resource=endpoint.id,
        summary=f"{name} has private DNS enabled, but it has no effect: {root}",
        evidence=(
            *facts,
            *_public_paths(vpc, get_service(vpc.snapshot, endpoint)),
            estimate_interface_hours(len(endpoint.network_interface_ids or endpoint.subnet_ids)),
        ),
        root=root,
        propose=lambda: vpc.remember(("DNS attributes",), partial(_enable_attributes, vpc)),
        concerns=concerns,
    )


def _enable_attributes(vpc: VpcContext) -> tuple[Remediation, ...]:
    """List what enables the DNS attributes, after every endpoint with private DNS is reachable."""
    what = "Enable the DNS attributes of the VPC."
    served = [each for each in vpc.endpoints_of(EndpointType.INTERFACE) if each.private_dns]
    return list_remediations(
        *(
            (what, None if first is None else (*first, *enable_dns_attributes(vpc)))
            for first in let_subnets_in(vpc, served)
        ),
        otherwise=what,
    )


def _dns_servers(vpc: VpcContext, endpoint: Endpoint, doubt: str) -> RuleResult:
    network = vpc.snapshot.vpc
    denied = vpc.snapshot.unreadable.get(Facet.DHCP_OPTIONS)
    record = {
        "dhcp_options": network.dhcp_options_id,
        "servers": ", ".join(network.dns_servers or ()),
    }
    reason = f" ({denied})" if denied else ""
    return undecided(
        resource=endpoint.id,
        summary=f"{format_endpoint(endpoint)}: whether private DNS is effective is not known, as "
        f"{doubt}",
        evidence=(Evidence(f"{doubt[0].upper()}{doubt[1:]}{reason}.", record),),
        root=doubt,
        remediation=Remediation(
            f"Allow ec2:{Facet.DHCP_OPTIONS.value} for the monitor's IAM role."
            if denied
            else "Let the DNS servers forward the names of AWS services to the VPC's Route 53 "
            "Resolver, and add a waiver. Or use AmazonProvidedDNS.",
        ),
        concerns=frozenset({endpoint.id, network.id, network.dhcp_options_id} - {""}),
    )


def _any_domain(vpc: VpcContext) -> Iterator[RuleResult]:
    for endpoint in vpc.endpoints_of(EndpointType.RESOURCE, EndpointType.SERVICE_NETWORK):
        yield _domains(endpoint)


def _domains(endpoint: Endpoint) -> RuleResult:
    name, preference = format_endpoint(endpoint), endpoint.private_dns_preference
    if endpoint.private_dns is False:
        return passed(endpoint.id, f"{name} has private DNS disabled")
    if endpoint.private_dns and preference in OWN_DOMAINS:
        return passed(endpoint.id, f"{name} takes only domains that are verified or specified")
    fact = Evidence(
        f"PrivateDnsPreference of {endpoint.id} is {preference or 'not returned'}.",
        {"endpoint": endpoint.id, "private_dns_preference": preference or ""},
    )
    if not endpoint.private_dns or preference != ALL_DOMAINS:
        summary = f"{name}: which domains its provider can take is not known"
        return undecided(endpoint.id, summary, (fact,))
    return failed(
        resource=endpoint.id,
        summary=f"{name} lets its provider take any domain name in the VPC",
        evidence=(fact,),
        remediation=build_remediation(
            "Let the endpoint take verified domains only.",
            [
                ModifyVpcEndpoint(
                    vpc_endpoint_id=endpoint.id,
                    dns_options=DnsOptions(private_dns_preference=VERIFIED_DOMAINS),
                )
            ],
        ),
    )


RULES: tuple[Rule[VpcContext], ...] = (
    Rule(
        id="endpoint-private-dns-ineffective",
        title="Private DNS of endpoint has no effect",
        requirement="VPCs whose endpoints use private DNS have it effective for their hosts",
        family=Family.INTERFACES,
        severity=Severity.HIGH,
        rationale=(
            "Private DNS requires both DNS attributes of the VPC. If one is disabled, the "
            "service's DNS names resolve to public addresses, and traffic bypasses the endpoint. "
            "Only the VPC's own Resolver knows private DNS: where the DHCP option set names other "
            "DNS servers, what they answer is not known."
        ),
        remediation="Enable the DNS attributes of the VPC.",
        evaluate=_private_dns_ineffective,
        reads=frozenset({Facet.ENDPOINTS, Facet.VPC, Facet.DNS_ATTRIBUTES}),
        controls=BOUNDARY,
        references=(DNS_ATTRIBUTES, PRIVATE_DNS),
    ),
    Rule(
        id="endpoint-private-dns-disabled",
        title="Private DNS of endpoint is disabled",
        requirement="Interface endpoints have private DNS enabled where the service offers it",
        family=Family.INTERFACES,
        severity=Severity.MEDIUM,
        rationale=(
            "Without private DNS, the service's DNS names resolve to public addresses. Clients "
            "that do not use the endpoint-specific DNS names bypass the endpoint. An endpoint that "
            "private hosted zones or a Route 53 Profile lead the names to passes, which only the "
            "shared network shows."
        ),
        remediation="Let every subnet reach the endpoint, then enable private DNS for it.",
        evaluate=_private_dns_disabled,
        reads=frozenset({Facet.ENDPOINTS, Facet.SERVICES}),
        controls=BOUNDARY,
        references=(PRIVATE_DNS,),
    ),
    Rule(
        id="endpoint-private-dns-any-domain",
        title="Endpoint lets its provider take any domain",
        requirement="Resource and service-network endpoints take verified or specified domains",
        family=Family.INTERFACES,
        severity=Severity.HIGH,
        rationale=(
            "With the preference ALL_DOMAINS, VPC Lattice creates a private hosted zone in the VPC "
            "for every domain name that the provider chooses, without proof that it owns the "
            "domain. Traffic to that name then goes to the provider."
        ),
        remediation="Let the endpoint take verified or specified domains only.",
        evaluate=_any_domain,
        reads=frozenset({Facet.ENDPOINTS}),
        controls=FLOW,
        references=(DNS_OPTIONS,),
    ),
)
