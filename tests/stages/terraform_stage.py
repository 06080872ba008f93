"""Runs the real Terraform against an emulated EC2, and records its plans and what they made.

Run as a program, it makes the corpus of `tests/integration/plan/terraform` anew:

    python tests/stages/terraform_stage.py [CASE…]

It needs `terraform` and, where its registry is not reached, a mirror of the provider hashicorp/aws
that Terraform's own CLI configuration names.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import boto3
import requests
from moto.ec2.models.vpcs import VPCBackend

from posture.ec2.dns_attributes import UNLIMITED, DnsCache
from posture.ec2.observer import Observer
from posture.model.scope import Region
from posture_cli.embedded.cloudtrail import PARAMETERS
from posture_cli.embedded.moto_patches import EndpointPatches, patch_moto, use_numbered_ids
from posture_cli.embedded.server import serve
from posture_cli.recorded.recorder import Recorder
from posture_cli.recorded.region import RecordedRegion
from posture_cli.recorded.snapshot_file import dump_snapshot

FOLDER = Path(__file__).parents[1] / "integration/plan/terraform"
CORPUS = FOLDER / "corpus"
ACCOUNT, REGION = "123456789012", "eu-west-1"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
TIMEOUT = 300  # seconds for one run of Terraform
PROVIDER = """
terraform {{
  required_providers {{
    aws = {{ source = "hashicorp/aws" }}
  }}
}}

provider "aws" {{
  region                      = "{region}"
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  max_retries                 = 1

  endpoints {{
    ec2   = "{url}"
    elbv2 = "{url}"
    iam   = "{url}"
    sts   = "{url}"
  }}
}}
"""
# What the reader of a plan does not need, so that the corpus stays small.
LEFT_OUT = {"planned_values", "output_changes", "timestamp", "checks"}
LEFT_OUT_OF_CHANGES = {"before_sensitive", "after_sensitive", "before_identity", "after_identity"}
SERVICES = "DescribeVpcEndpointServices"


@dataclass(frozen=True, slots=True)
class Run:
    """What Terraform planned and made.

    `ids` holds the attributes that are ids, by address, of what was made.
    """

    plan: Mapping[str, Any]
    base: RecordedRegion | None
    applied: RecordedRegion
    ids: Mapping[str, Mapping[str, str]]


class TerraformUnavailableError(Exception):
    """Terraform or its provider is not installed; the message is a sentence for people."""


def run_case(case: Path) -> Run:
    """Apply `before.tf` of a case if there is one, plan its `main.tf`, and apply that.

    Raises:
        TerraformUnavailableError: Terraform or its provider is not there.
    """
    with _emulate() as url, TemporaryDirectory() as temporary:
        root = Path(temporary)
        shutil.copytree(FOLDER / "modules", root / "modules")
        work = root / "corpus" / case.name
        work.mkdir(parents=True)
        (work / "provider.tf").write_text(PROVIDER.format(region=REGION, url=url))
        before = case / "before.tf"
        base = None
        if before.exists():
            shutil.copy(before, work / "main.tf")
            initialise(work)
            _run(work, "apply", "-auto-approve", "-input=false", "-no-color")
            base = _record(url)
        shutil.copy(case / "main.tf", work / "main.tf")
        initialise(work)
        _run(work, "plan", "-input=false", "-no-color", "-out=saved")
        plan = json.loads(_run(work, "show", "-json", "saved"))
        _run(work, "apply", "-input=false", "-no-color", "saved")
        state = json.loads(_run(work, "show", "-json"))
        return Run(_shorten(plan), base, _record(url), dict(_list_ids(state)))


@contextmanager
def _emulate() -> Iterator[str]:
    """Serve an emulated EC2 that does what EC2 does with endpoints."""
    patch_moto()
    create, modify = VPCBackend.create_vpc_endpoint, VPCBackend.modify_vpc_endpoint

    def create_completed(self: Any, *args: Any, **options: Any) -> Any:
        made = create(self, *args, **options)
        asked = {"PrivateDnsEnabled": made.private_dns_enabled}
        if made.vpc_endpoint_type != "Interface":
            asked = {}
        answer = {"VpcEndpoint": {"VpcEndpointId": made.id}}
        _patches()._created(answer, {PARAMETERS: asked})
        return made

    def modify_completed(self: Any, **options: Any) -> None:
        modify(self, **options)
        asked = {
            "VpcEndpointId": options["vpc_id"],
            "AddRouteTableIds": options["add_route_tables"] or [],
            "RemoveRouteTableIds": options["remove_route_tables"] or [],
        }
        _patches()._modified({}, {PARAMETERS: asked})

    with (
        patch.object(VPCBackend, "create_vpc_endpoint", create_completed),
        patch.object(VPCBackend, "modify_vpc_endpoint", modify_completed),
        use_numbered_ids(),
        serve() as url,
    ):
        requests.post(f"{url}/moto-api/reset", timeout=30)
        yield url


def _patches() -> EndpointPatches:
    return EndpointPatches(ACCOUNT, REGION)


def initialise(work: Path) -> None:
    """Initialise a folder.

    Raises:
        TerraformUnavailableError: Terraform or its provider is missing.
    """
    if shutil.which("terraform") is None:
        raise TerraformUnavailableError("terraform is not installed")
    done = start_terraform(work, "init", "-input=false", "-no-color")
    if done.returncode:
        reason = " ".join(done.stderr.split())[:300]
        raise TerraformUnavailableError(f"terraform init finds no provider hashicorp/aws: {reason}")


def _run(work: Path, *arguments: str) -> str:
    done = start_terraform(work, *arguments)
    if done.returncode:
        raise RuntimeError(f"terraform {arguments[0]} of {work.name}: {done.stderr}")
    return done.stdout


def start_terraform(work: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Terraform in a folder."""
    # A run is short, and its schemas are large: Go's collector would take a fifth of its time.
    shell = {**os.environ, "CHECKPOINT_DISABLE": "1", "GOGC": "800"}
    return subprocess.run(  # noqa: S603 - fixed arguments
        ["terraform", *arguments],  # noqa: S607 - as installed
        cwd=work,
        env=shell,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )


def _record(url: str) -> RecordedRegion:
    """Record the emulated Region, without the services, which moto invents."""
    ec2 = boto3.client(
        "ec2",
        region_name=REGION,
        endpoint_url=url,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    # moto has no connections of endpoint services, and none were made.
    none: Any = SimpleNamespace(status_code=200), {"VpcEndpointConnections": []}
    events: Any = ec2.meta.events
    events.register("before-call.ec2.DescribeVpcEndpointConnections", lambda **_: none)
    recorder = Recorder(ec2)
    observer = Observer(ec2, Region(ACCOUNT, REGION), now=lambda: NOW)
    list(observer.collect_region(DnsCache(budget=UNLIMITED)))
    observer.collect_services()
    return recorder.build_region(observer.region, NOW)


def _shorten(plan: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what the reader of plans does not need."""
    short = {name: each for name, each in plan.items() if name not in LEFT_OUT}
    for entry in short["resource_changes"]:
        change = entry["change"]
        entry["change"] = {
            name: each for name, each in change.items() if name not in LEFT_OUT_OF_CHANGES
        }
    for provider in short["configuration"]["provider_config"].values():
        region = provider.get("expressions", {}).get("region")
        provider["expressions"] = {"region": region} if region else {}
    return short


def _list_ids(state: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, str]]]:
    modules = [state.get("values", {}).get("root_module", {})]
    while modules:
        module = modules.pop()
        modules += module.get("child_modules", ())
        for each in module.get("resources", ()):
            known = {
                name: value
                for name, value in each["values"].items()
                if isinstance(value, str) and (name == "id" or name.endswith("_id"))
            }
            if each["mode"] == "managed":
                yield each["address"], known


def save_run(case: Path, run: Run) -> None:
    """Save a run as files of the corpus."""
    _save(case / "plan.json", run.plan)
    _save(case / "ids.json", run.ids)
    for name, region in (("base", run.base), ("applied", run.applied)):
        if region is not None:
            document = json.loads(dump_snapshot([region]))
            for each in document["regions"]:
                each["rows"].pop(SERVICES, None)
            _save(case / f"{name}.json", document)


def _save(file: Path, document: Any) -> None:
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    file.write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    for name in sys.argv[1:] or sorted(each.name for each in CORPUS.iterdir() if each.is_dir()):
        save_run(CORPUS / name, run_case(CORPUS / name))
        sys.stdout.write(f"{name}\n")
        sys.stdout.flush()
