"""Snapshot files: what is written is read back, and a bad file is an error that names the place."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from posture_cli.failure import CommandError
from posture_cli.recorded.load import load_regions
from posture_cli.recorded.region import MissingRows, RecordedRegion
from posture_cli.recorded.snapshot_file import dump_snapshot

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
RECORDED = RecordedRegion(
    account="111122223333",
    region="eu-west-1",
    observed_at=NOW,
    rows={
        "DescribeVpcEndpoints": [
            {
                "VpcEndpointId": "vpce-1",
                "VpcId": "vpc-1",
                "PrivateDnsEnabled": True,
                "CreationTimestamp": NOW,
                "SubnetIds": ["subnet-1"],
            }
        ],
        "DescribeVpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}],
    },
    missing=(MissingRows("DescribeSubnets", "denied", code="UnauthorizedOperation"),),
)


def write(tmp_path: Path, text: str | bytes) -> Path:
    """Write a file."""
    path = tmp_path / "network.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def fail(path: Path, **options: Any) -> str:
    """Return the error of a file, without its own name."""
    with pytest.raises(CommandError) as error:
        load_regions(path, **options)
    text = str(error.value)
    assert text.startswith(str(path))
    return text.removeprefix(f"{path}: ")


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    """Times included."""
    other = RecordedRegion("111122223333", "us-east-1", NOW, {})
    path = write(tmp_path, dump_snapshot([RECORDED, other]))
    assert load_regions(path) == (RECORDED, other)
    assert load_regions(path, regions=["eu-west-1"]) == (RECORDED,)


def test_members_that_are_not_known_yet_are_kept(tmp_path: Path) -> None:
    """EC2's API grows; null means nothing."""
    document = json.loads(dump_snapshot([RECORDED]))
    document["regions"][0]["rows"]["DescribeVpcs"][0] |= {"New": {"a": 1}, "OwnerId": None}
    (found,) = load_regions(write(tmp_path, json.dumps(document)))
    assert found.rows["DescribeVpcs"][0]["New"] == {"a": 1}
    assert "OwnerId" not in found.rows["DescribeVpcs"][0]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_windows_writes_other_encodings(tmp_path: Path, encoding: str) -> None:
    """Such as PowerShell's redirection."""
    assert load_regions(write(tmp_path, dump_snapshot([RECORDED]).encode(encoding)))


def change(*path: Any, to: Any) -> Callable[[Any], None]:
    """Return a function that sets a value of a document."""

    def apply(document: Any) -> None:
        for each in path[:-1]:
            document = document[each]
        document[path[-1]] = to

    return apply


REGION: tuple[Any, ...] = ("regions", 0)
ENDPOINT: tuple[Any, ...] = (*REGION, "rows", "DescribeVpcEndpoints", 0)


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (change("version", to=2), "version: expected 1, found 2; save the snapshot again"),
        (change("version", to="1"), "version: expected 1, found '1'"),
        (change("version", to=True), "version: expected 1, found true"),
        (change("regions", to={}), "regions: expected a list, found an object"),
        (change("regions", to=[]), "regions: expected at least one Region, found none"),
        (change("regions", to=[1]), "regions[0]: expected an object, found 1"),
        (change(*REGION, "account", to="x"), "regions[0].account: expected 12 digits, found 'x'"),
        (change(*REGION, "region", to=1), "regions[0]: region: expected a string, found 1"),
        (change(*REGION, "observed_at", to="x"), "regions[0].observed_at: expected a time"),
        (
            change(*REGION, "observed_at", to="2026-11-23T12:00:00"),
            "regions[0].observed_at: expected a time with its zone",
        ),
        (change(*REGION, "rows", to=[]), "regions[0]: rows: expected an object, found a list"),
        (
            change(*REGION, "rows", "DescribeBuckets", to=[]),
            (
                "regions[0].rows: expected names of operations such as DescribeVpcs, "
                "found 'DescribeBuckets'"
            ),
        ),
        (
            change(*ENDPOINT, "PrivateDnsEnabled", to="yes"),
            (
                "regions[0].rows.DescribeVpcEndpoints[0].PrivateDnsEnabled: expected true or "
                "false, found 'yes'"
            ),
        ),
        (
            change(*ENDPOINT, "SubnetIds", to="subnet-1"),
            "regions[0].rows.DescribeVpcEndpoints[0].SubnetIds: expected a list, found 'subnet-1'",
        ),
        (
            change(*ENDPOINT, "CreationTimestamp", to="yesterday"),
            "regions[0].rows.DescribeVpcEndpoints[0].CreationTimestamp: expected a time",
        ),
        (
            change(*ENDPOINT, "VpcEndpointId", to=None),
            "regions[0].rows.DescribeVpcEndpoints[0].VpcEndpointId: expected an id, found none",
        ),
        (
            change(*REGION, "missing", 0, "operation", to="x"),
            "regions[0].missing[0].operation: expected the name of an operation",
        ),
    ],
)
def test_a_bad_value_is_named(tmp_path: Path, edit: Callable[[Any], None], expected: str) -> None:
    """With its place and what was expected."""
    document = json.loads(dump_snapshot([RECORDED]))
    edit(document)
    assert fail(write(tmp_path, json.dumps(document))).startswith(expected)


def test_a_truncated_file_is_named(tmp_path: Path) -> None:
    """With line and column."""
    text = dump_snapshot([RECORDED])
    assert fail(write(tmp_path, text[: len(text) // 2])).startswith("line ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "line 1, column 1: expected JSON"),
        ("[" * 100_000, "expected JSON; this is nested too deeply"),
        (b"\xff\xfe\xff", "expected JSON as text"),
        ("[]", "expected the output of an aws ec2 describe command, an object, found a list"),
        ("{}", "expected the output of an aws ec2 describe command, found an object with nothing"),
        ('{"planned_values": {}}', "expected a snapshot, found a Terraform plan"),
        ('{"Resources": {}}', "expected a snapshot, found a CloudFormation template"),
    ],
)
def test_another_file_is_named(tmp_path: Path, text: str | bytes, expected: str) -> None:
    """Whatever it is."""
    assert fail(write(tmp_path, text)).startswith(expected)


def test_a_region_that_the_file_does_not_hold_is_named(tmp_path: Path) -> None:
    """With those that it holds."""
    path = write(tmp_path, dump_snapshot([RECORDED]))
    expected = "expected us-east-1, found 111122223333 eu-west-1"
    assert fail(path, regions=["us-east-1"]) == expected
    assert fail(path, account="444455556666").startswith("expected 444455556666")
    twice = write(tmp_path, dump_snapshot([RECORDED, RECORDED]))
    assert fail(twice).startswith("regions: expected each Region once")
