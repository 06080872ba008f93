"""Edits of records and hosted zones that lead the names of a service to a central endpoint."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from posture.analysis.central.known_endpoints import KnownEndpoint
from posture.analysis.endpoint_dns import list_ip_versions
from posture.edits.edit import Edit
from posture.edits.operations.endpoints import DescribeVpcEndpoints
from posture.edits.shared_edit import (
    AliasTarget,
    AssociateVPCWithHostedZone,
    ChangeBatch,
    ChangeResourceRecordSets,
    CreateHostedZone,
    CreateVPCAssociationAuthorization,
    HostedVpc,
    HostedZoneConfig,
    RecordChange,
    ResourceRecord,
    ResourceRecordSet,
)
from posture.model.shared_network import HostedZone, SharedVpc
from posture.rules.remediation.central_known import KnownNames
from posture.rules.remediation.central_problem import Plan

NEW_ZONE = "Z-new-{}"
DNS_ZONE = "dns-zone-new-1"
TTL = 300  # seconds of a CNAME
RECORD_TYPES = {4: "A", 6: "AAAA"}


def associate_zone(own: SharedVpc, zone_id: str, owner: str) -> Iterator[Edit]:
    """Associate a VPC with a zone, in two steps if the zone is another account's.

    https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/hosted-zone-private-associate-vpcs-different-accounts.html
    """
    vpc = HostedVpc(vpc_region=own.region, vpc_id=own.id)
    if owner != own.account:
        yield CreateVPCAssociationAuthorization(hosted_zone_id=zone_id, vpc=vpc)
    yield AssociateVPCWithHostedZone(hosted_zone_id=zone_id, vpc=vpc)


def list_record_edits(names: KnownNames, *, exact: bool) -> Iterator[Plan]:
    """List the records that the zones lack by which the names are resolved now.

    Args:
        names: The names.
        exact: Whether the zones are named as the names are, so that they are meant for them.
    """
    by_zone: dict[str, list[str]] = {}
    for answer in names.broken:
        zone = names.find_zone(answer)
        if zone and (zone.name == answer.name.removeprefix("*.")) is exact:
            by_zone.setdefault(zone.id, []).append(answer.name)
    for endpoint in names.endpoints if by_zone else ():
        edits = [
            _change_records(names.shared.zones[zone_id], listed, endpoint)
            for zone_id, listed in by_zone.items()
        ]
        yield (_look_up(endpoint), *edits)


def _change_records(zone: HostedZone, names: Sequence[str], endpoint: KnownEndpoint) -> Edit:
    present = {(each.name, each.type) for each in zone.records or ()}
    sets = [
        record
        for name in names
        for record in _build_records(
            name, endpoint, is_cname=(name, "CNAME") in present and name != zone.name
        )
    ]
    return _upsert(zone.id, sets)


def list_zone_edits(names: KnownNames) -> Iterator[Plan]:
    """List a new zone for each domain of the names, named as clients ask for it.

    It belongs where the other zones of the VPC do: to the account of the endpoint, or else to the
    account of the VPC.
    """
    domains = dict.fromkeys(each.name.removeprefix("*.") for each in names.broken)
    owners = Counter(each.owner for each in names.own_zones)
    for endpoint in names.endpoints[:1]:
        there = names.shared.vpcs.get(endpoint.snapshot.vpc.id)
        places = [names.own]
        if there and there.account != names.own.account:
            places.append(there)
        for place in sorted(places, key=lambda each: -owners[each.account]):
            edits: list[Edit] = [_look_up(endpoint)]
            for number, domain in enumerate(domains, start=1):
                zone_id = NEW_ZONE.format(number)
                edits += _create_zone(names, domain, zone_id, place, endpoint)
            yield tuple(edits)


def _create_zone(
    names: KnownNames, domain: str, zone_id: str, place: SharedVpc, endpoint: KnownEndpoint
) -> Iterator[Edit]:
    """Create a zone with records for all names of the service in its domain."""
    yield CreateHostedZone(
        name=domain,
        caller_reference=f"{domain}-{place.id}",
        vpc=HostedVpc(vpc_region=place.region, vpc_id=place.id),
        hosted_zone_config=HostedZoneConfig(private_zone=True),
    )
    listed = [each for each in names.names if each.removeprefix("*.") == domain]
    sets = [record for name in listed for record in _build_records(name, endpoint)]
    yield _upsert(zone_id, sets)
    if place.id != names.own.id:
        yield from associate_zone(names.own, zone_id, place.account)


def _look_up(endpoint: KnownEndpoint) -> Edit:
    return DescribeVpcEndpoints(vpc_endpoint_ids=(endpoint.endpoint.id,))


def _upsert(zone_id: str, sets: Iterable[ResourceRecordSet]) -> Edit:
    changes = tuple(RecordChange(action="UPSERT", resource_record_set=each) for each in sets)
    return ChangeResourceRecordSets(
        hosted_zone_id=zone_id, change_batch=ChangeBatch(changes=changes)
    )


def _build_records(
    name: str, endpoint: KnownEndpoint, *, is_cname: bool = False
) -> Iterator[ResourceRecordSet]:
    """Build the alias records of a name, or the CNAME that takes the place of one.

    A CNAME allows no other record of its name, and cannot be deleted without its present TTL.
    """
    target = endpoint.endpoint.dns_names[0] if endpoint.endpoint.dns_names else ""
    target = target.removeprefix("*.")  # the names of S3's endpoints begin with a wildcard
    if is_cname:
        yield ResourceRecordSet(
            name=name, type="CNAME", ttl=TTL, resource_records=(ResourceRecord(value=target),)
        )
        return
    for version in sorted(set(list_ip_versions(endpoint.endpoint))):
        yield ResourceRecordSet(
            name=name,
            type=RECORD_TYPES[version],
            alias_target=AliasTarget(
                hosted_zone_id=DNS_ZONE, dns_name=target, evaluate_target_health=False
            ),
        )
