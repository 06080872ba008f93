"""A record's request is read as boto3 takes it, or not at all."""

from __future__ import annotations

import json
import re
import runpy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.model import ListShape, Shape, StructureShape
from botocore.validate import validate_parameters
from hypothesis import given
from hypothesis import strategies as st

from change_records import (
    ENDPOINT,
    ENDPOINT2,
    GROUP,
    SERVICE,
    SUBNET,
    TABLE,
    VPC,
    build_record,
    build_tagged_list,
    build_wrapped_record,
)
from posture.changes.cloudtrail import parse_record
from posture.changes.requests import PATH, find_created, read_request
from posture.edits.created import CREATED
from posture.edits.requests import OPERATIONS, parse_request
from posture_cli.embedded.cloudtrail_formats import format_request

ROOT = Path(__file__).parents[3]
MODEL = botocore.session.get_session().get_service_model("ec2")
EC2_OPERATIONS = {name for name in OPERATIONS if not name.startswith("Describe")}
TEXTS = st.sampled_from(
    ["vpc-0aaaaaaaaaaaaaaa1", "true", "12", "-1", "007", "1.10", "10.0.0.0/8", "a b", "tag", "::/0"]
)
NUMBER = re.compile(r"-?\d+\.\d+")
RULE = {"securityGroupRuleId": "sgr-0aaaaaaaaaaaaaaa1", "groupId": GROUP, "ipProtocol": "tcp"}


def build_values(shape: Shape) -> st.SearchStrategy[Any]:
    """Build values of a shape as boto3 takes them, without empty lists and structures."""
    if isinstance(shape, StructureShape):
        members = {name: build_values(each) for name, each in shape.members.items()}
        return st.fixed_dictionaries({}, optional=members).filter(bool)
    if isinstance(shape, ListShape):
        return st.lists(build_values(shape.member), min_size=1, max_size=3)
    if shape.type_name == "boolean":
        return st.booleans()
    return TEXTS if shape.type_name == "string" else st.integers(-1, 65535)


def get_input(operation: str) -> Any:
    """Return the shape of an operation's parameters."""
    return MODEL.operation_model(operation).input_shape


def list_texts(value: Any) -> list[str]:
    """List all texts of a value."""
    if isinstance(value, Mapping | list):
        parts = value.values() if isinstance(value, Mapping) else value
        return [text for each in parts for text in list_texts(each)]
    return [value] if isinstance(value, str) else []


def test_the_table_of_parameters_is_up_to_date() -> None:
    """`make docs` would write the same file."""
    script = runpy.run_path(str(ROOT / "layers/posture/request_shapes.py"))
    assert PATH.read_text(encoding="utf-8") == script["serialize"]()


@given(st.data())
def test_a_request_is_read_from_either_form_as_it_was_made(data: st.DataObject) -> None:
    """The emulated CloudTrail writes the older form for some operations, the newer for others."""
    name = data.draw(st.sampled_from(sorted(json.loads(PATH.read_text("utf-8"))["requests"])))
    operation = MODEL.operation_model(name)
    request = data.draw(build_values(get_input(name)))
    found = read_request(name, format_request(operation, request))
    if found is None:  # the conversion from XML took a text for a number, and lost its zeros
        assert any(NUMBER.fullmatch(each) for each in list_texts(request))
    else:
        assert found == request


@given(st.data())
def test_a_request_that_is_read_is_one_that_boto3_takes(data: st.DataObject) -> None:
    """Whatever a record says: the types are botocore's."""
    name = data.draw(st.sampled_from(sorted(EC2_OPERATIONS)))
    shape = get_input(name)
    scalars = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.just("")
    values = st.recursive(
        scalars,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["items", "item", "tag", "content"]), inner, max_size=2
            )
        ),
        max_leaves=5,
    )
    names = st.sampled_from(sorted(shape.members))
    block = data.draw(st.dictionaries(names, values, max_size=4) | values)
    found = read_request(name, block)
    if found is not None:
        assert isinstance(found, dict)
        known = {each for each in found if each in shape.members}
        assert known == set(found)
        optional = StructureShape(
            shape.name, {**shape._shape_model, "required": []}, shape._shape_resolver
        )
        validate_parameters(found, optional)


def test_what_is_created_is_found_for_each_operation_that_creates() -> None:
    """The response names the id in the same place as the AWS CLI's output."""
    for kind, created in CREATED.items():
        if kind.__name__ not in EC2_OPERATIONS:
            continue
        response: Any = f"{created.prefix}-0aaaaaaaaaaaaaaa1"
        for name in reversed(created.query.split(".")):
            response = {name[:1].lower() + name[1:]: response}
        wrapped = {f"{kind.__name__}Response": {"xmlns": "x", "requestId": "r", **response}}
        for block in (response, wrapped):
            assert find_created(kind.__name__, block) == f"{created.prefix}-0aaaaaaaaaaaaaaa1"


@pytest.mark.parametrize(
    ("name", "recorded", "request_"),
    [
        (
            "CreateDhcpOptions",
            {"dhcpConfigurationSet": {"items": [{"key": "domain-name-servers",
             "valueSet": {"items": [{"value": "10.0.0.2"}]}}]}},
            {"DhcpConfigurations": [{"Key": "domain-name-servers", "Values": ["10.0.0.2"]}]},
        ),
        (
            "CreateNetworkAclEntry",
            {"networkAclId": "acl-1", "ruleNumber": 90, "egress": False, "ruleAction": "allow",
             "icmpTypeCode": {}, "portRange": {"from": 443, "to": 443}, "aclProtocol": "6",
             "cidrBlock": "0.0.0.0/0"},
            {"NetworkAclId": "acl-1", "RuleNumber": 90, "Egress": False, "RuleAction": "allow",
             "PortRange": {"From": 443, "To": 443}, "Protocol": "6", "CidrBlock": "0.0.0.0/0"},
        ),
        (
            "CreateVpcPeeringConnection",
            {"vpcId": VPC, "peerVpcId": "vpc-2", "peerOwnerId": 12345678901},
            {"VpcId": VPC, "PeerVpcId": "vpc-2", "PeerOwnerId": "012345678901"},
        ),
        ("CreateInternetGateway", None, {}),
        ("CreateInternetGateway", {}, {}),
        (
            "CreateTags",
            {"resourcesSet": {"items": [{"resourceId": VPC}]},
             "tagSet": {"items": [{"key": "posture", "value": "relaxed"}]}},
            {"Resources": [VPC], "Tags": [{"Key": "posture", "Value": "relaxed"}]},
        ),
        # CloudTrail leaves out what is too large, and says so with a member of its own.
        ("ModifyVpcEndpoint", {"omitted": True, "originalSize": 115000}, None),
        ("DeleteRoute", {"routeTableId": TABLE, "inAWayThatIsNew": "x"}, None),
        ("DeleteRouteTable", {"RouteTableId": TABLE}, None),
        ("DeleteRouteTable", "rtb-1", None),
        ("DeleteRouteTable", {"DeleteRouteTableRequest": [TABLE]}, None),
        ("ModifyVpcAttribute", {"vpcId": VPC, "enableDnsSupport": "off"}, None),
        ("RunInstances", {"instanceType": "m7g.large"}, None),
    ],
)  # fmt: skip
def test_the_recorded_form_of_a_request(name: str, recorded: Any, request_: Any) -> None:
    """Old names, sets of structures, lost zeros; nothing where anything is not understood."""
    assert read_request(name, recorded) == request_


def test_a_policy_is_read_as_it_was_sent() -> None:
    """Its text is no part of the converted XML."""
    policy = '{"Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}'
    request = {"VpcEndpointId": ENDPOINT, "PolicyDocument": policy}
    change = parse_record(build_wrapped_record("ModifyVpcEndpoint", request))
    assert change.request == request


def test_a_request_leaves_out_what_it_failed_for() -> None:
    """A call for several resources may fail for one of them."""
    record = build_wrapped_record(
        "AcceptVpcEndpointConnections",
        {"ServiceId": SERVICE, "VpcEndpointId": build_tagged_list(ENDPOINT, ENDPOINT2)},
        {"unsuccessful": {"item": {"resourceId": ENDPOINT2, "error": {"code": "InvalidState"}}}},
    )
    assert parse_record(record).request == {"ServiceId": SERVICE, "VpcEndpointIds": [ENDPOINT]}


def test_a_call_that_changed_nothing_has_no_request() -> None:
    """A failed call's parameters took no effect."""
    record = build_record("DeleteRouteTable", {"routeTableId": TABLE}, errorCode="Client.X")
    assert parse_record(record).request is None


def test_rules_that_are_revoked_by_id_are_those_of_the_response() -> None:
    """The console revokes by id, which a snapshot does not hold."""
    request = {"groupId": GROUP, "securityGroupRuleIds": {"items": [
        {"securityGroupRuleId": "sgr-0aaaaaaaaaaaaaaa1"}]}}  # fmt: skip
    rule = {**RULE, "fromPort": 443, "toPort": 443, "cidrIpv4": "0.0.0.0/0", "isEgress": False}
    response = {"_return": True, "revokedSecurityGroupRuleSet": {"items": [rule]}}
    found = parse_record(build_record("RevokeSecurityGroupIngress", request, response)).request
    assert found == {
        "GroupId": GROUP,
        "IpPermissions": [
            {
                "IpProtocol": "tcp",
                "FromPort": 443,
                "ToPort": 443,
                "IpRanges": [{"CidrIp": "0.0.0.0/0"}],
            }
        ],
    }
    parse_request("RevokeSecurityGroupIngress", found)


@pytest.mark.parametrize(
    "rule",
    [
        {},
        {**RULE, "securityGroupRuleId": "sgr-0aaaaaaaaaaaaaaa2", "cidrIpv4": "0.0.0.0/0"},
        {**RULE, "groupId": "sg-0aaaaaaaaaaaaaaa2", "cidrIpv4": "0.0.0.0/0"},
    ],
)
def test_rules_that_the_response_does_not_name_keep_their_ids(rule: Mapping[str, Any]) -> None:
    """Older responses name no rules."""
    request = {"GroupId": GROUP, "SecurityGroupRuleIds": ["sgr-0aaaaaaaaaaaaaaa1"]}
    response = {"revokedSecurityGroupRuleSet": {"items": [rule]}}
    assert read_request("RevokeSecurityGroupIngress", request, response) == request


def test_a_rule_without_a_known_peer_is_not_read() -> None:
    """Half of a rule is another rule."""
    request = {"GroupId": GROUP, "SecurityGroupRuleIds": ["sgr-0aaaaaaaaaaaaaaa1"]}
    response = {"revokedSecurityGroupRuleSet": {"items": [RULE]}}
    assert read_request("RevokeSecurityGroupIngress", request, response) is None


def test_a_created_id_is_that_of_the_response() -> None:
    """The request cannot name it."""
    record = build_wrapped_record(
        "CreateVpcEndpoint", {"VpcId": VPC}, {"vpcEndpoint": {"vpcEndpointId": ENDPOINT}}
    )
    assert parse_record(record).created == ENDPOINT
    association = {"associationId": "rtbassoc-0aaaaaaaaaaaaaaa1"}
    request = {"routeTableId": TABLE, "subnetId": SUBNET}
    change = parse_record(build_record("AssociateRouteTable", request, association))
    assert change.created == "rtbassoc-0aaaaaaaaaaaaaaa1"
