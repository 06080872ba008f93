"""`posture controls`: counts what passes and fails each control of published frameworks."""

import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain, groupby
from typing import Annotated

import typer

from posture.model.scope import Region, Scope
from posture.rules.control_counts import (
    CONTROLS,
    ControlCount,
    ControlTally,
    ScopeOutcome,
    build_control_record,
    list_outcomes,
)
from posture.rules.controls import Control
from posture_cli import options
from posture_cli.audit.controls import (
    ScopeResult,
    build_access_shortcoming,
    read_past_results,
    read_results,
)
from posture_cli.audit.finding_filter import FindingFilter
from posture_cli.audit.no_match import choose_scopes
from posture_cli.audit.observed import EXPECTED, format_instant
from posture_cli.audit.open_stacks import OpenStacks, open_stacks
from posture_cli.audit.open_tables import OpenTables
from posture_cli.command import CommandGroup
from posture_cli.console import print_note
from posture_cli.options import Output, option
from posture_cli.render.records import escape_markdown, write_records
from posture_cli.suggest import suggest

COLUMNS = ("framework", "id", "state", "passed", "failed", "waived", "not_evaluated")
CSV_COLUMNS = (*COLUMNS, "unknown", "unrecorded", "out_of_scope", "rules", "text", "source")
SCOPE_COLUMNS = ("framework", "id", "outcome", "scope")
MAPPING_COLUMNS = ("framework", "id", "rules", "text")
DECIDED = frozenset({ScopeOutcome.PASSED, ScopeOutcome.WAIVED, ScopeOutcome.OUT_OF_SCOPE})

INTRODUCTION = """# Controls

Which rules help to show which control of a published framework, and the page that gives the line.
`make docs` generates this page from `posture.rules.controls`; `make check` fails when it is out of
date. `posture controls` counts the VPCs and endpoint services that pass and fail each.

A rule is mapped to a control only where a published text gives the line: the words of the control
ask for what the rule checks, or AWS Security Hub relates its own check of the same fact to it. A
rule written `RULE/SERVICE` counts only for the endpoint of that AWS service. A control that passes
is not proven to be met: each requires more than private paths to AWS services.

The CIS AWS Foundations Benchmark is not among them: none of its
[recommendations](https://docs.aws.amazon.com/securityhub/latest/userguide/cis-aws-foundations-benchmark.html)
is about endpoints.
"""

app = CommandGroup()


@app.add(
    "posture controls",
    'posture controls --framework "PCI DSS"',
    "posture controls --framework FedRAMP --output csv > controls.csv",
    "posture controls --control EC2.57 --scopes",
    "posture controls --region all --output csv > controls.csv",
    "posture controls --as-of 2026-09-30 --account 111122223333",
    "posture controls --mapping --output json",
)
def controls(
    *,
    framework: Annotated[
        str | None, option("NAME", "A framework: its name or a part of it.")
    ] = None,
    control: Annotated[
        str | None, option("ID", "The number of a control, as in EC2.57 or SC-7.")
    ] = None,
    by_scope: Annotated[
        bool, typer.Option("--scopes", help="List each VPC and endpoint service with its outcome.")
    ] = False,
    mapping: Annotated[
        bool,
        typer.Option("--mapping", help="Show the rules, text and source of each; read no stack."),
    ] = False,
    stacks_at: options.StacksOptions,
    scopes: options.ScopeOptions,
    as_of: options.AsOfOption = None,
    tables: options.FindingTableOptions,
    output: options.OutputOption = Output.TABLE,
) -> None:
    """Count the scopes that pass and fail each control, and those that were not evaluated for it.

    A scope is a VPC, an endpoint service, or a Region of an account. It counts once for each
    control that concerns it, by its worst result. The state of a control is fail if one scope
    fails; not evaluated if one could not be decided; waived if the only failures are accepted by
    waivers; otherwise pass.

    Not evaluated are scopes of which a fact could not be read or decided (unknown), of which only
    failures are stored (unrecorded: every time before the latest evaluation), and which have
    nothing that the control is about (out_of_scope: the baseline does not require the service, for
    example). JSON and CSV show the three numbers.

    A control that passes is not proven to be met: each requires more than private paths. With
    --mapping, JSON and CSV name the page that gives each line.

    Repeat --region, or give --region all, to count the scopes of several stacks. A Region whose
    stack cannot be read counts as unknown for every control, so that none of them passes.

    Exit code: 0 when no control fails and every scope could be decided, 1 otherwise, 2 on error, 4
    when one of several stacks could not be read.
    """
    chosen = _choose(framework, control)
    if mapping:
        _write_mapping(chosen, output)
        return
    named = tables.named("findings", "history") if as_of else tables.named("findings")
    stacks = open_stacks(stacks_at, named)
    listed = choose_scopes(stacks, FindingFilter(**vars(scopes)))
    observed = stacks.read_period(listed, as_of, as_of) if as_of else None
    if observed:
        observed.require_begun(observed.until)
    listed = [each for each in listed if each[0] in stacks.opened]
    read = stacks.read_each(
        listed, lambda it, found: [*_read(it, found, as_of)], "reading findings"
    )
    stacks.require_any()
    results = [*chain.from_iterable(read), *_count_unread(stacks)]
    tally = ControlTally()
    for it in results:
        tally.add(it.scope, it.bad, it.passed)
    results += [ScopeResult(scope, (), passed) for scope, passed in tally.list_regions()]
    if by_scope:
        decided = _write_scopes(results, chosen, output)
    else:
        decided = _write([it for it in tally.count() if it.control in chosen], output)
    print_note(f"{len(results)} {'scope was' if len(results) == 1 else 'scopes were'} counted")
    if observed and as_of:
        print_note(observed.describe())
        print_note(f"which checks passed at {format_instant(as_of)} is not stored")
    elif old := [it for it in results if it.observed_at and it.observed_at < _yesterday()]:
        last = min(it.observed_at for it in old if it.observed_at)
        number = "1 scope was" if len(old) == 1 else f"{len(old)} scopes were"
        print_note(
            f"{number} not observed for a day or more, the oldest since {format_instant(last)}"
        )
    stacks.finish(found=not decided, verbose=tables.verbose)


def _count_unread(stacks: OpenStacks) -> Iterator[ScopeResult]:
    """Count a Region whose stack was not read as one that the monitor could not read."""
    for name in sorted({each.region for each in stacks.unread}):
        scope = Region(stacks.account, name).scope
        yield ScopeResult(scope, (build_access_shortcoming(stacks.account),), None)


def _read(
    tables: OpenTables, scopes: Sequence[Scope], as_of: datetime | None
) -> Iterator[ScopeResult]:
    return read_past_results(tables, scopes, as_of) if as_of else read_results(tables, scopes)


def _choose(framework: str | None, number: str | None) -> Sequence[Control]:
    """Return the controls to show.

    Raises:
        BadParameter: There is no such framework or control.
    """
    named = [it for it in CONTROLS if _squash(framework or "") in _squash(it.framework)]
    if not named:
        known = suggest(framework or "", (it.framework for it in CONTROLS))
        raise typer.BadParameter(f"no framework is named {framework!r}{known}")
    wanted = (number or "").casefold()
    found = [it for it in named if wanted in {"", it.id.casefold(), str(it).casefold()}]
    if not found:
        known = suggest(number or "", (it.id for it in named))
        raise typer.BadParameter(f"no control is numbered {number!r}{known}")
    return found


def _squash(name: str) -> str:
    return "".join(filter(str.isalnum, name.casefold()))


def _yesterday() -> datetime:
    return datetime.now(UTC) - EXPECTED


def _write(counts: Sequence[ControlCount], output: Output) -> bool:
    """Write the counts; return whether nothing failed and everything was decided."""
    write_records(map(build_control_record, counts), COLUMNS, output, CSV_COLUMNS)
    outcomes = (it for each in counts for it, number in each.scopes.items() if number)
    return all(outcome in DECIDED for outcome in outcomes)


def _write_scopes(
    results: Sequence[ScopeResult], chosen: Sequence[Control], output: Output
) -> bool:
    """Write each scope's outcome for each control; return as `_write`."""
    outcomes = sorted(
        (order, str(it.scope), control, outcome)
        for it in results
        for control, outcome in list_outcomes(it.scope, it.bad, it.passed)
        if control in chosen
        for order in [chosen.index(control)]
    )
    records = (
        {"framework": it.framework, "id": it.id, "outcome": outcome.value, "scope": scope}
        for _, scope, it, outcome in outcomes
    )
    write_records(records, SCOPE_COLUMNS, output)
    return all(outcome in DECIDED for *_, outcome in outcomes)


def _write_mapping(chosen: Sequence[Control], output: Output) -> None:
    if output is Output.MARKDOWN:
        sys.stdout.write(format_controls_page(chosen))
        return
    records = (
        {
            "framework": each.framework,
            "id": each.id,
            "rules": [str(check) for check in CONTROLS[each]],
            "text": each.text,
            "source": each.source,
        }
        for each in chosen
    )
    write_records(records, MAPPING_COLUMNS, output, (*MAPPING_COLUMNS, "source"))


def format_controls_page(chosen: Sequence[Control]) -> str:
    """Format the page about controls, with one section per framework."""
    lines = [INTRODUCTION]
    for framework, members in groupby(chosen, key=lambda control: control.framework):
        lines += [f"## {framework}", "", "| control | text | rules |", "| --- | --- | --- |"]
        for each in members:
            rules = ", ".join(f"`{check}`" for check in CONTROLS[each])
            text = f"{escape_markdown(each.text)} ([source]({each.source}))"
            lines.append(f"| {each.id} | {text} | {rules} |")
        lines.append("")
    return "\n".join(lines)
