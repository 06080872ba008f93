"""A row that is not as EC2's are makes its VPC unknown, and leaves every other one as it is."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from posture.ec2.dns_attributes import UNLIMITED, DnsCache
from posture.ec2.observer import Observer
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
