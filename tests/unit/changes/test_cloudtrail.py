"""Each form of CloudTrail's EC2 records, and the change that is parsed from it."""

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
    build_event,
    build_record,
    build_tagged_list,
    build_wrapped_record,
)
from posture.changes.cloudtrail import parse_record
from posture.changes.event_names import EVENT_NAMES
from posture.errors import MalformedChangeError
from posture.model.change import ChangeOutcome
from posture.model.scope import Region


def parse_ids(detail: dict[str, Any]) -> set[str]:
    """Parse a record and return its ids."""
    change = parse_record(detail)
    assert change.outcome is ChangeOutcome.APPLIED, change.ignored_because
    return set(change.resource_ids)


# --- shapes ---------------------------------------------------------------------------------------


FLAT = {"requestId": "r-1", "_return": True}
RECORDS: dict[str, tuple[dict[str, Any], set[str]]] = {
    "flat request": (
        build_record(
            "DeleteRoute", {"routeTableId": TABLE, "destinationCidrBlock": "0.0.0.0/0"}, FLAT
        ),
        {TABLE},
    ),
    "flat sets": (
        build_record(
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
        build_record("RevokeSecurityGroupIngress", {"groupId": GROUP, "ipPermissions": {}}, FLAT),
        {GROUP},
    ),
    "id only in the response": (
        build_record(
            "DisassociateSubnetCidrBlock",
            {"associationId": "subnet-cidr-assoc-0aaaaaaaaaaaaaaa1"},
            {"DisassociateSubnetCidrBlockResponse": {"subnetId": SUBNET}},
        ),
        {"subnet-cidr-assoc-0aaaaaaaaaaaaaaa1", SUBNET},
    ),
    "wrapped scalar": (
        build_wrapped_record("ModifyVpcEndpoint", {"VpcEndpointId": ENDPOINT}),
        {ENDPOINT},
    ),
    "wrapped list of one is an object": (
        build_wrapped_record(
            "DeleteVpcEndpoints",
            {"VpcEndpointId": build_tagged_list(ENDPOINT)},
            {"unsuccessful": ""},
        ),
        {ENDPOINT},
    ),
    "wrapped list of several": (
        build_wrapped_record(
            "DeleteVpcEndpoints",
            {"VpcEndpointId": build_tagged_list(ENDPOINT, ENDPOINT2)},
            {"unsuccessful": ""},
        ),
        {ENDPOINT, ENDPOINT2},
    ),
    "one member an object beside several in a list": (
        build_wrapped_record(
            "ModifyVpcEndpoint",
            {
                "VpcEndpointId": ENDPOINT,
                "AddSubnetId": build_tagged_list(SUBNET, SUBNET2),
                "AddSecurityGroupId": build_tagged_list(GROUP),
            },
        ),
        {ENDPOINT, SUBNET, SUBNET2, GROUP},
    ),
    "response sets of item": (
        build_wrapped_record(
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
        build_record(
            "DeleteTransitGatewayVpcAttachment",
            {"DelTGwVpcAttachReq": {"TransitGatewayAttachmentId": "tgw-attach-0aaaaaaaaaaaaaaa1"}},
            {"DelTGwVpcAttachResp": {"transitGatewayVpcAttachment": {"vpcId": VPC}}},
        ),
        {"tgw-attach-0aaaaaaaaaaaaaaa1", VPC},
    ),
    "empty wrapper": (
        build_record("CreateDefaultVpc", {"CreateDefaultVpcRequest": ""}, None),
        set(),
    ),
    "missing response": (build_record("DeleteRouteTable", {"routeTableId": TABLE}, None), {TABLE}),
    "old ids of eight digits": (
        build_record("DeleteRouteTable", {"routeTableId": "rtb-0a1b2c3d"}, FLAT),
        {"rtb-0a1b2c3d"},
    ),
    "ids in tags and descriptions": (
        build_record(
            "CreateRouteTable",
            {
                "vpcId": VPC,
                "tagSpecificationSet": {"items": [{"tags": [{"key": "copy-of", "value": VPC2}]}]},
            },
            {"routeTable": {"routeTableId": TABLE, "tagSet": {"items": [{"value": VPC2}]}}},
        ),
        {VPC, TABLE},
    ),
    "ids in a policy": (
        build_wrapped_record(
            "ModifyVpcEndpoint",
            {"VpcEndpointId": ENDPOINT, "PolicyDocument": f'{{"x": "{ENDPOINT2}"}}'},
        ),
        {ENDPOINT},
    ),
}


@pytest.mark.parametrize("form", RECORDS)
def test_ids_are_found_in_every_form(form: str) -> None:
    """Exactly the ids of the record are found."""
    detail, expected = RECORDS[form]
    assert parse_ids(detail) == expected


@pytest.mark.parametrize("form", RECORDS)
def test_a_record_in_an_eventbridge_event_is_the_same_change(form: str) -> None:
    """The event around the record does not matter."""
    detail, _ = RECORDS[form]
    assert parse_record(build_event(detail)) == parse_record(detail)


def test_vpc_and_service_ids_are_scopes() -> None:
    """They need no look-up."""
    assert parse_record(build_record("DeleteVpc", {"vpcId": VPC})).vpc_ids == {VPC}
    change = parse_record(
        build_wrapped_record("ModifyVpcEndpointServicePermissions", {"ServiceId": SERVICE})
    )
    assert change.service_ids == {SERVICE}


def test_a_peered_vpc_of_another_account_is_left_out() -> None:
    """Only the VPC of this account is a scope."""
    detail = build_record(
        "AcceptVpcPeeringConnection",
        {"vpcPeeringConnectionId": "pcx-0aaaaaaaaaaaaaaa1"},
        {
            "vpcPeeringConnection": {
                "requesterVpcInfo": {"ownerId": OTHER, "vpcId": VPC2},
                "accepterVpcInfo": {"ownerId": ACCOUNT, "vpcId": VPC},
            }
        },
    )
    change = parse_record(detail)
    assert change.vpc_ids == {VPC}
    assert change.other_vpc_ids == {VPC2}


def test_the_vpc_that_is_attached_to_a_transit_gateway_may_be_of_another_account() -> None:
    """The owner of the gateway accepts; the routes are those of the VPC's owner."""
    detail = build_wrapped_record(
        "AcceptTransitGatewayVpcAttachment",
        {"TransitGatewayAttachmentId": "tgw-attach-0aaaaaaaaaaaaaaa1"},
        {
            "transitGatewayVpcAttachment": {
                "transitGatewayId": "tgw-0aaaaaaaaaaaaaaa1",
                "vpcId": VPC2,
                "vpcOwnerId": OTHER,
                "state": "pending",
            }
        },
    )
    change = parse_record(detail)
    assert change.vpc_ids == frozenset()
    assert change.other_vpc_ids == {VPC2}


def test_a_consumers_endpoint_names_the_service_that_it_connects_to() -> None:
    """By the name of the service, which may be in another account; its scope is the VPC."""
    detail = build_wrapped_record(
        "CreateVpcEndpoint",
        {"VpcId": VPC, "ServiceName": f"com.amazonaws.vpce.{REGION}.{SERVICE}"},
        {"vpcEndpoint": {"vpcEndpointId": ENDPOINT, "vpcId": VPC, "ownerId": ACCOUNT}},
    )
    change = parse_record(detail)
    assert change.resource_ids == {VPC, ENDPOINT, SERVICE}
    assert change.vpc_ids == {VPC}
    assert change.service_ids == frozenset()


@pytest.mark.parametrize(
    ("place", "peer"),
    [
        ("groups", {"userId": ACCOUNT, "groupId": GROUP2, "vpcId": VPC2}),
        ("referencedGroupInfo", {"userId": ACCOUNT, "groupId": GROUP2, "vpcId": VPC2}),
        ("UserIdGroupPairs", {"UserId": ACCOUNT, "GroupId": GROUP2, "VpcId": VPC2}),
    ],
)
def test_the_vpc_of_a_referenced_security_group_is_left_out(place: str, peer: Any) -> None:
    """A rule changes the VPC of its own group, not that of the group it refers to."""
    rule = {"items": [{place: {"items": [peer]}}]}
    detail = build_record(
        "AuthorizeSecurityGroupIngress", {"groupId": GROUP, "ipPermissions": rule}, {}
    )
    change = parse_record(detail)
    assert change.vpc_ids == frozenset()
    assert change.resource_ids == {GROUP, GROUP2}


# --- account and actor ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "account"),
    [
        ({"recipientAccountId": OTHER}, OTHER),
        ({"recipientAccountId": int(OTHER)}, OTHER),
        ({"recipientAccountId": 12345678912}, "012345678912"),
        ({"recipientAccountId": None}, ACCOUNT),
    ],
    ids=["another account", "a number", "a number without leading zero", "missing"],
)
def test_the_account_is_that_of_the_changed_resources(more: dict[str, Any], account: str) -> None:
    """The account of the caller may differ."""
    change = parse_record(build_record("DeleteVpc", {"vpcId": VPC}, **more))
    assert change.region == Region(account, REGION)


def test_the_event_supplies_what_the_record_lacks() -> None:
    """Some publishers remove account, region and identity."""
    detail = build_record("DeleteVpc", {"vpcId": VPC})
    for name in ("recipientAccountId", "userIdentity", "awsRegion", "eventType"):
        del detail[name]
        change = parse_record(build_event(detail))
        assert change == parse_record(build_event(detail | {name: None}))
        assert change.region == Region(ACCOUNT, REGION)
        assert change.outcome is ChangeOutcome.APPLIED
    assert change.actor.arn == "unknown"


def test_a_record_without_account_belongs_to_the_owner_of_the_new_resource() -> None:
    """With two owners the account is ambiguous, and the record is rejected."""
    stripped = {"recipientAccountId": None, "userIdentity": None}
    created = {"vpcEndpoint": {"ownerId": int(OTHER), "vpcId": VPC}}
    change = parse_record(
        build_wrapped_record("CreateVpcEndpoint", {"VpcId": VPC}, created, **stripped)
    )
    assert change.region.account == OTHER
    assert change.vpc_ids == {VPC}
    peers = {"a": {"ownerId": ACCOUNT}, "b": [{"ownerId": OTHER}]}
    with pytest.raises(MalformedChangeError, match="recipientAccountId"):
        parse_record(build_record("AcceptVpcPeeringConnection", {}, peers, **stripped))


def test_a_rule_belongs_to_the_owner_of_its_group() -> None:
    """The group that it refers to may be another account's."""
    rule = {
        "groupId": GROUP,
        "groupOwnerId": ACCOUNT,
        "referencedGroupInfo": {"groupId": GROUP2, "userId": OTHER},
    }
    response = {"_return": True, "securityGroupRuleSet": {"items": [rule]}}
    stripped = {"recipientAccountId": None, "userIdentity": None}
    record = build_record("AuthorizeSecurityGroupIngress", {"groupId": GROUP}, response, **stripped)
    assert parse_record(record).region.account == ACCOUNT
    # A caller of another account owns nothing of what it changes.
    record = build_record(
        "AuthorizeSecurityGroupIngress",
        {"groupId": GROUP},
        response,
        recipientAccountId=None,
        userIdentity={"type": "AWSAccount", "accountId": OTHER},
    )
    assert parse_record(record).region.account == ACCOUNT


@pytest.mark.parametrize(
    ("identity", "name"),
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
        ({"type": "AWSAccount", "principalId": "AIDAEXAMPLE", "accountId": OTHER}, "AIDAEXAMPLE"),
        ({"type": "Directory", "userName": "alice"}, "alice"),
        (
            {"type": "IdentityCenterUser", "onBehalfOf": {"userId": "544894e8-80c1"}},
            "IAM Identity Center user 544894e8-80c1",
        ),
        ({}, "unknown"),
        (None, "unknown"),
    ],
)
def test_the_actor_is_named(identity: Any, name: str) -> None:
    """The name is as precise as the record allows."""
    change = parse_record(build_record("DeleteVpc", {"vpcId": VPC}, userIdentity=identity))
    assert str(change.actor) == name


@pytest.mark.parametrize(
    ("identity", "described"),
    [
        ({}, ""),
        ({"accountId": ACCOUNT, "arn": "arn:aws:iam::111122223333:root"}, ""),
        ({"sessionContext": {"sourceIdentity": "alice"}}, "source identity alice"),
        ({"sessionContext": {"sourceIdentity": ["alice"]}}, ""),
        ({"sessionContext": None, "onBehalfOf": 1}, ""),
        ({"accountId": OTHER, "principalId": "AIDAEXAMPLE"}, f"account {OTHER}"),
        (
            {
                "arn": "arn:aws:sts::444455556666:assumed-role/R/s",
                "accountId": OTHER,
                "sessionContext": {"sourceIdentity": "alice"},
                "onBehalfOf": {"userId": "544894e8-80c1", "identityStoreArn": "arn:…"},
            },
            f"source identity alice, IAM Identity Center user 544894e8-80c1, account {OTHER}",
        ),
        ({"type": "IdentityCenterUser", "onBehalfOf": {"userId": "544894e8-80c1"}}, ""),
    ],
)
def test_what_else_is_known_of_the_caller(identity: Any, described: str) -> None:
    """A role's session may stand for a person, and its account may be another one."""
    change = parse_record(build_record("DeleteVpc", {"vpcId": VPC}, userIdentity=identity))
    assert change.actor.describe_identity(change.region.account) == described


@pytest.mark.parametrize(
    "time", ["2026-11-23T12:00:00Z", "2026-11-23T13:00:00+01:00", "2026-11-23T12:00:00"]
)
def test_times_are_utc(time: str) -> None:
    """The offset in the record does not matter."""
    change = parse_record(build_record("DeleteVpc", {"vpcId": VPC}, eventTime=time))
    assert change.time == datetime(2026, 11, 23, 12, tzinfo=UTC)


# --- ignored calls --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"errorCode": "Client.UnauthorizedOperation"}, "the call failed"),
        ({"errorCode": "Client.DryRunOperation"}, "the call was a dry run"),
        ({"eventType": "AwsServiceEvent"}, "not an API call: AwsServiceEvent"),
        (
            {"eventType": "AwsVpceEvent", "errorCode": "VpceAccessDenied"},
            "a network activity event",
        ),
        ({"eventCategory": "NetworkActivity", "eventType": None}, "a network activity event"),
        ({"eventType": "AwsCloudTrailInsight", "eventCategory": "Insight"}, "Insights event"),
        ({"eventCategory": "Data"}, "the record is a data event"),
        ({"readOnly": True}, "the call is read-only"),
        ({"readOnly": "true"}, "the call is read-only"),
        ({"eventName": "DescribeVpcs", "readOnly": None}, "the call is read-only"),
        ({"eventName": "DeleteVolume"}, "the monitor does not handle DeleteVolume"),
        ({"eventSource": "rds.amazonaws.com"}, "does not handle DeleteVpc of rds.amazonaws.com"),
        ({"eventName": "TerminateInstances"}, "Auto Scaling causes thousands of these calls"),
        (
            {"eventSource": "ram.amazonaws.com", "eventName": "UpdateResourceShare"},
            "not what is shared with whom",
        ),
    ],
)
def test_a_call_that_changes_nothing_is_ignored_with_the_reason(
    more: dict[str, Any], why: str
) -> None:
    """The record is parsed nevertheless."""
    change = parse_record(build_record("DeleteVpc", {"vpcId": VPC}, **more))
    assert change.outcome is ChangeOutcome.IGNORED
    assert why in change.ignored_because


@pytest.mark.parametrize(
    "more",
    [
        {"errorCode": "Client.UnauthorizedOperation"},
        {"readOnly": True},
        {"eventType": "AwsVpceEvent"},
        {"eventName": "RunInstances"},
    ],
)
def test_an_ignored_record_needs_no_other_field(more: dict[str, Any]) -> None:
    """Nothing is lost with it. Its time says when it happened."""
    lost = dict.fromkeys(("eventID", "recipientAccountId", "awsRegion"), None)
    record = build_record("DeleteVpc", None, **{"userIdentity": "me", **lost, **more})
    change = parse_record(record)
    assert change.outcome is ChangeOutcome.IGNORED
    assert (change.event_id, change.region, change.actor.arn) == ("", Region("", ""), "unknown")


def test_an_insights_event_is_named_after_the_calls_that_it_is_about() -> None:
    """It has no name, source and identity of its own."""
    record = {
        "eventVersion": "1.08",
        "eventTime": "2026-11-23T12:00:00Z",
        "awsRegion": REGION,
        "eventID": "e-1",
        "eventType": "AwsCloudTrailInsight",
        "recipientAccountId": ACCOUNT,
        "insightDetails": {"state": "Start", "eventName": "AuthorizeSecurityGroupIngress"},
    }
    change = parse_record(record)
    assert change.event_name == "AuthorizeSecurityGroupIngress"
    assert "Insights event" in change.ignored_because


def test_a_null_error_code_is_no_error() -> None:
    """Some publishers include it."""
    change = parse_record(build_record("DeleteVpc", {"vpcId": VPC}, errorCode=None))
    assert change.outcome is ChangeOutcome.APPLIED


def build_unsuccessful(*endpoints: str) -> Any:
    """Build the member `unsuccessful` of a response."""
    members = [
        {"error": {"code": "InvalidVpcEndpoint.NotFound"}, "resourceId": each} for each in endpoints
    ]
    return {"item": members[0] if len(members) == 1 else members}


def test_an_unsuccessful_resource_is_left_out() -> None:
    """A call without an error code may have failed for some resources."""
    detail = build_wrapped_record(
        "DeleteVpcEndpoints",
        {"VpcEndpointId": build_tagged_list(ENDPOINT, ENDPOINT2)},
        {"unsuccessful": build_unsuccessful(ENDPOINT2)},
    )
    assert parse_ids(detail) == {ENDPOINT}


@pytest.mark.parametrize("requested", [(ENDPOINT,), (ENDPOINT, ENDPOINT2)])
def test_a_call_that_failed_for_every_resource_is_ignored(requested: tuple[str, ...]) -> None:
    """It changed nothing."""
    detail = build_wrapped_record(
        "DeleteVpcEndpoints",
        {"VpcEndpointId": build_tagged_list(*requested)},
        {"unsuccessful": build_unsuccessful(*requested)},
    )
    assert parse_record(detail).outcome is ChangeOutcome.IGNORED


# --- malformed records ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (None, "record: expected an object, got nothing"),
        ([], "record: expected an object, got []"),
        ({}, "recipientAccountId: expected a 12-digit account ID"),
        (build_event(None), "detail: expected a CloudTrail record, got nothing"),
        (build_event("x"), "detail: expected a CloudTrail record, got 'x'"),
        (build_record("DeleteVpc", recipientAccountId="x", userIdentity={}), "recipientAccountId"),
        (build_record("DeleteVpc", awsRegion=None), "awsRegion: expected a string, got nothing"),
        (build_record(""), "eventName: expected a string"),
        (build_record("DeleteVpc", eventID=7), "eventID: expected a string, got 7"),
        (
            build_record("DeleteVpc", eventTime="soon"),
            "eventTime: expected an ISO 8601 time, got 'soon'",
        ),
        (
            build_record("DeleteVpc", eventTime="0001-01-01T00:00:00+14:00"),
            "expected an ISO 8601 time",
        ),
        (build_record("DeleteVpc", eventTime=1), "eventTime: expected an ISO 8601 time, got 1"),
        (
            build_record("DeleteVpc", userIdentity="me"),
            "userIdentity: expected an object, got 'me'",
        ),
        (build_event(build_record("DeleteVpc", eventID=None)), "detail.eventID: expected a string"),
    ],
)
def test_an_error_names_the_field(record: Any, message: str) -> None:
    """It also says what was expected."""
    with pytest.raises(MalformedChangeError) as caught:
        parse_record(record)
    assert message in str(caught.value)


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
def test_any_request_and_response_is_accepted(name: str, request: Any, response: Any) -> None:
    """A record is never rejected because of its request or response."""
    change = parse_record(build_record(name, request, response))
    assert change.event_name == name
    assert all(isinstance(each, str) for each in change.resource_ids)


@given(JSON | st.dictionaries(st.sampled_from(sorted(build_record("x"))), JSON))
def test_any_value_is_a_change_or_a_malformed_change_error(value: Any) -> None:
    """No other exception is raised."""
    try:
        parse_record(value)
    except MalformedChangeError as error:
        message = str(error)
    else:
        message = "parsed"
    assert message


@given(st.lists(st.sampled_from([ENDPOINT, ENDPOINT2, SUBNET, TABLE]), min_size=1, unique=True))
def test_the_form_of_a_list_does_not_matter(members: list[str]) -> None:
    """A list may be flat, wrapped, or below `item` or `items`."""
    forms = [
        {"items": members},
        {"item": members},
        {"items": {"item": members}},
        build_tagged_list(*members),
        members,
    ]
    found = [
        parse_ids(build_record("DeleteVpcEndpoints", {"vpcEndpointIds": form})) for form in forms
    ]
    assert found == [set(members)] * len(forms)
