"""Which calls lead to a survey of the shared network, and what it then reads."""

import json
from collections.abc import Mapping
from typing import Any

import botocore.session
import pytest
from moto.events.models import EventPattern

from change_records import ACCOUNT, OTHER, VPC, build_event, build_record, build_wrapped_record
from posture.changes.cloudtrail import parse_record
from posture.changes.event_names import EVENT_NAMES, HANDLED, IGNORED, explain_left_out
from posture.changes.shared_events import (
    NETWORK_EVENTS,
    NOT_SURVEYED,
    OF_VPCS,
    SERVICES,
    SURVEYED,
    VPC_TAGS,
)
from posture.changes.survey_patterns import build_forward_patterns, build_survey_patterns
from posture.errors import MalformedChangeError
from posture.model.change import Change, ChangeOutcome
from posture.model.shared_kind import SharedKind
from posture_cli.embedded.moto_patches import patch_moto

LIMIT = 2048  # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
READS = ("List", "Get", "Describe", "Search", "Test")
# Calls that are newer than the botocore that the project is tested with.
NEWER = {
    "route53.amazonaws.com": {"UpdateHostedZoneTier"},
    "route53profiles.amazonaws.com": {"UpdateProfileAssociation"},
}
ZONE = "Z0123456789ABCDEFGHIJ"
TGW_TABLE = "tgw-rtb-0aaaaaaaaaaaaaaa1"
ATTACHMENT = "tgw-attach-0aaaaaaaaaaaaaaa1"


def list_operations(service: str) -> set[str]:
    """List the operations of a service that change something."""
    model = botocore.session.get_session().get_service_model(service)
    return {name for name in model.operation_names if not name.startswith(READS)}


def list_names(source: str) -> list[str]:
    """List the names of the catalogue of a source, as often as they occur."""
    groups = (*SURVEYED, *NOT_SURVEYED)
    return [name for group in groups if group.source == source for name in group.names]


@pytest.mark.parametrize("source", SERVICES)
def test_every_call_of_a_service_is_listed_once(source: str) -> None:
    """A call that is new in botocore needs a place and a reason."""
    names = list_names(source)
    assert len(names) == len(set(names))
    known = list_operations(source.partition(".")[0])
    assert set(names) == known | NEWER.get(source, set())


def test_every_transit_gateway_call_of_ec2_is_listed_once() -> None:
    """Handled, surveyed or left out."""
    of_ec2 = (*HANDLED, *IGNORED, *SURVEYED, *NOT_SURVEYED)
    names = [
        name for group in of_ec2 if group.source == "ec2.amazonaws.com" for name in group.names
    ]
    assert len(names) == len(set(names))
    known = list_operations("ec2")
    assert {it for it in known if "TransitGateway" in it} <= set(names) <= known


def test_what_is_surveyed_is_read_and_what_is_not_has_a_reason() -> None:
    """No call is in both; those of VPCs are handled for these, too."""
    for group in (*OF_VPCS, *SURVEYED):
        assert group.survey.kinds
        assert {explain_left_out(group.source, name) for name in group.names} == {""}
    for group in NOT_SURVEYED:
        assert not group.survey.kinds
        assert {explain_left_out(group.source, name) for name in group.names} == {group.reason}
    assert {name for group in OF_VPCS for name in group.names} <= EVENT_NAMES


def list_matched(pattern: Mapping[str, Any]) -> set[tuple[str, str]]:
    """List the services with the calls, or else the events, that a pattern matches."""
    parts = [{**pattern, **each} for each in pattern.get("$or", [{}])]
    return {
        (source, name)
        for part in parts
        for source in part["source"]
        for name in part.get("detail", {}).get("eventName", part["detail-type"])
    }


def test_the_patterns_match_each_surveyed_call_once_within_the_limit() -> None:
    """EventBridge accepts each pattern, and one call leads to one message."""
    patterns = build_survey_patterns()
    matched = [pair for pattern in patterns.values() for pair in list_matched(pattern)]
    for group in (*OF_VPCS, VPC_TAGS, *SURVEYED):
        for name in group.names:
            assert matched.count((f"aws.{group.source.partition('.')[0]}", name)) == 1, name
    assert {("aws.networkmanager", name) for name in NETWORK_EVENTS} <= set(matched)
    for pattern in (*patterns.values(), *build_forward_patterns().values()):
        assert len(json.dumps(pattern)) <= LIMIT
        calls = pattern.get("$or", [pattern])[0]
        assert calls["detail"]["errorCode"] == [{"exists": False}]


def test_what_is_forwarded_is_what_the_stack_listens_to() -> None:
    """Of the two services whose events are in one Region only."""
    here = {pair for it in build_survey_patterns().values() for pair in list_matched(it)}
    forwarded = {pair for it in build_forward_patterns().values() for pair in list_matched(it)}
    assert forwarded <= here
    assert {source for source, _ in forwarded} == {"aws.route53", "aws.networkmanager"}


def parse(source: str, name: str, request: Any, response: Any = None, **more: Any) -> Change:
    """Parse the record of a call of a service."""
    return parse_record(
        build_record(name, request, response, eventSource=f"{source}.amazonaws.com", **more)
    )


def test_a_record_of_a_zone_names_the_zone_and_not_that_of_an_alias() -> None:
    """In the form of Route 53's records, whose members begin with a lower-case letter."""
    alias = {"dNSName": "vpce-0a.ec2.eu-west-1.vpce.amazonaws.com", "hostedZoneId": "ZALIASTARGET1"}
    records = {"name": "ec2.eu-west-1.amazonaws.com", "type": "A", "aliasTarget": alias}
    change = parse(
        "route53",
        "ChangeResourceRecordSets",
        {
            "hostedZoneId": ZONE,
            "changeBatch": {"changes": [{"action": "UPSERT", "resourceRecordSet": records}]},
        },
        {"changeInfo": {"id": "/change/C0123456789", "status": "PENDING"}},
        awsRegion="us-east-1",
    )
    assert change.outcome is ChangeOutcome.SURVEYED
    assert change.kinds == {SharedKind.ZONES}
    assert not change.spreads
    assert change.resource_ids == {ZONE}


@pytest.mark.parametrize(
    ("request_", "response"),
    [
        ({"id": ZONE}, None),
        ({"name": "ec2.eu-west-1.amazonaws.com"}, {"hostedZone": {"id": f"/hostedzone/{ZONE}"}}),
    ],
    ids=["deleted", "created"],
)
def test_a_zone_is_found_in_the_request_or_the_response(request_: Any, response: Any) -> None:
    """Its id has a prefix in some answers."""
    name = "DeleteHostedZone" if response is None else "CreateHostedZone"
    assert parse("route53", name, request_, response).resource_ids == {ZONE}


def test_the_association_of_a_zone_concerns_its_vpc_and_other_accounts() -> None:
    """The VPC's owner makes the call, and the zone's owner sees the association."""
    request = {"hostedZoneId": ZONE, "vPC": {"vPCId": VPC, "vPCRegion": "eu-west-1"}}
    change = parse("route53", "AssociateVPCWithHostedZone", request)
    assert change.spreads
    assert change.vpc_ids == {VPC}
    assert change.resource_ids == {VPC, ZONE}


@pytest.mark.parametrize(
    ("source", "name", "request_", "kinds", "ids"),
    [
        (
            "route53resolver",
            "AssociateResolverRule",
            {"resolverRuleId": "rslvr-rr-0aaaaaaaaaaaaaaa1", "vPCId": VPC},
            {SharedKind.RESOLVER},
            {"rslvr-rr-0aaaaaaaaaaaaaaa1", VPC},
        ),
        (
            "route53profiles",
            "AssociateProfile",
            {"profileId": "rp-0aaaaaaaaaaaaaaa", "resourceId": VPC, "name": "spoke"},
            {SharedKind.PROFILES},
            {"rp-0aaaaaaaaaaaaaaa", VPC},
        ),
        (
            "ram",
            "DisassociateResourceShare",
            {
                "resourceArns": [
                    f"arn:aws:route53profiles:eu-west-1:{ACCOUNT}:profile/rp-0aaaaaaaaaaaaaaa"
                ],
                "principals": [OTHER],
            },
            {SharedKind.RESOLVER, SharedKind.PROFILES, SharedKind.TRANSIT, SharedKind.CORE},
            {"rp-0aaaaaaaaaaaaaaa"},
        ),
        (
            "networkmanager",
            "DeleteAttachment",
            {"attachmentId": "attachment-0aaaaaaaaaaaaaaa1"},
            {SharedKind.CORE},
            {"attachment-0aaaaaaaaaaaaaaa1"},
        ),
    ],
)
def test_a_call_of_each_service_leads_to_its_facts(
    source: str, name: str, request_: Any, kinds: set[SharedKind], ids: set[str]
) -> None:
    """With the ids that it names, also those of ARNs."""
    change = parse(source, name, request_)
    assert change.outcome is ChangeOutcome.SURVEYED
    assert change.kinds == kinds
    assert change.resource_ids == ids


@pytest.mark.parametrize("build", [build_record, build_wrapped_record])
def test_a_transit_gateway_route_leads_to_a_survey_and_to_no_vpc(build: Any) -> None:
    """In both forms of EC2's records; it must not sweep the Region."""
    request = {
        "DestinationCidrBlock": "10.0.0.0/16",
        "TransitGatewayRouteTableId": TGW_TABLE,
        "TransitGatewayAttachmentId": ATTACHMENT,
    }
    change = parse_record(build("CreateTransitGatewayRoute", request))
    assert change.outcome is ChangeOutcome.SURVEYED
    assert change.kinds == {SharedKind.TRANSIT}
    assert change.resource_ids == {TGW_TABLE, ATTACHMENT}
    assert not change.vpc_ids


def test_an_attachment_of_a_vpc_is_handled_and_surveyed() -> None:
    """The VPC's routes may lead to the gateway, whose owner sees the attachment as well."""
    request = {"TransitGatewayId": "tgw-0aaaaaaaaaaaaaaa1", "VpcId": VPC}
    change = parse_record(build_wrapped_record("CreateTransitGatewayVpcAttachment", request))
    assert change.outcome is ChangeOutcome.APPLIED
    assert change.vpc_ids == {VPC}
    assert change.kinds == {SharedKind.TRANSIT}
    assert change.spreads


@pytest.mark.parametrize(
    ("tagged", "key", "matched", "surveyed"),
    [
        (VPC, "stage", True, True),
        (VPC, "posture-heartbeat", False, True),
        ("subnet-0aaaaaaaaaaaaaaa1", "stage", False, False),
    ],
    ids=["a VPC", "the heartbeat", "a subnet"],
)
def test_tags_of_vpcs_lead_to_a_survey(
    tagged: str, key: str, matched: bool, surveyed: bool
) -> None:
    """The pattern leaves the heartbeat out, which sets its tag every ten minutes."""
    patch_moto()
    request = {
        "resourcesSet": {"items": [{"resourceId": tagged}]},
        "tagSet": {"items": [{"key": key, "value": "any"}]},
    }
    record = build_record("CreateTags", request, {"_return": True})
    pattern = build_survey_patterns()["SurveyTagsRule"]
    event: Any = build_event(record)
    assert EventPattern(json.dumps(pattern), pattern).matches_event(event) is matched
    assert (parse_record(record).kinds == {SharedKind.ZONES}) is surveyed


def test_a_failed_or_read_only_call_leads_to_no_survey() -> None:
    """It changed nothing."""
    for more in ({"errorCode": "AccessDenied"}, {"readOnly": True}):
        change = parse("route53", "ChangeResourceRecordSets", {"hostedZoneId": ZONE}, **more)
        assert change.outcome is ChangeOutcome.IGNORED
        assert not change.kinds


def build_network_event(**more: Any) -> dict[str, Any]:
    """Build an event about a propagated route, as Network Manager sends it."""
    table = f"arn:aws:ec2:eu-west-1:{ACCOUNT}:transit-gateway-route-table/{TGW_TABLE}"
    attachment = {"tgwAttachmentId": ATTACHMENT, "resourceId": VPC, "attachmentType": "vpc"}
    detail = {
        "changeType": "TGW-ROUTE-INSTALLED",
        "changeDescription": "Transit gateway route installed.",
        "region": "eu-west-1",
        "transitGatewayRouteTableArns": [table],
        "routes": [{"destinationCidrBlock": "10.0.0.0/16", "attachments": [attachment]}],
        "sequenceNumber": 1,
    }
    return build_event(
        detail,
        source="aws.networkmanager",
        region="us-west-2",
        **{"detail-type": "Network Manager Routing Update"} | more,
    )


def test_an_event_of_network_manager_concerns_the_region_that_it_names() -> None:
    """And not us-west-2, where it is sent."""
    change = parse_record(build_network_event())
    assert change.outcome is ChangeOutcome.SURVEYED
    assert change.kinds == {SharedKind.TRANSIT, SharedKind.CORE}
    assert str(change.region) == f"{ACCOUNT}/eu-west-1"
    assert change.event_name == "TGW-ROUTE-INSTALLED"
    assert change.resource_ids == {TGW_TABLE, ATTACHMENT, VPC}
    assert change.vpc_ids == {VPC}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"account": None}, "account: expected a 12-digit account ID, got nothing"),
        ({"id": 7}, "id: expected a string, got 7"),
        ({"time": "yesterday"}, "time: expected an ISO 8601 time, got 'yesterday'"),
        ({"detail": []}, r"detail: expected an object, got \[\]"),
    ],
)
def test_a_malformed_event_of_network_manager_is_named(more: Any, message: str) -> None:
    """The message names the field and what was expected."""
    with pytest.raises(MalformedChangeError, match=f"^{message}$"):
        parse_record(build_network_event() | more)
