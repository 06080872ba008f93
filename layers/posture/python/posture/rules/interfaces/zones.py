"""Rules about the Availability Zones of interface endpoints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from posture.model.network import Endpoint, Facet, Subnet
from posture.model.verdict import Evidence, Remediation, Severity, Status
from posture.rules.contexts import VpcContext
from posture.rules.controls import REDUNDANCY
from posture.rules.endpoint_lookups import find_interface_endpoints
from posture.rules.evidence import format_endpoint, join_names
from posture.rules.prices import ZONES_FREE, estimate_interface_hours
from posture.rules.remediation import list_remediations
from posture.rules.remediation.acls import open_acls
from posture.rules.remediation.groups import list_ports
from posture.rules.remediation.interfaces import (
    add_subnets,
    allow_subnets,
    choose_subnets,
    list_new_openings,
)
from posture.rules.result import RuleResult, failed, not_applicable, passed, undecided
from posture.rules.rule import Family, Rule

MOST_USERS = 4  # that a summary names

CREATE = "https://docs.aws.amazon.com/vpc/latest/privatelink/create-interface-endpoint.html"


def _single_zone(vpc: VpcContext) -> Iterator[RuleResult]:
    for endpoint in find_interface_endpoints(vpc):
        yield _zone_count(vpc, endpoint)


def _zone_count(vpc: VpcContext, endpoint: Endpoint) -> RuleResult:
    held, missing, others = _find_zones(vpc, endpoint)
    concerns = frozenset({endpoint.id, *endpoint.subnet_ids})
    name = format_endpoint(endpoint)
    if not endpoint.subnet_ids:
        return _without_subnets(vpc, endpoint, name)
    if len(held) > 1:
        return passed(endpoint.id, f"{name} is in {join_names(sorted(held))}", concerns=concerns)
    if missing:
        summary = f"{name}: {join_names(missing)} could not be found"
        return undecided(endpoint.id, summary, concerns=concerns)
    zone = next(iter(held))
    if not others and (spread := _find_spread_users(vpc)):
        return _fail_for_users(endpoint, name, zone, spread, concerns)
    if not others:
        summary = f"{name} is in {zone}; no other zone of this VPC offers the service"
        return not_applicable(endpoint.id, summary, concerns=concerns)
    elsewhere = sorted({each.zone for each in others})
    return failed(
        resource=endpoint.id,
        summary=f"{name} is in {zone} only, but the VPC also has subnets in "
        f"{join_names(elsewhere)}",
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
        propose=partial(_add_zones, vpc, endpoint, elsewhere),
        concerns=concerns,
    )


def _find_spread_users(vpc: VpcContext) -> tuple[str, ...]:
    """Find the other VPCs that use the endpoints from more than one Availability Zone.

    An attachment has a network interface in one subnet of each zone that it covers. Traffic from
    other zones reaches a central endpoint, but depends on the zone that the endpoint is in.
    https://docs.aws.amazon.com/vpc/latest/tgw/tgw-vpc-attachments.html
    """
    if vpc.shared is None:
        return ()
    users = {each.vpc_id for each in vpc.users_of_endpoints}
    return tuple(
        dict.fromkeys(
            each.resource_id
            for _, each in sorted(vpc.shared.attachments.items())
            if each.resource_id in users and len(each.subnet_ids) > 1
        )
    )


def _fail_for_users(
    endpoint: Endpoint, name: str, zone: str, users: Sequence[str], concerns: frozenset[str]
) -> RuleResult:
    shown = join_names(users[:MOST_USERS]) + (" and others" * (len(users) > MOST_USERS))
    return failed(
        resource=endpoint.id,
        summary=f"{name} is in {zone} only, but {shown} use it from several Availability Zones",
        evidence=(
            Evidence(
                f"{len(users)} VPCs use the endpoint by attachments in several Availability Zones.",
                {"endpoint": endpoint.id, "zone": zone, "users": ", ".join(users)},
            ),
        ),
        remediation=Remediation(
            "Create a subnet in another Availability Zone, and add it to the endpoint."
        ),
        concerns=concerns | {*users},
    )


def _add_zones(
    vpc: VpcContext, endpoint: Endpoint, zones: Sequence[str], *, all_of_them: bool = False
) -> tuple[Remediation, ...]:
    """List what adds subnets in other zones: one of them, or all."""
    service = vpc.snapshot.services.get(endpoint.service_name)
    subnets = choose_subnets(vpc, service, zones, endpoint.ip_address_type)
    what = "Add a subnet in {} Availability Zone to the endpoint."
    added = add_subnets(endpoint, subnets)
    rules = allow_subnets(vpc, [endpoint])
    openings = list_new_openings(vpc, subnets, list_ports([endpoint]))
    entries = open_acls(vpc.snapshot, openings)
    return list_remediations(
        (what.format("another"), None if all_of_them else add_subnets(endpoint, subnets[:1])),
        (what.format("each other"), added),
        (
            f"Allow the subnets in the endpoint's security group. {what.format('each other')}",
            (*rules, *added) if rules and added else None,
        ),
        (
            f"Let the traffic through network ACLs. {what.format('each other')}",
            (*(rules or ()), *entries, *added) if entries and added else None,
        ),
        otherwise=what.format("another"),
    )


def _without_subnets(vpc: VpcContext, endpoint: Endpoint, name: str) -> RuleResult:
    """Build the result for an endpoint without subnets, which the API allows to create."""
    zones = sorted({each.zone for each in vpc.subnets})
    summary = f"{name} has no subnets and cannot be reached"
    return RuleResult(
        resource=endpoint.id,
        status=Status.FAIL if endpoint.state == "available" else Status.NOT_APPLICABLE,
        severity=Severity.MEDIUM,
        summary=summary,
        evidence=(Evidence(f"{endpoint.id} lists no subnet.", {"endpoint": endpoint.id}),),
        propose=partial(_add_zones, vpc, endpoint, zones, all_of_them=True),
    )


def _find_zones(vpc: VpcContext, endpoint: Endpoint) -> tuple[set[str], list[str], list[Subnet]]:
    """Return an endpoint's zones, its unknown subnets, and the VPC's subnets in other zones.

    Zones that do not offer the service are left out; EC2 does not return them for every service.
    """
    subnets = vpc.snapshot.subnets
    missing = [each for each in endpoint.subnet_ids if each not in subnets]
    held = {subnets[each].zone for each in endpoint.subnet_ids if each in subnets}
    service = vpc.snapshot.services.get(endpoint.service_name)
    offered = service.zones if service else ()
    others = [
        each
        for each in vpc.subnets
        if each.zone not in held and (not offered or each.zone in offered)
    ]
    return held, missing, others


def _every_zone(vpc: VpcContext) -> Iterator[RuleResult]:
    for endpoint in find_interface_endpoints(vpc):
        held, missing, others = _find_zones(vpc, endpoint)
        concerns = frozenset({endpoint.id, *endpoint.subnet_ids})
        if len(held) < 2 or missing:  # noqa: PLR2004
            summary = f"{format_endpoint(endpoint)}: see endpoint-single-availability-zone"
            yield not_applicable(endpoint.id, summary, concerns=concerns)
        else:
            yield _missing_zones(vpc, endpoint, held, others, concerns)


def _missing_zones(
    vpc: VpcContext,
    endpoint: Endpoint,
    held: set[str],
    without: Sequence[Subnet],
    concerns: frozenset[str],
) -> RuleResult:
    if not without:
        summary = f"{format_endpoint(endpoint)} is in every Availability Zone that has subnets"
        return passed(endpoint.id, summary, concerns=concerns)
    zones = sorted({each.zone for each in without})
    return failed(
        resource=endpoint.id,
        summary=f"{format_endpoint(endpoint)} has no network interface in {join_names(zones)}, the "
        f"zone of {join_names(each.id for each in without)}",
        evidence=(
            Evidence(
                f"{endpoint.id} is in {join_names(sorted(held))}. Traffic to it from other zones "
                f"is free of charge ({ZONES_FREE}), but has a higher latency and fails with "
                "those zones.",
                {"zones": ", ".join(sorted(held)), "without": ", ".join(zones)},
            ),
            estimate_interface_hours(len(zones)),
        ),
        propose=partial(_add_zones, vpc, endpoint, zones, all_of_them=True),
        concerns=concerns | {each.id for each in without},
    )


_rule = partial(
    Rule,
    family=Family.INTERFACES,
    reads=frozenset({Facet.ENDPOINTS, Facet.SUBNETS, Facet.SERVICES}),
    controls=REDUNDANCY,
    references=(CREATE,),
)
ONE_ZONE = _rule(
    id="endpoint-single-availability-zone",
    title="Endpoint is in a single Availability Zone",
    requirement="Interface endpoints are in more than one Availability Zone",
    severity=Severity.LOW,
    rationale=(
        "If the Availability Zone of its only network interface fails, every subnet loses access "
        "to the service. Until then, traffic from other zones has a higher latency. In a VPC with "
        "subnets in one zone, it fails if VPCs with attachments in several zones use the endpoint."
    ),
    remediation="Add a subnet in another Availability Zone to the endpoint.",
    evaluate=_single_zone,
)
ZONE_WITHOUT = _rule(
    id="availability-zone-without-endpoint",
    title="Availability Zone has no endpoint interface",
    requirement="Interface endpoints are in every Availability Zone that has subnets",
    severity=Severity.INFORMATIONAL,
    rationale=(
        "Subnets in a zone without a network interface reach the endpoint through another zone: "
        "the latency is higher, and the traffic fails when the other zone does."
    ),
    remediation="Add a subnet in each Availability Zone to the endpoint.",
    evaluate=_every_zone,
)
