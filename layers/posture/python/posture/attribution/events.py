"""What can have changed the verdicts on a scope between two snapshots: its events. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from operator import attrgetter

from posture.baseline.document import BaselineDocument
from posture.lean_dataclass import dataclass
from posture.lifecycle.bounds import truncate
from posture.model.baseline import Baseline
from posture.model.change import Change, ChangeOutcome
from posture.model.finding import Cause, CauseKind
from posture.model.network import Snapshot
from posture.model.region_access import AnySnapshot
from posture.model.scope import Scope
from posture.policy.endpoint_dependence import depends_on_time

WORDS = 500  # bytes; a user agent is any text that its sender chooses
PUT_BASELINE = "PutBaseline"
UPGRADED = "RulesUpgraded"
GRACE_ENDED = "GracePeriodEnded"
SHARED_CHANGED = "SharedNetworkChanged"
DATE_REACHED = "PolicyDateReached"
# A call that is older than an observation without its effect by more than this is no cause: EC2
# returns changes after a couple of seconds, sometimes after minutes.
# https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html
LAG = timedelta(minutes=1)
READING = timedelta(minutes=1)  # what happens while a snapshot is read may be part of it


@dataclass(frozen=True, slots=True)
class BaselineVersion:
    """A version of the baseline document; `number` 0 is the default until one is applied."""

    number: int
    document: BaselineDocument
    applied_at: datetime | None = None
    applied_by: str = ""


@dataclass(frozen=True, slots=True)
class Earlier:
    """What is stored of the last snapshot of a scope.

    Attributes:
        scope: The scope.
        observed_at: When the snapshot was taken, before its first read.
        snapshot: The snapshot; None if the scope did not exist.
        version: The number of the baseline version in force.
        code: The digest of the monitor's code.
        confirmed_at: When a later observation last found the same.
    """

    scope: Scope
    observed_at: datetime
    snapshot: AnySnapshot | None
    version: int
    code: str
    confirmed_at: datetime


@dataclass(frozen=True, slots=True)
class SharedChange:
    """The facts of the shared network that a scope depends on changed, or are read since then.

    `at` is when they were stored, `calls` what may have changed them.
    """

    at: datetime
    calls: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class Present:
    """What is known now: the snapshot, None if the scope is gone, and what it is evaluated by.

    `versions` are those of the baseline from the earlier snapshot's on, in order; the last one is
    in force. The earlier snapshot's is missing where it is not known. `shared` is set where facts
    of the shared network changed since the earlier snapshot.
    """

    scope: Scope
    observed_at: datetime
    snapshot: AnySnapshot | None
    versions: Sequence[BaselineVersion]
    code: str
    shared: SharedChange | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """Something that may have changed verdicts: a call, or what `cause` says."""

    cause: Cause
    change: Change | None = None
    version: BaselineVersion | None = None

    @property
    def time(self) -> datetime:
        """When it happened."""
        return self.cause.time


def select_applied(
    changes: Iterable[Change], *, since: datetime | None = None, until: datetime | None = None
) -> tuple[Change, ...]:
    """Select the changes that were made, of a period if one is given: each once, in its order."""
    applied = {
        each.event_id: each
        for each in changes
        if each.outcome is ChangeOutcome.APPLIED
        and (since is None or since <= each.time)
        and (until is None or each.time <= until)
    }
    return tuple(sorted(applied.values(), key=attrgetter("time")))


def select_concerning(
    changes: Iterable[Change], snapshot: AnySnapshot | None
) -> tuple[Change, ...]:
    """Select the changes that can have changed a scope, with the ids by which they can.

    A call of another account may name a VPC and what is in it, in the request for a peering
    connection or in a tag. It changes what accounts share, and what participants have in shared
    subnets; the VPC itself, its route tables, ACLs, gateways and endpoints are its owner's alone.
    Only the provider of an endpoint's service accepts and rejects the endpoint.
    https://docs.aws.amazon.com/vpc/latest/userguide/vpc-sharing.html
    """
    if not isinstance(snapshot, Snapshot):
        return tuple(changes)
    account = snapshot.scope.account
    if snapshot.vpc.owner not in {"", account}:
        return tuple(changes)
    own = {snapshot.vpc.id, *snapshot.route_tables, *snapshot.network_acls, *snapshot.nat_gateways}
    selected: list[Change] = []
    for each in changes:
        if each.region.account == account:
            selected.append(each)
            continue
        withheld = own if each.service_ids else own.union(snapshot.endpoints)
        if ids := each.resource_ids - withheld:
            selected.append(replace(each, resource_ids=ids, vpc_ids=each.vpc_ids - withheld))
    return tuple(selected)


def build_cause(change: Change) -> Cause:
    """Build the cause of what a call did."""
    return Cause(
        event_id=truncate(change.event_id, WORDS),
        event_name=truncate(change.event_name, WORDS),
        actor=truncate(str(change.actor), WORDS),
        time=change.time,
        source_ip=truncate(change.source_ip, WORDS),
        user_agent=truncate(change.user_agent, WORDS),
        identity=truncate(change.actor.describe_identity(change.region.account), WORDS),
    )


def build_baseline_cause(version: BaselineVersion, at: datetime) -> Cause:
    """Build the cause of what a version of the baseline did; `at` if its time is not known."""
    name = str(version.number)
    time = version.applied_at or at
    return Cause(name, PUT_BASELINE, version.applied_by, time, kind=CauseKind.BASELINE)


def build_upgrade_cause(present: Present) -> Cause:
    """Build the cause of what this version of the monitor evaluates in another way."""
    return Cause(present.code, UPGRADED, "", present.observed_at, kind=CauseKind.UPGRADE)


def list_shared_causes(change: SharedChange) -> tuple[Cause, ...]:
    """List what can have changed the facts of the shared network: calls, if any is known."""
    calls = tuple(map(build_cause, change.calls))
    return calls or (Cause("", SHARED_CHANGED, "", change.at, kind=CauseKind.SHARED_NETWORK),)


def list_versions(earlier: Earlier, present: Present) -> Iterator[Event]:
    """List the versions of the baseline that were applied since the earlier snapshot."""
    for version in present.versions:
        if version.number > earlier.version:
            yield Event(build_baseline_cause(version, present.observed_at), version=version)


def list_clock_events(earlier: Earlier, present: Present, baseline: Baseline) -> Iterator[Event]:
    """List the grace periods that ended since the earlier snapshot, and policies' dates."""
    since, until = earlier.observed_at, present.observed_at
    grace = timedelta(minutes=baseline.pending_grace_minutes)
    snapshots = [
        each for each in (earlier.snapshot, present.snapshot) if isinstance(each, Snapshot)
    ]
    endpoints = {name: each for it in snapshots for name, each in it.endpoints.items()}
    for endpoint in endpoints.values():
        if endpoint.created_at and since < endpoint.created_at + grace <= until:
            end = endpoint.created_at + grace
            yield Event(Cause("", GRACE_ENDED, "", end, kind=CauseKind.CLOCK))
    if any(depends_on_time(each.policy or "") for each in endpoints.values()):
        yield Event(Cause("", DATE_REACHED, "", until, kind=CauseKind.CLOCK))
