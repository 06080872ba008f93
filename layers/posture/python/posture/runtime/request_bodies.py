"""Writes the items of DynamoDB's transactions to a request in one step.

Items are sent as they are but for binary values. botocore walks them twice all the same: once to
serialize each value by its shape, and once to look for the ARNs of tables. Here they are put aside
before that, and written as JSON once botocore has built the rest of the request
(docs/decisions/0118-write-transactions-at-once.md).
"""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

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
    body = {**json.loads(params["body"]), ITEMS: context.pop(ITEMS)}
    params["body"] = json.dumps(body, default=_encode).encode()


def _encode(value: object) -> str:
    """Encode a binary value.

    Raises:
        TypeError: The value is of another type than DynamoDB has.
    """
    if not isinstance(value, bytes):
        raise TypeError(f"{type(value).__name__} cannot be sent to DynamoDB")
    return b64encode(value).decode()
