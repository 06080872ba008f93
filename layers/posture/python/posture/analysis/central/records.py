"""Look a name up in the records of a private hosted zone, as Route 53 does.

https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DomainNameFormat.html#domain-name-format-asterisk
https://www.rfc-editor.org/rfc/rfc4592 (wildcards)
"""

from __future__ import annotations

from collections.abc import Mapping

from posture.analysis.identity import cache_by_identity
from posture.lean_dataclass import dataclass
from posture.model.network import Endpoint
from posture.model.shared_network import DnsRecord, HostedZone

ADDRESS_TYPES = {"A": 4, "AAAA": 6}
# Stands for any label below a wildcard that has no records of its own; no service uses it.
ANY_LABEL = "_any"


@dataclass(frozen=True, slots=True)
class Lookup:
    """What a zone has for a name.

    `records` are those of all types; there are none if the name exists only because a name below it
    does. A name that does not `exist` is an NXDOMAIN.
    """

    exists: bool
    records: tuple[DnsRecord, ...] = ()

    def list_of(self, *types: str) -> tuple[DnsRecord, ...]:
        """List the records of these types."""
        return tuple(each for each in self.records if each.type in types)


def matches(name: str, domain: str) -> bool:
    """Return whether a zone or rule of this domain covers a name; "" covers all names."""
    return not domain or name == domain or name.endswith(f".{domain}")


def get_query(name: str) -> str:
    """Return the name to ask for: any name below a wildcard, or the name itself."""
    return f"{ANY_LABEL}.{name[2:]}" if name.startswith("*.") else name


def get_domain(query: str) -> str:
    """Return the name that a query asks for, without the label that stands for any."""
    return query.removeprefix(f"{ANY_LABEL}.")


def count_labels(domain: str) -> int:
    """Count the labels of a domain; "" has none."""
    return domain.count(".") + 1 if domain else 0


def look_up(zone: HostedZone, name: str) -> Lookup:
    """Look up a name that the zone covers, among records that could be read.

    A name without records of its own is answered by the wildcard below its closest ancestor that
    exists, even if that ancestor has no records; no other wildcard is tried.
    """
    owners = _index_records(zone.records or ())
    if name in owners:
        return Lookup(exists=True, records=owners[name])
    if name == zone.name:  # every zone has the records NS and SOA
        return Lookup(exists=True)
    encloser = name
    while encloser != zone.name and encloser not in owners:
        encloser = encloser.partition(".")[2]
    wildcard = owners.get(f"*.{encloser}")
    return Lookup(exists=False) if wildcard is None else Lookup(exists=True, records=wildcard)


def find_delegation(zone: HostedZone, name: str) -> str:
    """Find the name below the zone's own at which NS records delegate a name; "" for none."""
    owners = _index_records(zone.records or ())
    while name != zone.name:
        if any(each.type == "NS" for each in owners.get(name, ())):
            return name
        name = name.partition(".")[2]
    return ""


@cache_by_identity(maxsize=4096)
def _index_records(records: tuple[DnsRecord, ...]) -> Mapping[str, tuple[DnsRecord, ...]]:
    """Index records by name, with an entry for each name that exists only by one below it."""
    found: dict[str, list[DnsRecord]] = {}
    for record in records:
        found.setdefault(record.name, []).append(record)
    for name in tuple(found):
        ancestor = name.partition(".")[2]
        while ancestor and ancestor not in found:
            found[ancestor] = []
            ancestor = ancestor.partition(".")[2]
    return {name: tuple(listed) for name, listed in found.items()}


def build_managed_zones(
    endpoint: Endpoint, names: tuple[str, ...], owner: str
) -> tuple[HostedZone, ...]:
    """Build the zones that AWS manages for an endpoint's private DNS names.

    https://docs.aws.amazon.com/vpc/latest/privatelink/interface-endpoints.html#dns-name-resolution
    """
    domains = dict.fromkeys(each.removeprefix("*.") for each in names)
    return tuple(
        HostedZone(
            endpoint.id,
            domain,
            owner,
            tuple(
                DnsRecord(name, kind, alias=endpoint.id)
                for name in names
                if name.removeprefix("*.") == domain
                for kind in ADDRESS_TYPES
            ),
        )
        for domain in domains
    )
