"""Edits go to the VPCs and endpoint services that they concern, and to no other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from network_builders import (
    ACCOUNT,
    NOW,
    REGION,
    admits,
    build_snapshot,
    gateway,
    group,
    prefix_list,
    route,
    subnet,
    table,
)
from posture.edits.command_line import parse_command
from posture.errors import RefusedEditError, UndecidedEditError
from posture.model.endpoint_service import EndpointServiceSnapshot
from posture.model.network import Snapshot
from posture.model.scope import Scope
from posture_cli.what_if.scopes import Applied, apply_to_all

SHARED_LIST = prefix_list("pl-shared", "10.9.0.0/16", owner="111122223333")
SERVICE = EndpointServiceSnapshot(
    Scope(ACCOUNT, REGION, "vpce-svc-1"), NOW, acceptance_required=True, principals=("*",)
)


def build_vpc(number: int, *parts: Any) -> Snapshot:
    """Build a VPC of this number whose resources have names of their own."""
    name = f"vpc-{number}"
    built = build_snapshot(
        subnet(f"{number}", cidr="10.0.0.0/24"),
        table(
            f"{number}",
            route("0.0.0.0/0", f"igw-{number}"),
            route("10.9.0.0/16", "pcx-both"),
            subnets=[f"{number}"],
        ),
        gateway(f"{number}", tables=[f"{number}"]),
        group(f"{number}", admits("10.0.0.0/16")),
        SHARED_LIST,
        *parts,
    )
    return replace(built, scope=Scope(ACCOUNT, REGION, name), vpc=replace(built.vpc, id=name))


ONE, TWO = build_vpc(1), build_vpc(2)


def apply(*commands: str, to: tuple[Any, ...] = (ONE, TWO), complete: bool = True) -> Applied:
    """Apply commands."""
    return apply_to_all(to, parse_command("\n".join(commands)), complete=complete)


def changed(applied: Applied, *before: Any) -> list[str]:
    """Return the subjects of the networks that changed."""
    pairs = zip(before or (ONE, TWO), applied.snapshots, strict=True)
    return [was.scope.subject for was, now in pairs if was != now]


@pytest.mark.parametrize(
    "command",
    [
        "aws ec2 delete-route --route-table-id rtb-2 --destination-cidr-block 0.0.0.0/0",
        "aws ec2 delete-vpc-endpoints --vpc-endpoint-ids vpce-2",
        "aws ec2 modify-vpc-attribute --vpc-id vpc-2 --no-enable-dns-hostnames",
        "aws ec2 disassociate-route-table --association-id rtbassoc-2",
        (
            "aws ec2 revoke-security-group-ingress --group-id sg-2 --protocol tcp --port 443"
            " --cidr 10.0.0.0/16"
        ),
    ],
)
def test_an_edit_changes_its_own_vpc(command: str) -> None:
    """By the table, endpoint, VPC, association or group that it names."""
    two = replace(TWO, route_tables={**TWO.route_tables, "rtb-m": table("m", main=True)})
    assert changed(apply(command, to=(ONE, two)), ONE, two) == ["vpc-2"]


def test_what_vpcs_share_changes_all_of_them() -> None:
    """The routes of a peering connection, and the entries of a prefix list."""
    gone = apply("aws ec2 delete-vpc-peering-connection --vpc-peering-connection-id pcx-both")
    assert changed(gone) == ["vpc-1", "vpc-2"]
    entries = (
        "aws ec2 modify-managed-prefix-list --prefix-list-id pl-shared --current-version 1"
        " --add-entries Cidr=10.8.0.0/16"
    )
    assert changed(apply(entries)) == ["vpc-1", "vpc-2"]
    assert "pl-shared may concern others" in " ".join(apply(entries, complete=False).notes)


def test_a_route_to_what_vpcs_share_changes_one() -> None:
    """The one that has the table."""
    command = (
        "aws ec2 replace-route --route-table-id rtb-1 --destination-cidr-block 0.0.0.0/0"
        " --vpc-peering-connection-id pcx-both"
    )
    assert changed(apply(command)) == ["vpc-1"]


def test_one_call_may_delete_endpoints_of_two_vpcs() -> None:
    """Each loses its own."""
    found = apply("aws ec2 delete-vpc-endpoints --vpc-endpoint-ids vpce-1 vpce-2")
    assert [dict(each.endpoints) for each in found.snapshots if isinstance(each, Snapshot)] == [
        {},
        {},
    ]


def test_what_two_vpcs_create_is_numbered_over_both() -> None:
    """Later calls name it by shell variables."""
    create = "$(aws ec2 create-security-group --group-name g --description d --vpc-id vpc-{} \
--query GroupId --output text)"
    open_443 = (
        "aws ec2 authorize-security-group-ingress --group-id ${} --protocol tcp --port 443"
        " --cidr 10.{}.0.0/16"
    )
    found = apply(
        f"ONE={create.format(1)}",
        f"TWO={create.format(2)}",
        open_443.format("TWO", 2),
        open_443.format("ONE", 1),
    )
    created = [
        (group.id, str(group.ingress[0].cidr))
        for each in found.snapshots
        if isinstance(each, Snapshot)
        for group in each.security_groups.values()
        if "new" in group.id
    ]
    assert created == [("sg-new-1", "10.1.0.0/16"), ("sg-new-2", "10.2.0.0/16")]


def test_an_internet_gateway_belongs_to_the_vpc_that_it_is_attached_to() -> None:
    """Not to any before."""
    bare = replace(TWO, route_tables={"rtb-2": table("2", subnets=["2"])})
    found = apply(
        "GATEWAY=$(aws ec2 create-internet-gateway --query InternetGateway.InternetGatewayId"
        " --output text)",
        "aws ec2 attach-internet-gateway --internet-gateway-id $GATEWAY --vpc-id vpc-2",
        "aws ec2 create-route --route-table-id rtb-2 --destination-cidr-block 0.0.0.0/0"
        " --gateway-id $GATEWAY",
        to=(ONE, bare),
    )
    assert changed(found, ONE, bare) == ["vpc-2"]
    assert found.notes == ()


def test_what_an_edit_assumes_is_said() -> None:
    """A snapshot does not list transit gateways."""
    found = apply(
        "aws ec2 create-route --route-table-id rtb-1 --destination-cidr-block 10.7.0.0/16"
        " --transit-gateway-id tgw-1"
    )
    assert found.notes == ("Assumed: tgw-1 exists and is attached to vpc-1.",)


def test_endpoint_services_are_changed_by_their_id() -> None:
    """And no VPC."""
    found = apply(
        "aws ec2 modify-vpc-endpoint-service-permissions --service-id vpce-svc-1"
        " --remove-allowed-principals '*'",
        to=(ONE, SERVICE),
    )
    assert changed(found, ONE, SERVICE) == ["vpce-svc-1"]


MISSING = "aws ec2 delete-route --route-table-id rtb-9 --destination-cidr-block 0.0.0.0/0"


def test_what_no_vpc_has_is_refused_with_the_code_of_ec2() -> None:
    """Whether one or several were read."""
    for networks in ((ONE,), (ONE, TWO)):
        with pytest.raises(RefusedEditError, match="rtb-9") as error:
            apply(MISSING, to=networks)
        assert error.value.code == "InvalidRouteTableID.NotFound"


def test_what_was_not_read_is_named() -> None:
    """An endpoint service among VPCs."""
    command = (
        "aws ec2 accept-vpc-endpoint-connections --service-id vpce-svc-9 --vpc-endpoint-ids vpce-1"
    )
    with pytest.raises(UndecidedEditError, match="vpce-svc-9: nothing of this kind was read"):
        apply(command)


def test_no_edit_changes_nothing() -> None:
    """The snapshots are the same objects."""
    assert apply_to_all((ONE, TWO), ()).snapshots == (ONE, TWO)
