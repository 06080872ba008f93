"""All measurements, each in a process of its own, as tables in Markdown.

Run: `make bench`. Seconds of CPU are what the monitor itself takes; seconds of wall add the waiting
for calls of 30 ms each, and whatever else the machine does.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
LATENCY = "0.03"


def measured(module: str, *arguments: str) -> dict[str, Any]:
    """Run one measurement; give what its last line tells."""
    command = [sys.executable, str(HERE / f"{module}.py"), *arguments]
    told: dict[str, Any] = json.loads(
        subprocess.check_output(command, text=True).splitlines()[-1]  # noqa: S603
    )
    print(".", end="", file=sys.stderr, flush=True)
    return told


def row(*cells: object) -> str:
    """Give a row of a table."""
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def sweeps() -> list[str]:
    """A region's sweep by its size."""
    lines = [
        "### Sweep of a region",
        "",
        row(
            "VPCs",
            "five bare describes, CPU s",
            "first, CPU s",
            "steady, CPU s",
            "steady with 30 ms a call, wall s",
            "EC2 calls (for DNS attributes)",
            "DynamoDB calls, first / steady",
            "memory it added, MB",
            "peak, MB",
        ),
        row(*["---"] * 9),
    ]
    for vpcs in ("10", "100", "1000", "3000"):
        raw, slow = measured("sweep", vpcs), measured("sweep", vpcs, LATENCY)
        lines.append(
            row(
                vpcs,
                f"{raw['bare_cpu']:.2f}",
                f"{raw['first_cpu']:.1f}",
                f"{raw['steady_cpu']:.1f}",
                f"{slow['steady_wall']:.1f}",
                f"{raw['steady_ec2']} ({raw['steady_dns']})",
                f"{raw['first_dynamodb']} / {raw['steady_dynamodb']}",
                f"{raw['memory']:.0f}",
                f"{raw['peak']:.0f}",
            )
        )
    return lines


def changes() -> list[str]:
    """One warm change by its parts."""
    told = measured("change")
    slow = measured("change", LATENCY)
    parts = ("parse", "place", "collect", "analyse", "store", "total")
    lines = [
        "### One change, warm, CPU milliseconds (median of 40)",
        "",
        row("VPC", *parts, "least", "calls", "transitions", "wall with 30 ms a call"),
        row(*["---"] * 11),
    ]
    lines += [
        row(
            name,
            *(told[name].get(part, 0) for part in parts),
            told[name]["least"],
            told[name]["calls"],
            told[name]["transitions"],
            slow[name]["wall"],
        )
        for name in ("new", "changed", "same")
    ]
    return lines


def bursts() -> list[str]:
    """5,000 changes over 100 VPCs by the size of the batch."""
    lines = [
        "### Burst of 5,000 changes over 100 VPCs, 30 ms a call",
        "",
        row(
            "batch",
            "evaluations",
            "EC2 calls",
            "DynamoDB calls",
            "longest batch, s",
            "until all is recorded, s",
        ),
        row(*["---"] * 6),
    ]
    for size in ("100", "500"):
        told = measured("burst", size, LATENCY)
        lines.append(
            row(
                size,
                told["evaluations"],
                told["ec2"],
                told["dynamodb"],
                f"{told['longest']:.1f}",
                f"{told['delay']:.0f}",
            )
        )
    return lines


def starts() -> list[str]:
    """Cold starts."""
    told = measured("start")
    lines = [
        "### Cold start, CPU milliseconds of a fresh process (medians of 9, in turns)",
        "",
        row("function", "layers as", "bare boto3", "import", "ratio", "with first event"),
        row(*["---"] * 6),
    ]
    lines += [
        row(name, kind, each["bare"], each["whole"], each["ratio"], each["first"])
        for kind in ("sources", "bytecode")
        for name, each in told[kind].items()
    ]
    return [*lines, "", f"Both layers' sources, unpacked: {told['layer']:.1f} MB."]


def alerts() -> list[str]:
    """Telling."""
    told = measured("telling")
    lines = [
        "### Telling",
        "",
        row("", "findings", "messages", "findings a second"),
        row(*["---"] * 4),
    ]
    for name in ("storm", "alone"):
        each = told[name]
        lines.append(row(name, each["findings"], each["messages"], each["findings_a_second"]))
    return lines


def main() -> None:
    """Print everything."""
    for table in (sweeps, changes, bursts, starts, alerts):
        print("\n".join(table()), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
