"""Finds out whether the target of a route exists, and what EC2 says if it does not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from posture.ec2.parse.route_tables import parse_target
from posture.edits.draft import Draft, refuse
from posture.errors import UndecidedEditError
from posture.model.network import EndpointType, Facet, Network, Target, TargetKind

# The codes of gateways and connections that do not exist. The snapshot knows them from routes only.
GATEWAY_CODES = {
    TargetKind.INTERNET_GATEWAY: "InvalidGatewayID.NotFound",
    TargetKind.EGRESS_ONLY_GATEWAY: "InvalidGatewayID.NotFound",
    TargetKind.VIRTUAL_PRIVATE_GATEWAY: "InvalidGatewayID.NotFound",
    TargetKind.TRANSIT_GATEWAY: "InvalidTransitGatewayID.NotFound",
    TargetKind.PEERING: "InvalidVpcPeeringConnectionID.NotFound",
    TargetKind.CARRIER_GATEWAY: "InvalidCarrierGatewayID.NotFound",
    TargetKind.LOCAL_GATEWAY: "InvalidLocalGatewayID.NotFound",
    TargetKind.CORE_NETWORK: "InvalidCoreNetworkArn.NotFound",
    TargetKind.ODB_NETWORK: "InvalidOdbNetworkArn.NotFound",
}
# A VPC has at most one of each attached.
# https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html
SINGLE = {TargetKind.INTERNET_GATEWAY, TargetKind.VIRTUAL_PRIVATE_GATEWAY}
# A route to addresses inside the VPC can have these targets only:
# https://docs.aws.amazon.com/vpc/latest/userguide/route-table-options.html
INSIDE_TARGETS = {
    TargetKind.NAT_GATEWAY,
    TargetKind.NETWORK_INTERFACE,
    TargetKind.INSTANCE,
    TargetKind.VPC_ENDPOINT,
    TargetKind.LOCAL,
}


def find_target(draft: Draft, params: Mapping[str, Any]) -> Target:
    """Find the one target that the parameters of a request name.

    Raises:
        RefusedEditError: There is none or several, or it does not exist.
        UndecidedEditError: The snapshot does not hold it.
    """
    given = {name: value for name, value in params.items() if value is not None}
    if not given:
        raise refuse("MissingParameter", "The request must contain exactly one target")
    if len(given) > 1:
        names = ", ".join(given)
        raise refuse("InvalidParameterCombination", f"The request names several targets: {names}")
    if "VpcEndpointId" in given:  # responses name it as a gateway
        given = {"GatewayId": given["VpcEndpointId"]}
    target = parse_target(given)
    _require(draft, target)
    return target


def _require(draft: Draft, target: Target) -> None:
    match target.kind:
        case TargetKind.LOCAL:
            raise refuse("InvalidParameterValue", "A route cannot be created to target local")
        case TargetKind.NAT_GATEWAY:
            draft.get_nat_gateway(target.id, "InvalidNatGatewayID.NotFound")
        case TargetKind.VPC_ENDPOINT:
            if draft.get_endpoint(target.id).type is not EndpointType.GATEWAY_LOAD_BALANCER:
                raise refuse(
                    "RouteNotSupported",
                    f"VPC endpoint {target.id} cannot be the target of this route",
                )
        case TargetKind.NETWORK_INTERFACE | TargetKind.INSTANCE:
            _require_interface(draft, target)
        case TargetKind.UNKNOWN:
            raise refuse("InvalidGatewayID.NotFound", f"The gateway ID '{target.id}' is not known")
        case _:
            require_gateway(draft, target)


def _require_interface(draft: Draft, target: Target) -> None:
    interfaces = draft.network_interfaces
    instances = {each.instance_id for each in interfaces.values()}
    if target.id not in interfaces and target.id not in instances:
        raise UndecidedEditError(
            f"{target.id}: the snapshot holds only the network interfaces of endpoints and of "
            "targets of routes"
        )


def require_gateway(draft: Draft, target: Target) -> None:
    """Require a gateway or connection to be attached to the VPC, or note that it is assumed."""
    known = find_gateways(draft, target.kind)
    attached = known.get(target.id)
    if draft.shared and not attached:
        attached = draft.shared.is_attached(target, draft.vpc.id)
    if attached:
        return
    if attached is False or (target.kind in SINGLE and any(known.values())):
        raise refuse(
            GATEWAY_CODES[target.kind],
            f"{target.id} does not exist or is not attached to {draft.vpc.id}",
        )
    draft.assume(f"{target.id} exists and is attached to {draft.vpc.id}")


def find_gateways(draft: Draft, kind: TargetKind) -> dict[str, bool]:
    """Find the gateways of a kind that are known, with whether they are attached to the VPC."""
    draft.require(Facet.ROUTE_TABLES)
    routes = (route for table in draft.route_tables.values() for route in table.routes)
    known = {each.target.id: not each.blackhole for each in routes if each.target.kind is kind}
    return known | {
        target.id: attached for target, attached in draft.gateways.items() if target.kind is kind
    }


def is_inside(draft: Draft, cidr: Network) -> bool:
    """Return whether all addresses of a block are in the VPC."""
    blocks: tuple[Network, ...] = (*draft.vpc.cidrs, *draft.vpc.ipv6_cidrs)
    return any(
        cidr.version == block.version and cidr.subnet_of(block)  # type: ignore[arg-type]
        for block in blocks
    )
