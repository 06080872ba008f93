"""The facts of the shared network that evaluations use; imported only where they are read."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from posture.analysis.central.central_snapshot import digest_central, strip_central
from posture.analysis.central.network_users import is_central
from posture.analysis.central.view import View, VpcLinks, build_view, find_links
from posture.lean_dataclass import dataclass
from posture.lifecycle.snapshot_digest import digest_catalogue
from posture.model.change import Change
from posture.model.instant import CLOCK_TOLERANCE
from posture.model.network import Snapshot
from posture.model.scope import Scope
from posture.model.shared_network import SharedNetwork
from posture.runtime.clock import TimeSource
from posture.store.catalogues import Catalogue
from posture.store.scope_record import UsedNetwork
from posture.store.shared_network import SharedNetworkTable, StoredNetwork
from posture.store.typed_json import from_json, to_json

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from posture.runtime.settings import Settings

NOTHING_READ = datetime(1970, 1, 1, tzinfo=UTC)  # before the first survey


@dataclass(frozen=True, slots=True)
class ScopeFacts:
    """The facts that one VPC is evaluated with, and what is recorded of them.

    So its verdicts depend on these facts alone. Remediations may use others of the `whole` network,
    such as a zone that the VPC is not associated with.
    """

    used: UsedNetwork
    stored: StoredNetwork
    view: View

    @property
    def network(self) -> SharedNetwork:
        """The facts that the verdicts depend on."""
        return self.view.network

    @property
    def whole(self) -> SharedNetwork:
        """The whole network: what is computed of it once serves all VPCs."""
        return self.stored.network

    def list_calls(self, since: datetime | None) -> tuple[Change, ...]:
        """List the calls that may have led to what changed since a time.

        Calls that name facts of the network count only if one of them belongs to the VPC's.
        """
        own, known = _list_ids(self.network), _list_ids(self.whole)
        return tuple(
            each
            for each in self.stored.list_calls(since)
            if each.resource_ids & own or not each.resource_ids & known
        )


class SharedFacts:
    """The shared network of a Region, as the table holds it for the watched accounts."""

    def __init__(
        self, table: SharedNetworkTable, region: str, accounts: Collection[str], now: TimeSource
    ) -> None:
        """Create the facts of a Region; `accounts` are the watched ones, which may change."""
        self.table = table
        self._region = region
        self._accounts = accounts
        self._now = now
        self._asked: defaultdict[str, set[str]] = defaultdict(set)

    def asked_of(self, account: str) -> set[str]:
        """Return the endpoints and VPCs that an account was asked for in this process."""
        return self._asked[account]

    def load(self) -> StoredNetwork:
        """Load the network, if it changed.

        Raises:
            ConflictError: It was written each time while it was read.
            CorruptItemError: An item cannot be read.
        """
        return self.table.load(self._region, self._accounts, self._now())

    def has_changed(self, stored: StoredNetwork) -> bool:
        """Whether the network was changed since it was loaded."""
        return self.table.load_head(self._region) != stored.changed_at

    def find_facts(
        self, stored: StoredNetwork, snapshot: Snapshot, changes: Sequence[Change] = ()
    ) -> ScopeFacts:
        """Find what a VPC depends on in the network.

        If other VPCs can use its endpoints, what they depend on of its snapshot is stored before
        it is evaluated: so it is never missing, whatever fails afterwards.
        """
        if is_central(stored.network, snapshot):
            stored = self._keep_central(stored, snapshot, changes)
        links = find_links(snapshot)
        view = build_view(stored.network, links)
        now, changed_at = self._now(), stored.changed_at or NOTHING_READ
        if changed_at > now + CLOCK_TOLERANCE:  # the next survey replaces it
            changed_at = now
        used = UsedNetwork(
            changed_at,
            view.digest,
            write_links(links),
            digest_catalogue(snapshot),
        )
        return ScopeFacts(used, stored, view)

    def keep_if_central(self, snapshot: Snapshot) -> bool:
        """Store what others depend on of a VPC, if it is central; return whether it is."""
        stored = self.load()
        if not is_central(stored.network, snapshot):
            return False
        self._keep_central(stored, snapshot, ())
        return True

    def _keep_central(
        self, stored: StoredNetwork, snapshot: Snapshot, changes: Sequence[Change]
    ) -> StoredNetwork:
        """Store the snapshot of a central VPC if it changed; return the network with it."""
        central = strip_central(snapshot)
        known = stored.network.central_vpcs.get(snapshot.vpc.id)
        digest = digest_central(central)
        if known is not None and digest_central(known) == digest:
            return stored
        self.table.write_central(central, digest, self._now(), changes)
        return self.load()

    def remove_central(self, stored: StoredNetwork, scope: Scope, observed_at: datetime) -> None:
        """Remove the snapshot of a central VPC that is gone."""
        if scope.subject in stored.network.central_vpcs:
            self.table.remove_central(scope.region, scope.subject, observed_at, self._now())

    def keep_catalogue(self, snapshot: Snapshot, digest: str) -> None:
        """Store what all VPCs of the Region share, so that the VPC can be evaluated without EC2."""
        lists = {name: it for name, it in snapshot.prefix_lists.items() if it.aws_managed}
        catalogue = Catalogue(snapshot.services, lists)
        self.table.keep_catalogue(snapshot.scope.region, digest, catalogue, self._now())


def build_shared_facts(
    client: DynamoDBClient,
    settings: Settings,
    accounts: Collection[str],
    now: TimeSource,
    on_ahead: Callable[[], object],
) -> SharedFacts:
    """Build the facts that a function uses: those of its Region and of all watched accounts.

    `on_ahead` is called for each stored time that has not come yet.
    """
    table = SharedNetworkTable(client, settings.tables.network, on_ahead)
    return SharedFacts(table, settings.region.name, accounts, now)


def write_links(links: VpcLinks) -> str:
    """Write where the view of a VPC begins as JSON."""
    return json.dumps(to_json(links), separators=(",", ":"))


def read_links(text: str) -> VpcLinks:
    """Read where the view of a VPC begins.

    Raises:
        ValueError, TypeError, KeyError: It is not what `write_links` returns.
    """
    return from_json(VpcLinks, json.loads(text))


def _list_ids(network: SharedNetwork) -> frozenset[str]:
    mappings = (
        network.vpcs, network.zones, network.rules, network.resolvers, network.profiles,
        network.gateways, network.attachments, network.tables, network.peerings,
        network.prefix_lists,
    )  # fmt: skip
    ids = {name for mapping in mappings for name in mapping}
    for snapshot in network.central_vpcs.values():
        ids |= {snapshot.vpc.id, *snapshot.endpoints, *snapshot.security_groups}
        ids |= {*snapshot.route_tables, *snapshot.network_acls, *snapshot.subnets}
    return frozenset(ids)
