"""The oracle of edits: the same random requests, made in moto and as edits, lead to one network.

moto is completed by `posture_cli.embedded.moto_patches` and refuses by `strict_ec2`. moto has no
other address types than ipv4 and dualstack, no connections of endpoint services, and no reset of a
local route (`LocalTarget`):
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ReplaceRoute.html
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AcceptVpcEndpointConnections.html
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any

import boto3
import pytest
from moto import mock_aws

from posture.errors import UndecidedEditError
from posture_cli.embedded.moto_patches import EndpointPatches, patch_moto, use_numbered_ids
from random_requests import CHOICES, build_network, choose_request
from sample_network import ACCOUNT, REGION
from strict_ec2 import StrictEc2

SEQUENCES = int(os.environ.get("EDIT_SEQUENCES", "40"))  # more: EDIT_SEQUENCES=2000
LENGTH = 40


@pytest.fixture(scope="module")
def ec2() -> Iterator[Any]:
    """Build a client of an emulated EC2 that refuses what EC2 refuses."""
    with pytest.MonkeyPatch.context() as patch, mock_aws(), use_numbered_ids():
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        patch.setenv("MOTO_ACCOUNT_ID", ACCOUNT)
        patch_moto()
        client = boto3.session.Session().client("ec2", region_name=REGION)
        StrictEc2(ACCOUNT, REGION).attach(client)
        EndpointPatches(ACCOUNT, REGION).attach(client)
        yield client


def test_random_requests_lead_to_the_same_network(ec2: Any) -> None:
    """Both snapshots are equal, and refusals have the same code."""
    accepted, refused = Counter[str](), Counter[str]()
    for seed in range(SEQUENCES):
        network = build_network(ec2, Random(seed))  # noqa: S311 - reproducible, not secret
        for _ in range(LENGTH):
            operation, params = choose_request(network)
            try:
                by_boto3, by_edit = network.request(operation, params)
            except UndecidedEditError:
                continue
            assert by_boto3 == by_edit, (seed, operation, params)
            (refused if by_edit else accepted)[operation] += 1
        after, edited = network.compare()
        assert after == edited, (seed, network.edits)
    assert set(accepted) == set(CHOICES)
    assert sum(refused.values()) > SEQUENCES
