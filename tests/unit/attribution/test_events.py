"""Which calls can have changed a scope: those of other accounts by what accounts share alone."""

from collections.abc import Collection
from dataclasses import replace
from ipaddress import IPv4Network

import pytest

from finding_builders import SCOPE, at, change
from network_builders import gateway
from posture.attribution.events import select_concerning
from posture.model.change import Change
from posture.model.network import RouteTable, SecurityGroup, Snapshot, Vpc
from posture.model.scope import Region

VPC, THEIRS = SCOPE.subject, "444455556666"
NETWORK = Snapshot(
    SCOPE,
    at(-60),
    Vpc(VPC, (IPv4Network("10.0.0.0/16"),), owner=SCOPE.account),
    route_tables={"rtb-1": RouteTable("rtb-1", VPC, True, (), (), {"rtbassoc-1": VPC}, ())},
    endpoints={"vpce-1": gateway("1")},
    security_groups={"sg-1": SecurityGroup("sg-1", "web", VPC, (), ())},
)


def call(account: str, *ids: str, services: Collection[str] = ()) -> Change:
    """Return a call of an account that names these ids."""
    made = replace(change("e-1", *ids), region=Region(account, SCOPE.region))
    vpcs = frozenset(each for each in ids if each.startswith("vpc-"))
    return replace(made, vpc_ids=vpcs, service_ids=frozenset(services))


@pytest.mark.parametrize(
    ("named", "left"),
    [
        ((VPC,), ()),
        (("vpce-1",), ()),
        (("rtb-1", VPC), ()),
        ((VPC, "pcx-1"), ("pcx-1",)),  # asks for a peering connection
        ((VPC, "sg-1"), ("sg-1",)),  # may be a participant's
        (("pl-1",), ("pl-1",)),  # shared with this account
        (("vpce-2",), ("vpce-2",)),  # of another VPC, which this one uses
    ],
)
def test_another_accounts_call_counts_by_what_it_can_change(
    named: tuple[str, ...], left: tuple[str, ...]
) -> None:
    """AWS lets it change neither the VPC nor its route tables and endpoints."""
    selected = select_concerning([call(THEIRS, *named)], NETWORK)
    assert [each.resource_ids for each in selected] == ([frozenset(left)] if left else [])
    assert all(not each.vpc_ids for each in selected)


def test_a_provider_changes_the_endpoints_of_its_service() -> None:
    """It accepts and rejects them."""
    rejected = call(THEIRS, "vpce-svc-1", "vpce-1", services=["vpce-svc-1"])
    assert select_concerning([rejected], NETWORK) == (rejected,)


def test_calls_of_the_own_account_stay_as_they_are() -> None:
    """So do those of the owner of a VPC in which this account takes part, and of a VPC unread."""
    own, theirs = call(SCOPE.account, VPC, "vpce-1"), call(THEIRS, "rtb-1")
    assert select_concerning([own], NETWORK) == (own,)
    shared = replace(NETWORK, vpc=replace(NETWORK.vpc, owner=THEIRS))
    assert select_concerning([theirs], shared) == (theirs,)
    assert select_concerning([theirs], None) == (theirs,)
