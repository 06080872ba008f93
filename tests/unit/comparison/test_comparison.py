"""Comparisons of networks: what differs, what it is charged, and how it is written."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from network_builders import (
    ACCOUNT,
    NOW,
    REGION,
    build_snapshot,
    gateway,
    interface,
    nat,
    open_acl,
    route,
    subnet,
    table,
)
from posture.baseline.document import BaselineDocument
from posture.baseline.parse import parse_document
from posture.lifecycle import bounds
from posture.model.endpoint_service import EndpointServiceSnapshot
from posture.model.network import EndpointType, Facet, Snapshot
from posture.model.scope import Scope
from posture_cli.comparison.charges import compare_charges
from posture_cli.comparison.compare import Comparison, Kind, compare_snapshots
from posture_cli.comparison.records import list_worse_verdicts
from posture_cli.comparison.write import OUTPUTS, summarize, write_comparison
from posture_cli.options import Output

DOCUMENT = BaselineDocument()
NAMED = replace(subnet("a"), tags={"Name": "app|1"})
TABLE = table("private", route("pl-s3", "vpce-s3"), subnets=["a"])
BEFORE = build_snapshot(
    NAMED, TABLE, gateway("s3", tables=["private"]), open_acl("open", ["a"]), nat("1", "a")
)
LOST = replace(BEFORE, endpoints={}, route_tables={"rtb-private": table("private", subnets=["a"])})
CHEAPER = replace(BEFORE, nat_gateways={})
SERVICE = EndpointServiceSnapshot(
    Scope(ACCOUNT, REGION, "vpce-svc-1"), NOW, state="available", acceptance_required=True
)


def compare(before: Any = BEFORE, after: Any = LOST, **more: Any) -> Comparison:
    """Compare one network before and after."""
    first, last = ([each] if each else [] for each in (before, after))
    return compare_snapshots(first, last, more.pop("document", DOCUMENT), **more)


def write(capsys: pytest.CaptureFixture[str], comparison: Comparison, output: Output) -> str:
    """Return what is written to standard output."""
    write_comparison(comparison, output)
    return capsys.readouterr().out


def test_a_path_that_is_lost_is_worse_without_any_finding() -> None:
    """No rule needs an endpoint that nobody requires."""
    (found,) = compare().scopes
    assert (found.kind, found.is_worse) == (Kind.CHANGED, True)
    assert [each.service for each in found.effect.lost_cells] == ["com.amazonaws.eu-west-1.s3"]
    assert found.effect.opened == ()


def test_a_network_that_only_was_observed_later_is_unchanged() -> None:
    """It is counted, and not shown."""
    found = compare(after=replace(BEFORE, observed_at=NOW.replace(hour=13)))
    assert (found.scopes, found.unchanged, found.is_worse) == ((), 1, False)


def test_a_vpc_that_is_created_has_only_new_paths() -> None:
    """All its findings open."""
    (found,) = compare(before=None).scopes
    assert found.kind is Kind.CREATED
    assert found.effect.cells
    assert all(each.before is None for each in found.effect.cells)
    assert found.effect.lost_cells == ()


def test_a_vpc_that_is_deleted_has_no_findings() -> None:
    """All that it had are resolved, and its charges end."""
    (found,) = compare(after=None).scopes
    assert found.kind is Kind.DELETED
    assert found.effect.opened == ()
    assert all(each.after is None for each in found.effect.cells)
    assert (str(found.charges.before), str(found.charges.after)) == ("36.50", "0")


def test_endpoint_services_are_compared_by_their_rules() -> None:
    """They have no paths."""
    (found,) = compare(SERVICE, replace(SERVICE, acceptance_required=False)).scopes
    rules = [each.rule for each in found.effect.opened]
    assert rules == ["endpoint-service-acceptance-not-required"]
    assert found.effect.cells == ()


def test_an_exempt_vpc_is_named_and_not_compared() -> None:
    """As the baseline says."""
    override = {
        "name": "x",
        "match": {"accounts": [ACCOUNT]},
        "set": {"exempt": True, "exempt_reason": "because"},
    }
    found = compare(document=parse_document({"overrides": [override]}))
    assert (found.scopes, found.exempt) == ((), (BEFORE.scope,))


# --- charges -------------------------------------------------------------------------------------


def charge(*parts: Any, unreadable: dict[Facet, str] | None = None) -> Snapshot:
    """Build a network with nothing but what is charged."""
    return build_snapshot(*parts, unreadable=unreadable)


def test_charges_are_those_of_the_price_lists() -> None:
    """Two zones, a NAT gateway with its address, and one without; gateway endpoints are free."""
    parts = (interface("kms"), gateway("s3"), nat("1"), nat("2", public=False))
    found = compare_charges(charge(), charge(*parts))
    assert str(found.before) == "0"
    assert str(found.after) == "83.95"  # 2 × 7.30 + 36.50 + 32.85
    rows = [(new.resource, str(new.dollars)) for _, new in found.changed if new]
    assert rows == [("nat-1", "36.50"), ("nat-2", "32.85"), ("vpce-kms", "14.60")]
    assert found.prices == (
        "https://aws.amazon.com/vpc/pricing/",
        "https://aws.amazon.com/privatelink/pricing/",
    )


@pytest.mark.parametrize("state", ["deleted", "failed"])
def test_what_is_gone_is_not_charged(state: str) -> None:
    """EC2 lists it for a while."""
    gone = replace(nat("1"), state=state), replace(interface("kms"), state="deleting")
    assert str(compare_charges(charge(nat("1"), interface("kms")), charge(*gone)).after) == "0"


def test_what_was_not_read_is_no_zero() -> None:
    """The totals are unknown, and say why."""
    unread = charge(unreadable={Facet.NAT_GATEWAYS: "denied"})
    found = compare_charges(unread, unread)
    assert (found.before, found.after) == (None, None)
    assert found.unknown == ("DescribeNatGateways: denied",)


def test_a_price_that_is_not_known_is_named() -> None:
    """The totals leave it out."""
    resource = replace(interface("r"), type=EndpointType.RESOURCE)
    found = compare_charges(charge(), charge(resource, interface("kms")))
    assert str(found.after) == "14.60"
    assert found.unknown == ("vpce-r: the price of a Resource endpoint is not known here",)


# --- outputs -------------------------------------------------------------------------------------


def test_the_table_names_path_and_charges(capsys: pytest.CaptureFixture[str]) -> None:
    """From path to path, with the subnet's name."""
    text = write(capsys, compare(after=replace(LOST, nat_gateways={})), Output.TABLE)
    assert "vpc-1 (111122223333 eu-west-1), changed: worse" in text
    assert "endpoint: all traffic is routed to vpce-s3" in text
    assert "no route: all traffic has no route" in text
    assert "subnet-a (app|1)" in text
    assert "36.50 before, 0.00 USD a month after (us-east-1 list prices" in text


def test_markdown_escapes_names(capsys: pytest.CaptureFixture[str]) -> None:
    """A tag cannot break the table."""
    text = write(capsys, compare(), Output.MARKDOWN)
    assert text.startswith("## vpc-1")
    assert "app\\|1" in text
    assert "| s3 |" in text


def test_json_holds_everything(capsys: pytest.CaptureFixture[str]) -> None:
    """Cells whole, dollars as text."""
    found = json.loads(write(capsys, compare(notes=["Assumed: x."]), Output.JSON))
    assert (found["worse"], found["unchanged"], found["notes"]) == (True, 0, ["Assumed: x."])
    (scope,) = found["scopes"]
    assert scope["paths"] == [
        {
            "subnet": "subnet-a",
            "name": "app|1",
            "service": "com.amazonaws.eu-west-1.s3",
            "before": {
                "outcome": "endpoint",
                "summary": "all traffic is routed to vpce-s3",
            },
            "after": {"outcome": "no route", "summary": "all traffic has no route"},
            "lost": True,
        }
    ]
    assert scope["charges"]["dollars_a_month"] == {"before": "36.50", "after": "36.50"}


def test_routes_that_are_lost_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    """By the former route, whose addresses are many blocks without those of AWS services."""
    reached = replace(
        BEFORE,
        route_tables={"rtb-p": table("p", route("0.0.0.0/0", "nat-1"), subnets=["a"])},
        nat_gateways={"nat-1": nat("1", "public")},
        subnets={**BEFORE.subnets, "subnet-public": subnet("public", "a", "10.0.9.0/24")},
    )
    public = table("public", route("0.0.0.0/0", "igw-1"), subnets=["public"])
    before = replace(reached, route_tables={**reached.route_tables, "rtb-public": public})
    bare = {"rtb-p": table("p", subnets=["a"]), "rtb-public": public}
    found = compare(before, replace(before, route_tables=bare))
    assert "0.0.0.0/0 to nat-1" in write(capsys, found, Output.TABLE)
    (lost,) = json.loads(write(capsys, found, Output.JSON))["scopes"][0]["lost_routes"]
    assert (lost["subnet"], lost["routes"]) == ("subnet-a", ["0.0.0.0/0 to nat-1"])
    assert lost["addresses"]
    assert "loses its route 0.0.0.0/0 to nat-1" in write(capsys, found, Output.JUNIT)


def test_no_command_is_given_that_was_not_proven(capsys: pytest.CaptureFixture[str]) -> None:
    """The advice stays."""
    found = compare(None, BEFORE)
    (scope,) = json.loads(write(capsys, found, Output.JSON))["scopes"]
    remediations = [each["remediation"] for each in scope["opened"]]
    assert remediations
    assert all(each["text"] and not each["command"] for each in remediations)
    assert "aws ec2" not in write(capsys, found, Output.JUNIT)


def test_as_much_of_a_finding_is_written_as_is_stored(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that it grows with the findings, however many resources each of them concerns."""
    monkeypatch.setattr(bounds, "SUMMARY", 20)
    (scope,) = json.loads(write(capsys, compare(None, BEFORE), Output.JSON))["scopes"]
    opened = scope["opened"]
    assert opened
    assert all(len(each["summary"].encode()) <= bounds.SUMMARY for each in opened)
    worse = [each.summary for _, each in list_worse_verdicts(compare(None, BEFORE))]
    assert set(worse) >= {each["summary"] for each in opened}


def test_sarif_holds_what_becomes_worse(capsys: pytest.CaptureFixture[str]) -> None:
    """Lost paths, too, as code scanning knows findings only."""
    (found,) = json.loads(write(capsys, compare(), Output.SARIF))["runs"]
    assert [each["ruleId"] for each in found["results"]] == ["path-lost"]
    assert [each["id"] for each in found["tool"]["driver"]["rules"]] == ["path-lost"]
    better = json.loads(write(capsys, compare(after=CHEAPER), Output.SARIF))
    assert better["runs"][0]["results"] == []


def test_junit_fails_for_what_becomes_worse(capsys: pytest.CaptureFixture[str]) -> None:
    """Findings that were there before are no failures of this change."""
    root = ET.fromstring(write(capsys, compare(), Output.JUNIT))  # noqa: S314 - written here
    assert root.get("failures") == "1"
    better = ET.fromstring(write(capsys, compare(after=CHEAPER), Output.JUNIT))  # noqa: S314
    assert (better.get("failures"), better.get("errors")) == ("0", "0")
    assert int(better.get("tests", "0")) > 0


@pytest.mark.parametrize("output", OUTPUTS)
def test_nothing_is_something_to_say(capsys: pytest.CaptureFixture[str], output: Output) -> None:
    """In every format."""
    write_comparison(compare(after=BEFORE), output)
    said = capsys.readouterr()
    assert said.err == (
        "nothing becomes worse: findings 0 opened, 0 resolved, 0 worse; paths lost 0; "
        "VPCs and endpoint services changed 0, unchanged 1\n"
    )


def test_the_summary_counts() -> None:
    """One line for a log."""
    assert summarize(compare()).startswith("worse: findings 0 opened")
