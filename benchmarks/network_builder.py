"""Creates networks with boto3 in an emulated account, and states that have no call."""

from typing import Any

import boto3
from moto.ec2.models import ec2_backends
from synthetic_aws import ACCOUNT

from posture_cli.embedded.moto_patches import EndpointPatches


class NetworkBuilder:
    """One region of the account."""

    def __init__(self, session: boto3.Session, region: str) -> None:
        self.region = region
        self.ec2: Any = session.client("ec2", region_name=region)
        self.elb = session.client("elbv2", region_name=region)
        EndpointPatches(ACCOUNT, region).attach(self.ec2)
        self._endpoints = ec2_backends[ACCOUNT][region].vpc_end_points
        self._blocks = iter(range(1, 250))

    def create_vpc(self, zones: str = "aab") -> tuple[str, list[str]]:
        """Create a VPC with a /24 subnet in each of these zones; return the ids."""
        block = f"10.{next(self._blocks)}"
        vpc = self.ec2.create_vpc(CidrBlock=f"{block}.0.0/16")["Vpc"]["VpcId"]
        self.ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
        subnets = []
        for at, zone in enumerate(zones):
            created = self.ec2.create_subnet(
                VpcId=vpc, CidrBlock=f"{block}.{at}.0/24", AvailabilityZone=f"{self.region}{zone}"
            )
            subnets.append(created["Subnet"]["SubnetId"])
        return vpc, subnets

    def create_endpoint(self, vpc: str, subnets: list[str], service: str, **more: Any) -> str:
        """Create an interface endpoint, without private DNS by default; return its id."""
        settings = {"VpcEndpointType": "Interface", "PrivateDnsEnabled": False, **more}
        return self._create_endpoint(vpc, service, SubnetIds=subnets, **settings)

    def create_gateway_endpoint(self, vpc: str, service: str, *tables: str) -> str:
        """Create a gateway endpoint for these route tables; return its id."""
        routed = {"RouteTableIds": list(tables)} if tables else {}
        return self._create_endpoint(vpc, service, VpcEndpointType="Gateway", **routed)

    def _create_endpoint(self, vpc: str, service: str, **settings: Any) -> str:
        name = f"com.amazonaws.{self.region}.{service}"
        created = self.ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=name, **settings)
        return str(created["VpcEndpoint"]["VpcEndpointId"])

    def create_group(self, vpc: str, name: str, *permissions: dict[str, Any]) -> str:
        """Create a security group; return its id."""
        group = self.ec2.create_security_group(GroupName=name, Description="x", VpcId=vpc)
        if permissions:
            self.ec2.authorize_security_group_ingress(
                GroupId=group["GroupId"], IpPermissions=list(permissions)
            )
        return str(group["GroupId"])

    def find_default_group(self, vpc: str) -> str:
        """Return the id of a VPC's default security group."""
        values = {"vpc-id": vpc, "group-name": "default"}
        filters = [{"Name": name, "Values": [value]} for name, value in values.items()]
        found = self.ec2.describe_security_groups(Filters=filters)["SecurityGroups"]
        return str(found[0]["GroupId"])

    def set_state(self, endpoint: str, state: str) -> None:
        """Bring an endpoint into a state; "deleted" by EC2's call, others directly."""
        if state == "deleted":
            self.ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint])
        elif state:
            self._endpoints[endpoint].state = state
