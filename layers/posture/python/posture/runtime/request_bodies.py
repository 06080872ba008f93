"""Writes the bodies of DynamoDB's requests in one step.

The parameters of a request to DynamoDB are what is sent, but for binary values. botocore walks them
twice all the same: once to serialize each value by its shape, which is most of the time of a large
transaction, and once to look for the ARNs of tables. Here a request's parameters are put aside
before that, and written as JSON once botocore has built the rest of the request
(docs/decisions/0118-write-the-bodies-of-requests-at-once.md).
"""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

PARAMETERS = "posture_parameters"  # in the context of a request


def write_bodies_at_once(client: Any) -> None:
    """Let a client of DynamoDB, which does not validate parameters, write bodies in one step.

    Tables are to be named by name: a table's ARN may lead to another endpoint.
    """
    events = client.meta.events
    # Behind botocore's handlers, of which one adds the token of a transaction.
    events.register_last("before-parameter-build", _set_aside)
    events.register_first("before-call", _write_body)


def _set_aside(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    context[PARAMETERS] = dict(params)
    params.update({name: _empty(value) for name, value in params.items()})


def _empty(value: Any) -> Any:
    """Return a parameter without what it holds; botocore looks at its names all the same."""
    if isinstance(value, dict):
        return {name: type(each)() for name, each in value.items()}
    return [] if isinstance(value, list | tuple) else value


def _write_body(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    params["body"] = json.dumps(context.pop(PARAMETERS), default=_encode).encode()


def _encode(value: object) -> str:
    """Encode a binary value.

    Raises:
        TypeError: The value is of another type than DynamoDB has.
    """
    if not isinstance(value, bytes):
        raise TypeError(f"{type(value).__name__} cannot be sent to DynamoDB")
    return b64encode(value).decode()
