"""Reading one scope for an evaluation, and at the same time what is stored of it.

DNS attributes take two calls for each VPC, and only one call modifies them. The first evaluation of
any other change uses those that are stored (docs/decisions/0113).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial

from posture.ec2.dns_attributes import is_current
from posture.ec2.observer import Observer
from posture.ec2.region import RegionSnapshot
from posture.model.dns import DnsAttributes
from posture.model.endpoint_service import EndpointServiceSnapshot
from posture.model.network import Facet, Snapshot
from posture.model.scope import Scope
from posture.store.scope_evaluation import ScopeState
from posture.store.scope_store import Store


class ScopeReading:
    """A scope as it was read, alone or with others, and what was stored of it at that time.

    Attributes:
        observed_at: When it was read.
        snapshot: The snapshot; None where the scope no longer exists.
        dns: The DNS attributes of a VPC, with when they were read; None where they are unknown.
        state: What is stored, of a VPC that was read alone.
    """

    def __init__(
        self, store: Store, observer: Observer, scope: Scope, vpcs: RegionSnapshot | None = None
    ) -> None:
        self._store = store
        self._observer = observer
        self._scope = scope
        self._vpcs = vpcs
        self.observed_at = vpcs.observed_at if vpcs else observer.now()
        self.snapshot: Snapshot | EndpointServiceSnapshot | None = None
        self.dns: DnsAttributes | None = None
        self.state: ScopeState | None = None

    def is_superseded(self) -> bool:
        """Whether a snapshot and DNS attributes are stored that are as late as those that it read.

        Raises:
            CorruptItemError: the scope record cannot be read.
        """
        record = self._store.load_record(self._scope)
        at = self.snapshot.observed_at if self.snapshot else self.observed_at
        if record is None or record.observed_at < at:
            return False
        dns_at = self.dns.observed_at if self.dns else at
        return not self._scope.vpc_id or bool(record.dns and record.dns.observed_at >= dns_at)

    def run(self, latest: datetime, *, may_use_stored_dns: bool) -> None:
        """Read the scope, unless it was read with others.

        Args:
            latest: The latest time that can be stored by now.
            may_use_stored_dns: Whether what is stored is read at the same time, and its DNS
                attributes are used where they are current.
        """
        vpc_id = self._scope.vpc_id
        if vpc_id is None:
            services = self._observer.collect_services(self._scope.subject).services
            self.snapshot = services.get(self._scope.subject)
        elif self._vpcs:
            self.snapshot = self._vpcs.vpcs.get(vpc_id)
            self.dns = self._vpcs.dns.get(vpc_id)
        elif may_use_stored_dns:
            self._read_vpc(partial(self._find_dns, latest))
        else:
            self._read_vpc(lambda: None)

    def _read_vpc(self, find_dns: Callable[[], DnsAttributes | None]) -> None:
        self.snapshot = snapshot = self._observer.collect_vpc(self._scope, find_dns)
        if snapshot and not self.dns:
            self.dns = _dns(snapshot)

    def _find_dns(self, latest: datetime) -> DnsAttributes | None:
        """Read what is stored, and find the DNS attributes there that may still be used."""
        self.state = self._store.load(self._scope)
        record = self.state.record
        if record and record.dns and not record.is_ahead_of(latest):
            self.dns = record.dns if is_current(record.dns, self.observed_at) else None
        return self.dns


def _dns(snapshot: Snapshot) -> DnsAttributes | None:
    """Return the DNS attributes that were read with the snapshot."""
    if Facet.DNS_ATTRIBUTES in snapshot.unreadable:
        return None
    vpc = snapshot.vpc
    return DnsAttributes(vpc.dns_support, vpc.dns_hostnames, snapshot.observed_at)
