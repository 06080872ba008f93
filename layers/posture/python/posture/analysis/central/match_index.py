"""List the rules and zones that match a name in a VPC: its own, and those of its Profiles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from posture.analysis.central.known_endpoints import (
    KnownEndpoint,
    find_endpoint,
    map_private_dns_zones,
)
from posture.analysis.central.matches import Affected, Match, Matches, Rank, Unread
from posture.analysis.central.records import matches
from posture.analysis.central.unread import describe_unread, list_unread
from posture.analysis.endpoint_dns import resolves_outside_only
from posture.analysis.identity import cache_by_identity
from posture.analysis.services import get_service
from posture.model.network import EndpointType, Facet, Snapshot
from posture.model.shared_network import (
    HostedZone,
    ProfileUse,
    RuleKind,
    SharedFacet,
    SharedNetwork,
    SharedVpc,
)


class MatchIndex:
    """All rules and zones that apply in a VPC, by their domains: see `list_matches`."""

    def __init__(
        self,
        snapshot: Snapshot,
        asker: Snapshot,
        shared: SharedNetwork,
        *,
        zones: bool,
        inbound: bool,
    ) -> None:
        self.snapshot = snapshot
        self.asker = asker
        self.shared = shared
        self.zones = zones
        self.inbound = inbound
        self._found: dict[str, list[Match]] = {}
        self._unread: list[Unread] = []
        self._delegates = False
        self._add_all()

    def list_matches(self, name: str) -> Matches:
        """List what matches a name."""
        found = [*self._found.get(name, ())]
        domain = name
        while domain:
            domain = domain.partition(".")[2]
            found += self._found.get(domain, ())
        unread = tuple(each for each in self._unread if matches(name, each.domain))
        return Matches(name, tuple(found), unread, self._delegates)

    def _add(self, match: Match) -> None:
        self._found.setdefault(match.domain, []).append(match)

    def _add_all(self) -> None:
        vpc = self.shared.vpcs.get(self.snapshot.vpc.id)
        if self.zones:
            self._add_local_endpoints()
        if vpc is None:
            self._miss_vpc()
            return
        for rule_id in vpc.rule_ids:
            self._add_rule(rule_id, None, Affected.RULES)
        if self.zones:
            for zone_id in vpc.zone_ids:
                self._add_zone(zone_id, None, Affected.ZONES)
        for use in vpc.profiles:
            self._add_profile(use)
        self._add_unread(vpc)

    def _add_local_endpoints(self) -> None:
        snapshot = self.snapshot
        for endpoint_id, zones in map_private_dns_zones(snapshot).items():
            endpoint = snapshot.endpoints[endpoint_id]
            only_inbound = resolves_outside_only(endpoint, get_service(snapshot, endpoint))
            if endpoint.private_dns is False or (only_inbound and not self.inbound):
                continue
            doubt = ""
            if endpoint.private_dns is None:
                doubt = f"EC2 does not report whether private DNS is enabled for {endpoint_id}"
            self._add_endpoint(KnownEndpoint(endpoint, snapshot), zones, None, doubt)
        if why := snapshot.unreadable.get(Facet.ENDPOINTS):
            self._miss(
                Affected.ZONES,
                snapshot.vpc.id,
                snapshot.scope.account,
                f"the endpoints of {snapshot.vpc.id} could not be read: {why}",
                f"ec2:{Facet.ENDPOINTS} in account {snapshot.scope.account}",
            )
        owner = snapshot.vpc.owner
        if owner and owner != snapshot.scope.account:
            self._miss(
                Affected.ZONES,
                snapshot.vpc.id,
                owner,
                f"{snapshot.vpc.id} belongs to {owner}, whose endpoints cannot be read here",
                f"ec2:{Facet.ENDPOINTS} in account {owner}",
            )

    def _add_rule(self, rule_id: str, use: ProfileUse | None, affected: Affected) -> None:
        rule = self.shared.rules.get(rule_id)
        if rule is None:
            missing = describe_unread(self.shared, [SharedFacet.RULES], rule_id)
            self._miss(affected, rule_id, "", f"Resolver rule {rule_id} could not be read", missing)
            return
        if rule.kind is RuleKind.DELEGATE:  # it applies where records of a zone delegate
            self._delegates = True
        elif rule.kind is not RuleKind.RECURSIVE or rule.name:  # `.` is AWS's own rule
            self._add(Match(Rank.RULE, rule.name, rule.id, rule.owner, use, rule=rule))

    def _add_zone(self, zone_id: str, use: ProfileUse | None, affected: Affected) -> None:
        zone = self.shared.zones.get(zone_id)
        if zone is None:
            missing = describe_unread(self.shared, [SharedFacet.ZONES], zone_id)
            text = f"private hosted zone {zone_id} could not be read"
            self._miss(affected, zone_id, "", text, missing)
            return
        self._add(Match(Rank.ZONE, zone.name, zone.id, zone.owner, use, zone=zone))

    def _add_profile(self, use: ProfileUse) -> None:
        profile = self.shared.profiles.get(use.profile_id)
        if profile is None or not profile.resources_read:
            facets = [SharedFacet.PROFILE_RESOURCES, SharedFacet.PROFILES]
            missing = describe_unread(self.shared, facets, use.profile_id)
            owner = profile.owner if profile else ""
            text = f"the resources of Profile {use.profile_id} could not be read"
            self._miss(Affected.PROFILES, use.profile_id, owner, text, missing)
        if profile is None:
            return
        for rule_id in profile.rule_ids:
            self._add_rule(rule_id, use, Affected.PROFILES)
        if self.zones:
            for zone_id in profile.zone_ids:
                self._add_zone(zone_id, use, Affected.PROFILES)
            for endpoint_id in profile.endpoint_ids:
                self._add_profile_endpoint(endpoint_id, use)

    def _add_profile_endpoint(self, endpoint_id: str, use: ProfileUse) -> None:
        known = find_endpoint(endpoint_id, self.asker, self.shared)
        if known is None:
            missing = describe_unread(self.shared, [SharedFacet.CENTRAL_VPC], endpoint_id)
            text = f"{endpoint_id} of Profile {use.profile_id} is in no VPC that is watched"
            self._miss(Affected.PROFILES, endpoint_id, "", text, missing)
            return
        endpoint = known.endpoint
        if endpoint.type is not EndpointType.INTERFACE:
            return
        doubt = ""
        if endpoint.private_dns is not True:
            doubt = (
                f"private DNS is not enabled for {endpoint_id}, and AWS does not document whether "
                "a Profile then makes the names of its service lead to it"
            )
        elif resolves_outside_only(endpoint, get_service(known.snapshot, endpoint)):
            doubt = (
                f"private DNS of {endpoint_id} is only for inbound Resolver endpoints, and AWS "
                "does not document what a Profile makes of that"
            )
        zones = map_private_dns_zones(known.snapshot).get(endpoint_id, ())
        self._add_endpoint(known, zones, use, doubt)

    def _add_endpoint(
        self,
        known: KnownEndpoint,
        zones: Iterable[HostedZone],
        use: ProfileUse | None,
        doubt: str,
    ) -> None:
        for zone in zones:
            subject, account = known.endpoint.id, known.account
            self._add(Match(Rank.ZONE, zone.name, subject, account, use, None, zone, known, doubt))

    def _add_unread(self, vpc: SharedVpc) -> None:
        facets = {
            SharedFacet.ZONES_OF_VPC: (Affected.ZONES, "private hosted zones"),
            SharedFacet.RULE_ASSOCIATIONS: (Affected.RULES, "Resolver rules"),
            SharedFacet.PROFILE_ASSOCIATIONS: (Affected.PROFILES, "Profiles"),
        }
        for facet, (affected, nouns) in facets.items():
            if not self.zones and affected is Affected.ZONES:
                continue
            for each in list_unread(self.shared, [facet], (vpc.account,), vpc.id):
                text = f"the {nouns} that {vpc.id} is associated with could not be read: {each.why}"
                missing = f"{facet} in account {each.account}"
                self._miss(affected, vpc.id, each.account, text, missing)
        if self.zones:
            self._add_unread_zones(vpc)

    def _add_unread_zones(self, vpc: SharedVpc) -> None:
        """Add zones that could not be read, of accounts that the VPC is connected with.

        One of them may be associated with the VPC. The zones of an account that is not watched are
        found with the VPC.
        """
        facets = (SharedFacet.ZONES, SharedFacet.ZONE)
        if not any(each.facet in facets for each in self.shared.unread):
            return
        known = set(vpc.zone_ids)
        if len(vpc.profiles) == 1:  # to bring a zone twice makes no difference
            profile = self.shared.profiles.get(vpc.profiles[0].profile_id)
            known.update(profile.zone_ids if profile else ())
        for each in list_unread(self.shared, facets, set(self._list_connected(vpc)), None):
            zone = self.shared.zones.get(each.subject)
            if each.subject in known:
                continue
            named = f"private hosted zone {each.subject}" if each.subject else "its zones"
            text = f"which VPCs account {each.account} associates {named} with could not be read"
            missing = f"{each.facet} in account {each.account}"
            domain = zone.name if zone else ""
            subject = each.subject or vpc.id
            self._unread.append(
                Unread(Affected.ZONES, subject, each.account, text, missing, domain)
            )

    def _list_connected(self, vpc: SharedVpc) -> Iterator[str]:
        """List the accounts that own what a VPC is associated or connected with."""
        shared = self.shared
        yield vpc.account
        profiles = [shared.profiles[each.profile_id] for each in vpc.profiles
                    if each.profile_id in shared.profiles]  # fmt: skip
        yield from (each.owner for each in profiles)
        yield from (shared.zones[each].owner for each in vpc.zone_ids if each in shared.zones)
        yield from (shared.rules[each].owner for each in vpc.rule_ids if each in shared.rules)
        for table in self.snapshot.route_tables.values():
            for route in table.routes:
                target = route.target.id.rpartition("/")[2]  # of a core network, it is an ARN
                if target in shared.gateways:
                    yield shared.gateways[target].owner
                if target in shared.peerings:
                    peering = shared.peerings[target]
                    yield from (peering.requester.account, peering.accepter.account)

    def _miss_vpc(self) -> None:
        vpc, account = self.snapshot.vpc, self.snapshot.vpc.owner or self.snapshot.scope.account
        missing = describe_unread(self.shared, [SharedFacet.VPCS], vpc.id, account)
        text = f"the zones, rules and Profiles that {vpc.id} is associated with were not read"
        self._miss(Affected.RULES, vpc.id, account, text, missing)

    def _miss(
        self, affected: Affected, subject: str, account: str, text: str, missing: str
    ) -> None:
        self._unread.append(Unread(affected, subject, account, text, missing))


@cache_by_identity(maxsize=8)
def _get_index(
    snapshot: Snapshot, asker: Snapshot, shared: SharedNetwork, zones: object, inbound: object
) -> MatchIndex:
    return MatchIndex(snapshot, asker, shared, zones=bool(zones), inbound=bool(inbound))


def list_matches(  # noqa: PLR0913 - one argument for each fact
    name: str,
    snapshot: Snapshot,
    asker: Snapshot,
    shared: SharedNetwork,
    *,
    zones: bool,
    inbound: bool,
) -> Matches:
    """List what matches a name in a VPC.

    Args:
        name: The name.
        snapshot: The snapshot of the VPC whose Resolver answers.
        asker: The snapshot of the VPC whose hosts ask.
        shared: The shared network.
        zones: Whether the VPC's DNS attributes let zones apply.
        inbound: Whether the query comes through an inbound Resolver endpoint.
    """
    return _get_index(snapshot, asker, shared, zones, inbound).list_matches(name)
