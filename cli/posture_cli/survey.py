"""Reads the network that the VPCs of several accounts share, with the caller's credentials."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

import typer

from posture.analysis.central.network_users import is_central
from posture.ec2.dns_attributes import UNLIMITED, DnsCache
from posture.errors import describe_error
from posture.model.network import EndpointType, Facet, Snapshot
from posture.model.shared_network import SharedNetwork
from posture.organization.clients import ServiceClients
from posture.organization.survey import survey_network
from posture_cli.accounts import (
    READ_SHARED_NETWORK,
    AnyTarget,
    Target,
    UnreadableTarget,
    find_caller,
    open_targets,
)
from posture_cli.console import print_note
from posture_cli.failure import CommandError, describe_failure
from posture_cli.live import collect_vpcs, open_observers
from posture_cli.options import AccountsOptions, SourceOptions
from posture_cli.progress import ProgressLine

NOT_IN_A_FILE = (
    "a file has no shared network: zones, Resolver rules, Profiles, transit gateways. Read the "
    "accounts themselves, without --from"
)


SharedSnapshot = tuple[Snapshot, SharedNetwork | None]


def read_snapshots(
    source: SourceOptions,
    accounts: AccountsOptions,
    vpcs: Sequence[str],
    progress: ProgressLine,
    *,
    shared_network: bool,
) -> Iterator[SharedSnapshot]:
    """Read VPCs, with the network that they share if it is wanted.

    Args:
        source: The regions, or a file.
        accounts: The accounts, whose hubs and transit gateways count.
        vpcs: Only these; empty: all.
        progress: Where to show what is read.
        shared_network: Whether the shared network is read.

    Raises:
        CommandError: A VPC does not exist, or no account can be read.
        typer.BadParameter: The options contradict each other.
        ScopeUnreadableError: The caller may not list VPCs.
    """
    if not shared_network:
        require_shared_network(accounts)
        for snapshot in collect_vpcs(open_observers(source), vpcs):
            yield snapshot, None
        return
    found = read_organization(source, accounts, progress)
    missing = set(vpcs).difference(each.vpc.id for each, _ in found)
    if missing:
        raise CommandError(f"there is no {', '.join(sorted(missing))} in the accounts read")
    yield from (pair for pair in found if not vpcs or pair[0].vpc.id in vpcs)


def require_shared_network(accounts: AccountsOptions) -> None:
    """Require that no other accounts are named, as nothing of them would be read.

    Raises:
        typer.BadParameter: Some are.
    """
    if accounts.are_given:
        raise typer.BadParameter(
            "other accounts are read for their hubs and transit gateways: add --shared-network",
            param_hint="--org, --accounts and --role",
        )


def read_organization(
    source: SourceOptions,
    accounts: AccountsOptions,
    progress: ProgressLine,
    profile: str | None = None,
) -> Sequence[SharedSnapshot]:
    """Read all VPCs of the accounts, then the network that they share.

    An account that cannot be read is noted, and hinders no other.

    Args:
        source: The regions; a file is an error.
        accounts: The accounts.
        progress: Where to show what is read.
        profile: A profile of the caller's AWS settings; None: the one that is in use.

    Raises:
        CommandError: No account can be read.
        typer.BadParameter: A file is given.
    """
    if source.file or source.account:
        raise typer.BadParameter(NOT_IN_A_FILE, param_hint="--shared-network with --from")
    caller = find_caller(source.region or (), profile)
    targets = open_targets(caller, accounts, READ_SHARED_NETWORK)
    snapshots = [each for target in targets for each in _read_vpcs(target, progress)]
    if all(isinstance(each, UnreadableTarget) for each in targets):
        raise CommandError("no account could be read")
    shared = survey_regions(targets, snapshots, progress)
    return [(each, shared.get(each.scope.region)) for each in snapshots]


def survey_regions(
    targets: Iterable[AnyTarget], snapshots: Iterable[Snapshot], progress: ProgressLine
) -> Mapping[str, SharedNetwork]:
    """Survey the shared network of each region, with the VPCs that others may use.

    Raises:
        CommandError: A target is a file.
    """
    listed = list(snapshots)
    ready = sorted(
        (each for each in targets if isinstance(each, Target)), key=lambda it: it.region.name
    )
    found = {}
    for region, grouped in groupby(ready, lambda it: it.region.name):
        progress.describe(f"reading the shared network of {region}")
        clients = {each.region.account: _open_clients(each) for each in grouped}
        network = survey_network(clients.__getitem__, region, sorted(clients))
        central = {
            each.vpc.id: each
            for each in listed
            if each.scope.region == region and (_has_interfaces(each) or is_central(network, each))
        }
        found[region] = replace(network, central_vpcs=central)
    return found


def _open_clients(target: Target) -> ServiceClients:
    if target.open_client is None:
        raise CommandError(NOT_IN_A_FILE)
    return ServiceClients(target.open_client)


def _has_interfaces(snapshot: Snapshot) -> bool:
    """Return whether a VPC has interface endpoints, also deleted ones, which others may use."""
    return any(each.type is EndpointType.INTERFACE for each in snapshot.endpoints.values())


def _read_vpcs(target: AnyTarget, progress: ProgressLine) -> Iterator[Snapshot]:
    if isinstance(target, UnreadableTarget):
        print_note(f"unknown: {target.region}: {target.reason}")
        return
    try:
        progress.describe(f"reading the VPCs of {target.region}")
        for part in target.open_observer().collect_region(DnsCache(budget=UNLIMITED)):
            if reason := part.unreadable.get(Facet.VPC):
                print_note(f"unknown: {target.region}: {reason}")
            yield from part.vpcs.values()
    except Exception as error:  # noqa: BLE001 - one that fails must not lose the others
        print_note(f"unknown: {target.region}: {describe_failure(error) or describe_error(error)}")
