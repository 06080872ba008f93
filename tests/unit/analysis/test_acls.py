"""Which entry of a network ACL decides on TCP traffic."""

from ipaddress import ip_network
from typing import Any

import pytest

from network_builders import acl, allow, deny
from posture.analysis.acls import partition_by_entry
from posture.analysis.addresses import AddressSet
from posture.model.network import AclEntry

PEERS = AddressSet.of([ip_network("10.0.0.0/16")])


def is_allowed(*entries: AclEntry) -> bool:
    """Whether port 443 is reached from all peers."""
    decisions = partition_by_entry(acl("a", *entries, subnets=["a"]), PEERS, 443, egress=False)
    return all(each.allowed for each in decisions)


@pytest.mark.parametrize("protocol", ["17", "1", "58"])
def test_an_entry_of_another_protocol_decides_nothing(protocol: str) -> None:
    """Even one whose ports include the port."""
    ports: dict[str, Any] = {"protocol": protocol, "from_port": 0, "to_port": 65535}
    assert not is_allowed(allow(100, **ports))
    assert is_allowed(deny(100, **ports), allow(200))


def test_the_first_entry_by_number_decides() -> None:
    """Whatever the order in which EC2 lists them."""
    assert is_allowed(deny(200), allow(100))
    assert not is_allowed(allow(200), deny(100))
