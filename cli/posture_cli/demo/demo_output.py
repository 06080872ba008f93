"""Print the demo's steps, and build its JSON document."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import median
from textwrap import indent
from typing import Any

from rich.console import Console
from rich.text import Text

from posture.changes.record_shapes import find_ids
from posture.model.finding import Finding
from posture_cli.demo.demo_run import DemoStep, StepKind
from posture_cli.options import Output
from posture_cli.render.findings import build_finding_record
from posture_cli.render.records import write_records
from posture_cli.render.tables import STYLES
from posture_cli.text import make_lines_printable, make_printable

MARKS = {
    StepKind.SWEEP: ("◇", "cyan"),
    StepKind.BREAK: ("✗", "red"),
    StepKind.REPAIR: ("✓", "green"),
    StepKind.REFUSED: ("·", "dim"),
}
INDENT = " " * 4
END_COLUMNS = ("status", "severity", "rule", "resource", "vpc", "actor")


def print_step(console: Console, step: DemoStep) -> None:
    """Print a step: the calls, the findings that changed, and the alerts."""
    mark, style = MARKS[step.phase]
    prefix = "Repaired: " if step.phase is StepKind.REPAIR else ""
    console.print()
    console.print(Text(f"{mark} {prefix}{step.title}", style=f"bold {style}"))
    for record in step.records:
        console.print(_labelled("change", _format_change(record)))
    for finding in step.findings:
        console.print(_labelled("finding", _format_finding(finding)))
    for alert in step.alerts:
        subject = Text(make_printable(alert.subject), style="bold")
        console.print(_labelled("alert", subject + Text(f"  after {step.seconds:.2f} s", "dim")))
        if step.phase is StepKind.BREAK:
            console.print(Text(indent(make_lines_printable(alert.text), INDENT)))
    if not step.findings and not step.alerts:
        console.print(_labelled("result", Text("no finding, no alert")))
    for fault in step.faults:
        console.print(_labelled("fault", Text(make_printable(fault), style="bold red")))


def print_summary(console: Console, findings: Sequence[Finding], steps: Sequence[DemoStep]) -> None:
    """Print the final table and the summary."""
    numbers = summarize(steps)
    records = [build_finding_record(finding) for finding in findings]
    console.print()
    console.print(Text("All findings at the end", style="bold"))
    write_records(records, END_COLUMNS, Output.TABLE)
    console.print()
    for name, value in numbers.items():
        console.print(_labelled(name.replace("_", " "), Text(str(value)), width=30))
    text = Text("Every change was detected, reported and, after its repair, resolved.")
    if numbers["faults"]:
        text = Text("The monitor's response was wrong in the steps with faults.", "bold red")
    console.print(text)


def build_document(findings: Sequence[Finding], steps: Sequence[DemoStep]) -> dict[str, Any]:
    """Build the JSON document of a demo."""
    return {
        "steps": [_build_step_record(step) for step in steps],
        "findings": [build_finding_record(finding) for finding in findings],
        "summary": summarize(steps),
    }


def summarize(steps: Sequence[DemoStep]) -> dict[str, Any]:
    """Count changes and alerts. Latencies are seconds from a call's return to its alert."""
    latencies = [step.seconds for step in steps if step.records and step.alerts]
    return {
        "changes": sum(len(step.records) for step in steps),
        "transitions": sum(len(step.findings) for step in steps),
        "alerts": sum(len(step.alerts) for step in steps),
        "median_seconds_to_alert": round(median(latencies), 3) if latencies else None,
        "slowest_seconds_to_alert": round(max(latencies), 3) if latencies else None,
        "faults": sum(len(step.faults) for step in steps),
    }


def _build_step_record(step: DemoStep) -> dict[str, Any]:
    return {
        "phase": step.phase.value,
        "title": step.title,
        "actor": step.actor,
        "changes": list(step.records),
        "findings": [build_finding_record(finding) for finding in step.findings],
        "alerts": [asdict(alert) for alert in step.alerts],
        "seconds": round(step.seconds, 3),
        "faults": list(step.faults),
    }


def _format_change(record: Mapping[str, Any]) -> Text:
    caller = record["userIdentity"]["arn"].rsplit(":", 1)[-1]
    service = record["userIdentity"].get("invokedBy")
    parts = [record["eventName"], "by", caller]
    parts += ["through", service] if service else ["from", record["sourceIPAddress"]]
    parts += ["which failed:", record["errorCode"]] if "errorCode" in record else []
    request = find_ids(record["requestParameters"], record["recipientAccountId"])
    ids = ", ".join(dict.fromkeys(request))
    return Text(f"{' '.join(parts)}  ({make_printable(ids)})")


def _format_finding(finding: Finding) -> Text:
    labels = finding.status.value, finding.severity.value
    summary = Text(f"{finding.rule}: {make_printable(finding.verdict.summary)}")
    return Text(" ").join([*(Text(each, STYLES.get(each, "")) for each in labels), summary])


def _labelled(label: str, content: Text, width: int = 8) -> Text:
    return Text(f"  {label.ljust(width)} ", style="dim") + content
