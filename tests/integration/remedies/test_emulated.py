"""Printed commands that are proven hold in an emulator that refuses what EC2 refuses.

The networks are those of the labelled cases (benchmarks/peers/labelled). Each command is run by
boto3, call by call, and its VPC is read and evaluated again: all findings that the command is given
for are resolved, and none of their severity or a higher one opens.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from itertools import groupby
from typing import Any

import boto3
import pytest
from moto import mock_aws

from benchmark_modules import BENCHMARKS
from posture.baseline.resolve import resolve_baseline
from posture.model.scope import Scope
from posture.model.verdict import Verdict
from posture_cli.baseline_file import load_baseline
from posture_cli.embedded.moto_patches import patch_moto, use_numbered_ids
from remedied_network import evaluate, prove, read_network, restored, run_command, select_bad
from sample_network import ACCOUNT, REGION
from strict_ec2 import StrictEc2

STEP = int(os.environ.get("REMEDY_STEP", "10"))  # every command: REMEDY_STEP=1


@pytest.fixture(scope="module")
def ec2() -> Iterator[Any]:
    """Build the networks of the labelled cases."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        patch.setenv("MOTO_ACCOUNT_ID", ACCOUNT)
        patch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "true")  # some cases start instances
        patch.setattr(sys, "path", [str(BENCHMARKS), str(BENCHMARKS / "peers"), *sys.path])
        patch_moto()
        with mock_aws(), use_numbered_ids():
            yield _build_networks()


def _build_networks() -> Any:
    from labelled import endpoints, groups, paths  # noqa: PLC0415 - scripts in no package
    from network_builder import RegionBuilder  # noqa: PLC0415

    region = RegionBuilder(boto3.session.Session(region_name=REGION), REGION)
    for family in (endpoints, groups, paths):
        for _ in family.build_cases(region):
            pass  # the answers are not needed
    StrictEc2(ACCOUNT, REGION).attach(region.ec2)
    return region.ec2


def _get_command(verdict: Verdict) -> str:
    assert verdict.remediation is not None
    assert verdict.remediation.verified
    return verdict.remediation.command


def test_proven_commands_resolve_their_findings_and_open_none(ec2: Any) -> None:
    """Every tenth command of all networks."""
    document = load_baseline(BENCHMARKS / "peers" / "baseline.yaml")
    number = 0
    for vpc in sorted(each["VpcId"] for each in ec2.describe_vpcs()["Vpcs"]):
        scope = Scope(ACCOUNT, REGION, vpc)
        snapshot = read_network(ec2, scope)
        baseline = resolve_baseline(document, scope, snapshot.vpc.tags)
        context, verdicts = evaluate(snapshot, baseline)
        before = select_bad(verdicts)
        proven = sorted(prove(context, verdicts), key=_get_command)
        for command, group in groupby(proven, key=_get_command):
            number += 1
            if number % STEP:
                continue
            given = list(group)
            with restored(ACCOUNT, REGION):
                run_command(ec2, command, REGION)
                _, after = evaluate(read_network(ec2, scope), baseline)
            left = select_bad(after)
            unresolved = {(each.rule, each.resource) for each in given} & left.keys()
            assert not unresolved, command
            most = max(each.severity.rank for each in given)
            opened = {key for key in left if key not in before and left[key].severity.rank <= most}
            assert not opened, command
    assert number >= STEP
