"""What an observer reads, with how many requests, and what it does when some are denied."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from posture.analysis.names import ResolvesTo, resolve_names
from posture.analysis.services import get_service
from posture.ec2.dns_attributes import UNLIMITED, DnsCache
from posture.ec2.observer import Observer
from posture.ec2.region import RegionSnapshot
from posture.ec2.region_catalogue import RegionCatalogueCache
from posture.model.dns import DnsAttributes
from posture.model.network import Facet, Snapshot, TargetKind
from posture.model.scope import Region, Scope
from posture.store.resource_ids import collect_resource_ids

if TYPE_CHECKING:
    from collections.abc import Callable

    from sample_network import SampleNetwork

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
CATALOGUE = {"DescribeVpcEndpointServices", "DescribePrefixLists"}


def observe(network: SampleNetwork) -> Observer:
    """Build an observer that has read nothing yet."""
    return Observer(network.ec2, Region(network.scope.account, network.scope.region), lambda: NOW)


def collect_full_vpc(network: SampleNetwork) -> Snapshot:
    """Collect the VPC that has resources of every kind."""
    found = observe(network).collect_vpc(network.scope)
    assert found is not None
    return found


def collect_region(network: SampleNetwork, cache: DnsCache | None = None) -> RegionSnapshot:
    """Collect the region, by default with an empty cache of DNS attributes."""
    (snapshot,) = observe(network).collect_region(cache or DnsCache())
    return snapshot


def fail_operation(
    network: SampleNetwork, operation: str, code: str, status: int = 403
) -> Callable[[], None]:
    """Make EC2 answer an operation with an error; return what ends that."""

    def answer(**_: Any) -> None:
        metadata: Any = {"HTTPStatusCode": status}
        raise ClientError({"Error": {"Code": code}, "ResponseMetadata": metadata}, operation)

    events, name = network.ec2.meta.events, f"provide-client-params.ec2.{operation}"
    events.register(name, answer)
    return lambda: events.unregister(name, answer)


def test_a_snapshot_holds_every_resource_of_the_vpc(network: SampleNetwork) -> None:
    """A snapshot holds every resource of its VPC, by id."""
    found = collect_full_vpc(network)
    assert found.observed_at == NOW
    assert (found.vpc.dns_support, found.vpc.dns_hostnames) == (True, True)
    assert set(found.subnets) == {network.subnet}
    assert {network.gateway, network.interface} == set(found.endpoints)
    assert set(found.network_interfaces) == set(
        found.endpoints[network.interface].network_interface_ids
    )
    assert not found.nat_gateways[network.nat].public
    assert found.prefix_lists[network.prefix_list].cidrs == (IPv4Network("198.51.100.0/24"),)
    assert found.unreadable == {}


def test_the_interfaces_of_an_appliance_are_read(network: SampleNetwork) -> None:
    """A route names an instance or one of its interfaces; all of the instance's are read."""
    ec2 = network.ec2
    image = ec2.register_image(Name="nat")["ImageId"]
    running = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, SubnetId=network.subnet)
    instance = running["Instances"][0]
    other = ec2.create_network_interface(SubnetId=network.subnet)["NetworkInterface"]
    ids = {each["NetworkInterfaceId"] for each in (*instance["NetworkInterfaces"], other)}
    ec2.attach_network_interface(
        DeviceIndex=1,
        InstanceId=instance["InstanceId"],
        NetworkInterfaceId=other["NetworkInterfaceId"],
    )
    table = ec2.create_route_table(VpcId=network.scope.subject)["RouteTable"]["RouteTableId"]
    ec2.create_route(
        RouteTableId=table,
        DestinationCidrBlock="192.0.2.0/24",
        NetworkInterfaceId=other["NetworkInterfaceId"],
    )
    found = collect_full_vpc(network).network_interfaces
    assert {each for each in found if found[each].instance_id == instance["InstanceId"]} == ids


def test_a_gateway_endpoint_route_names_a_prefix_list_with_entries(network: SampleNetwork) -> None:
    """The destination of a gateway endpoint's route is the service's prefix list."""
    found = collect_full_vpc(network)
    routes = [
        route
        for route in found.route_tables[network.table].routes
        if route.target.kind is TargetKind.VPC_ENDPOINT
    ]
    lists = [found.prefix_lists[route.prefix_list_id or ""] for route in routes]
    assert [each.name for each in lists] == ["com.amazonaws.eu-west-1.s3"]
    assert lists[0].cidrs


def test_a_vpc_that_does_not_exist_is_none(network: SampleNetwork) -> None:
    """There is no snapshot of a VPC that EC2 does not know."""
    gone = replace(network.scope, subject="vpc-0123456789abcdef0")
    assert observe(network).collect_vpc(gone) is None


def test_a_vpc_takes_ten_operations(network: SampleNetwork) -> None:
    """Once the catalogue is cached, each operation is called a fixed number of times."""
    observer = observe(network)
    observer.catalogue.read()
    calls = network.record_calls()
    observer.collect_vpc(network.scope)
    assert len(set(calls)) == 10
    assert len(calls) == 11  # the two DNS attributes are one kind
    assert not CATALOGUE & set(calls)


def test_a_vpc_without_endpoints_reads_no_interfaces_and_no_prefix_lists(
    network: SampleNetwork,
) -> None:
    """Only what an endpoint, route or rule names is read."""
    observer = observe(network)
    observer.catalogue.read()
    calls = network.record_calls()
    observer.collect_vpc(replace(network.scope, subject=network.bare))
    assert {"DescribeNetworkInterfaces", "GetManagedPrefixListEntries"}.isdisjoint(calls)


def test_a_default_vpc_is_unused_while_no_network_interface_is_in_it(
    network: SampleNetwork,
) -> None:
    """Every Region has one by default; asking whether it is used takes one request a Region."""
    default = next(vpc["VpcId"] for vpc in network.ec2.describe_vpcs()["Vpcs"] if vpc["IsDefault"])
    scope = replace(network.scope, subject=default)
    calls = network.record_calls()
    found = collect_region(network).vpcs
    assert calls.count("DescribeNetworkInterfaces") == 2  # the other one reads the endpoint's
    assert found[default].vpc.has_interfaces is False
    assert found[network.bare].vpc.has_interfaces is None  # not a default VPC
    subnets = network.ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [default]}])
    network.ec2.create_network_interface(SubnetId=subnets["Subnets"][0]["SubnetId"])
    for snapshot in (observe(network).collect_vpc(scope), collect_region(network).vpcs[default]):
        assert snapshot
        assert snapshot.vpc.has_interfaces is True


def test_a_default_vpc_whose_interfaces_cannot_be_read_is_not_taken_for_unused(
    network: SampleNetwork,
) -> None:
    """It is evaluated as any other VPC."""
    default = next(vpc["VpcId"] for vpc in network.ec2.describe_vpcs()["Vpcs"] if vpc["IsDefault"])
    fail_operation(network, "DescribeNetworkInterfaces", "UnauthorizedOperation")
    assert collect_region(network).vpcs[default].vpc.has_interfaces is None


@pytest.mark.parametrize("facet", list(Facet))
def test_a_denied_operation_makes_only_its_facet_unreadable(
    network: SampleNetwork, facet: Facet
) -> None:
    """`unreadable` holds the reason; every other facet is read."""
    if facet is Facet.DHCP_OPTIONS:  # a VPC with the default option set needs no answer
        network.associate_dhcp_options("10.9.9.9")
    fail_operation(network, facet.value, "UnauthorizedOperation")
    found = collect_full_vpc(network)
    assert found.unreadable == {facet: f"UnauthorizedOperation: ec2:{facet.value} is denied"}
    assert found.scope == network.scope


@pytest.mark.parametrize("code", ["RequestLimitExceeded", "InternalError", "AuthFailure"])
def test_an_error_that_a_retry_may_cure_is_raised(network: SampleNetwork, code: str) -> None:
    """Throttling and server errors say nothing about the VPC; the queue tries again."""
    fail_operation(network, "DescribeSubnets", code, 503)
    with pytest.raises(ClientError):
        collect_full_vpc(network)


def test_the_dns_servers_are_those_of_the_option_set(network: SampleNetwork) -> None:
    """The default option set names the VPC's own Resolver."""
    assert collect_full_vpc(network).vpc.dns_servers == ("AmazonProvidedDNS",)
    network.associate_dhcp_options("10.9.9.9", "AmazonProvidedDNS")
    assert collect_full_vpc(network).vpc.dns_servers == ("10.9.9.9", "AmazonProvidedDNS")


def test_an_option_set_is_read_once(network: SampleNetwork) -> None:
    """A set cannot be modified. One that was created meanwhile is read with its first VPC."""
    observer = observe(network)
    network.associate_dhcp_options("10.9.9.9")
    calls = network.record_calls()
    for servers, reads in ((("10.9.9.9",), 1), (("10.9.9.9",), 1), (("10.8.8.8",), 2)):
        if reads == 2:
            network.associate_dhcp_options(*servers)
        found = observer.collect_vpc(network.scope)
        assert found
        assert found.vpc.dns_servers == servers
        assert calls.count("DescribeDhcpOptions") == reads


def test_a_group_of_another_vpc_is_read_for_the_endpoint_that_has_it(
    network: SampleNetwork,
) -> None:
    """AssociateSecurityGroupVpc lets an endpoint have it; a change to it reaches this VPC."""
    shared = network.share_group()
    for found in (collect_full_vpc(network), collect_region(network).vpcs[network.vpc]):
        assert found.security_groups[shared].vpc_id == network.bare
        assert shared in collect_resource_ids(found)


def test_the_catalogue_of_another_region_is_read_once_for_its_endpoints(
    network: SampleNetwork,
) -> None:
    """The services of its name are those of the other Region, which offers no gateway endpoint."""
    network.add_cross_region_endpoint()
    asked: list[Any] = []

    def answer(params: dict[str, Any], **_: Any) -> None:
        if "ServiceRegions" in params:
            asked.append(params["ServiceRegions"])

    network.ec2.meta.events.register(
        "provide-client-params.ec2.DescribeVpcEndpointServices", answer
    )
    observer = observe(network)
    for _ in range(2):
        observer.collect_vpc(network.scope)
    assert asked == [["us-west-2"]]


ABROAD = "com.amazonaws.us-west-2.kms"


def answer_other_region(network: SampleNetwork, status: int, answer: dict[str, Any]) -> None:
    """Answer the request for the catalogue of another Region, which moto does not know."""

    def respond(params: dict[str, Any], **_: Any) -> tuple[Any, dict[str, Any]] | None:
        if "ServiceRegion.1" not in params["body"]:
            return None
        metadata = {"HTTPStatusCode": status, "RequestId": "1"}
        return SimpleNamespace(status_code=status), {**answer, "ResponseMetadata": metadata}

    network.ec2.meta.events.register_first("before-call.ec2.DescribeVpcEndpointServices", respond)


def test_the_service_of_another_region_is_that_of_its_catalogue(network: SampleNetwork) -> None:
    """It says which private DNS names the service has."""
    network.add_cross_region_endpoint()
    detail = {
        "ServiceName": ABROAD,
        "ServiceType": [{"ServiceType": "Interface"}],
        "Owner": "amazon",
        "PrivateDnsNames": [{"PrivateDnsName": "kms.us-west-2.amazonaws.com"}],
    }
    others = [{**detail, "ServiceName": "com.amazonaws.us-west-2.sns"}]
    answer_other_region(network, 200, {"ServiceDetails": [detail, *others]})
    for found in (collect_full_vpc(network), collect_region(network).vpcs[network.vpc]):
        assert found.services[ABROAD].private_dns_names == ("kms.us-west-2.amazonaws.com",)
        assert "private hosted zone" in resolve_names(found, found.services[ABROAD]).why
        assert others[0]["ServiceName"] not in found.services
        assert found.unreadable == {}


@pytest.mark.parametrize("code", ["UnauthorizedOperation", "InvalidServiceRegion"])
def test_a_catalogue_of_another_region_that_is_not_answered(
    network: SampleNetwork, code: str
) -> None:
    """What the names of its services resolve to is unknown, and all else is known."""
    network.add_cross_region_endpoint()
    answer_other_region(network, 403, {"Error": {"Code": code, "Message": "no"}})
    found = collect_full_vpc(network)
    assert ABROAD not in found.services
    endpoint = next(it for it in found.endpoints.values() if it.service_name == ABROAD)
    resolution = resolve_names(found, get_service(found, endpoint))
    assert resolution.resolves_to is ResolvesTo.UNKNOWN
    assert ABROAD in resolution.why
    assert found.services


def test_a_region_snapshot_equals_the_snapshot_of_each_vpc(network: SampleNetwork) -> None:
    """A VPC's snapshot is the same whether it is read alone or with its region."""
    whole = collect_region(network)
    for vpc_id, snapshot in whole.vpcs.items():
        scope = Scope(network.scope.account, network.scope.region, vpc_id)
        assert observe(network).collect_vpc(scope) == snapshot
    assert {network.vpc, network.bare} <= set(whole.vpcs)


def test_slices_together_equal_the_region_snapshot(
    network: SampleNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every VPC is in exactly one slice, with the same snapshot."""
    whole = collect_region(network)
    monkeypatch.setattr("posture.ec2.region.SLICE", 2)
    monkeypatch.setattr("posture.ec2.observer.MOST_IN_COMMANDS", 2)
    parts = list(observe(network).collect_region(DnsCache(budget=UNLIMITED)))
    assert [len(part.vpcs) for part in parts] == [2, 1]
    assert {vpc_id: found for part in parts for vpc_id, found in part.vpcs.items()} == whole.vpcs


def test_requests_for_a_region_grow_with_pages_not_with_vpcs(network: SampleNetwork) -> None:
    """A hundred more VPCs whose DNS attributes are cached add no request."""
    cached = DnsAttributes(support=True, hostnames=True, observed_at=NOW - timedelta(hours=1))
    before = network.record_calls()
    collect_region(network, DnsCache(budget=0))
    cost = len(before)
    for third in range(100):
        network.ec2.create_vpc(CidrBlock=f"10.{third + 100}.0.0/16")
    vpcs = [vpc["VpcId"] for vpc in network.ec2.describe_vpcs()["Vpcs"]]
    after = network.record_calls()
    collect_region(network, DnsCache(dict.fromkeys(vpcs, cached), budget=0))
    assert len(after) == cost


def test_vpcs_with_private_dns_are_read_first(network: SampleNetwork) -> None:
    """The budget goes to the VPC whose endpoint uses private DNS; others stay unknown."""
    found = collect_region(network, DnsCache(budget=1))
    assert found.vpcs[network.vpc].vpc.dns_hostnames is True
    assert found.vpcs[network.bare].vpc.dns_hostnames is None
    assert set(found.dns) == {network.vpc}


def test_a_cached_attribute_keeps_its_observation_time(network: SampleNetwork) -> None:
    """A cached value is used for up to 36 hours."""
    cached = DnsAttributes(support=False, hostnames=False, observed_at=NOW - timedelta(hours=35))
    found = collect_region(network, DnsCache({network.bare: cached}))
    assert found.vpcs[network.bare].vpc.dns_support is False
    assert found.dns[network.bare] == cached


def test_an_attribute_cached_36_hours_ago_is_unknown(network: SampleNetwork) -> None:
    """An expired value is not used."""
    stale = DnsAttributes(support=True, hostnames=True, observed_at=NOW - timedelta(hours=36))
    found = collect_region(network, DnsCache({network.bare: stale}, budget=0))
    assert found.vpcs[network.bare].vpc.dns_support is None


def test_a_region_snapshot_without_describe_vpcs_says_so(network: SampleNetwork) -> None:
    """If DescribeVpcs is denied, the VPCs are those that other resources name."""
    fail_operation(network, "DescribeVpcs", "UnauthorizedOperation")
    found = collect_region(network)
    assert Facet.VPC in found.unreadable
    assert Facet.VPC in found.vpcs[network.vpc].unreadable


def test_the_catalogue_is_read_once_an_hour(network: SampleNetwork) -> None:
    """It comes from the cache for an hour and is then read again."""
    clock = [NOW]
    known = RegionCatalogueCache(network.ec2, lambda: clock[0])
    calls = network.record_calls()
    known.read()
    first = len(calls)
    clock[0] = NOW + timedelta(minutes=59)
    known.read()
    assert len(calls) == first
    clock[0] = NOW + timedelta(minutes=60)
    known.read()
    assert len(calls) == 2 * first


def test_a_catalogue_whose_entries_are_denied_is_read_again(network: SampleNetwork) -> None:
    """It says why, and is complete once they can be read."""
    known = RegionCatalogueCache(network.ec2, lambda: NOW)
    allow = fail_operation(network, "GetManagedPrefixListEntries", "UnauthorizedOperation")
    denied = known.read()
    assert denied.unreadable.keys() == {Facet.PREFIX_LISTS}
    assert any(each.cidrs is None for each in denied.prefix_lists.values())
    allow()
    assert not known.read().unreadable


def test_s3_is_one_service_with_both_types(network: SampleNetwork) -> None:
    """EC2 lists S3 twice; the catalogue merges both entries."""
    service = observe(network).catalogue.read().services["com.amazonaws.eu-west-1.s3"]
    assert {"Gateway", "Interface"} == {str(each) for each in service.types}
