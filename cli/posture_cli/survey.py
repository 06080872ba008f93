"""Reads the network that the VPCs of several accounts share, with the caller's credentials."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from posture.analysis.central.view import is_central
from posture.ec2.dns_attributes import UNLIMITED, DnsCache
from posture.errors import describe_error
from posture.model.network import EndpointType, Facet, Snapshot
from posture.model.shared_network import SharedNetwork
from posture.organization.clients import ServiceClients
from posture.organization.survey import survey_network
from posture_cli.accounts import AnyTarget, Target, UnreadableTarget
from posture_cli.console import print_note
from posture_cli.failure import CommandError, describe_failure
from posture_cli.progress import ProgressLine

NOT_IN_A_FILE = (
    "a file has no shared network: zones, Resolver rules, Profiles, transit gateways. Read the "
    "accounts themselves, without --from"
)


@dataclass(frozen=True, slots=True)
class ReadOrganization:
    """The VPCs of all accounts that were read, and the network that those of a region share."""

    snapshots: Sequence[Snapshot]
    shared: Mapping[str, SharedNetwork] = field(default_factory=dict)


def read_organization(targets: Sequence[AnyTarget], progress: ProgressLine) -> ReadOrganization:
    """Read all VPCs of the targets, then the network that they share.

    An account that cannot be read is noted, and hinders no other.

    Raises:
        CommandError: No account can be read.
    """
    snapshots = [each for target in targets for each in _read_vpcs(target, progress)]
    opened = [each for each in targets if isinstance(each, Target)]
    if not opened:
        raise CommandError("no account could be read")
    return ReadOrganization(snapshots, survey_regions(opened, snapshots, progress))


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
    """Whether a VPC has interface endpoints, which others may use; a deleted one counts, too."""
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
