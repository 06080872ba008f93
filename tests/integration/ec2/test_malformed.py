"""A row that is not as EC2's are makes its VPC unknown, and leaves every other one as it is."""

from collections.abc import Callable
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from urllib3 import HTTPResponse

from posture.ec2.dns_attributes import UNLIMITED, DnsCache
from posture.ec2.observer import Observer
from posture.model.endpoint_service import ServiceFacet
from posture.model.network import Facet
from posture.model.scope import Region
from sample_network import ACCOUNT, REGION, SampleNetwork

Row = dict[str, Any]

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def spoil(network: SampleNetwork, operation: str, change: Callable[[Row], None]) -> None:
    """Change the rows of the full VPC in every answer of an operation."""

    def answer(parsed: Row, **_: Any) -> None:
        for row in parsed[operation.removeprefix("Describe")]:
            if row.get("VpcId") == network.vpc:
                change(row)

    network.ec2.meta.events.register(f"after-call.ec2.{operation}", answer)


@pytest.mark.parametrize(
    ("operation", "changed", "facet"),
    [
        ("DescribeVpcs", {"CidrBlock": "10.0.0.0/33"}, Facet.VPC),
        ("DescribeSubnets", {"CidrBlock": "10.0.0"}, Facet.SUBNETS),
        ("DescribeRouteTables", {"Routes": [{"DestinationCidrBlock": "x"}]}, Facet.ROUTE_TABLES),
        ("DescribeRouteTables", {"Routes": 7}, Facet.ROUTE_TABLES),
        ("DescribeVpcEndpoints", {"Groups": "sg-0a"}, Facet.ENDPOINTS),
        (
            "DescribeSecurityGroups",
            {"IpPermissions": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.0.0.0/8/8"}]}]},
            Facet.SECURITY_GROUPS,
        ),
        ("DescribeNetworkAcls", {"Entries": [{"CidrBlock": "10.0.0.1/99"}]}, Facet.NETWORK_ACLS),
    ],
)
def test_only_its_vpc_and_what_was_read_there_is_unknown(
    network: SampleNetwork, operation: str, changed: Row, facet: Facet
) -> None:
    """Alone and in a sweep: no other VPC, and no other part of the VPC's snapshot."""
    observer = Observer(network.ec2, Region(ACCOUNT, REGION), lambda: NOON)
    (before,) = observer.collect_region(DnsCache(budget=UNLIMITED))
    spoil(network, operation, lambda row: row.update(changed))
    (region,) = observer.collect_region(DnsCache(budget=UNLIMITED))
    alone = observer.collect_vpc(network.scope)
    assert region.vpcs.keys() == before.vpcs.keys()
    assert {vpc: it for vpc, it in region.vpcs.items() if vpc != network.vpc} == {
        vpc: it for vpc, it in before.vpcs.items() if vpc != network.vpc
    }
    assert alone is not None
    for snapshot in (alone, region.vpcs[network.vpc]):
        assert set(snapshot.unreadable) - set(before.vpcs[network.vpc].unreadable) == {facet}
        assert snapshot.unreadable[facet].startswith(f"a row of ec2:{operation} is malformed: ")


@pytest.mark.parametrize("vpc_id", [None, 7, {}])
def test_an_id_that_is_no_text_fails_no_other_vpc(network: SampleNetwork, vpc_id: object) -> None:
    """As a file may contain one: the other VPC is read, and one is named as unknown."""
    spoil(network, "DescribeVpcs", lambda row: row.update(VpcId=vpc_id))
    (region,) = observe(network).collect_region(DnsCache(budget=UNLIMITED))

    assert region.vpcs[network.bare].vpc.cidrs
    assert "expected an ID as VpcId" in region.unreadable[Facet.VPC]


def observe(network: SampleNetwork) -> Observer:
    """Return an observer of the sample region."""
    return Observer(network.ec2, Region(ACCOUNT, REGION), lambda: NOON)


@pytest.mark.parametrize(
    ("operation", "facet"),
    [
        ("DescribeVpcs", Facet.VPC),
        ("DescribeSubnets", Facet.SUBNETS),
        ("DescribeNatGateways", Facet.NAT_GATEWAYS),
        ("DescribeNetworkInterfaces", Facet.NETWORK_INTERFACES),
        ("DescribeVpcAttribute", Facet.DNS_ATTRIBUTES),
        ("DescribeVpcEndpointServices", Facet.SERVICES),
        ("DescribePrefixLists", Facet.AWS_PREFIX_LISTS),
    ],
)
def test_a_web_page_in_place_of_an_answer_is_no_empty_answer(
    network: SampleNetwork, operation: str, facet: Facet
) -> None:
    """A proxy may answer 200 with a page that is well-formed XML: nothing is known then."""
    page = b"<html><body><h1>Sign in to the network</h1></body></html>"

    def answer(**_: Any) -> AWSResponse:
        raw = HTTPResponse(BytesIO(page), status=200, preload_content=False)
        return AWSResponse("https://proxy", 200, HTTPHeaders(), raw)

    network.ec2.meta.events.register_first(f"before-send.ec2.{operation}", answer)
    parts = observe(network).collect_region(DnsCache(budget=UNLIMITED))
    snapshot = next(vpc for part in parts for vpc in part.vpcs.values())
    assert "expected EC2's answer" in snapshot.unreadable[facet]


def test_a_malformed_entry_of_a_prefix_list_hides_this_list_only(network: SampleNetwork) -> None:
    """The list's blocks are unknown."""

    def answer(parsed: Row, **_: Any) -> None:
        parsed["Entries"] = [{"Cidr": "10.0.0.0/99"}]

    network.ec2.meta.events.register("after-call.ec2.GetManagedPrefixListEntries", answer)
    snapshot = observe(network).collect_vpc(network.scope)
    assert snapshot is not None
    assert "is malformed" in snapshot.unreadable[Facet.PREFIX_LISTS]
    assert set(snapshot.unreadable) == {Facet.PREFIX_LISTS}


@pytest.mark.parametrize("spoiled", [{"Tags": 7}, {"PrivateDnsNameConfiguration": "x"}])
def test_a_malformed_endpoint_service_is_unknown_and_no_other(
    network: SampleNetwork, spoiled: Row
) -> None:
    """The others are read; a row without an id could be any service."""
    good = {"ServiceId": "vpce-svc-0a", "ServiceName": "a", "ServiceState": "Available"}
    rows = [good, {**good, "ServiceId": "vpce-svc-0b", **spoiled}, {"ServiceName": "c"}]

    def answer(parsed: Row, **_: Any) -> None:
        parsed["ServiceConfigurations"] = rows

    events = network.ec2.meta.events
    events.register("after-call.ec2.DescribeVpcEndpointServiceConfigurations", answer)
    found = observe(network).collect_services()
    configuration = ServiceFacet.CONFIGURATION
    assert set(found.services) == {"vpce-svc-0a", "vpce-svc-0b"}
    assert configuration not in found.services["vpce-svc-0a"].unreadable
    assert "is malformed" in found.services["vpce-svc-0b"].unreadable[configuration]
    assert "is malformed: 'ServiceId'" in (found.unreadable or "")
