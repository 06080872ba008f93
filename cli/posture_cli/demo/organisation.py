"""The demo's organisation: three VPCs, built by EC2 calls, and its baseline.

* *payments*: private subnets in two Availability Zones behind a NAT gateway; gateway endpoints for
  S3 and DynamoDB, interface endpoints for KMS and Secrets Manager.
* *analytics*: no internet access; a gateway endpoint for S3 and an interface endpoint for Glue;
  peered with payments.
* *sandbox*: one subnet with an internet gateway.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ec2.literals import ResourceTypeType, VpcEndpointTypeType

ZONES = ("a", "b")
HTTPS = 443
INTERNET = "0.0.0.0/0"
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
    ],
}


@dataclass(frozen=True, slots=True)
class DemoVpc:
    """One VPC of the organisation; `endpoints` are ids by the short name of the service."""

    id: str
    cidr: str
    private_subnets: tuple[str, ...]
    private_table: str
    endpoints: Mapping[str, str]
    endpoint_group: str = ""
    nat_gateway: str = ""


@dataclass(frozen=True, slots=True)
class Organisation:
    """The organisation's VPCs."""

    payments: DemoVpc
    analytics: DemoVpc
    sandbox: DemoVpc


class OrganisationBuilder:
    """Builds the organisation through one EC2 client."""

    def __init__(self, ec2: EC2Client, account: str) -> None:
        self._ec2 = ec2
        self._account = account
        self._region = ec2.meta.region_name

    def build(self) -> Organisation:
        """Delete the account's default VPC, and build the organisation's own."""
        self._remove_default_vpc()
        payments = self._payments()
        analytics = self._analytics()
        self._peer(payments, analytics)
        return Organisation(payments, analytics, self._sandbox())

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

    def interface_endpoint(
        self, service: str, vpc_id: str, group: str, subnets: Sequence[str]
    ) -> str:
        """Create an interface endpoint with private DNS; return its id."""
        return self._endpoint(
            "Interface",
            service,
            vpc_id,
            SubnetIds=subnets,
            SecurityGroupIds=[group],
            PrivateDnsEnabled=True,
        )

    def _payments(self) -> DemoVpc:
        vpc_id = self._vpc("payments", "10.20.0.0/16", {"stage": "production"})
        public = self._subnet(vpc_id, "payments-public-a", "10.20.0.0/24", "a")
        private = self._private_subnets(vpc_id, "payments", "10.20")
        gateway = self._internet(vpc_id, "payments")
        edge = self._table(vpc_id, "payments-public", [public])
        self._ec2.create_route(RouteTableId=edge, DestinationCidrBlock=INTERNET, GatewayId=gateway)
        nat = self._nat(public)
        table = self._table(vpc_id, "payments-private", private)
        self._ec2.create_route(RouteTableId=table, DestinationCidrBlock=INTERNET, NatGatewayId=nat)
        group = self._group(vpc_id, "payments-endpoints", "10.20.0.0/16")
        endpoints = {
            # Also for the public subnet, so that its S3 and DynamoDB traffic stays private.
            "s3": self._gateway_endpoint("s3", vpc_id, [table, edge]),
            "dynamodb": self._gateway_endpoint("dynamodb", vpc_id, [table, edge]),
            "kms": self.interface_endpoint("kms", vpc_id, group, private),
            "secretsmanager": self.interface_endpoint("secretsmanager", vpc_id, group, private),
        }
        return DemoVpc(vpc_id, "10.20.0.0/16", tuple(private), table, endpoints, group, nat)

    def _analytics(self) -> DemoVpc:
        vpc_id = self._vpc("analytics", "10.30.0.0/16", {"stage": "production"})
        private = self._private_subnets(vpc_id, "analytics", "10.30")
        table = self._table(vpc_id, "analytics-private", private)
        group = self._group(vpc_id, "analytics-endpoints", "10.30.0.0/16")
        endpoints = {
            "s3": self._gateway_endpoint("s3", vpc_id, [table]),
            "glue": self.interface_endpoint("glue", vpc_id, group, private),
        }
        return DemoVpc(vpc_id, "10.30.0.0/16", tuple(private), table, endpoints, group)

    def _sandbox(self) -> DemoVpc:
        vpc_id = self._vpc("sandbox", "10.40.0.0/16", {"stage": "play"})
        subnet = self._subnet(vpc_id, "sandbox-a", "10.40.0.0/24", "a")
        gateway = self._internet(vpc_id, "sandbox")
        table = self._table(vpc_id, "sandbox", [subnet])
        self._ec2.create_route(RouteTableId=table, DestinationCidrBlock=INTERNET, GatewayId=gateway)
        return DemoVpc(vpc_id, "10.40.0.0/16", (subnet,), table, {})

    def _remove_default_vpc(self) -> None:
        subnets = self._ec2.describe_subnets()["Subnets"]
        for vpc in self._ec2.describe_vpcs()["Vpcs"]:
            if vpc["IsDefault"]:
                for subnet in subnets:
                    if subnet["VpcId"] == vpc["VpcId"]:
                        self._ec2.delete_subnet(SubnetId=subnet["SubnetId"])
                self._ec2.delete_vpc(VpcId=vpc["VpcId"])

    def _vpc(self, name: str, cidr: str, tags: Mapping[str, str]) -> str:
        vpc = self._ec2.create_vpc(CidrBlock=cidr, TagSpecifications=[_named("vpc", name, tags)])
        vpc_id = vpc["Vpc"]["VpcId"]
        self._ec2.modify_vpc_attribute(VpcId=vpc_id, EnableDnsHostnames={"Value": True})
        return vpc_id

    def _private_subnets(self, vpc_id: str, name: str, prefix: str) -> list[str]:
        return [
            self._subnet(vpc_id, f"{name}-private-{zone}", f"{prefix}.{number}.0/24", zone)
            for number, zone in enumerate(ZONES, start=1)
        ]

    def _subnet(self, vpc_id: str, name: str, cidr: str, zone: str) -> str:
        answer = self._ec2.create_subnet(
            VpcId=vpc_id,
            CidrBlock=cidr,
            AvailabilityZone=f"{self._region}{zone}",
            TagSpecifications=[_named("subnet", name)],
        )
        return answer["Subnet"]["SubnetId"]

    def _internet(self, vpc_id: str, name: str) -> str:
        answer = self._ec2.create_internet_gateway(
            TagSpecifications=[_named("internet-gateway", name)]
        )
        gateway = answer["InternetGateway"]["InternetGatewayId"]
        self._ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc_id)
        return gateway

    def _nat(self, subnet: str) -> str:
        address = self._ec2.allocate_address(Domain="vpc")["AllocationId"]
        answer = self._ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address)
        return answer["NatGateway"]["NatGatewayId"]

    def _table(self, vpc_id: str, name: str, subnets: Sequence[str]) -> str:
        answer = self._ec2.create_route_table(
            VpcId=vpc_id, TagSpecifications=[_named("route-table", name)]
        )
        table = answer["RouteTable"]["RouteTableId"]
        for subnet in subnets:
            self._ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
        return table

    def _group(self, vpc_id: str, name: str, cidr: str) -> str:
        group = self._ec2.create_security_group(
            VpcId=vpc_id, GroupName=name, Description="HTTPS from the VPC to its endpoints"
        )["GroupId"]
        self._ec2.authorize_security_group_ingress(
            GroupId=group,
            IpPermissions=[
                {
                    "IpProtocol": "tcp",
                    "FromPort": HTTPS,
                    "ToPort": HTTPS,
                    "IpRanges": [{"CidrIp": cidr, "Description": "the VPC"}],
                }
            ],
        )
        return group

    def _gateway_endpoint(self, service: str, vpc_id: str, tables: Sequence[str]) -> str:
        return self._endpoint("Gateway", service, vpc_id, RouteTableIds=tables)

    def _endpoint(
        self, kind: VpcEndpointTypeType, service: str, vpc_id: str, **settings: Any
    ) -> str:
        answer = self._ec2.create_vpc_endpoint(
            VpcEndpointType=kind,
            VpcId=vpc_id,
            ServiceName=f"com.amazonaws.{self._region}.{service}",
            PolicyDocument=self.policy(),
            TagSpecifications=[_named("vpc-endpoint", service)],
            **settings,
        )
        return answer["VpcEndpoint"]["VpcEndpointId"]

    def _peer(self, one: DemoVpc, other: DemoVpc) -> None:
        answer = self._ec2.create_vpc_peering_connection(VpcId=one.id, PeerVpcId=other.id)
        peering = answer["VpcPeeringConnection"]["VpcPeeringConnectionId"]
        self._ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=peering)
        for here, there in ((one, other), (other, one)):
            self._ec2.create_route(
                RouteTableId=here.private_table,
                DestinationCidrBlock=there.cidr,
                VpcPeeringConnectionId=peering,
            )


def _named(kind: ResourceTypeType, name: str, tags: Mapping[str, str] | None = None) -> Any:
    pairs = [{"Key": key, "Value": value} for key, value in {"Name": name, **(tags or {})}.items()]
    return {"ResourceType": kind, "Tags": pairs}
