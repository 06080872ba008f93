"""The reverse index: which scopes a resource belongs to, also after it is deleted."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from posture.errors import ConflictError
from posture.model.scope import Scope
from posture.store.attribute_values import deserialize, require_text, serialize
from posture.store.items import corrupt_item_error

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import WriteRequestTypeDef

KEPT = timedelta(days=90)  # CloudTrail's own event history reaches as far back
BATCH = 25  # writes a BatchWriteItem call may hold
ATTEMPTS = 6
PAUSE = 0.05  # seconds, doubled each time
QUERIES = 8  # at once


def digest_ids(ids: frozenset[str], observed_at: datetime) -> str:
    """Give what is the same while the index of a scope needs no look.

    The month is part of it, so that every scope's index is compared and mended once a month: what
    two evaluations at once may have marked wrongly is put right long before it expires.
    """
    told = "\n".join([f"{observed_at:%Y-%m}", *sorted(ids)])
    return hashlib.sha256(told.encode()).hexdigest()


class ResourceIndex:
    """The ownership table."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def remember(
        self, scope: Scope, ids: frozenset[str], observed_at: datetime, *, new: bool = False
    ) -> None:
        """Keep that these ids, and from now on no others, belong to the scope.

        Only differences are written. An id that is gone stays for `KEPT`, as events about it may
        still come. Doing it twice, or half and again, ends the same.

        Of a `new` scope nothing is known yet, so nothing is read. Should an evaluation that died
        have left ids that are gone by now, the month's comparison ends them.
        """
        known = {} if new else dict(self._known(scope))
        expires_at = int((observed_at + KEPT).timestamp())
        found = sorted(each for each in ids if each not in known or known[each] is not None)
        gone = sorted(each for each, ends in known.items() if ends is None and each not in ids)
        self._put(
            [*((each, None) for each in found), *((each, expires_at) for each in gone)], scope
        )

    def find_scopes(self, ids: Iterable[str]) -> Mapping[str, frozenset[Scope]]:
        """Give the scopes of each id; an id that nobody remembers has none.

        Raises:
            CorruptItemError: an item cannot be read.
        """
        wanted = sorted(set(ids))
        with ThreadPoolExecutor(QUERIES) as pool:
            return dict(zip(wanted, pool.map(self._scopes, wanted), strict=True))

    def _scopes(self, resource: str) -> frozenset[Scope]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="#resource = :resource",
            ExpressionAttributeNames={"#resource": "resource"},
            ExpressionAttributeValues=serialize({":resource": resource}),
        )
        return frozenset(_scope(deserialize(item)) for page in pages for item in page["Items"])

    def _known(self, scope: Scope) -> Iterator[tuple[str, object]]:
        """Give each id of the scope, and when it expires where it is gone."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            IndexName="by-scope",
            KeyConditionExpression="#scope = :scope",
            ExpressionAttributeNames={"#scope": "scope"},
            ExpressionAttributeValues=serialize({":scope": str(scope)}),
        )
        for page in pages:
            for item in page["Items"]:
                fields = deserialize(item)
                yield require_text(fields, "resource"), fields.get("expires_at")

    def _put(self, rows: Sequence[tuple[str, int | None]], scope: Scope) -> None:
        requests: Iterator[WriteRequestTypeDef] = (
            {
                "PutRequest": {
                    "Item": serialize(
                        {"resource": resource, "scope": str(scope), "expires_at": expires_at}
                    )
                }
            }
            for resource, expires_at in rows
        )
        while batch := list(islice(requests, BATCH)):
            self._write(batch)

    def _write(self, batch: Sequence[WriteRequestTypeDef]) -> None:
        left: Sequence[WriteRequestTypeDef] = batch
        for attempt in range(ATTEMPTS):
            answer = self._client.batch_write_item(RequestItems={self._table: left})
            left = [*answer["UnprocessedItems"].get(self._table, ())]
            if not left:
                return
            time.sleep(PAUSE * 2**attempt)
        raise ConflictError(f"{self._table}: {len(left)} writes stay unprocessed")


def _scope(fields: Mapping[str, Any]) -> Scope:
    try:
        return Scope.parse(require_text(fields, "scope"))
    except ValueError as error:
        raise corrupt_item_error(
            "ownership", fields.get("resource"), fields.get("scope"), error
        ) from error
