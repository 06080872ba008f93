"""The resource index: which scopes a resource id leads to, even after it is deleted."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from posture.model.scope import Scope
from posture.store.attribute_values import Item, deserialize, require_text, serialize
from posture.store.conditional_writes import transact
from posture.store.items import naming_item
from posture.store.queries import StoredTable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

KEPT = timedelta(days=90)  # CloudTrail's own event history reaches as far back
BATCH = 100  # writes of a transaction
QUERIES = 8  # at once


def digest_ids(ids: frozenset[str], observed_at: datetime) -> str:
    """Digest a scope's ids; while the digest is the same, its index is not compared.

    The month is part of it: each scope's index is compared and corrected once a month, long before
    an id expires that two simultaneous evaluations marked by mistake.
    """
    lines = "\n".join([f"{observed_at:%Y-%m}", *sorted(ids)])
    return hashlib.sha256(lines.encode()).hexdigest()


class ResourceIndex(StoredTable):
    """The ownership table, which holds the scopes of each id."""

    def remember(
        self,
        scope: Scope,
        ids: frozenset[str],
        observed_at: datetime,
        former: frozenset[str] | None = None,
    ) -> None:
        """Make these ids, and no others, lead to the scope; a failed call may be repeated."""
        self.put(self.list_changes(scope, ids, observed_at, former))

    def list_changes(
        self,
        scope: Scope,
        ids: frozenset[str],
        observed_at: datetime,
        former: frozenset[str] | None = None,
    ) -> tuple[Item, ...]:
        """List the items to put so that these ids, and no others, lead to the scope.

        Only differences are listed. An id that is gone stays for `KEPT`, because events about it
        may still arrive.

        Args:
            scope: The scope.
            ids: The ids.
            observed_at: When they led to it.
            former: The ids that led to it before, none for a new scope; None reads them. Ids that a
                failed evaluation left are then ended by the monthly comparison.
        """
        known: Mapping[str, object] = (
            dict(self._known(scope)) if former is None else dict.fromkeys(former)
        )
        expires_at = int((observed_at + KEPT).timestamp())
        found = sorted(each for each in ids if each not in known or known[each] is not None)
        gone = sorted(each for each, ends in known.items() if ends is None and each not in ids)
        rows = [*((each, None) for each in found), *((each, expires_at) for each in gone)]
        return tuple(
            serialize({"resource": resource, "scope": str(scope), "expires_at": ends})
            for resource, ends in rows
        )

    def put(self, items: Sequence[Item]) -> None:
        """Put items, whatever is stored.

        Raises:
            ConflictError: others kept holding some of them.
        """
        for start in range(0, len(items), BATCH):
            transact(self._client, self.build_puts(items[start : start + BATCH]))

    def build_puts(self, items: Iterable[Item]) -> tuple[TransactWriteItemTypeDef, ...]:
        """Build the same puts as parts of a transaction."""
        return tuple({"Put": {"TableName": self._table, "Item": it}} for it in items)

    def find_scopes(self, ids: Iterable[str]) -> Mapping[str, frozenset[Scope]]:
        """Find the scopes of each id; an unknown id has none.

        Raises:
            CorruptItemError: an item cannot be read.
        """
        wanted = sorted(set(ids))
        if len(wanted) == 1:  # as most changes name one
            return {wanted[0]: self._scopes(wanted[0])}
        with ThreadPoolExecutor(QUERIES) as pool:
            return dict(zip(wanted, pool.map(self._scopes, wanted), strict=True))

    def _scopes(self, resource: str) -> frozenset[Scope]:
        items = self._query("resource", resource, consistent=False)
        return frozenset(_scope(deserialize(item)) for item in items)

    def _known(self, scope: Scope) -> Iterator[tuple[str, object]]:
        """Return each id of the scope, and when it expires where it is gone."""
        for item in self._query("scope", str(scope), index="by-scope"):
            fields = deserialize(item)
            yield require_text(fields, "resource"), fields.get("expires_at")


def _scope(fields: Mapping[str, Any]) -> Scope:
    with naming_item("ownership", fields.get("resource"), fields.get("scope")):
        return Scope.parse(require_text(fields, "scope"))
