"""What a plan predicts equals a scan after the same resources were made.

The resources are made in moto by plain API calls (`template_maker`), which share no code with the
plan. The prediction is made without credentials: its catalogue is the one that is built in.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudformation_scan import (
    ACCOUNT,
    BASELINE,
    describe,
    list_verdicts,
    make,
    scan,
    serve_region,
)
from posture.model.verdict import Verdict
from posture_cli.plan.catalogue import build_catalogue
from posture_cli.plan.cloudformation import PlanSettings, plan_cloudformation
from posture_cli.plan.cloudformation_sources import read_sources
from posture_cli.plan.outcome import compare_plan
from sample_network import NOW, REGION

CORPUS = Path(__file__).parent / "corpus"
TEMPLATES = sorted(path.name for path in CORPUS.iterdir() if path.is_file())
APPS = sorted(path.name for path in (CORPUS / "cdk").iterdir())


@pytest.fixture(scope="module")
def ec2() -> Iterator[Any]:
    """Serve a region without any VPC."""
    with serve_region() as client:
        yield client


def test_built_in_catalogue_lists_what_ec2_lists(ec2: Any) -> None:
    """The services that a plan knows without credentials are those of the emulated Region."""
    pages = ec2.get_paginator("describe_vpc_endpoint_services").paginate()
    listed = {each["ServiceName"] for page in pages for each in page["ServiceDetails"]}
    known = {row["ServiceName"] for row in build_catalogue(REGION)["DescribeVpcEndpointServices"]}
    own = {name for name in listed if ".vpce." in name}
    assert known == listed - own


@pytest.mark.parametrize("name", TEMPLATES)
def test_template_alone(ec2: Any, name: str) -> None:
    """A template alone predicts what a scan finds once it is deployed."""
    assert_predicted(ec2, CORPUS / name)


def test_nested_templates(ec2: Any) -> None:
    """A template with nested ones predicts it as well."""
    assert_predicted(ec2, CORPUS / "nested" / "root.yaml")


@pytest.mark.parametrize("name", APPS)
def test_cdk_app(ec2: Any, name: str) -> None:
    """The synthesised output of an app predicts it, all stacks together."""
    assert_predicted(ec2, CORPUS / "cdk" / name)


def assert_predicted(ec2: Any, path: Path) -> None:
    """Assert that the predicted verdicts are those of a scan."""
    predicted = predict(path)
    maker = make(ec2, path)
    names = {real: symbol for symbol, real in maker.symbols.items()}
    scanned = scan(ec2, maker)
    zones = {real: symbol for real, symbol in names.items() if real.startswith(REGION)}
    assert describe(predicted, zones) == describe(scanned, names)


def predict(path: Path) -> list[Verdict]:
    """Predict the verdicts on what a template creates."""
    settings = PlanSettings(NOW, region=REGION, account=ACCOUNT)
    comparison = compare_plan(plan_cloudformation(read_sources(path), settings), BASELINE)
    return list_verdicts(comparison)
