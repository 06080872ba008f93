"""The demo's organization: three VPCs, built by EC2 calls, and its baseline.

* *payments*: private subnets in two Availability Zones behind a NAT gateway; gateway endpoints for
  S3 and DynamoDB, interface endpoints for KMS and Secrets Manager.
* *analytics*: no internet access; a gateway endpoint for S3 and an interface endpoint for Glue;
  peered with payments.
* *sandbox*: one subnet with an internet gateway.
* With the shared network, a hub and two spokes (`hub.py`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from posture_cli.demo.hub import Hub
from posture_cli.demo.network_builder import NetworkBuilder, build_https_permission, tag

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

ZONES = ("a", "b")
BASELINE_DOCUMENT = {
    "version": 1,
    "default": {"pending_grace_minutes": 15},
    "overrides": [
        {
            "name": "S3 traffic of production stays private",
            "match": {"tags": {"stage": "production"}},
            "set": {"required_services": ["s3"]},
        },
        {
            "name": "Traffic of payments to keys, secrets and tables stays private as well",
            "match": {"tags": {"Name": "payments"}},
            "set": {"required_services": ["s3", "dynamodb", "kms", "secretsmanager"]},
        },
        {
            "name": "Queues of the spokes are reached by the central endpoint",
            "match": {"tags": {"network": "spoke"}},
            "set": {"required_services": ["sqs"]},
        },
    ],
}


@dataclass(frozen=True, slots=True)
class DemoVpc:
    """One VPC of the organization; `endpoints` are ids by the short name of the service."""

    id: str
    cidr: str
    private_subnets: tuple[str, ...]
    private_table: str
    endpoints: Mapping[str, str]
    endpoint_group: str = ""
    nat_gateway: str = ""


@dataclass(frozen=True, slots=True)
class Organization:
    """The organization's VPCs; `hub` is where the monitor reads the shared network."""

    payments: DemoVpc
    analytics: DemoVpc
    sandbox: DemoVpc
    hub: Hub | None = None


class OrganizationBuilder(NetworkBuilder):
    """Builds the organization through one EC2 client."""

    def __init__(self, ec2: EC2Client, account: str) -> None:
        super().__init__(ec2)
        self._account = account

    def build(self) -> Organization:
        """Delete the account's default VPC, and build the organization's own."""
        self._delete_default_vpc()
        payments = self._build_vpc(
            "payments", "10.20", ["s3", "dynamodb"], ["kms", "secretsmanager"], internet=True
        )
        analytics = self._build_vpc("analytics", "10.30", ["s3"], ["glue"])
        self._peer(payments, analytics)
        return Organization(payments, analytics, self._build_sandbox())

    def policy(self) -> str:
        """Return the endpoint policy: the account's own principals, on its own resources."""
        own = {"aws:PrincipalAccount": self._account, "aws:ResourceAccount": self._account}
        statement = {
            "Sid": "OwnAccountOnly",
            "Effect": "Allow",
            "Principal": "*",
            "Action": "*",
            "Resource": "*",
            "Condition": {"StringEquals": own},
        }
        return json.dumps({"Version": "2012-10-17", "Statement": [statement]})

    def create_private_endpoint(
        self, vpc: str, subnets: Sequence[str], service: str, group: str
    ) -> str:
        """Create an interface endpoint with private DNS; return its id."""
        settings = {"SecurityGroupIds": [group], "PrivateDnsEnabled": True}
        return self.create_endpoint(vpc, subnets, service, **settings, **self._protect(service))

    def _protect(self, service: str) -> dict[str, Any]:
        return {"PolicyDocument": self.policy(), **tag("vpc-endpoint", service)}

    def _build_vpc(
        self,
        name: str,
        prefix: str,
        gateways: Sequence[str],
        interfaces: Sequence[str],
        *,
        internet: bool = False,
    ) -> DemoVpc:
        """Build a VPC with private subnets, behind a NAT gateway if it has internet access."""
        cidr = f"{prefix}.0.0/16"
        vpc = self.create_vpc(cidr, name, stage="production")
        tables, target = [], {}
        if internet:
            public = self.create_subnet(vpc, f"{prefix}.0.0/24", "a", f"{name}-public-a")
            gateway = self.create_internet_gateway(vpc, name)
            tables = [self.create_route_table(vpc, [public], f"{name}-public", GatewayId=gateway)]
            target = {"NatGatewayId": self._create_nat_gateway(public)}
        private = tuple(
            self.create_subnet(vpc, f"{prefix}.{at}.0/24", zone, f"{name}-private-{zone}")
            for at, zone in enumerate(ZONES, start=1)
        )
        table = self.create_route_table(vpc, private, f"{name}-private", **target)
        permission = build_https_permission(cidr, "the VPC")
        group = self.create_group(vpc, f"{name}-endpoints", permission)
        endpoints = {
            # Also for the public subnet, so that its S3 and DynamoDB traffic stays private.
            each: self.create_gateway_endpoint(vpc, each, table, *tables, **self._protect(each))
            for each in gateways
        }
        for each in interfaces:
            endpoints[each] = self.create_private_endpoint(vpc, private, each, group)
        nat_gateway = target.get("NatGatewayId", "")
        return DemoVpc(vpc, cidr, private, table, endpoints, group, nat_gateway)

    def _build_sandbox(self) -> DemoVpc:
        vpc = self.create_vpc("10.40.0.0/16", "sandbox", stage="play")
        subnet = self.create_subnet(vpc, "10.40.0.0/24", "a", "sandbox-a")
        gateway = self.create_internet_gateway(vpc, "sandbox")
        table = self.create_route_table(vpc, [subnet], "sandbox", GatewayId=gateway)
        return DemoVpc(vpc, "10.40.0.0/16", (subnet,), table, {})

    def _delete_default_vpc(self) -> None:
        default = {"Name": "is-default", "Values": ["true"]}
        for vpc in self.ec2.describe_vpcs(Filters=[default])["Vpcs"]:
            own = {"Name": "vpc-id", "Values": [vpc["VpcId"]]}
            for subnet in self.ec2.describe_subnets(Filters=[own])["Subnets"]:
                self.ec2.delete_subnet(SubnetId=subnet["SubnetId"])
            self.ec2.delete_vpc(VpcId=vpc["VpcId"])

    def _create_nat_gateway(self, subnet: str) -> str:
        address = self.ec2.allocate_address(Domain="vpc")["AllocationId"]
        answer = self.ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address)
        return str(answer["NatGateway"]["NatGatewayId"])

    def _peer(self, one: DemoVpc, other: DemoVpc) -> None:
        answer = self.ec2.create_vpc_peering_connection(VpcId=one.id, PeerVpcId=other.id)
        peering = answer["VpcPeeringConnection"]["VpcPeeringConnectionId"]
        self.ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=peering)
        for here, there in ((one, other), (other, one)):
            self.ec2.create_route(
                RouteTableId=here.private_table,
                DestinationCidrBlock=there.cidr,
                VpcPeeringConnectionId=peering,
            )
