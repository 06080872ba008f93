"""Edits of gateways, connections, the VPC, prefix lists and endpoint services."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edit_builders import Request, refusal, request, run
from network_builders import (
    ACCOUNT,
    NOW,
    REGION,
    VPC,
    VPC_ID,
    build_snapshot,
    nat,
    prefix_list,
    route,
    subnet,
    table,
)
from posture.edits.apply import apply, apply_edits
from posture.edits.requests import parse_request
from posture.errors import RefusedEditError, UndecidedEditError
from posture.model.endpoint_service import Connection, EndpointServiceSnapshot, ServiceFacet
from posture.model.network import Snapshot
from posture.model.scope import Scope

NETWORK = build_snapshot(
    subnet("a"),
    subnet("b", "a", "10.0.1.0/24"),
    subnet("six", "b", "10.0.2.0/24", ipv6="2001:db8::/64"),
    table(
        "main",
        route("0.0.0.0/0", "nat-1"),
        route("192.0.2.0/24", "igw-1"),
        route("::/0", "eigw-1"),
        route("10.8.0.0/16", "tgw-1"),
        route("10.9.0.0/16", "pcx-1"),
        main=True,
    ),
    nat("1"),
    prefix_list("pl-own", "10.1.0.0/16"),
    vpc=replace(VPC, dhcp_options_id="dopt-1"),
)


def blackholes(network: Snapshot) -> list[str]:
    """Return the targets of the routes that are blackholes."""
    routes = (each for it in network.route_tables.values() for each in it.routes)
    return [each.target.id for each in routes if each.blackhole]


@pytest.mark.parametrize(
    ("gone", "target", "back"),
    [
        (request("DeleteNatGateway", NatGatewayId="nat-1"), "nat-1", None),
        (request("DeleteEgressOnlyInternetGateway", EgressOnlyInternetGatewayId="eigw-1"),
         "eigw-1", None),
        (request("DeleteVpcPeeringConnection", VpcPeeringConnectionId="pcx-1"), "pcx-1",
         request("AcceptVpcPeeringConnection", VpcPeeringConnectionId="pcx-1")),
        (request("DeleteTransitGatewayVpcAttachment", TransitGatewayAttachmentId="tgw-attach-1"),
         "tgw-1",
         request("CreateTransitGatewayVpcAttachment", TransitGatewayId="tgw-1", VpcId=VPC_ID,
                 SubnetIds=["subnet-a"])),
    ],
)  # fmt: skip
def test_route_to_a_gone_target_is_a_blackhole(
    gone: Request, target: str, back: Request | None
) -> None:
    """Until the target exists again."""
    after = run(NETWORK, gone)
    assert blackholes(after) == [target]
    if back:
        assert run(after, back) == NETWORK


def test_internet_gateway_moves() -> None:
    """Detached once no NAT gateway needs it, then attached again; another one cannot be."""
    detach = request("DetachInternetGateway", InternetGatewayId="igw-1", VpcId=VPC_ID)
    attach = request("AttachInternetGateway", InternetGatewayId="igw-1", VpcId=VPC_ID)
    assert refusal(NETWORK, detach) == "DependencyViolation"
    detached = run(NETWORK, request("DeleteNatGateway", NatGatewayId="nat-1"), detach)
    assert blackholes(detached) == ["nat-1", "igw-1"]
    assert blackholes(run(detached, attach)) == ["nat-1"]
    assert refusal(NETWORK, attach) == "Resource.AlreadyAssociated"
    other = request("AttachInternetGateway", InternetGatewayId="igw-new-1", VpcId=VPC_ID)
    assert refusal(NETWORK, request("CreateInternetGateway"), other) == "InvalidParameterValue"
    assert refusal(detached, detach) == "Gateway.NotAttached"
    route_to_it = request(
        "CreateRoute",
        RouteTableId="rtb-main",
        DestinationCidrBlock="198.51.100.0/24",
        GatewayId="igw-1",
    )
    assert refusal(detached, route_to_it) == "InvalidGatewayID.NotFound"


def test_nat_gateway_serves_once_it_is_created() -> None:
    """With a route to it."""
    create = request("CreateNatGateway", SubnetId="subnet-a", AllocationId="eipalloc-1")
    key = {"RouteTableId": "rtb-main", "DestinationCidrBlock": "0.0.0.0/0"}
    made = run(NETWORK, create, request("ReplaceRoute", **key, NatGatewayId="nat-new-1"))
    assert made.nat_gateways["nat-new-1"].subnet_id == "subnet-a"
    assert "nat-new-1" in {each.target.id for each in made.route_tables["rtb-main"].routes}
    assert refusal(NETWORK, request("CreateNatGateway", SubnetId="subnet-a")) == "MissingParameter"


def test_attachment_of_one_of_several_transit_gateways_is_not_guessed() -> None:
    """The request names the attachment only."""
    gone = request("DeleteTransitGatewayVpcAttachment", TransitGatewayAttachmentId="tgw-attach-1")
    applied = apply_edits(NETWORK, [parse_request(*gone)])
    assert applied.assumptions == (f"tgw-attach-1 attaches {VPC_ID} to tgw-1",)
    two = replace(
        NETWORK,
        route_tables={**NETWORK.route_tables, "rtb-2": table("2", route("10.7.0.0/16", "tgw-2"))},
    )
    with pytest.raises(UndecidedEditError, match="tgw-attach-1"):
        run(two, gone)


def attribute(**value: bool) -> Request:
    """Build a request that sets a DNS attribute."""
    return request(
        "ModifyVpcAttribute", VpcId=VPC_ID, **{k: {"Value": v} for k, v in value.items()}
    )


def test_dns_of_the_vpc() -> None:
    """Attributes and option sets."""
    off = run(NETWORK, attribute(EnableDnsHostnames=False), attribute(EnableDnsSupport=False))
    assert (off.vpc.dns_support, off.vpc.dns_hostnames) == (False, False)
    assert refusal(off, attribute(EnableDnsHostnames=True)) == "InvalidParameterValue"
    both = attribute(EnableDnsHostnames=True, EnableDnsSupport=True)
    assert refusal(NETWORK, both) == "InvalidParameterCombination"
    servers = {"Key": "domain-name-servers", "Values": ["10.0.0.53"]}
    own = run(
        NETWORK,
        request("CreateDhcpOptions", DhcpConfigurations=[servers]),
        request("AssociateDhcpOptions", DhcpOptionsId="dopt-new-1", VpcId=VPC_ID),
    )
    assert own.vpc.dns_servers == ("10.0.0.53",)
    default = request("AssociateDhcpOptions", DhcpOptionsId="default", VpcId=VPC_ID)
    assert run(own, default).vpc.dns_servers == VPC.dns_servers
    with pytest.raises(UndecidedEditError, match="dopt-2"):
        run(NETWORK, request("AssociateDhcpOptions", DhcpOptionsId="dopt-2", VpcId=VPC_ID))


def test_dns64_needs_ipv6() -> None:
    """An attribute of the subnet."""
    set_it = request("ModifySubnetAttribute", SubnetId="subnet-six", EnableDns64={"Value": True})
    assert run(NETWORK, set_it).subnets["subnet-six"].dns64 is True
    other = request("ModifySubnetAttribute", SubnetId="subnet-a", EnableDns64={"Value": True})
    assert refusal(NETWORK, other) == "InvalidParameterValue"


def test_entries_of_a_prefix_list() -> None:
    """A customer's own; EC2 requires the version that the change is based on."""

    def modify(list_id: str = "pl-own", version: int | None = 1, **entries: str) -> Request:
        changed = {f"{name}Entries": [{"Cidr": cidr}] for name, cidr in entries.items()}
        return request(
            "ModifyManagedPrefixList", PrefixListId=list_id, CurrentVersion=version, **changed
        )

    changed = run(NETWORK, modify(Add="10.2.0.0/16", Remove="10.1.0.0/16"))
    assert [str(each) for each in changed.prefix_lists["pl-own"].cidrs or ()] == ["10.2.0.0/16"]
    assert refusal(NETWORK, modify(Remove="10.2.0.0/16")) == "InvalidParameterValue"
    assert refusal(NETWORK, modify(Add="2001:db8::/32")) == "InvalidParameterValue"
    assert (
        refusal(NETWORK, modify(version=None, Add="10.2.0.0/16")) == "InvalidParameterCombination"
    )
    assert refusal(NETWORK, modify("pl-s3", Add="10.2.0.0/16")) == "UnauthorizedOperation"


SERVICE_ID = "vpce-svc-1"
SERVICE = EndpointServiceSnapshot(
    scope=Scope(ACCOUNT, REGION, SERVICE_ID),
    observed_at=NOW,
    acceptance_required=False,
    principals=("*",),
    connections=(Connection("vpce-a", "444455556666", "pendingacceptance"),),
)


def apply_service(
    snapshot: EndpointServiceSnapshot, operation: str, **params: object
) -> EndpointServiceSnapshot:
    """Apply one request to an endpoint service."""
    return apply(snapshot, [parse_request(operation, {"ServiceId": SERVICE_ID, **params})])


def test_endpoint_service() -> None:
    """Permissions, acceptance and connections."""
    principal = "arn:aws:iam::444455556666:root"
    permitted = apply_service(
        SERVICE,
        "ModifyVpcEndpointServicePermissions",
        AddAllowedPrincipals=[principal],
        RemoveAllowedPrincipals=["*"],
    )
    assert permitted.principals == (principal,)
    configured = apply_service(
        SERVICE, "ModifyVpcEndpointServiceConfiguration", AcceptanceRequired=True
    )
    assert configured.acceptance_required is True
    ids = {"VpcEndpointIds": ["vpce-a"]}
    accepted = apply_service(SERVICE, "AcceptVpcEndpointConnections", **ids)
    assert accepted.connections[0].state == "available"
    rejected = apply_service(accepted, "RejectVpcEndpointConnections", **ids)
    assert rejected.connections[0].state == "rejected"
    for operation, params, code in (
        ("AcceptVpcEndpointConnections", {"VpcEndpointIds": ["x"]},
         "InvalidVpcEndpointId.NotFound"),
        ("ModifyVpcEndpointServicePermissions", {"ServiceId": "vpce-svc-2"},
         "InvalidVpcEndpointServiceId.NotFound"),
    ):  # fmt: skip
        with pytest.raises(RefusedEditError) as refused:
            apply_service(SERVICE, operation, **params)
        assert refused.value.code == code
    blind = replace(SERVICE, unreadable={ServiceFacet.PERMISSIONS: "AccessDenied"})
    with pytest.raises(UndecidedEditError, match="Permissions"):
        apply_service(
            blind, "ModifyVpcEndpointServicePermissions", AddAllowedPrincipals=[principal]
        )


def test_edit_of_another_kind_of_scope_is_refused() -> None:
    """A route is no part of an endpoint service, nor its permissions of a VPC."""
    route_key = {"RouteTableId": "rtb-main", "DestinationCidrBlock": "0.0.0.0/0"}
    with pytest.raises(RefusedEditError, match=SERVICE_ID):
        apply(SERVICE, [parse_request("DeleteRoute", route_key)])
    with pytest.raises(RefusedEditError, match=VPC_ID):
        run(NETWORK, request("ModifyVpcEndpointServicePermissions", ServiceId=SERVICE_ID))
