"""What a collection reads, with how many requests, and what it does when some are denied."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from posture.ec2.dns_attributes import UNLIMITED, DnsCache
from posture.ec2.region import RegionCollector, RegionSnapshot
from posture.ec2.region_catalogue import RegionCatalogueCache
from posture.ec2.vpc import collect_vpc
from posture.model.dns import DnsAttributes
from posture.model.network import Facet, Snapshot, TargetKind
from posture.model.scope import Region, Scope

if TYPE_CHECKING:
    from collect_world import World

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
CATALOGUE = {"DescribeVpcEndpointServices", "DescribePrefixLists"}


def one(world: World) -> Snapshot:
    """Collect the full VPC."""
    found = collect_vpc(world.ec2, world.scope, catalogue=catalogue(world), now=lambda: NOW)
    assert found is not None
    return found


def catalogue(world: World) -> RegionCatalogueCache:
    """A catalogue that was not read yet."""
    return RegionCatalogueCache(world.ec2, lambda: NOW)


def region(world: World, memory: DnsCache | None = None) -> RegionSnapshot:
    """Collect the region, with nothing remembered unless told."""
    collector = RegionCollector(
        world.ec2,
        Region(world.scope.account, world.scope.region),
        catalogue=catalogue(world),
        now=lambda: NOW,
    )
    (picture,) = collector.all(memory or DnsCache())
    return picture


def fail(world: World, operation: str, code: str, status: int = 403) -> None:
    """Let EC2 answer this operation with an error."""

    def answer(**_: Any) -> None:
        metadata: Any = {"HTTPStatusCode": status}
        raise ClientError({"Error": {"Code": code}, "ResponseMetadata": metadata}, operation)

    world.ec2.meta.events.register(f"provide-client-params.ec2.{operation}", answer)


def test_a_vpc_is_read_whole(world: World) -> None:
    """A snapshot holds every part of its VPC, joined by id."""
    found = one(world)
    assert found.observed_at == NOW
    assert (found.vpc.dns_support, found.vpc.dns_hostnames) == (True, True)
    assert set(found.subnets) == {world.subnet}
    assert {world.gateway, world.interface} == set(found.endpoints)
    assert set(found.network_interfaces) == set(
        found.endpoints[world.interface].network_interface_ids
    )
    assert not found.nat_gateways[world.nat].public
    assert found.prefix_lists[world.prefix_list].cidrs == (IPv4Network("198.51.100.0/24"),)
    assert found.unreadable == {}


def test_a_gateway_route_names_a_list_with_entries(world: World) -> None:
    """The route of a gateway endpoint leads to the service's list, whose entries are known."""
    found = one(world)
    routes = [
        route
        for route in found.route_tables[world.table].routes
        if route.target.kind is TargetKind.VPC_ENDPOINT
    ]
    lists = [found.prefix_lists[route.prefix_list_id or ""] for route in routes]
    assert [each.name for each in lists] == ["com.amazonaws.eu-west-1.s3"]
    assert lists[0].cidrs


def test_a_vpc_that_is_gone_is_none(world: World) -> None:
    """A VPC that EC2 does not know gives no snapshot."""
    gone = replace(world.scope, subject="vpc-0123456789abcdef0")
    assert collect_vpc(world.ec2, gone, catalogue=catalogue(world), now=lambda: NOW) is None


def test_ten_kinds_of_request_suffice(world: World) -> None:
    """Once the catalogue is known a VPC takes ten kinds of request, each a fixed number."""
    known = catalogue(world)
    known.read()
    seen = world.calls()
    collect_vpc(world.ec2, world.scope, catalogue=known, now=lambda: NOW)
    assert len(set(seen)) == 10
    assert len(seen) == 11  # the two DNS attributes are one kind
    assert not CATALOGUE & set(seen)


def test_a_bare_vpc_asks_for_no_interface_and_no_list(world: World) -> None:
    """What no endpoint, route or rule names is not asked for."""
    known = catalogue(world)
    known.read()
    seen = world.calls()
    bare = replace(world.scope, subject=world.bare)
    collect_vpc(world.ec2, bare, catalogue=known, now=lambda: NOW)
    assert {"DescribeNetworkInterfaces", "GetManagedPrefixListEntries"}.isdisjoint(seen)


@pytest.mark.parametrize("facet", list(Facet))
def test_a_denied_kind_is_unreadable_and_the_rest_is_read(world: World, facet: Facet) -> None:
    """Access denied on one kind leaves that facet unreadable, with the reason, and no other."""
    fail(world, facet.value, "UnauthorizedOperation")
    found = one(world)
    assert found.unreadable == {facet: f"UnauthorizedOperation: ec2:{facet.value} is denied"}
    assert found.scope == world.scope


@pytest.mark.parametrize("code", ["RequestLimitExceeded", "InternalError", "AuthFailure"])
def test_what_asking_again_may_cure_is_raised(world: World, code: str) -> None:
    """Throttling and server errors are no facts about the VPC: the queue tries again."""
    fail(world, "DescribeSubnets", code, 503)
    with pytest.raises(ClientError):
        one(world)


def test_a_region_tells_of_a_vpc_what_the_vpc_alone_tells(world: World) -> None:
    """One VPC's snapshot is the same, read by itself or with its region."""
    whole = region(world)
    for vpc_id, snapshot in whole.vpcs.items():
        scope = Scope(world.scope.account, world.scope.region, vpc_id)
        alone = collect_vpc(world.ec2, scope, catalogue=catalogue(world), now=lambda: NOW)
        assert alone == snapshot
    assert {world.vpc, world.bare} <= set(whole.vpcs)


def test_a_slice_tells_of_a_vpc_what_the_region_tells(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every VPC is in one slice, and looks there as in the picture of all."""
    whole = region(world)
    monkeypatch.setattr("posture.ec2.region.SLICE", 2)
    collector = RegionCollector(
        world.ec2, whole.region, catalogue=catalogue(world), now=lambda: NOW
    )
    parts = list(collector.all(DnsCache(budget=UNLIMITED)))
    assert [len(part.vpcs) for part in parts] == [2, 1]
    assert {vpc_id: found for part in parts for vpc_id, found in part.vpcs.items()} == whole.vpcs


def test_a_region_costs_pages_not_vpcs(world: World) -> None:
    """A hundred more VPCs whose DNS attributes are remembered add no request."""
    remembered = DnsAttributes(support=True, hostnames=True, observed_at=NOW - timedelta(hours=1))
    before = world.calls()
    region(world, DnsCache(budget=0))
    cost = len(before)
    for third in range(100):
        world.ec2.create_vpc(CidrBlock=f"10.{third + 100}.0.0/16")
    vpcs = [vpc["VpcId"] for vpc in world.ec2.describe_vpcs()["Vpcs"]]
    after = world.calls()
    region(world, DnsCache(dict.fromkeys(vpcs, remembered), budget=0))
    assert len(after) == cost


def test_private_names_have_their_dns_attributes_read_first(world: World) -> None:
    """The budget goes to the VPC whose endpoint's private name hangs on it; others are unknown."""
    found = region(world, DnsCache(budget=1))
    assert found.vpcs[world.vpc].vpc.dns_hostnames is True
    assert found.vpcs[world.bare].vpc.dns_hostnames is None
    assert set(found.dns) == {world.vpc}


def test_a_remembered_attribute_keeps_its_age(world: World) -> None:
    """What was remembered is used for a day and a half, and told to be as old as it is."""
    remembered = DnsAttributes(
        support=False, hostnames=False, observed_at=NOW - timedelta(hours=35)
    )
    found = region(world, DnsCache({world.bare: remembered}))
    assert found.vpcs[world.bare].vpc.dns_support is False
    assert found.dns[world.bare] == remembered


def test_a_memory_older_than_a_day_and_a_half_is_unknown(world: World) -> None:
    """A stale memory is no fact."""
    stale = DnsAttributes(support=True, hostnames=True, observed_at=NOW - timedelta(hours=36))
    found = region(world, DnsCache({world.bare: stale}, budget=0))
    assert found.vpcs[world.bare].vpc.dns_support is None


def test_a_region_without_describe_vpcs_says_that_vpcs_may_be_missing(world: World) -> None:
    """With DescribeVpcs denied, VPCs are those that other kinds name, and the region says so."""
    fail(world, "DescribeVpcs", "UnauthorizedOperation")
    found = region(world)
    assert Facet.VPC in found.unreadable
    assert Facet.VPC in found.vpcs[world.vpc].unreadable


def test_the_catalogue_is_read_once_an_hour(world: World) -> None:
    """Within the hour the catalogue comes from memory; after it, it is read again."""
    clock = [NOW]
    known = RegionCatalogueCache(world.ec2, lambda: clock[0])
    seen = world.calls()
    known.read()
    first = len(seen)
    clock[0] = NOW + timedelta(minutes=59)
    known.read()
    assert len(seen) == first
    clock[0] = NOW + timedelta(minutes=60)
    known.read()
    assert len(seen) == 2 * first


def test_s3_is_one_service_with_both_types(world: World) -> None:
    """EC2 lists S3 twice; the catalogue joins both entries."""
    service = catalogue(world).read().services["com.amazonaws.eu-west-1.s3"]
    assert {"Gateway", "Interface"} == {str(each) for each in service.types}
