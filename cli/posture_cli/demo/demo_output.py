"""The demo's story on a screen, and as one JSON document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from textwrap import indent
from typing import Any

from rich.console import Console
from rich.text import Text

from posture.changes.shapes import find_ids
from posture.model.finding import Finding
from posture_cli.demo.demo_run import DemoStep, StepKind
from posture_cli.render.findings import build_finding_record
from posture_cli.render.records import STYLES, Output, write_records
from posture_cli.text import make_lines_printable, make_printable

MARKS = {
    StepKind.SWEEP: ("◇", "cyan"),
    StepKind.BREAK: ("✗", "red"),
    StepKind.REPAIR: ("✓", "green"),
    StepKind.REFUSED: ("·", "dim"),
}
INDENT = " " * 4
END_COLUMNS = ("status", "severity", "rule", "resource", "vpc", "actor")


def show_beat(console: Console, beat: DemoStep) -> None:
    """Print a beat: what was done, what was found, what was told."""
    mark, style = MARKS[beat.phase]
    verb = "repaired: " if beat.phase is StepKind.REPAIR else ""
    console.print()
    console.print(Text(f"{mark} {verb}{beat.title}", style=f"bold {style}"))
    for record in beat.records:
        console.print(_labelled("change", _change(record)))
    for finding in beat.findings:
        console.print(_labelled("finding", _finding(finding)))
    for alert in beat.alerts:
        told = Text(f"{printable(alert.subject)}", style="bold")
        console.print(_labelled("alert", told + Text(f"  after {beat.seconds:.2f} s", "dim")))
        if beat.phase is StepKind.BREAK:
            console.print(Text(indent(make_lines_printable(alert.text), INDENT)))
    if not beat.findings and not beat.alerts:
        console.print(_labelled("result", Text("no finding, no alert")))
    for fault in beat.faults:
        console.print(_labelled("fault", Text(make_printable(fault), style="bold red")))


def show_end(console: Console, findings: Sequence[Finding], beats: Sequence[DemoStep]) -> None:
    """Print the final table and the summary."""
    numbers = summary(beats)
    records = [build_finding_record(finding) for finding in findings]
    console.print()
    console.print(Text("All findings at the end", style="bold"))
    write_records(records, END_COLUMNS, Output.TABLE)
    console.print()
    for name, value in numbers.items():
        console.print(_labelled(name.replace("_", " "), Text(str(value)), width=30))
    if numbers["faults"]:
        console.print(Text("The story did not come out as it should.", style="bold red"))
    else:
        console.print(Text("Every change was found, told and, after the repair, taken back."))


def document(findings: Sequence[Finding], beats: Sequence[DemoStep]) -> dict[str, Any]:
    """Give the whole story for machines."""
    return {
        "beats": [_beat_record(beat) for beat in beats],
        "findings": [build_finding_record(finding) for finding in findings],
        "summary": summary(beats),
    }


def summary(beats: Sequence[DemoStep]) -> dict[str, Any]:
    """Count what happened. Latencies are seconds from a call's return to its alert's arrival."""
    told = [beat.seconds for beat in beats if beat.records and beat.alerts]
    return {
        "changes": sum(len(beat.records) for beat in beats),
        "transitions": sum(len(beat.findings) for beat in beats),
        "alerts": sum(len(beat.alerts) for beat in beats),
        "median_seconds_to_alert": round(median(told), 3) if told else None,
        "slowest_seconds_to_alert": round(max(told), 3) if told else None,
        "faults": sum(len(beat.faults) for beat in beats),
    }


def _beat_record(beat: DemoStep) -> dict[str, Any]:
    return {
        "phase": beat.phase.value,
        "title": beat.title,
        "actor": beat.actor,
        "changes": list(beat.records),
        "findings": [build_finding_record(finding) for finding in beat.findings],
        "alerts": [
            {
                "subject": alert.subject,
                "text": alert.text,
                "body": alert.body,
                "attributes": alert.attributes,
            }
            for alert in beat.alerts
        ],
        "seconds": round(beat.seconds, 3),
        "faults": list(beat.faults),
    }


def _change(record: Mapping[str, Any]) -> Text:
    who = record["userIdentity"]["arn"].rsplit(":", 1)[-1]
    through = record["userIdentity"].get("invokedBy")
    words = [record["eventName"], "by", who]
    words += ["through", through] if through else ["from", record["sourceIPAddress"]]
    words += ["which failed:", record["errorCode"]] if "errorCode" in record else []
    request = find_ids(record["requestParameters"], record["recipientAccountId"])
    ids = ", ".join(dict.fromkeys(request))
    return Text(f"{' '.join(words)}  ({printable(ids)})")


def _finding(finding: Finding) -> Text:
    status = Text(finding.status.value, style=STYLES.get(finding.status.value, ""))
    severity = Text(finding.severity.value, style=STYLES.get(finding.severity.value, ""))
    rest = Text(f"{finding.rule}: {printable(finding.verdict.summary)}")
    return Text(" ").join([status, severity, rest])


def _labelled(label: str, content: Text, width: int = 8) -> Text:
    return Text(f"  {label.ljust(width)} ", style="dim") + content
