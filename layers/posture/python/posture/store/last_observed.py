"""The last-observed times of unchanged scopes, advanced without a read or an evaluation.

The condition of the write is the comparison: a time advances only where the scope record still
holds the digest of the snapshot that was observed, so it fails where another one was evaluated.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TYPE_CHECKING

from posture.lean_dataclass import dataclass
from posture.model.dns import DnsAttributes
from posture.model.instant import CLOCK_TOLERANCE, format_iso
from posture.model.scope import Scope
from posture.store.conditional_writes import ConditionFailedError, try_transact, update
from posture.store.queries import StoredTable
from posture.store.scope_record import (
    build_record_update,
    dns_fields,
    when_unchanged,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import UpdateTypeDef

# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
MAX_ITEMS = 100  # of a transaction
MIN_ITEMS = 10  # a transaction costs twice as much as single writes, which are parallel up to here
ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Observation:
    """The digest of a scope's snapshot, and the time before its first read.

    `dns` are the DNS attributes, with when they were read; those read earlier are not written.
    `since` is the time of the oldest change that led to the observation, None where none did.
    `changes` are the ids of those that say what they did; `silent_since` is the time of the oldest
    one that does not. `shared_at` is the time of the facts of the shared network, None where they
    are not read.
    """

    scope: Scope
    observed_at: datetime
    snapshot_digest: str
    dns: DnsAttributes | None = None
    since: datetime | None = None
    silent_since: datetime | None = None
    changes: frozenset[str] = frozenset()
    shared_at: datetime | None = None


class LastObservedTimes(StoredTable):
    """The last-observed times of one findings table."""

    def advance(self, observation: Observation) -> bool:
        """Advance one time; False where the record holds another digest or a later time.

        It is also False where a change is to be followed a second time, where one that does not say
        what it did may amend a cause, and where one of `changes` is not known: it may amend a cause
        or have opened something that was put back.

        Raises:
            ConflictError: others kept holding the record.
        """
        try:
            update(self._client, self._build_update(observation))
        except ConditionFailedError:
            return False
        return True

    def advance_all(self, observations: Iterable[Observation]) -> frozenset[Scope]:
        """Advance many times, a hundred with a call; return the scopes where it succeeded.

        Raises:
            ConflictError: others kept holding a record.
            ClientError, BotoCoreError: DynamoDB does not answer.
        """
        left = [each for each in observations if each.snapshot_digest]
        advanced: set[Scope] = set()
        for start in range(0, len(left), MAX_ITEMS):
            advanced |= self._advance_together(left[start : start + MAX_ITEMS])
        return frozenset(advanced)

    def _advance_together(self, observations: Sequence[Observation]) -> set[Scope]:
        """Advance in one transaction; those whose condition fails are left out of the next one.

        What still cannot be written together is not advanced: each scope is compared alone.
        """
        left = list(observations)
        for _ in range(ROUNDS):
            if len(left) < MIN_ITEMS:
                return self._advance_one_by_one(left)
            writes = [self._build_update(each) for each in left]
            failed = try_transact(self._client, [{"Update": write} for write in writes])
            if not failed:
                return {each.scope for each in left}
            left = [each for at, each in enumerate(left) if at not in failed]
        return set()

    def _advance_one_by_one(self, observations: Sequence[Observation]) -> set[Scope]:
        with ThreadPoolExecutor(MIN_ITEMS) as pool:
            advanced = list(pool.map(self.advance, observations))
        return {each.scope for each, done in zip(observations, advanced, strict=True) if done}

    def _build_update(self, observation: Observation) -> UpdateTypeDef:
        fields = {
            "observed_at": format_iso(observation.observed_at),
            "picture_at": format_iso(observation.observed_at),
            **dns_fields(observation.dns, observation.observed_at),
        }
        if observation.shared_at:
            fields["shared_at"] = format_iso(observation.shared_at)
        guard = when_unchanged(
            observation.snapshot_digest,
            observation.since,
            observation.silent_since,
            observation.changes,
            observation.shared_at,
            latest=observation.observed_at + CLOCK_TOLERANCE,
        )
        return build_record_update(self._table, observation.scope, fields, guard, revise=False)
