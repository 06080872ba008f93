"""The coverage matrix for a terminal: subnets down, services across, and what is not private."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from posture.analysis.matrix import list_row_answers
from posture.model.instant import format_iso
from posture.model.scope import Scope
from posture_cli.console import open_stdout
from posture_cli.text import make_printable

CSV_COLUMNS = (
    "account",
    "region",
    "vpc",
    "subnet",
    "name",
    "zone",
    "service",
    "outcome",
    "summary",
)

# How each outcome looks and what it means, the best first.
LEGEND = {
    "endpoint": ("green", "reaches an endpoint"),
    "by group": ("green", "reaches an endpoint from workloads with certain security groups"),
    "partly": ("yellow", "part of it reaches an endpoint, part does not"),
    "blocked": ("red", "is sent to an endpoint and stopped on the way"),
    "internet": ("red", "leaves by an internet or NAT gateway"),
    "other network": ("cyan", "is handed to another network or an appliance"),
    "no way": ("bright_black", "nothing leads there"),
    "unknown": ("magenta", "could not be told"),
}
WELL = frozenset({"endpoint"})
NAMED = 4  # subnets that a sentence names
GAP = 3  # columns between two columns of the table


@dataclass(frozen=True, slots=True)
class Matrix:
    """A recorded matrix of one VPC, with where and when."""

    scope: Scope
    observed_at: datetime
    record: Mapping[str, Any]

    @property
    def where(self) -> dict[str, str]:
        """The account, region and VPC, as every form names them."""
        scope = self.scope
        return {"account": scope.account, "region": scope.region, "vpc": scope.subject}

    def json(self) -> dict[str, Any]:
        """Give it as one JSON document."""
        return {**self.where, "observed_at": format_iso(self.observed_at), **self.record}

    def rows(self) -> Iterator[dict[str, Any]]:
        """Give one row a cell."""
        for subnet in self.record["subnets"]:
            row = list_row_answers(self.record, subnet["id"])
            for service, answer in zip(self.record["services"], row, strict=True):
                yield {
                    **self.where,
                    "subnet": subnet["id"],
                    "name": subnet["name"],
                    "zone": subnet["zone"],
                    "service": service["short"],
                    "outcome": answer["outcome"],
                    "summary": answer["summary"],
                }


def draw_matrices(matrices: Sequence[Matrix]) -> None:
    """Draw matrices on standard output, one a VPC, and the legend once."""
    console = open_stdout()
    seen: Counter[str] = Counter()
    for matrix in matrices:
        seen.update(row["outcome"] for row in matrix.rows())
        _one(console, matrix)
    if seen:
        console.print(_legend(seen))


def _one(console: Console, matrix: Matrix) -> None:
    scope, seen = matrix.scope, format_iso(matrix.observed_at)
    console.print(Text(f"{scope.subject}  {scope.account} {scope.region}, seen {seen}", "bold"))
    services = matrix.record["services"]
    if not matrix.record["subnets"] or not services:
        console.print(Text("  no subnets, or no services to reach\n"))
        return
    for columns in _chunks(services, console.width - _width_of_rows(matrix)):
        console.print(_grid(matrix, columns))
    for line in _reasons(matrix):
        console.print(line)
    for operation, reason in matrix.record.get("unreadable", {}).items():
        console.print(Text(f"  {operation} could not be read: {printable(reason)}", "magenta"))
    console.print()


def _grid(matrix: Matrix, columns: Sequence[int]) -> Table:
    grid = Table(box=SIMPLE_HEAD, pad_edge=False)
    grid.add_column("SUBNET", no_wrap=True)
    grid.add_column("ZONE", no_wrap=True)
    for number in columns:
        grid.add_column(make_printable(matrix.record["services"][number]["short"]), no_wrap=True)
    for subnet in matrix.record["subnets"]:
        row = list_row_answers(matrix.record, subnet["id"])
        grid.add_row(_label(subnet), subnet["zone"], *(_cell(row[each]) for each in columns))
    return grid


def _label(subnet: Mapping[str, Any]) -> str:
    return f"{subnet['id']} {printable(subnet['name'])}".rstrip()


def _cell(answer: Mapping[str, Any]) -> Text:
    outcome = answer["outcome"]
    return Text(outcome, LEGEND.get(outcome, ("", ""))[0])


def _width_of_rows(matrix: Matrix) -> int:
    subnets = matrix.record["subnets"]
    labels = max(len(_label(each)) for each in subnets)
    return labels + max(len(each["zone"]) for each in subnets) + 2 * GAP


def _chunks(services: Sequence[Mapping[str, Any]], width: int) -> Iterator[list[int]]:
    """Give the columns that fit side by side, at least one at a time."""
    widest = max(map(len, LEGEND))
    chunk: list[int] = []
    used = 0
    for number, service in enumerate(services):
        needed = max(widest, len(service["short"])) + GAP
        if chunk and used + needed > width:
            yield chunk
            chunk, used = [], 0
        chunk.append(number)
        used += needed
    yield chunk


def _reasons(matrix: Matrix) -> Iterator[Text]:
    """Say once, for all the subnets it holds for, why a service is not simply private."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for row in matrix.rows():
        if row["outcome"] not in WELL:
            key = row["service"], row["outcome"], row["summary"]
            found.setdefault(key, []).append(row["subnet"])
    for (service, outcome, summary), subnets in found.items():
        line = Text(f"  {printable(service)} from {_some(subnets)}: ")
        line.append(outcome, LEGEND.get(outcome, ("", ""))[0])
        yield line.append(f", {printable(summary)}")


def _some(subnets: Sequence[str]) -> str:
    named = ", ".join(subnets[:NAMED])
    return named if len(subnets) <= NAMED else f"{named} and {len(subnets) - NAMED} more"


def _legend(seen: Mapping[str, int]) -> Text:
    lines = (
        Text.assemble((f"{outcome:>13}", style), f"  {meaning} ({seen[outcome]})")
        for outcome, (style, meaning) in LEGEND.items()
        if seen.get(outcome)
    )
    return Text("\n").join(lines)


def flat(matrices: Iterable[Matrix]) -> list[dict[str, Any]]:
    """Give every cell of several matrices as a record."""
    return [row for matrix in matrices for row in matrix.rows()]
