"""A snapshot with all else that its evaluation depends on, and the digest of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger

from posture.attribution.events import READING
from posture.baseline.document import BaselineDocument
from posture.baseline.resolve import resolve_baseline
from posture.lean_dataclass import dataclass
from posture.lifecycle.snapshot_digest import digest_snapshot
from posture.lifecycle.waiving import Waivers
from posture.model.change import Change
from posture.model.dns import DnsAttributes
from posture.model.network import Snapshot
from posture.model.region_access import AnySnapshot
from posture.model.scope import NO_NAMES, Scope, ScopeNames
from posture.runtime.code_version import compute_code_digest
from posture.store.last_observed import Observation

if TYPE_CHECKING:
    from posture.evaluation.shared_facts import ScopeFacts

logger = Logger()


@dataclass(frozen=True, slots=True)
class ObservedScope:
    """A snapshot, its digest, and all else that its evaluation depends on."""

    snapshot: AnySnapshot
    waivers: Waivers  # with the scope's baseline
    observation: Observation
    changes: Sequence[Change]
    names: ScopeNames = NO_NAMES
    facts: ScopeFacts | None = None  # of the shared network, for a VPC where it is read

    @property
    def scope(self) -> Scope:
        """The scope of the snapshot."""
        return self.snapshot.scope


def observe_scope(
    snapshot: AnySnapshot,
    document: BaselineDocument,
    changes: Sequence[Change] = (),
    dns: DnsAttributes | None = None,
    facts: ScopeFacts | None = None,
) -> ObservedScope:
    """Digest a snapshot together with its baseline and waivers.

    Args:
        snapshot: What was read.
        document: The baseline in force.
        changes: What led to the evaluation; none in a scheduled sweep.
        dns: The DNS attributes to store, with when they were read.
        facts: What the scope depends on in the shared network.
    """
    scope, at = snapshot.scope, snapshot.observed_at
    since = max(at, facts.used.changed_at) if facts else at
    tags = snapshot.vpc.tags if isinstance(snapshot, Snapshot) else snapshot.tags
    waivers = Waivers(scope, since, document.waivers, resolve_baseline(document, scope, tags))
    try:
        view = facts.used.view if facts else ""
        digest = digest_snapshot(snapshot, waivers, compute_code_digest(), view)
    except Exception:
        logger.exception("snapshot not digested", extra={"scope": str(scope)})
        digest = ""  # the scope is evaluated now, and again the next time
    observation = Observation(
        scope,
        at,
        digest,
        dns,
        since=_find_oldest(changes),
        silent_since=_find_oldest(each for each in changes if each.request is None),
        changes=_list_with_requests(changes),
        shared_at=facts.used.changed_at if facts else None,
    )
    names = document.name_scope(scope, tags)
    return ObservedScope(snapshot, waivers, observation, changes, names, facts)


def _list_with_requests(changes: Sequence[Change]) -> frozenset[str]:
    """List the ids of the changes that say what they did."""
    return frozenset(each.event_id for each in changes if each.request is not None)


def _find_oldest(changes: Iterable[Change]) -> datetime | None:
    """Return the time since which evaluations may have seen the effect of the changes."""
    return min((each.time - READING for each in changes), default=None)
