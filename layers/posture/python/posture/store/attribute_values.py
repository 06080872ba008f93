"""Plain Python values to and from DynamoDB's typed attribute values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

from posture.model.instant import parse_iso

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

Item = dict[str, "AttributeValueTypeDef"]
StoredItem = Mapping[str, "AttributeValueTypeDef"]


def serialize(fields: Mapping[str, Any]) -> Item:
    """Serialize an item; a value of None is left out.

    Raises:
        TypeError: a value is not text, an integer, a boolean, bytes, or a mapping or list of those.
            Floats are refused, because they would not be read back as they were.
    """
    found = {name: _serialize(value) for name, value in fields.items() if value is not None}
    return cast("Item", found)


def deserialize(item: Mapping[str, AttributeValueTypeDef]) -> dict[str, Any]:
    """Deserialize an item to text, integers, bytes, lists and dicts; other numbers to `Decimal`.

    Raises:
        TypeError: a value has no DynamoDB type.
    """
    return {name: _deserialize(value) for name, value in item.items()}


def _serialize(value: object) -> dict[str, object]:  # noqa: PLR0911 - one line a type
    if isinstance(value, str):
        return {"S": value}
    if value is None:
        return {"NULL": True}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int):
        return {"N": str(value)}
    if isinstance(value, Mapping):
        return {"M": {name: _serialize(each) for name, each in value.items()}}
    if isinstance(value, list | tuple):
        return {"L": [_serialize(each) for each in value]}
    if isinstance(value, bytes):
        return {"B": value}
    raise TypeError(f"{type(value).__name__} cannot be stored in an item")


def _deserialize(value: Any) -> Any:
    """Deserialize one value: a mapping from its type to what it holds."""
    try:
        ((kind, held),) = value.items()
        return READERS[kind](held)
    except (AttributeError, KeyError, ValueError, ArithmeticError) as error:
        raise TypeError(f"{value!r} is not a typed DynamoDB value") from error


def _number(held: str) -> int | Decimal:
    number = Decimal(held)
    return int(number) if number == number.to_integral_value() else number


READERS: Mapping[str, Callable[[Any], Any]] = {
    "S": lambda held: held,
    "N": _number,
    "B": lambda held: held,
    "BOOL": lambda held: held,
    "NULL": lambda _: None,
    "M": lambda held: {name: _deserialize(each) for name, each in held.items()},
    "L": lambda held: [_deserialize(each) for each in held],
    "SS": set,
    "NS": lambda held: set(map(_number, held)),
    "BS": set,
}


def require_text(fields: Mapping[str, Any], name: str) -> str:
    """Return an attribute that must be text.

    Raises:
        ValueError: it is missing or of another type.
    """
    value = fields.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name} is not text")  # noqa: TRY004 - a wrong value of a stored item
    return value


def read_time(text: str | None) -> datetime | None:
    """Return the time of an optional attribute.

    Raises:
        ValueError: it is no time.
    """
    return parse_iso(text) if text else None


def require_int(fields: Mapping[str, Any], name: str) -> int:
    """Return an attribute that must be an integer.

    Raises:
        ValueError: it is missing or of another type.
    """
    value = fields.get(name)
    if not isinstance(value, int):
        raise ValueError(f"{name} is not an integer")  # noqa: TRY004 - as above
    return value
