"""A finding with all that is needed to fix it, and the ways to open one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import typer

from posture.baseline.document import BaselineDocument
from posture.ec2.observer import Observer
from posture.model.finding import Finding, FindingStatus
from posture.store.baselines import BaselineTable
from posture_cli import live, options
from posture_cli.accounts import Caller, find_caller
from posture_cli.audit.open_tables import OpenTables, open_tables
from posture_cli.baseline_file import load_baseline
from posture_cli.console import open_stderr
from posture_cli.failure import CommandError
from posture_cli.fix.network import Network, read_network
from posture_cli.fix.subject import (
    Subject,
    find_live,
    find_recorded,
    find_shared,
    refuse_shared,
    require_command,
)
from posture_cli.options import parse_rule
from posture_cli.progress import show_progress
from posture_cli.survey import read_organization

FINDING_ID = re.compile(r"f-[0-9a-f]{20}")


@dataclass(frozen=True, slots=True)
class Case:
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
    reader: SharedReader | None = None

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


def open_live(
    text: str, region: str | None, profile: str | None, vpc: str | None, baseline: Path | None
) -> Case:
    """Find a finding on the network as it is now, without a monitor."""
    wanted = _parse_subject(text)
    document = load_baseline(baseline)
    with open_stderr().status("reading VPCs"):
        (observer,) = live.open_live_observers([region] if region else (), profile)
        subject, network = find_live(observer, wanted, document, vpc)
    return Case(subject, document, observer, network)


@dataclass(frozen=True)
class SharedReader:
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


def open_shared(text: str, reader: SharedReader) -> Case:
    """Find a finding on the network as it is now, with what VPCs share."""
    subject, network = reader.read(_parse_subject(text))
    return Case(subject, reader.document, network=network, reader=reader)


def _parse_subject(text: str) -> str:
    """Return RULE/RESOURCE, with the present id of the rule."""
    rule, slash, resource = text.partition("/")
    if not (rule and slash and resource):
        raise typer.BadParameter(
            f"{text!r} is not RULE/RESOURCE, as posture scan lists them", param_hint="FINDING"
        )
    return f"{parse_rule(rule)}/{resource}"


def open_recorded(
    id_: str, where: options.StackOptions, tables: options.AllTableOptions, profile: str | None
) -> Case:
    """Find a finding that the monitor recorded, and open its account.

    Raises:
        CommandError: There is none, or the credentials are for another account.
    """
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
        return Case(subject, document, tables=opened)
    assert subject.recorded  # noqa: S101 - it is open
    refuse_shared(subject.recorded, require_command(subject.recorded))
    (observer,) = live.open_live_observers([subject.scope.region], profile)
    if observer.region.account != subject.scope.account:
        raise CommandError(
            f"{id_} is in account {subject.scope.account}, and the credentials are for "
            f"{observer.region.account}: use --account-profile; nothing was applied"
        )
    return Case(subject, document, observer, tables=opened)
