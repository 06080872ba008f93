"""What a plan predicts is what a scan finds after the same resources were made.

The plans were made by Terraform against an emulated EC2, and so were the resources, which were then
recorded (`tests/stages/terraform_stage.py` does it again). Each plan is read without credentials,
and once more over the recorded network as it was before.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from posture.baseline.document import BaselineDocument
from posture.model.verdict import Status, Verdict
from posture.remedies.effect import GOOD, VerdictKey, select_worst
from posture_cli.baseline_file import load_baseline
from posture_cli.comparison.compare import Comparison, compare_snapshots
from posture_cli.plan.catalogue import build_catalogue
from posture_cli.plan.outcome import compare_plan, observe
from posture_cli.plan.terraform import plan_terraform
from posture_cli.plan.terraform_ids import DEFAULT_SUFFIXES, find_own_kind, make_id
from posture_cli.plan.terraform_plan import parse_terraform_plan
from posture_cli.recorded.load import load_regions
from posture_cli.recorded.region import RecordedRegion
from terraform_stage import CORPUS, NOW, REGION, SERVICES, TerraformUnavailableError, run_case

CASES = sorted(each.parent.name for each in CORPUS.glob("*/applied.json"))
CHANGES = [each for each in CASES if (CORPUS / each / "before.tf").exists()]
CONFIGURATIONS = "DescribeVpcEndpointServiceConfigurations"

# The rules that stay undecided for a resource, because the plan leaves something open.
# The default network ACL of a VPC that exists is not in the plan.
BY_ACL = {"gateway-endpoint-blocked-by-network-acl", "endpoint-unreachable-from-subnet"}
BY_LIST = {"subnet-without-gateway-endpoint-route"}  # a list or an index may be a part
BY_MAP = {
    *BY_LIST,
    "endpoint-policy-allows-full-access",
    "endpoint-policy-allows-unlisted-action",
    "endpoint-policy-allows-untrusted-principal",
    "endpoint-policy-allows-untrusted-resource",
    "endpoint-policy-blocks-required-service",
    "endpoint-single-availability-zone",
    "gateway-service-bypasses-endpoint",
}
UNDECIDED: Mapping[str, set[str]] = {
    "for_each_subnets": BY_LIST,
    "one_table_of_several": BY_LIST,
    # One map holds all endpoints, and a local value hides which part is whose.
    "module_with_endpoints": BY_MAP,
    "change_adds_nat_gateway": BY_ACL,
    "change_destroys_endpoint": {"gateway-endpoint-blocked-by-network-acl"},
    "change_moves_an_association": BY_ACL,
    "change_opens_a_policy": BY_ACL,
    "change_replaces_a_rule": {"endpoint-unreachable-from-subnet"},
    "change_replaces_an_endpoint": BY_ACL,
    "change_takes_a_gateway_route": BY_ACL,
}


@cache
def load_document() -> BaselineDocument:
    """Load the built-in baseline."""
    return load_baseline(None)


@cache
def load_case(name: str) -> tuple[Any, Mapping[str, Mapping[str, str]]]:
    """Load the plan of a case, and the ids that its resources got."""
    folder = CORPUS / name
    return json.loads((folder / "plan.json").read_text()), json.loads(
        (folder / "ids.json").read_text()
    )


def load_recorded(path: Path) -> RecordedRegion:
    """Load a recorded Region."""
    (region,) = load_regions(path)
    return add_services(region)


def add_services(region: RecordedRegion) -> RecordedRegion:
    """Add the services of a real Region: those of the emulator are invented."""
    own = [
        {
            "ServiceName": row["ServiceName"],
            "Owner": region.account,
            "ServiceType": [{"ServiceType": "Interface"}],
        }
        for row in region.rows[CONFIGURATIONS]
    ]
    listed = [*build_catalogue(REGION)[SERVICES], *own]
    return replace(region, rows={**region.rows, SERVICES: listed})


def predict(document: Any, *, base: RecordedRegion | None = None) -> Comparison:
    """Compare what a plan starts from and leads to."""
    plan = parse_terraform_plan(document, "plan.json")
    changes = plan_terraform(
        plan,
        "plan.json",
        observed_at=NOW,
        bases=[base] if base else (),
        account="123456789012",
    )
    return compare_plan(changes, load_document())


def list_symbols(ids: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Return the id that each symbol got."""
    found: dict[str, str] = {}
    for address, known in ids.items():
        type_ = next(it for it in address.split(".") if it.startswith("aws_")).partition("[")[0]
        if kind := find_own_kind("managed", type_):
            found[make_id(kind, address)] = known["id"]
        if kind == "vpc":
            for name, (default, suffix) in DEFAULT_SUFFIXES.items():
                if name in known:
                    found[make_id(default, f"{address}-{suffix}")] = known[name]
    return found


def compare_to_scan(
    predicted: Comparison, applied: RecordedRegion, ids: Mapping[str, Mapping[str, str]]
) -> set[str]:
    """Compare predicted verdicts with those of a scan; return the rules that stay undecided."""
    symbols = list_symbols(ids)
    scanned = compare_snapshots([], list(observe(applied)), load_document())
    actual = {each.scope.subject: select_worst(each.verdicts) for each in scanned.scopes}
    undecided: set[str] = set()
    for scope in predicted.scopes:
        subject = symbols.get(scope.scope.subject, scope.scope.subject)
        expected = select_worst(rename(scope.verdicts, symbols))
        found = actual.get(subject, {})
        assert bool(found) is bool(expected), f"{subject}: predicted and not made, or the reverse"
        undecided |= compare_verdicts(expected, found)
    return undecided


def rename(verdicts: Iterable[Verdict], symbols: Mapping[str, str]) -> list[Verdict]:
    """Replace symbols by the ids that they got."""
    return [replace(each, resource=symbols.get(each.resource, each.resource)) for each in verdicts]


def compare_verdicts(
    expected: Mapping[VerdictKey, Verdict], found: Mapping[VerdictKey, Verdict]
) -> set[str]:
    """Compare verdicts; return the rules of those that are undecided."""
    undecided: set[str] = set()
    differing = []
    for key in expected.keys() | found.keys():
        one, other = expected.get(key), found.get(key)
        if one and one.status is Status.UNKNOWN and not (other and other.status is Status.UNKNOWN):
            undecided.add(key[0])
        elif classify(one) != classify(other):
            differing.append((key, one and one.summary, other and other.summary))
    assert not differing
    return undecided


def classify(verdict: Verdict | None) -> tuple[str, str]:
    """Return what a prediction and a scan must agree on."""
    if verdict is None or verdict.status in GOOD:
        return "good", ""
    return verdict.status, verdict.severity


@pytest.mark.parametrize("name", CASES)
def test_a_plan_alone_predicts_the_scan(name: str) -> None:
    """Without credentials, only what the plan leaves open is undecided."""
    document, ids = load_case(name)

    undecided = compare_to_scan(
        predict(document), load_recorded(CORPUS / name / "applied.json"), ids
    )

    assert undecided == UNDECIDED.get(name, set())


@pytest.mark.parametrize("name", CHANGES)
def test_a_plan_over_the_network_predicts_the_scan(name: str) -> None:
    """Over the network as it was, nothing is undecided."""
    document, ids = load_case(name)
    base = load_recorded(CORPUS / name / "base.json")

    predicted = predict(document, base=base)

    assert not compare_to_scan(predicted, load_recorded(CORPUS / name / "applied.json"), ids)


@pytest.mark.parametrize("name", ["missing_gateway_route"])
def test_terraform_makes_the_recorded_plan_again(name: str) -> None:
    """The live half: the same configuration, planned and applied now, is predicted as well."""
    try:
        run = run_case(CORPUS / name)
    except TerraformUnavailableError as error:
        pytest.skip(str(error))

    undecided = compare_to_scan(predict(run.plan), add_services(run.applied), run.ids)

    assert undecided == UNDECIDED.get(name, set())
