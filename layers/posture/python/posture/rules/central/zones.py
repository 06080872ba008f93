"""Rules about the records of private hosted zones that lead to central endpoints."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial

from posture.analysis.central.known_endpoints import find_endpoint
from posture.analysis.central.network_index import list_named
from posture.analysis.central.view_names import list_associated
from posture.model.network import Facet
from posture.model.service_names import short_name
from posture.model.shared_network import HostedZone, SharedFacet, SharedNetwork
from posture.model.verdict import Evidence, Remediation, Severity
from posture.rules.central.names import NEEDED, REPORTED, WHITEPAPER, ZONES
from posture.rules.central.steps import build_failure, describe_affected, describe_misnamed
from posture.rules.central.use import Break, CentralUse, list_lacking, list_uses
from posture.rules.contexts import VpcContext
from posture.rules.evidence import join_names
from posture.rules.result import RuleResult, failed, not_applicable, passed, undecided
from posture.rules.rule import Family, Rule

TAKEOVER = (
    "https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/protection-from-dangling-dns.html"
)


def _missing_records(vpc: VpcContext) -> Iterator[RuleResult]:
    lacking = list_lacking(vpc)
    for zone, uses in _list_zones(vpc):
        broken = [each for each in uses if _lacks_record(each, zone)]
        concerns = frozenset({zone.id, vpc.snapshot.vpc.id})
        own = [each for each in broken if each.service.name not in lacking]
        if own:
            yield _fail_record(vpc, zone, own, concerns)
        elif broken:
            yield not_applicable(zone.id, f"{zone.id}: {REPORTED}", concerns=concerns)
        elif zone.records is None:
            summary = f"the records of {zone.id} could not be read, so its names are not known"
            yield not_applicable(zone.id, summary, concerns=concerns)
        else:
            summary = f"private hosted zone {zone.id} ({zone.name}) has the records of its services"
            yield passed(zone.id, summary, concerns=concerns)


def _list_zones(vpc: VpcContext) -> Iterator[tuple[HostedZone, list[CentralUse]]]:
    """List the zones of a VPC that are meant for services, with these."""
    found: dict[str, list[CentralUse]] = {}
    zones: Mapping[str, HostedZone] = vpc.shared.zones if vpc.shared else {}
    for use in list_uses(vpc):
        for source in use.sources:
            if source.id in zones:
                found.setdefault(source.id, []).append(use)
    for zone_id, uses in sorted(found.items()):
        yield zones[zone_id], uses


def _lacks_record(use: CentralUse, zone: HostedZone) -> bool:
    """Return whether a name does not resolve because of a zone, or the zone has another name."""
    if use.broken is not Break.RECORD:
        return False
    if use.deciding and use.deciding.subject == zone.id:
        return True
    return bool(describe_misnamed(use)) and any(
        each.misnamed and each.id == zone.id for each in use.sources
    )


def _fail_record(
    vpc: VpcContext, zone: HostedZone, uses: list[CentralUse], concerns: frozenset[str]
) -> RuleResult:
    first = uses[0]
    misnamed = describe_misnamed(first)
    named = join_names(describe_affected(each) for each in uses)
    services = join_names(short_name(each.service.name) for each in uses)
    summary = misnamed or (
        f"private hosted zone {zone.id} ({zone.name}) has no record for {named}, so clients in "
        f"{vpc.snapshot.vpc.id} cannot resolve the names of {services}"
    )
    found = build_failure(vpc, first, zone.id, summary)
    facts = {fact.text: fact for fact in found.evidence}
    for each in uses[1:]:
        facts |= {fact.text: fact for fact in build_failure(vpc, each, zone.id, "").evidence}
    return replace(found, evidence=tuple(facts.values()), concerns=found.concerns | concerns)


def _dangling_records(vpc: VpcContext) -> Iterator[RuleResult]:
    if vpc.shared is None:
        return
    lacking = list_lacking(vpc)
    for zone, uses in _list_associated_zones(vpc, vpc.shared):
        named = sorted(list_named(zone).endpoint_ids)
        lost = [each for each in named if find_endpoint(each, vpc.snapshot, vpc.shared) is None]
        concerns = frozenset({zone.id, *named})
        if not lost:
            if named:
                summary = (
                    f"the records of private hosted zone {zone.id} point to existing endpoints"
                )
                yield passed(zone.id, summary, concerns=concerns)
            continue
        if uses and all(each.service.name in lacking for each in uses):
            yield not_applicable(zone.id, f"{zone.id}: {REPORTED}", concerns=concerns)
        elif any(each.deciding for each in uses) and find_listing_doubt(vpc.shared, zone):
            summary = f"{zone.id} points to {join_names(lost)}, in no VPC that was read"
            yield not_applicable(zone.id, summary, concerns=concerns)
        elif doubt := find_listing_doubt(vpc.shared, zone):
            summary = f"{zone.id} points to {join_names(lost)}, in no VPC that was read: {doubt}"
            yield undecided(zone.id, summary, concerns=concerns)
        else:
            yield _fail_dangling(vpc, zone, (uses, lost), concerns)


def _list_associated_zones(
    vpc: VpcContext, shared: SharedNetwork
) -> Iterator[tuple[HostedZone, list[CentralUse]]]:
    """List the zones that a VPC is associated with, with the services that they are meant for."""
    meant = {zone.id: uses for zone, uses in _list_zones(vpc)}
    known = shared.vpcs.get(vpc.snapshot.vpc.id)
    ids, _ = list_associated(shared, known) if known else (set[str](), set[str]())
    for zone_id in sorted(ids & shared.zones.keys()):
        yield shared.zones[zone_id], meant.get(zone_id, [])


def find_listing_doubt(shared: SharedNetwork, zone: HostedZone) -> str:
    """Find why an endpoint that a zone names may exist although no VPC that was read has it.

    The account of the zone must have been read, with every VPC in it that could be central.
    """
    if zone.owner not in shared.accounts:
        return f"account {zone.owner or 'of the zone'} is not monitored"
    for each in shared.unread:
        if each.facet is SharedFacet.CENTRAL_VPC and each.account == zone.owner:
            return f"{each.subject or each.account} was not evaluated ({each.why})"
    central = [it for it in shared.central_vpcs.values() if it.scope.account == zone.owner]
    for known in central:
        if why := known.unreadable.get(Facet.ENDPOINTS):
            return f"the endpoints of {known.vpc.id} could not be read ({why})"
    if not central:
        return f"no VPC with endpoints of account {zone.owner} was evaluated yet"
    return ""


def _fail_dangling(
    vpc: VpcContext,
    zone: HostedZone,
    found: tuple[list[CentralUse], list[str]],
    concerns: frozenset[str],
) -> RuleResult:
    uses, lost = found
    records = [
        each
        for each in zone.records or ()
        if any(name in target for name in lost for target in (each.alias, *each.values))
    ]
    names = join_names(dict.fromkeys(each.name for each in records))
    return failed(
        resource=zone.id,
        summary=f"private hosted zone {zone.id} points {names} to {join_names(lost)}, which does "
        f"not exist: clients in {vpc.snapshot.vpc.id} cannot connect",
        evidence=tuple(
            Evidence(
                f"Record {each.name} ({each.type}) of {zone.id} points to "
                f"{each.alias or join_names(each.values)}.",
                {
                    "zone": zone.id,
                    "account": zone.owner,
                    "name": each.name,
                    "type": each.type,
                    "target": each.alias or ", ".join(each.values),
                },
            )
            for each in records
        ),
        propose=lambda: _point_elsewhere(vpc, uses),
        concerns=concerns | {vpc.snapshot.vpc.id},
        root=f"private hosted zone {zone.id} points to deleted endpoints",
    )


def _point_elsewhere(vpc: VpcContext, uses: Iterable[CentralUse]) -> tuple[Remediation, ...]:
    """Propose to lead the names to another endpoint, then a sentence."""
    # Few findings need it, and it needs the edits.
    from posture.rules.remediation.central import propose_central  # noqa: PLC0415

    return (
        *(found for use in uses if use.deciding for found in propose_central(vpc, use)),
        Remediation("Point the records to an endpoint that exists, or delete them with the zone."),
    )


_rule = partial(
    Rule,
    family=Family.CENTRAL,
    reads=NEEDED | {Facet.DNS_ATTRIBUTES},
)
RULES: tuple[Rule[VpcContext], ...] = (
    _rule(
        id="hosted-zone-without-record",
        title="Private hosted zone lacks a record",
        requirement="Zones that cover names of a service have a record for each of its names",
        severity=Severity.HIGH,
        rationale=(
            "A name that a private hosted zone covers and lacks does not resolve: neither broader "
            "zones nor public DNS are tried. Services with names below their own one, such as "
            "Amazon ECR, need a record for the name and a wildcard. A zone that is named after the "
            "service (ecr.api) instead of its DNS name (api.ecr) covers no name that clients use, "
            "and they reach the public endpoint. A required service without an endpoint in the VPC "
            "is reported by required-service-without-endpoint instead."
        ),
        remediation="Add the record to the zone, as an alias of the endpoint.",
        evaluate=_missing_records,
        references=(ZONES, WHITEPAPER),
    ),
    _rule(
        id="hosted-zone-record-dangling",
        title="Zone record points to a deleted endpoint",
        requirement="Records of private hosted zones point to endpoints that exist",
        severity=Severity.HIGH,
        rationale=(
            "Clients that resolve the name get no address, or one that another resource may get, "
            "which then receives their requests. The rule fails if the account of the zone was "
            "read and has no such endpoint; otherwise the result is unknown."
        ),
        remediation="Point the record to an endpoint that exists, or delete it.",
        evaluate=_dangling_records,
        references=(TAKEOVER, ZONES),
    ),
)
