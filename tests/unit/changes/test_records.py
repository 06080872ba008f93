"""Each quirk of CloudTrail's EC2 records, by name, and what a change is made of it."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from change_records import (
    ACCOUNT,
    ENDPOINT,
    ENDPOINT2,
    GROUP,
    GROUP2,
    OTHER,
    REGION,
    SERVICE,
    SUBNET,
    SUBNET2,
    TABLE,
    VPC,
    VPC2,
    XMLNS,
    enveloped,
    record,
    tagged,
    wrapped,
)
from posture.changes.cloudtrail import parse_record
from posture.changes.event_names import EVENT_NAMES
from posture.errors import MalformedChangeError
from posture.model.change import ChangeOutcome
from posture.model.scope import Region


def ids(detail: dict[str, Any]) -> set[str]:
    """Give the ids that a record names."""
    change = parse_record(detail)
    assert change.outcome is ChangeOutcome.APPLIED, change.ignored_because
    return set(change.resource_ids)


# --- shapes --------------------------------------------------------------------------------------


FLAT = {"requestId": "r-1", "_return": True}
RECORDS: dict[str, tuple[dict[str, Any], set[str]]] = {
    "flat request": (
        record("DeleteRoute", {"routeTableId": TABLE, "destinationCidrBlock": "0.0.0.0/0"}, FLAT),
        {TABLE},
    ),
    "flat sets": (
        record(
            "AuthorizeSecurityGroupIngress",
            {
                "groupId": GROUP,
                "ipPermissions": {
                    "items": [{"groups": {"items": [{"groupId": GROUP2}]}, "ipRanges": {}}]
                },
            },
            FLAT,
        ),
        {GROUP, GROUP2},
    ),
    "flat empty set": (
        record("RevokeSecurityGroupIngress", {"groupId": GROUP, "ipPermissions": {}}, FLAT),
        {GROUP},
    ),
    "id only in the response": (
        record(
            "DisassociateSubnetCidrBlock",
            {"associationId": "subnet-cidr-assoc-0aaaaaaaaaaaaaaa1"},
            {"DisassociateSubnetCidrBlockResponse": {"subnetId": SUBNET}},
        ),
        {"subnet-cidr-assoc-0aaaaaaaaaaaaaaa1", SUBNET},
    ),
    "wrapped scalar": (wrapped("ModifyVpcEndpoint", {"VpcEndpointId": ENDPOINT}), {ENDPOINT}),
    "wrapped list of one is an object": (
        wrapped("DeleteVpcEndpoints", {"VpcEndpointId": tagged(ENDPOINT)}, {"unsuccessful": ""}),
        {ENDPOINT},
    ),
    "wrapped list of several": (
        wrapped(
            "DeleteVpcEndpoints",
            {"VpcEndpointId": tagged(ENDPOINT, ENDPOINT2)},
            {"unsuccessful": ""},
        ),
        {ENDPOINT, ENDPOINT2},
    ),
    "one member an object beside several in a list": (
        wrapped(
            "ModifyVpcEndpoint",
            {
                "VpcEndpointId": ENDPOINT,
                "AddSubnetId": tagged(SUBNET, SUBNET2),
                "AddSecurityGroupId": tagged(GROUP),
            },
        ),
        {ENDPOINT, SUBNET, SUBNET2, GROUP},
    ),
    "response sets of item": (
        wrapped(
            "CreateVpcEndpoint",
            {"VpcId": VPC},
            {
                "vpcEndpoint": {
                    "vpcEndpointId": ENDPOINT,
                    "subnetIdSet": {"item": [SUBNET, SUBNET2]},
                    "groupSet": {"item": {"groupId": GROUP, "groupName": "default"}},
                    "routeTableIdSet": "",
                    "ownerId": int(ACCOUNT),
                }
            },
        ),
        {VPC, ENDPOINT, SUBNET, SUBNET2, GROUP},
    ),
    "wrapper not named after the event": (
        record(
            "DeleteTransitGatewayVpcAttachment",
            {"DelTGwVpcAttachReq": {"TransitGatewayAttachmentId": "tgw-attach-0aaaaaaaaaaaaaaa1"}},
            {"DelTGwVpcAttachResp": {"transitGatewayVpcAttachment": {"vpcId": VPC}}},
        ),
        {"tgw-attach-0aaaaaaaaaaaaaaa1", VPC},
    ),
    "empty wrapper": (record("CreateDefaultVpc", {"CreateDefaultVpcRequest": ""}, None), set()),
    "missing response": (record("DeleteRouteTable", {"routeTableId": TABLE}, None), {TABLE}),
    "old ids of eight digits": (
        record("DeleteRouteTable", {"routeTableId": "rtb-0a1b2c3d"}, FLAT),
        {"rtb-0a1b2c3d"},
    ),
    "tags and descriptions are no pointers": (
        record(
            "CreateRouteTable",
            {
                "vpcId": VPC,
                "tagSpecificationSet": {"items": [{"tags": [{"key": "copy-of", "value": VPC2}]}]},
            },
            {"routeTable": {"routeTableId": TABLE, "tagSet": {"items": [{"value": VPC2}]}}},
        ),
        {VPC, TABLE},
    ),
    "a policy's text is no pointer": (
        wrapped(
            "ModifyVpcEndpoint",
            {"VpcEndpointId": ENDPOINT, "PolicyDocument": f'{{"x": "{ENDPOINT2}"}}'},
        ),
        {ENDPOINT},
    ),
}


@pytest.mark.parametrize("quirk", RECORDS)
def test_ids_are_found_in_every_shape(quirk: str) -> None:
    """Nothing is missed, nothing is invented."""
    detail, expected = RECORDS[quirk]
    assert ids(detail) == expected


@pytest.mark.parametrize("quirk", RECORDS)
def test_the_envelope_changes_nothing(quirk: str) -> None:
    """A bare record and one from EventBridge are the same change."""
    detail, _ = RECORDS[quirk]
    assert parse_record(enveloped(detail)) == parse_record(detail)


def test_vpcs_and_services_are_scopes_outright() -> None:
    """No look-up is needed for what names its scope."""
    assert parse_record(record("DeleteVpc", {"vpcId": VPC})).vpc_ids == {VPC}
    change = parse_record(wrapped("ModifyVpcEndpointServicePermissions", {"ServiceId": SERVICE}))
    assert change.service_ids == {SERVICE}


def test_a_peer_abroad_is_not_ours() -> None:
    """Of two peered VPCs just the one of this account is looked at."""
    detail = record(
        "AcceptVpcPeeringConnection",
        {"vpcPeeringConnectionId": "pcx-0aaaaaaaaaaaaaaa1"},
        {
            "vpcPeeringConnection": {
                "requesterVpcInfo": {"ownerId": OTHER, "vpcId": VPC2},
                "accepterVpcInfo": {"ownerId": ACCOUNT, "vpcId": VPC},
            }
        },
    )
    assert parse_record(detail).vpc_ids == {VPC}


@pytest.mark.parametrize(
    ("place", "peer"),
    [
        ("groups", {"userId": ACCOUNT, "groupId": GROUP2, "vpcId": VPC2}),
        ("referencedGroupInfo", {"userId": ACCOUNT, "groupId": GROUP2, "vpcId": VPC2}),
        ("UserIdGroupPairs", {"UserId": ACCOUNT, "GroupId": GROUP2, "VpcId": VPC2}),
    ],
)
def test_the_vpc_of_an_admitted_group_is_not_the_one_that_changes(place: str, peer: Any) -> None:
    """A rule that admits a group of a peered VPC moves the VPC of the group that has the rule."""
    rule = {"items": [{place: {"items": [peer]}}]}
    detail = record("AuthorizeSecurityGroupIngress", {"groupId": GROUP, "ipPermissions": rule}, {})
    change = parse_record(detail)
    assert change.vpc_ids == frozenset()
    assert change.resource_ids == {GROUP, GROUP2}


# --- whose --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "account"),
    [
        ({"recipientAccountId": OTHER}, OTHER),
        ({"recipientAccountId": int(OTHER)}, OTHER),
        ({"recipientAccountId": 12345678912}, "012345678912"),
        ({"recipientAccountId": None}, ACCOUNT),
    ],
    ids=["another's", "a number", "a number without its zero", "left out"],
)
def test_the_account_is_the_one_whose_resources_moved(more: dict[str, Any], account: str) -> None:
    """Not the caller's, where they differ."""
    change = parse_record(record("DeleteVpc", {"vpcId": VPC}, **more))
    assert change.region == Region(account, REGION)


def test_the_envelope_tells_what_a_record_lost() -> None:
    """Some publishers strip account, region and identity."""
    detail = record("DeleteVpc", {"vpcId": VPC})
    for name in ("recipientAccountId", "userIdentity", "awsRegion", "eventType"):
        del detail[name]
        change = parse_record(enveloped(detail))
        assert change == parse_record(enveloped(detail | {name: None}))
        assert change.region == Region(ACCOUNT, REGION)
        assert change.outcome is ChangeOutcome.APPLIED
    assert change.actor.arn == "unknown"


def test_a_record_without_any_account_is_of_the_owner_of_what_was_made() -> None:
    """Only where there is one owner; of two nobody can tell whose call it was."""
    stripped = {"recipientAccountId": None, "userIdentity": None}
    made = {"vpcEndpoint": {"ownerId": int(OTHER), "vpcId": VPC}}
    change = parse_record(wrapped("CreateVpcEndpoint", {"VpcId": VPC}, made, **stripped))
    assert change.region.account == OTHER
    assert change.vpc_ids == {VPC}
    peers = {"a": {"ownerId": ACCOUNT}, "b": [{"ownerId": OTHER}]}
    with pytest.raises(MalformedChangeError, match="recipientAccountId"):
        parse_record(record("AcceptVpcPeeringConnection", {}, peers, **stripped))


@pytest.mark.parametrize(
    ("identity", "told"),
    [
        (
            {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/bob", "accountId": ACCOUNT},
            "arn:aws:iam::111122223333:user/bob",
        ),
        (
            {
                "type": "AssumedRole",
                "arn": "arn:aws:sts::111122223333:assumed-role/R/s",
                "invokedBy": "cloudformation.amazonaws.com",
            },
            "arn:aws:sts::111122223333:assumed-role/R/s (through cloudformation.amazonaws.com)",
        ),
        ({"type": "AWSService", "invokedBy": "rds.amazonaws.com"}, "rds.amazonaws.com"),
        ({"type": "WebIdentityUser", "principalId": "sts:me"}, "sts:me"),
        ({}, "unknown"),
        (None, "unknown"),
    ],
)
def test_the_actor_is_named(identity: Any, told: str) -> None:
    """As well as the record allows."""
    change = parse_record(record("DeleteVpc", {"vpcId": VPC}, userIdentity=identity))
    assert str(change.actor) == told


@pytest.mark.parametrize(
    "time", ["2026-11-23T12:00:00Z", "2026-11-23T13:00:00+01:00", "2026-11-23T12:00:00"]
)
def test_times_are_utc(time: str) -> None:
    """However they are written."""
    change = parse_record(record("DeleteVpc", {"vpcId": VPC}, eventTime=time))
    assert change.time == datetime(2026, 11, 23, 12, tzinfo=UTC)


# --- what moves nothing --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"errorCode": "Client.UnauthorizedOperation"}, "the call failed"),
        ({"errorCode": "Client.DryRunOperation"}, "a dry run"),
        ({"eventType": "AwsServiceEvent"}, "no management call"),
        ({"eventType": "AwsVpceEvent", "errorCode": "VpceAccessDenied"}, "the call failed"),
        ({"readOnly": True}, "only reads"),
        ({"eventName": "DescribeVpcs", "readOnly": None}, "only reads"),
        ({"eventName": "RunInstances"}, "RunInstances moves no posture"),
        ({"eventSource": "rds.amazonaws.com"}, "moves no posture"),
    ],
)
def test_what_moves_nothing_is_ignored_with_its_reason(more: dict[str, Any], why: str) -> None:
    """It is read all the same."""
    change = parse_record(record("DeleteVpc", {"vpcId": VPC}, **more))
    assert change.outcome is ChangeOutcome.IGNORED
    assert why in change.ignored_because


def test_a_null_error_code_is_no_error() -> None:
    """Some publishers write it out."""
    change = parse_record(record("DeleteVpc", {"vpcId": VPC}, errorCode=None))
    assert change.outcome is ChangeOutcome.APPLIED


def failure(*endpoints: str) -> Any:
    """Give the members of `unsuccessful`."""
    members = [
        {"error": {"code": "InvalidVpcEndpoint.NotFound"}, "resourceId": each} for each in endpoints
    ]
    return {"item": members[0] if len(members) == 1 else members}


def test_a_part_that_did_not_succeed_is_left_out() -> None:
    """A call without error code may have done half of what it was asked."""
    detail = wrapped(
        "DeleteVpcEndpoints",
        {"VpcEndpointId": tagged(ENDPOINT, ENDPOINT2)},
        {"unsuccessful": failure(ENDPOINT2)},
    )
    assert ids(detail) == {ENDPOINT}


@pytest.mark.parametrize("asked", [(ENDPOINT,), (ENDPOINT, ENDPOINT2)])
def test_a_call_of_which_nothing_succeeded_is_ignored(asked: tuple[str, ...]) -> None:
    """It moved nothing."""
    detail = wrapped(
        "DeleteVpcEndpoints", {"VpcEndpointId": tagged(*asked)}, {"unsuccessful": failure(*asked)}
    )
    assert parse_record(detail).outcome is ChangeOutcome.IGNORED


# --- mistakes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spoilt", "told"),
    [
        (None, "record: expected an object, got nothing"),
        ([], "record: expected an object, got []"),
        ({}, "recipientAccountId: expected an account of 12 digits"),
        (enveloped(None), "detail: expected a CloudTrail record, got nothing"),
        (enveloped("x"), "detail: expected a CloudTrail record, got 'x'"),
        (record("DeleteVpc", recipientAccountId="x", userIdentity={}), "recipientAccountId"),
        (record("DeleteVpc", awsRegion=None), "awsRegion: expected a text, got nothing"),
        (record(""), "eventName: expected a text"),
        (record("DeleteVpc", eventID=7), "eventID: expected a text, got 7"),
        (record("DeleteVpc", eventTime="soon"), "eventTime: expected an ISO 8601 time, got 'soon'"),
        (record("DeleteVpc", eventTime="0001-01-01T00:00:00+14:00"), "expected an ISO 8601 time"),
        (record("DeleteVpc", eventTime=1), "eventTime: expected an ISO 8601 time, got 1"),
        (record("DeleteVpc", userIdentity="me"), "userIdentity: expected an object, got 'me'"),
        (enveloped(record("DeleteVpc", eventID=None)), "detail.eventID: expected a text"),
    ],
)
def test_a_mistake_names_its_field(spoilt: Any, told: str) -> None:
    """And what was expected there."""
    with pytest.raises(MalformedChangeError) as caught:
        parse_record(spoilt)
    assert told in str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from([VPC, ENDPOINT, "", XMLNS]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["item", "items", "content", "tag", "VpcId", "ownerId"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=15,
)


@given(st.sampled_from(sorted(EVENT_NAMES)), JSON, JSON)
def test_any_parameters_are_read(name: str, request: Any, response: Any) -> None:
    """Whatever stands in the two blocks, the record itself is sound and is never refused."""
    change = parse_record(record(name, request, response))
    assert change.event_name == name
    assert all(isinstance(each, str) for each in change.resource_ids)


@given(JSON | st.dictionaries(st.sampled_from(sorted(record("x"))), JSON))
def test_any_value_is_a_change_or_a_typed_error(value: Any) -> None:
    """Nothing else ever comes out."""
    try:
        parse_record(value)
    except MalformedChangeError as error:
        told = str(error)
    else:
        told = "read"
    assert told


@given(st.lists(st.sampled_from([ENDPOINT, ENDPOINT2, SUBNET, TABLE]), min_size=1, unique=True))
def test_a_list_in_any_form_names_the_same(members: list[str]) -> None:
    """Flat, wrapped, by item, by items."""
    forms = [
        {"items": members},
        {"item": members},
        {"items": {"item": members}},
        tagged(*members),
        members,
    ]
    found = [ids(record("DeleteVpcEndpoints", {"vpcEndpointIds": form})) for form in forms]
    assert found == [set(members)] * len(forms)
