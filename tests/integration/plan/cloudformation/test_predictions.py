"""What a plan predicts equals a scan after the same resources were made.

The resources are made in moto by plain API calls (`template_maker`), which share no code with the
plan. The prediction is made without credentials: its catalogue is the one that is built in.
"""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws
from samtranslator.yaml_helper import yaml_parse

from posture.baseline.document import BaselineDocument
from posture.ec2.observer import Observer
from posture.model.scope import Region, Scope
from posture.model.verdict import Status, Verdict
from posture_cli.comparison.compare import Comparison, ScopeSnapshot, compare_snapshots
from posture_cli.embedded.environment import isolate_environment
from posture_cli.embedded.moto_patches import EndpointPatches, patch_moto
from posture_cli.plan.cloudformation import PlanSettings, plan_cloudformation
from posture_cli.plan.cloudformation_sources import read_sources
from posture_cli.plan.outcome import compare_plan
from sample_network import NOW, REGION
from template_maker import MadeStack, TemplateMaker

ACCOUNT = "123456789012"  # moto's
CORPUS = Path(__file__).parent / "corpus"
TEMPLATES = sorted(path.name for path in CORPUS.iterdir() if path.is_file())
APPS = sorted(path.name for path in (CORPUS / "cdk").iterdir())
BASELINE = BaselineDocument()


@pytest.fixture(scope="module")
def ec2() -> Iterator[Any]:
    """Serve a region without any VPC."""
    with isolate_environment(REGION), mock_aws():
        patch_moto()
        client = boto3.client("ec2", region_name=REGION)
        for default in client.describe_vpcs()["Vpcs"]:
            for subnet in client.describe_subnets()["Subnets"]:
                client.delete_subnet(SubnetId=subnet["SubnetId"])
            client.delete_vpc(VpcId=default["VpcId"])
        EndpointPatches(ACCOUNT, REGION).attach(client)
        none: dict[str, list[Any]] = {"VpcEndpointConnections": []}  # moto cannot list them
        nothing: Any = lambda **_: (SimpleNamespace(status_code=200), none)  # noqa: E731
        client.meta.events.register(
            "before-call.ec2.DescribeVpcEndpointConnections",
            nothing,
        )
        yield client


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


def list_verdicts(comparison: Comparison) -> list[Verdict]:
    """List the verdicts of all scopes."""
    return [verdict for scope in comparison.scopes for verdict in scope.verdicts]


def make(ec2: Any, path: Path) -> TemplateMaker:
    """Make the resources of a template or of the stacks of an app."""
    maker = TemplateMaker(ec2, ACCOUNT)
    for template, name, nested in load(path):
        prefix = f"{name}." if path.is_dir() and len(list(load(path))) > 1 else ""
        maker.stacks.append(MadeStack(maker, template, name, prefix, nested=nested))
    maker.make_all()
    return maker


def load(path: Path) -> Iterator[tuple[dict[str, Any], str, dict[str, Any]]]:
    """Load templates with the names of their stacks and their nested templates."""
    if path.is_file():
        template = unroll(yaml_parse(path.read_text(encoding="utf-8")))
        urls = {
            name: body["Properties"]["TemplateURL"]
            for name, body in template["Resources"].items()
            if body["Type"] == "AWS::CloudFormation::Stack"
        }
        nested = {
            name: yaml_parse((path.parent / url).read_text(encoding="utf-8"))
            for name, url in urls.items()
        }
        yield template, "stack", nested
        return
    manifest = json.loads((path / "manifest.json").read_text(encoding="utf-8"))
    for name, artifact in manifest["artifacts"].items():
        file = path / artifact["properties"]["templateFile"]
        template = json.loads(file.read_text(encoding="utf-8"))
        assets = [json.loads(each.read_text("utf-8")) for each in path.glob("*.assets.json")]
        files = {key: it["source"]["path"] for each in assets for key, it in each["files"].items()}
        nested = {
            resource: json.loads((path / own).read_text(encoding="utf-8"))
            for resource, body in template["Resources"].items()
            if body["Type"] == "AWS::CloudFormation::Stack"
            for key, own in files.items()
            if key in json.dumps(body)
        }
        yield template, name, nested


def unroll(template: dict[str, Any]) -> dict[str, Any]:
    """Unroll the loop of `for-each.yaml`, as CloudFormation does."""
    for key in [each for each in template["Resources"] if each.startswith("Fn::ForEach")]:
        identifier, collection, body = template["Resources"].pop(key)
        for item in template["Parameters"][collection["Ref"]]["Default"].split(","):
            text = json.dumps(body).replace(f"&{{{identifier}}}", item.replace(".", ""))
            template["Resources"] |= json.loads(text.replace(f"${{{identifier}}}", item))
    return template


def scan(ec2: Any, maker: TemplateMaker) -> list[Verdict]:
    """Scan what was made, by the observer that reads EC2."""
    observer = Observer(ec2, Region(ACCOUNT, REGION), now=lambda: NOW)
    made = set(maker.symbols.values())
    vpcs = [
        observer.collect_vpc(Scope(ACCOUNT, REGION, each))
        for each in sorted(made)
        if each.startswith("vpc-")
    ]
    listed = observer.collect_services().services
    services = [each for service, each in listed.items() if service in made]
    found: list[ScopeSnapshot] = [*filter(None, vpcs), *services]
    return list_verdicts(compare_snapshots((), found, BASELINE))


def describe(verdicts: Sequence[Verdict], names: dict[str, str]) -> set[tuple[str, ...]]:
    """Describe verdicts, with symbols for the ids that moto chose.

    The words of a summary are sorted, as ids are listed in their order.
    """
    pattern = re.compile("|".join(map(re.escape, names)) or "$^")
    found: set[tuple[str, ...]] = set()
    for it in verdicts:
        if it.status is not Status.NOT_APPLICABLE:
            resource, summary = (
                pattern.sub(lambda match: names[match[0]], text)
                for text in (it.resource, it.summary)
            )
            words = " ".join(sorted(re.split(r"[ ,;]+", summary)))
            found.add((it.rule, resource, str(it.status), str(it.severity), words))
    return found
