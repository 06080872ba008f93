"""The survey of the shared network, from what each account sees to the network as a whole."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

import organization_designs as designs
from network_services import NetworkServices, count_calls
from organization_builders import (
    CORE,
    GATEWAY,
    HUB,
    HUB_ACCOUNT,
    HUB_TABLE,
    PROFILE,
    SPOKES_TABLE,
    Link,
    Names,
    Organization,
    build_organization,
    get_spoke_account,
)
from posture.model.shared_kind import FACETS, SharedKind
from posture.model.shared_network import (
    AttachmentKind,
    DnsRecord,
    HostedZone,
    ProfileUse,
    SharedFacet,
    SharedNetwork,
    TransitPeer,
    TransitRoute,
    TransitRouteTable,
)
from posture.organization.survey import SurveyPlan, read_part, survey_accounts, survey_network
from written_network import write_network

NOW = datetime(2026, 11, 28, 10, 30, tzinfo=UTC)
SPOKE = get_spoke_account(1)
UNMONITORED = "999999999999"
DESIGNS = [
    designs.build_whitepaper,
    designs.build_peered_whitepaper,
    designs.build_accelerator,
    designs.build_network_hub,
    designs.build_justice,
    designs.build_profile_of_endpoints,
    designs.build_forwarding,
    designs.build_core_network,
]


def survey(services: NetworkServices, shared: SharedNetwork, **chosen: Any) -> SharedNetwork:
    """Survey the accounts of a network, without a pause."""
    accounts = chosen.pop("accounts", shared.accounts)
    return survey_network(services.open_account, shared.region, accounts, now=lambda: NOW, **chosen)


def sort_parts(shared: SharedNetwork) -> dict[str, Any]:
    """Return the parts of a network without their order, which AWS does not promise."""
    return {
        "vpcs": {
            name: replace(
                it,
                cidrs=tuple(sorted(it.cidrs, key=str)),
                zone_ids=tuple(sorted(it.zone_ids)),
                rule_ids=tuple(sorted(it.rule_ids)),
            )
            for name, it in shared.vpcs.items()
        },
        "zones": {
            name: (it.name, it.owner, set(it.records or ()), it.public_fallback)
            for name, it in shared.zones.items()
        },
        "rules": dict(shared.rules),
        "resolvers": dict(shared.resolvers),
        "profiles": {
            name: (it.owner, set(it.zone_ids), set(it.rule_ids), set(it.endpoint_ids))
            for name, it in shared.profiles.items()
        },
        "gateways": {name: it.owner for name, it in shared.gateways.items()},
        "attachments": {
            name: replace(it, subnet_ids=tuple(sorted(it.subnet_ids)))
            for name, it in shared.attachments.items()
        },
        "tables": {
            name: (it.gateway_id, set(it.routes or ())) for name, it in shared.tables.items()
        },
        "peerings": dict(shared.peerings),
        "prefix_lists": {name: it.cidrs for name, it in shared.prefix_lists.items()},
    }


def write(organization: Organization) -> tuple[NetworkServices, SharedNetwork]:
    """Write the shared network of an organization as what its accounts see."""
    services = NetworkServices(organization.shared.region)
    write_network(services, organization.shared)
    return services, organization.shared


@pytest.mark.parametrize("build", DESIGNS, ids=lambda build: build.__name__)
def test_a_survey_finds_the_network_that_the_accounts_share(
    build: Callable[[], Organization],
) -> None:
    """The owners of its parts: zones, Profiles and gateways of the hub, VPCs of the spokes."""
    services, shared = write(build())
    found = survey(services, shared)
    assert sort_parts(found) == sort_parts(shared)
    assert found.unread == ()
    assert found.accounts == shared.accounts


def test_pages_do_not_matter() -> None:
    """Each operation is read to its last page."""
    services, shared = write(build_organization(spokes=4))
    services.page = 1
    assert sort_parts(survey(services, shared)) == sort_parts(shared)


def test_all_routing_policies_and_types_of_records_are_kept() -> None:
    """A wildcard is written as octal code, and a record of any type makes its name exist."""
    domain = "kms.eu-west-1.amazonaws.com"
    records = (
        DnsRecord(domain, "A", ("10.0.0.1", "10.0.0.2"), policy="weighted"),
        DnsRecord(domain, "AAAA", ("fd00::1",), policy="failover"),
        DnsRecord(f"*.{domain}", "CNAME", ("other.example.com",)),
        DnsRecord(f"_x.{domain}", "TXT"),
    )
    zone = HostedZone("Z1", domain, HUB_ACCOUNT, records, public_fallback=True)
    services, shared = write(build_organization().edit_shared(zones={"Z1": zone}))
    found = survey(services, shared).zones["Z1"]
    assert set(found.records or ()) == set(records)
    assert found.public_fallback


def test_zones_that_no_name_of_a_service_needs_are_not_read() -> None:
    """Unless a record of a zone that is read leads to them."""
    alias = DnsRecord("kms.eu-west-1.amazonaws.com", "CNAME", ("kms.corp.internal",))
    target = DnsRecord("kms.corp.internal", "A", ("10.0.0.7",))
    other = DnsRecord("www.shop.internal", "A", ("10.0.0.8",))
    kms = HostedZone("Z-kms", "kms.eu-west-1.amazonaws.com", HUB_ACCOUNT, (alias,))
    corp = HostedZone("Z-corp", "corp.internal", HUB_ACCOUNT, (target,))
    shop = HostedZone("Z-shop", "shop.internal", HUB_ACCOUNT, (other,))
    empty = build_organization(services=())
    organization = empty.edit_shared(zones={each.id: each for each in (kms, corp, shop)})
    services, shared = write(organization)
    found = survey(services, shared)
    assert found.zones["Z-corp"].records == (target,)
    assert found.zones["Z-shop"].records is None
    assert services.calls[HUB_ACCOUNT, "ListResourceRecordSets"] == 2


def test_records_of_a_large_zone_are_kept_where_they_can_decide_a_name() -> None:
    """Its wildcard, and what stands in the way of it."""
    name = "api.partner.example.com"
    kept = (
        DnsRecord("*.example.com", "A", ("10.0.0.1",)),
        DnsRecord("example.com", "MX"),
        DnsRecord("x.partner.example.com", "A", ("10.0.0.2",)),
    )
    others = tuple(DnsRecord(f"host{each}.example.com", "A", ("10.0.0.3",)) for each in range(500))
    zone = HostedZone("Z1", "example.com", HUB_ACCOUNT, (*kept, *others))
    services, shared = write(build_organization(services=()).edit_shared(zones={"Z1": zone}))
    service = {"ServiceName": "s", "PrivateDnsNames": [{"PrivateDnsName": name}]}
    services.add(HUB_ACCOUNT, "DescribeVpcEndpointServices", service)
    assert set(survey(services, shared).zones["Z1"].records or ()) == set(kept)


def test_zones_of_owners_that_are_not_watched_are_found_by_their_vpcs() -> None:
    """Their records are not known; those that AWS services own follow from the endpoints."""
    zone = HostedZone("Z9", "kms.eu-west-1.amazonaws.com", UNMONITORED, (), public_fallback=None)
    services, shared = write(build_organization(services=()))
    summary = {
        "HostedZoneId": "Z9",
        "Name": f"{zone.name}.",
        "Owner": {"OwningAccount": UNMONITORED},
    }
    managed = {"HostedZoneId": "Z8", "Name": "x.", "Owner": {"OwningService": "efs.amazonaws.com"}}
    services.add(SPOKE, "ListHostedZonesByVPC", summary, managed, of="vpc-spoke1")
    found = survey(services, shared)
    assert found.zones["Z9"] == replace(zone, records=None)
    assert found.vpcs["vpc-spoke1"].zone_ids == ("Z9",)
    assert "Z8" not in found.zones


def test_each_vpc_is_asked_for_its_zones_once_a_day() -> None:
    """The others keep their answer; one that a change names is asked at once."""
    services, shared = write(build_organization(spokes=30))
    owned = {"HostedZoneId": "Z9", "Name": "aws.", "Owner": {"OwningAccount": UNMONITORED}}
    for number in range(1, 31):
        account = get_spoke_account(number)
        services.add(account, "ListHostedZonesByVPC", owned, of=f"vpc-spoke{number}")
    first = survey(services, shared)
    services.calls.clear()
    times = {(SharedKind.ZONES, each): NOW for each in shared.accounts}
    zones = dict.fromkeys(sorted(shared.accounts), frozenset({SharedKind.ZONES}))

    def survey_zones(at: datetime, *changed: str) -> int:
        """Survey the zones; return how many VPCs are asked."""
        before = count_calls(services, ["ListHostedZonesByVPC"])
        plan = SurveyPlan(shared.region, shared.accounts, zones, first, times, frozenset(changed))
        for each in survey_accounts(services.open_account, plan, lambda: at):
            (part,) = each.parts
            (own,) = (it for it in part.network.vpcs.values() if it.account)
            assert ("Z9" in own.zone_ids) is (own.id != HUB)
            times[SharedKind.ZONES, each.account] = at
        return count_calls(services, ["ListHostedZonesByVPC"]) - before

    asked = [survey_zones(NOW + timedelta(hours=hour)) for hour in range(1, 25)]
    assert sum(asked) == len(shared.vpcs)
    assert max(asked) < len(shared.vpcs) / 2
    assert survey_zones(NOW + timedelta(hours=24), "vpc-spoke7") == 1


@pytest.mark.parametrize("facet", list(SharedFacet), ids=str)
def test_what_is_denied_is_an_unread_fact_of_its_account(facet: SharedFacet) -> None:
    """So is what would have been read of it; all else is read."""
    if ":" not in facet:
        return
    links = Link.CORE_NETWORK if facet.startswith("networkmanager") else Link.TRANSIT_GATEWAY
    names = (
        Names.PROFILE
        if "rofile" in facet
        else Names.FORWARDING
        if "esolver" in facet
        else Names.ZONES
    )
    services, shared = write(_add_rare_parts(build_organization(link=links, names=names)))
    services.fail(HUB_ACCOUNT, "AccessDeniedException", facet.split(":")[1])
    found = survey(services, shared)
    assert found.unread[0].facet == facet
    assert {each.account for each in found.unread} == {HUB_ACCOUNT}
    assert {each.why for each in found.unread} == {f"AccessDeniedException: {facet} is denied"}
    (kind,) = (kind for kind, facets in FACETS.items() if facet in facets)
    assert {each.facet for each in found.unread} <= set(FACETS[kind])


def _add_rare_parts(organization: Organization) -> Organization:
    """Add what a survey reads only where it is needed: a list, a peer, a zone of another name."""
    zone = HostedZone("Z-corp", "corp.internal", HUB_ACCOUNT, None)
    organization = organization.edit_shared(zones={zone.id: zone})
    if GATEWAY not in organization.shared.gateways:
        return organization
    table = organization.shared.tables[SPOKES_TABLE]
    reference = TransitRoute(None, "pl-1", ("tgw-attach-hub",))
    changed = replace(table, routes=(*(table.routes or ()), reference))
    peer = TransitPeer("tgw-2", "tgw-attach-there", "us-east-1", UNMONITORED)
    hub = organization.shared.attachments["tgw-attach-hub"]
    peering = replace(hub, id="tgw-attach-peer", kind=AttachmentKind.PEERING, peer=peer)
    return organization.edit_shared(
        tables={SPOKES_TABLE: changed}, attachments={peering.id: peering}
    )


def test_what_cannot_be_read_is_none_and_not_empty() -> None:
    """Records, routes, the resources of a Profile: nothing would be another answer."""
    services, shared = write(build_organization(names=Names.PROFILE))
    denied = (
        "ListResourceRecordSets",
        "SearchTransitGatewayRoutes",
        "ListProfileResourceAssociations",
    )
    services.fail(HUB_ACCOUNT, "AccessDeniedException", *denied)
    found = survey(services, shared)
    assert {each.records for each in found.zones.values()} == {None}
    assert {each.routes for each in found.tables.values()} == {None}
    assert not found.profiles[PROFILE].resources_read


def test_a_participant_sees_no_route_tables() -> None:
    """Whether its attachment has one is then not known."""
    services, shared = write(build_organization())
    found = survey(services, shared, accounts={SPOKE})
    assert found.tables == {}
    assert found.attachments["tgw-attach-spoke1"].table_id is None
    assert found.attachments["tgw-attach-spoke1"].subnet_ids
    assert found.gateways[GATEWAY].owner == HUB_ACCOUNT


def test_a_consumer_lists_a_profile_whose_owner_is_not_watched() -> None:
    """Its zones belong to accounts that are not watched either."""
    services, shared = write(build_organization(names=Names.PROFILE))
    found = survey(services, shared, accounts={SPOKE})
    assert found.profiles[PROFILE].zone_ids == tuple(sorted(shared.profiles[PROFILE].zone_ids))
    assert found.vpcs["vpc-spoke1"].profiles == (ProfileUse(PROFILE),)
    assert found.zones == {}


def test_of_two_profiles_the_priority_is_known() -> None:
    """The locked botocore lacks the member, which the layer's models add."""
    organization = build_organization(names=Names.PROFILE)
    vpc = organization.shared.vpcs["vpc-spoke1"]
    changed = replace(vpc, profiles=(ProfileUse(PROFILE, 200),))
    services, shared = write(organization.edit_shared(vpcs={vpc.id: changed}))
    assert survey(services, shared).vpcs[vpc.id].profiles == (ProfileUse(PROFILE, 200),)


def test_a_failure_of_one_account_stops_no_other() -> None:
    """Without former facts, all that it might have said is unread."""
    services, shared = write(build_organization())
    services.fail(HUB_ACCOUNT, "ThrottlingException", "DescribeTransitGateways")
    found = survey(services, shared)
    unread = {each.facet for each in found.unread}
    assert unread == set(FACETS[SharedKind.TRANSIT])
    assert "failed in spite of retries" in found.unread[0].why
    assert "tgw-attach-spoke1" in found.attachments
    assert found.zones


@pytest.mark.parametrize(
    ("operation", "row", "of", "named"),
    [
        ("ListHostedZones", {"Id": "Z1", "CallerReference": "1", "Name": ""}, "", "Name"),
        (
            "ListResourceRecordSets",
            {"Name": "x.", "Type": ""},
            "Z-kms.eu-west-1.amazonaws.com",
            "Type",
        ),
        (
            "ListResolverRules",
            {
                "Id": "r",
                "DomainName": "x.",
                "RuleType": "FORWARD",
                "TargetIps": [{"Ip": "10.0.0.999", "Port": 53}],
            },
            "",
            "Ip: expected an IP address, got '10.0.0.999'",
        ),
        ("ListProfiles", {"Arn": "arn"}, "", "Id"),
        ("DescribeTransitGateways", {"OwnerId": HUB_ACCOUNT}, "", "TransitGatewayId"),
        (
            "SearchTransitGatewayRoutes",
            {"DestinationCidrBlock": "10.0.0/8", "State": "active"},
            SPOKES_TABLE,
            "DestinationCidrBlock: expected a CIDR block, got '10.0.0/8'",
        ),
        (
            "DescribeVpcPeeringConnections",
            {"VpcPeeringConnectionId": "pcx-1", "Status": {}},
            "",
            "Code",
        ),
        ("DescribeVpcs", {"CidrBlock": "10.0.0.0/16"}, "", "VpcId"),
    ],
)
def test_a_malformed_row_is_named_with_its_member(
    operation: str, row: dict[str, Any], of: str, named: str
) -> None:
    """It could change any answer, so it is an unread fact."""
    services, shared = write(build_organization())
    services.add(HUB_ACCOUNT, operation, row, of=of)
    unread, *others = survey(services, shared).unread
    assert {each.why for each in others} <= {unread.why}
    assert unread.facet.endswith(operation)
    assert named in unread.why
    assert "malformed" in unread.why


def test_cloud_wan_is_not_missing_where_aws_does_not_offer_it() -> None:
    """In the partition aws-cn there is no Network Manager, so there are no core networks."""
    services = NetworkServices("cn-north-1")
    found = survey_network(services.open_account, "cn-north-1", [HUB_ACCOUNT], now=lambda: NOW)
    assert found.unread == ()
    assert services.calls[HUB_ACCOUNT, "ListCoreNetworks"] == 0


@pytest.mark.parametrize(("region", "unread"), [("eu-west-1", 3), ("ap-future-9", 0)])
def test_a_service_without_an_endpoint_in_the_region_has_nothing_there(
    region: str, unread: int
) -> None:
    """Where botocore knows one, the failure is one."""
    services = NetworkServices(region)
    error = EndpointConnectionError(endpoint_url=f"https://route53profiles.{region}")
    services.fail(HUB_ACCOUNT, error, "ListProfiles", "ListProfileAssociations")
    found = survey_network(services.open_account, region, [HUB_ACCOUNT], now=lambda: NOW)
    assert len(found.unread) == unread
    assert {each.facet for each in found.unread} <= set(FACETS[SharedKind.PROFILES])


def test_segments_of_a_core_network_have_tables_by_edge_location() -> None:
    """A destination that is no attachment stays named, so that the path does not end silently."""
    organization = build_organization(link=Link.CORE_NETWORK)
    services, shared = write(organization)
    table_id = f"{CORE}/spokes/{shared.region}"
    inspection = {
        "DestinationCidrBlock": "0.0.0.0/0",
        "Destinations": [{"NetworkFunctionGroupName": "inspection"}],
        "State": "ACTIVE",
        "Type": "STATIC",
    }
    services.add(HUB_ACCOUNT, "GetNetworkRoutes", inspection, of=table_id)
    found = survey(services, shared).tables[table_id]
    assert {each.attachment_ids for each in found.routes or ()} >= {("inspection",)}


def test_attachments_name_what_they_lead_to() -> None:
    """Kinds that are not followed are kept, so that the path is unknown by name."""
    organization = build_organization()
    hub = organization.shared.attachments["tgw-attach-hub"]
    vpn = replace(
        hub,
        id="tgw-attach-vpn",
        kind=AttachmentKind.VPN,
        resource_id="vpn-1",
        subnet_ids=(),
        carries_ipv6=None,
    )
    function = replace(vpn, id="tgw-attach-nf", kind=AttachmentKind.NETWORK_FUNCTION)
    services, shared = write(
        organization.edit_shared(attachments={it.id: it for it in (vpn, function)})
    )
    found = survey(services, shared).attachments
    assert found["tgw-attach-vpn"] == vpn
    assert found["tgw-attach-nf"] == function


def test_a_part_keeps_the_time_before_its_first_read() -> None:
    """So no fact of it is older."""
    services, shared = write(build_organization())
    plan = SurveyPlan(shared.region, shared.accounts, {})
    clients = services.open_account(HUB_ACCOUNT)
    part = read_part(clients, plan, SharedKind.TRANSIT, HUB_ACCOUNT, NOW)
    assert part.observed_at == NOW
    assert isinstance(part.network.tables[HUB_TABLE], TransitRouteTable)
    assert not part.network.zones
