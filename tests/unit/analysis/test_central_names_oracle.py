"""The names of random organizations, checked against a resolver that asks for one name at a time.

The organizations have a spoke, a hub and a third VPC, each with endpoints; zones, rules and two
Profiles between them; inbound Resolver endpoints; DHCP options and DNS attributes of all kinds. The
resolver below knows nothing of matches and candidates: it takes off one label after the other, and
returns the addresses that a host could get. It shares no code with the one that it checks.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from ipaddress import IPv4Network, ip_address
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from network_builders import NOW, REGION, eni, interface, service
from posture.analysis.central.answers import NameOutcome
from posture.analysis.central.names import resolve_name
from posture.analysis.central.view import restrict_network
from posture.model.network import EndpointType, Snapshot, Vpc
from posture.model.scope import Scope
from posture.model.shared_network import (
    DnsRecord,
    HostedZone,
    InboundResolver,
    Profile,
    ProfileUse,
    ResolverRule,
    RuleKind,
    SharedNetwork,
    SharedVpc,
)

KMS, DKR, S3 = (f"com.amazonaws.{REGION}.{each}" for each in ("kms", "ecr.dkr", "s3"))
BASE = f"{REGION}.amazonaws.com"
# The names that private DNS of an endpoint covers, by service.
COVERED = {
    KMS: [f"kms.{BASE}"],
    DKR: [f"dkr.ecr.{BASE}", f"*.dkr.ecr.{BASE}"],
    S3: [f"s3.{BASE}", f"*.s3.{BASE}", f"*.s3-accesspoint.{BASE}", f"*.s3-control.{BASE}"],
}
SERVICES = {
    KMS: service(KMS, private_dns_names=tuple(COVERED[KMS])),
    DKR: service(DKR, private_dns_names=tuple(COVERED[DKR])),
    S3: service(
        S3, EndpointType.GATEWAY, EndpointType.INTERFACE, private_dns_names=tuple(COVERED[S3])
    ),
}
ASKED = (f"kms.{BASE}", f"dkr.ecr.{BASE}", f"*.dkr.ecr.{BASE}", f"*.s3.{BASE}")
DOMAINS = (
    *(f"kms.{BASE}", f"dkr.ecr.{BASE}", f"ecr.{BASE}", f"s3.{BASE}", BASE, "amazonaws.com"),
    *(f"kms.{BASE}", f"dkr.ecr.{BASE}"),
)
SPOKE, HUB, THIRD = "vpc-spoke", "vpc-hub", "vpc-third"
BLOCKS = {SPOKE: "10.1.0.0/16", HUB: "10.2.0.0/16", THIRD: "10.3.0.0/16"}
INBOUND = {HUB: "10.2.0.53", THIRD: "10.3.0.53"}
OUTSIDE = "192.0.2.53"
# Each VPC's endpoints: the name, the service and the addresses of its interface.
ENDPOINTS = {
    SPOKE: (("11", KMS, "10.1.0.11"), ("12", S3, "10.1.0.12")),
    HUB: (("21", KMS, "10.2.0.21"), ("22", DKR, "10.2.0.22"), ("23", S3, "10.2.0.23")),
    THIRD: (("31", KMS, "10.3.0.31"), ("32", DKR, "10.3.0.32")),
}
EVERY = [each for listed in ENDPOINTS.values() for each in listed]
TARGETS = {
    f"vpce-{number}-abc.svc.{REGION}.vpce.amazonaws.com": address for number, _, address in EVERY
}
GONE = f"vpce-99-abc.svc.{REGION}.vpce.amazonaws.com"  # deleted
PUBLIC_ADDRESS, STALE = "52.94.1.1", "10.2.0.99"
EXAMPLES = 250


# --- one name at a time --------------------------------------------------------------------------

PUBLIC, NOTHING, PRIVATE = "public", "nothing", "private"
WORDS = {PUBLIC, NOTHING, PRIVATE}
Results = frozenset[str]  # what a host may get: addresses of endpoints, or one of these words


class Undecided(Exception):  # noqa: N818 - not an error
    """What is not known, or not documented, decides."""


@dataclass(frozen=True)
class Organization:
    """A random organization."""

    snapshots: dict[str, Snapshot]
    shared: SharedNetwork


@dataclass(frozen=True)
class Query:
    """A query for a name at the Resolver of a VPC, and those before it."""

    world: Organization
    at: str
    inbound: bool
    name: str
    passed: tuple[tuple[str, bool, str], ...] = ()
    zones: bool = True  # whether zones count
    cancelled: str | None = None  # the domain of a SYSTEM rule, below which no rule counts


def agree(alternatives: Iterable[Callable[[], Results]]) -> Results:
    """Return what all alternatives come to, or raise."""
    known = [each() for each in alternatives]
    if len({(classify(each), each - WORDS) for each in known}) != 1:
        raise Undecided(known)
    return frozenset().union(*known)


def ask_host(world: Organization, name: str) -> Results:
    """Ask each DNS server of the spoke's DHCP options."""
    queries = []
    for server in world.snapshots[SPOKE].vpc.dns_servers or ():
        own = server in {"AmazonProvidedDNS", "10.1.0.2", "169.254.169.253"}
        at = SPOKE if own else find_inbound(server)
        queries.append(Query(world, at, not own, name))
    return agree(partial(ask_vpc, each) for each in queries)


def find_inbound(server: str) -> str:
    """Find the VPC that answers at an address."""
    for vpc_id, address in INBOUND.items():
        if address == server:
            return vpc_id
    raise Undecided(server)


def ask_vpc(query: Query) -> Results:
    """Ask the Resolver of a VPC."""
    step = (query.at, query.inbound, query.name)
    if step in query.passed:
        return frozenset({NOTHING})
    vpc = query.world.snapshots[query.at].vpc
    if vpc.dns_support is False:
        return frozenset({NOTHING})
    known = [vpc.dns_hostnames] if vpc.dns_hostnames is not None else [True, False]
    asked = replace(query, passed=(*query.passed, step), cancelled=None)
    found = agree(partial(ask_sources, replace(asked, zones=zones)) for zones in known)
    if vpc.dns_support is None and classify(found) is not NameOutcome.PUBLIC:
        raise Undecided("enableDnsSupport")
    return found


def ask_sources(query: Query) -> Results:
    """Try each reading of what AWS does not document."""
    sources = list(list_sources(query))
    uses = sorted(query.world.shared.vpcs[query.at].profiles, key=lambda each: each.priority)
    profiles = [each.profile_id for each in uses]
    leading = [it for it in profiles if any(each.profile == it for each in sources)][:1]
    deciding = []
    for counted in (["", *profiles], ["", *leading]):
        for rules_first in (False, True):
            found = decide(query, sources, counted, rules_first=rules_first)
            if found not in deciding:
                deciding.append(found)
    return agree(partial(answer_sources, query, each) for each in deciding)


@dataclass(frozen=True)
class Source:
    """What a VPC is associated with: by a Profile, or itself."""

    profile: str
    domain: str
    what: ResolverRule | HostedZone | str  # a string is the id of an endpoint
    doubtful: bool = False

    @property
    def is_rule(self) -> bool:
        """Whether it is a rule, rather than a zone or an endpoint."""
        return isinstance(self.what, ResolverRule)


def list_sources(query: Query) -> Iterator[Source]:
    """List everything that the VPC is associated with and that covers the name."""
    shared = query.world.shared
    vpc = shared.vpcs[query.at]
    parts = [("", vpc.rule_ids, vpc.zone_ids, tuple(query.world.snapshots[query.at].endpoints))]
    for use in vpc.profiles:
        profile = shared.profiles[use.profile_id]
        parts.append((profile.id, profile.rule_ids, profile.zone_ids, profile.endpoint_ids))
    for source, rule_ids, zone_ids, endpoint_ids in parts:
        found = [Source(source, shared.rules[each].name, shared.rules[each]) for each in rule_ids]
        if query.zones:
            found += [Source(source, shared.zones[it].name, shared.zones[it]) for it in zone_ids]
            for each in endpoint_ids:
                found += list_managed(query, source, each)
        for source_found in found:
            cancelled = source_found.is_rule and query.cancelled is not None
            narrower = cancelled and len(source_found.domain) > len(query.cancelled or "")
            if covers(source_found.domain, query.name) and (narrower or not cancelled):
                yield source_found


def list_managed(query: Query, source: str, endpoint_id: str) -> Iterator[Source]:
    """List the zones that AWS manages for an endpoint with private DNS."""
    every = {it.id: it for each in query.world.snapshots.values() for it in each.endpoints.values()}
    endpoint = every[endpoint_id]
    only_inbound = endpoint.private_dns_only_for_inbound_resolver
    if not source and (not endpoint.private_dns or (only_inbound and not query.inbound)):
        return
    doubtful = not endpoint.private_dns or bool(source and only_inbound)
    for domain in {each.removeprefix("*.") for each in COVERED[endpoint.service_name]}:
        yield Source(source, domain, endpoint_id, doubtful)


def covers(domain: str, name: str) -> bool:
    """Whether a domain is the name, or above it."""
    labels = domain.split(".") if domain else []
    return name.split(".")[len(name.split(".")) - len(labels) :] == labels


def decide(
    query: Query, sources: list[Source], counted: list[str], *, rules_first: bool
) -> list[Source]:
    """Take off one label after the other, until something is found."""
    labels = query.name.split(".")
    order = [(profile, is_rule) for profile in counted for is_rule in (True, False)]
    if rules_first:
        order = [(profile, is_rule) for is_rule in (True, False) for profile in counted]
    for number in range(len(labels) + 1):
        domain = ".".join(labels[number:])
        for profile, is_rule in order:
            found = [
                each
                for each in sources
                if (each.profile, each.is_rule, each.domain) == (profile, is_rule, domain)
            ]
            if found:
                return found
    return []


def answer_sources(query: Query, found: list[Source]) -> Results:
    """Answer by what decides; several zones or rules of one domain have no order."""
    if not found:
        return answer_public(query.name)
    answers = [partial(answer_source, query, each) for each in found]
    if all(isinstance(each.what, str) for each in found):
        return frozenset().union(*(each() for each in answers))
    return agree(answers)


def answer_source(query: Query, source: Source) -> Results:
    """Answer by one zone or rule."""
    what = source.what
    if source.doubtful:
        raise Undecided("private DNS is off, or for inbound queries only")
    if isinstance(what, str):
        return answer_managed(what, query.name)
    if isinstance(what, HostedZone):
        return answer_zone(query, what)
    if what.kind is RuleKind.SYSTEM:
        return ask_sources(replace(query, cancelled=source.domain))
    places = [find_inbound(str(each)) for each in what.targets]
    asked = [ask_vpc(replace(query, at=each, inbound=True)) for each in places]
    return frozenset().union(*asked)


def answer_managed(endpoint_id: str, asked: str) -> Results:
    """Answer by private DNS of an endpoint."""
    for number, service_name, address in EVERY:
        if f"vpce-{number}" == endpoint_id:
            for name in COVERED[service_name]:
                if asked == name or (name[0] == "*" and asked.endswith(name[1:])):
                    return frozenset({address})
    return frozenset({NOTHING})


def answer_zone(query: Query, zone: HostedZone) -> Results:
    """Answer by the records of the name, or of the wildcard that stands for it."""
    own = find_records(zone, query.name)
    if own is None:
        if zone.public_fallback is None:
            raise Undecided("fallback")
        return answer_public(query.name) if zone.public_fallback else frozenset({NOTHING})
    results: set[str] = set()
    for each in own:
        if each.type == "CNAME":
            results |= ask_vpc(replace(query, name=each.values[0]))
        elif each.type == "A":
            results |= {answer_address(it) for it in each.values}
            results |= {TARGETS.get(each.alias, NOTHING)} if each.alias else set()
    return frozenset(results or {NOTHING})


def find_records(zone: HostedZone, name: str) -> list[DnsRecord] | None:
    """Find records: the name's own, or of the wildcard below its closest ancestor that exists."""
    records = zone.records or ()
    above = name
    while above != zone.name and not any(covers(above, each.name) for each in records):
        above = above[above.index(".") + 1 :]
    owner = name if above == name else f"*.{above}"
    own = [each for each in records if each.name == owner]
    return own if own or above == name else None


def answer_address(value: str) -> str:
    """Answer by an address of a record."""
    if value == PUBLIC_ADDRESS:
        return PUBLIC
    return value if value in TARGETS.values() else PRIVATE


def answer_public(name: str) -> Results:
    """Answer by public DNS, which knows the names of endpoints."""
    return frozenset({TARGETS.get(name, PUBLIC)})


# --- random organizations ------------------------------------------------------------------------


@dataclass(frozen=True)
class Draw:
    """Draws the parts of an organization from one seed, which is faster than from strategies."""

    random: Random

    def sets(self, listed: Iterable[str], most: int) -> tuple[str, ...]:
        """Draw some of these."""
        names = sorted(listed)
        return tuple(
            sorted(self.random.sample(names, min(self.random.randint(0, most), len(names))))
        )

    def records(self, domain: str) -> tuple[DnsRecord, ...]:
        """Draw the records of a zone; a name has a CNAME or others, and any routing policy."""
        owners = [domain, f"*.{domain}"]
        owners += [each for each in ASKED if each.endswith(f".{domain}")] * 2
        owners += [f"111122223333.dkr.ecr.{BASE}"] if covers(domain, f"ecr.{BASE}") else []
        found = []
        for owner in self.sets(set(owners), 4):
            if self.random.random() < 0.15 and owner != domain:
                target = self.random.choice([*TARGETS, f"kms.{BASE}", f"dkr.ecr.{BASE}"])
                found.append(DnsRecord(owner, "CNAME", (target,)))
            else:
                found += [self.address(owner) for _ in range(self.random.choice((1, 1, 2)))]
        return tuple(found)

    def address(self, owner: str) -> DnsRecord:
        """Draw a record of one name."""
        kind = self.random.choice(("alias", "alias", "address", "address", "text"))
        if kind == "alias":
            target = self.random.choice([*TARGETS, GONE])
            return DnsRecord(owner, "A", alias=target, policy="weighted")
        if kind == "address":
            values = self.random.sample([*TARGETS.values(), PUBLIC_ADDRESS, *[STALE] * 6], 2)
            values = list(dict.fromkeys(values))
            return DnsRecord(owner, "A", tuple(values[: self.random.randint(1, 2)]))
        return DnsRecord(owner, "TXT", ('"x"',))

    def zone(self, number: int) -> HostedZone:
        """Draw a zone."""
        domain = self.random.choice(DOMAINS)
        fallback = self.random.choice((*[False] * 6, True, True, None))
        return HostedZone(f"Z{number}", domain, "1", self.records(domain), fallback)

    def rule(self, number: int) -> ResolverRule:
        """Draw a rule, also of all names."""
        domain = self.random.choice([*DOMAINS, "", ""])
        if self.random.random() < 0.4:
            return ResolverRule(f"R{number}", domain, RuleKind.SYSTEM)
        targets = self.random.sample([*INBOUND.values()] * 3 + [OUTSIDE], 2)
        chosen = tuple(dict.fromkeys(targets[: self.random.randint(1, 2)]))
        return ResolverRule(f"R{number}", domain, RuleKind.FORWARD, tuple(map(ip_address, chosen)))

    def snapshot(self, vpc_id: str) -> Snapshot:
        """Draw a VPC with its endpoints."""
        known, choose = [True] * 20, self.random.choice
        servers: list[tuple[str, ...]] = [("AmazonProvidedDNS",)] * 15
        servers += [
            ("10.1.0.2", "10.2.0.53"),
            ("10.2.0.53",),
            ("10.1.0.2", "10.3.0.53"),
            (OUTSIDE,),
        ]
        vpc = Vpc(
            vpc_id,
            (IPv4Network(BLOCKS[vpc_id]),),
            dns_support=choose([*known, False, None]),
            dns_hostnames=choose([*known, False, None]),
            dns_servers=choose(servers),
        )
        endpoints, interfaces = {}, {}
        for number, name, address in ENDPOINTS[vpc_id]:
            private_dns = choose((True, False))
            endpoint = interface(
                number,
                name,
                private_dns=private_dns,
                private_dns_only_for_inbound_resolver=private_dns
                and name == S3
                and choose((False, True)),
                network_interface_ids=(f"eni-{number}",),
                dns_names=(f"vpce-{number}-abc.svc.{REGION}.vpce.amazonaws.com",),
            )
            endpoints[endpoint.id] = replace(endpoint, vpc_id=vpc_id)
            interfaces[f"eni-{number}"] = eni(number, "a", address)
        return Snapshot(
            Scope("1", REGION, vpc_id),
            NOW,
            vpc,
            endpoints=endpoints,
            network_interfaces=interfaces,
            services=SERVICES,
        )

    def organization(self) -> Organization:
        """Draw an organization."""
        found = {vpc_id: self.snapshot(vpc_id) for vpc_id in BLOCKS}
        zones = {f"Z{number}": self.zone(number) for number in range(self.random.randint(1, 6))}
        rules = {f"R{number}": self.rule(number) for number in range(self.random.randint(0, 3))}
        ids = [each for snapshot in found.values() for each in snapshot.endpoints]
        profiles = {
            name: Profile(name, "1", self.sets(zones, 2), self.sets(rules, 1), self.sets(ids, 2))
            for name in ("P1", "P2")
        }
        uses = (ProfileUse("P1", 100), ProfileUse("P2", 200))
        vpcs = {
            vpc_id: SharedVpc(
                vpc_id,
                "1",
                REGION,
                each.vpc.cidrs,
                self.sets(zones, 3),
                self.sets(rules, 1),
                uses[: self.random.choice((0, 0, 1, 1, 2))],
            )
            for vpc_id, each in found.items()
        }
        resolvers = {
            f"in-{vpc_id}": InboundResolver(f"in-{vpc_id}", "1", vpc_id, (ip_address(address),))
            for vpc_id, address in INBOUND.items()
        }
        shared = SharedNetwork(
            REGION,
            NOW,
            frozenset({"1"}),
            vpcs=vpcs,
            zones=zones,
            rules=rules,
            resolvers=resolvers,
            profiles=profiles,
            central_vpcs={vpc_id: each for vpc_id, each in found.items() if vpc_id != SPOKE},
        )
        return Organization(found, shared)


def classify(results: Results) -> NameOutcome:
    """Return the outcome for what hosts may get."""
    if results.isdisjoint(WORDS):
        return NameOutcome.ENDPOINT
    if not results <= WORDS:
        return NameOutcome.PARTLY
    if PUBLIC in results:
        return NameOutcome.PUBLIC
    return NameOutcome.NOWHERE if results == {NOTHING} else NameOutcome.OTHER


def compare(world: Organization, asked: str) -> NameOutcome:
    """Compare the two resolvers; a wildcard is asked as some name below it without records."""
    try:
        expected = ask_host(world, asked.replace("*", "some-name"))
        outcome = classify(expected)
    except Undecided:
        expected, outcome = frozenset(), NameOutcome.UNKNOWN
    answer = resolve_name(asked, world.snapshots[SPOKE], world.shared)
    assert answer.outcome is outcome, (answer, expected)
    if outcome in {NameOutcome.ENDPOINT, NameOutcome.PARTLY}:
        led = {address for number, _, address in EVERY if f"vpce-{number}" in answer.endpoint_ids}
        assert led == expected - WORDS
    return outcome


def test_names_lead_where_one_query_after_the_other_leads() -> None:
    """Each outcome occurs, or the comparison would be worth little."""
    counts: Counter[NameOutcome] = Counter()

    @settings(max_examples=EXAMPLES)
    @given(st.integers(0, 2**32))
    def collect(seed: int) -> None:
        world = Draw(Random(seed)).organization()  # noqa: S311 - no secret
        counts.update(compare(world, asked) for asked in ASKED)
        spoke, view = world.snapshots[SPOKE], restrict_network(world.shared, world.snapshots[SPOKE])
        for asked in ASKED:  # the view has everything that decides
            assert resolve_name(asked, spoke, view) == resolve_name(asked, spoke, world.shared)

    collect()
    rare = {it: counts[it] for it in NameOutcome if counts[it] < EXAMPLES / 80}
    assert not rare, counts
