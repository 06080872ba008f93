"""The clocks of scopes in which nothing has changed: moved without reading or judging anything.

The condition of the write is the comparison: a clock moves only where the head still vouches for
the very picture that was seen, so whoever judged another one meanwhile makes it fail.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from posture.model.dns import DnsAttributes
from posture.model.instant import format_iso
from posture.model.scope import Scope
from posture.store.conditional_writes import ConditionFailedError, try_transact, update
from posture.store.scope_record import build_record_update, dns_fields, when_unchanged

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import UpdateTypeDef

# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
MAX_ITEMS = 100  # items a transaction may hold
# A transaction costs twice what single writes do, and fewer than that go side by side anyway.
MIN_ITEMS = 10
ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Observation:
    """A picture that was seen of a scope, as its digest, and when; taken before the first read.

    `dns` are the DNS attributes, with when they were truly seen; what was not read with the picture
    is not written.
    """

    scope: Scope
    observed_at: datetime
    snapshot_digest: str
    dns: DnsAttributes | None = None


class LastObservedTimes:
    """Those of one findings table."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def advance(self, seen: Observation) -> bool:
        """Move one clock; False where the head vouches for no such picture, or for a later one.

        Raises:
            ConflictError: others kept holding the head.
        """
        try:
            update(self._client, self._moved(seen))
        except ConditionFailedError:
            return False
        return True

    def advance_all(self, pictures: Iterable[Observation]) -> frozenset[Scope]:
        """Move the clocks of many scopes by a call a hundred; give those that were moved.

        Raises:
            ConflictError: others kept holding a head.
            ClientError, BotoCoreError: DynamoDB does not answer.
        """
        left = [each for each in pictures if each.snapshot_digest]
        moved: set[Scope] = set()
        for start in range(0, len(left), MAX_ITEMS):
            moved |= self._together(left[start : start + MAX_ITEMS])
        return frozenset(moved)

    def _together(self, pictures: Sequence[Observation]) -> set[Scope]:
        """Move what can be moved; who stands in the way of a transaction is left out of the next.

        What even so cannot be written together is not moved: it is looked at scope by scope.
        """
        left = list(pictures)
        for _ in range(ROUNDS):
            if len(left) < MIN_ITEMS:
                return self._one_by_one(left)
            failed = try_transact(self._client, [{"Update": self._moved(each)} for each in left])
            if not failed:
                return {each.scope for each in left}
            left = [each for at, each in enumerate(left) if at not in failed]
        return set()

    def _one_by_one(self, pictures: Sequence[Observation]) -> set[Scope]:
        with ThreadPoolExecutor(MIN_ITEMS) as pool:
            moved = list(pool.map(self.advance, pictures))
        return {each.scope for each, done in zip(pictures, moved, strict=True) if done}

    def _moved(self, seen: Observation) -> UpdateTypeDef:
        fields = {
            "observed_at": format_iso(seen.observed_at),
            "picture_at": format_iso(seen.observed_at),
            **dns_fields(seen.dns, seen.observed_at),
        }
        guard = when_unchanged(seen.snapshot_digest)
        return build_record_update(self._table, seen.scope, fields, guard, revise=False)
