"""Builds set-ups in an account by boto3, and what boto3 cannot bring about in the emulator."""

from __future__ import annotations

from typing import Any

import boto3
from moto.ec2.models import ec2_backends

from labelled.case import ACCOUNT
from posture_cli.embedded.moto_patches import EndpointPatches

ZONES = "aab"


class Account:
    """One region of the account."""

    def __init__(self, session: boto3.Session, region: str) -> None:
        self.region = region
        self.ec2: Any = session.client("ec2", region_name=region)
        self.elb = session.client("elbv2", region_name=region)
        EndpointPatches(ACCOUNT, region).attach(self.ec2)
        self._backend = ec2_backends[ACCOUNT][region]
        self._blocks = iter(range(1, 250))

    def vpc(self) -> tuple[str, list[str]]:
        """Make a VPC with subnets in zones a, a and b; give their ids."""
        block = next(self._blocks)
        vpc = self.ec2.create_vpc(CidrBlock=f"10.{block}.0.0/16")["Vpc"]["VpcId"]
        self.ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
        subnets = [
            self.ec2.create_subnet(
                VpcId=vpc,
                CidrBlock=f"10.{block}.{at}.0/24",
                AvailabilityZone=f"{self.region}{zone}",
            )["Subnet"]["SubnetId"]
            for at, zone in enumerate(ZONES)
        ]
        return vpc, subnets

    def endpoint(self, vpc: str, subnets: list[str], service: str, **more: Any) -> str:
        """Make an interface endpoint; give its id."""
        settings: dict[str, Any] = {"PrivateDnsEnabled": False, **more}
        made = self.ec2.create_vpc_endpoint(
            VpcId=vpc,
            VpcEndpointType="Interface",
            ServiceName=self.service(service),
            SubnetIds=subnets,
            **settings,
        )
        return str(made["VpcEndpoint"]["VpcEndpointId"])

    def gateway(self, vpc: str, service: str) -> str:
        """Make a gateway endpoint; give its id."""
        made = self.ec2.create_vpc_endpoint(
            VpcId=vpc, VpcEndpointType="Gateway", ServiceName=self.service(service)
        )
        return str(made["VpcEndpoint"]["VpcEndpointId"])

    def group(self, vpc: str, name: str, *permissions: dict[str, Any]) -> str:
        """Make a security group; give its id."""
        made = self.ec2.create_security_group(GroupName=name, Description="x", VpcId=vpc)
        if permissions:
            self.ec2.authorize_security_group_ingress(
                GroupId=made["GroupId"], IpPermissions=list(permissions)
            )
        return str(made["GroupId"])

    def default_group(self, vpc: str) -> str:
        """Give the id of a VPC's default group."""
        filters = [
            {"Name": "vpc-id", "Values": [vpc]},
            {"Name": "group-name", "Values": ["default"]},
        ]
        found = self.ec2.describe_security_groups(Filters=filters)["SecurityGroups"]
        return str(found[0]["GroupId"])

    def put_in_state(self, endpoint: str, state: str) -> None:
        """Bring an endpoint into a state that the emulator knows no call for."""
        self._backend.vpc_end_points[endpoint].state = state

    def service(self, name: str) -> str:
        """Give an AWS service's full name in this region."""
        return f"com.amazonaws.{self.region}.{name}"
