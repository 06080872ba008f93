"""Creates networks by the calls of one EC2 client, for the demo and the benchmarks."""

from collections.abc import Iterable
from typing import Any


class NetworkBuilder:
    """Creates resources, each method one kind; returns their ids."""

    def __init__(self, ec2: Any) -> None:
        self.ec2 = ec2
        self.region: str = ec2.meta.region_name

    def create_vpc(self, cidr: str, name: str = "", **tags: str) -> str:
        """Create a VPC with DNS hostnames enabled."""
        vpc: str = self.ec2.create_vpc(CidrBlock=cidr, **tag("vpc", name, **tags))["Vpc"]["VpcId"]
        self.ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
        return vpc

    def create_subnet(self, vpc: str, cidr: str, zone: str, name: str = "") -> str:
        """Create a subnet in the Availability Zone with this letter."""
        place = {"CidrBlock": cidr, "AvailabilityZone": f"{self.region}{zone}"}
        answer = self.ec2.create_subnet(VpcId=vpc, **place, **tag("subnet", name))
        return str(answer["Subnet"]["SubnetId"])

    def create_internet_gateway(self, vpc: str, name: str = "") -> str:
        """Create an internet gateway and attach it."""
        answer = self.ec2.create_internet_gateway(**tag("internet-gateway", name))
        gateway = str(answer["InternetGateway"]["InternetGatewayId"])
        self.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
        return gateway

    def create_route_table(
        self, vpc: str, subnets: Iterable[str], name: str = "", **target: str
    ) -> str:
        """Create a route table for subnets, with a default route if it has a target."""
        answer = self.ec2.create_route_table(VpcId=vpc, **tag("route-table", name))
        table = str(answer["RouteTable"]["RouteTableId"])
        for subnet in subnets:
            self.ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
        if target:
            default = {"RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0"}
            self.ec2.create_route(**default, **target)
        return table

    def create_group(self, vpc: str, name: str, *permissions: dict[str, Any]) -> str:
        """Create a security group that allows inbound traffic."""
        purpose = "HTTPS from the VPC to its endpoints"
        answer = self.ec2.create_security_group(VpcId=vpc, GroupName=name, Description=purpose)
        group = str(answer["GroupId"])
        if permissions:
            self.ec2.authorize_security_group_ingress(
                GroupId=group, IpPermissions=list(permissions)
            )
        return group

    def create_endpoint(
        self, vpc: str, subnets: Iterable[str], service: str, **settings: Any
    ) -> str:
        """Create an interface endpoint, by default without private DNS."""
        interface = {"SubnetIds": list(subnets), "PrivateDnsEnabled": False, **settings}
        return self._create_endpoint(vpc, service, VpcEndpointType="Interface", **interface)

    def create_gateway_endpoint(self, vpc: str, service: str, *tables: str, **settings: Any) -> str:
        """Create a gateway endpoint for route tables."""
        routed = {"RouteTableIds": list(tables)} if tables else {}
        gateway = {"VpcEndpointType": "Gateway", **routed, **settings}
        return self._create_endpoint(vpc, service, **gateway)

    def _create_endpoint(self, vpc: str, service: str, **settings: Any) -> str:
        name = f"com.amazonaws.{self.region}.{service}"
        answer = self.ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=name, **settings)
        return str(answer["VpcEndpoint"]["VpcEndpointId"])


def build_https_permission(cidr: str, description: str = "") -> dict[str, Any]:
    """Build the permission of HTTPS from a CIDR block."""
    block = {"CidrIp": cidr, **({"Description": description} if description else {})}
    return {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [block]}


def tag(kind: str, name: str, **tags: str) -> dict[str, Any]:
    """Build the parameter that tags a resource; none without a name."""
    pairs = [{"Key": key, "Value": value} for key, value in {"Name": name, **tags}.items()]
    return {"TagSpecifications": [{"ResourceType": kind, "Tags": pairs}]} if name else {}
