"""A small region in moto: one VPC with resources of every kind and one without any."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from posture.model.scope import Scope

ACCOUNT = "111122223333"
REGION = "eu-west-1"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@dataclass
class SampleNetwork:
    """The client that built the sample region, and the ids of its resources."""

    ec2: Any
    vpc: str
    bare: str
    subnet: str
    table: str
    gateway: str
    interface: str
    group: str
    prefix_list: str
    nat: str
    igw: str

    @property
    def scope(self) -> Scope:
        """The scope of the VPC that has resources of every kind."""
        return Scope(ACCOUNT, REGION, self.vpc)

    def record_calls(self) -> list[str]:
        """Return a list to which every further operation of the client is added."""
        calls: list[str] = []
        self.ec2.meta.events.register(
            "provide-client-params.ec2.*", lambda model, **_: calls.append(model.name)
        )
        return calls

    def associate_dhcp_options(self, *servers: str) -> None:
        """Associate a DHCP option set with the VPC that names these DNS servers."""
        configuration = {"Key": "domain-name-servers", "Values": servers}
        options = self.ec2.create_dhcp_options(DhcpConfigurations=[configuration])
        self.ec2.associate_dhcp_options(
            VpcId=self.vpc, DhcpOptionsId=options["DhcpOptions"]["DhcpOptionsId"]
        )

    def share_group(self) -> str:
        """Add a security group of the other VPC to the interface endpoint; return its id."""
        group: str = self.ec2.create_security_group(
            GroupName="shared", Description="Shared", VpcId=self.bare
        )["GroupId"]
        self.ec2.modify_vpc_endpoint(VpcEndpointId=self.interface, AddSecurityGroupIds=[group])
        return group

    def add_cross_region_endpoint(self) -> None:
        """Add an interface endpoint for a service of us-west-2."""
        self.ec2.create_vpc_endpoint(
            VpcId=self.vpc,
            VpcEndpointType="Interface",
            ServiceName="com.amazonaws.us-west-2.kms",
            ServiceRegion="us-west-2",
            SubnetIds=[self.subnet],
            PrivateDnsEnabled=False,
        )


def build_sample_network(ec2: Any) -> SampleNetwork:
    """Build a region with two VPCs."""
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    bare = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    prefix_list = ec2.create_managed_prefix_list(
        PrefixListName="offices",
        MaxEntries=5,
        AddressFamily="IPv4",
        Entries=[{"Cidr": "198.51.100.0/24"}],
    )["PrefixList"]["PrefixListId"]
    group = ec2.create_security_group(GroupName="endpoints", Description="x", VpcId=vpc)["GroupId"]
    permission = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}
    peers = {
        "PrefixListIds": [{"PrefixListId": prefix_list}],
        "IpRanges": [{"CidrIp": "10.0.0.0/16"}],
    }
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[{**permission, **peers}])
    igw = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=igw, VpcId=vpc)
    return SampleNetwork(
        ec2=ec2,
        vpc=vpc,
        bare=bare,
        subnet=subnet,
        table=table,
        gateway=create_endpoint(ec2, vpc, "Gateway", "s3", RouteTableIds=[table]),
        interface=create_endpoint(
            ec2,
            vpc,
            "Interface",
            "sns",
            SubnetIds=[subnet],
            SecurityGroupIds=[group],
            PrivateDnsEnabled=True,
        ),
        group=group,
        prefix_list=prefix_list,
        nat=ec2.create_nat_gateway(SubnetId=subnet, ConnectivityType="private")["NatGateway"][
            "NatGatewayId"
        ],
        igw=igw,
    )


def create_endpoint(ec2: Any, vpc: str, kind: str, service: str, **options: Any) -> str:
    """Create an endpoint and return its id."""
    answer = ec2.create_vpc_endpoint(
        VpcId=vpc, VpcEndpointType=kind, ServiceName=f"com.amazonaws.{REGION}.{service}", **options
    )
    return str(answer["VpcEndpoint"]["VpcEndpointId"])
