"""`posture report`: writes the posture as one HTML page."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

from posture_cli.audit.actor_options import ActorOptions
from posture_cli.audit.finding_filter import FindingFilter
from posture_cli.audit.no_match import choose_scopes, require_match
from posture_cli.audit.open_stacks import OpenStacks, open_stacks
from posture_cli.command import CommandGroup
from posture_cli.console import open_stderr, print_note
from posture_cli.options import (
    AllTableOptions,
    AsOfOption,
    ScopeOptions,
    StacksOptions,
    option,
)
from posture_cli.report.collect import ReportPeriod
from posture_cli.report.page import render_report
from posture_cli.report.report_data import read_report_data

app = CommandGroup()


@app.add(
    "posture report --html posture.html",
    "posture report --html q3.html --as-of 2026-09-30 --days 92",
    "posture report --html payments.html --vpc vpc-0123456789abcdef0",
    "posture report --html alice.html --actor alice --as opener",
    "posture report --html all.html --region eu-west-1 --region us-east-1",
    "posture report --html all.html --region all",
)
def report(
    *,
    html: Annotated[Path, option("FILE", "The file to write.")],
    days: Annotated[int, option("NUMBER", "The length of the trend.", min=1, max=3650)] = 90,
    as_of: AsOfOption = None,
    scopes: ScopeOptions,
    actors: ActorOptions,
    where: StacksOptions,
    tables: AllTableOptions,
) -> None:
    """Write the posture as one self-contained HTML page, for managers, auditors and engineers.

    The page has the headline and the trend; the findings with search, filters, order, evidence,
    who opened and resolved them, and remediation; downloads of what it shows as CSV and JSON; the
    paths of each VPC as a table and a drawing; controls; waivers; and whether the history was
    altered. It loads nothing from the network. With --as-of it shows the findings of that time,
    without paths, because the monitor stores only the latest ones.

    --actor lists only the findings that someone opened, resolved or changed, or can have; the
    counts are those of all. A stack monitors one Region: repeat --region, or give --region all, for
    one page of several stacks, with totals for each Region. The page names those that cannot be
    read, and no control passes then.

    Exit code: 0 when the page is written, 2 on error, 4 when it is written and one of several
    stacks could not be read.
    """
    stacks = open_stacks(where, tables.all_named())
    wanted = FindingFilter(**vars(scopes), **vars(actors))
    chosen = choose_scopes(stacks, wanted)
    with open_stderr().status("reading findings, history and paths") as status:
        total = sum(len(listed) for _, listed in chosen)
        until = min(as_of or datetime.now(UTC), datetime.now(UTC))
        period = ReportPeriod(until - timedelta(days=days), until, latest=as_of is None)
        account = f"account {scopes.account}" if scopes.account else None
        subject = ", ".join(filter(None, (account, scopes.vpc))) or _name_stacks(stacks)
        by = f"findings of {actors.actor.text} as {actors.role}" if actors.actor else None
        title = ", ".join(filter(None, (subject, by)))
        data = read_report_data(
            stacks,
            chosen,
            title,
            period,
            progress=lambda done: status.update(f"read {done} of {total} scopes"),
            is_listed=actors.matches,
        )
        data.observed.require_begun(until)
        if actors.actor and not data.findings.rows:
            require_match((), wanted, stacks)
        with html.open("w", encoding="utf-8") as file:
            file.writelines(render_report(data))
    print_note(f"wrote {html}")
    stacks.finish(found=False, verbose=tables.verbose)


def _name_stacks(stacks: OpenStacks) -> str:
    names = sorted({it.stack for it in stacks.opened} | {it.stack for it in stacks.unread})
    return f"stack{'s' * (len(names) > 1)} {', '.join(names)}"
