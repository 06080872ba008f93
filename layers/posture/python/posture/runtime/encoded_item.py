"""Items of DynamoDB that hold their JSON, so that what is digested and sent is encoded once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from json.encoder import encode_basestring
from typing import Any

# The form in which the digest of a row of history is computed. Attribute values contain no cycle.
encode_json = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, sort_keys=True, separators=(",", ":")
).encode


class EncodedItem(dict[str, Any]):
    """An item of typed attribute values, which holds each in JSON as well. It is never changed."""

    __slots__ = ("_members",)

    def __init__(self, item: Mapping[str, Any]) -> None:
        super().__init__(item)
        self._members = {name: _encode_member(name, value) for name, value in item.items()}

    def extend(self, more: Mapping[str, Any]) -> EncodedItem:
        """Return the item with more attributes; only those are encoded."""
        extended = EncodedItem(more)
        extended._members = {**self._members, **extended._members}
        extended.update({**self, **more})
        return extended

    def to_json(self) -> str:
        """Return the item in JSON, with sorted keys."""
        members = self._members
        return f"{{{','.join([members[name] for name in sorted(members)])}}}"


def _encode_member(name: str, value: Mapping[str, Any]) -> str:
    ((kind, held),) = value.items()
    is_text = isinstance(held, str)
    encoded = f'{{"{kind}":{encode_basestring(held)}}}' if is_text else encode_json(value)
    return f"{encode_basestring(name)}:{encoded}"
