"""What is recorded, written and read back is observed as EC2 itself is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import boto3
import pytest
from moto import mock_aws

from posture.ec2.dns_attributes import UNLIMITED, DnsCache
from posture.ec2.observer import Observer
from posture.model.network import Snapshot
from posture.model.scope import Region
from posture_cli.demo.organization import OrganizationBuilder
from posture_cli.embedded.moto_patches import patch_moto
from posture_cli.recorded.observe import observe_region
from posture_cli.recorded.recorder import Recorder
from posture_cli.recorded.snapshot_file import dump_snapshot, parse_snapshot
from random_requests import build_network
from sample_network import ACCOUNT, NOW, REGION, build_sample_network

HERE = Region(ACCOUNT, REGION)


@pytest.fixture
def ec2(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return the client of an emulated EC2."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("MOTO_ACCOUNT_ID", ACCOUNT)
    with mock_aws():
        patch_moto()
        yield boto3.session.Session().client("ec2", region_name=REGION)


def build_sample(ec2: Any) -> None:
    """Build the sample network, with what leads out of its VPC."""
    sample = build_sample_network(ec2)
    sample.share_group()
    sample.add_cross_region_endpoint()
    sample.associate_dhcp_options("10.0.0.2", "10.9.9.9")


def build_organization(ec2: Any) -> None:
    """Build the network of the demo."""
    OrganizationBuilder(ec2, ACCOUNT).build()


def build_random(ec2: Any) -> None:
    """Build a few random networks."""
    for seed in range(4):
        build_network(ec2, Random(seed))  # noqa: S311 - reproducible, not secret


def observe(observer: Observer) -> dict[str, Snapshot]:
    """Observe all VPCs of the region."""
    parts = observer.collect_region(DnsCache(budget=UNLIMITED))
    return {vpc: found for part in parts for vpc, found in part.vpcs.items()}


@pytest.mark.parametrize("build", [build_sample, build_organization, build_random])
def test_a_recorded_region_is_observed_as_ec2_is(ec2: Any, build: Callable[[Any], None]) -> None:
    """Every part of every snapshot is equal, and the file is the same when it is written again."""
    build(ec2)
    recorder = Recorder(ec2)
    observer = Observer(ec2, HERE, lambda: NOW)
    live, services = observe(observer), observer.collect_services()
    text = dump_snapshot([recorder.build_region(HERE, NOW)])
    (recorded,) = parse_snapshot(json.loads(text), Path("network.json"))
    saved = observe_region(recorded)
    assert dict(saved.vpcs) == live
    assert live
    assert services.unreadable is None
    assert dump_snapshot([recorded]) == text
    assert recorded.missing == ()
