"""Builders of small networks of VPCs that are connected by transit gateways or VPC peering."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, ip_address, ip_network

from network_builders import ACCOUNT, ANYWHERE, NOW, REGION, admits, allow, route
from posture.analysis.addresses import AddressSet
from posture.analysis.central.branches import Branch
from posture.analysis.central.ends import get_end
from posture.analysis.central.routes import get_transit
from posture.model.network import (
    Endpoint,
    EndpointType,
    NetworkAcl,
    NetworkInterface,
    Route,
    RouteOrigin,
    RouteTable,
    SecurityGroup,
    Snapshot,
    Subnet,
    Vpc,
)
from posture.model.scope import Scope
from posture.model.shared_network import (
    AttachmentKind,
    SharedNetwork,
    TransitAttachment,
    TransitGateway,
    TransitRoute,
    TransitRouteTable,
    VpcPeering,
)


@dataclass(frozen=True)
class Network:
    """VPCs by name, and what connects them."""

    vpcs: dict[str, Snapshot]
    shared: SharedNetwork

    def send(self, start: str, to: str, wanted: str) -> Branch:
        """Send traffic one way, from a subnet `VPC.SUBNET` to an address in another VPC."""
        end = get_end(self.vpcs[start.partition(".")[0]])
        subnet = end.snapshot.subnets[f"subnet-{start}"]
        destination = AddressSet.of([ip_network(to)])
        transit = get_transit(self.shared)
        (found,) = transit.trace(end, subnet, destination, f"vpc-{wanted}", back=False)
        return found

    def list_gateways(self, branch: Branch) -> list[str]:
        """List the gateways whose tables were asked for a route."""
        tables = [self.shared.tables.get(each.subject) for each in branch.steps]
        return [each.gateway_id for each in tables if each]


def build_vpc(
    name: str,
    block: str,
    subnets: dict[str, tuple[str, str]],
    routes: Iterable[Route],
    *,
    instance: str = "",
    account: str = ACCOUNT,
) -> Snapshot:
    """Build a VPC with one route table, and an interface that takes SSH for its instance."""
    vpc_id = f"vpc-{name}"
    known = {
        f"subnet-{name}.{key}": Subnet(
            f"subnet-{name}.{key}", vpc_id, f"{REGION}{zone}", IPv4Network(cidr)
        )
        for key, (cidr, zone) in subnets.items()
    }
    local = route(block, "local", origin=RouteOrigin.TABLE)
    table = RouteTable(f"rtb-{name}", vpc_id, True, (), (), {}, (local, *routes))
    acl = NetworkAcl(
        f"acl-{name}", vpc_id, tuple(known), {}, (allow(1000), allow(1000, egress=True))
    )
    group = SecurityGroup(f"sg-{name}", name, vpc_id, (admits("0.0.0.0/0", (22, 22)),), ANYWHERE)
    first = next(iter(known.values()))
    interface = (
        NetworkInterface(f"eni-{name}", first.id, first.zone, (ip_address(instance),), (group.id,))
        if instance
        else None
    )
    endpoint = Endpoint(
        f"vpce-{name}",
        EndpointType.INTERFACE,
        vpc_id,
        f"com.amazonaws.vpce.{REGION}.vpce-svc-0123456789abcdef0",
        "available",
        security_group_ids=(group.id,),
        network_interface_ids=(f"eni-{name}",),
    )
    return Snapshot(
        scope=Scope(account, REGION, vpc_id),
        observed_at=NOW,
        vpc=Vpc(vpc_id, (IPv4Network(block),), owner=account),
        subnets=known,
        route_tables={table.id: table},
        endpoints={endpoint.id: endpoint},
        security_groups={group.id: group},
        network_acls={acl.id: acl},
        network_interfaces={interface.id: interface} if interface else {},
    )


def attach(vpc: Snapshot, gateway: str, table: str, *, subnet: str = "") -> TransitAttachment:
    """Attach a VPC to a gateway with one subnet, associated with a table or with none."""
    name = vpc.vpc.id.removeprefix("vpc-")
    subnet_id = f"subnet-{name}.{subnet}" if subnet else next(iter(vpc.subnets))
    return TransitAttachment(
        f"tgw-attach-{name}-{gateway}",
        gateway,
        AttachmentKind.VPC,
        vpc.vpc.id,
        vpc.scope.account,
        "available",
        table,
        (subnet_id,),
    )


def build_network(
    vpcs: Iterable[Snapshot],
    attachments: Iterable[TransitAttachment] = (),
    tables: Iterable[TransitRouteTable] = (),
    peerings: Iterable[VpcPeering] = (),
) -> Network:
    """Build a network all of whose accounts are read."""
    listed, attached = list(vpcs), list(attachments)
    return Network(
        {each.vpc.id.removeprefix("vpc-"): each for each in listed},
        SharedNetwork(
            REGION,
            NOW,
            accounts=frozenset(each.scope.account for each in listed),
            gateways={
                each.gateway_id: TransitGateway(each.gateway_id, ACCOUNT) for each in attached
            },
            attachments={each.id: each for each in attached},
            tables={each.id: each for each in tables},
            peerings={each.id: each for each in peerings},
            central_vpcs={each.vpc.id: each for each in listed},
        ),
    )


def propagate(*attached: tuple[Snapshot, TransitAttachment]) -> tuple[TransitRoute, ...]:
    """Build the routes that attachments propagate."""
    return tuple(
        TransitRoute(vpc.vpc.cidrs[0], None, (each.id,), static=False) for vpc, each in attached
    )
