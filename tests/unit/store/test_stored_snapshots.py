"""Stored snapshots: what is written is read, and nothing else becomes an object."""

import json
import zlib
from dataclasses import replace
from datetime import timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address
from random import Random

import pytest

from finding_builders import SCOPE, at, change
from posture.errors import CorruptItemError
from posture.model.change import Change
from posture.model.endpoint_service import Connection, EndpointServiceSnapshot, ServiceFacet
from posture.model.network import (
    Endpoint,
    EndpointType,
    Facet,
    NetworkInterface,
    PrefixList,
    Service,
    Snapshot,
    Vpc,
)
from posture.model.region_access import AnySnapshot, RegionAccess
from posture.store.snapshots import (
    LIMIT,
    StoredSnapshot,
    add_shared,
    build_item,
    parse_snapshot,
)
from posture.store.typed_json import from_json, to_json

OWN = PrefixList("pl-1", "offices", "111122223333", (IPv4Network("198.51.100.0/24"),))
AWS = PrefixList("pl-2", "com.amazonaws.eu-west-1.s3", "AWS", ())
NETWORK = Snapshot(
    SCOPE,
    at(0),
    Vpc(SCOPE.subject, (IPv4Network("10.0.0.0/16"),), dns_support=None, tags={"a": "b"}),
    endpoints={
        "vpce-1": Endpoint(
            "vpce-1",
            EndpointType.INTERFACE,
            SCOPE.subject,
            "com.amazonaws.eu-west-1.sns",
            "available",
            policy='{"Statement": []}',
            created_at=at(-5),
        )
    },
    network_interfaces={
        "eni-1": NetworkInterface(
            "eni-1",
            "subnet-1",
            "eu-west-1a",
            (IPv4Address("10.0.0.4"), IPv6Address("2001:db8::1")),
            ("sg-1",),
            unknown_versions=frozenset({6}),
        )
    },
    prefix_lists={"pl-1": OWN, "pl-2": AWS},
    services={
        "s3": Service("com.amazonaws.eu-west-1.s3", frozenset({EndpointType.GATEWAY}), "amazon")
    },
    unreadable={Facet.NAT_GATEWAYS: "AccessDenied"},
)
SERVICE = EndpointServiceSnapshot(
    replace(SCOPE, subject="vpce-svc-1"),
    at(0),
    principals=("*",),
    connections=(Connection("vpce-1", "111122223333", "available", at(-9)),),
    regions=None,
    unreadable={ServiceFacet.PERMISSIONS: "denied"},
)
ACCESS = RegionAccess(
    replace(SCOPE, subject="eu-west-1"),
    at(0),
    at(-9),
    {Facet.VPC: "denied", ServiceFacet.CONFIGURATION: "denied"},
)
REQUEST = {"GroupId": "sg-1", "IpPermissions": [{"FromPort": 443, "IpRanges": []}], "DryRun": False}


def store(snapshot: AnySnapshot | None, *changes: Change) -> StoredSnapshot:
    """Return a stored snapshot."""
    return StoredSnapshot(
        SCOPE,
        at(0),
        snapshot,
        7,
        "code",
        changes,
        previous=at(-60),
        confirmed_at=at(-1),
        unsettled=(("route-missing", "subnet-0a"),),
    )


@pytest.mark.parametrize("snapshot", [SERVICE, ACCESS, None], ids=["service", "region", "gone"])
def test_what_is_written_is_read(snapshot: AnySnapshot | None) -> None:
    """With the changes and their requests."""
    stored = store(snapshot, replace(change("e-1", "sg-1"), request=REQUEST, created="vpc-1"))
    item = build_item(stored)
    assert item is not None
    assert parse_snapshot(item) == stored


def test_what_a_region_shares_is_taken_from_the_present() -> None:
    """Services and the prefix lists of AWS are not stored."""
    item = build_item(store(NETWORK))
    assert item is not None
    read = parse_snapshot(item).snapshot
    assert isinstance(read, Snapshot)
    assert (read.services, set(read.prefix_lists)) == ({}, {"pl-1"})
    assert add_shared(read, NETWORK) == NETWORK


def test_a_former_snapshot_expires_after_an_hour() -> None:
    """As does that of a scope that is gone; the latest one of a scope stays."""
    latest, former, gone = build_item(store(NETWORK)), build_item(store(NETWORK), at(5)), None
    gone = build_item(store(None))
    assert latest is not None
    assert former is not None
    assert gone is not None
    assert "expires_at" not in latest
    hour = timedelta(hours=1)
    assert former["expires_at"] == {"N": str(int((at(5) + hour).timestamp()))}
    assert gone["expires_at"] == {"N": str(int((at(0) + hour).timestamp()))}


def test_a_snapshot_that_is_too_large_is_not_written() -> None:
    """An item holds 400 KB."""
    text = Random(0).randbytes(LIMIT).hex()  # noqa: S311 - text that does not compress
    assert build_item(store(replace(NETWORK, vpc=replace(NETWORK.vpc, tags={"a": text})))) is None


@pytest.mark.parametrize(
    "data",
    [
        b"no data",
        zlib.compress(b"[1, 2"),
        zlib.compress(json.dumps({"vpc": {"scope": 1}}).encode()),
        zlib.compress(json.dumps({"unknown": 1}).encode()),
    ],
    ids=["not compressed", "no JSON", "another type", "an unknown field"],
)
def test_what_cannot_be_read_is_refused_by_name(data: bytes) -> None:
    """Nothing is guessed."""
    item = build_item(store(NETWORK))
    assert item is not None
    with pytest.raises(CorruptItemError, match="~snapshot#2026-01-31"):
        parse_snapshot({**item, "data": {"B": data}})


def test_a_field_that_is_missing_has_its_default() -> None:
    """So that a field can be added; one without a default is needed."""
    assert from_json(Snapshot, to_json(NETWORK)) == NETWORK
    short = {name: each for name, each in to_json(NETWORK).items() if name != "unreadable"}
    assert from_json(Snapshot, short).unreadable == {}
    with pytest.raises(TypeError, match="vpc"):
        from_json(Snapshot, {"scope": to_json(SCOPE), "observed_at": at(0).isoformat()})
