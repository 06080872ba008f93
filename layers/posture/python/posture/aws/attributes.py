"""DynamoDB's typed attribute values and plain Python ones, and the way back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import Binary, TypeDeserializer, TypeSerializer

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

Item = dict[str, "AttributeValueTypeDef"]

_SERIALIZER = TypeSerializer()
_DESERIALIZER = TypeDeserializer()


def typed(plain: Mapping[str, Any]) -> Item:
    """Give the item as DynamoDB takes it; what is None is no attribute at all."""
    return {
        name: _SERIALIZER.serialize(value) for name, value in plain.items() if value is not None
    }


def plain(item: Mapping[str, AttributeValueTypeDef]) -> dict[str, Any]:
    """Give the item in plain Python: text, `Decimal`, bytes, lists and dicts."""
    return {name: _bare(_DESERIALIZER.deserialize(value)) for name, value in item.items()}


def text(fields: Mapping[str, Any], name: str) -> str:
    """Read an attribute that must be text.

    Raises:
        ValueError: it is missing or something else.
    """
    value = fields.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name} is no text")  # noqa: TRY004 - a wrong value of a stored item
    return value


def whole(fields: Mapping[str, Any], name: str) -> int:
    """Read an attribute that must be a whole number.

    Raises:
        ValueError: it is missing or something else.
    """
    value = fields.get(name)
    if value is None or isinstance(value, (str, bytes, list, dict)) or int(value) != value:
        raise ValueError(f"{name} is no whole number")
    return int(value)


def _bare(value: Any) -> Any:
    """Take the bytes out of boto3's wrapper."""
    return value.value if isinstance(value, Binary) else value  # type: ignore[attr-defined]
