"""Map the resources of stacks, type by type, to the rows of a region.

A type that touches networks and is not understood is named in the output.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from posture_cli.plan import cloudformation_routes as routes
from posture_cli.plan import cloudformation_security as security
from posture_cli.plan.cloudformation_stack import NESTED, PlannedStack, Resource
from posture_cli.plan.resources import security_groups

Step = Callable[[Resource], None]


def restrict_default_group(it: Resource) -> None:
    """Remove the rules of a VPC's default group, as this custom resource of the CDK does.

    https://docs.aws.amazon.com/cdk/api/v2/docs/aws-cdk-lib.aws_ec2.VpcProps.html
    """
    group_id = it.get("DefaultSecurityGroupId")
    for egress in (False, True):
        security_groups.clear_group_rules(it.region, str(group_id), egress=egress)


# In the order in which they need each other.
ADD: Mapping[str, Step] = {
    "AWS::EC2::VPC": routes.add_vpc,
    "AWS::EC2::VPCCidrBlock": routes.add_vpc_cidr,
    "AWS::EC2::DHCPOptions": routes.add_dhcp_options,
    "AWS::EC2::VPCDHCPOptionsAssociation": routes.associate_dhcp_options,
    "AWS::EC2::PrefixList": routes.add_prefix_list,
    "AWS::EC2::NetworkAcl": security.add_acl,
    "AWS::EC2::Subnet": routes.add_subnet,
    "AWS::EC2::SubnetCidrBlock": routes.add_subnet_cidr,
    "AWS::EC2::SecurityGroup": security.add_group,
    "AWS::EC2::NatGateway": routes.add_nat_gateway,
    "AWS::EC2::NetworkInterface": routes.add_network_interface,
    "AWS::EC2::Instance": routes.add_instance,
    "AWS::EC2::RouteTable": routes.add_route_table,
    "AWS::EC2::VPCEndpointService": security.add_service,
    "AWS::EC2::VPCEndpoint": security.add_endpoint,
    # These belong to one of the above.
    "AWS::EC2::SubnetRouteTableAssociation": routes.associate_subnet,
    "AWS::EC2::GatewayRouteTableAssociation": routes.associate_gateway,
    "AWS::EC2::Route": routes.add_route,
    "AWS::EC2::VPNGatewayRoutePropagation": routes.propagate_routes,
    "Custom::VpcRestrictDefaultSG": restrict_default_group,
    "AWS::EC2::SecurityGroupIngress": security.add_ingress,
    "AWS::EC2::SecurityGroupEgress": security.add_egress,
    "AWS::EC2::NetworkAclEntry": security.add_acl_entry,
    "AWS::EC2::SubnetNetworkAclAssociation": security.associate_acl,
    "AWS::EC2::VPCEndpointServicePermissions": security.allow_principals,
}
# Known, and without a part in the paths of a VPC but as a target that routes name.
NO_PART = frozenset(
    f"AWS::EC2::{name}"
    for name in (
        "CapacityReservation",
        "CapacityReservationFleet",
        "CarrierGateway",
        "CustomerGateway",
        "EC2Fleet",
        "EIP",
        "EIPAssociation",
        "EgressOnlyInternetGateway",
        "FlowLog",
        "Host",
        "InternetGateway",
        "KeyPair",
        "LaunchTemplate",
        "NetworkInterfaceAttachment",
        "NetworkInterfacePermission",
        "PlacementGroup",
        "SpotFleet",
        "TransitGateway",
        "TransitGatewayAttachment",
        "TransitGatewayPeeringAttachment",
        "TransitGatewayRoute",
        "TransitGatewayRouteTable",
        "TransitGatewayRouteTableAssociation",
        "TransitGatewayRouteTablePropagation",
        "TransitGatewayVpcAttachment",
        "VPCEndpointConnectionNotification",
        "VPCGatewayAttachment",
        "VPCPeeringConnection",
        "VPNConnection",
        "VPNConnectionRoute",
        "VPNGateway",
        "Volume",
        "VolumeAttachment",
    )
)
NETWORK = re.compile(
    r"AWS::(EC2|RAM|NetworkManager|NetworkFirewall|VpcLattice|Route53Resolver)::|.*::MODULE$"
)
# Custom resources run code. Those of the CDK that touch no network:
CUSTOM = re.compile(r"Custom::|AWS::CloudFormation::CustomResource$")
HARMLESS = re.compile(
    r"Custom::(S3AutoDeleteObjects|S3BucketNotifications|LogRetention|CDKBucketDeployment|"
    r"CrossRegionExport(Writer|Reader)|ECRAutoDeleteImages|DynamoDBReplica|VpcRestrictDefaultSG)$"
)


def list_stacks(stacks: Sequence[PlannedStack]) -> Iterator[PlannedStack]:
    """List stacks with those that are nested in them."""
    for each in stacks:
        yield each
        yield from list_stacks(list(each.children.values()))


def add_stacks(stacks: Sequence[PlannedStack]) -> None:
    """Add the resources of stacks to the rows of their regions, type by type."""
    every = list(list_stacks(stacks))
    for kind, step in ADD.items():
        for stack in every:
            for resource in stack.list_resources(kind):
                step(resource)


def list_notes(stacks: Sequence[PlannedStack]) -> Iterator[str]:
    """List sentences about what is not understood."""
    for stack in list_stacks(stacks):
        for logical_id, body in stack.template.resources.items():
            kind = body["Type"]
            if stack.exists(logical_id) is False or kind in ADD or kind in NO_PART:
                continue
            address = f"{stack.prefix}{logical_id}"
            if kind == NESTED and logical_id not in stack.children:
                yield f"{address} is not evaluated: the template of the nested stack is not here."
            elif CUSTOM.match(kind) and not HARMLESS.match(kind):
                yield (
                    f"{address} is not evaluated: {kind} runs code, which may change the network."
                )
            elif NETWORK.match(kind):
                yield f"{address} is not evaluated: {kind} is not a type that is understood."
            elif kind == "AWS::Route53::HostedZone" and stack.template.get_properties(
                logical_id
            ).get("VPCs"):
                yield f"{address} is not evaluated: private hosted zones are not read."
