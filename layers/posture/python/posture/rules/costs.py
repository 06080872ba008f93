"""What is paid for traffic that a gateway endpoint would carry for nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from posture.analysis.names import LeadsTo
from posture.analysis.path import Path, PathKind
from posture.analysis.services import service_of
from posture.model.network import Endpoint, EndpointType, Facet
from posture.model.service_names import short_name
from posture.model.verdict import Evidence, Remediation, Severity, Status
from posture.rules.controls import LEAST_PATH
from posture.rules.facts import listed, path_fact
from posture.rules.prices import interface_hours, interface_volume, nat_volume
from posture.rules.repairs import WORKING
from posture.rules.rule import Family, Judgement, Rule, VpcCase

NAT_PRICES = "https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-pricing.html"
TYPES = "https://docs.aws.amazon.com/AmazonS3/latest/userguide/privatelink-interface-endpoints.html"


# --- by NAT gateway ------------------------------------------------------------------------------


def _by_nat(case: VpcCase) -> Iterator[Judgement]:
    ways: dict[str, dict[str, list[Path]]] = {each: {} for each in case.snapshot.nat_gateways}
    subnets: dict[str, set[str]] = {}
    for (subnet_id, name), paths in case.paths.items():
        service = case.snapshot.services[name]
        if case.analysis.resolution(service).leads_to is LeadsTo.ENDPOINT:
            continue
        for path in paths or ():
            if path.kind is PathKind.NAT_GATEWAY and path.to_internet:
                ways.setdefault(path.target, {}).setdefault(name, []).append(path)
                subnets.setdefault(path.target, set()).add(subnet_id)
    for nat_id, by_service in sorted(ways.items()):
        if not by_service:
            summary = f"{nat_id} carries nothing that a gateway endpoint would carry"
            yield Judgement(nat_id, Status.PASS, summary)
            continue
        names = listed(map(short_name, sorted(by_service)))
        senders = sorted(subnets[nat_id])
        yield Judgement(
            resource=nat_id,
            status=Status.FAIL,
            summary=f"{nat_id} is paid for carrying {names} from {listed(senders)}; a gateway "
            "endpoint carries it for nothing",
            evidence=(
                nat_volume(),
                *(
                    path_fact(case.snapshot.services[name], paths[0])
                    for name, paths in sorted(by_service.items())
                ),
            ),
            remediation=Remediation(
                "Send the traffic by a gateway endpoint: see gateway-service-bypasses-endpoint "
                "for the command of each subnet.",
            ),
            concerns=frozenset({nat_id, *_hangs_on(case, senders)}),
        )


def _hangs_on(case: VpcCase, subnets: Iterable[str]) -> Iterator[str]:
    """Give what decides whether these subnets need the NAT gateway."""
    for subnet_id in subnets:
        yield subnet_id
        if table := case.tables[subnet_id]:
            yield from (table.id, *table.association_ids)
    yield from (endpoint.id for endpoint in case.endpoints_of(EndpointType.GATEWAY))


# --- by interface endpoint -----------------------------------------------------------------------


def _by_interface(case: VpcCase) -> Iterator[Judgement]:
    for endpoint in case.endpoints_of(EndpointType.INTERFACE):
        service = service_of(case.snapshot, endpoint)
        if EndpointType.GATEWAY not in service.types or endpoint.state not in WORKING:
            continue
        resolution = case.analysis.resolution(service)
        name = f"{endpoint.id} ({short_name(service.name)})"
        if resolution.leads_to is LeadsTo.UNKNOWN:
            yield Judgement(endpoint.id, Status.UNKNOWN, f"{name}: {resolution.why}")
        elif endpoint not in resolution.endpoints:
            summary = f"{name} does not carry what the VPC itself sends to the service's names"
            yield Judgement(endpoint.id, Status.PASS, summary)
        else:
            yield _taken(endpoint, name, resolution.why)


def _taken(endpoint: Endpoint, name: str, why: str) -> Judgement:
    return Judgement(
        resource=endpoint.id,
        status=Status.FAIL,
        summary=f"{name} is paid for carrying what the VPC itself sends; a gateway endpoint "
        "carries it for nothing",
        evidence=(
            Evidence(f"The service's names lead to it: {why}.", {"endpoint": endpoint.id}),
            interface_volume(),
            interface_hours(len(endpoint.network_interface_ids or endpoint.subnet_ids)),
        ),
        remediation=Remediation(
            "Keep the endpoint for what comes from outside the VPC, let only inbound resolvers "
            "have its names, and send the VPC's own traffic by a gateway endpoint.",
            f"aws ec2 modify-vpc-endpoint --vpc-endpoint-id {endpoint.id} --dns-options "
            "PrivateDnsOnlyForInboundResolverEndpoint=true",
        ),
    )


RULES: tuple[Rule[VpcCase], ...] = (
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
        judge=_by_nat,
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
        judge=_by_interface,
        reads=frozenset({Facet.VPC, Facet.ENDPOINTS, Facet.SERVICES, Facet.DNS_ATTRIBUTES}),
        controls=LEAST_PATH,
        references=(TYPES,),
    ),
)
