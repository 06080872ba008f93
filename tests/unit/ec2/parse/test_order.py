"""EC2 lists resources in any order; equal networks are parsed into equal snapshots."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from posture.ec2.assemble import index_by_id
from posture.ec2.parse.endpoints import parse_endpoint
from posture.ec2.parse.network import parse_network_acl
from posture.ec2.parse.route_tables import parse_route_table
from posture.ec2.parse.security_groups import parse_security_group

ENDPOINT = {
    "VpcEndpointId": "vpce-1",
    "RouteTableIds": ["rtb-2", "rtb-1", "rtb-3"],
    "SubnetIds": ["subnet-2", "subnet-1"],
    "NetworkInterfaceIds": ["eni-2", "eni-1"],
    "Groups": [{"GroupId": "sg-2"}, {"GroupId": "sg-1"}],
    "Tags": [{"Key": "b", "Value": "1"}, {"Key": "a", "Value": "2"}],
}
PEERS = {
    "IpProtocol": "tcp",
    "FromPort": 443,
    "ToPort": 443,
    "IpRanges": [
        {"CidrIp": "10.0.0.0/8"},
        {"CidrIp": "192.0.2.0/24", "Description": "b"},
        {"CidrIp": "192.0.2.0/24", "Description": "a"},
    ],
    "Ipv6Ranges": [{"CidrIpv6": "::/0"}],
    "PrefixListIds": [{"PrefixListId": "pl-2"}, {"PrefixListId": "pl-1"}],
    "UserIdGroupPairs": [{"GroupId": "sg-2"}, {"GroupId": "sg-1"}],
}
GROUP = {
    "GroupId": "sg-1",
    "IpPermissions": [PEERS, {**PEERS, "FromPort": 80}, {"IpProtocol": "-1"}],
    "IpPermissionsEgress": [PEERS, {**PEERS, "IpProtocol": "udp"}],
}
TABLE = {
    "RouteTableId": "rtb-1",
    "Routes": [
        {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1"},
        {"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local"},
        {"DestinationCidrBlock": "10.1.0.0/16", "GatewayId": "vgw-1"},
        {"DestinationCidrBlock": "10.1.0.0/16", "TransitGatewayId": "tgw-1"},
        {"DestinationPrefixListId": "pl-1", "GatewayId": "vpce-1"},
        {"DestinationIpv6CidrBlock": "::/0", "EgressOnlyInternetGatewayId": "eigw-1"},
    ],
    "Associations": [
        {"SubnetId": "subnet-2", "RouteTableAssociationId": "rtbassoc-1"},
        {"SubnetId": "subnet-1", "RouteTableAssociationId": "rtbassoc-2"},
        {"GatewayId": "igw-1", "RouteTableAssociationId": "rtbassoc-3"},
    ],
    "PropagatingVgws": [{"GatewayId": "vgw-2"}, {"GatewayId": "vgw-1"}],
}
ACL = {
    "NetworkAclId": "acl-1",
    "Entries": [
        {"RuleNumber": 2, "Egress": False, "RuleAction": "deny", "CidrBlock": "0.0.0.0/0"},
        {"RuleNumber": 1, "Egress": True, "RuleAction": "allow", "CidrBlock": "0.0.0.0/0"},
        {"RuleNumber": 1, "Egress": False, "RuleAction": "allow", "CidrBlock": "10.0.0.0/8"},
    ],
    "Associations": [
        {"SubnetId": "subnet-2", "NetworkAclAssociationId": "aclassoc-1"},
        {"SubnetId": "subnet-1", "NetworkAclAssociationId": "aclassoc-2"},
    ],
}


def shuffle_lists(data: st.DataObject, row: Any) -> Any:
    """Return the row with each of its lists shuffled."""
    if isinstance(row, list):
        return data.draw(st.permutations([shuffle_lists(data, each) for each in row]))
    if isinstance(row, dict):
        return {name: shuffle_lists(data, each) for name, each in row.items()}
    return row


@given(
    st.data(),
    st.sampled_from(
        [
            (ENDPOINT, parse_endpoint),
            (GROUP, parse_security_group),
            (TABLE, parse_route_table),
            (ACL, parse_network_acl),
        ]
    ),
)
def test_the_order_of_lists_in_a_row_does_not_matter(
    data: st.DataObject, kind: tuple[Any, Any]
) -> None:
    """It holds for endpoints, security groups, route tables and network ACLs."""
    row, parse = kind
    assert parse(shuffle_lists(data, row)) == parse(row)


@given(
    st.permutations([parse_endpoint({"VpcEndpointId": f"vpce-{number}"}) for number in range(4)])
)
def test_resources_are_sorted_by_id(items: Any) -> None:
    """The order of the response does not matter."""
    assert list(index_by_id(items)) == ["vpce-0", "vpce-1", "vpce-2", "vpce-3"]


def test_local_routes_come_first() -> None:
    """The console lists them in this order, too."""
    assert next(each.target.id for each in parse_route_table(TABLE).routes) == "local"
