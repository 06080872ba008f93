"""Writes a comparison as a table, Markdown, JSON, SARIF or JUnit XML."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

from rich.text import Text

from posture.rules.rule_catalogue import RULES_BY_ID
from posture_cli.comparison.compare import Comparison, ScopeComparison
from posture_cli.comparison.records import (
    PATH_LOST,
    build_changed_rows,
    build_charge_rows,
    build_comparison_record,
    build_finding_rows,
    build_path_rows,
    build_route_rows,
    format_dollars,
    list_passes,
    list_worse_verdicts,
)
from posture_cli.console import open_stdout, print_note
from posture_cli.interchange.junit import build_junit
from posture_cli.interchange.sarif import build_sarif
from posture_cli.options import Output
from posture_cli.render.records import escape_markdown, write_json, write_records
from posture_cli.text import make_printable

OUTPUTS = (Output.TABLE, Output.JSON, Output.MARKDOWN, Output.SARIF, Output.JUNIT)
FINDINGS = ("severity", "status", "rule", "summary")
CHANGED = ("rule", "before", "after", "summary")
PATHS = ("service", "subnets", "before", "after", "lost")
ROUTES = ("subnets", "routes")
CHARGES = ("resource", "before", "after", "assumes")

Section = tuple[str, list[dict[str, Any]], Sequence[str]]


def write_comparison(comparison: Comparison, output: Output) -> None:
    """Write a comparison to standard output, and what it comes to in one line on standard error.

    SARIF holds what becomes worse, so that code scanning marks a pull request with nothing else.
    JUnit XML also holds what passes.
    """
    if output is Output.JSON:
        write_json(build_comparison_record(comparison))
    elif output is Output.SARIF:
        rules = {**RULES_BY_ID, PATH_LOST.id: PATH_LOST}
        write_json(build_sarif(list_worse_verdicts(comparison), rules))
    elif output is Output.JUNIT:
        found = [*list_worse_verdicts(comparison), *list_passes(comparison)]
        sys.stdout.write(build_junit(found))
    else:
        for each in comparison.scopes:
            _write_scope(each, output)
        for note in _list_notes(comparison):
            _write_line(note, output)
    print_note(summarize(comparison))


def summarize(comparison: Comparison) -> str:
    """Summarize a comparison in one line."""
    effects = [each.effect for each in comparison.scopes]
    counts = {
        "opened": sum(len(each.opened) for each in effects),
        "resolved": sum(len(each.resolved) for each in effects),
        "worse": sum(len(each.worsened) for each in effects),
    }
    lost = sum(len(each.lost_cells) + len(each.lost_routes) for each in effects)
    findings = ", ".join(f"{number} {what}" for what, number in counts.items())
    result = "worse" if comparison.is_worse else "nothing becomes worse"
    changed, same = len(comparison.scopes), comparison.unchanged
    return (
        f"{result}: findings {findings}; paths lost {lost}; "
        f"VPCs and endpoint services changed {changed}, unchanged {same}"
    )


def _list_notes(comparison: Comparison) -> Iterator[str]:
    if not comparison.scopes:
        yield "No VPC or endpoint service changes."
    for scope in comparison.exempt:
        yield f"{scope} is exempt by the baseline and was not compared."
    yield from comparison.notes


def _write_scope(it: ScopeComparison, output: Output) -> None:
    result = "worse" if it.is_worse else "nothing becomes worse"
    place = f"{it.scope.account} {it.scope.region}"
    _write_heading(f"{it.scope.subject} ({place}), {it.kind}: {result}", output, level=2)
    for heading, rows, columns in _list_sections(it):
        if rows:
            _write_heading(f"{heading} ({len(rows)})", output, level=3)
            write_records(rows, columns, output)
            _write_line("", output)
    charges = it.charges
    if charges.changed or charges.unknown:
        before, after = format_dollars(charges.before), format_dollars(charges.after)
        prices = " and ".join(charges.prices)
        source = f" (us-east-1 list prices, {prices}; charges for data are not included)"
        _write_line(
            f"Charges: {before} before, {after} USD a month after{source if prices else ''}.",
            output,
        )
    for unknown in charges.unknown:
        _write_line(f"Not in the charges: {unknown}.", output)
    if not any(rows for _, rows, _ in _list_sections(it)):
        _write_line("No finding and no path differs.", output)
    _write_line("", output)


def _list_sections(it: ScopeComparison) -> Iterator[Section]:
    effect = it.effect
    yield "Findings opened", build_finding_rows(it, effect.opened), FINDINGS
    yield "Findings resolved", build_finding_rows(it, effect.resolved), FINDINGS
    yield "Findings changed", list(build_changed_rows(it)), CHANGED
    yield "Paths changed", list(build_path_rows(it)), PATHS
    yield "Other routes lost", list(build_route_rows(it)), ROUTES
    yield "Charges changed, in USD a month", list(build_charge_rows(it.charges)), CHARGES


def _write_heading(text: str, output: Output, level: int) -> None:
    if output is Output.MARKDOWN:
        sys.stdout.write(f"{'#' * level} {escape_markdown(make_printable(text))}\n\n")
    else:
        open_stdout().print(Text(make_printable(text), "bold" if level == 2 else "underline"))  # noqa: PLR2004


def _write_line(text: str, output: Output) -> None:
    line = make_printable(text)
    if output is Output.MARKDOWN:
        sys.stdout.write(f"{escape_markdown(line)}\n" + ("\n" if line else ""))
    else:
        open_stdout().print(line)
