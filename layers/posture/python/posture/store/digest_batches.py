"""Which commits were reported together in digests, so that a reader can list what they counted.

A record is kept as long as those of reported alerts, in the same table and form: that of Powertools
for AWS Lambda, whose ids are digests of what is remembered.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from posture.errors import CorruptItemError
from posture.model.scope import Scope
from posture.store.items import UNREADABLE, CommitReference, Entry

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEY_PREFIX = "alert"  # of all records of the notifier


def build_batch_key(batch: str) -> dict[str, str]:
    """Build the key under which the commits of a batch are remembered."""
    return {"digest": batch}


def list_commits(entries: Iterable[Entry]) -> dict[str, list[str]]:
    """List the commits of entries, by scope."""
    commits: dict[str, list[str]] = {}
    for scope, name in dict.fromkeys(
        (str(entry.transition.finding.scope), entry.commit) for entry in entries
    ):
        commits.setdefault(scope, []).append(name)
    return commits


def load_commits(client: DynamoDBClient, table: str, batch: str) -> tuple[CommitReference, ...]:
    """Load the commits that were reported together; none if the batch is not known (any more).

    Raises:
        CorruptItemError: the record cannot be read.
    """
    digest = hashlib.sha256(json.dumps(build_batch_key(batch)).encode()).hexdigest()
    key = {"id": {"S": f"{KEY_PREFIX}#{digest}"}}
    item = client.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")
    if item is None:
        return ()
    try:
        commits = json.loads(item["data"]["S"])
        return tuple(
            CommitReference(Scope.parse(scope), name)
            for scope, names in commits.items()
            for name in names
        )
    except UNREADABLE as error:
        raise CorruptItemError(f"the record of digest {batch} cannot be read: {error}") from error
