"""Every rule is documented, and an error in one does not stop the others."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from network_builders import build_snapshot, interface, subnet, table
from posture.model.baseline import Baseline
from posture.model.network import Facet, Snapshot
from posture.model.verdict import Remediation, Severity, Status
from posture.rules.contexts import VpcContext
from posture.rules.engine import evaluate_vpc
from posture.rules.result import RuleResult, failed
from posture.rules.rule import Family, Rule
from posture.rules.rule_catalogue import RULES, RULES_BY_ID, VPC_RULES

TITLE = 48  # characters that an alert's subject has room for


def test_ids_are_unique_and_plain() -> None:
    """They are keys of the findings table and anchors of the page."""
    assert len(RULES_BY_ID) == len(RULES)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)+", rule.id) for rule in RULES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_every_rule_is_described(rule: Rule[Any]) -> None:
    """Each rule says what it checks, why, and what to do."""
    assert 0 < len(rule.title) <= TITLE
    assert not rule.title.endswith(".")
    assert rule.rationale.endswith(".")
    assert rule.remediation.endswith(".")
    assert rule.references
    assert all(each.startswith("https://docs.aws.amazon.com/") for each in rule.references)


def test_families_stand_together() -> None:
    """The page has one section a family."""
    families = [rule.family for rule in RULES]
    assert sorted(families, key=list(Family).index) == families


def test_an_empty_snapshot_passes() -> None:
    """A VPC without resources fails no rule."""
    answers = evaluate_vpc(build_snapshot(), Baseline())
    assert not {each.status for each in answers} & {Status.FAIL, Status.UNKNOWN}


@pytest.mark.parametrize("facet", list(Facet))
def test_a_denied_call_affects_only_the_rules_that_need_it(facet: Facet) -> None:
    """They answer unknown for the VPC, and name the call; the others do not."""
    answers = evaluate_vpc(build_snapshot(unreadable={facet: "AccessDenied"}), Baseline())
    blind = {each.rule for each in answers if each.status is Status.UNKNOWN}
    assert blind == {rule.id for rule in VPC_RULES if facet in rule.reads}
    for each in answers:
        if each.status is Status.UNKNOWN:
            assert each.resource == "vpc-1"
            assert facet.value in each.summary


def test_only_failures_and_unknowns_have_a_remediation() -> None:
    """Passes have none."""
    parts = [subnet("a"), table("main", main=True), interface("1"), interface("2", state="failed")]
    answers = evaluate_vpc(build_snapshot(*parts), Baseline())
    bad = {Status.FAIL, Status.UNKNOWN}
    assert {each.status for each in answers} > {Status.PASS, Status.FAIL}
    assert [each for each in answers if (each.remediation is None) == (each.status in bad)] == []


def failing(_case: VpcContext) -> list[RuleResult]:
    """Be a rule with a mistake in it."""
    raise ZeroDivisionError("oops")


def test_an_error_in_one_rule_hides_no_other() -> None:
    """The rule's result is unknown and names the internal error."""
    broken = Rule(
        id="broken-rule",
        title="broken",
        requirement="nothing",
        family=Family.PATHS,
        severity=Severity.LOW,
        rationale="",
        remediation="",
        evaluate=failing,
        reads=frozenset(),
    )
    snapshot: Snapshot = build_snapshot()
    answers = evaluate_vpc(snapshot, Baseline(), (broken, *VPC_RULES))
    (own,) = [each for each in answers if each.rule == "broken-rule"]
    assert own.status is Status.UNKNOWN
    assert "ZeroDivisionError: oops" in own.evidence[0].text
    assert answers[1:] == evaluate_vpc(snapshot, Baseline())


def test_an_error_in_a_remediation_hides_no_finding() -> None:
    """The finding is reported, and says that its remediation is missing and why."""

    def propose() -> tuple[Remediation, ...]:
        raise KeyError("vpce-1")

    def evaluate(_: VpcContext) -> Iterator[RuleResult]:
        yield failed("vpc-1", "vpc-1 is wrong", propose=propose)

    broken = replace(VPC_RULES[0], evaluate=evaluate)
    (verdict,) = evaluate_vpc(build_snapshot(), Baseline(), [broken])
    assert verdict.status is Status.FAIL
    assert verdict.remediation is not None
    assert "KeyError" in verdict.remediation.text
