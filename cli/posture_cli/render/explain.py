"""Prints an explanation of a path, and builds its record."""

from __future__ import annotations

from typing import Any

from rich.text import Text

from posture.analysis.explain import Explanation
from posture.analysis.matrix import build_cell_record
from posture.model.instant import format_iso
from posture.model.network import Snapshot
from posture.model.service_names import short_name
from posture_cli.console import open_stdout
from posture_cli.render.coverage import LEGEND
from posture_cli.text import make_printable

CSV_COLUMNS = ("step", "about", "text")


def build_explanation_record(snapshot: Snapshot, found: Explanation) -> dict[str, Any]:
    """Build one JSON document: the cell of the coverage matrix, and the steps that lead to it."""
    return {
        "scope": str(snapshot.scope),
        "observed_at": format_iso(snapshot.observed_at),
        "subnet": found.subnet.id,
        "service": found.service.name,
        **build_cell_record(found.cell, found.service),
        "steps": [
            {"step": number, "about": step.about, "text": step.text, "record": dict(step.record)}
            for number, step in enumerate(found.steps, 1)
        ],
    }


def print_explanation(snapshot: Snapshot, found: Explanation) -> None:
    """Print an explanation: the result first, then the steps."""
    console = open_stdout()
    outcome = found.cell.outcome.value
    head = Text(f"{short_name(found.service.name)} from {found.subnet.id} in {snapshot.scope}: ")
    head.append(outcome, LEGEND[outcome][0])
    console.print(head.append(f", {make_printable(found.cell.summary)}"))
    console.print()
    for number, step in enumerate(found.steps, 1):
        about = Text(f"{number:>3}. {step.about}: ", "bold")
        console.print(about.append(make_printable(step.text), "not bold"))
