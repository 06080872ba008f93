"""Writes the items of DynamoDB's transactions to a request in one step.

Items are sent as they are but for binary values. botocore walks them twice all the same: once to
serialize each value by its shape, and once to look for the ARNs of tables. Here they are put aside
before that, and written as JSON once botocore has built the rest of the request; what was encoded
before is written as it is
(docs/decisions/0118-write-transactions-at-once.md).
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

from posture.runtime.encoded_item import EncodedItem

ITEMS = "TransactItems"  # the parameter, and its name in the context of a request


def write_transactions_at_once(client: Any) -> None:
    """Let a client of DynamoDB, which does not validate parameters, write items in one step.

    Tables are to be named by name: the ARN of a table may lead to another endpoint.
    """
    events = client.meta.events
    events.register("before-parameter-build.dynamodb.TransactWriteItems", _set_aside)
    events.register("before-call.dynamodb.TransactWriteItems", _write_body)


def _set_aside(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    context[ITEMS], params[ITEMS] = params[ITEMS], []


def _write_body(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    writes = ", ".join(_encode_writes(context.pop(ITEMS)))
    empty, filled = f'"{ITEMS}": []', f'"{ITEMS}": [{writes}]'
    params["body"] = params["body"].replace(empty.encode(), filled.encode(), 1)


def _encode_writes(writes: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Encode writes, those of encoded items with their text."""
    for is_encoded, some in groupby(writes, _puts_encoded_item):
        if is_encoded:
            yield from (_encode_put(each["Put"]) for each in some)
        else:
            yield json.dumps(list(some), default=_encode)[1:-1]


def _puts_encoded_item(write: Mapping[str, Any]) -> bool:
    return isinstance(write.get("Put", {}).get("Item"), EncodedItem)


def _encode_put(put: Mapping[str, Any]) -> str:
    others = json.dumps({name: put[name] for name in put if name != "Item"}, default=_encode)
    return f'{{"Put": {{"Item": {put["Item"].to_json()}, {others[1:]}}}'


def _encode(value: object) -> str:
    """Encode a binary value.

    Raises:
        TypeError: The value is of another type than DynamoDB has.
    """
    if not isinstance(value, bytes):
        raise TypeError(f"{type(value).__name__} cannot be sent to DynamoDB")
    return b64encode(value).decode()
