"""Proves a remediation on the network as it is now, before and after a person has confirmed it."""

from __future__ import annotations

from posture.errors import PostureError
from posture.model.finding import Finding
from posture.model.instant import format_iso
from posture_cli.console import open_stderr
from posture_cli.failure import CommandError
from posture_cli.fix.case import Case
from posture_cli.fix.network import (
    Network,
    Proposal,
    UnprovenError,
    describe_changes,
    find_proven,
    propose,
)
from posture_cli.fix.subject import require_command


def propose_now(case: Case, network: Network) -> Proposal:
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


def confirm_again(case: Case, proposal: Proposal) -> Proposal:
    """Read the network again, as it may have changed while the question was open.

    Raises:
        CommandError: It changed.
    """
    with open_stderr().status("reading the network again"):
        network = case.read()
        try:
            now = propose_now(case, network)
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
