"""The region that the tests of the observer read."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from sample_network import ACCOUNT, REGION, SampleNetwork, build_sample_network


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Iterator[SampleNetwork]:
    """Build the sample region."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("MOTO_ACCOUNT_ID", ACCOUNT)
    with mock_aws():
        yield build_sample_network(boto3.session.Session().client("ec2", region_name=REGION))
