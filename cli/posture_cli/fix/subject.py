"""Finds what `posture fix` is to fix: a recorded finding, or one of a scan."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

from posture.baseline.document import BaselineDocument
from posture.ec2.observer import Observer
from posture.edits.command_line import parse_command
from posture.edits.state import SHARED_HANDLERS
from posture.model.finding import Finding, FindingStatus, finding_id
from posture.model.scope import Scope
from posture_cli.audit.open_tables import OpenTables
from posture_cli.failure import CommandError
from posture_cli.fix.network import Network, evaluate_network
from posture_cli.live import UnreadableServices, collect_endpoint_services, collect_vpcs
from posture_cli.survey import SharedSnapshot


@dataclass(frozen=True, slots=True)
class Subject:
    """A finding to fix, by its rule and resource; `recorded` where a monitor recorded it."""

    scope: Scope
    rule: str
    resource: str
    recorded: Finding | None = None

    @property
    def id(self) -> str:
        """The id that the finding has where it is recorded."""
        return finding_id(self.scope, self.rule, self.resource)

    def __str__(self) -> str:
        return f"{self.rule} on {self.resource} in {self.scope}"


def find_recorded(tables: OpenTables, id_: str) -> Subject:
    """Find a recorded finding by its id, as it is now.

    Raises:
        CommandError: There is none.
    """
    entries = tuple(tables.history.find_by("id", id_))
    if not entries:
        raise CommandError(f"there is no finding {id_}")
    last = entries[-1].transition.finding
    finding = tables.findings.find(last.scope, last.rule, last.resource) or last
    return Subject(finding.scope, finding.rule, finding.resource, finding)


def require_command(finding: Finding) -> str:
    """Return the proven command of a finding.

    Raises:
        CommandError: It is waived, or has none.
    """
    if finding.status is FindingStatus.WAIVED:
        raise CommandError(
            f"{finding.id} is waived: the risk is accepted (posture waiver list); nothing was "
            "applied. Revoke the waiver to fix it."
        )
    remedy = finding.verdict.remediation
    if remedy is None or not remedy.command or not remedy.verified:
        advice = f": {remedy.text}" if remedy and remedy.text else ""
        raise CommandError(
            f"{finding.id} has no proven command; nothing was applied{advice} To look for one on "
            f"the network as it is now: posture fix --live {finding.rule}/{finding.resource} "
            f"--region {finding.scope.region} --dry-run"
        )
    return remedy.command


def refuse_shared(finding: Finding, command: str) -> None:
    """Refuse a command that changes what VPCs share, or runs in another account.

    Raises:
        CommandError: It does.
    """
    edits = parse_command(command)
    if "--profile" in command or any(type(each) in SHARED_HANDLERS for each in edits):
        raise CommandError(
            f"the remediation of {finding.id} changes the network that VPCs share, or runs in "
            "another account; nothing was applied. Run it in the accounts that it names: "
            f"{command}. To prove it now: posture fix --live {finding.rule}/{finding.resource} "
            f"--region {finding.scope.region} --vpc {finding.scope.subject} --shared-network --org "
            "--dry-run"
        )


def find_live(
    observer: Observer, text: str, document: BaselineDocument, vpc: str | None
) -> tuple[Subject, Network]:
    """Find a finding of a scan, as RULE/RESOURCE, and the network that has it.

    Raises:
        CommandError: No VPC or endpoint service has it, or several have.
    """
    services = () if vpc else collect_endpoint_services([observer])
    snapshots = chain(collect_vpcs([observer], [vpc] if vpc else ()), services)
    evaluated = (
        evaluate_network(each, document)
        for each in snapshots
        if not isinstance(each, UnreadableServices)
    )
    return _choose(evaluated, text, vpc or observer.region.name)


def find_shared(
    pairs: Iterable[SharedSnapshot],
    account: str,
    text: str,
    document: BaselineDocument,
    vpc: str | None,
) -> tuple[Subject, Network]:
    """Find a finding of a scan in an account's own VPCs, read with what they share.

    Raises:
        CommandError: No VPC has it, or several have.
    """
    evaluated = (
        evaluate_network(snapshot, document, shared)
        for snapshot, shared in pairs
        if snapshot.scope.account == account and vpc in {None, snapshot.vpc.id}
    )
    return _choose(evaluated, text, vpc or f"the VPCs of account {account}")


def _choose(evaluated: Iterable[Network | None], text: str, where: str) -> tuple[Subject, Network]:
    rule, _, resource = text.partition("/")
    found = [
        each
        for each in evaluated
        if each and (each.find_bad(rule, resource) or each.find_good(rule, resource))
    ]
    bad = [each for each in found if each.find_bad(rule, resource)] or found
    if not bad:
        raise CommandError(
            f"{rule} has no result on {resource} in {where}; posture scan lists what there is"
        )
    if len(bad) > 1:
        several = ", ".join(each.scope.subject for each in bad)
        raise CommandError(f"{rule} concerns {resource} in {several}: choose one with --vpc")
    return Subject(bad[0].scope, rule, resource), bad[0]
