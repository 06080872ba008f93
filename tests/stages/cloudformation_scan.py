"""Makes templates in moto and scans what was made, for the tests of plans of CloudFormation."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
from moto import mock_aws
from samtranslator.yaml_helper import yaml_parse

from posture.baseline.document import BaselineDocument
from posture.ec2.observer import Observer
from posture.model.scope import Region, Scope
from posture.model.verdict import Status, Verdict
from posture_cli.comparison.compare import Comparison, ScopeSnapshot, compare_snapshots
from posture_cli.embedded.environment import isolate_environment
from posture_cli.embedded.moto_patches import EndpointPatches, patch_moto
from sample_network import NOW, REGION
from template_maker import MadeStack, TemplateMaker

ACCOUNT = "123456789012"  # moto's
BASELINE = BaselineDocument()


@contextmanager
def serve_region() -> Iterator[Any]:
    """Serve a region without any VPC; yield a client."""
    with isolate_environment(REGION), mock_aws():
        patch_moto()
        client: Any = boto3.client("ec2", region_name=REGION)
        for subnet in client.describe_subnets()["Subnets"]:
            client.delete_subnet(SubnetId=subnet["SubnetId"])
        for default in client.describe_vpcs()["Vpcs"]:
            client.delete_vpc(VpcId=default["VpcId"])
        EndpointPatches(ACCOUNT, REGION).attach(client)
        client.meta.events.register(
            "before-call.ec2.DescribeVpcEndpointConnections", _answer_nothing
        )
        yield client


def _answer_nothing(**_: Any) -> tuple[Any, dict[str, list[Any]]]:
    """Answer in place of moto, which cannot list connections."""
    return SimpleNamespace(status_code=200), {"VpcEndpointConnections": []}


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
