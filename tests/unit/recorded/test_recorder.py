"""What a recorder keeps of EC2's answers: pages joined, repeated reads once, no more."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from botocore.stub import Stubber

from posture.model.scope import Region
from posture_cli.recorded.offline import open_session
from posture_cli.recorded.recorder import Recorder
from posture_cli.recorded.region import RecordedRegion

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LIST = {"PrefixListId": "pl-0123456789abcdef0"}


class Recorded:
    """A client without network, the answers that it will get, and what was recorded of them."""

    def __init__(self) -> None:
        self.ec2 = cast("Any", open_session().create_client("ec2", "eu-west-1"))
        self.recorder = Recorder(self.ec2)
        self.stubber = Stubber(self.ec2)
        self.stubber.activate()

    def answer(self, operation: str, *answers: dict[str, Any]) -> None:
        """Add the answers of one operation."""
        for each in answers:
            self.stubber.add_response(operation, each)

    @property
    def region(self) -> RecordedRegion:
        """What was recorded."""
        return self.recorder.build_region(Region("111122223333", "eu-west-1"), NOW)


@pytest.fixture
def recorded() -> Iterator[Recorded]:
    """Return a client; all answers that were added must be asked for."""
    found = Recorded()
    yield found
    found.stubber.assert_no_pending_responses()


def read_all(ec2: Any, operation: str, **parameters: Any) -> None:
    """Read all pages."""
    for _ in ec2.get_paginator(operation).paginate(**parameters):
        pass


def test_pages_are_joined(recorded: Recorded) -> None:
    """Those of a listing, and those of the answer about one id."""
    recorded.answer(
        "describe_subnets",
        {"Subnets": [{"SubnetId": "subnet-2"}], "NextToken": "t"},
        {"Subnets": [{"SubnetId": "subnet-1"}]},
    )
    recorded.answer(
        "get_managed_prefix_list_entries",
        {"Entries": [{"Cidr": "10.0.0.0/8"}], "NextToken": "t"},
        {"Entries": [{"Cidr": "10.0.0.0/16"}]},
    )
    read_all(recorded.ec2, "describe_subnets")
    read_all(recorded.ec2, "get_managed_prefix_list_entries", **LIST)
    assert recorded.region.rows == {
        "DescribeSubnets": [{"SubnetId": "subnet-1"}, {"SubnetId": "subnet-2"}],
        "GetManagedPrefixListEntries": [
            {**LIST, "Entries": [{"Cidr": "10.0.0.0/8"}, {"Cidr": "10.0.0.0/16"}]}
        ],
    }


def test_what_is_read_again_is_there_once(recorded: Recorded) -> None:
    """As the last answer has it."""
    for state in ("pending", "available"):
        row = {"NatGatewayId": "nat-1", "State": state}
        recorded.answer("describe_nat_gateways", {"NatGateways": [row]})
        recorded.answer("get_managed_prefix_list_entries", {"Entries": [{"Cidr": "10.0.0.0/8"}]})
        recorded.ec2.describe_nat_gateways()
        recorded.ec2.get_managed_prefix_list_entries(**LIST)
    assert recorded.region.rows == {
        "DescribeNatGateways": [{"NatGatewayId": "nat-1", "State": "available"}],
        "GetManagedPrefixListEntries": [{**LIST, "Entries": [{"Cidr": "10.0.0.0/8"}]}],
    }


def test_both_attributes_of_a_vpc_are_one_row(recorded: Recorded) -> None:
    """Though each takes a request."""
    recorded.answer(
        "describe_vpc_attribute",
        {"VpcId": "vpc-1", "EnableDnsSupport": {"Value": True}},
        {"VpcId": "vpc-1", "EnableDnsHostnames": {"Value": False}},
    )
    for attribute in ("enableDnsSupport", "enableDnsHostnames"):
        recorded.ec2.describe_vpc_attribute(VpcId="vpc-1", Attribute=attribute)
    assert recorded.region.rows["DescribeVpcAttribute"] == [
        {
            "VpcId": "vpc-1",
            "EnableDnsSupport": {"Value": True},
            "EnableDnsHostnames": {"Value": False},
        }
    ]


def test_no_answer_is_no_row_and_not_missing(recorded: Recorded) -> None:
    """An empty listing is known to be empty."""
    recorded.answer("describe_vpc_endpoints", {"VpcEndpoints": []})
    recorded.ec2.describe_vpc_endpoints()
    assert recorded.region.rows == {"DescribeVpcEndpoints": []}
    assert recorded.region.missing == ()


def test_an_error_keeps_code_and_id_only(recorded: Recorded) -> None:
    """EC2's message may name the caller."""
    recorded.stubber.add_client_error(
        "get_managed_prefix_list_entries", "UnauthorizedOperation", "User: arn:aws:iam::1:user/me"
    )
    with pytest.raises(recorded.ec2.exceptions.ClientError):
        recorded.ec2.get_managed_prefix_list_entries(**LIST)
    (missing,) = recorded.region.missing
    assert (missing.of, missing.code) == (LIST["PrefixListId"], "UnauthorizedOperation")
    assert "user/me" not in str(missing)


def test_services_of_another_region_are_marked(recorded: Recorded) -> None:
    """They are not the region's own."""
    row = {"ServiceName": "com.amazonaws.us-west-2.kms"}
    recorded.answer("describe_vpc_endpoint_services", {"ServiceDetails": [row]})
    recorded.ec2.describe_vpc_endpoint_services(ServiceRegions=["us-west-2"])
    (found,) = recorded.region.rows["DescribeVpcEndpointServices"]
    assert found["ServiceRegion"] == "us-west-2"


def test_other_operations_are_not_recorded(recorded: Recorded) -> None:
    """The file holds what an observer reads, and nothing else."""
    recorded.answer("describe_instances", {"Reservations": []})
    recorded.ec2.describe_instances()
    assert recorded.region.rows == {}
