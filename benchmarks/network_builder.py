"""Creates networks in an emulated account, and states that have no call."""

from itertools import cycle

import boto3
from moto.ec2.models import ec2_backends
from synthetic_aws import ACCOUNT

from posture_cli.demo.network_builder import NetworkBuilder
from posture_cli.embedded.moto_patches import EndpointPatches


class RegionBuilder(NetworkBuilder):
    """One region of the account."""

    def __init__(self, session: boto3.Session, region: str) -> None:
        super().__init__(session.client("ec2", region_name=region))
        self.elb = session.client("elbv2", region_name=region)
        EndpointPatches(ACCOUNT, region).attach(self.ec2)
        self._endpoints = ec2_backends[ACCOUNT][region].vpc_end_points
        self._blocks = cycle(range(1, 250))  # VPCs may overlap

    def create_network(self, zones: str = "aab") -> tuple[str, list[str]]:
        """Create a VPC with a /24 subnet in each of these zones; return the ids."""
        block = f"10.{next(self._blocks)}"
        vpc = self.create_vpc(f"{block}.0.0/16")
        cidrs = (f"{block}.{at}.0/24" for at in range(len(zones)))
        return vpc, [self.create_subnet(vpc, *each) for each in zip(cidrs, zones, strict=True)]

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
