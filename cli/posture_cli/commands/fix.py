"""`posture fix`: applies the proven remediation of a finding, after a person has confirmed it."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import typer

from posture.baseline.document import BaselineDocument
from posture.ec2.observer import Observer
from posture.errors import PostureError
from posture.model.finding import Finding, FindingStatus
from posture.model.instant import format_iso
from posture.store.baselines import BaselineTable
from posture_cli import exit_codes, live, options
from posture_cli.accounts import Caller, find_caller
from posture_cli.audit.open_tables import OpenTables, open_tables
from posture_cli.baseline_file import load_baseline
from posture_cli.command import CommandGroup
from posture_cli.console import open_stderr, print_note
from posture_cli.failure import CommandError
from posture_cli.fix.calls import CallFailedError, Made, make_calls
from posture_cli.fix.network import (
    Network,
    Proposal,
    UnprovenError,
    describe_changes,
    find_proven,
    propose,
    read_network,
)
from posture_cli.fix.subject import (
    Subject,
    find_live,
    find_recorded,
    find_shared,
    refuse_shared,
    require_command,
)
from posture_cli.fix.wait import wait_until
from posture_cli.fix.write import Outcome, Result, show_proposal, write_result
from posture_cli.options import Output, argument, option, output_option, parse_rule
from posture_cli.progress import show_progress
from posture_cli.survey import read_organization
from posture_cli.text import make_printable

FINDING_ID = re.compile(r"f-[0-9a-f]{20}")
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
        reader = _SharedReader(
            where.region, account_profile, accounts, vpc, load_baseline(baseline)
        )
        case = _open_shared(finding, reader)
    elif accounts.are_given or shared_network:
        raise typer.BadParameter("other accounts are read with --live and --shared-network")
    elif live_:
        case = _open_live(finding, where.region, account_profile, vpc, baseline)
    elif vpc or baseline:
        raise typer.BadParameter("--vpc and --baseline are for --live")
    else:
        case = _open_recorded(finding, where, tables, account_profile)
    result = _fix(case, dry_run=dry_run, yes=yes, wait=wait, output=output)
    if output is Output.JSON:
        write_result(result)
    if result.outcome is not Outcome.RESOLVED:
        raise typer.Exit(exit_codes.FINDINGS)


def has_terminal() -> bool:
    """Return whether a person can answer a question."""
    return sys.stdin.isatty()


@dataclass(frozen=True, slots=True)
class _Case:
    """A finding with all that is needed to fix it.

    `tables` are those of the monitor that recorded it; None with --live. `network` is the first
    reading where there was one; `observer` is None where nothing is to be read, or the `reader`
    reads it with the network that VPCs share.
    """

    subject: Subject
    document: BaselineDocument
    observer: Observer | None = None
    network: Network | None = None
    tables: OpenTables | None = None
    reader: _SharedReader | None = None

    def read(self) -> Network:
        """Read the network as it is now."""
        it = self.subject
        if self.reader:
            return self.reader.read(f"{it.rule}/{it.resource}")[1]
        assert self.observer  # noqa: S101 - a case that is resolved reads nothing
        return read_network(self.observer, it.scope, self.document)

    def open_client(self, service: str) -> Any:
        """Open the client of a service in the account and Region of the network."""
        if self.reader:
            return self.reader.open_client(service)
        assert self.observer  # noqa: S101 - as above
        return self.observer.ec2

    def is_resolved(self) -> bool:
        """Return whether the monitor recorded that it is resolved, or a new reading shows it."""
        it = self.subject
        if self.tables is None:
            return self.read().find_bad(it.rule, it.resource) is None
        return _is_resolved(self.tables.findings.find(it.scope, it.rule, it.resource))


def _is_resolved(finding: Finding | None) -> bool:
    return finding is None or finding.status is FindingStatus.RESOLVED


def _open_live(
    text: str, region: str | None, profile: str | None, vpc: str | None, baseline: Path | None
) -> _Case:
    wanted = _parse_subject(text)
    document = load_baseline(baseline)
    with open_stderr().status("reading VPCs"):
        (observer,) = live.open_live_observers([region] if region else (), profile)
        subject, network = find_live(observer, wanted, document, vpc)
    return _Case(subject, document, observer, network)


@dataclass(frozen=True)
class _SharedReader:
    """Reads the VPCs of an account with the network that they share with those of others."""

    region: str | None
    profile: str | None
    accounts: options.AccountsOptions
    vpc: str | None
    document: BaselineDocument

    def read(self, text: str) -> tuple[Subject, Network]:
        """Read all accounts, and find a finding in the caller's own."""
        source = options.SourceOptions(region=[self.region] if self.region else None)
        with show_progress("reading VPCs") as progress:
            pairs = read_organization(source, self.accounts, progress, self.profile)
        return find_shared(pairs, self._caller.account, text, self.document, self.vpc)

    def open_client(self, service: str) -> Any:
        """Open a client with the caller's own credentials."""
        caller = self._caller
        return caller.session.create_client(service, caller.home)

    @cached_property
    def _caller(self) -> Caller:
        return find_caller([self.region] if self.region else (), self.profile)


def _open_shared(text: str, reader: _SharedReader) -> _Case:
    subject, network = reader.read(_parse_subject(text))
    return _Case(subject, reader.document, network=network, reader=reader)


def _parse_subject(text: str) -> str:
    """Return RULE/RESOURCE, with the present id of the rule."""
    rule, slash, resource = text.partition("/")
    if not (rule and slash and resource):
        raise typer.BadParameter(
            f"{text!r} is not RULE/RESOURCE, as posture scan lists them", param_hint="FINDING"
        )
    return f"{parse_rule(rule)}/{resource}"


def _open_recorded(
    id_: str, where: options.StackOptions, tables: options.AllTableOptions, profile: str | None
) -> _Case:
    if not FINDING_ID.fullmatch(id_):
        raise typer.BadParameter(
            f"{id_!r} is not the id of a finding: f- and 20 hexadecimal digits; without a deployed "
            "monitor: --live RULE/RESOURCE",
            param_hint="FINDING",
        )
    named = tables.named("findings", "history", "baseline")
    opened = open_tables(where.stack, where.region, named)
    subject = find_recorded(opened, id_)
    document = BaselineTable(opened.client, opened.tables.baseline).load_current().document
    if _is_resolved(subject.recorded):
        return _Case(subject, document, tables=opened)
    assert subject.recorded  # noqa: S101 - it is open
    refuse_shared(subject.recorded, require_command(subject.recorded))
    (observer,) = live.open_live_observers([subject.scope.region], profile)
    if observer.region.account != subject.scope.account:
        raise CommandError(
            f"{id_} is in account {subject.scope.account}, and the credentials are for "
            f"{observer.region.account}: use --account-profile; nothing was applied"
        )
    return _Case(subject, document, observer, tables=opened)


def _fix(case: _Case, *, dry_run: bool, yes: bool, wait: int, output: Output) -> Result:
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
        proposal = _propose(case, network)
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
        proposal = _confirm_again(case, proposal)
    made = _apply(case, proposal, output)
    outcome = _wait(case, wait)
    return Result(subject, outcome, proposal, made)


def _ask(case: _Case, proposal: Proposal) -> str:
    number = len(proposal.edits)
    calls = f"{number} call{'s' if number > 1 else ''}"
    return f"Apply {calls} in account {case.subject.scope.account}, {case.subject.scope.region}?"


def _say_resolved(case: _Case, network: Network) -> None:
    good = network.find_good(case.subject.rule, case.subject.resource)
    why = good.summary if good else f"{case.subject.rule} has no result on it any more"
    later = "; the monitor records it after its next evaluation" if case.tables else ""
    print_note(make_printable(f"the network passes now: {why}; nothing was applied{later}"))


def _propose(case: _Case, network: Network) -> Proposal:
    """Prove the remediation on the network as it is now.

    Raises:
        UnprovenError: It is not proven; the message says what changed.
    """
    subject = case.subject
    verdict = network.find_bad(subject.rule, subject.resource)
    if verdict is None:
        raise UnprovenError("the finding is resolved on the network as it is now")
    if subject.recorded is None:
        remedy = find_proven(network, verdict)
        if remedy is None:
            advice = verdict.remediation.text if verdict.remediation else "no command is known"
            raise UnprovenError(
                f"no remediation of {subject} is proven; nothing was applied: {advice}"
            )
        command = remedy.command
    else:
        command = require_command(subject.recorded)
    try:
        return propose(network, verdict, command, case.document)
    except PostureError as error:
        if subject.recorded is None:
            raise
        raise UnprovenError(_describe_stale(subject.recorded, network, str(error))) from error


def _describe_stale(recorded: Finding, network: Network, problem: str) -> str:
    """Describe why a recorded remediation is not proven any more, and what changed."""
    verdict = network.find_bad(recorded.rule, recorded.resource)
    changes = "; ".join(describe_changes(recorded.verdict, verdict)) if verdict else ""
    another = find_proven(network, verdict) if verdict else None
    text = (
        f"the remediation of {recorded.id} is not proven any more on the network as it is now; "
        f"nothing was applied: {problem}"
    )
    if changes:
        text += f". Changed since {format_iso(recorded.updated_at)}: {changes}"
    if another and recorded.scope.vpc_id:
        text += (
            f". Another one is proven now: posture fix --live {recorded.rule}/{recorded.resource} "
            f"--region {recorded.scope.region} --vpc {recorded.scope.subject}"
        )
    return text


def _confirm_again(case: _Case, proposal: Proposal) -> Proposal:
    """Read the network again, as it may have changed while the question was open.

    Raises:
        CommandError: It changed.
    """
    with open_stderr().status("reading the network again"):
        network = case.read()
        try:
            now = _propose(case, network)
        except PostureError as error:
            raise CommandError(
                f"the network changed while the question was open: {error}"
            ) from error
    if not proposal.is_same(now):
        raise CommandError(
            "the network changed while the question was open; nothing was applied. Run the "
            "command again to see what the remediation does now"
        )
    return now


def _apply(case: _Case, proposal: Proposal, output: Output) -> list[Made]:
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


def _wait(case: _Case, seconds: int) -> Outcome:
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


def _describe_resolved(case: _Case) -> str:
    it = case.subject
    stored = case.tables.findings.find(it.scope, it.rule, it.resource) if case.tables else None
    if stored is None:
        return f"resolved: {it}"
    cause = f" by {stored.cause.actor}, {stored.cause.event_name}" if stored.cause else ""
    return f"resolved: {it} at {format_iso(stored.updated_at)}{cause}"
