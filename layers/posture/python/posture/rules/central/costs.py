"""Rules about charges of endpoints in several VPCs for one service."""

from __future__ import annotations

from collections.abc import Iterator

from posture.analysis.endpoint_dns import WORKING
from posture.analysis.names import ResolvesTo
from posture.analysis.services import get_service
from posture.edits.operations.endpoints import DeleteVpcEndpoints
from posture.model.network import EndpointType, Facet
from posture.model.service_names import short_name
from posture.model.verdict import Evidence, Remediation, Severity
from posture.rules.central.names import WHITEPAPER
from posture.rules.contexts import VpcContext
from posture.rules.evidence import join_names
from posture.rules.prices import (
    compare_central_charges,
    estimate_interface_data,
    estimate_interface_hours,
    estimate_transit_data,
)
from posture.rules.remediation import build_remediation
from posture.rules.result import RuleResult, failed, passed
from posture.rules.rule import Family, Rule

TYPES = "https://docs.aws.amazon.com/AmazonS3/latest/userguide/privatelink-interface-endpoints.html"


def _by_central(vpc: VpcContext) -> Iterator[RuleResult]:
    """Evaluate whether a gateway endpoint is bypassed, as names lead to an endpoint elsewhere."""
    for endpoint in vpc.endpoints_of(EndpointType.GATEWAY) if vpc.shared else ():
        if endpoint.state not in WORKING:
            continue
        resolution = vpc.analysis.resolve_names(get_service(vpc.snapshot, endpoint))
        name = f"{endpoint.id} ({short_name(endpoint.service_name)})"
        ids = join_names(each.id for each in resolution.central) if resolution.central else ""
        concerns = frozenset({endpoint.id, *(each.id for each in resolution.central)})
        if not ids:
            summary = f"no name of its service leads past {name} to another VPC"
            yield passed(endpoint.id, summary, concerns=concerns)
            continue
        yield failed(
            resource=endpoint.id,
            summary=f"{name} carries the traffic at no charge, but names of the service lead to "
            f"{ids} in another VPC",
            evidence=(
                Evidence(
                    f"{resolution.why}. The gateway endpoint's routes are for public addresses "
                    "only.",
                    {"endpoint": endpoint.id, "central": ids},
                ),
                estimate_interface_data(),
                estimate_transit_data(),
            ),
            remediation=Remediation(
                "Disassociate the zone, rule or Profile of these names from this VPC."
            ),
            concerns=concerns,
        )


def _beside_central(vpc: VpcContext) -> Iterator[RuleResult]:
    """Evaluate whether an endpoint is charged for while its names lead to one in another VPC."""
    for endpoint in vpc.endpoints_of(EndpointType.INTERFACE) if vpc.shared else ():
        resolution = vpc.analysis.resolve_names(get_service(vpc.snapshot, endpoint))
        name = f"{endpoint.id} ({short_name(endpoint.service_name)})"
        central = resolution.central
        concerns = frozenset({endpoint.id, *(each.id for each in central)})
        if endpoint.private_dns or endpoint.state not in WORKING:
            continue  # another rule reports that private DNS or the endpoint has no effect
        if resolution.resolves_to is not ResolvesTo.ENDPOINT or endpoint in resolution.endpoints:
            yield passed(endpoint.id, f"{name} is used, or no other endpoint is", concerns=concerns)
            continue
        ids = join_names(each.id for each in (*resolution.endpoints, *central))
        interfaces = len(endpoint.network_interface_ids or endpoint.subnet_ids)
        yield failed(
            resource=endpoint.id,
            summary=f"{name} is charged for, but all names of its service lead to {ids}",
            evidence=(
                Evidence(f"{resolution.why}.", {"endpoint": endpoint.id, "leads_to": ids}),
                estimate_interface_hours(interfaces),
                compare_central_charges(interfaces),
            ),
            remediation=build_remediation(
                "Delete the endpoint, unless clients use its endpoint-specific names.",
                [DeleteVpcEndpoints(vpc_endpoint_ids=(endpoint.id,))],
            ),
            concerns=concerns,
        )


RULES: tuple[Rule[VpcContext], ...] = (
    Rule(
        id="gateway-endpoint-bypassed-by-names",
        title="Names lead past a gateway endpoint",
        requirement="Names of S3 and DynamoDB do not lead past a gateway endpoint to another VPC",
        family=Family.COSTS,
        severity=Severity.LOW,
        rationale=(
            "The routes of a gateway endpoint are for the public addresses of its service. If a "
            "private hosted zone or Profile leads the names to an interface endpoint in another "
            "VPC, the traffic is charged for there and by the transit gateway, and the gateway "
            "endpoint, which is free of charge, carries nothing."
        ),
        remediation="Do not associate the VPC with a zone of these names.",
        evaluate=_by_central,
        reads=frozenset({Facet.VPC, Facet.ENDPOINTS, Facet.SERVICES, Facet.DNS_ATTRIBUTES}),
        references=(TYPES,),
    ),
    Rule(
        id="endpoint-beside-central-endpoint",
        title="Endpoint is unused beside a central one",
        requirement="VPCs whose names lead to a central endpoint have no endpoint for the service",
        family=Family.COSTS,
        severity=Severity.LOW,
        rationale=(
            "An endpoint whose private DNS is disabled is used only by clients that are configured "
            "for its own names, while all others use the endpoint in another VPC; both are charged "
            "for each hour. The evidence compares an endpoint in each VPC with a central one. The "
            "rule needs the shared network."
        ),
        remediation="Delete the endpoint, or let the names lead to it.",
        evaluate=_beside_central,
        reads=frozenset({Facet.VPC, Facet.ENDPOINTS, Facet.SERVICES, Facet.DNS_ATTRIBUTES}),
        references=(WHITEPAPER,),
    ),
)
