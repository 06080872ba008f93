"""In which availability zones endpoints stand, and where they do not although subnets are there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from posture.model.network import Endpoint, Facet, Subnet
from posture.model.verdict import Evidence, Remediation, Severity, Status
from posture.rules.controls import AVAILABILITY
from posture.rules.facts import endpoint_name, listed
from posture.rules.prices import ZONES_FREE, interface_hours
from posture.rules.repairs import working_interfaces
from posture.rules.rule import Family, Judgement, Rule, VpcCase

CREATE = "https://docs.aws.amazon.com/vpc/latest/privatelink/create-interface-endpoint.html"


# --- one zone only -------------------------------------------------------------------------------


def _more_than_one(case: VpcCase) -> Iterator[Judgement]:
    for endpoint in working_interfaces(case):
        yield _spread(case, endpoint)


def _spread(case: VpcCase, endpoint: Endpoint) -> Judgement:
    subnets = case.snapshot.subnets
    strange = [each for each in endpoint.subnet_ids if each not in subnets]
    held = {subnets[each].zone for each in endpoint.subnet_ids if each in subnets}
    concerns = frozenset({endpoint.id, *endpoint.subnet_ids})
    name = endpoint_name(endpoint)
    if not endpoint.subnet_ids:
        return _nowhere(endpoint, name)
    if len(held) > 1:
        summary = f"{name} stands in {listed(sorted(held))}"
        return Judgement(endpoint.id, Status.PASS, summary, concerns=concerns)
    if strange:
        summary = f"{name}: {listed(strange)} could not be found"
        return Judgement(endpoint.id, Status.UNKNOWN, summary, concerns=concerns)
    others = [
        each for each in case.subnets if each.zone not in held and _offered(case, endpoint, each)
    ]
    zone = next(iter(held))
    if not others:
        summary = f"{name} stands in {zone}, and can in no other zone of this VPC"
        return Judgement(endpoint.id, Status.NOT_APPLICABLE, summary, concerns=concerns)
    elsewhere = sorted({each.zone for each in others})
    return Judgement(
        resource=endpoint.id,
        status=Status.FAIL,
        summary=f"{name} stands in {zone} only, while the VPC has subnets in {listed(elsewhere)}",
        evidence=(
            Evidence(
                f"The subnets of {endpoint.id}, {listed(endpoint.subnet_ids)}, are in {zone}.",
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


def _nowhere(endpoint: Endpoint, name: str) -> Judgement:
    """Judge an endpoint without subnets, as the API makes it when it is given none."""
    summary = f"{name} stands in no subnet, so that nothing reaches it"
    return Judgement(
        resource=endpoint.id,
        status=Status.FAIL if endpoint.state == "available" else Status.NOT_APPLICABLE,
        severity=Severity.MEDIUM,
        summary=summary,
        evidence=(Evidence(f"{endpoint.id} lists no subnet.", {"endpoint": endpoint.id}),),
        remediation=Remediation("Add a subnet in each zone, or delete the endpoint."),
    )


def _offered(case: VpcCase, endpoint: Endpoint, subnet: Subnet) -> bool:
    """Tell whether the service can be had in a subnet's zone; where nobody tells, it can."""
    service = case.snapshot.services.get(endpoint.service_name)
    return not service or not service.zones or subnet.zone in service.zones


# --- a zone without an interface -----------------------------------------------------------------


def _each(case: VpcCase) -> Iterator[Judgement]:
    for endpoint in working_interfaces(case):
        subnets = case.snapshot.subnets
        held = {subnets[each].zone for each in endpoint.subnet_ids if each in subnets}
        concerns = frozenset({endpoint.id, *endpoint.subnet_ids})
        if len(held) < 2 or any(each not in subnets for each in endpoint.subnet_ids):  # noqa: PLR2004
            # One zone only, or nobody knows: that is told by endpoint-single-availability-zone.
            summary = f"{endpoint_name(endpoint)}: told by endpoint-single-availability-zone"
            yield Judgement(endpoint.id, Status.NOT_APPLICABLE, summary, concerns=concerns)
            continue
        service = case.snapshot.services.get(endpoint.service_name)
        offered = frozenset(service.zones) if service else frozenset()
        without = [
            each
            for each in case.subnets
            if each.zone not in held and (not offered or each.zone in offered)
        ]
        yield _lacking(endpoint, held, without, concerns)


def _lacking(
    endpoint: Endpoint, held: set[str], without: Sequence[Subnet], concerns: frozenset[str]
) -> Judgement:
    if not without:
        summary = f"{endpoint_name(endpoint)} stands in every zone that has subnets"
        return Judgement(endpoint.id, Status.PASS, summary, concerns=concerns)
    zones = sorted({each.zone for each in without})
    first = {zone: next(each.id for each in without if each.zone == zone) for zone in zones}
    return Judgement(
        resource=endpoint.id,
        status=Status.FAIL,
        summary=f"{endpoint_name(endpoint)} has no interface in {listed(zones)}, where "
        f"{listed(each.id for each in without)} {'is' if len(without) == 1 else 'are'}",
        evidence=(
            Evidence(
                f"{endpoint.id} stands in {listed(sorted(held))}. What crosses zones to it is not "
                f"charged ({ZONES_FREE}), but takes longer and fails with the other zone.",
                {"zones": ", ".join(sorted(held)), "without": ", ".join(zones)},
            ),
            interface_hours(len(zones)),
        ),
        remediation=Remediation(
            "Add a subnet of each zone, or say by a waiver that crossing zones is meant.",
            f"aws ec2 modify-vpc-endpoint --vpc-endpoint-id {endpoint.id} "
            f"--add-subnet-ids {' '.join(first.values())}",
        ),
        concerns=concerns | {each.id for each in without},
    )


ONE_ZONE: Rule[VpcCase] = Rule(
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
    judge=_more_than_one,
    reads=frozenset({Facet.ENDPOINTS, Facet.SUBNETS, Facet.SERVICES}),
    controls=AVAILABILITY,
    references=(CREATE,),
)
ZONE_WITHOUT: Rule[VpcCase] = Rule(
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
    judge=_each,
    reads=frozenset({Facet.ENDPOINTS, Facet.SUBNETS, Facet.SERVICES}),
    controls=AVAILABILITY,
    references=(CREATE,),
)
