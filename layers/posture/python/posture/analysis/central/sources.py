"""Find the zones, rules and Profiles of a VPC that are meant for the names of services.

They show which services a VPC is to reach by central endpoints, whether or not it does. A zone is
meant for the services whose endpoints its records name, and for those whose names it covers, unless
it covers all names of a Region.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from posture.analysis.central.known_endpoints import find_endpoint, find_holders
from posture.analysis.central.match_index import list_matches
from posture.analysis.central.matches import Match, list_first
from posture.analysis.central.network_index import list_named
from posture.analysis.central.private_names import DOMAINS_OF_AWS, list_s3_names
from posture.analysis.central.records import matches
from posture.analysis.identity import cache_by_identity
from posture.lean_dataclass import dataclass
from posture.model.network import EndpointType, Service, Snapshot
from posture.model.service_names import REGION, find_region, short_name
from posture.model.shared_network import HostedZone, RuleKind, SharedNetwork


@dataclass(frozen=True, slots=True)
class Source:
    """A zone, a Resolver rule or an endpoint of a Profile, and the domain that it covers.

    Attributes:
        profile_id: The Profile that brings it, "" if the VPC itself is associated.
        misnamed: Whether it is a zone with records for an endpoint of a service of AWS whose
            clients ask for no name in its domain.
        overruled_by: The id of what is associated with the VPC for the same domain and goes first.
    """

    id: str
    account: str
    domain: str
    profile_id: str = ""
    misnamed: bool = False
    overruled_by: str = ""


def list_sources(snapshot: Snapshot, shared: SharedNetwork) -> Mapping[str, tuple[Source, ...]]:
    """List what is meant for the names of each service in a VPC, by the name of the service."""
    found: dict[str, list[Source]] = defaultdict(list)
    index = _index_domains(snapshot.services)
    listed = _mark_overruled(list(_list_all(snapshot, shared)), snapshot, shared)
    for source in listed:
        covered = set(index.get(source.domain, ()))
        zone = shared.zones.get(source.id)
        for name in _list_named_services(zone, snapshot, shared) if zone else ():
            service = snapshot.services.get(name)
            if service is None or name in covered or not (names := _list_names(service)):
                continue
            wrong = not any(_concerns(each, source.domain) for each in names)
            if not wrong or source.domain.endswith(DOMAINS_OF_AWS):
                found[name].append(replace(source, misnamed=wrong))
        for name in covered:
            found[name].append(source)
    return {name: tuple(some) for name, some in found.items()}


def _list_all(snapshot: Snapshot, shared: SharedNetwork) -> Iterator[Source]:
    """List the zones and forwarding rules of a VPC, and the endpoints of its Profiles."""
    vpc = shared.vpcs.get(snapshot.vpc.id)
    if vpc is None:
        return
    profiles = [shared.profiles[each.profile_id] for each in vpc.profiles
                if each.profile_id in shared.profiles]  # fmt: skip
    for profile_id, zone_ids, rule_ids in (
        ("", vpc.zone_ids, vpc.rule_ids),
        *((each.id, each.zone_ids, each.rule_ids) for each in profiles),
    ):
        for zone in (shared.zones[each] for each in zone_ids if each in shared.zones):
            yield Source(zone.id, zone.owner, zone.name, profile_id)
        for rule in (shared.rules[each] for each in rule_ids if each in shared.rules):
            if rule.kind is RuleKind.FORWARD and rule.name:
                yield Source(rule.id, rule.owner, rule.name, profile_id)
    for profile in profiles:
        for endpoint_id in profile.endpoint_ids:
            known = find_endpoint(endpoint_id, snapshot, shared)
            service = snapshot.services.get(known.endpoint.service_name) if known else None
            for name in _list_names(service) if known and service else ():
                domain = name.removeprefix("*.")
                yield Source(endpoint_id, known.account if known else "", domain, profile.id)


def _mark_overruled(
    listed: Iterable[Source], snapshot: Snapshot, shared: SharedNetwork
) -> Iterator[Source]:
    """Mark the sources of one domain that another one of the VPC goes before."""
    by_domain: dict[str, dict[str, Source]] = defaultdict(dict)
    for each in listed:
        by_domain[each.domain].setdefault(each.id, each)
    for domain, sources in by_domain.items():
        first = _find_first(domain, snapshot, shared) if len(sources) > 1 else None
        for each in sources.values():
            beaten = first is not None and first.subject in sources and first.subject != each.id
            yield replace(each, overruled_by=first.subject) if first and beaten else each


def _find_first(domain: str, snapshot: Snapshot, shared: SharedNetwork) -> Match | None:
    """Find what decides the name of a domain; None where that is not certain."""
    found = list_matches(domain, snapshot, snapshot, shared, zones=True, inbound=False).found
    first = list_first(found)
    return first[0][0] if len(first) == 1 and len(first[0]) == 1 else None


def _list_named_services(
    zone: HostedZone, snapshot: Snapshot, shared: SharedNetwork
) -> frozenset[str]:
    """Return the names of the services whose endpoints the records of a zone name."""
    named = list_named(zone)
    known = [find_endpoint(each, snapshot, shared) for each in named.endpoint_ids]
    held = (it for each in named.addresses for it in find_holders(each, snapshot, shared))
    return frozenset(each.endpoint.service_name for each in (*known, *held) if each)


def _list_names(service: Service) -> tuple[str, ...]:
    """List the private DNS names of a service, or the public one of one with gateway endpoints."""
    region, short = find_region(service.name), short_name(service.name)
    if region and service.name == f"com.amazonaws.{region}.s3":
        return (*service.private_dns_names, *list_s3_names(region))
    if service.private_dns_names or EndpointType.GATEWAY not in service.types or region is None:
        return service.private_dns_names
    return (f"{short}.{region}.amazonaws.com",)


def _concerns(name: str, domain: str) -> bool:
    """Return whether a zone of a domain covers a name, or the name is above it."""
    base = name.removeprefix("*.")
    return matches(base, domain) or matches(domain, base)


@cache_by_identity(maxsize=64)
def _index_domains(services: Mapping[str, Service]) -> Mapping[str, frozenset[str]]:
    """Index services by the domains that cover one of their private DNS names.

    The domains of a whole Region, and those above, are meant for no service.
    """
    found: dict[str, set[str]] = defaultdict(set)
    for service in services.values():
        for name in _list_names(service):
            domain = name.lower().rstrip(".").removeprefix("*.")
            while "." in domain and not REGION.fullmatch(domain.partition(".")[0]):
                if f".{domain}" in DOMAINS_OF_AWS:
                    break
                found[domain].add(service.name)
                domain = domain.partition(".")[2]
    return {domain: frozenset(names) for domain, names in found.items()}
