"""Rows of the shared network's services as parts of the model."""

from collections.abc import Callable
from ipaddress import ip_address, ip_network
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posture.model.shared_network import (
    AttachmentKind,
    DnsRecord,
    ResolverRule,
    RuleKind,
    TransitPeer,
)
from posture.organization.parse.core_networks import (
    complete_vpc_attachment as complete_core_attachment,
)
from posture.organization.parse.core_networks import parse_core_attachment, parse_core_route
from posture.organization.parse.fields import MalformedRowError, get_domain_name, normalize_name
from posture.organization.parse.resolver import parse_profile, parse_profile_use, parse_rule
from posture.organization.parse.transit import (
    complete_vpc_attachment,
    list_peers,
    parse_attachment,
    parse_peering,
    parse_route,
)
from posture.organization.parse.zones import Relevance, parse_record, parse_zone, parse_zone_of_vpc

ACCOUNT, OTHER = "111122223333", "444455556666"
LABELS = st.lists(st.sampled_from("abcx"), min_size=1, max_size=5)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("\\052.ecr.eu-west-1.amazonaws.com.", "*.ecr.eu-west-1.amazonaws.com"),
        ("KMS.EU-West-1.amazonaws.com", "kms.eu-west-1.amazonaws.com"),
        (".", ""),
        ("a\\057b.example.", "a/b.example"),
    ],
)
def test_names_are_written_as_the_model_writes_them(text: str, name: str) -> None:
    """In lower case, without octal codes and the dot at the end."""
    assert normalize_name(text) == name


@pytest.mark.parametrize(
    ("features", "knows", "expected"),
    [
        ({}, True, False),
        ({"PublicDNSFallbackStatus": "ENABLED"}, True, True),
        ({"PublicDNSFallbackStatus": "DISABLED"}, True, False),
        ({"PublicDNSFallbackStatus": "ENABLING"}, True, None),
        ({}, False, None),
    ],
)
def test_public_fallback_is_off_unless_a_model_that_knows_it_says_so(
    features: dict[str, str], knows: bool, expected: bool | None
) -> None:
    """While it is switched, it is not known where."""
    row = {"Id": "/hostedzone/Z1", "Name": "x.", "Features": features}
    zone = parse_zone(row, ACCOUNT, knows_fallback=knows)
    assert (zone.id, zone.public_fallback) == ("Z1", expected)


def test_zones_of_aws_services_are_left_out() -> None:
    """Those of endpoints follow from the endpoints."""
    row = {"HostedZoneId": "Z1", "Name": "x.", "Owner": {"OwningService": "efs.amazonaws.com"}}
    assert parse_zone_of_vpc(row) is None


@pytest.mark.parametrize(
    ("members", "policy"),
    [
        ({}, ""),
        ({"Weight": 0}, "weighted"),
        ({"Failover": "SECONDARY"}, "failover"),
        ({"Region": "eu-west-1"}, "latency"),
        ({"GeoLocation": {"CountryCode": "*"}}, "geolocation"),
        ({"GeoProximityLocation": {"AWSRegion": "eu-west-1"}}, "geoproximity"),
        ({"MultiValueAnswer": True}, "multivalue"),
        ({"CidrRoutingConfig": {"CollectionId": "1", "LocationName": "x"}}, "IP-based"),
    ],
)
def test_a_routing_policy_makes_a_record_one_of_several_answers(
    members: dict[str, Any], policy: str
) -> None:
    """Also with the weight 0, which is answered if all others are."""
    row = {"Name": "x.", "Type": "A", "ResourceRecords": [{"Value": "10.0.0.1"}], **members}
    assert parse_record(row) == DnsRecord("x", "A", ("10.0.0.1",), policy=policy)


def test_values_that_lead_to_no_address_are_left_out() -> None:
    """The record still makes its name exist."""
    row = {"Name": "x.", "Type": "TXT", "ResourceRecords": [{"Value": '"secret"'}]}
    assert parse_record(row) == DnsRecord("x", "TXT")


@given(st.lists(LABELS, max_size=4), LABELS, LABELS)
def test_records_that_can_decide_a_name_are_kept(
    names: list[list[str]], zone: list[str], record: list[str]
) -> None:
    """Those at the name of a service, above it and below it, in a zone that holds the name."""
    joined = [".".join(each) for each in names]
    relevance = Relevance(joined)
    top, name = ".".join(zone), ".".join([*record, *zone])
    kept = relevance.select_records(top, [DnsRecord(name, "A")])
    for each in joined:
        inside = each == top or each.endswith(f".{top}")
        if inside and (name == each or name.endswith(f".{each}") or each.endswith(f".{name}")):
            assert kept
            assert relevance.covers(top)


def test_a_zone_above_all_names_of_aws_is_read() -> None:
    """It hides them all; a zone beside them is not."""
    relevance = Relevance(())
    assert relevance.covers("amazonaws.com")
    assert relevance.covers("com")
    assert relevance.covers("")
    assert relevance.covers("kms.eu-west-1.amazonaws.com")
    assert not relevance.covers("corp.internal")
    assert relevance.contains("sagemaker.aws")
    assert not relevance.contains("com")


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (
            {"Id": "r", "DomainName": ".", "RuleType": "RECURSIVE", "OwnerId": "Route 53 Resolver"},
            ResolverRule("r", "", RuleKind.RECURSIVE, owner="Route 53 Resolver"),
        ),
        (
            {"Id": "r", "DelegationRecord": "x.", "RuleType": "DELEGATE"},
            ResolverRule("r", "x", RuleKind.DELEGATE),
        ),
        (
            {"Id": "r", "DomainName": "x.", "RuleType": "NEW"},
            ResolverRule("r", "x", RuleKind.UNKNOWN),
        ),
        (
            {
                "Id": "r",
                "DomainName": "x.",
                "RuleType": "FORWARD",
                "TargetIps": [{"Ip": "10.0.0.9"}, {"Ipv6": "fd00::1"}, {"Ip": "10.0.0.1"}],
            },
            ResolverRule(
                "r",
                "x",
                RuleKind.FORWARD,
                tuple(map(ip_address, ("10.0.0.1", "10.0.0.9", "fd00::1"))),
            ),
        ),
    ],
)
def test_rules_of_all_types_are_kept(row: dict[str, Any], expected: ResolverRule) -> None:
    """One that AWS adds later is unknown."""
    assert parse_rule(row) == expected


def test_resources_of_a_profile_are_told_by_their_arn() -> None:
    """Those that come or go do not count yet or any more; others lead to no endpoint."""
    row = {"Id": "rp-1", "Arn": f"arn:aws:route53profiles:eu-west-1:{ACCOUNT}:profile/rp-1"}
    arns = [
        ("arn:aws:route53:::hostedzone/Z2", "COMPLETE"),
        ("arn:aws:route53:::hostedzone/Z1", "COMPLETE"),
        ("arn:aws:route53:::hostedzone/Z3", "DELETING"),
        ("arn:aws:route53resolver:eu-west-1:1:resolver-rule/rslvr-rr-1", "COMPLETE"),
        ("arn:aws:ec2:eu-west-1:1:vpc-endpoint/vpce-1", "COMPLETE"),
        ("arn:aws:ec2:eu-west-1:1:vpc-endpoint/vpce-2", "CREATING"),
        ("arn:aws:route53resolver:eu-west-1:1:resolver-query-log-config/rqlc-1", "COMPLETE"),
    ]
    profile = parse_profile(row, [{"ResourceArn": arn, "Status": status} for arn, status in arns])
    assert profile.owner == ACCOUNT
    assert profile.zone_ids == ("Z1", "Z2")
    assert profile.rule_ids == ("rslvr-rr-1",)
    assert profile.endpoint_ids == ("vpce-1",)


@pytest.mark.parametrize("resource", ["vpc-1", "arn:aws:ec2:eu-west-1:111122223333:vpc/vpc-1"])
def test_a_profile_is_associated_with_a_vpc_by_id_or_arn(resource: str) -> None:
    """The API's texts name both forms; without a priority it is 100."""
    vpc, use = parse_profile_use({"ProfileId": "rp-1", "ResourceId": resource})
    assert (vpc, use.profile_id, use.priority) == ("vpc-1", "rp-1", 100)


@pytest.mark.parametrize(
    ("association", "owner", "table"),
    [
        ({"TransitGatewayRouteTableId": "t", "State": "associated"}, ACCOUNT, "t"),
        ({"TransitGatewayRouteTableId": "t"}, ACCOUNT, "t"),
        ({"TransitGatewayRouteTableId": "t", "State": "disassociating"}, ACCOUNT, ""),
        ({}, ACCOUNT, ""),
        ({}, OTHER, None),
        ({"TransitGatewayRouteTableId": "t", "State": "associated"}, OTHER, "t"),
    ],
)
def test_only_the_owner_of_a_gateway_sees_that_an_attachment_has_no_table(
    association: dict[str, str], owner: str, table: str | None
) -> None:
    """To another account the table may just not be shown."""
    row = {
        "TransitGatewayAttachmentId": "a",
        "TransitGatewayId": "tgw-1",
        "TransitGatewayOwnerId": owner,
        "ResourceType": "vpn-concentrator",
        "State": "available",
        "Association": association,
    }
    attachment = parse_attachment(row, ACCOUNT)
    assert (attachment.table_id, attachment.kind) == (table, AttachmentKind.VPN)


@pytest.mark.parametrize(
    ("options", "carries"),
    [({"Ipv6Support": "enable"}, True), ({"Ipv6Support": "disable"}, False), ({}, None)],
)
def test_an_attachment_says_whether_it_supports_ipv6(
    options: dict[str, str], carries: bool | None
) -> None:
    """It is not known if AWS leaves the option out. A core network answers with a flag."""
    row = {
        "TransitGatewayAttachmentId": "a",
        "TransitGatewayId": "tgw-1",
        "TransitGatewayOwnerId": ACCOUNT,
        "ResourceType": "vpc",
        "State": "available",
    }
    attachment = parse_attachment(row, ACCOUNT)
    assert attachment.carries_ipv6 is None
    assert complete_vpc_attachment(attachment, {"Options": options}).carries_ipv6 is carries
    flags = {name: value == "enable" for name, value in options.items()}
    assert complete_core_attachment(attachment, {"Options": flags}).carries_ipv6 is carries


def test_both_ends_of_a_peering_name_each_other() -> None:
    """In one Region each gateway has an attachment of its own."""
    requester = {"TransitGatewayId": "tgw-1", "OwnerId": ACCOUNT, "Region": "eu-west-1"}
    accepter = {"TransitGatewayId": "tgw-2", "OwnerId": OTHER, "Region": "eu-west-1"}
    row = {
        "TransitGatewayAttachmentId": "a",
        "AccepterTransitGatewayAttachmentId": "b",
        "RequesterTgwInfo": requester,
        "AccepterTgwInfo": accepter,
    }
    assert list_peers(row) == {
        ("tgw-1", "a"): TransitPeer("tgw-2", "b", "eu-west-1", OTHER),
        ("tgw-2", "b"): TransitPeer("tgw-1", "a", "eu-west-1", ACCOUNT),
    }


def test_a_route_to_several_attachments_names_them_all() -> None:
    """Their order does not matter."""
    attached = [{"TransitGatewayAttachmentId": each} for each in ("b", "a")]
    row = {
        "DestinationCidrBlock": "10.0.0.0/8",
        "State": "active",
        "Type": "propagated",
        "TransitGatewayAttachments": attached,
    }
    route = parse_route(row)
    assert (route.cidr, route.attachment_ids) == (ip_network("10.0.0.0/8"), ("a", "b"))
    assert (route.static, route.blackhole) == (False, False)


@pytest.mark.parametrize("parse", [parse_route, parse_core_route])
def test_a_route_without_a_destination_is_malformed(parse: Callable[[Any], object]) -> None:
    """It could be any, so the routes of its table are not known."""
    with pytest.raises(MalformedRowError, match="PrefixListId"):
        parse({"State": "active", "Type": "static", "DestinationCidrBlock": ""})


@pytest.mark.parametrize(
    ("code", "active"),
    [("active", True), ("pending-acceptance", False), ("deleted", None), ("expired", None)],
)
def test_peering_connections_that_ended_are_left_out(code: str, active: bool | None) -> None:
    """One that waits for acceptance carries nothing."""
    side = {"VpcId": "vpc-1", "OwnerId": ACCOUNT, "Region": "eu-west-1"}
    row = {
        "VpcPeeringConnectionId": "pcx-1",
        "Status": {"Code": code},
        "RequesterVpcInfo": side,
        "AccepterVpcInfo": side,
    }
    found = parse_peering(row)
    assert (found.active if found else None) is active


def test_attachments_of_a_network_function_group_are_no_way_to_a_vpc() -> None:
    """A firewall stands there, whatever the type of the attachment."""
    row = {
        "CoreNetworkId": "core-network-1",
        "AttachmentId": "attachment-1",
        "AttachmentType": "VPC",
        "State": "UPDATING",
        "ResourceArn": "arn:aws:ec2:eu-west-1:1:vpc/vpc-1",
        "NetworkFunctionGroupName": "inspection",
    }
    attachment = parse_core_attachment(row)
    assert attachment.kind is AttachmentKind.NETWORK_FUNCTION
    assert (attachment.state, attachment.table_id) == ("available", "")


def test_a_route_of_a_segment_names_what_it_leads_to() -> None:
    """An attachment if there is one; otherwise what stands in its place."""
    row = {
        "DestinationCidrBlock": "10.0.0.0/8",
        "Destinations": [
            {"CoreNetworkAttachmentId": "attachment-1", "SegmentName": "hub"},
            {"SegmentName": "other"},
        ],
    }
    assert parse_core_route(row).attachment_ids == ("attachment-1", "other")


@pytest.mark.parametrize("row", [None, "text", {"Name": 5}, {"Name": None}, {"Name": ["x"]}])
def test_an_error_names_the_member(row: Any) -> None:
    """With what was there instead."""
    with pytest.raises(MalformedRowError, match="Name"):
        get_domain_name(row, "Name")


@given(st.lists(LABELS, max_size=4), LABELS)
def test_selected_records_are_sorted(names: list[list[str]], zone: list[str]) -> None:
    """AWS promises no order, and the digest must not depend on one."""
    top = ".".join(zone)
    records = [DnsRecord(f"{each}.{top}", "A") for each in "xcba"]
    found = Relevance([".".join(each) for each in names]).select_records(top, records)
    assert all(one.name <= other.name for one, other in pairwise(found))
