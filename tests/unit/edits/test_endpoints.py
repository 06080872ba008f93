"""Edits of VPC endpoints."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest

from edit_builders import Request, refusal, request, run
from network_builders import (
    CUSTOM,
    DYNAMODB,
    KMS,
    S3,
    VPC,
    VPC_ID,
    acl,
    allow,
    build_snapshot,
    cell,
    deny,
    eni,
    gateway,
    group,
    interface,
    open_acl,
    route,
    service,
    subnet,
    table,
)
from posture.analysis.path_outcome import PathOutcome
from posture.edits.apply import apply_edits
from posture.edits.requests import parse_request
from posture.errors import UndecidedEditError
from posture.model.network import EndpointType, Facet, Snapshot

NETWORK = build_snapshot(
    subnet("a", "a", "10.0.0.0/24"),
    subnet("b", "b", "10.0.1.0/24"),
    subnet("b2", "b", "10.0.2.0/24"),
    table("main", main=True),
    table("a", route("pl-s3", "vpce-s3"), subnets=["a"]),
    gateway("s3", tables=["a"]),
    interface("kms", subnet_ids=("subnet-a",), network_interface_ids=("eni-kms",)),
    eni("kms", "a", "10.0.0.10"),
    group("default", group_name="default"),
    open_acl("all", ["a", "b", "b2"]),
    service(CUSTOM, private_dns_names=()),
)


def create(service_name: str = KMS, kind: str = "Interface", **params: Any) -> Request:
    """Build a request that creates an endpoint."""
    return request(
        "CreateVpcEndpoint",
        VpcId=VPC_ID,
        VpcEndpointType=kind,
        ServiceName=service_name,
        **params,
    )


def modify(endpoint: str, **params: Any) -> Request:
    """Build a request that changes an endpoint."""
    return request("ModifyVpcEndpoint", VpcEndpointId=f"vpce-{endpoint}", **params)


def delete(*endpoints: str) -> Request:
    """Build a request that deletes endpoints."""
    return request("DeleteVpcEndpoints", VpcEndpointIds=[f"vpce-{each}" for each in endpoints])


def destinations(network: Snapshot, table_id: str) -> dict[str, str]:
    """Return the target of each route by its destination."""
    return {each.destination: each.target.id for each in network.route_tables[table_id].routes}


def test_gateway_endpoint_routes_its_prefix_list_in_its_tables() -> None:
    """Created, associated with another table, disassociated and deleted."""
    made = run(NETWORK, create(DYNAMODB, "Gateway", RouteTableIds=["rtb-a"]))
    assert destinations(made, "rtb-a")["pl-ddb"] == "vpce-new-1"
    assert made.endpoints["vpce-new-1"].route_table_ids == ("rtb-a",)
    assert "pl-ddb" not in destinations(made, "rtb-main")
    moved = run(
        made,
        modify("new-1", AddRouteTableIds=["rtb-main"], RemoveRouteTableIds=["rtb-a"]),
    )
    assert destinations(moved, "rtb-main")["pl-ddb"] == "vpce-new-1"
    assert "pl-ddb" not in destinations(moved, "rtb-a")
    assert run(moved, delete("new-1")) == NETWORK


def test_interface_endpoint_has_interfaces_with_an_unknown_address() -> None:
    """One in each subnet, with the VPC's default group, until the endpoint is gone."""
    made = run(NETWORK, create(KMS, SubnetIds=["subnet-a", "subnet-b"], PrivateDnsEnabled=False))
    endpoint = made.endpoints["vpce-new-1"]
    assert endpoint.security_group_ids == ("sg-default",)
    found = [made.network_interfaces[each] for each in endpoint.network_interface_ids]
    assert [each.subnet_id for each in found] == ["subnet-a", "subnet-b"]
    assert all(each.unknown_versions == {4} for each in found)
    less = run(
        made, modify("new-1", RemoveSubnetIds=["subnet-a"], AddSecurityGroupIds=["sg-endpoints"])
    )
    (left,) = less.endpoints["vpce-new-1"].network_interface_ids
    assert less.network_interfaces[left].security_group_ids == ("sg-default", "sg-endpoints")
    assert run(less, delete("new-1")) == NETWORK


def test_requested_address_is_known() -> None:
    """A subnet configuration chooses it."""
    chosen = [{"SubnetId": "subnet-b", "Ipv4": "10.0.1.9"}]
    made = run(NETWORK, create(KMS, SubnetConfigurations=chosen, PrivateDnsEnabled=False))
    (found,) = made.endpoints["vpce-new-1"].network_interface_ids
    assert made.network_interfaces[found].addresses == (ip_address("10.0.1.9"),)
    assert not made.network_interfaces[found].unknown_versions
    taken = [{"SubnetId": "subnet-b", "Ipv4": "10.0.1.3"}]
    assert (
        refusal(NETWORK, create(KMS, SubnetConfigurations=taken, PrivateDnsEnabled=False))
        == "InvalidParameterValue"
    )


def test_private_dns_is_the_default_of_a_service_with_names() -> None:
    """Unless the request or the service says otherwise."""
    bare = run(NETWORK, delete("kms"))
    for requested, expected in ((create(KMS), True), (create(CUSTOM), False)):
        assert run(bare, requested).endpoints["vpce-new-1"].private_dns is expected
    assert not run(bare, create(KMS, PrivateDnsEnabled=False)).endpoints["vpce-new-1"].private_dns


def test_s3_interface_endpoint_serves_inbound_resolvers_by_default() -> None:
    """And then it needs the gateway endpoint."""
    made = run(NETWORK, create(S3, PrivateDnsEnabled=True))
    assert made.endpoints["vpce-new-1"].private_dns_only_for_inbound_resolver is True
    alone = run(NETWORK, delete("s3"))
    assert refusal(alone, create(S3, PrivateDnsEnabled=True)) == "InvalidParameter"
    options = {"PrivateDnsOnlyForInboundResolverEndpoint": False}
    made = run(alone, create(S3, PrivateDnsEnabled=True, DnsOptions=options))
    assert made.endpoints["vpce-new-1"].private_dns_only_for_inbound_resolver is False


def test_policy_is_full_access_unless_given() -> None:
    """Also after a reset."""
    policy = '{"Statement": []}'
    made = run(NETWORK, create(PrivateDnsEnabled=False, PolicyDocument=policy))
    assert made.endpoints["vpce-new-1"].policy == policy
    reset = run(made, modify("new-1", ResetPolicy=True)).endpoints["vpce-new-1"].policy
    plain = run(NETWORK, create(PrivateDnsEnabled=False)).endpoints["vpce-new-1"].policy
    assert reset == plain
    assert '"Action": "*"' in (plain or "")


DNS_OFF = replace(NETWORK, vpc=replace(VPC, dns_hostnames=False))
FIREWALL = replace(
    NETWORK,
    endpoints={
        **NETWORK.endpoints,
        "vpce-fw": replace(gateway("fw"), type=EndpointType.GATEWAY_LOAD_BALANCER),
    },
    route_tables={**NETWORK.route_tables, "rtb-fw": table("fw", route("0.0.0.0/0", "vpce-fw"))},
)


@pytest.mark.parametrize(
    ("network", "requested", "code"),
    [
        (NETWORK, create(S3, "Gateway", RouteTableIds=["rtb-a"]), "RouteAlreadyExists"),
        (NETWORK, modify("s3", AddRouteTableIds=["rtb-a"]), "RouteAlreadyExists"),
        (NETWORK, modify("s3", RemoveRouteTableIds=["rtb-main"]), "InvalidParameter"),
        (NETWORK, create(S3, "Gateway", RouteTableIds=["rtb-x"]), "InvalidRouteTableID.NotFound"),
        (NETWORK, create(S3, "Gateway", SubnetIds=["subnet-a"]), "InvalidParameter"),
        (NETWORK, create(S3, "Gateway", PrivateDnsEnabled=True), "InvalidParameter"),
        (NETWORK, create(KMS, "Gateway"), "InvalidParameter"),
        (NETWORK, create(KMS, RouteTableIds=["rtb-a"]), "InvalidParameter"),
        (NETWORK, create("com.amazonaws.eu-west-1.nope"), "InvalidServiceName"),
        (NETWORK, create(KMS), "InvalidParameter"),  # names conflict with vpce-kms
        (DNS_OFF, modify("kms", PrivateDnsEnabled=True), "InvalidParameter"),
        (NETWORK, create(CUSTOM, PrivateDnsEnabled=True), "InvalidParameter"),
        (NETWORK, modify("kms", AddSubnetIds=["subnet-b", "subnet-b2"]),
         "DuplicateSubnetsInSameZone"),
        (NETWORK, modify("kms", AddSubnetIds=["subnet-x"]), "InvalidSubnetID.NotFound"),
        (NETWORK, modify("kms", AddSecurityGroupIds=["sg-x"]), "InvalidGroup.NotFound"),
        (NETWORK, modify("kms", RemoveSecurityGroupIds=["sg-endpoints"]), "InvalidParameter"),
        (NETWORK, modify("kms", IpAddressType="dualstack"), "InvalidParameter"),
        (NETWORK, modify("kms", PolicyDocument="{"), "InvalidPolicyDocument"),
        (NETWORK, modify("kms", PolicyDocument='{"Statement": []}', ResetPolicy=True),
         "InvalidParameterCombination"),
        (NETWORK, modify("x"), "InvalidVpcEndpointId.NotFound"),
        (NETWORK, delete("x"), "InvalidVpcEndpoint.NotFound"),
        (FIREWALL, delete("fw"), "DependencyViolation"),
        (NETWORK, request("CreateVpcEndpoint", VpcId="vpc-2", ServiceName=S3),
         "InvalidVpcID.NotFound"),
    ],
)  # fmt: skip
def test_refusals_have_the_codes_of_ec2(network: Snapshot, requested: Request, code: str) -> None:
    """EC2 refuses these requests."""
    assert refusal(network, requested) == code


def test_what_the_snapshot_does_not_hold_is_assumed_by_name() -> None:
    """Private hosted zones, and the consent of a service's owner."""
    bare = run(NETWORK, delete("kms"))
    applied = apply_edits(bare, [parse_request(*create(KMS)), parse_request(*create(CUSTOM))])
    assert applied.assumptions == (
        f"no private hosted zone for kms.eu-west-1.amazonaws.com is associated with {VPC_ID}",
        f"{CUSTOM} accepts the connection",
    )


@pytest.mark.parametrize(
    ("facet", "requested"),
    [
        (Facet.SERVICES, create(KMS)),
        (Facet.ENDPOINTS, create(KMS)),
        (Facet.DNS_ATTRIBUTES, modify("kms", PrivateDnsEnabled=True)),
        (Facet.SECURITY_GROUPS, create(CUSTOM)),
        (Facet.ROUTE_TABLES, modify("s3", AddRouteTableIds=["rtb-main"])),
        (Facet.AWS_PREFIX_LISTS, modify("s3", AddRouteTableIds=["rtb-main"])),
    ],
)
def test_unreadable_facets_are_named(facet: Facet, requested: Request) -> None:
    """The effect depends on what could not be read."""
    blind = replace(NETWORK, unreadable={facet: "AccessDenied"})
    with pytest.raises(UndecidedEditError, match=facet.value):
        run(blind, requested)


def deny_addresses(cidr: str) -> Snapshot:
    """Return the network with an ACL that keeps traffic from some addresses of subnet-b."""
    closed = acl(
        "b", allow(100), deny(50, cidr, egress=True), allow(100, egress=True), subnets=["a"]
    )
    others = open_acl("all", ["b", "b2"])
    return replace(run(NETWORK, delete("kms")), network_acls={closed.id: closed, others.id: others})


@pytest.mark.parametrize(
    ("denied", "outcome"),
    [
        ("192.0.2.0/24", PathOutcome.PRIVATE),
        ("10.0.1.128/25", PathOutcome.UNKNOWN),  # depends on the address that EC2 chooses
        ("10.0.1.0/24", PathOutcome.BLOCKED),
        ("10.0.1.2/31", PathOutcome.PRIVATE),  # never assigned to an interface
    ],
)
def test_answer_is_certain_only_if_it_holds_for_each_address(
    denied: str, outcome: PathOutcome
) -> None:
    """The new interface may get any usable address of its subnet."""
    made = run(
        deny_addresses(denied),
        create(KMS, SubnetIds=["subnet-b"], SecurityGroupIds=["sg-endpoints"]),
    )
    assert cell(made, "a", KMS).outcome is outcome


def test_default_vpc_is_used_once_it_has_an_endpoint() -> None:
    """Then it is evaluated as any other VPC."""
    unused = build_snapshot(
        table("main", main=True), vpc=replace(VPC, default=True, has_interfaces=False)
    )
    made = run(unused, create(S3, "Gateway", RouteTableIds=["rtb-main"]))
    assert made.vpc.has_interfaces is None
