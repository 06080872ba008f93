"""The names of a service that lead past its central endpoints, and what could lead them there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from posture.analysis.central.answers import NameAnswer, NameOutcome
from posture.analysis.central.known_endpoints import (
    KnownEndpoint,
    find_endpoint,
    get_endpoint_id,
)
from posture.analysis.central.network_index import index_network
from posture.analysis.central.private_names import list_names, list_own_names, split_names
from posture.analysis.central.records import get_query, look_up, matches
from posture.model.shared_network import HostedZone, Profile, RuleKind, SharedNetwork, SharedVpc
from posture.rules.endpoint_lookups import AVAILABLE
from posture.rules.remediation.central_problem import Problem


@dataclass
class KnownNames:
    """The names that lead elsewhere, and the facts of the shared network that concern them."""

    problem: Problem
    shared: SharedNetwork
    own: SharedVpc

    @cached_property
    def broken(self) -> tuple[NameAnswer, ...]:
        """The names to mend: those of clients by default, or else those that clients opt for."""
        default, opted = split_names(self.problem.use.service, self.names)
        for wanted in (default, opted):
            if found := tuple(each for each in self.failing if each.name in wanted):
                return found
        return ()

    @cached_property
    def failing(self) -> tuple[NameAnswer, ...]:
        """The names that lead elsewhere, other than that without a Region."""
        answers = self.problem.use.names
        return tuple(
            each
            for each in answers
            if each.outcome is not NameOutcome.ENDPOINT and each.name in self.names
        )

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All names of the service."""
        listed = list_names(self.problem.snapshot, self.problem.use.service)
        own = (name for each in self.endpoints for name in list_own_names(each.endpoint))
        return listed or tuple(dict.fromkeys(own))

    @cached_property
    def endpoints(self) -> tuple[KnownEndpoint, ...]:
        """The available endpoints of the service, those first whose VPC serves other names."""
        vpc, name = self.problem.vpc, self.problem.use.service.name
        index, central = index_network(self.shared), self.shared.central_vpcs
        own = (
            KnownEndpoint(each, vpc.snapshot)
            for each in vpc.analysis.interface_endpoints.get(name, ())
        )
        others = (
            KnownEndpoint(each, central[index.vpc_of_endpoint[each.id]])
            for each in index.interface_endpoints.get(name, ())
        )
        found = [*own, *(each for each in others if each.snapshot.scope != vpc.snapshot.scope)]
        served = vpc.remember(("served VPCs",), self._count_served)
        return tuple(
            sorted(
                (each for each in found if each.endpoint.state == AVAILABLE),
                key=lambda each: -served[each.snapshot.vpc.id],
            )
        )

    def _count_served(self) -> Counter[str]:
        """Count the endpoints of each VPC that the VPC's own zones name."""
        return Counter(
            known.snapshot.vpc.id
            for zone in self.own_zones
            for endpoint_id in _list_targets(zone)
            if (known := find_endpoint(endpoint_id, self.problem.snapshot, self.shared))
        )

    @cached_property
    def own_profiles(self) -> tuple[Profile, ...]:
        """The Profiles of the VPC that are known."""
        ids = (each.profile_id for each in self.own.profiles)
        return tuple(self.shared.profiles[each] for each in ids if each in self.shared.profiles)

    @cached_property
    def own_zones(self) -> tuple[HostedZone, ...]:
        """The zones of the VPC that are known, those of its Profiles too."""
        profiles = (zone_id for each in self.own_profiles for zone_id in each.zone_ids)
        return self._get_zones((*self.own.zone_ids, *profiles))

    @cached_property
    def fitting_zones(self) -> tuple[HostedZone, ...]:
        """The zones that the VPC lacks and that lead names to an endpoint, optional ones too."""
        index = index_network(self.shared)
        covering = {
            zone_id
            for each in self.failing
            for zone_id in index.list_covering_zones(get_query(each.name))
        }
        return tuple(
            zone
            for zone in self._get_zones(sorted(covering.difference(self.own.zone_ids)))
            if any(self._leads(zone, each.name) for each in self.failing)
        )

    @cached_property
    def prefers_zones(self) -> bool:
        """Whether more VPCs use the zones themselves than Profiles, other than the endpoints'."""
        zones = {each.id for each in self.fitting_zones}
        profiles = {key for key, each in self.shared.profiles.items() if self.brings_names(each)}
        hubs = {each.snapshot.vpc.id for each in self.endpoints}
        others = [each for each in self.shared.vpcs.values() if each.id not in hubs]
        direct = sum(not zones.isdisjoint(each.zone_ids) for each in others)
        used = sum(any(it.profile_id in profiles for it in each.profiles) for each in others)
        return direct > used

    def _get_zones(self, ids: Iterable[str]) -> tuple[HostedZone, ...]:
        return tuple(self.shared.zones[each] for each in ids if each in self.shared.zones)

    def _leads(self, zone: HostedZone, name: str) -> bool:
        """Return whether a zone leads a name to an endpoint of the service."""
        query = get_query(name)
        if zone.records is None or not matches(query, zone.name):
            return False
        ids = {each.endpoint.id for each in self.endpoints}
        targets = {
            get_endpoint_id(target)
            for record in look_up(zone, query).records
            for target in (record.alias, *record.values)
        }
        return bool(ids & targets)

    def brings_names(self, profile: Profile) -> bool:
        """Return whether a Profile has a zone, endpoint or rule for the names."""
        ids = {each.endpoint.id for each in self.endpoints}
        zones = self._get_zones(profile.zone_ids)
        return (
            not ids.isdisjoint(profile.endpoint_ids)
            or any(self._leads(zone, each.name) for zone in zones for each in self.broken)
            or any(self.forwards(each) for each in profile.rule_ids)
        )

    def forwards(self, rule_id: str) -> bool:
        """Return whether a rule forwards a broken name to an inbound endpoint of a known VPC."""
        rule = self.shared.rules.get(rule_id)
        if rule is None or rule.kind is not RuleKind.FORWARD or not rule.name:
            return False
        known = {
            address
            for each in self.shared.resolvers.values()
            if each.vpc_id != self.own.id
            for address in each.addresses
        }
        covered = any(matches(get_query(each.name), rule.name) for each in self.broken)
        return covered and bool(rule.targets) and known.issuperset(rule.targets)

    def find_zone(self, answer: NameAnswer) -> HostedZone | None:
        """Find the zone that decides a name now, if its records are known."""
        for step in reversed(answer.steps):
            zone = self.shared.zones.get(step.subject)
            if zone and zone.records is not None and matches(get_query(answer.name), zone.name):
                return zone
        return None


def _list_targets(zone: HostedZone) -> set[str]:
    """List the ids of the endpoints that the records of a zone lead to."""
    records = zone.records or ()
    found = {get_endpoint_id(it) for each in records for it in (each.alias, *each.values)}
    return found - {""}
