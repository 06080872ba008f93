"""Updates of deployed stacks: laid over the network as it is, and judged by what they change."""

import json
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
from posture.ec2.observer import Observer
from posture.model.scope import Region, Scope
from posture_cli.comparison.compare import Comparison
from posture_cli.plan.cloudformation import PlanSettings
from posture_cli.plan.cloudformation_inputs import CloudFormationOptions, plan_sources
from posture_cli.plan.cloudformation_sources import read_sources
from posture_cli.plan.outcome import compare_plan
from posture_cli.recorded.recorder import Recorder
from posture_cli.recorded.region import RecordedRegion
from sample_network import NOW, REGION
from template_maker import TemplateMaker

UPDATES = Path(__file__).parent / "updates"
CASES = sorted(path.name for path in UPDATES.iterdir())
STACK_ID = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/network/1a2b"


@pytest.fixture
def ec2() -> Iterator[Any]:
    """Serve a region without any VPC."""
    with serve_region() as client:
        yield client


@pytest.mark.parametrize("name", CASES)
def test_update_over_the_network(ec2: Any, tmp_path: Path, name: str) -> None:
    """The verdicts after an update are those of a scan of what the new template makes."""
    deployed, new = UPDATES / name / "deployed.yaml", UPDATES / name / "new.yaml"
    maker = make(ec2, deployed)
    base = record(ec2)
    comparison = plan(new, base, write_resources(tmp_path, maker), deployed_template=deployed)
    names = {real: symbol for symbol, real in maker.symbols.items()}
    kept = {scope.scope for scope in comparison.scopes}
    for table in ec2.describe_route_tables()["RouteTables"]:
        ec2.create_tags(Resources=[table["RouteTableId"]], Tags=[{"Key": "Name", "Value": "was"}])
    made = make(ec2, new)
    after = {real: symbol for symbol, real in made.symbols.items()}
    assert kept
    assert describe(list_verdicts(comparison), names) == describe(scan(ec2, made), after)


def plan(new: Path, base: RecordedRegion | None, resources: Path, **options: Any) -> Comparison:
    """Plan an update of the stack."""
    settings = PlanSettings(NOW, bases=[base] if base else (), region=REGION, account=ACCOUNT)
    given = CloudFormationOptions(stack_resources=[resources], **options)
    return compare_plan(plan_sources(new, read_sources(new), settings, given), BASELINE)


def write_resources(folder: Path, maker: TemplateMaker) -> Path:
    """Write what describe-stack-resources returns for what was made."""
    (stack,) = maker.stacks
    rows = [
        {
            "StackName": "network",
            "StackId": STACK_ID,
            "LogicalResourceId": name,
            "PhysicalResourceId": physical,
            "ResourceType": stack.template["Resources"][name]["Type"],
            "ResourceStatus": "CREATE_COMPLETE",
        }
        for name, physical in stack.ids.items()
    ]
    path = folder / "resources.json"
    path.write_text(json.dumps({"StackResources": rows}), encoding="utf-8")
    return path


def record(ec2: Any) -> RecordedRegion:
    """Record the region as it is."""
    region = Region(ACCOUNT, REGION)
    observer, recorder = Observer(ec2, region, now=lambda: NOW), Recorder(ec2)
    for listed in observer.list_vpcs().vpcs.items:
        observer.collect_vpc(Scope(ACCOUNT, REGION, listed.id))
    observer.collect_services()
    return recorder.build_region(region, NOW)
