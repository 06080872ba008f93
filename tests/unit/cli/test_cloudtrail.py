"""The derived CloudTrail records have the shapes that published ones have."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posture_cli.embedded.cloudtrail import (
    ApiCall,
    ApiCaller,
    build_event_entry,
    build_record,
)
from posture_cli.embedded.cloudtrail_formats import is_wrapped

EC2 = botocore.session.get_session().get_service_model("ec2")
ALICE = ApiCaller("111122223333", "NetworkAdmin", "alice")
NOON = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)

Json = dict[str, Any]


def recorded(name: str, parameters: Json, answer: Json | None = None) -> Json:
    """Return the record of one call."""
    operation = EC2.operation_model(name)
    return build_record(ApiCall(operation, parameters, answer or {}, ALICE, "eu-west-1", NOON))


FIELDS = [
    (
        "CreateVpcEndpoint",
        {"VpcId": "vpc-1", "ServiceName": "s", "SubnetIds": ["subnet-1"], "RouteTableIds": []},
        {
            "CreateVpcEndpointRequest": {
                "VpcId": "vpc-1",
                "ServiceName": "s",
                "SubnetId": {"tag": 1, "content": "subnet-1"},
            }
        },
    ),
    (
        "DeleteVpcEndpoints",
        {"VpcEndpointIds": ["vpce-1", "vpce-2"]},
        {
            "DeleteVpcEndpointsRequest": {
                "VpcEndpointId": [
                    {"tag": 1, "content": "vpce-1"},
                    {"tag": 2, "content": "vpce-2"},
                ]
            }
        },
    ),
    (
        "ModifyVpcEndpointServicePermissions",
        {"ServiceId": "vpce-svc-1", "AddAllowedPrincipals": ["*"]},
        {
            "ModifyVpcEndpointServicePermissionsRequest": {
                "ServiceId": "vpce-svc-1",
                "AddAllowedPrincipals": {"tag": 1, "content": "*"},
            }
        },
    ),
    (
        "CreateNatGateway",
        {
            "SubnetId": "subnet-1",
            "TagSpecifications": [
                {"ResourceType": "natgateway", "Tags": [{"Key": "live", "Value": "true"}]}
            ],
        },
        {
            "CreateNatGatewayRequest": {
                "SubnetId": "subnet-1",
                "TagSpecification": {
                    "tag": 1,
                    "ResourceType": "natgateway",
                    "Tag": {"tag": 1, "Key": "live", "Value": True},
                },
            }
        },
    ),
    (
        "CreateRoute",
        {"RouteTableId": "rtb-1", "DestinationPrefixListId": "pl-1", "TransitGatewayId": "tgw-1"},
        {
            "routeTableId": "rtb-1",
            "destinationPrefixListId": "pl-1",
            "transitGatewayId": "tgw-1",
        },
    ),
    (
        "ReplaceRouteTableAssociation",
        {"RouteTableId": "rtb-1", "AssociationId": "rtbassoc-1"},
        {"routeTableId": "rtb-1", "associationId": "rtbassoc-1"},
    ),
    (
        "AuthorizeSecurityGroupIngress",
        {
            "GroupId": "sg-1",
            "IpPermissions": [
                {"IpProtocol": "tcp", "FromPort": 443, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
            ],
        },
        {
            "groupId": "sg-1",
            "ipPermissions": {
                "items": [
                    {
                        "ipProtocol": "tcp",
                        "fromPort": 443,
                        "groups": {},
                        "ipRanges": {"items": [{"cidrIp": "0.0.0.0/0"}]},
                        "ipv6Ranges": {},
                        "prefixListIds": {},
                    }
                ]
            },
        },
    ),
    (
        "RevokeSecurityGroupIngress",
        {"GroupId": "sg-1", "SecurityGroupRuleIds": ["sgr-1"]},
        {
            "groupId": "sg-1",
            "securityGroupRuleIds": {"items": [{"securityGroupRuleId": "sgr-1"}]},
        },
    ),
    (
        "CreateSecurityGroup",
        {"GroupName": "web", "Description": "web servers", "VpcId": "vpc-1"},
        {"groupName": "web", "groupDescription": "web servers", "vpcId": "vpc-1"},
    ),
    (
        "ModifyVpcAttribute",
        {"VpcId": "vpc-1", "EnableDnsSupport": {"Value": False}},
        {"vpcId": "vpc-1", "enableDnsSupport": {"value": False}},
    ),
    (
        "CreateNetworkAclEntry",
        {"NetworkAclId": "acl-1", "Protocol": "6", "PortRange": {"From": 1, "To": 2}},
        {"networkAclId": "acl-1", "aclProtocol": "6", "portRange": {"from": 1, "to": 2}},
    ),
    (
        "CreateSubnet",
        {
            "VpcId": "vpc-1",
            "TagSpecifications": [
                {"ResourceType": "subnet", "Tags": [{"Key": "Name", "Value": "a"}]}
            ],
        },
        {
            "vpcId": "vpc-1",
            "tagSpecificationSet": {
                "items": [{"resourceType": "subnet", "tags": [{"key": "Name", "value": "a"}]}]
            },
        },
    ),
    (
        "CreateTags",
        {"Resources": ["vpc-1"], "Tags": [{"Key": "a", "Value": "b"}]},
        {
            "resourcesSet": {"items": [{"resourceId": "vpc-1"}]},
            "tagSet": {"items": [{"key": "a", "value": "b"}]},
        },
    ),
]


@pytest.mark.parametrize(("name", "parameters", "expected"), FIELDS, ids=[f[0] for f in FIELDS])
def test_request_parameters(name: str, parameters: Json, expected: Json) -> None:
    """Parameters have the names and the nesting that CloudTrail uses."""
    assert expected == recorded(name, parameters)["requestParameters"]


ANSWERS = [
    (
        "CreateVpcEndpoint",
        {
            "VpcEndpoint": {
                "VpcEndpointId": "vpce-1",
                "OwnerId": "111122223333",
                "CreationTimestamp": NOON,
                "Groups": [{"GroupId": "sg-1", "GroupName": "default"}],
                "SubnetIds": ["subnet-1", "subnet-2"],
                "RouteTableIds": [],
                "PrivateDnsEnabled": True,
            }
        },
        {
            "vpcEndpoint": {
                "vpcEndpointId": "vpce-1",
                "ownerId": 111122223333,
                "creationTimestamp": "2026-03-01T12:00:00.250Z",
                "groupSet": {"item": {"groupId": "sg-1", "groupName": "default"}},
                "subnetIdSet": {"item": ["subnet-1", "subnet-2"]},
                "routeTableIdSet": "",
                "privateDnsEnabled": True,
            }
        },
    ),
    ("ModifyVpcEndpoint", {"Return": True}, {"return": True}),
    ("DeleteVpcEndpoints", {"Unsuccessful": []}, {"unsuccessful": ""}),
    ("CreateRoute", {"Return": True}, {"_return": True}),
    ("DeleteRoute", {}, {"_return": True}),
    ("ModifyVpcAttribute", {}, {"_return": True}),
    (
        "AssociateRouteTable",
        {"AssociationId": "rtbassoc-1", "AssociationState": {"State": "associated"}},
        {"associationId": "rtbassoc-1", "associationState": {"state": "associated"}},
    ),
    (
        "CreateVpcPeeringConnection",
        {"VpcPeeringConnection": {"ExpirationTime": NOON, "Tags": []}},
        {"vpcPeeringConnection": {"expirationTime": 1772366400250, "tagSet": {}}},
    ),
]


@pytest.mark.parametrize(("name", "answer", "expected"), ANSWERS, ids=[a[0] for a in ANSWERS])
def test_response_elements(name: str, answer: Json, expected: Json) -> None:
    """Answers keep the sets, coercions and marks of their family."""
    elements = recorded(name, {}, answer)["responseElements"]
    inner = elements.get(f"{name}Response", elements)
    bare = {key: value for key, value in inner.items() if key not in {"xmlns", "requestId"}}
    assert expected == bare


def test_leading_zero_stays_text() -> None:
    """An account id is a number in a wrapped answer, unless it begins with a zero."""
    answer = {"VpcEndpoint": {"OwnerId": "012345678912"}}
    elements = recorded("CreateVpcEndpoint", {}, answer)["responseElements"]
    assert elements["CreateVpcEndpointResponse"]["vpcEndpoint"]["ownerId"] == "012345678912"


def test_failed_call() -> None:
    """A failed call keeps its parameters, has an error code and no response."""
    answer = {"Error": {"Code": "UnauthorizedOperation", "Message": "no"}}
    entry = recorded("DeleteRoute", {"RouteTableId": "rtb-1"}, answer)
    assert entry["errorCode"] == "Client.UnauthorizedOperation"
    assert entry["responseElements"] is None
    assert entry["requestParameters"] == {"routeTableId": "rtb-1"}


def test_call_through_a_service() -> None:
    """A call that a service makes for a principal has the service's name as its source address."""
    caller = ApiCaller("111122223333", "Deploy", "ci", invoked_by="cloudformation.amazonaws.com")
    entry = build_record(
        ApiCall(EC2.operation_model("DeleteRoute"), {}, {}, caller, "eu-west-1", NOON)
    )
    assert entry["sourceIPAddress"] == "cloudformation.amazonaws.com"
    assert entry["userIdentity"]["invokedBy"] == "cloudformation.amazonaws.com"


def test_envelope_carries_the_record() -> None:
    """The EventBridge entry has the source and type that the rules match, and the whole record."""
    entry = recorded("DeleteRoute", {"RouteTableId": "rtb-1"})
    put = build_event_entry(entry)
    assert (put["Source"], put["DetailType"]) == ("aws.ec2", "AWS API Call via CloudTrail")
    assert entry == json.loads(put["Detail"])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("CreateVpcEndpoint", True),
        ("DeleteFlowLogs", True),
        ("DeleteTransitGatewayVpcAttachment", True),
        ("CancelCapacityReservation", True),
        ("CreateVpcPeeringConnection", False),
        ("DisassociateRouteTable", False),
        ("ModifyVpcAttribute", False),
        ("DeleteNetworkAclEntry", False),
    ],
)
def test_family_of_published_records(name: str, expected: bool) -> None:
    """The two shapes are distinguished as in published records."""
    assert expected is is_wrapped(EC2.operation_model(name))


@given(ids=st.lists(st.from_regex(r"vpce-[0-9a-f]{17}", fullmatch=True), min_size=1, max_size=5))
def test_no_id_is_lost(ids: list[str]) -> None:
    """Every id of a list stands in the record, one as an object, several as a list."""
    parameters = recorded("DeleteVpcEndpoints", {"VpcEndpointIds": ids})["requestParameters"]
    member = parameters["DeleteVpcEndpointsRequest"]["VpcEndpointId"]
    members = member if isinstance(member, list) else [member]
    assert ids == [m["content"] for m in members]
    assert (len(ids) == 1) is isinstance(member, dict)
