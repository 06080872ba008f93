"""What names resolve to with zones, rules and Profiles: documented cases, and stories of users."""

from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from network_builders import admits
from organization_builders import (
    HUB,
    HUB_ACCOUNT,
    PROFILE,
    RESOLVER,
    RESOLVER_GROUP,
    Names,
    Organization,
    build_organization,
    get_spoke_account,
    list_records,
)
from posture.analysis.central.answers import NameAnswer, NameOutcome, StepKind, StepStatus
from posture.analysis.central.known_endpoints import get_endpoint_id
from posture.analysis.central.names import list_names, resolve_name
from posture.analysis.central.network_index import list_named
from posture.analysis.central.private_names import split_names
from posture.analysis.central.sources import list_sources
from posture.analysis.names import NameResolution, ResolvesTo, resolve_names
from posture.model.network import Endpoint, EndpointType, Facet, NetworkInterface, Service, Snapshot
from posture.model.shared_network import (
    DnsRecord,
    HostedZone,
    InboundResolver,
    Profile,
    ProfileUse,
    ResolverRule,
    RuleKind,
    SharedFacet,
    UnreadFact,
)

SPOKE, SPOKE_ACCOUNT = "vpc-spoke1", get_spoke_account(1)
BASE = "eu-west-1.amazonaws.com"
KMS, DKR, ANY_DKR, API = f"kms.{BASE}", f"dkr.ecr.{BASE}", f"*.dkr.ecr.{BASE}", f"api.ecr.{BASE}"
S3 = "com.amazonaws.eu-west-1.s3"
ENDPOINT, PUBLIC, NOWHERE = NameOutcome.ENDPOINT, NameOutcome.PUBLIC, NameOutcome.NOWHERE
UNKNOWN, OTHER, PARTLY = NameOutcome.UNKNOWN, NameOutcome.OTHER, NameOutcome.PARTLY
FORWARD, SYSTEM = RuleKind.FORWARD, RuleKind.SYSTEM
OUTSIDE = (ip_address("192.168.0.53"),)


def ask(organization: Organization, name: str = KMS, vpc_id: str = SPOKE) -> NameAnswer:
    """Resolve one name in a VPC of an organization."""
    return resolve_name(name, organization.snapshots[vpc_id], organization.shared)


def resolve(organization: Organization, short: str, vpc_id: str = SPOKE) -> NameResolution:
    """Resolve the names of a service in a VPC of an organization."""
    snapshot = organization.snapshots[vpc_id]
    service = snapshot.services[f"com.amazonaws.eu-west-1.{short}"]
    return resolve_names(snapshot, service, organization.shared)


def associate(organization: Organization, vpc_id: str = SPOKE, **parts: Any) -> Organization:
    """Replace what a VPC is associated with: `zones` and `rules` are added to the network."""
    zones = {each.id: each for each in parts.pop("zones", ())}
    rules = {each.id: each for each in parts.pop("rules", ())}
    more = {"zone_ids": tuple(zones), "rule_ids": tuple(rules)}
    vpc = replace(organization.shared.vpcs[vpc_id], **{**more, **parts})
    return organization.edit_shared(vpcs={vpc_id: vpc}, zones=zones, rules=rules)


def zone(domain: str, *records: DnsRecord, zone_id: str = "Z1", **more: Any) -> HostedZone:
    """Build a zone of the hub's account."""
    return HostedZone(zone_id, domain, HUB_ACCOUNT, records, **more)


def alias(organization: Organization, name: str, short: str = "kms", **more: Any) -> DnsRecord:
    """Build an alias record that leads to an endpoint of the hub."""
    return DnsRecord(name, "A", alias=organization.endpoints[short].dns_names[0], **more)


def rule(domain: str, kind: RuleKind = FORWARD, *targets: Any, rule_id: str = "R1") -> ResolverRule:
    """Build a Resolver rule."""
    return ResolverRule(rule_id, domain, kind, tuple(targets), HUB_ACCOUNT)


def edit_vpc(organization: Organization, vpc_id: str = SPOKE, **parts: Any) -> Organization:
    """Change attributes of a VPC."""
    return organization.edit_vpc(vpc_id, lambda it: replace(it, vpc=replace(it.vpc, **parts)))


def edit_endpoint(organization: Organization, short: str, **parts: Any) -> Organization:
    """Change an endpoint of the hub."""
    endpoint = replace(organization.endpoints[short], **parts)
    return organization.edit_vpc(
        HUB, lambda it: replace(it, endpoints={**it.endpoints, endpoint.id: endpoint})
    )


# --- the designs ---------------------------------------------------------------------------------


@pytest.mark.parametrize("names", Names)
def test_every_design_leads_to_the_hub_by_all_names(names: Names) -> None:
    """Zones, a Profile with zones, a Profile with endpoints, and forwarding rules."""
    organization = build_organization(names=names)
    for short, endpoint in organization.endpoints.items():
        found = resolve(organization, short)
        assert found.resolves_to is ResolvesTo.ENDPOINT
        assert (found.endpoints, found.central, found.caveat) == ((), (endpoint,), "")
        assert [each.outcome for each in found.names] == [ENDPOINT] * len(found.names)
        steps = [step for each in found.names for step in each.steps]
        assert {each.status for each in steps} == {StepStatus.HOLDS}
        own = resolve(organization, short, HUB)
        assert (own.resolves_to, own.endpoints) == (ResolvesTo.ENDPOINT, (endpoint,))


def test_the_steps_name_what_decides() -> None:
    """A person can look at each: the DHCP options, the zone, the record and the endpoint."""
    organization = build_organization(names=Names.PROFILE)
    endpoint = organization.endpoints["kms"]
    assert [(each.kind, each.subject, each.account) for each in ask(organization).steps] == [
        (StepKind.DNS_SERVERS, "dopt-0001", SPOKE_ACCOUNT),
        (StepKind.NAME, f"Z-{KMS}", HUB_ACCOUNT),
        (StepKind.NAME, f"Z-{KMS}", HUB_ACCOUNT),
        (StepKind.NAME, endpoint.id, HUB_ACCOUNT),
    ]
    texts = " ".join(each.text for each in ask(organization).steps)
    assert PROFILE in texts
    assert endpoint.dns_names[0] in texts


# --- what decides: AWS's documentation -----------------------------------------------------------


def test_the_most_specific_zone_decides_even_without_the_record() -> None:
    """https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/hosted-zone-private-considerations.html.

    A zone `ecr` with `api.ecr` hides `dkr.ecr`, and no broader zone is searched.
    """
    plain = build_organization()
    parent = zone(BASE, alias(plain, DKR, "ecr.dkr"), alias(plain, API, "ecr.api"), zone_id="Z0")
    child = zone(f"ecr.{BASE}", alias(plain, API, "ecr.api"))
    organization = associate(plain, zones=[parent, child])
    assert ask(organization, API).outcome is ENDPOINT
    found = ask(organization, DKR)
    assert found.outcome is NOWHERE
    assert found.steps[-1].subject == "Z1"
    assert ask(associate(plain, zones=[parent]), DKR).outcome is ENDPOINT
    assert ask(associate(plain, zones=[parent])).outcome is NOWHERE  # it hides everything else


def test_a_wildcard_does_not_answer_for_the_name_above_it() -> None:
    """https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DomainNameFormat.html."""
    plain = build_organization()
    organization = associate(plain, zones=[zone(DKR, alias(plain, ANY_DKR, "ecr.dkr"))])
    assert ask(organization, ANY_DKR).outcome is ENDPOINT
    assert ask(organization, DKR).outcome is NOWHERE


def test_a_name_below_another_stops_a_wildcard() -> None:
    """https://www.rfc-editor.org/rfc/rfc4592#section-2.2.1: the closest encloser decides."""
    plain = build_organization()
    records = (alias(plain, f"*.{BASE}", "ecr.dkr"), DnsRecord(f"x.ecr.{BASE}", "TXT"))
    organization = associate(plain, zones=[zone(BASE, *records)])
    assert ask(organization).outcome is ENDPOINT
    assert ask(organization, API).outcome is NOWHERE  # `ecr` exists, without a wildcard of its own
    assert ask(organization, f"x.ecr.{BASE}").outcome is NOWHERE  # another type


@pytest.mark.parametrize(
    ("domain", "kind", "outcome"),
    [
        ("", FORWARD, ENDPOINT),  # a zone is more specific than a rule for all names
        ("amazonaws.com", FORWARD, ENDPOINT),
        (KMS, FORWARD, UNKNOWN),  # of the same name, a rule goes first
        (KMS, SYSTEM, ENDPOINT),  # the Resolver itself answers, by the zone
        (KMS, RuleKind.UNKNOWN, UNKNOWN),
        ("", RuleKind.RECURSIVE, ENDPOINT),
    ],
)
def test_a_rule_beside_a_zone(domain: str, kind: RuleKind, outcome: NameOutcome) -> None:
    """https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/resolver-overview-forward-vpc-to-network-autodefined-rules.html."""
    plain = build_organization()
    organization = associate(
        plain, zones=[zone(KMS, alias(plain, KMS))], rules=[rule(domain, kind, *OUTSIDE)]
    )
    found = ask(organization)
    assert found.outcome is outcome
    if outcome is UNKNOWN:
        assert found.steps[-1].subject == "R1"


def test_a_system_rule_cancels_a_broader_forward_rule() -> None:
    """AWS recommends one for `amazonaws.com` beside a rule that forwards all names."""
    plain = build_organization()
    forward = rule("", FORWARD, *OUTSIDE)
    system = rule("amazonaws.com", SYSTEM, rule_id="R2")
    assert ask(associate(plain, rules=[forward])).outcome is UNKNOWN
    assert ask(associate(plain, rules=[forward, system])).outcome is PUBLIC
    narrower = rule(KMS, FORWARD, *OUTSIDE, rule_id="R3")
    assert ask(associate(plain, rules=[narrower, system])).outcome is UNKNOWN


def build_profile(
    organization: Organization, *zones: HostedZone, profile_id: str = PROFILE
) -> Organization:
    """Add a Profile with zones."""
    profile = Profile(profile_id, HUB_ACCOUNT, tuple(each.id for each in zones))
    found = {each.id: each for each in zones}
    return organization.edit_shared(profiles={profile_id: profile}, zones=found)


def test_a_zone_of_the_vpc_goes_before_one_of_a_profile() -> None:
    """https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/profiles.html.

    A more specific one of the Profile goes first.
    """
    plain = build_organization()
    organization = build_profile(plain, zone(KMS, alias(plain, KMS), zone_id="ZP"))
    uses = (ProfileUse(PROFILE),)
    same = associate(organization, zones=[zone(KMS)], profiles=uses)
    assert ask(same).outcome is NOWHERE
    broader = associate(organization, zones=[zone("amazonaws.com")], profiles=uses)
    assert ask(broader).outcome is ENDPOINT


@pytest.mark.parametrize(("first", "outcome"), [("ZA", ENDPOINT), ("ZB", NOWHERE)])
def test_the_profile_of_the_lower_priority_goes_first(first: str, outcome: NameOutcome) -> None:
    """https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/profiles-vpc-update-priority.html."""
    plain = build_organization()
    organization = build_profile(plain, zone(KMS, alias(plain, KMS), zone_id="ZA"), profile_id="A")
    organization = build_profile(organization, zone(KMS, zone_id="ZB"), profile_id="B")
    order = {"ZA": (100, 200), "ZB": (300, 200)}[first]
    uses = (ProfileUse("A", order[0]), ProfileUse("B", order[1]))
    assert ask(associate(organization, profiles=uses)).outcome is outcome


def test_what_aws_does_not_document_is_unknown_unless_it_makes_no_difference() -> None:
    """A broader zone of the first Profile, and a rule of a Profile of the name of a zone."""
    plain = build_organization()
    hub = zone(KMS, alias(plain, KMS), zone_id="ZB")
    for records, outcome in (((), UNKNOWN), ((alias(plain, KMS),), ENDPOINT)):
        organization = build_profile(plain, zone(BASE, *records, zone_id="ZA"), profile_id="A")
        organization = build_profile(organization, hub, profile_id="B")
        uses = (ProfileUse("A", 100), ProfileUse("B", 200))
        found = ask(associate(organization, profiles=uses))
        assert found.outcome is outcome
    forward = rule(KMS, FORWARD, *OUTSIDE)
    profile = Profile(PROFILE, HUB_ACCOUNT, rule_ids=("R1",))
    organization = plain.edit_shared(profiles={PROFILE: profile}, rules={"R1": forward})
    found = ask(associate(organization, zones=[hub], profiles=(ProfileUse(PROFILE),)))
    assert found.outcome is UNKNOWN


@pytest.mark.parametrize(
    ("fallback", "outcome"), [(False, NOWHERE), (True, PUBLIC), (None, UNKNOWN)]
)
def test_a_zone_may_fall_back_to_public_dns(*, fallback: bool | None, outcome: NameOutcome) -> None:
    """https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/hosted-zone-private-public-dns-fallback.html.

    A name that exists with other types does not fall back.
    """
    plain = build_organization()
    text = DnsRecord(KMS, "TXT", ('"x"',))
    organization = associate(plain, zones=[zone(BASE, text, public_fallback=fallback)])
    assert ask(organization, DKR).outcome is outcome
    assert ask(organization, KMS).outcome is NOWHERE


@pytest.mark.parametrize(
    ("attribute", "value", "outcome"),
    [
        ("dns_support", False, NOWHERE),
        ("dns_hostnames", False, PUBLIC),
        ("dns_support", None, UNKNOWN),
        ("dns_hostnames", None, UNKNOWN),
    ],
)
def test_zones_need_both_dns_attributes(
    *, attribute: str, value: bool | None, outcome: NameOutcome
) -> None:
    """https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/hosted-zone-private-considerations.html."""
    found = ask(edit_vpc(build_organization(), SPOKE, **{attribute: value}))
    assert found.outcome is outcome
    if outcome is UNKNOWN:
        assert found.steps[-1].missing == f"ec2:DescribeVpcAttribute in account {SPOKE_ACCOUNT}"
        unused = edit_vpc(associate(build_organization()), SPOKE, **{attribute: value})
        assert ask(unused).outcome is PUBLIC


# --- forwarding ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("servers", "outcome"),
    [
        (("AmazonProvidedDNS",), PUBLIC),
        (("10.0.16.2", "169.254.169.253", "fd00:ec2::253"), PUBLIC),
        (("10.0.0.5",), ENDPOINT),  # the hub's inbound Resolver endpoint
        (("AmazonProvidedDNS", "10.0.0.5"), UNKNOWN),  # hosts may ask either
        (("192.168.0.53",), UNKNOWN),
        (("not-an-address",), UNKNOWN),
        ((), UNKNOWN),
        (None, UNKNOWN),
    ],
)
def test_hosts_ask_the_servers_of_their_dhcp_options(
    servers: tuple[str, ...] | None, outcome: NameOutcome
) -> None:
    """An inbound Resolver endpoint answers as the Resolver of its VPC does."""
    organization = associate(build_organization(names=Names.FORWARDING))
    found = ask(edit_vpc(organization, dns_servers=servers))
    assert found.outcome is outcome
    assert found.steps[0].kind is StepKind.DNS_SERVERS


@pytest.mark.parametrize(
    ("peer", "ports", "protocol", "outcome"),
    [
        ("10.0.0.0/8", (53, 53), "udp", ENDPOINT),
        ("10.0.16.0/24", (0, 65535), "tcp", ENDPOINT),
        ("10.0.32.0/20", (53, 53), "udp", NOWHERE),  # the other spoke
        ("10.0.0.0/8", (443, 443), "tcp", NOWHERE),
    ],
)
def test_the_groups_of_an_inbound_endpoint_let_the_queries_of_hosts_in(
    peer: str, ports: tuple[int, int], protocol: str, outcome: NameOutcome
) -> None:
    """Hosts that ask it themselves get no answer otherwise."""
    organization = edit_vpc(build_organization(names=Names.FORWARDING), dns_servers=("10.0.0.5",))

    def admit(hub: Snapshot) -> Snapshot:
        group = replace(
            hub.security_groups[RESOLVER_GROUP], ingress=(admits(peer, ports, protocol),)
        )
        return replace(hub, security_groups={**hub.security_groups, group.id: group})

    found = ask(organization.edit_vpc(HUB, admit))
    assert found.outcome is outcome
    if outcome is NOWHERE:
        step = found.steps[-1]
        assert (step.kind, step.subject) == (StepKind.DNS_SERVERS, RESOLVER_GROUP)


def test_rules_that_forward_in_a_circle_lead_nowhere() -> None:
    """The hub's Resolver would ask itself over and over."""
    organization = build_organization(names=Names.FORWARDING)
    rules = tuple(organization.shared.rules)
    organization = organization.edit_shared(
        vpcs={HUB: replace(organization.shared.vpcs[HUB], rule_ids=rules)}
    )
    assert ask(organization).outcome is NOWHERE


def test_targets_in_several_vpcs_are_all_possible() -> None:
    """A rule may forward to the hub and to a VPC that has no endpoint."""
    organization = build_organization(names=Names.FORWARDING)
    spoke = organization.snapshots["vpc-spoke2"]
    address = ip_address("10.0.32.5")
    other = InboundResolver("in-2", get_spoke_account(2), "vpc-spoke2", (address,))
    forward = rule(KMS, FORWARD, ip_address("10.0.0.5"), address, rule_id=f"rslvr-rr-{KMS}")
    organization = organization.edit_shared(rules={forward.id: forward}, resolvers={"in-2": other})
    found = ask(organization)  # the other VPC was not evaluated
    assert found.outcome is UNKNOWN
    assert "vpc-spoke2" in found.steps[-1].missing
    forwarded = organization.edit_shared(central_vpcs={"vpc-spoke2": spoke})
    public = associate(forwarded, "vpc-spoke2", rule_ids=())
    assert ask(public).outcome is PARTLY


def test_a_value_that_is_no_address_names_nothing() -> None:
    """It is missing by name where it decides, and stops nothing else."""
    record = DnsRecord(KMS, "A", ("banana", "10.0.0.10"))
    assert list_named(zone(KMS, record)).addresses == {ip_address("10.0.0.10")}
    found = ask(with_records(DnsRecord(KMS, "A", ("banana",))))
    assert found.outcome is UNKNOWN


# --- records -------------------------------------------------------------------------------------


def with_records(*records: DnsRecord) -> Organization:
    """Build an organization whose zone for KMS has these records."""
    organization = build_organization()
    return associate(organization, zones=[zone(KMS, *records)])


def get_target(short: str = "kms", index: int = 0) -> str:
    """Return a DNS name of an endpoint of the hub: the Regional one first, then zonal ones."""
    return build_organization().endpoints[short].dns_names[index]


GONE = "vpce-0123456789abcdef0-abcdefgh.kms.eu-west-1.vpce.amazonaws.com"
ZONAL = ip_address("10.0.0.12")


@pytest.mark.parametrize(
    ("records", "outcome", "addresses"),
    [
        ([DnsRecord(KMS, "A", alias=get_target())], ENDPOINT, ()),
        ([DnsRecord(KMS, "A", alias=f"*.{get_target()}")], ENDPOINT, ()),
        ([DnsRecord(KMS, "A", alias=get_target(index=1))], ENDPOINT, (ZONAL,)),
        ([DnsRecord(KMS, "CNAME", (get_target(),))], ENDPOINT, ()),
        ([DnsRecord(KMS, "A", (str(ZONAL),))], ENDPOINT, (ZONAL,)),
        ([DnsRecord(KMS, "A", (str(ZONAL), "10.0.0.99"))], PARTLY, None),
        ([DnsRecord(KMS, "A", ("10.0.0.99",))], OTHER, None),  # in the hub, and no endpoint's
        ([DnsRecord(KMS, "A", ("10.0.17.9",))], OTHER, None),  # in the spoke itself
        ([DnsRecord(KMS, "A", ("10.0.32.9",))], UNKNOWN, None),  # in a VPC that was not evaluated
        ([DnsRecord(KMS, "A", ("172.31.0.9",))], UNKNOWN, None),  # in no VPC that is watched
        ([DnsRecord(KMS, "A", ("52.94.1.1",))], PUBLIC, None),
        ([DnsRecord(KMS, "A", ("x",))], UNKNOWN, None),
        ([DnsRecord(KMS, "A", alias=GONE)], NOWHERE, ()),
        ([DnsRecord(KMS, "A", alias=GONE.replace("eu-west-1", "us-east-1"))], UNKNOWN, ()),
        ([DnsRecord(KMS, "CNAME", (GONE,))], UNKNOWN, ()),
        ([DnsRecord(KMS, "AAAA", alias=get_target())], NOWHERE, ()),  # the endpoint has IPv4 only
        ([DnsRecord(KMS, "A", alias="internal-1.eu-west-1.elb.amazonaws.com")], UNKNOWN, ()),
        ([DnsRecord(KMS, "CNAME", ("kms.example.com",))], PUBLIC, ()),
        ([DnsRecord(KMS, "CNAME", (KMS,))], NOWHERE, ()),  # a circle
        (
            [DnsRecord(KMS, "A", alias=f"a.{KMS}"), DnsRecord(f"a.{KMS}", "A", alias=get_target())],
            ENDPOINT,
            (),
        ),
        (
            [DnsRecord(KMS, "CNAME", (f"a.{KMS}",)), DnsRecord(f"a.{KMS}", "A", (str(ZONAL),))],
            ENDPOINT,
            (ZONAL,),
        ),
        (
            [
                DnsRecord(KMS, "A", alias=get_target(), policy="weighted"),
                DnsRecord(KMS, "A", ("52.94.1.1",), policy="weighted"),
            ],
            PARTLY,
            None,
        ),
        (
            [
                DnsRecord(KMS, "A", alias=get_target(), policy="failover"),
                DnsRecord(KMS, "A", alias=get_target("ecr.api"), policy="failover"),
            ],
            ENDPOINT,
            (),
        ),
        (
            [
                DnsRecord(KMS, "A", alias=GONE, policy="weighted"),
                DnsRecord(KMS, "A", ("52.94.1.1",), policy="weighted"),
            ],
            PUBLIC,
            None,
        ),
        ([DnsRecord(KMS, "MX", ("10 mail",))], NOWHERE, ()),
    ],
)
def test_where_records_lead(
    records: list[DnsRecord], outcome: NameOutcome, addresses: tuple[Any, ...] | None
) -> None:
    """Aliases of Regional and zonal names, CNAME chains, addresses, and routing policies."""
    found = ask(with_records(*records))
    assert found.outcome is outcome, found
    if addresses is not None:
        assert found.addresses == addresses
    if outcome is UNKNOWN:
        assert found.steps[-1].missing


def test_a_record_of_a_deleted_endpoint_is_dangling() -> None:
    """It counts as deleted only while other endpoints of the zone's account are known."""
    organization = build_organization()
    endpoint = organization.endpoints["kms"]
    deleted = edit_endpoint(organization, "kms", state="deleting")
    found = ask(deleted)
    assert found.outcome is NOWHERE
    step = found.steps[-1]
    assert (step.kind, step.status, step.subject) == (
        StepKind.ENDPOINT,
        StepStatus.BROKEN,
        endpoint.id,
    )
    unread = UnreadFact(SharedFacet.CENTRAL_VPC, HUB_ACCOUNT, "not evaluated")
    unlisted = deleted.edit_vpc(
        HUB, lambda it: replace(it, unreadable={Facet.ENDPOINTS: "denied"}, endpoints={})
    )
    for unsure in (
        deleted.edit_shared(central_vpcs={HUB: None}),
        deleted.edit_shared(unread=(unread,)),
        unlisted,
    ):
        assert ask(unsure).outcome is UNKNOWN


def test_both_versions_of_a_dual_stack_endpoint() -> None:
    """A record for IPv6 beside the one for IPv4; either alone is enough."""
    records = (DnsRecord(KMS, "A", alias=get_target()), DnsRecord(KMS, "AAAA", alias=get_target()))
    for chosen, versions in ((records, {4, 6}), (records[:1], {4}), (records[1:], {6})):
        organization = edit_endpoint(with_records(*chosen), "kms", ip_address_type="dualstack")
        found = ask(organization)
        assert found.outcome is ENDPOINT
        assert found.versions == versions


def test_a_zone_that_delegates_is_unknown_only_with_a_delegation_rule() -> None:
    """https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/hosted-zone-private-considerations.html."""
    records = (DnsRecord(f"ecr.{BASE}", "NS", ("ns.example.com",)),)
    organization = associate(build_organization(), zones=[zone(BASE, *records)])
    assert ask(organization, DKR).outcome is NOWHERE
    delegate = rule("", RuleKind.DELEGATE)
    organization = associate(organization, zones=[zone(BASE, *records)], rules=[delegate])
    assert ask(organization, DKR).outcome is UNKNOWN
    assert ask(organization, KMS).outcome is NOWHERE


# --- stories -------------------------------------------------------------------------------------


def test_a_zone_named_after_the_service_leaves_the_name_public() -> None:
    """`ecr.api` instead of `api.ecr`: https://github.com/awslabs/landing-zone-accelerator-on-aws/issues/173."""
    plain = build_organization()
    wrong = zone(f"ecr.api.{BASE}", alias(plain, f"ecr.api.{BASE}", "ecr.api"))
    found = ask(associate(plain, zones=[wrong]), API)
    assert (found.outcome, found.steps[-1].subject) == (PUBLIC, SPOKE)


def test_a_missing_wildcard_makes_a_service_partly_there() -> None:
    """https://github.com/aws-samples/aws-secure-environment-accelerator/issues/809."""
    plain = build_organization()
    endpoint = plain.endpoints["ecr.dkr"]
    records = list_records(DKR, endpoint, wildcard=False)
    found = resolve(associate(plain, zones=[zone(DKR, *records)]), "ecr.dkr")
    assert found.resolves_to is ResolvesTo.PARTLY
    assert {each.name: each.outcome for each in found.names} == {DKR: ENDPOINT, ANY_DKR: NOWHERE}
    assert found.central == (endpoint,)
    assert f"{ANY_DKR}: does not resolve" in found.why
    assert f"{DKR}: endpoint" in found.why


def test_names_that_clients_opt_for_are_a_caveat() -> None:
    """The dual-stack name: https://github.com/awslabs/landing-zone-accelerator-on-aws/issues/942."""
    organization = build_organization(services=("monitoring",))
    plain, dual = (f"monitoring.{each}" for each in (BASE, "eu-west-1.api.aws"))
    kept = tuple(each for each in organization.shared.zones if each != f"Z-{dual}")
    found = resolve(associate(organization, zone_ids=kept), "monitoring")
    assert found.resolves_to is ResolvesTo.ENDPOINT
    assert f"{dual}, which some clients use instead, leads to: public addresses" in found.caveat
    assert [each.name for each in found.names] == [plain, dual]


def test_a_record_that_leads_to_an_endpoint_of_another_service() -> None:
    """The certificate of that service does not match the name."""
    found = resolve(with_records(DnsRecord(KMS, "A", alias=get_target("ecr.api"))), "kms")
    assert (found.resolves_to, found.central) == (ResolvesTo.OTHER, ())
    assert "is an endpoint for ecr.api, not for kms" in found.why
    assert found.names[0].steps[-1].status is StepStatus.BROKEN


def test_a_record_that_leads_to_an_endpoint_of_the_vpc_that_failed() -> None:
    """The state of an endpoint in another VPC is a step of the path to it."""
    organization = edit_endpoint(build_organization(), "kms", state="failed")
    assert resolve(organization, "kms").resolves_to is ResolvesTo.ENDPOINT
    found = resolve(organization, "kms", HUB)
    assert (found.resolves_to, found.endpoints) == (ResolvesTo.OTHER, ())
    assert "is failed" in found.why


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        (lambda it: associate(it, profiles=()), PUBLIC),  # shared, but never associated
        (lambda it: associate(it, zones=[zone(KMS)], profiles=it.shared.vpcs[SPOKE].profiles),
         NOWHERE),  # a zone of the VPC that was left over
        (lambda it: it.edit_shared(profiles={PROFILE: None}), UNKNOWN),  # no longer shared
        (lambda it: edit_vpc(it, dns_servers=("192.168.0.53",)), UNKNOWN),
    ],
)  # fmt: skip
def test_a_profile_that_does_not_decide(
    change: Callable[[Organization], Organization], outcome: NameOutcome
) -> None:
    """https://github.com/ministryofjustice/modernisation-platform/pull/13499."""
    assert ask(change(build_organization(names=Names.PROFILE))).outcome is outcome


@pytest.mark.parametrize("private_dns", [False, None])
def test_an_endpoint_of_a_profile_without_private_dns_is_unknown(
    *, private_dns: bool | None
) -> None:
    """AWS does not document whether it has names then."""
    organization = build_organization(names=Names.PROFILE_ENDPOINTS)
    found = ask(edit_endpoint(organization, "kms", private_dns=private_dns))
    assert found.outcome is UNKNOWN
    assert "does not document" in found.why


def build_s3_hub(*, only_inbound: bool, names: Names) -> Organization:
    """Build an organization whose hub also has an interface endpoint of S3 with private DNS."""
    organization = build_organization(names=names)
    endpoint = replace(
        organization.endpoints["kms"],
        id="vpce-0aaaaaaaaaaaaaaaa",
        service_name=S3,
        private_dns=True,
        private_dns_only_for_inbound_resolver=only_inbound,
        dns_names=("*.vpce-0aaaaaaaaaaaaaaaa-abcdefgh.s3.eu-west-1.vpce.amazonaws.com",),
    )
    return organization.edit_vpc(
        HUB, lambda it: replace(it, endpoints={**it.endpoints, endpoint.id: endpoint})
    )


def test_private_dns_of_s3_for_inbound_resolvers_has_two_answers() -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/privatelink-interface-endpoints.html#private-dns-s3.

    Hosts of the VPC use the gateway endpoint; those that ask its inbound Resolver endpoint do not.
    """
    organization = build_s3_hub(only_inbound=True, names=Names.FORWARDING)
    assert resolve(organization, "s3", HUB).resolves_to is ResolvesTo.PUBLIC
    assert resolve(organization, "s3").resolves_to is ResolvesTo.PUBLIC
    inbound = organization.shared.resolvers[RESOLVER].addresses
    forward = rule(f"s3.{BASE}", FORWARD, *inbound)
    found = resolve(associate(organization, rules=[forward]), "s3")
    assert found.resolves_to is ResolvesTo.PARTLY  # access points and S3 Control have other names
    answers = {each.name: each.outcome for each in found.names}
    assert answers[f"s3.{BASE}"] is answers[f"*.s3.{BASE}"] is ENDPOINT
    assert answers[f"*.s3-accesspoint.{BASE}"] is PUBLIC
    both = build_s3_hub(only_inbound=False, names=Names.FORWARDING)
    assert resolve(both, "s3", HUB).resolves_to is ResolvesTo.ENDPOINT


def test_a_zone_of_s3_bypasses_the_gateway_endpoint() -> None:
    """https://github.com/awslabs/landing-zone-accelerator-on-aws/issues/620.

    The names then resolve to private addresses, which no prefix list holds.
    """
    organization = build_s3_hub(only_inbound=True, names=Names.ZONES)
    target = "vpce-0aaaaaaaaaaaaaaaa-abcdefgh.s3.eu-west-1.vpce.amazonaws.com"
    zones = [
        zone(
            f"{each}.{BASE}",
            DnsRecord(f"{each}.{BASE}", "A", alias=target),
            DnsRecord(f"*.{each}.{BASE}", "A", alias=target),
            zone_id=f"Z-{each}",
        )
        for each in ("s3", "s3-control", "s3-accesspoint")
    ]
    whole = associate(organization, zones=zones)
    sources = list_sources(whole.snapshots[SPOKE], whole.shared)[S3]
    assert {(each.id, each.misnamed) for each in sources} == {(it.id, False) for it in zones}
    found = resolve(whole, "s3")
    assert found.resolves_to is ResolvesTo.ENDPOINT
    assert [each.id for each in found.central] == ["vpce-0aaaaaaaaaaaaaaaa"]
    found = resolve(associate(organization, zones=zones[:1]), "s3")
    assert found.resolves_to is ResolvesTo.PARTLY


# --- missing facts -------------------------------------------------------------------------------


def deny(facet: SharedFacet, account: str = SPOKE_ACCOUNT, subject: str = "") -> UnreadFact:
    """Build a fact that could not be read."""
    return UnreadFact(facet, account, "AccessDenied", subject)


ZONE_ID = f"Z-{KMS}"
UNREAD_PROFILE = Profile(PROFILE, HUB_ACCOUNT, resources_read=False)


@pytest.mark.parametrize(
    ("design", "change", "missing"),
    [
        (Names.PROFILE, {"unread": (deny(SharedFacet.ZONES_OF_VPC),)},
         f"route53:ListHostedZonesByVPC in account {SPOKE_ACCOUNT}"),
        (Names.PROFILE, {"unread": (deny(SharedFacet.ZONES_OF_VPC, subject=SPOKE),)},
         f"route53:ListHostedZonesByVPC in account {SPOKE_ACCOUNT}"),
        (Names.ZONES, {"unread": (deny(SharedFacet.RULE_ASSOCIATIONS),)},
         f"route53resolver:ListResolverRuleAssociations in account {SPOKE_ACCOUNT}"),
        (Names.PROFILE, {"unread": (deny(SharedFacet.PROFILE_ASSOCIATIONS),)},
         f"route53profiles:ListProfileAssociations in account {SPOKE_ACCOUNT}"),
        (Names.PROFILE, {"unread": (deny(SharedFacet.ZONES, HUB_ACCOUNT),)},
         f"route53:ListHostedZones in account {HUB_ACCOUNT}"),
        (Names.PROFILE, {"zones": {"Z9": zone(KMS, zone_id="Z9")},
                         "unread": (deny(SharedFacet.ZONE, HUB_ACCOUNT, "Z9"),)},
         f"route53:GetHostedZone in account {HUB_ACCOUNT}"),
        (Names.ZONES, {"vpcs": {SPOKE: None}}, f"ec2:DescribeVpcs of {SPOKE}"),
        (Names.ZONES, {"zones": {ZONE_ID: None}}, f"route53:ListHostedZones of {ZONE_ID}"),
        (Names.ZONES, {"zones": {ZONE_ID: HostedZone(ZONE_ID, KMS, HUB_ACCOUNT, None)},
                       "unread": (deny(SharedFacet.RECORDS, HUB_ACCOUNT, ZONE_ID),)},
         f"route53:ListResourceRecordSets in account {HUB_ACCOUNT} (AccessDenied)"),
        (Names.PROFILE, {"profiles": {PROFILE: UNREAD_PROFILE}},
         "route53profiles:ListProfileResourceAssociations"),
        (Names.PROFILE_ENDPOINTS, {"central_vpcs": {HUB: None}},
         "the VPC's own evaluation of vpce-"),
        (Names.FORWARDING, {"central_vpcs": {HUB: None}},
         f"the VPC's own evaluation of {HUB} in account {HUB_ACCOUNT}"),
        (Names.FORWARDING, {"resolvers": {RESOLVER: None},
                            "unread": (deny(SharedFacet.RESOLVER_ENDPOINTS, HUB_ACCOUNT),)},
         f"route53resolver:ListResolverEndpoints in account {HUB_ACCOUNT}"),
        (Names.FORWARDING, {"resolvers": {RESOLVER: None}}, "what 10.0.0.5 answers"),
        (Names.FORWARDING, {"rules": {f"rslvr-rr-{KMS}": None}},
         f"route53resolver:ListResolverRules of rslvr-rr-{KMS}"),
    ],
)  # fmt: skip
def test_a_missing_fact_is_named_with_account_and_permission(
    design: Names, change: dict[str, Any], missing: str
) -> None:
    """A fact that was not read never makes a name lead to an endpoint, or to public addresses."""
    found = ask(build_organization(names=design).edit_shared(**change))
    assert found.outcome is UNKNOWN
    assert missing in " ".join(each.missing for each in found.steps)


@pytest.mark.parametrize(
    "unread",
    [
        deny(SharedFacet.ZONES_OF_VPC, get_spoke_account(2)),  # of another account
        deny(SharedFacet.ZONES_OF_VPC, subject="vpc-other"),
        deny(SharedFacet.ZONES_OF_VPC),  # a VPC has no two zones of one name
        deny(SharedFacet.PROFILE_ASSOCIATIONS),  # the VPC's own zone of this name goes first
        deny(SharedFacet.ZONES, HUB_ACCOUNT),
        deny(SharedFacet.ZONE, HUB_ACCOUNT, ZONE_ID),
    ],
)
def test_facts_that_cannot_change_the_answer_may_be_missing(unread: UnreadFact) -> None:
    """A zone of the very name that the VPC itself is associated with decides."""
    organization = build_organization().edit_shared(unread=(unread,))
    assert ask(organization).outcome is ENDPOINT


def test_the_zone_of_a_profile_may_be_associated_with_the_vpc_too() -> None:
    """It makes no difference, so which VPCs it is associated with may be unknown."""
    unread = deny(SharedFacet.ZONE, HUB_ACCOUNT, ZONE_ID)
    organization = build_organization(names=Names.PROFILE).edit_shared(unread=(unread,))
    assert ask(organization).outcome is ENDPOINT


def test_zones_of_accounts_that_could_not_be_read() -> None:
    """They count where the VPC is connected with the account, and a zone for its names only."""
    organization = build_organization()
    lost = associate(organization)
    assert ask(lost).outcome is PUBLIC
    for account, outcome in ((HUB_ACCOUNT, UNKNOWN), (get_spoke_account(2), PUBLIC)):
        denied = lost.edit_shared(unread=(deny(SharedFacet.ZONES, account),))
        assert ask(denied).outcome is outcome
    one = lost.edit_shared(unread=(deny(SharedFacet.ZONE, HUB_ACCOUNT, ZONE_ID),))
    assert ask(one).outcome is UNKNOWN
    assert ask(one, API).outcome is PUBLIC


def test_a_rule_of_the_very_name_decides_whatever_was_not_read() -> None:
    """A VPC has no two rules of one name, and a rule goes before a zone."""
    organization = build_organization()
    zones, rules = [zone(KMS, alias(organization, KMS))], [rule(KMS, SYSTEM)]
    organization = associate(organization, zones=zones, rules=rules)
    organization = organization.edit_shared(unread=(deny(SharedFacet.RULE_ASSOCIATIONS),))
    assert ask(organization).outcome is ENDPOINT
    assert ask(organization, API).outcome is UNKNOWN


def add_own_endpoint(snapshot: Snapshot) -> Snapshot:
    """Add an endpoint of KMS with private DNS to a VPC."""
    endpoint = Endpoint(
        "vpce-0bbbbbbbbbbbbbbbb",
        EndpointType.INTERFACE,
        snapshot.vpc.id,
        "com.amazonaws.eu-west-1.kms",
        "available",
        private_dns=True,
        network_interface_ids=("eni-own",),
        ip_address_type="ipv4",
    )
    own = NetworkInterface(
        "eni-own", "subnet-spoke1-a", "eu-west-1a", (ip_address("10.0.16.9"),), ()
    )
    return replace(
        snapshot,
        endpoints={**snapshot.endpoints, endpoint.id: endpoint},
        network_interfaces={"eni-own": own},
    )


def test_private_dns_of_the_vpcs_own_endpoint_decides_whatever_was_not_read() -> None:
    """The answer without the shared network must not become unknown with it."""
    organization = build_organization().edit_vpc(SPOKE, add_own_endpoint)
    organization = associate(organization)
    for change in (
        {},
        {"unread": tuple(map(deny, SharedFacet))},
        {"vpcs": {SPOKE: None}},
    ):
        found = resolve(organization.edit_shared(**change), "kms")
        assert found.resolves_to is ResolvesTo.ENDPOINT
        assert [each.id for each in found.endpoints] == ["vpce-0bbbbbbbbbbbbbbbb"]
    forwarded = associate(organization, rules=[rule(KMS, FORWARD, *OUTSIDE)])
    assert resolve(forwarded, "kms").resolves_to is ResolvesTo.UNKNOWN  # a rule that is known


def test_endpoints_of_a_vpc_that_is_shared_belong_to_its_owner() -> None:
    """A participant does not see them, so that only what cannot be overruled is certain."""
    organization = edit_vpc(build_organization(names=Names.PROFILE), owner=HUB_ACCOUNT)
    found = ask(organization)
    assert found.outcome is UNKNOWN
    assert found.steps[-1].missing == f"ec2:DescribeVpcEndpoints in account {HUB_ACCOUNT}"
    assert ask(edit_vpc(build_organization(), owner=HUB_ACCOUNT)).outcome is ENDPOINT


# --- the names of a service, and the switch ------------------------------------------------------


def test_all_names_of_s3_and_the_public_name_of_dynamodb() -> None:
    """Also those that EC2 does not list, such as access points."""
    snapshot = build_organization().snapshots[SPOKE]
    services = snapshot.services
    assert list_names(snapshot, services[S3]) == (
        f"s3.{BASE}",
        f"*.s3.{BASE}",
        f"*.s3-accesspoint.{BASE}",
        f"*.s3-control.{BASE}",
    )
    bare = replace(services["com.amazonaws.eu-west-1.dynamodb"], private_dns_names=())
    assert list_names(snapshot, bare) == (f"dynamodb.{BASE}",)
    other = Service(
        "aws.sagemaker.eu-west-1.notebook", frozenset({EndpointType.INTERFACE}), "amazon"
    )
    assert list_names(snapshot, other) == ()


@pytest.mark.parametrize(
    ("name", "names", "opted"),
    [
        ("kms", (KMS,), ()),
        ("kms", (KMS, "kms-fips.eu-west-1.amazonaws.com"), ("kms-fips.eu-west-1.amazonaws.com",)),
        ("kms-fips", ("kms-fips.eu-west-1.amazonaws.com",), ()),
        ("ecr.dkr", (DKR, ANY_DKR, "*.dkr-ecr.eu-west-1.on.aws"), ("*.dkr-ecr.eu-west-1.on.aws",)),
        ("eks-auth", ("eks-auth.eu-west-1.api.aws",), ()),
        (
            "monitoring",
            (f"monitoring-fips.{BASE}", f"monitoring.{BASE}", "monitoring.eu-west-1.api.aws"),
            (f"monitoring-fips.{BASE}", "monitoring.eu-west-1.api.aws"),
        ),
    ],
)
def test_which_names_clients_opt_for(
    name: str, names: tuple[str, ...], opted: tuple[str, ...]
) -> None:
    """A service that has no other names has these by default."""
    types = frozenset({EndpointType.INTERFACE})
    service = Service(f"com.amazonaws.eu-west-1.{name}", types, "amazon", names)
    default, others = split_names(service, names)
    assert others == opted
    assert set(default) == set(names) - set(opted)


def without_shared(organization: Organization, short: str, vpc_id: str = SPOKE) -> NameResolution:
    """Resolve names with the switch off."""
    snapshot = organization.snapshots[vpc_id]
    return resolve_names(snapshot, snapshot.services[f"com.amazonaws.eu-west-1.{short}"])


def edit_routes(organization: Organization, **parts: Any) -> Organization:
    """Change the routes of the spoke to other networks; those to endpoints stay."""

    def change(snapshot: Snapshot) -> Snapshot:
        (table,) = snapshot.route_tables.values()
        routes = tuple(
            replace(each, **parts) if each.target.id.startswith(("tgw-", "pcx-", "core-")) else each
            for each in table.routes
        )
        return replace(snapshot, route_tables={table.id: replace(table, routes=routes)})

    return organization.edit_vpc(SPOKE, change)


def test_without_the_shared_network_names_beyond_the_vpc_are_unknown() -> None:
    """The answer names the switch; a VPC without routes to other networks keeps its answer."""
    for organization in (build_organization(), build_organization(names=Names.PROFILE)):
        found = without_shared(organization, "kms")
        assert found.resolves_to is ResolvesTo.UNKNOWN
        assert "SharedNetwork = on" in found.why
        assert "--shared-network" in found.why
        assert "tgw-0001" in found.why
    dead = without_shared(edit_routes(organization, blackhole=True), "kms")
    assert dead.resolves_to is ResolvesTo.PUBLIC
    assert without_shared(organization, "s3").resolves_to is ResolvesTo.PUBLIC
    own = without_shared(organization.edit_vpc(SPOKE, add_own_endpoint), "kms")
    assert own.resolves_to is ResolvesTo.ENDPOINT


@pytest.mark.parametrize(
    "change",
    [{"vpcs": {SPOKE: None}}, {"unread": (deny(SharedFacet.ZONES_OF_VPC),)}],
)
def test_a_vpc_that_reaches_no_other_network_keeps_its_answer(change: dict[str, Any]) -> None:
    """What could not be read of it changes nothing that clients can reach."""
    organization = associate(build_organization()).edit_shared(**change)
    found = resolve(organization, "kms")
    assert found.resolves_to is ResolvesTo.UNKNOWN
    assert f"in account {SPOKE_ACCOUNT}" in found.why
    alone = edit_routes(organization, blackhole=True)
    assert resolve(alone, "kms") == without_shared(alone, "kms")


def test_an_address_of_the_vpc_itself_is_its_own() -> None:
    """VPCs may overlap: the local route goes before every other."""
    organization = with_records(DnsRecord(KMS, "A", (str(ZONAL),)))
    overlapping = edit_vpc(organization, cidrs=(ip_network("10.0.0.0/16"),))
    assert ask(overlapping).outcome is OTHER


@pytest.mark.parametrize(
    ("name", "endpoint_id"),
    [
        ("vpce-0abc-1x2y.kms.eu-west-1.vpce.amazonaws.com", "vpce-0abc"),
        ("vpce-0abc-1x2y-eu-west-1a.kms.eu-west-1.vpce.amazonaws.com", "vpce-0abc"),
        ("*.vpce-0abc-1x2y.s3.eu-west-1.vpce.amazonaws.com", "vpce-0abc"),
        ("bucket.vpce-0abc-1x2y.s3.eu-west-1.vpce.amazonaws.com", "vpce-0abc"),
        ("vpce-0abc-1x2y.vpce-svc-0def.eu-west-1.vpce.amazonaws.com", "vpce-0abc"),
        ("vpce-0abc-1x2y.kms.cn-north-1.vpce.amazonaws.com.cn", "vpce-0abc"),
        ("vpce-0abc", "vpce-0abc"),
        (KMS, ""),
        ("vpce-0abc-1x2y.kms.example.com", ""),
        ("", ""),
    ],
)
def test_the_endpoint_that_a_dns_name_names(name: str, endpoint_id: str) -> None:
    """https://docs.aws.amazon.com/vpc/latest/privatelink/privatelink-access-aws-services.html."""
    assert get_endpoint_id(name) == endpoint_id


def test_a_central_vpc_is_found_by_an_alias_of_s3() -> None:
    """The Regional name of an endpoint of S3 begins with a wildcard."""
    target = "*.vpce-0aaaaaaaaaaaaaaaa-abcdefgh.s3.eu-west-1.vpce.amazonaws.com"
    named = list_named(zone(f"s3.{BASE}", DnsRecord(f"s3.{BASE}", "A", alias=target)))
    assert named.endpoint_ids == {"vpce-0aaaaaaaaaaaaaaaa"}
