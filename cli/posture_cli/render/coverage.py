"""Prints coverage matrices: one row per subnet, one column per service, and the reasons below."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from posture.analysis.matrix import list_row_answers
from posture.analysis.path_outcome import PathOutcome
from posture.model.instant import format_iso
from posture_cli.audit.open_stacks import UnreadStack
from posture_cli.audit.open_tables import VpcMatrix
from posture_cli.console import open_stdout
from posture_cli.render.stack_records import describe_unread
from posture_cli.text import make_printable

CSV_COLUMNS = (
    "account", "region", "vpc", "subnet", "name", "zone", "service", "outcome", "summary",
)  # fmt: skip

# The colour and the meaning of each outcome, from good to bad.
LEGEND: Mapping[str, tuple[str, str]] = {
    PathOutcome.PRIVATE: ("green", "reaches an endpoint"),
    PathOutcome.BY_SECURITY_GROUP: (
        "green",
        "reaches an endpoint only from certain security groups",
    ),
    PathOutcome.PARTLY: ("yellow", "part of the traffic reaches an endpoint, part does not"),
    PathOutcome.BLOCKED: (
        "red",
        "is blocked on the way to an endpoint, or its names do not resolve",
    ),
    PathOutcome.INTERNET: ("red", "is routed to an internet gateway or NAT gateway"),
    PathOutcome.OTHER_NETWORK: ("cyan", "is routed to another network or an appliance"),
    PathOutcome.NO_ROUTE: ("bright_black", "has no route or is dropped"),
    PathOutcome.UNKNOWN: ("magenta", "is not known"),
}
NAMED = 4  # subnets that a line names
GAP = 3  # characters between two columns of the table


def build_coverage_document(matrix: VpcMatrix) -> dict[str, Any]:
    """Build one JSON document."""
    observed_at = format_iso(matrix.observed_at)
    return {**_name_vpc(matrix), "observed_at": observed_at, **matrix.record}


def build_coverage_rows(matrix: VpcMatrix) -> Iterator[dict[str, Any]]:
    """Build one record for each subnet and service."""
    for subnet in matrix.record["subnets"]:
        row = list_row_answers(matrix.record, subnet["id"])
        for service, answer in zip(matrix.record["services"], row, strict=True):
            yield {
                **_name_vpc(matrix),
                "subnet": subnet["id"],
                "name": subnet["name"],
                "zone": subnet["zone"],
                "service": service["short"],
                "outcome": answer["outcome"],
                "summary": answer["summary"],
            }


def build_unread_document(unread: UnreadStack, account: str) -> dict[str, Any]:
    """Build the JSON document that stands for the VPCs of a stack that was not read."""
    return {
        "account": account,
        "region": unread.region,
        "vpc": None,
        "observed_at": None,
        "name": "",
        "services": [],
        "subnets": [],
        "answers": [],
        "cells": {},
        "unreadable": {f"stack {unread.stack}": unread.reason},
    }


def build_unread_row(unread: UnreadStack, account: str) -> dict[str, Any]:
    """Build the record that stands for the paths of a stack that was not read: unknown."""
    return {
        "account": account,
        "region": unread.region,
        "outcome": PathOutcome.UNKNOWN.value,
        "summary": f"{describe_unread(unread)}: {unread.reason}",
    }


def _name_vpc(matrix: VpcMatrix) -> dict[str, str]:
    scope = matrix.scope
    return {"account": scope.account, "region": scope.region, "vpc": scope.subject}


def draw_matrices(matrices: Sequence[VpcMatrix], unread: Sequence[UnreadStack] = ()) -> None:
    """Print each matrix, the stacks that were not read, and one legend for all."""
    console = open_stdout()
    counts: Counter[str] = Counter()
    for matrix in matrices:
        counts.update(row["outcome"] for row in build_coverage_rows(matrix))
        _draw_matrix(console, matrix)
    for each in unread:
        console.print(Text(f"{describe_unread(each)}: {make_printable(each.reason)}\n", "magenta"))
    legend = (
        Text.assemble((f"{outcome:>17}", style), f"  {meaning} ({counts[outcome]})")
        for outcome, (style, meaning) in LEGEND.items()
        if counts[outcome]
    )
    if counts:
        console.print(Text("\n").join(legend))


def _draw_matrix(console: Console, matrix: VpcMatrix) -> None:
    scope, at = matrix.scope, format_iso(matrix.observed_at)
    console.print(Text(f"{scope.subject}  {scope.account} {scope.region}, observed {at}", "bold"))
    services = matrix.record["services"]
    if not matrix.record["subnets"] or not services:
        console.print(Text("  no subnets or no services\n"))
        return
    subnets = matrix.record["subnets"]
    used = max(len(_label(each)) for each in subnets) + max(len(each["zone"]) for each in subnets)
    for columns in _split_columns(services, console.width - used - 2 * GAP):
        console.print(_build_grid(matrix, columns))
    for line in _list_hubs(matrix):
        console.print(line)
    for line in _reasons(matrix):
        console.print(line)
    for operation, reason in matrix.record.get("unreadable", {}).items():
        console.print(Text(f"  {operation} could not be read: {make_printable(reason)}", "magenta"))
    console.print()


def _build_grid(matrix: VpcMatrix, columns: Sequence[int]) -> Table:
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
    return f"{subnet['id']} {make_printable(subnet['name'])}".rstrip()


def _cell(answer: Mapping[str, Any]) -> Text:
    outcome = answer["outcome"]
    return Text(outcome, LEGEND.get(outcome, ("", ""))[0])


def _split_columns(services: Sequence[Mapping[str, Any]], width: int) -> Iterator[list[int]]:
    """Split the services into groups that fit side by side."""
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


def _list_hubs(matrix: VpcMatrix) -> Iterator[Text]:
    """Format which services have their endpoints in other VPCs: a line for each of those."""
    hubs: dict[tuple[str, str], dict[str, None]] = {}
    for subnet in matrix.record["subnets"]:
        row = list_row_answers(matrix.record, subnet["id"])
        for service, answer in zip(matrix.record["services"], row, strict=True):
            for path in answer.get("central", ()):
                hubs.setdefault((path["vpc"], path["account"]), {})[service["short"]] = None
    for (vpc, account), services in hubs.items():
        named = make_printable(", ".join(services))
        yield Text(f"  {named} by endpoints in {vpc} of account {account}")


def _reasons(matrix: VpcMatrix) -> Iterator[Text]:
    """Format why a service is not private: one line for all subnets with the same reason."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for row in build_coverage_rows(matrix):
        if row["outcome"] != PathOutcome.PRIVATE:
            key = row["service"], row["outcome"], row["summary"]
            found.setdefault(key, []).append(row["subnet"])
    for (service, outcome, summary), subnets in found.items():
        more = f" and {len(subnets) - NAMED} more" if len(subnets) > NAMED else ""
        line = Text(f"  {make_printable(service)} from {', '.join(subnets[:NAMED])}{more}: ")
        line.append(outcome, LEGEND.get(outcome, ("", ""))[0])
        yield line.append(f", {make_printable(summary)}")
