"""Parses private hosted zones and their records.

https://docs.aws.amazon.com/Route53/latest/APIReference/API_Operations_Amazon_Route_53.html
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from posture.model.shared_network import DnsRecord, HostedZone
from posture.organization.parse.fields import (
    Row,
    get_domain_name,
    get_row,
    get_text,
    list_members,
    normalize_name,
)

# The members of a record that has a routing policy, and its name.
# https://docs.aws.amazon.com/Route53/latest/APIReference/API_ResourceRecordSet.html
POLICIES = {
    "Weight": "weighted",
    "Failover": "failover",
    "Region": "latency",
    "GeoLocation": "geolocation",
    "GeoProximityLocation": "geoproximity",
    "MultiValueAnswer": "multivalue",
    "CidrRoutingConfig": "IP-based",
}
WITH_VALUES = frozenset({"A", "AAAA", "CNAME"})
FALLBACK = {"ENABLED": True, "DISABLED": False}  # ENABLING and DISABLING: it is not known where
# Every name of an AWS service is at or below one of these.
# https://docs.aws.amazon.com/vpc/latest/privatelink/aws-services-privatelink-support.html
AWS_SUFFIXES = (
    "amazonaws.com",
    "amazonaws.com.cn",
    "amazonaws.eu",
    "aws",
    "amazonwebservices.com.cn",
    "amazonwebservices.eu",
    "aws.dev",
)

Labels = tuple[str, ...]  # of a name, the last one first


def parse_zone(row: Row, owner: str, *, knows_fallback: bool) -> HostedZone:
    """Parse a zone of ListHostedZones, without its records.

    A zone has no public DNS fallback unless it is switched on. A botocore that does not know the
    member drops it from the response: then `knows_fallback` is false, and so it is not known.
    https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/hosted-zone-private-public-dns-fallback.html
    """
    status = get_text(get_row(row, "Features"), "PublicDNSFallbackStatus", "DISABLED")
    return HostedZone(
        id=parse_zone_id(get_text(row, "Id")),
        name=get_domain_name(row, "Name"),
        owner=owner,
        records=None,
        public_fallback=FALLBACK.get(status) if knows_fallback else None,
    )


def parse_zone_of_vpc(row: Row) -> HostedZone | None:
    """Parse a zone of ListHostedZonesByVPC, of which no more is known.

    None if an AWS service owns it, such as those of endpoints with private DNS: they follow from
    the endpoints themselves.
    """
    owner = get_row(row, "Owner")
    if get_text(owner, "OwningService", ""):
        return None
    return HostedZone(
        id=parse_zone_id(get_text(row, "HostedZoneId")),
        name=get_domain_name(row, "Name"),
        owner=get_text(owner, "OwningAccount", ""),
        records=None,
        public_fallback=None,
    )


def parse_zone_id(text: str) -> str:
    """Parse the id of a zone, which some responses write as `/hostedzone/Z…`."""
    return text.rsplit("/", 1)[-1]


def parse_zone_vpc(row: Row, region: str) -> str | None:
    """Parse the id of a VPC that a zone is associated with; None if it is in another Region."""
    return get_text(row, "VPCId") if get_text(row, "VPCRegion") == region else None


def parse_record(row: Row) -> DnsRecord:
    """Parse a record. Values of types that lead to no address are left out."""
    kind = get_text(row, "Type")
    alias = get_row(row, "AliasTarget")
    values = (get_text(each, "Value") for each in list_members(row, "ResourceRecords"))
    return DnsRecord(
        name=get_domain_name(row, "Name"),
        type=kind,
        values=_parse_values(kind, values) if kind in WITH_VALUES else (),
        alias=get_domain_name(alias, "DNSName") if alias else "",
        policy=next((policy for member, policy in POLICIES.items() if row.get(member)), "")
        or ("weighted" if row.get("Weight") == 0 else ""),
    )


def _parse_values(kind: str, values: Iterable[str]) -> tuple[str, ...]:
    named = (normalize_name(each) if kind == "CNAME" else each.strip() for each in values)
    return tuple(sorted(named))


def list_targets(records: Iterable[DnsRecord]) -> frozenset[str]:
    """List the names that records lead to, which other zones may answer."""
    named = (
        name
        for each in records
        for name in ((each.alias,) if each.alias else each.values if each.type == "CNAME" else ())
    )
    return frozenset(named)


class Relevance:
    """Which zones and records can decide what the names of endpoint services lead to.

    Args:
        names: Private DNS names of endpoint services, and names that records lead to.
    """

    def __init__(self, names: Collection[str]) -> None:
        every = {*names, *AWS_SUFFIXES}
        self._names = sorted({_split(each.removeprefix("*.")) for each in every})

    def covers(self, zone: str) -> bool:
        """Return whether a zone is above, at or below one of the names."""
        labels = _split(zone)
        return any(_begins(each, labels) or _begins(labels, each) for each in self._names)

    def contains(self, zone: str) -> bool:
        """Return whether a zone is at or below one of the names."""
        labels = _split(zone)
        return any(_begins(labels, each) for each in self._names)

    def select_records(self, zone: str, records: Iterable[DnsRecord]) -> tuple[DnsRecord, ...]:
        """Select the records of a zone that can decide a name, sorted.

        They are at the zone's own name, or share a label below it with one of the names: such a
        record can also keep a wildcard from answering. Of a zone at or below a name that is all.
        """
        top = _split(zone)
        whole = any(_begins(top, each) for each in self._names)
        first = {each[len(top)] for each in self._names if _begins(each, top) and each != top}
        chosen = (
            each
            for each in records
            if whole or not (below := _split(each.name)[len(top) :]) or below[0] in {"*", *first}
        )
        return tuple(
            sorted(chosen, key=lambda it: (it.name, it.type, it.policy, it.alias, it.values))
        )


def _split(name: str) -> Labels:
    return tuple(reversed(name.split("."))) if name else ()


def _begins(labels: Labels, start: Labels) -> bool:
    return labels[: len(start)] == start
