"""`posture fix`: applies the proven remediation of a finding, after a person has confirmed it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated

import typer

from posture.model.instant import format_iso
from posture_cli import exit_codes, options
from posture_cli.baseline_file import load_baseline
from posture_cli.command import CommandGroup
from posture_cli.console import open_stderr, print_note
from posture_cli.failure import CommandError
from posture_cli.fix.calls import CallFailedError, Made, make_calls
from posture_cli.fix.case import Case, SharedReader, open_live, open_recorded, open_shared
from posture_cli.fix.network import (
    Network,
    Proposal,
)
from posture_cli.fix.proposing import confirm_again, propose_now
from posture_cli.fix.wait import wait_until
from posture_cli.fix.write import Outcome, Result, show_proposal, write_result
from posture_cli.options import Output, argument, option, output_option
from posture_cli.text import make_printable

WAIT = 600  # seconds; CloudTrail delivers most events to EventBridge within minutes

app = CommandGroup()


@app.add(
    "posture fix f-0123456789abcdef0123 --dry-run",
    "posture fix f-0123456789abcdef0123",
    "posture fix f-0123456789abcdef0123 --yes --wait 900 --output json",
    "posture fix --live endpoint-security-group-open/vpce-0123456789abcdef0 \\",
    "    --region eu-west-1 --baseline baseline.yaml",
)
def fix(
    finding: Annotated[
        str,
        argument("FINDING", "The id of a finding, or with --live RULE/RESOURCE of posture scan."),
    ],
    *,
    live_: Annotated[
        bool,
        typer.Option("--live", help="Nothing is deployed: evaluate the network with this command."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be done.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Apply it without a question.")] = False,
    wait: Annotated[int, option("SECONDS", "How long to wait until it is resolved.", min=0)] = WAIT,
    vpc: options.VpcOption = None,
    accounts: options.AccountsOptions,
    shared_network: options.SharedNetworkOption = False,
    baseline: options.BaselineOption = None,
    account_profile: Annotated[
        str | None,
        option("PROFILE", "The AWS profile for the account of the finding, if not the stack's."),
    ] = None,
    where: options.StackOptions,
    tables: options.AllTableOptions,
    output: Annotated[Output, output_option(Output.TABLE, Output.JSON)] = Output.TABLE,
) -> None:
    """Apply the proven remediation of a finding with your own credentials, after you confirm it.

    The network is read now, and the remediation is proven on it again: what it resolves, opens and
    costs is shown. If it is not proven any more, this command says what changed and applies
    nothing. After you confirm, the network is read again; if it changed meanwhile, nothing is
    applied. The calls are made one after the other, and none after one that fails; run the command
    again to continue. Then it waits until the monitor has recorded that the finding is resolved.

    With --live no monitor is needed: FINDING is RULE/RESOURCE of posture scan, --region that of the
    network, and this command evaluates the network again by itself.

    With --live and --shared-network the remediation may concern central endpoints. Calls of another
    account than that of the VPC are never made: the command says in which account each one runs.

    Exit code: 0 when the finding is resolved, 1 when it is not (--dry-run, declined, or not within
    --wait), 2 on error: nothing is proven, or a call failed.
    """
    if not (yes or dry_run or has_terminal()):
        raise CommandError(
            "standard input is not a terminal, so nobody can confirm: use --yes to apply it, or "
            "--dry-run to see it; nothing was applied"
        )
    if live_ and shared_network:
        reader = SharedReader(where.region, account_profile, accounts, vpc, load_baseline(baseline))
        case = open_shared(finding, reader)
    elif accounts.are_given or shared_network:
        raise typer.BadParameter("other accounts are read with --live and --shared-network")
    elif live_:
        case = open_live(finding, where.region, account_profile, vpc, baseline)
    elif vpc or baseline:
        raise typer.BadParameter("--vpc and --baseline are for --live")
    else:
        case = open_recorded(finding, where, tables, account_profile)
    result = _fix(case, dry_run=dry_run, yes=yes, wait=wait, output=output)
    if output is Output.JSON:
        write_result(result)
    if result.outcome is not Outcome.RESOLVED:
        raise typer.Exit(exit_codes.FINDINGS)


def has_terminal() -> bool:
    """Return whether a person can answer a question."""
    return sys.stdin.isatty()


def _fix(case: Case, *, dry_run: bool, yes: bool, wait: int, output: Output) -> Result:
    subject = case.subject
    if case.observer is None and case.reader is None:
        print_note(f"{subject.id} is resolved; nothing was applied")
        return Result(subject, Outcome.RESOLVED)
    with open_stderr().status("reading the network"):
        network = case.network or case.read()
    if not network.find_bad(subject.rule, subject.resource):
        _say_resolved(case, network)
        return Result(subject, Outcome.RESOLVED)
    with open_stderr().status("proving the remediation"):
        proposal = propose_now(case, network)
    if output is Output.TABLE:
        show_proposal(subject, proposal)
    if dry_run:
        print_note("dry run: nothing was applied")
        return Result(subject, Outcome.PROPOSED, proposal)
    if proposal.foreign:
        raise CommandError(
            f"other accounts than {subject.scope.account} make calls of this remediation "
            f"({'; '.join(proposal.foreign)}), and this command has the credentials of one; "
            f"nothing was applied. Run them there: {proposal.remediation.command}"
        )
    if not yes:
        if output is Output.JSON:
            print_note(make_printable(proposal.remediation.command))
        if not typer.confirm(_ask(case, proposal), err=True):
            print_note("declined: nothing was applied")
            return Result(subject, Outcome.DECLINED, proposal)
        proposal = confirm_again(case, proposal)
    made = _apply(case, proposal, output)
    outcome = _wait(case, wait)
    return Result(subject, outcome, proposal, made)


def _ask(case: Case, proposal: Proposal) -> str:
    number = len(proposal.edits)
    calls = f"{number} call{'s' if number > 1 else ''}"
    return f"Apply {calls} in account {case.subject.scope.account}, {case.subject.scope.region}?"


def _say_resolved(case: Case, network: Network) -> None:
    good = network.find_good(case.subject.rule, case.subject.resource)
    why = good.summary if good else f"{case.subject.rule} has no result on it any more"
    later = "; the monitor records it after its next evaluation" if case.tables else ""
    print_note(make_printable(f"the network passes now: {why}; nothing was applied{later}"))


def _apply(case: Case, proposal: Proposal, output: Output) -> list[Made]:
    try:
        with open_stderr().status("applying") as progress:
            made = make_calls(case.open_client, proposal.edits, _tell(progress.update))
    except CallFailedError as error:
        if output is Output.JSON:
            failed = Result(case.subject, Outcome.FAILED, proposal, error.made, error.left)
            write_result(failed)
        raise
    print_note(f"applied: {', '.join(map(str, made))}")
    return made


def _tell(update: Callable[[str], object]) -> Callable[[str], object]:
    return lambda operation: update(f"applying {operation}")


def _wait(case: Case, seconds: int) -> Outcome:
    """Wait until the finding is resolved, and say what became of it."""
    subject = case.subject
    who = "the monitor" if case.tables else "EC2"
    with open_stderr().status(f"waiting for {who}") as progress:
        resolved = wait_until(
            case.is_resolved,
            seconds,
            lambda text: progress.update(f"waiting for {who}: {text}"),
        )
    if resolved:
        print_note(make_printable(_describe_resolved(case)))
        return Outcome.RESOLVED
    bad = case.read().find_bad(subject.rule, subject.resource)
    if bad:
        text = f"not resolved after {seconds} seconds: {bad.summary}"
    else:
        text = (
            f"the network passes now, but the monitor has not recorded it after {seconds} seconds; "
            f"the next sweep does at the latest: posture finding {subject.id}"
        )
    print_note(make_printable(text))
    return Outcome.NOT_RESOLVED


def _describe_resolved(case: Case) -> str:
    it = case.subject
    stored = case.tables.findings.find(it.scope, it.rule, it.resource) if case.tables else None
    if stored is None:
        return f"resolved: {it}"
    cause = f" by {stored.cause.actor}, {stored.cause.event_name}" if stored.cause else ""
    return f"resolved: {it} at {format_iso(stored.updated_at)}{cause}"
