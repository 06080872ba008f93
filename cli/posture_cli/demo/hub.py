"""The demo's central endpoints: a hub VPC and two spokes, which a transit gateway connects.

* *endpoints*: the hub, with an interface endpoint for SQS without private DNS.
* *orders* and *billing*: spokes without endpoints. A private hosted zone leads their names to the
  hub's endpoint, and the transit gateway has a route table for them and one for the hub.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from posture_cli.demo.network_builder import NetworkBuilder, build_https_permission, tag

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

    Route53Client = Any  # its stubs are not installed

SERVICE = "sqs"
ZONES = "ab"
EVERYWHERE = "10.0.0.0/8"
HUB_BLOCK = "10.50.0.0/16"
SPOKES = {"orders": "10.60.0.0/16", "billing": "10.61.0.0/16"}


@dataclass(frozen=True, slots=True)
class Hub:
    """The hub's VPC and attachment, and the route table of the gateway for its spokes."""

    id: str
    attachment: str
    spokes_table: str


@dataclass(frozen=True, slots=True)
class _AttachedVpc:
    """A VPC with an attachment to the transit gateway."""

    id: str
    cidr: str
    subnets: tuple[str, ...]
    attachment: str


class HubBuilder(NetworkBuilder):
    """Builds the hub, its spokes and their zone.

    Args:
        ec2: A client whose calls are not recorded.
        route53: A client of Route 53.
        policy: The policy of the hub's endpoint.
    """

    def __init__(self, ec2: EC2Client, route53: Route53Client, policy: str) -> None:
        super().__init__(ec2)
        self._route53 = route53
        self._policy = policy

    def build(self) -> Hub:
        """Build everything; each part is intact."""
        options = dict.fromkeys(
            ("DefaultRouteTableAssociation", "DefaultRouteTablePropagation"), "disable"
        )
        answer = self.ec2.create_transit_gateway(Options=options)
        gateway = str(answer["TransitGateway"]["TransitGatewayId"])
        hub = self._build_vpc("endpoints", HUB_BLOCK, gateway)
        spokes = {
            name: self._build_vpc(name, block, gateway, network="spoke")
            for name, block in SPOKES.items()
        }
        self._share_endpoint(hub, [hub, *spokes.values()])
        spokes_table, hub_table = self._create_table(gateway), self._create_table(gateway)
        self._associate(hub_table, hub.attachment)
        self._route(spokes_table, HUB_BLOCK, hub.attachment)
        for spoke in spokes.values():
            self._associate(spokes_table, spoke.attachment)
            self._route(hub_table, spoke.cidr, spoke.attachment)
        return Hub(hub.id, hub.attachment, spokes_table)

    def _build_vpc(self, name: str, cidr: str, gateway: str, **tags: str) -> _AttachedVpc:
        """Build a VPC with subnets in two zones, whose traffic to other VPCs goes to a gateway."""
        vpc, prefix = self.create_vpc(cidr, name, **tags), cidr.removesuffix(".0.0/16")
        subnets = tuple(
            self.create_subnet(vpc, f"{prefix}.{number}.0/24", zone, f"{name}-{zone}")
            for number, zone in enumerate(ZONES, start=1)
        )
        answer = self.ec2.create_transit_gateway_vpc_attachment(
            TransitGatewayId=gateway, VpcId=vpc, SubnetIds=subnets
        )
        attachment = answer["TransitGatewayVpcAttachment"]["TransitGatewayAttachmentId"]
        table = self.create_route_table(vpc, subnets, name)
        self.ec2.create_route(
            RouteTableId=table, DestinationCidrBlock=EVERYWHERE, TransitGatewayId=gateway
        )
        return _AttachedVpc(vpc, cidr, subnets, str(attachment))

    def _share_endpoint(self, hub: _AttachedVpc, vpcs: Sequence[_AttachedVpc]) -> None:
        """Create the endpoint, and a zone that leads all VPCs to it."""
        permissions = (build_https_permission(each.cidr) for each in vpcs)
        group = self.create_group(hub.id, "central-endpoints", *permissions)
        settings = {"SecurityGroupIds": [group], "PolicyDocument": self._policy}
        endpoint = self.create_endpoint(
            hub.id, hub.subnets, SERVICE, **settings, **tag("vpc-endpoint", SERVICE)
        )
        described = self.ec2.describe_vpc_endpoints(VpcEndpointIds=[endpoint])
        target = described["VpcEndpoints"][0]["DnsEntries"][0]
        name = f"{SERVICE}.{self.region}.amazonaws.com"
        places = [{"VPCRegion": self.region, "VPCId": each.id} for each in vpcs]
        zone = self._route53.create_hosted_zone(
            Name=name,
            VPC=places[0],
            CallerReference="demo",
            HostedZoneConfig={"PrivateZone": True},
        )["HostedZone"]["Id"]
        for each in places[1:]:
            self._route53.associate_vpc_with_hosted_zone(HostedZoneId=zone, VPC=each)
        alias = {
            "DNSName": target["DnsName"],
            "HostedZoneId": target["HostedZoneId"],
            "EvaluateTargetHealth": False,
        }
        record = {"Name": name, "Type": "A", "AliasTarget": alias}
        self._route53.change_resource_record_sets(
            HostedZoneId=zone,
            ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]},
        )

    def _create_table(self, gateway: str) -> str:
        answer = self.ec2.create_transit_gateway_route_table(TransitGatewayId=gateway)
        return str(answer["TransitGatewayRouteTable"]["TransitGatewayRouteTableId"])

    def _associate(self, table: str, attachment: str) -> None:
        self.ec2.associate_transit_gateway_route_table(
            TransitGatewayRouteTableId=table, TransitGatewayAttachmentId=attachment
        )

    def _route(self, table: str, cidr: str, attachment: str) -> None:
        self.ec2.create_transit_gateway_route(
            TransitGatewayRouteTableId=table,
            DestinationCidrBlock=cidr,
            TransitGatewayAttachmentId=attachment,
        )
