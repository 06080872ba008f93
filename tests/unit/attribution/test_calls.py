"""Which calls may explain a difference that the known effects of calls leave."""

from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest

from finding_builders import NOON, SCOPE, change
from posture.attribution.calls import may_explain
from posture.attribution.differences import Difference, list_differences
from posture.model.network import Route, RouteOrigin, RouteTable, Snapshot, Target, TargetKind, Vpc

GATEWAY, TABLE = "vgw-0aaaaaaaaaaaaaaa1", "rtb-0aaaaaaaaaaaaaaa1"


def _difference(origin: RouteOrigin) -> Difference:
    """Return the difference that a new route to the virtual private gateway makes."""
    route = Route(
        ip_network("10.200.0.0/16"),
        None,
        Target(TargetKind.VIRTUAL_PRIVATE_GATEWAY, GATEWAY),
        origin=origin,
    )
    table = RouteTable(
        TABLE, SCOPE.subject, main=True, subnet_ids=(), gateway_ids=(), associations={}, routes=()
    )
    before = Snapshot(SCOPE, NOON, Vpc(SCOPE.subject, ()), route_tables={TABLE: table})
    after = replace(before, route_tables={TABLE: replace(table, routes=(route,))})
    (difference,) = list_differences(before, after)
    return difference


@pytest.mark.parametrize(
    ("name", "named", "origin", "explained"),
    [
        ("CreateVpnConnectionRoute", (), RouteOrigin.PROPAGATED, True),
        ("DeleteVpnConnection", (), RouteOrigin.PROPAGATED, True),
        ("CreateVpnConnectionRoute", (), RouteOrigin.STATIC, False),
        ("EnableVgwRoutePropagation", (TABLE, GATEWAY), RouteOrigin.PROPAGATED, True),
        ("EnableVgwRoutePropagation", ("rtb-0bbbbbbbbbbbbbbb1",), RouteOrigin.PROPAGATED, False),
        ("DeleteSubnet", ("subnet-0aaaaaaaaaaaaaaa1",), RouteOrigin.PROPAGATED, False),
    ],
)
def test_a_propagated_route_comes_from_the_gateway_or_its_vpn_connections(
    name: str, named: tuple[str, ...], origin: RouteOrigin, *, explained: bool
) -> None:
    """A VPN connection's call names no gateway; it can have propagated any such route."""
    call: Any = replace(change("e-1", *named), event_name=name)
    assert may_explain(call, _difference(origin), applied=False) is explained


def test_a_vpc_is_changed_by_calls_that_have_its_field_only() -> None:
    """A call on a DHCP options set may explain the VPC's servers, one on a tag may not."""
    before = Snapshot(SCOPE, NOON, Vpc(SCOPE.subject, (), dhcp_options_id="dopt-1"))
    after = replace(before, vpc=replace(before.vpc, dhcp_options_id="dopt-2"))
    (difference,) = list_differences(before, after)
    explained = {
        name: may_explain(
            replace(change("e-1", "dopt-2"), event_name=name), difference, applied=False
        )
        for name in ("AssociateDhcpOptions", "CreateTags", "CreateDhcpOptions")
    }
    assert explained == {
        "AssociateDhcpOptions": True,
        "CreateTags": False,
        "CreateDhcpOptions": False,
    }
