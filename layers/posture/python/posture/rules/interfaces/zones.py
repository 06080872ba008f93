"""In which availability zones endpoints stand, and where they do not although subnets are there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from posture.model.network import Endpoint, Facet, Subnet
from posture.model.verdict import Evidence, Remediation, Severity, Status
from posture.rules.controls import AVAILABILITY
from posture.rules.evidence import format_endpoint, join_names
from posture.rules.prices import ZONES_FREE, estimate_interface_hours
from posture.rules.remediation_commands import find_interface_endpoints
from posture.rules.rule import Family, Rule, RuleResult, VpcContext

CREATE = "https://docs.aws.amazon.com/vpc/latest/privatelink/create-interface-endpoint.html"


# --- one zone only -------------------------------------------------------------------------------


def _more_than_one(vpc: VpcContext) -> Iterator[RuleResult]:
    for endpoint in find_interface_endpoints(vpc):
        yield _spread(vpc, endpoint)


def _spread(vpc: VpcContext, endpoint: Endpoint) -> RuleResult:
    subnets = vpc.snapshot.subnets
    strange = [each for each in endpoint.subnet_ids if each not in subnets]
    held = {subnets[each].zone for each in endpoint.subnet_ids if each in subnets}
    concerns = frozenset({endpoint.id, *endpoint.subnet_ids})
    name = format_endpoint(endpoint)
    if not endpoint.subnet_ids:
        return _nowhere(endpoint, name)
    if len(held) > 1:
        summary = f"{name} stands in {join_names(sorted(held))}"
        return RuleResult(endpoint.id, Status.PASS, summary, concerns=concerns)
    if strange:
        summary = f"{name}: {join_names(strange)} could not be found"
        return RuleResult(endpoint.id, Status.UNKNOWN, summary, concerns=concerns)
    others = [
        each for each in vpc.subnets if each.zone not in held and _offered(vpc, endpoint, each)
    ]
    zone = next(iter(held))
    if not others:
        summary = f"{name} stands in {zone}, and can in no other zone of this VPC"
        return RuleResult(endpoint.id, Status.NOT_APPLICABLE, summary, concerns=concerns)
    elsewhere = sorted({each.zone for each in others})
    return RuleResult(
        resource=endpoint.id,
        status=Status.FAIL,
        summary=f"{name} stands in {zone} only, while the VPC has subnets in {join_names(elsewhere)}",
        evidence=(
            Evidence(
                f"The subnets of {endpoint.id}, {join_names(endpoint.subnet_ids)}, are in {zone}.",
                {
                    "endpoint": endpoint.id,
                    "subnets": ", ".join(endpoint.subnet_ids),
                    "zone": zone,
                    "other_zones": ", ".join(elsewhere),
                },
            ),
        ),
        remediation=Remediation(
            "Add a subnet in another zone.",
            f"aws ec2 modify-vpc-endpoint --vpc-endpoint-id {endpoint.id} "
            f"--add-subnet-ids {others[0].id}",
        ),
        concerns=concerns,
    )


def _nowhere(endpoint: Endpoint, name: str) -> RuleResult:
    """Judge an endpoint without subnets, as the API makes it when it is given none."""
    summary = f"{name} stands in no subnet, so that nothing reaches it"
    return RuleResult(
        resource=endpoint.id,
        status=Status.FAIL if endpoint.state == "available" else Status.NOT_APPLICABLE,
        severity=Severity.MEDIUM,
        summary=summary,
        evidence=(Evidence(f"{endpoint.id} lists no subnet.", {"endpoint": endpoint.id}),),
        remediation=Remediation("Add a subnet in each zone, or delete the endpoint."),
    )


def _offered(vpc: VpcContext, endpoint: Endpoint, subnet: Subnet) -> bool:
    """Tell whether the service can be had in a subnet's zone; where nobody tells, it can."""
    service = vpc.snapshot.services.get(endpoint.service_name)
    return not service or not service.zones or subnet.zone in service.zones


# --- a zone without an interface -----------------------------------------------------------------


def _each(vpc: VpcContext) -> Iterator[RuleResult]:
    for endpoint in find_interface_endpoints(vpc):
        subnets = vpc.snapshot.subnets
        held = {subnets[each].zone for each in endpoint.subnet_ids if each in subnets}
        concerns = frozenset({endpoint.id, *endpoint.subnet_ids})
        if len(held) < 2 or any(each not in subnets for each in endpoint.subnet_ids):  # noqa: PLR2004
            # One zone only, or nobody knows: that is told by endpoint-single-availability-zone.
            summary = f"{format_endpoint(endpoint)}: told by endpoint-single-availability-zone"
            yield RuleResult(endpoint.id, Status.NOT_APPLICABLE, summary, concerns=concerns)
            continue
        service = vpc.snapshot.services.get(endpoint.service_name)
        offered = frozenset(service.zones) if service else frozenset()
        without = [
            each
            for each in vpc.subnets
            if each.zone not in held and (not offered or each.zone in offered)
        ]
        yield _lacking(endpoint, held, without, concerns)


def _lacking(
    endpoint: Endpoint, held: set[str], without: Sequence[Subnet], concerns: frozenset[str]
) -> RuleResult:
    if not without:
        summary = f"{format_endpoint(endpoint)} stands in every zone that has subnets"
        return RuleResult(endpoint.id, Status.PASS, summary, concerns=concerns)
    zones = sorted({each.zone for each in without})
    first = {zone: next(each.id for each in without if each.zone == zone) for zone in zones}
    return RuleResult(
        resource=endpoint.id,
        status=Status.FAIL,
        summary=f"{format_endpoint(endpoint)} has no interface in {join_names(zones)}, where "
        f"{join_names(each.id for each in without)} {'is' if len(without) == 1 else 'are'}",
        evidence=(
            Evidence(
                f"{endpoint.id} stands in {join_names(sorted(held))}. What crosses zones to it is not "
                f"charged ({ZONES_FREE}), but takes longer and fails with the other zone.",
                {"zones": ", ".join(sorted(held)), "without": ", ".join(zones)},
            ),
            estimate_interface_hours(len(zones)),
        ),
        remediation=Remediation(
            "Add a subnet of each zone, or say by a waiver that crossing zones is meant.",
            f"aws ec2 modify-vpc-endpoint --vpc-endpoint-id {endpoint.id} "
            f"--add-subnet-ids {' '.join(first.values())}",
        ),
        concerns=concerns | {each.id for each in without},
    )


ONE_ZONE: Rule[VpcContext] = Rule(
    id="endpoint-single-availability-zone",
    title="endpoint stands in one zone only",
    requirement="Interface endpoints stand in more than one availability zone",
    family=Family.INTERFACES,
    severity=Severity.LOW,
    rationale=(
        "When the zone of its only interface fails, every subnet loses the service; until "
        "then, what other zones send crosses between them, which takes longer."
    ),
    remediation="Add a subnet in another zone.",
    evaluate=_more_than_one,
    reads=frozenset({Facet.ENDPOINTS, Facet.SUBNETS, Facet.SERVICES}),
    controls=AVAILABILITY,
    references=(CREATE,),
)
ZONE_WITHOUT: Rule[VpcContext] = Rule(
    id="availability-zone-without-endpoint",
    title="zone has no interface of the endpoint",
    requirement="Interface endpoints stand in every availability zone that has subnets",
    family=Family.INTERFACES,
    severity=Severity.INFORMATIONAL,
    rationale=(
        "Subnets of a zone without an interface reach the endpoint across zones: it takes "
        "longer, and fails when the other zone does."
    ),
    remediation="Add a subnet of each zone.",
    evaluate=_each,
    reads=frozenset({Facet.ENDPOINTS, Facet.SUBNETS, Facet.SERVICES}),
    controls=AVAILABILITY,
    references=(CREATE,),
)
