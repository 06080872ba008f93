"""What people do to the emulated region, every call on the trail, those that fail as well."""

import json
from collections.abc import Callable, Mapping

from monitor_stage import Stage
from sample_network import REGION

ANYWHERE = "0.0.0.0/0"
OPEN = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
NARROW = OPEN | {"Action": "s3:GetObject", "Resource": "arn:aws:s3:::ours/*"}


def _policy(stage: Stage, statement: dict[str, str]) -> None:
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    stage.alice.modify_vpc_endpoint(VpcEndpointId=stage.network.interface, PolicyDocument=document)


def _route(stage: Stage) -> None:
    stage.alice.create_route(
        RouteTableId=stage.network.table, DestinationCidrBlock=ANYWHERE, GatewayId=stage.network.igw
    )


def _unroute(stage: Stage) -> None:
    stage.alice.delete_route(RouteTableId=stage.network.table, DestinationCidrBlock=ANYWHERE)


def _associate(stage: Stage) -> None:
    stage.alice.associate_route_table(
        RouteTableId=stage.network.table, SubnetId=stage.network.subnet
    )


def _disassociate(stage: Stage) -> None:
    tables = stage.network.ec2.describe_route_tables(RouteTableIds=[stage.network.table])
    for association in tables["RouteTables"][0]["Associations"]:
        stage.alice.disassociate_route_table(AssociationId=association["RouteTableAssociationId"])


def _hostnames(stage: Stage, *, on: bool) -> None:
    stage.alice.modify_vpc_attribute(VpcId=stage.network.vpc, EnableDnsHostnames={"Value": on})


def _endpoint(stage: Stage) -> None:
    stage.alice.create_vpc_endpoint(
        VpcId=stage.network.bare,
        VpcEndpointType="Gateway",
        ServiceName=f"com.amazonaws.{REGION}.s3",
    )


def _remove_interface(stage: Stage) -> None:
    stage.alice.delete_vpc_endpoints(VpcEndpointIds=[stage.network.interface])


def _open(stage: Stage) -> bool:
    groups = stage.network.ec2.describe_security_groups(GroupIds=[stage.network.group])
    permissions = groups["SecurityGroups"][0]["IpPermissions"]
    return any(each["CidrIp"] == ANYWHERE for one in permissions for each in one["IpRanges"])


def _flip_policy(stage: Stage) -> None:
    endpoints = stage.network.ec2.describe_vpc_endpoints(VpcEndpointIds=[stage.network.interface])
    narrow = NARROW["Resource"] in endpoints["VpcEndpoints"][0]["PolicyDocument"]
    _policy(stage, OPEN if narrow else NARROW)


def _flip_way_out(stage: Stage) -> None:
    tables = stage.network.ec2.describe_route_tables(RouteTableIds=[stage.network.table])
    routes = tables["RouteTables"][0]["Routes"]
    out = any(each.get("DestinationCidrBlock") == ANYWHERE for each in routes)
    (_unroute if out else _route)(stage)


# Changes that always have an effect: for races in which every observation differs.
FLIPS: Mapping[str, Callable[[Stage], object]] = {
    "flip the group": lambda stage: (stage.close_group if _open(stage) else stage.open_group)(),
    "flip the policy": _flip_policy,
    "flip the way out": _flip_way_out,
}

CHANGES: Mapping[str, Callable[[Stage], object]] = {
    "open the group": Stage.open_group,
    "close the group": Stage.close_group,
    "open the policy": lambda stage: _policy(stage, OPEN),
    "narrow the policy": lambda stage: _policy(stage, NARROW),
    "add a way out": _route,
    "remove the way out": _unroute,
    "associate the table": _associate,
    "disassociate the table": _disassociate,
    "turn host names on": lambda stage: _hostnames(stage, on=True),
    "turn host names off": lambda stage: _hostnames(stage, on=False),
    "tag the group": lambda stage: stage.alice.create_tags(
        Resources=[stage.network.group], Tags=[{"Key": "a", "Value": "b"}]
    ),
    "endpoint for the bare VPC": _endpoint,
    "delete the interface endpoint": _remove_interface,
    "make a VPC": lambda stage: stage.alice.create_vpc(CidrBlock="10.77.0.0/16"),
    "delete the bare VPC": lambda stage: stage.alice.delete_vpc(VpcId=stage.network.bare),
    **FLIPS,
}
