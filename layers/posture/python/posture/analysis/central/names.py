"""Resolve one DNS name in a VPC as its hosts do, with zones, rules and Profiles.

https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/hosted-zone-private-considerations.html
https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/resolver-overview-DSN-queries-to-vpc.html
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

from posture.analysis.central.answers import (
    CentralStep,
    NameAnswer,
    NameOutcome,
    StepKind,
    StepStatus,
)
from posture.analysis.central.combine import combine_doubtful, combine_possible
from posture.analysis.central.dns_groups import is_closed
from posture.analysis.central.match_index import list_matches
from posture.analysis.central.matches import (
    Match,
    Matches,
    keep_deciding,
    list_first,
)
from posture.analysis.central.private_names import list_names
from posture.analysis.central.record_answers import RecordAnswers
from posture.analysis.central.records import (
    ADDRESS_TYPES,
    find_delegation,
    get_query,
    look_up,
)
from posture.analysis.central.unread import describe_unread
from posture.analysis.endpoint_dns import list_other_servers
from posture.lean_dataclass import dataclass
from posture.model.network import Facet, Snapshot
from posture.model.shared_network import (
    DnsRecord,
    HostedZone,
    InboundResolver,
    RuleKind,
    SharedFacet,
    SharedNetwork,
)

__all__ = ["list_names", "resolve_name"]

MAX_HOPS = 8  # the Resolver follows chains of CNAME records of about this length


def resolve_name(name: str, snapshot: Snapshot, shared: SharedNetwork) -> NameAnswer:
    """Resolve a DNS name as the hosts of a VPC do.

    Args:
        name: The name; a wildcard stands for each name below it without records of its own.
        snapshot: The snapshot of the VPC.
        shared: The network that the organization's VPCs share.

    Returns:
        The answer, with the steps that lead to it. It is unknown where a fact is missing, or where
        AWS does not document the order of what matches.
    """
    asked = name.lower().rstrip(".")
    return _Resolver(asked, snapshot, shared).ask_as_host(get_query(asked))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a query is answered: the Resolver of a VPC, and the queries that led there."""

    snapshot: Snapshot
    inbound: bool = False
    trail: tuple[tuple[str, bool, str], ...] = ()

    @property
    def vpc_id(self) -> str:
        return self.snapshot.vpc.id

    @property
    def account(self) -> str:
        return self.snapshot.scope.account


@dataclass(frozen=True, slots=True)
class _Resolver:
    name: str  # as asked
    asker: Snapshot
    shared: SharedNetwork

    def ask_as_host(self, query: str) -> NameAnswer:
        """Ask the DNS servers that the VPC's DHCP option set names."""
        vpc, account = self.asker.vpc, self.asker.scope.account
        named = f"DHCP option set {vpc.dhcp_options_id or 'of the VPC'}"
        subject = vpc.dhcp_options_id or vpc.id
        if vpc.dns_servers is None:
            text = f"the DNS servers of {named} could not be read"
            missing = f"ec2:{Facet.DHCP_OPTIONS} in account {account}"
            return self._miss(StepKind.DNS_SERVERS, subject, account, text, missing)
        if not vpc.dns_servers:
            text = f"{named} names no DNS server"
            return self._miss(StepKind.DNS_SERVERS, subject, account, text, "the hosts' DNS server")
        others = list_other_servers(vpc)
        answers = []
        if len(others) < len(vpc.dns_servers):
            text = f"hosts of {vpc.id} ask the VPC's own Resolver ({named})"
            step = _hold(StepKind.DNS_SERVERS, subject, text, account)
            answers.append(_prepend(step, self._ask(query, _Place(self.asker))))
        for server in others:
            found = self._find_resolvers(server)
            if not found:
                text = (
                    f"{named} names the DNS servers {', '.join(others)}, which decide what names "
                    "resolve to"
                )
                missing = self._describe_servers(f"what {server} answers")
                answers.append(self._miss(StepKind.DNS_SERVERS, subject, account, text, missing))
            for resolver in found:
                text = f"hosts of {vpc.id} ask {server} of {_describe_resolver(resolver)} ({named})"
                step = _hold(StepKind.DNS_SERVERS, subject, text, account)
                closed = self._evaluate_groups(resolver)
                answer = closed or self._ask_inbound(query, resolver, ())
                answers.append(_prepend(step, answer))
        text = f"hosts may ask any of the DNS servers of {named}, which answer differently"
        doubt = CentralStep(StepKind.DNS_SERVERS, StepStatus.UNKNOWN, subject, text, account)
        return combine_doubtful(answers, doubt)

    def _evaluate_groups(self, resolver: InboundResolver) -> NameAnswer | None:
        """Return the failure of hosts whose queries an inbound endpoint's groups keep out."""
        there = self.shared.central_vpcs.get(resolver.vpc_id)
        if there is None or not is_closed(resolver, there, self.asker):
            return None
        by = ", ".join(resolver.security_group_ids)
        text = f"no inbound rule of {by} allows DNS from {self.asker.vpc.id} to {resolver.id}"
        account = there.scope.account
        return self._fail(NameOutcome.NOWHERE, StepKind.DNS_SERVERS, by, text, account)

    def _find_resolvers(self, server: str) -> tuple[InboundResolver, ...]:
        try:
            address = ip_address(server)
        except ValueError:
            return ()
        return tuple(
            each for _, each in sorted(self.shared.resolvers.items()) if address in each.addresses
        )

    def _describe_servers(self, otherwise: str) -> str:
        """Describe what could not be read of inbound Resolver endpoints, if anything."""
        facets = {SharedFacet.RESOLVER_ENDPOINTS, SharedFacet.RESOLVER_ADDRESSES}
        if any(each.facet in facets for each in self.shared.unread):
            return describe_unread(self.shared, facets, "")
        return otherwise

    def _ask_inbound(
        self, query: str, resolver: InboundResolver, trail: tuple[tuple[str, bool, str], ...]
    ) -> NameAnswer:
        """Ask an inbound Resolver endpoint, which answers as the Resolver of its VPC does."""
        vpc_id = resolver.vpc_id
        own = self.asker if vpc_id == self.asker.vpc.id else None
        snapshot = own or self.shared.central_vpcs.get(vpc_id)
        if snapshot is None:
            facets = [SharedFacet.CENTRAL_VPC]
            missing = describe_unread(self.shared, facets, vpc_id, resolver.account)
            text = f"{vpc_id}, where {resolver.id} answers, was not evaluated"
            return self._miss(StepKind.NAME, vpc_id, resolver.account, text, missing)
        return self._ask(query, _Place(snapshot, inbound=True, trail=trail))

    def _ask(self, query: str, place: _Place) -> NameAnswer:
        """Ask the Resolver of a VPC."""
        vpc, account = place.snapshot.vpc, place.account
        key = (vpc.id, place.inbound, query)
        if key in place.trail or len(place.trail) >= MAX_HOPS:
            text = f"{query} leads to itself, or over more than {MAX_HOPS} rules and records"
            return self._fail(NameOutcome.NOWHERE, StepKind.NAME, vpc.id, text, account)
        place = replace(place, trail=(*place.trail, key))
        missing = f"ec2:{Facet.DNS_ATTRIBUTES} in account {account}"
        if vpc.dns_support is False:
            text = f"enableDnsSupport of {vpc.id} is disabled, so its Resolver does not answer"
            return self._fail(NameOutcome.NOWHERE, StepKind.DNS_SERVERS, vpc.id, text, account)
        known = [True, False] if vpc.dns_hostnames is None else [vpc.dns_hostnames]
        answers = [self._decide(query, place, zones=zones) for zones in known]
        unread = [
            name
            for name, value in (
                ("enableDnsSupport", vpc.dns_support),
                ("enableDnsHostnames", vpc.dns_hostnames),
            )
            if value is None
        ]
        text = f"{' and '.join(unread)} of {vpc.id} could not be read"
        doubt = CentralStep(
            StepKind.DNS_SERVERS, StepStatus.UNKNOWN, vpc.id, text, account, missing
        )
        answer = combine_doubtful(answers, doubt)
        if vpc.dns_support is None and answer.outcome is not NameOutcome.PUBLIC:
            # A name that nothing answers privately is called public without this attribute too.
            return NameAnswer(self.name, NameOutcome.UNKNOWN, text, steps=(doubt,))
        return answer

    def _decide(self, query: str, place: _Place, *, zones: bool) -> NameAnswer:
        """Answer by the first of the rules and zones that match."""
        listed = list_matches(
            query,
            place.snapshot,
            self.asker,
            self.shared,
            zones=zones,
            inbound=place.inbound,
        )
        first = next((each for group in list_first(listed.found) for each in group), None)
        if unread := keep_deciding(listed, first):
            steps = tuple(
                CentralStep(
                    StepKind.NAME, StepStatus.UNKNOWN, it.subject, it.text, it.account, it.missing
                )
                for it in unread
            )
            return NameAnswer(self.name, NameOutcome.UNKNOWN, steps[0].text, steps=steps)
        why = "" if zones else f", and without enableDnsHostnames {place.vpc_id} uses no zone"
        return self._answer_first(query, place, listed, why)

    def _answer_first(
        self, query: str, place: _Place, listed: Matches, why: str = ""
    ) -> NameAnswer:
        groups = list_first(listed.found)
        if not groups:
            return self._answer_public(query, place, why)
        answers = [self._answer_group(query, place, listed, each) for each in groups]
        subjects = dict.fromkeys(it.subject for each in groups for it in each)
        text = (
            f"{' and '.join(subjects)} match {self.name} in {place.vpc_id}, and AWS does not "
            "document which of them decides"
        )
        doubt = CentralStep(
            StepKind.NAME, StepStatus.UNKNOWN, next(iter(subjects)), text, place.account
        )
        return combine_doubtful(answers, doubt)

    def _answer_group(
        self, query: str, place: _Place, listed: Matches, group: tuple[Match, ...]
    ) -> NameAnswer:
        """Answer by matches of equal precedence; several endpoints may answer for one name."""
        answers = [self._answer_match(query, place, listed, each) for each in group]
        if all(each.endpoint for each in group):
            return combine_possible(answers)
        text = f"{' and '.join(each.subject for each in group)} match {self.name} alike"
        doubt = CentralStep(
            StepKind.NAME, StepStatus.UNKNOWN, group[0].subject, text, place.account
        )
        return combine_doubtful(answers, doubt)

    def _answer_match(self, query: str, place: _Place, listed: Matches, match: Match) -> NameAnswer:
        if match.doubt:
            missing = f"whether {match.subject} answers for {match.domain}"
            return self._miss(StepKind.NAME, match.subject, match.account, match.doubt, missing)
        step = _hold(StepKind.NAME, match.subject, _describe_match(match, place), match.account)
        if match.rule:
            return _prepend(step, self._answer_rule(query, place, listed, match))
        zone = match.zone or HostedZone(match.subject, match.domain, match.account, None)
        answer = _prepend(step, self._answer_zone(query, place, listed, zone))
        return replace(answer, why=step.text) if match.endpoint else answer

    def _answer_rule(self, query: str, place: _Place, listed: Matches, match: Match) -> NameAnswer:
        rule = match.rule
        if rule is None or rule.kind is RuleKind.UNKNOWN:
            text = f"Resolver rule {match.subject} is of a type that is not evaluated"
            return self._miss(StepKind.NAME, match.subject, match.account, text, "what it does")
        if (
            rule.kind is not RuleKind.FORWARD
        ):  # the Resolver itself answers, by the zones that match
            rest = (each for each in listed.found if not each.rule or each.labels > match.labels)
            return self._answer_first(query, place, replace(listed, found=tuple(rest)))
        answers = []
        for target in rule.targets:
            found = self._find_resolvers(str(target))
            answers += [self._ask_inbound(query, each, place.trail) for each in found]
            if not found:
                text = f"Resolver rule {rule.id} forwards to {target}, which decides the answer"
                missing = self._describe_servers(f"what {target} answers")
                answers.append(self._miss(StepKind.NAME, rule.id, rule.owner, text, missing))
        if not answers:
            text = f"the DNS servers that Resolver rule {rule.id} forwards to are not known"
            missing = describe_unread(self.shared, [SharedFacet.RULES], rule.id, rule.owner)
            return self._miss(StepKind.NAME, rule.id, rule.owner, text, missing)
        return combine_possible(answers)

    def _answer_zone(
        self, query: str, place: _Place, listed: Matches, zone: HostedZone
    ) -> NameAnswer:
        named = f"private hosted zone {zone.id} ({zone.name})"
        if zone.records is None:
            missing = describe_unread(self.shared, [SharedFacet.RECORDS], zone.id, zone.owner)
            text = f"the records of {named} could not be read"
            return self._miss(StepKind.NAME, zone.id, zone.owner, text, missing)
        if listed.delegates and (at := find_delegation(zone, query)):
            text = f"{named} delegates {at} to other DNS servers, which decide the answer"
            missing = f"what the DNS servers of {at} answer"
            return self._miss(StepKind.NAME, zone.id, zone.owner, text, missing)
        found = look_up(zone, query)
        if not found.exists:
            return self._answer_absent(query, place, zone, named)
        records = found.list_of("CNAME") or found.list_of(*ADDRESS_TYPES)
        answers = [each for record in records for each in self._answer_record(record, place, zone)]
        if answers:
            return combine_possible(answers)
        text = f"{named} has no A, AAAA or CNAME record with an answer for {self._show(query)}"
        return self._fail(NameOutcome.NOWHERE, StepKind.NAME, zone.id, text, zone.owner)

    def _answer_absent(self, query: str, place: _Place, zone: HostedZone, named: str) -> NameAnswer:
        lacks = f"{named} has no record for {self._show(query)}"
        if zone.public_fallback is None:
            missing = describe_unread(self.shared, [SharedFacet.ZONES], zone.id, zone.owner)
            text = f"{lacks}, and whether it falls back to public DNS is not known"
            return self._miss(StepKind.NAME, zone.id, zone.owner, text, missing)
        if zone.public_fallback:
            return self._answer_public(query, place, f": {lacks} and falls back to public DNS")
        text = f"{lacks}, so the name does not resolve"
        return self._fail(NameOutcome.NOWHERE, StepKind.NAME, zone.id, text, zone.owner)

    def _answer_record(
        self, record: DnsRecord, place: _Place, zone: HostedZone
    ) -> list[NameAnswer]:
        if record.type != "CNAME":
            return RecordAnswers(self.name, self.asker, self.shared).answer(record, zone)
        step = _hold(
            StepKind.NAME,
            zone.id,
            f"record {record.name} of {zone.id} is a CNAME of {', '.join(record.values)}",
            zone.owner,
        )
        return [_prepend(step, self._ask(each, place)) for each in record.values]

    def _answer_public(self, query: str, place: _Place, why: str) -> NameAnswer:
        answering = RecordAnswers(self.name, self.asker, self.shared)
        if found := answering.answer_own_name(query, place.account):
            return combine_possible(found)
        text = (
            f"nothing that {place.vpc_id} is associated with answers for {self._show(query)}, so "
            f"it resolves to public addresses{why}"
        )
        return self._fail(NameOutcome.PUBLIC, StepKind.NAME, place.vpc_id, text, place.account)

    def _show(self, query: str) -> str:
        """Return a query as a person would ask it."""
        return self.name if query == get_query(self.name) else query

    def _miss(
        self, kind: StepKind, subject: str, account: str, text: str, missing: str
    ) -> NameAnswer:
        step = CentralStep(kind, StepStatus.UNKNOWN, subject, text, account, missing)
        return NameAnswer(self.name, NameOutcome.UNKNOWN, text, steps=(step,))

    def _fail(
        self, outcome: NameOutcome, kind: StepKind, subject: str, text: str, account: str
    ) -> NameAnswer:
        step = CentralStep(kind, StepStatus.BROKEN, subject, text, account)
        return NameAnswer(self.name, outcome, text, steps=(step,))


def _hold(kind: StepKind, subject: str, text: str, account: str) -> CentralStep:
    return CentralStep(kind, StepStatus.HOLDS, subject, text, account)


def _prepend(step: CentralStep, answer: NameAnswer) -> NameAnswer:
    return replace(answer, steps=(step, *answer.steps))


def _describe_resolver(resolver: InboundResolver) -> str:
    return f"inbound Resolver endpoint {resolver.id} of {resolver.vpc_id}"


def _describe_match(match: Match, place: _Place) -> str:
    domain = match.domain or "."
    if match.rule:
        what = f"Resolver rule {match.subject} ({match.rule.kind} {domain})"
    elif match.endpoint:
        what = f"private DNS of {match.subject} ({domain})"
    else:
        what = f"private hosted zone {match.subject} ({domain})"
    if match.use:
        return f"{what} of Profile {match.use.profile_id} decides in {place.vpc_id}"
    return f"{what} decides in {place.vpc_id}"
