"""The catalogue of rules as records, and as the page about them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from posture.rules.rule import Rule, ServiceCase, VpcCase

AnyRule = Rule[VpcCase] | Rule[ServiceCase]

COLUMNS = ("severity", "id", "requirement")
CSV_COLUMNS = (
    "id",
    "family",
    "severity",
    "title",
    "requirement",
    "rationale",
    "remediation",
    "reads",
    "controls",
)

HEAD = """# Rules

What is checked, and why. Made by `make docs` from `posture.rules`; `make check` fails when it is
out of date.

Each rule answers for each resource it looks at: **pass**, **fail** with evidence and a remedy,
**unknown** when a fact could not be read or decided, or **not applicable**. A failure or an unknown
becomes a finding. Severities are those of the usual case; a finding may be milder or worse, and
says so.
"""


def record(rule: AnyRule) -> dict[str, Any]:
    """Give a rule's metadata."""
    return {
        "id": rule.id,
        "family": rule.family.value,
        "severity": rule.severity.value,
        "title": rule.title,
        "requirement": rule.requirement,
        "rationale": rule.rationale,
        "remediation": rule.remediation,
        "reads": sorted(f"ec2:{facet.value}" for facet in rule.reads),
        "controls": [f"{each.framework} {each.id}" for each in rule.controls],
        "references": list(rule.references),
    }


def as_markdown(rules: Iterable[AnyRule]) -> str:
    """Give the page about all rules, a family a section."""
    listed = list(rules)
    return "\n".join([HEAD, *_overview(listed), *_families(listed)])


def _overview(rules: Iterable[AnyRule]) -> Iterator[str]:
    yield from ("| rule | severity | what must hold |", "| --- | --- | --- |")
    for rule in rules:
        yield f"| [`{rule.id}`](#{rule.id}) | {rule.severity.value} | {rule.requirement} |"
    yield ""


def _families(rules: Iterable[AnyRule]) -> Iterator[str]:
    for family, members in groupby(rules, key=lambda rule: rule.family):
        yield from (f"## {family.value}", "")
        for rule in members:
            yield from _section(rule)


def _section(rule: AnyRule) -> Iterator[str]:
    told = record(rule)
    yield from (f"### {rule.id}", "", f"**{rule.requirement}** ({rule.severity.value}).", "")
    yield from (rule.rationale, "", f"*Remedy:* {rule.remediation}", "")
    reads = ", ".join(f"`{each}`" for each in told["reads"])
    yield f"- reads: {reads or 'only what names the resource'}"
    if told["controls"]:
        yield f"- helps to show: {', '.join(told['controls'])}"
    yield from (f"- <{each}>" for each in rule.references)
    yield ""
