"""Unused default VPCs are reported once, and subnets without workloads not at all."""

from dataclasses import replace

import pytest

from network_builders import (
    S3,
    VPC,
    build_snapshot,
    gateway,
    interface,
    route,
    service,
    statuses,
    subnet,
    table,
    verdicts,
)
from posture.analysis.coverage import Analysis
from posture.model.baseline import Baseline
from posture.model.network import EndpointType, Snapshot, Vpc
from posture.model.verdict import Severity, Status
from posture.rules.engine import evaluate_vpc

UNUSED = "default-vpc-unused"
BYPASS = "gateway-service-bypasses-endpoint"
REQUIRED = Baseline(required_services=("kms", "s3"))
DEFAULT = replace(VPC, default=True, has_interfaces=False)


def build(vpc: Vpc, *parts: object) -> Snapshot:
    """Build a VPC as AWS creates default ones: public subnets and no endpoint."""
    return build_snapshot(
        subnet("a"),
        subnet("b"),
        table("main", route("0.0.0.0/0", "igw-1"), main=True),
        *parts,
        vpc=vpc,
    )


def failures(snapshot: Snapshot, baseline: Baseline = REQUIRED) -> list[tuple[str, Severity]]:
    """List the rules that fail or are unknown, with their severities."""
    found = evaluate_vpc(snapshot, baseline)
    bad = (each for each in found if each.status in {Status.FAIL, Status.UNKNOWN})
    return [(each.rule, each.severity) for each in bad]


def test_an_unused_default_vpc_is_one_finding_of_low_severity() -> None:
    """Its findings would be the same in every Region, and affect no workload."""
    assert failures(build(DEFAULT)) == [(UNUSED, Severity.LOW)]


def test_findings_of_an_unused_default_vpc_no_longer_apply() -> None:
    """The lifecycle resolves them with that reason, not as if their resources were gone."""
    snapshot = build(DEFAULT)
    assert statuses(BYPASS, snapshot, REQUIRED) == {
        "subnet-a": Status.NOT_APPLICABLE,
        "subnet-b": Status.NOT_APPLICABLE,
    }
    assert "nothing uses" in verdicts(BYPASS, snapshot, REQUIRED)["subnet-a"].summary


@pytest.mark.parametrize(
    ("vpc", "parts", "status"),
    [
        (replace(DEFAULT, has_interfaces=True), (), Status.PASS),
        (replace(DEFAULT, has_interfaces=None), (), Status.UNKNOWN),
        (replace(DEFAULT, has_interfaces=None), (gateway("1"),), Status.PASS),
    ],
    ids=["a network interface", "interfaces that cannot be read", "an endpoint"],
)
def test_a_default_vpc_that_may_be_used_is_evaluated(
    vpc: Vpc, parts: tuple[object, ...], status: Status
) -> None:
    """What was not read is not claimed: only a VPC that certainly is unused is left out."""
    snapshot = build(vpc, *parts)
    assert statuses(UNUSED, snapshot, REQUIRED) == {"vpc-1": status}
    assert set(statuses(BYPASS, snapshot, REQUIRED).values()) == {Status.FAIL}


def test_the_baseline_can_have_unused_default_vpcs_evaluated() -> None:
    """Then all rules evaluate them, and there is no finding that stands for the others."""
    baseline = replace(REQUIRED, evaluate_unused_default_vpcs=True)
    rules = {rule for rule, _ in failures(build(DEFAULT), baseline)}
    assert BYPASS in rules
    assert UNUSED not in rules


def test_another_vpc_is_evaluated_even_without_interfaces() -> None:
    """It was created for a purpose."""
    snapshot = build(replace(VPC, has_interfaces=None))
    assert statuses(UNUSED, snapshot, REQUIRED) == {}
    assert set(statuses(BYPASS, snapshot, REQUIRED).values()) == {Status.FAIL}


@pytest.mark.parametrize(
    ("tags", "status"),
    [
        ({"tier": "firewall"}, Status.NOT_APPLICABLE),
        ({"tier": "app"}, Status.FAIL),
        ({}, Status.FAIL),
    ],
)
def test_infrastructure_subnets_are_not_evaluated(tags: dict[str, str], status: Status) -> None:
    """The baseline names them by their tags; the other subnets of the VPC are evaluated."""
    baseline = Baseline(infrastructure_subnets={"tier": frozenset({"firewall", "transit"})})
    snapshot = build(VPC, replace(subnet("c"), tags=tags))
    found = statuses(BYPASS, snapshot, baseline)
    assert found == {"subnet-a": Status.FAIL, "subnet-b": Status.FAIL, "subnet-c": status}
    assert "subnet-c" in {each.id for each in Analysis(snapshot).subnets}


def test_a_gateway_endpoint_of_infrastructure_subnets_is_used() -> None:
    """The selector leaves out findings about subnets, not facts about route tables."""
    baseline = Baseline(infrastructure_subnets={"tier": frozenset({"*"})})
    snapshot = build_snapshot(
        service(S3, EndpointType.GATEWAY),
        replace(subnet("a"), tags={"tier": "transit"}),
        table("main", main=True),
        gateway("1", tables=["main"]),
        interface("2"),
    )
    assert statuses("gateway-endpoint-unused", snapshot, baseline) == {"vpce-1": Status.PASS}
