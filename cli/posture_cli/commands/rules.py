"""`posture rules`: lists the rules."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from posture.rules.controls import Control
from posture.rules.rule_catalogue import RULES, AnyRule
from posture_cli.command import CommandGroup
from posture_cli.options import Output, OutputOption
from posture_cli.render.records import write_records

COLUMNS = ("severity", "id", "requirement")
CSV_COLUMNS = (
    "id", "family", "severity", "title", "requirement", "rationale", "remediation", "reads",
    "controls", "service_controls",
)  # fmt: skip

INTRODUCTION = """# Rules

What the monitor checks, and why. `make docs` generates this page from `posture.rules`; `make check`
fails when it is out of date.

For each resource a rule returns **pass**, **fail** with evidence and remediation, **unknown** if a
fact could not be read or decided, or **not applicable**. Fail and unknown become findings. The
severity given here is the usual one; a finding can have another severity.
"""

app = CommandGroup()


@app.add(
    "posture rules",
    "posture rules --output json",
    "posture rules --output markdown > docs/rules.md",
)
def rules(*, output: OutputOption = Output.TABLE) -> None:
    """List every rule: its requirement, the severity of a failure, and what it reads.

    The markdown format is the page docs/rules.md.
    """
    if output is Output.MARKDOWN:
        sys.stdout.write(format_rules_page(RULES))
    else:
        write_records(map(build_rule_record, RULES), COLUMNS, output, CSV_COLUMNS)


def build_rule_record(rule: AnyRule) -> dict[str, Any]:
    """Build the record of a rule's metadata."""
    return {
        "id": rule.id,
        "family": rule.family.value,
        "severity": rule.severity.value,
        "title": rule.title,
        "requirement": rule.requirement,
        "rationale": rule.rationale,
        "remediation": rule.remediation,
        "reads": sorted(f"ec2:{facet.value}" for facet in rule.reads),
        "controls": list(map(str, rule.controls)),
        "service_controls": {
            service: list(map(str, controls)) for service, controls in rule.service_controls.items()
        },
        "references": list(rule.references),
    }


def format_rules_page(rules: Sequence[AnyRule]) -> str:
    """Format the page about all rules, with one section per family."""
    lines = [INTRODUCTION, "| rule | severity | requirement |", "| --- | --- | --- |"]
    lines += [f"| [`{it.id}`](#{it.id}) | {it.severity.value} | {it.requirement} |" for it in rules]
    for family, members in groupby(rules, key=lambda rule: rule.family):
        lines += ["", f"## {family.value}"]
        for rule in members:
            lines += ["", *_section(rule)]
    return "\n".join([*lines, ""])


def _section(rule: AnyRule) -> Iterator[str]:
    record = build_rule_record(rule)
    yield from (f"### {rule.id}", "", f"**{rule.requirement}** ({rule.severity.value}).", "")
    yield from (rule.rationale, "", f"*Remediation:* {rule.remediation}", "")
    reads = ", ".join(f"`{each}`" for each in record["reads"])
    yield f"- reads: {reads or 'only the ids of the resource'}"
    if record["controls"]:
        yield f"- supports [controls](controls.md): {_join_controls(rule.controls)}"
    for service, controls in rule.service_controls.items():
        further = [each for each in controls if each not in rule.controls]
        yield f"- for `{service}` also: {_join_controls(further)}"
    yield from (f"- <{each}>" for each in rule.references)


def _join_controls(controls: Iterable[Control]) -> str:
    """Name the controls, each framework once."""
    frameworks = groupby(controls, key=lambda control: control.framework)
    return "; ".join(f"{name} {', '.join(it.id for it in ids)}" for name, ids in frameworks)
