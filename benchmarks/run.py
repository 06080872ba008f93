"""Run all measurements, each in a process of its own, and print tables in Markdown.

Run: `make bench`. On a machine with other work only ratios can be compared: each is to what boto3
alone takes in the same process or in turns. CPU times are of this run and this machine.
"""

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
Result = dict[str, Any]


def measure(module: str, *arguments: str) -> Result:
    """Run one measurement; return the JSON object that it prints last."""
    command = [sys.executable, str(HERE / f"{module}.py"), *arguments]
    output = subprocess.check_output(command, text=True)  # noqa: S603
    print(".", end="", file=sys.stderr, flush=True)
    result: Result = json.loads(output.splitlines()[-1])
    return result


def format_table(title: str, columns: Mapping[str, str], results: Iterable[Result]) -> str:
    """Return a table: of each column its heading and how a result is formatted in it."""
    rows = [columns, ["---"] * len(columns)]
    rows += [[each.format(**result) for each in columns.values()] for result in results]
    return "\n".join([f"### {title}\n", *(f"| {' | '.join(row)} |" for row in rows), ""])


def measure_sweeps() -> str:
    """Measure a region's sweep by its size."""
    columns = {
        "VPCs": "{vpcs}",
        "five bare describes, CPU s": "{bare_cpu:.2f}",
        "first, times these": "{first_ratio:.1f}",
        "steady, times these": "{steady_ratio:.1f}",
        "EC2 calls (for DNS attributes)": "{steady_ec2} ({steady_dns})",
        "DynamoDB calls, first / steady": "{first_dynamodb} / {steady_dynamodb}",
        "memory added, MB": "{memory:.0f}",
        "peak, MB": "{peak:.0f}",
    }
    results = (measure("throughput", "sweep", vpcs) for vpcs in ("10", "100", "1000", "3000"))
    return format_table("Sweep of a region", columns, results)


def measure_changes() -> str:
    """Measure one warm change by its parts."""
    parts = ("parse", "resolve", "read", "evaluate", "write", "total")
    columns = {
        "VPC": "{name}",
        **{part: f"{{{part}}}" for part in (*parts, "least")},
        "five bare describes of the VPC": "{bare}",
        "total, times these": "{ratio}",
        **{part: f"{{{part}}}" for part in ("calls", "transitions")},
    }
    measured = measure("change")
    results = (
        dict.fromkeys(parts, 0) | measured[name] | {"name": name}
        for name in ("new", "changed", "same")
    )
    return format_table("One change, warm, CPU milliseconds (median of 40)", columns, results)


def measure_resolved() -> str:
    """Measure one warm change by the number of findings that were resolved before it."""
    columns = {
        "resolved before": "{resolved}",
        "total": "{total}",
        "times five bare describes": "{ratio}",
        "calls": "{calls}",
    }
    runs = (measure("change", "0", number) for number in ("0", "1000", "20000", "200000"))
    results = (run["changed"] | {"resolved": run["resolved"]} for run in runs)
    return format_table("One change after many resolved findings, CPU ms", columns, results)


def measure_bursts() -> str:
    """Measure 5,000 changes over 100 VPCs by the size of the batch."""
    columns = {
        "batch": "{batch}",
        "evaluations": "{evaluations}",
        "EC2 calls": "{ec2}",
        "DynamoDB calls": "{dynamodb}",
        "CPU s": "{cpu:.1f}",
        "an evaluation, times five bare describes of a VPC": "{ratio:.1f}",
    }
    results = (measure("throughput", "burst", size) for size in ("100", "500"))
    return format_table("Burst of 5,000 changes over 100 VPCs", columns, results)


def measure_starts() -> str:
    """Measure cold starts."""
    columns = {
        "function": "{name}",
        "layers as": "{kind}",
        "bare boto3": "{bare}",
        "import": "{whole}",
        "times bare boto3": "{ratio}",
        "with first event": "{first}",
    }
    result = measure("start")
    results = [
        each | {"name": name, "kind": kind}
        for kind in ("sources", "bytecode")
        for name, each in result[kind].items()
    ]
    title = "Cold start, CPU milliseconds of a fresh process (medians of 9, in turns)"
    size = f"\nBoth layers' sources, unpacked: {result['layer']:.1f} MB.\n"
    return format_table(title, columns, results) + size


def measure_alerts() -> str:
    """Measure alerts, in digests and one by one."""
    columns = {
        "": "{name}",
        "findings": "{findings}",
        "messages": "{messages}",
        "CPU ms a finding": "{milliseconds:.2f}",
    }
    results = (
        measure("throughput", "alerts", size) | {"name": name}
        for name, size in (("digests", "2000"), ("single", "30"))
    )
    return format_table("Alerts", columns, results)


def main() -> None:
    """Print every table."""
    for table in (
        measure_sweeps,
        measure_changes,
        measure_resolved,
        measure_bursts,
        measure_starts,
        measure_alerts,
    ):
        print(table(), flush=True)


if __name__ == "__main__":
    main()
