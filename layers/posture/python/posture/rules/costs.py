"""What is paid for traffic that a gateway endpoint would carry for nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from posture.analysis.names import ResolvesTo
from posture.analysis.path import Path, PathKind
from posture.analysis.services import service_of
from posture.model.network import Endpoint, EndpointType, Facet
from posture.model.service_names import short_name
from posture.model.verdict import Evidence, Remediation, Severity, Status
from posture.rules.controls import LEAST_PATH
from posture.rules.evidence import join_names, path_evidence
from posture.rules.prices import (
    estimate_interface_data,
    estimate_interface_hours,
    estimate_nat_data,
)
from posture.rules.remediation_commands import WORKING
from posture.rules.rule import Family, Rule, RuleResult, VpcContext

NAT_PRICES = "https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-pricing.html"
TYPES = "https://docs.aws.amazon.com/AmazonS3/latest/userguide/privatelink-interface-endpoints.html"


# --- by NAT gateway ------------------------------------------------------------------------------


def _by_nat(vpc: VpcContext) -> Iterator[RuleResult]:
    ways: dict[str, dict[str, list[Path]]] = {each: {} for each in vpc.snapshot.nat_gateways}
    subnets: dict[str, set[str]] = {}
    for (subnet_id, name), paths in vpc.paths.items():
        service = vpc.snapshot.services[name]
        if vpc.analysis.resolve_names(service).resolves_to is ResolvesTo.ENDPOINT:
            continue
        for path in paths or ():
            if path.kind is PathKind.NAT_GATEWAY and path.to_internet:
                ways.setdefault(path.target, {}).setdefault(name, []).append(path)
                subnets.setdefault(path.target, set()).add(subnet_id)
    for nat_id, by_service in sorted(ways.items()):
        if not by_service:
            summary = f"{nat_id} carries nothing that a gateway endpoint would carry"
            yield RuleResult(nat_id, Status.PASS, summary)
            continue
        names = join_names(map(short_name, sorted(by_service)))
        senders = sorted(subnets[nat_id])
        yield RuleResult(
            resource=nat_id,
            status=Status.FAIL,
            summary=f"{nat_id} is paid for carrying {names} from {join_names(senders)}; a gateway "
            "endpoint carries it for nothing",
            evidence=(
                estimate_nat_data(),
                *(
                    path_evidence(vpc.snapshot.services[name], paths[0])
                    for name, paths in sorted(by_service.items())
                ),
            ),
            remediation=Remediation(
                "Send the traffic by a gateway endpoint: see gateway-service-bypasses-endpoint "
                "for the command of each subnet.",
            ),
            concerns=frozenset({nat_id, *_hangs_on(vpc, senders)}),
        )


def _hangs_on(vpc: VpcContext, subnets: Iterable[str]) -> Iterator[str]:
    """Give what decides whether these subnets need the NAT gateway."""
    for subnet_id in subnets:
        yield subnet_id
        if table := vpc.tables[subnet_id]:
            yield from (table.id, *table.association_ids)
    yield from (endpoint.id for endpoint in vpc.endpoints_of(EndpointType.GATEWAY))


# --- by interface endpoint -----------------------------------------------------------------------


def _by_interface(vpc: VpcContext) -> Iterator[RuleResult]:
    for endpoint in vpc.endpoints_of(EndpointType.INTERFACE):
        service = service_of(vpc.snapshot, endpoint)
        if EndpointType.GATEWAY not in service.types or endpoint.state not in WORKING:
            continue
        resolution = vpc.analysis.resolve_names(service)
        name = f"{endpoint.id} ({short_name(service.name)})"
        if resolution.resolves_to is ResolvesTo.UNKNOWN:
            yield RuleResult(endpoint.id, Status.UNKNOWN, f"{name}: {resolution.why}")
        elif endpoint not in resolution.endpoints:
            summary = f"{name} does not carry what the VPC itself sends to the service's names"
            yield RuleResult(endpoint.id, Status.PASS, summary)
        else:
            yield _taken(endpoint, name, resolution.why)


def _taken(endpoint: Endpoint, name: str, why: str) -> RuleResult:
    return RuleResult(
        resource=endpoint.id,
        status=Status.FAIL,
        summary=f"{name} is paid for carrying what the VPC itself sends; a gateway endpoint "
        "carries it for nothing",
        evidence=(
            Evidence(f"The service's names lead to it: {why}.", {"endpoint": endpoint.id}),
            estimate_interface_data(),
            estimate_interface_hours(len(endpoint.network_interface_ids or endpoint.subnet_ids)),
        ),
        remediation=Remediation(
            "Keep the endpoint for what comes from outside the VPC, let only inbound resolvers "
            "have its names, and send the VPC's own traffic by a gateway endpoint.",
            f"aws ec2 modify-vpc-endpoint --vpc-endpoint-id {endpoint.id} --dns-options "
            "PrivateDnsOnlyForInboundResolverEndpoint=true",
        ),
    )


RULES: tuple[Rule[VpcContext], ...] = (
    Rule(
        id="nat-gateway-charges-avoidable",
        title="NAT gateway is paid for S3 or DynamoDB",
        requirement="NAT gateways carry nothing that a gateway endpoint carries for nothing",
        family=Family.COSTS,
        severity=Severity.LOW,
        rationale=(
            "A NAT gateway is charged for each gigabyte, a gateway endpoint of S3 or DynamoDB is "
            "not. The estimate names the volume it assumes: what truly passes stands in the NAT "
            "gateway's metrics."
        ),
        remediation="Send the traffic by a gateway endpoint.",
        evaluate=_by_nat,
        reads=frozenset(
            {
                Facet.SUBNETS,
                Facet.ROUTE_TABLES,
                Facet.ENDPOINTS,
                Facet.SERVICES,
                Facet.AWS_PREFIX_LISTS,
                Facet.NAT_GATEWAYS,
            }
        ),
        controls=LEAST_PATH,
        references=(NAT_PRICES,),
    ),
    Rule(
        id="interface-endpoint-charges-avoidable",
        title="interface endpoint is paid for S3",
        requirement="Inside the VPC S3 and DynamoDB are reached by gateway endpoints",
        family=Family.COSTS,
        severity=Severity.LOW,
        rationale=(
            "An interface endpoint of S3 is charged by the hour and the gigabyte. It is needed for "
            "what comes from other networks; what the VPC itself sends, a gateway endpoint carries "
            "for nothing."
        ),
        remediation="Send the VPC's own traffic by a gateway endpoint.",
        evaluate=_by_interface,
        reads=frozenset({Facet.VPC, Facet.ENDPOINTS, Facet.SERVICES, Facet.DNS_ATTRIBUTES}),
        controls=LEAST_PATH,
        references=(TYPES,),
    ),
)
