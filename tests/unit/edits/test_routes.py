"""Edits of route tables, their routes and associations."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from network_builders import VPC_ID, build_snapshot, gateway, nat, route, subnet, table
from posture.edits.apply import apply, apply_edits
from posture.edits.requests import parse_request
from posture.errors import MalformedRequestError, RefusedEditError, UndecidedEditError
from posture.model.network import Facet, Snapshot

NETWORK = build_snapshot(
    subnet("a"),
    subnet("b"),
    table("main", route("0.0.0.0/0", "igw-1"), main=True),
    table("a", route("0.0.0.0/0", "nat-1"), route("pl-s3", "vpce-s3"), subnets=["a"]),
    gateway("s3", tables=["a"]),
    nat("1"),
)


def run(operation: str, network: Snapshot = NETWORK, **params: Any) -> Snapshot:
    """Apply one request."""
    return apply(network, [parse_request(operation, params)])


def list_routes(network: Snapshot, table_id: str) -> list[tuple[str, str]]:
    """List destination and target of a table's routes."""
    return [(each.destination, each.target.id) for each in network.route_tables[table_id].routes]


def test_route_is_created_replaced_and_deleted() -> None:
    """One route through its life; the original snapshot stays as it is."""
    before = list_routes(NETWORK, "rtb-a")
    key: dict[str, Any] = {"RouteTableId": "rtb-a", "DestinationCidrBlock": "192.0.2.0/24"}
    created = run("CreateRoute", **key, NatGatewayId="nat-1")
    assert ("192.0.2.0/24", "nat-1") in list_routes(created, "rtb-a")
    replaced = run("ReplaceRoute", created, **key, GatewayId="igw-1")
    assert ("192.0.2.0/24", "igw-1") in list_routes(replaced, "rtb-a")
    assert run("DeleteRoute", replaced, **key) == NETWORK
    assert list_routes(NETWORK, "rtb-a") == before


def test_nothing_is_the_same_snapshot() -> None:
    """Without edits the snapshot is the same one."""
    assert apply(NETWORK, []) == NETWORK


@pytest.mark.parametrize(
    ("operation", "params", "code"),
    [
        ("CreateRoute", {"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-1"},
         "RouteAlreadyExists"),
        ("CreateRoute", {"DestinationCidrBlock": "192.0.2.0/24", "NatGatewayId": "nat-2"},
         "InvalidNatGatewayID.NotFound"),
        ("CreateRoute", {"DestinationCidrBlock": "192.0.2.0/24", "GatewayId": "igw-2"},
         "InvalidGatewayID.NotFound"),
        ("CreateRoute", {"DestinationCidrBlock": "192.0.2.0/24", "VpcEndpointId": "vpce-s3"},
         "RouteNotSupported"),
        ("CreateRoute", {"DestinationCidrBlock": "10.0.1.0/24", "GatewayId": "igw-1"},
         "InvalidParameterValue"),
        ("CreateRoute", {"DestinationCidrBlock": "169.254.168.0/24", "NatGatewayId": "nat-1"},
         "InvalidParameterValue"),
        ("CreateRoute", {"DestinationCidrBlock": "192.0.2.0/24"}, "MissingParameter"),
        ("CreateRoute", {"NatGatewayId": "nat-1"}, "MissingParameter"),
        ("CreateRoute",
         {"DestinationCidrBlock": "192.0.2.0/24", "NatGatewayId": "nat-1", "GatewayId": "igw-1"},
         "InvalidParameterCombination"),
        ("ReplaceRoute", {"DestinationCidrBlock": "192.0.2.0/24", "NatGatewayId": "nat-1"},
         "InvalidParameterValue"),
        ("DeleteRoute", {"DestinationCidrBlock": "192.0.2.0/24"}, "InvalidRoute.NotFound"),
        ("DeleteRoute", {"DestinationCidrBlock": "10.0.0.0/16"}, "InvalidParameterValue"),
        ("DeleteRoute", {"DestinationPrefixListId": "pl-s3"}, "InvalidParameterValue"),
        ("DeleteRoute", {"RouteTableId": "rtb-x", "DestinationCidrBlock": "0.0.0.0/0"},
         "InvalidRouteTableID.NotFound"),
    ],
)  # fmt: skip
def test_refusals_have_the_codes_of_ec2(operation: str, params: dict[str, Any], code: str) -> None:
    """EC2 refuses these requests."""
    with pytest.raises(RefusedEditError) as refused:
        run(operation, **{"RouteTableId": "rtb-a", **params})
    assert refused.value.code == code
    assert operation in str(refused.value)


def test_target_that_the_snapshot_cannot_hold_is_assumed_by_name() -> None:
    """A transit gateway is known from routes only."""
    key = {"RouteTableId": "rtb-a", "DestinationCidrBlock": "10.9.0.0/16"}
    edit = parse_request("CreateRoute", {**key, "TransitGatewayId": "tgw-1"})
    applied = apply_edits(NETWORK, [edit])
    assert applied.assumptions == (f"tgw-1 exists and is attached to {VPC_ID}",)
    assert ("10.9.0.0/16", "tgw-1") in list_routes(applied.snapshot, "rtb-a")


def test_unreadable_facet_is_named_and_never_guessed() -> None:
    """Whether the NAT gateway exists is not known."""
    blind = replace(NETWORK, nat_gateways={}, unreadable={Facet.NAT_GATEWAYS: "AccessDenied"})
    with pytest.raises(UndecidedEditError, match="DescribeNatGateways"):
        run("CreateRoute", blind, RouteTableId="rtb-a", DestinationCidrBlock="192.0.2.0/24",
            NatGatewayId="nat-1")  # fmt: skip


def test_associations_move_subnets_between_tables() -> None:
    """Disassociate, associate and replace, also the main table."""
    alone = run("DisassociateRouteTable", AssociationId="rtbassoc-a")
    assert alone.route_tables["rtb-a"].subnet_ids == ()
    again = run("AssociateRouteTable", alone, RouteTableId="rtb-a", SubnetId="subnet-b")
    assert again.route_tables["rtb-a"].associations == {"rtbassoc-new-1": "subnet-b"}
    main = run("ReplaceRouteTableAssociation", AssociationId="rtbassoc-main", RouteTableId="rtb-a")
    assert main.route_tables["rtb-a"].main
    assert not main.route_tables["rtb-main"].main
    assert main.route_tables["rtb-a"].subnet_ids == ("subnet-a",)
    with pytest.raises(RefusedEditError, match=r"Resource\.AlreadyAssociated"):
        run("AssociateRouteTable", RouteTableId="rtb-main", SubnetId="subnet-a")
    with pytest.raises(RefusedEditError, match="InvalidParameterValue"):
        run("DisassociateRouteTable", AssociationId="rtbassoc-main")


def test_sequence_uses_what_it_creates() -> None:
    """The id of the new table is a symbol."""
    edits = [
        parse_request("CreateRouteTable", {"VpcId": VPC_ID}),
        parse_request("AssociateRouteTable", {"RouteTableId": "rtb-new-1", "SubnetId": "subnet-b"}),
    ]
    after = apply(NETWORK, edits)
    assert list_routes(after, "rtb-new-1") == [("10.0.0.0/16", "local")]
    assert after.route_tables["rtb-new-1"].subnet_ids == ("subnet-b",)


@pytest.mark.parametrize(
    ("operation", "params", "text"),
    [
        ("RunInstances", {}, "RunInstances"),
        ("CreateRoute", {"DestinationCidrBlock": "0.0.0.0/0"}, "RouteTableId is missing"),
        ("DeleteRoute", {"RouteTableId": "rtb-a", "DestinationCidrBlock": "x"}, "IPv4 CIDR block"),
        ("DeleteRoute", {"RouteTableId": "rtb-a", "Destination": "x"}, "Destination: expected one"),
        ("DeleteRoute", {"RouteTableId": 1}, "RouteTableId: expected text"),
        ("ModifyVpcAttribute", {"VpcId": "v", "EnableDnsSupport": True}, '"Value"'),
        ("CreateRoute", {"RouteTableId": "rtb-a", "DryRun": True}, "dry run"),
        ("AuthorizeSecurityGroupIngress", {"GroupId": "g", "IpPermissions": [{}]}, "IpProtocol"),
        ("AuthorizeSecurityGroupIngress",
         {"GroupId": "g", "IpPermissions": [{"IpProtocol": "tcp", "IpRanges": [{"CidrIp": "1"}]}]},
         r"IpPermissions\[0\]: IpRanges\[0\]: CidrIp: expected an IPv4 CIDR block"),
    ],
)  # fmt: skip
def test_malformed_request_names_the_field(
    operation: str, params: dict[str, Any], text: str
) -> None:
    """The message names the field and what was expected."""
    with pytest.raises(MalformedRequestError, match=text):
        parse_request(operation, params)
