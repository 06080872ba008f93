"""Reads private hosted zones, their records, and the VPCs that use them.

An account's own zones come with their VPCs in all accounts. Zones of owners that are not watched
are found by ListHostedZonesByVPC, one request for each VPC: of a new VPC and of one that a
change names at once, of the others once a day.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from zlib import crc32

from posture.model.shared_network import (
    DnsRecord,
    HostedZone,
    SharedFacet,
    SharedNetwork,
    SharedVpc,
)
from posture.organization.parse.fields import Row, get_text, list_members
from posture.organization.parse.vpcs import parse_shared_vpc
from posture.organization.parse.zones import (
    Relevance,
    list_targets,
    parse_record,
    parse_zone,
    parse_zone_of_vpc,
    parse_zone_vpc,
)
from posture.organization.reader import Reader

HOUR = 3600  # seconds
HOURS = 24  # in which every VPC is asked once
MAX_VPCS = 2000  # that one survey asks in one account: four minutes at the rate of Route 53
NOT_ASKED = "this survey asked for the zones of as many VPCs as it may; the next one goes on"


def read_zones(reader: Reader, changed: Collection[str] = ()) -> SharedNetwork:
    """Read the zones of an account, and its VPCs.

    Args:
        reader: Reads in the account.
        changed: VPCs that a change names.
    """
    vpcs = _read_vpcs(reader)
    listed = {each.id: each for each in _list_zones(reader)}
    found = _find_other_zones(reader, vpcs, changed)
    others = {each.id: each for _, each in found}
    names = _read_service_names(reader, [*listed.values(), *others.values()])
    zones, uses = _read_used_zones(reader, listed, names)
    relevance = Relevance(names or ())
    others = {
        name: zone for name, zone in others.items() if names is None or relevance.covers(zone.name)
    }
    other_uses = [(vpc_id, zone.id) for vpc_id, zone in found if zone.id in others]
    merged: dict[str, set[str]] = {}
    for vpc_id, zone_id in (*uses, *other_uses):
        merged.setdefault(vpc_id, set()).add(zone_id)
    for vpc_id, zone_ids in merged.items():
        # The VPC of another account, of which only the association is known here.
        known = vpcs.get(vpc_id) or SharedVpc(vpc_id, "", reader.region)
        vpcs[vpc_id] = replace(known, zone_ids=tuple(sorted(zone_ids)))
    return SharedNetwork(
        region=reader.region, observed_at=reader.now, vpcs=vpcs, zones={**others, **zones}
    )


def _read_vpcs(reader: Reader) -> dict[str, SharedVpc]:
    """Read the VPCs of the account; those that another watched account shares are read there."""
    rows = reader.read_rows(SharedFacet.VPCS, "Vpcs")
    parsed = reader.parse_rows(
        SharedFacet.VPCS, rows, lambda row: parse_shared_vpc(row, reader.account, reader.region)
    )
    return {each.id: each for each in parsed if not reader.watches(each.account)}


def _read_service_names(reader: Reader, zones: Iterable[HostedZone]) -> frozenset[str] | None:
    """Read the private DNS names of all endpoint services; None if they could not be read.

    Those of AWS are known to end in a few names. Others are asked for, half a megabyte, if a zone
    of another name may hold them.
    """
    if all(Relevance(()).contains(each.name) for each in zones):
        return frozenset()
    rows = reader.read_rows(SharedFacet.SERVICE_NAMES, "ServiceDetails")
    if rows is None:
        return None
    named = reader.parse_rows(
        SharedFacet.SERVICE_NAMES,
        rows,
        lambda row: [
            get_text(each, "PrivateDnsName").lower()
            for each in list_members(row, "PrivateDnsNames")
        ],
    )
    return frozenset(name for names in named for name in names)


def _list_zones(reader: Reader) -> Iterable[HostedZone]:
    rows = reader.read_rows(SharedFacet.ZONES, "HostedZones", HostedZoneType="PrivateHostedZone")
    knows = rows is not None and _knows_fallback(reader)
    return reader.parse_rows(
        SharedFacet.ZONES,
        rows,
        lambda row: (
            parse_zone(row, reader.account, knows_fallback=knows) if _is_private(row) else None
        ),
    )


def _is_private(row: Row) -> bool:
    return bool((row.get("Config") or {}).get("PrivateZone", True))


def _knows_fallback(reader: Reader) -> bool:
    """Return whether botocore's model has the member for public DNS fallback of a zone."""
    model = reader.clients.get("route53").meta.service_model
    return "PublicDNSFallbackStatus" in model.shape_for("HostedZoneFeatures").members


def _read_used_zones(
    reader: Reader, listed: dict[str, HostedZone], names: frozenset[str] | None
) -> tuple[dict[str, HostedZone], list[tuple[str, str]]]:
    """Read the zones that can decide the name of a service, and those that their records lead to.

    The others are kept without their records. If the names are not known, every zone is read.
    """
    every: dict[str, tuple[DnsRecord, ...] | None] = {}
    uses: list[tuple[str, str]] = []
    wanted = set(names or ())
    while True:
        relevance = Relevance(wanted)
        chosen = sorted(
            zone_id
            for zone_id, zone in listed.items()
            if zone_id not in every and (names is None or relevance.covers(zone.name))
        )
        for zone_id in chosen:
            uses += ((vpc_id, zone_id) for vpc_id in _read_vpcs_of_zone(reader, zone_id))
            every[zone_id] = _read_records(reader, zone_id)
        selected = {
            zone_id: records
            if records is None or names is None
            else relevance.select_records(listed[zone_id].name, records)
            for zone_id, records in every.items()
        }
        targets = {name for records in selected.values() for name in list_targets(records or ())}
        if targets <= wanted:
            zones = {each: replace(listed[each], records=selected[each]) for each in selected}
            return {**listed, **zones}, uses
        wanted |= targets


def _read_vpcs_of_zone(reader: Reader, zone_id: str) -> Iterable[str]:
    """Read the VPCs of this Region that a zone is associated with, those of others included."""
    facet = SharedFacet.ZONE
    pages = reader.read_pages(facet, "HostedZone", zone_id, Id=zone_id)
    rows = (row for page in pages or () for row in page.get("VPCs") or ())
    return reader.parse_rows(facet, rows, lambda row: parse_zone_vpc(row, reader.region))


def _read_records(reader: Reader, zone_id: str) -> tuple[DnsRecord, ...] | None:
    """Read the records of a zone; None if one of them is missing, since it could be any."""
    facet, before = SharedFacet.RECORDS, len(reader.unread)
    rows = reader.read_rows(facet, "ResourceRecordSets", zone_id, HostedZoneId=zone_id)
    records = tuple(reader.parse_rows(facet, rows, parse_record, zone_id))
    return records if len(reader.unread) == before else None


def _find_other_zones(
    reader: Reader, vpcs: Mapping[str, SharedVpc], changed: Collection[str]
) -> list[tuple[str, HostedZone]]:
    """Find the zones of owners that are not watched, each with a VPC that it is associated with.

    What is not asked now is taken from the former survey.
    """
    former = reader.former or SharedNetwork(reader.region, reader.now)
    own = [each.id for each in vpcs.values() if each.account == reader.account]
    others: list[tuple[str, HostedZone]] = []
    asked, left = choose_vpcs(own, _find_known(reader), changed, list_hours(reader))
    for vpc_id in (*asked, *sorted(set(own) - set(asked))):
        found: Iterable[HostedZone] | None = None
        if vpc_id in asked and not _is_denied(reader):
            found = _read_zones_of_vpc(reader, vpc_id)
        if found is None:
            known = former.vpcs.get(vpc_id)
            ids = known.zone_ids if known else ()
            found = [former.zones[each] for each in ids if each in former.zones]
        others += ((vpc_id, it) for it in found if it.owner not in reader.accounts)
    for vpc_id in left:
        reader.miss(SharedFacet.ZONES_OF_VPC, NOT_ASKED, vpc_id)
    return others


def _read_zones_of_vpc(reader: Reader, vpc_id: str) -> Iterable[HostedZone] | None:
    """Read the zones of a VPC, of all owners; None if the account may not."""
    facet = SharedFacet.ZONES_OF_VPC
    rows = reader.read_rows(facet, "HostedZoneSummaries", VPCId=vpc_id, VPCRegion=reader.region)
    if rows is None:
        return None
    return list(reader.parse_rows(facet, rows, parse_zone_of_vpc, vpc_id))


def _is_denied(reader: Reader) -> bool:
    """Return whether the zones of a VPC were denied: then they are of every other VPC."""
    return any(
        each.facet is SharedFacet.ZONES_OF_VPC and not each.subject for each in reader.unread
    )


def _find_known(reader: Reader) -> frozenset[str]:
    """Find the VPCs of the account whose zones an earlier survey listed."""
    if reader.former is None or reader.read_at is None:
        return frozenset()
    unread = {
        each.subject
        for each in reader.former.unread
        if each.facet is SharedFacet.ZONES_OF_VPC and each.account == reader.account
    }
    return frozenset(
        each.id
        for each in reader.former.vpcs.values()
        if each.account == reader.account and "" not in unread and each.id not in unread
    )


def list_hours(reader: Reader) -> frozenset[int]:
    """List the hours of the day that began since the account's zones were last read."""
    now = int(reader.now.timestamp()) // HOUR
    last = int(reader.read_at.timestamp()) // HOUR if reader.read_at else now - HOURS
    return frozenset(hour % HOURS for hour in range(max(last, now - HOURS) + 1, now + 1))


def choose_vpcs(
    own: Collection[str], known: Collection[str], changed: Collection[str], hours: Collection[int]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Choose the VPCs whose zones are listed now: the changed, the new, and those of some hours.

    Each VPC has its hour, so that all have their turn in a day. Of more than `MAX_VPCS`, those are
    left that have no former answer, and others have their turn in a day.

    Returns:
        The chosen ones, and those that are still to be asked.
    """
    due = [
        each
        for each in sorted(own, key=lambda it: (it not in changed, it in known, it))
        if each in changed or each not in known or crc32(each.encode()) % HOURS in hours
    ]
    left = [each for each in due[MAX_VPCS:] if each not in known]
    return tuple(due[:MAX_VPCS]), tuple(left)
