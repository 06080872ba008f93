"""Builds SARIF 2.1.0 from the verdicts of a scan, for code scanning and CI gates.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import Any
from urllib.parse import quote

from posture.model.finding import finding_id
from posture.model.scope import Scope
from posture.model.verdict import Severity, Status, Verdict
from posture.rules.controls import list_controls
from posture.rules.rule import Rule
from posture.rules.rule_catalogue import RULES_BY_ID
from posture_cli.interchange import ScopedVerdict, describe_remediation

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
KINDS = {Status.FAIL: "fail", Status.UNKNOWN: "open", Status.PASS: "pass"}
# The level, and the security-severity by which GitHub sorts:
# https://docs.github.com/en/code-security/code-scanning
LEVELS = {
    Severity.CRITICAL: ("error", "9.5"),
    Severity.HIGH: ("error", "8.0"),
    Severity.MEDIUM: ("warning", "5.5"),
    Severity.LOW: ("note", "3.0"),
    Severity.INFORMATIONAL: ("note", "0.5"),
}


def build_sarif(
    verdicts: Sequence[ScopedVerdict], catalogue: Mapping[str, Rule[Any]] = RULES_BY_ID
) -> dict[str, Any]:
    """Build the SARIF log: one run, with one result for each verdict.

    Args:
        verdicts: The verdicts.
        catalogue: Their rules by id.
    """
    rules = sorted({verdict.rule for _, verdict in verdicts})
    driver = {
        "name": "VPC Endpoint Posture",
        "semanticVersion": version("vpc-endpoint-posture"),
        "rules": [_rule(catalogue[rule]) for rule in rules],
    }
    results = [
        _result(scope, verdict, rules, catalogue[verdict.rule]) for scope, verdict in verdicts
    ]
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": results}],
    }


def _rule(rule: Rule[Any]) -> dict[str, Any]:
    level, score = LEVELS[rule.severity]
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.requirement},
        "help": {"text": f"{rule.rationale}\n\n{rule.remediation}"},
        "defaultConfiguration": {"level": level},
        "properties": {
            "security-severity": score,
            "tags": ["security", *map(str, rule.controls)],
        },
    }


def _result(
    scope: Scope, verdict: Verdict, rules: Sequence[str], rule: Rule[Any]
) -> dict[str, Any]:
    failed = verdict.status is Status.FAIL
    place = "/".join(filter(None, (str(scope), verdict.resource)))
    return {
        "ruleId": verdict.rule,
        "ruleIndex": rules.index(verdict.rule),
        "kind": KINDS[verdict.status],
        "level": LEVELS[verdict.severity][0] if failed else "none",
        "message": {"text": " ".join(_text_parts(verdict))},
        "locations": [
            {
                "physicalLocation": {"artifactLocation": {"uri": quote(f"aws/{place}")}},
                "logicalLocations": [{"fullyQualifiedName": place, "kind": "resource"}],
            }
        ],
        "partialFingerprints": {"finding": finding_id(scope, verdict.rule, verdict.resource)},
        "properties": {"tags": list(map(str, list_controls(rule, verdict.resource)))},
    }


def _text_parts(verdict: Verdict) -> Iterable[str]:
    yield verdict.summary
    yield from (fact.text for fact in verdict.evidence)
    if verdict.remediation:
        yield from describe_remediation(verdict.remediation)
