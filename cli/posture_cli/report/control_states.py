"""Builds the rows of the page's controls: what fails, what could not be evaluated. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from posture.rules.controls import Control
from posture.rules.rule_catalogue import RULES_BY_ID
from posture_cli.report.collect import CollectedFindings

Row = Mapping[str, Any]


def build_control_rows(found: CollectedFindings) -> Sequence[tuple[str, Sequence[Row]]]:
    """Build the rows of each framework's controls, by framework and id."""
    by_control: dict[Control, list[str]] = {}
    for rule in RULES_BY_ID.values():
        for control in rule.controls:
            by_control.setdefault(control, []).append(rule.id)
    frameworks: dict[str, list[Row]] = {}
    for control, rules in sorted(by_control.items(), key=lambda it: (it[0].framework, it[0].id)):
        frameworks.setdefault(control.framework, []).append(_build_row(control, rules, found))
    return list(frameworks.items())


def _build_row(control: Control, rules: Sequence[str], found: CollectedFindings) -> Row:
    failed = sum(found.failing.get(each, 0) for each in rules)
    unknown = sum(found.unknown.get(each, 0) for each in rules)
    return {
        "id": control.id,
        "state": "fail" if failed else "not evaluated" if unknown else "pass",
        "failed": failed,
        "unknown": unknown,
        "passed": sum(not found.failing.get(it) and not found.unknown.get(it) for it in rules),
        "rules": rules,
    }
