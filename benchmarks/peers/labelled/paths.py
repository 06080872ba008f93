"""Subnets labelled by the routes and network ACLs between them and the gateway endpoints."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from network_builder import RegionBuilder

from labelled.case import LabelledCase

PAST = "traffic to S3 or DynamoDB may leave past gateway endpoints"
BLOCKED = "network ACL blocks S3 or DynamoDB at its gateway endpoint"
SERVICES = ("s3", "dynamodb")
SERVICE_BLOCKS = ("52.216.0.0/15", "3.5.0.0/19", "54.231.0.0/16")  # of S3, in this account
INSPECTION = "com.amazonaws.vpce.eu-west-1.vpce-svc-0123456789abcdef0"
PRIORITY = "the most specific route applies (VPC: Route priority)"
USED = "PrivateLink: Gateway endpoints, Routing"
UNUSED = f"without a route to the endpoint, the traffic takes the default route ({USED})"
FORWARDS = (
    "an instance without source/destination check may forward what is not meant for it "
    "(VPC: NAT instances)"
)
INSPECTED = (
    "inspected traffic comes back to the subnet of the endpoint and takes its routes "
    "(Gateway Load Balancer: Getting started)"
)
RULES = "PrivateLink: Gateway endpoints; VPC: Network ACL rules"

Json = dict[str, Any]


@dataclass
class PublicVpc:
    """A VPC with an internet gateway, and a subnet that is judged beside a public one."""

    account: RegionBuilder
    vpc: str = field(init=False)
    subnet: str = field(init=False)
    public: str = field(init=False)
    table: str = field(init=False)

    def __post_init__(self) -> None:
        """Create the VPC; the judged subnet's route table has no default route."""
        self.vpc, (self.subnet, self.public) = self.account.create_network("ab")
        gateway = self.account.create_internet_gateway(self.vpc)
        public = self.account.create_route_table(self.vpc, [self.public], GatewayId=gateway)
        for service in SERVICES:
            self.account.create_gateway_endpoint(self.vpc, service, public)
        self.table = self.account.create_route_table(self.vpc, [self.subnet])

    def route(self, block: str = "0.0.0.0/0", **target: str) -> None:
        """Add a route of the judged subnet."""
        self.account.ec2.create_route(RouteTableId=self.table, DestinationCidrBlock=block, **target)

    def use_endpoints(self) -> None:
        """Associate the VPC's gateway endpoints with the judged subnet's route table."""
        mine = [{"Name": "vpc-id", "Values": [self.vpc]}]
        for each in self.account.ec2.describe_vpc_endpoints(Filters=mine)["VpcEndpoints"]:
            if each["VpcEndpointType"] == "Gateway":
                self.account.ec2.modify_vpc_endpoint(
                    VpcEndpointId=each["VpcEndpointId"], AddRouteTableIds=[self.table]
                )

    def create_nat_gateway(self) -> dict[str, str]:
        """Create a NAT gateway in the public subnet; return it as a target."""
        address = self.account.ec2.allocate_address(Domain="vpc")["AllocationId"]
        made = self.account.ec2.create_nat_gateway(SubnetId=self.public, AllocationId=address)
        return {"NatGatewayId": made["NatGateway"]["NatGatewayId"]}

    def create_nat_instance(self) -> dict[str, str]:
        """Start an instance in the public subnet that forwards; return it as a target."""
        ec2 = self.account.ec2
        image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        made = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, SubnetId=self.public)
        instance = made["Instances"][0]["InstanceId"]
        ec2.modify_instance_attribute(InstanceId=instance, SourceDestCheck={"Value": False})
        return {"InstanceId": instance}

    def create_appliance(self) -> dict[str, str]:
        """Create an appliance's network interface in the public subnet; return it as a target."""
        made = self.account.ec2.create_network_interface(SubnetId=self.public)
        interface = made["NetworkInterface"]["NetworkInterfaceId"]
        self.account.ec2.modify_network_interface_attribute(
            NetworkInterfaceId=interface, SourceDestCheck={"Value": False}
        )
        return {"NetworkInterfaceId": interface}

    def create_inspection(self) -> dict[str, str]:
        """Create a Gateway Load Balancer endpoint in the public subnet; return it as a target."""
        made = self.account.ec2.create_vpc_endpoint(
            VpcId=self.vpc,
            VpcEndpointType="GatewayLoadBalancer",
            ServiceName=INSPECTION,
            SubnetIds=[self.public],
        )
        return {"VpcEndpointId": made["VpcEndpoint"]["VpcEndpointId"]}

    def replace_network_acl(self, *entries: tuple[int, Json]) -> str:
        """Associate an ACL with the subnet: all inbound traffic, and these outbound entries."""
        ec2 = self.account.ec2
        acl = str(ec2.create_network_acl(VpcId=self.vpc)["NetworkAcl"]["NetworkAclId"])
        let_in = (100, {"Protocol": "-1", "RuleAction": "allow", "CidrBlock": "0.0.0.0/0"})
        for outbound, (number, entry) in ((False, let_in), *((True, each) for each in entries)):
            ec2.create_network_acl_entry(
                NetworkAclId=acl, Egress=outbound, RuleNumber=number, **entry
            )
        old = next(
            place["NetworkAclAssociationId"]
            for each in ec2.describe_network_acls()["NetworkAcls"]
            for place in each["Associations"]
            if place["SubnetId"] == self.subnet
        )
        ec2.replace_network_acl_association(AssociationId=old, NetworkAclId=acl)
        return acl


def build_cases(account: RegionBuilder) -> Iterator[LabelledCase]:
    """Create the resources; yield the cases."""
    yield from _build_past(account)
    yield from _build_blocked(account)


def _build_past(account: RegionBuilder) -> Iterator[LabelledCase]:
    targets: tuple[tuple[str, Callable[[PublicVpc], dict[str, str]], str], ...] = (
        ("NAT gateway", PublicVpc.create_nat_gateway, UNUSED),
        ("NAT instance", PublicVpc.create_nat_instance, FORWARDS),
        ("appliance's network interface", PublicVpc.create_appliance, FORWARDS),
        ("Gateway Load Balancer endpoint", PublicVpc.create_inspection, INSPECTED),
    )
    for name, build, why in targets:
        place = PublicVpc(account)
        place.route(**build(place))
        yield LabelledCase(
            PAST, f"{name}, no endpoint route", (place.subnet, place.table), True, why
        )
    for name, build, _ in targets:
        place = PublicVpc(account)
        place.use_endpoints()
        place.route(**build(place))
        why = f"the route to the endpoint is more specific ({USED})"
        yield LabelledCase(
            PAST, f"{name} and endpoint routes", (place.subnet, place.table), False, why
        )
    for name, build, _ in targets[:2]:
        place = PublicVpc(account)
        place.use_endpoints()
        place.route("52.217.0.0/16", **build(place))
        label = f"endpoint routes, part of S3 to a {name}"
        yield LabelledCase(PAST, label, (place.subnet, place.table), True, PRIORITY)
    place = PublicVpc(account)
    place.use_endpoints()
    place.route("203.0.113.0/24", **place.create_nat_gateway())
    label = "endpoint routes, another network to a NAT gateway"
    yield LabelledCase(PAST, label, (place.subnet, place.table), False, PRIORITY)


def _build_blocked(account: RegionBuilder) -> Iterator[LabelledCase]:
    everything = _entry("allow", "0.0.0.0/0", "-1")
    allowed = f"the first entry that matches decides, and all requests are allowed ({RULES})"
    denied = f"the first entry that matches decides, and some requests are denied ({RULES})"
    for name, entries, bad in (
        ("everything allowed", ((100, everything),), False),
        ("only the VPC allowed", ((100, _entry("allow", "10.0.0.0/8", "-1")),), True),
        ("nothing allowed", (), True),
        ("only HTTPS allowed", ((100, _entry("allow", "0.0.0.0/0")),), False),
        ("HTTPS denied first", ((90, _entry("deny", "0.0.0.0/0")), (100, everything)), True),
        (
            "HTTP denied first",
            ((90, _entry("deny", "0.0.0.0/0", port=80)), (100, everything)),
            False,
        ),
        (
            "a block of S3 denied first",
            ((90, _entry("deny", SERVICE_BLOCKS[0])), (100, everything)),
            True,
        ),
        (
            "half a block of S3 denied first",
            ((90, _entry("deny", "52.217.0.0/16")), (100, everything)),
            True,
        ),
        (
            "a block of S3 denied last",
            ((100, everything), (110, _entry("deny", SERVICE_BLOCKS[0]))),
            False,
        ),
        (
            "only a block of S3 allowed",
            ((100, _entry("allow", SERVICE_BLOCKS[0])),),
            True,
        ),
        (
            "another network denied first",
            ((90, _entry("deny", "203.0.113.0/24")), (100, everything)),
            False,
        ),
        (
            "everything allowed in two halves",
            ((100, _entry("allow", "0.0.0.0/1")), (110, _entry("allow", "128.0.0.0/1"))),
            False,
        ),
    ):
        place = PublicVpc(account)
        place.use_endpoints()
        acl = place.replace_network_acl(*entries)
        yield LabelledCase(BLOCKED, name, (place.subnet, acl), bad, denied if bad else allowed)


def _entry(action: str, block: str, protocol: str = "6", port: int = 443) -> Json:
    """Return an entry; for TCP, of one port."""
    ports = {"PortRange": {"From": port, "To": port}} if protocol == "6" else {}
    return {"Protocol": protocol, "RuleAction": action, "CidrBlock": block, **ports}
