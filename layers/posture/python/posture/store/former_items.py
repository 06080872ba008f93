"""Finding items of a former version, rewritten under the ids that their rules have now.

An item keeps all that its last row of history says of the finding, so that no transition is needed.
It gets its current key and schema, and the digest of today's verdict, which is worded differently.
`carried_from` is the key before: by it, the notifier knows that nothing happened to the finding.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from posture.store.attribute_values import Item, StoredItem, serialize
from posture.store.items import cause_fields, find_expiry, item_key, parse_finding
from posture.store.schema import SCHEMA, WORDING
from posture.store.scope_record import ScopeRecord, build_record_update, when_revision_is

if TYPE_CHECKING:
    from datetime import timedelta

    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

AT_ONCE = 20  # findings a transaction: 41 of 100 items, and 200 KB of 4 MB for each


def build_carry_over(
    table: str,
    items: Mapping[str, StoredItem],
    digests: Mapping[str, str | None],
    record: ScopeRecord,
    keep_resolved: timedelta | None = None,
) -> Iterator[list[TransactWriteItemTypeDef]]:
    """Build the transactions that rewrite a scope's former items, on its record's revision.

    Args:
        table: The findings table.
        items: The items as stored, by finding id.
        digests: The digest of today's verdict by finding id; None where there is none.
        record: The scope record that was read with them.
        keep_resolved: How long a resolved finding stays in the table; None keeps it.
    """
    names = sorted(digests)
    for number, start in enumerate(range(0, len(names), AT_ONCE)):
        writes: list[TransactWriteItemTypeDef] = []
        for name in names[start : start + AT_ONCE]:
            item = items[name]
            current = _carry_over(item, digests[name], keep_resolved)
            writes.append({"Put": {"TableName": table, "Item": current}})
            if current["item"] != item["item"]:
                key = {"scope": item["scope"], "item": item["item"]}
                writes.append({"Delete": {"TableName": table, "Key": key}})
        guard = when_revision_is(record.revision + number)
        update = build_record_update(table, record.scope, {}, guard, revise=True)
        yield [*writes, {"Update": update}]


def _carry_over(item: StoredItem, digest: str | None, keep_resolved: timedelta | None) -> Item:
    finding = parse_finding(item)
    changed = {
        "item": item_key(finding),
        "rule": finding.rule,
        **cause_fields(finding),
        "schema": SCHEMA,
        "wording": WORDING,
        "expires_at": find_expiry(finding, keep_resolved),
        "verdict_digest": digest,
        "carried_from": item["item"].get("S"),
    }
    return {**item, **serialize(changed)}
