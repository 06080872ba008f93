"""Measure an organization whose spokes use the endpoints of one hub; prints one JSON object.

Run: `.venv/bin/python benchmarks/organization.py [SPOKES] [SERVICES] [worst]`. The snapshots of the
VPCs are given: `throughput.py` measures what it takes to read EC2.
CPU seconds do not depend on other work of the machine.
"""

import gc
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import boto3
from synthetic_aws import REGION, Json, SyntheticAws, count_calls
from synthetic_region import build_client
from throughput import measure, read_peak

import organization_builders
from organization_builders import HUB, HUB_TABLE, Organization, build_organization
from organization_stage import OrganizationStage
from posture.model.network import Snapshot
from posture.runtime.garbage import keep_loaded_objects

SECOND = timedelta(seconds=1)


def build_stage(spokes: int, services: int) -> tuple[OrganizationStage, SyntheticAws]:
    """Build the organization and empty tables."""
    names = {f"service{at}": (f"service{at}.{{region}}.amazonaws.com",) for at in range(services)}
    setattr(organization_builders, "NAMES", names)  # noqa: B010 - as many as asked for
    organization = build_organization(spokes=spokes, services=tuple(names), region=REGION)
    session = boto3.Session(region_name=REGION)
    aws = SyntheticAws(session, {}, {})
    stage = OrganizationStage(build_client(session, "dynamodb"), organization, create=False)
    gc.collect()
    keep_loaded_objects()  # as the functions do
    return stage, aws


def close_group(organization: Organization) -> Organization:
    """Let the group of the hub's endpoints admit no network: no spoke reaches any of them."""

    def close(hub: Snapshot) -> Snapshot:
        groups = {name: replace(each, ingress=()) for name, each in hub.security_groups.items()}
        return replace(hub, security_groups=groups)

    return organization.edit_vpc(HUB, close)


def fail_endpoint(organization: Organization) -> Organization:
    """Let one endpoint of the hub fail: each spoke loses one service."""
    endpoint = next(iter(organization.endpoints.values()))

    def fail(hub: Snapshot) -> Snapshot:
        failed = replace(endpoint, state="failed")
        return replace(hub, endpoints={**hub.endpoints, endpoint.id: failed})

    return organization.edit_vpc(HUB, fail)


def empty_zone(organization: Organization) -> Organization:
    """Remove the records of one zone."""
    zone = next(iter(organization.shared.zones.values()))
    return organization.edit_shared(zones={zone.id: replace(zone, records=())})


def drop_route(organization: Organization) -> Organization:
    """Remove the route back to one spoke."""
    table = organization.shared.tables[HUB_TABLE]
    routes = (table.routes or ())[:-1]
    return organization.edit_shared(tables={table.id: replace(table, routes=routes)})


class Meter:
    """Measures steps: CPU without that of the synthetic AWS, calls, what was evaluated."""

    def __init__(self, aws: SyntheticAws) -> None:
        self._aws = aws
        self.results: list[Json] = []

    def measure(self, name: str, act: Callable[[], int]) -> None:
        """Measure one step, which returns how many VPCs it evaluated."""
        self._aws.calls.clear()
        number, seconds = measure(self._aws, "step", act)
        self.results.append(
            {
                "step": name,
                "evaluated": number,
                "cpu": seconds["step_cpu"],
                "peak": read_peak(),
                **count_calls(self._aws.calls),
            }
        )


def evaluate_all(stage: OrganizationStage) -> int:
    """Evaluate all VPCs as a sweep does, unless they are as they were; the hub comes first."""
    stage.now += SECOND
    evaluator = stage.build_evaluator()
    snapshots = stage.organization.snapshots
    listed = sorted(snapshots, key=lambda name: name != HUB)
    observed = [
        evaluator.observe(replace(snapshots[name], observed_at=stage.now)) for name in listed
    ]
    same = evaluator.find_unchanged(observed)
    left = [each for each in observed if each.scope not in same]
    for each in left:
        evaluator.evaluate(each)
    return len(left)


def refresh(stage: OrganizationStage) -> int:
    """Evaluate the dependents of what changed; EC2 must not be asked."""
    result = stage.refresh()
    assert not result.failed_records, result.sweep_result.describe_missing()
    assert not stage.observer.read
    return len(result.sweep_result.results)


def survey(stage: OrganizationStage) -> int:
    """Store what the survey read."""
    stage.survey()
    return 0


def change_hub(stage: OrganizationStage) -> int:
    """Evaluate the hub after a change of it."""
    stage.evaluate(HUB)
    return 1


def main(spokes: str = "1000", services: str = "60", worst: str = "") -> None:
    """Measure and print."""
    stage, aws = build_stage(int(spokes), int(services))
    meter = Meter(aws)
    intact = stage.organization
    steps: list[tuple[str, Callable[[Organization], Organization] | None, Any]] = [
        ("the first survey is stored", None, survey),
        ("first sweep", None, evaluate_all),
        ("steady sweep", None, evaluate_all),
        ("one endpoint of the hub fails: the hub", fail_endpoint, change_hub),
        ("… its spokes", None, refresh),
        ("it works again: the hub", lambda _: intact, change_hub),
        ("… its spokes", None, refresh),
        ("one zone loses its record: the survey is stored", empty_zone, survey),
        ("… all that use the zone", None, refresh),
        ("the route back to one spoke is lost: the survey is stored", drop_route, survey),
        ("… the spoke and the hub", None, refresh),
    ]
    if worst:
        steps += [
            ("the group of all endpoints is closed: the hub", close_group, change_hub),
            ("… its spokes lose all services", None, refresh),
        ]
    for name, edit, act in steps:
        if edit:
            stage.organization = edit(stage.organization)
        meter.measure(name, partial(act, stage))
    print(json.dumps({"spokes": int(spokes), "services": int(services), "steps": meter.results}))


if __name__ == "__main__":
    main(*sys.argv[1:])
