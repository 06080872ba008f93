"""DynamoDB's typed attribute values and plain Python ones, and the way back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

Item = dict[str, "AttributeValueTypeDef"]


def serialize(deserialize: Mapping[str, Any]) -> Item:
    """Give the item as DynamoDB takes it; what is None is no attribute at all.

    Raises:
        TypeError: a value is neither text, a whole number, a truth value, bytes, a mapping nor a
            list of those. Fractions are not among them: binary ones would not come back the same.
    """
    return {
        name: cast("Any", _typed(value)) for name, value in deserialize.items() if value is not None
    }


def deserialize(item: Mapping[str, AttributeValueTypeDef]) -> dict[str, Any]:
    """Give the item in plain Python: text, `Decimal`, bytes, lists and dicts.

    Raises:
        TypeError: a value has no type that DynamoDB knows.
    """
    return {name: _plain(value) for name, value in item.items()}


def _typed(value: object) -> dict[str, object]:  # noqa: PLR0911 - one line a type
    if isinstance(value, str):
        return {"S": value}
    if value is None:
        return {"NULL": True}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int):
        return {"N": str(value)}
    if isinstance(value, Mapping):
        return {"M": {name: _typed(each) for name, each in value.items()}}
    if isinstance(value, list | tuple):
        return {"L": [_typed(each) for each in value]}
    if isinstance(value, bytes):
        return {"B": value}
    raise TypeError(f"{type(value).__name__} is nothing that an item holds")


def _plain(value: Any) -> Any:
    """Read one value, which has one entry: its type."""
    try:
        ((kind, held),) = value.items()
        return READERS[kind](held)
    except (AttributeError, KeyError, ValueError, ArithmeticError) as error:
        raise TypeError(f"{value!r} is no typed value of DynamoDB") from error


READERS: Mapping[str, Callable[[Any], Any]] = {
    "S": lambda held: held,
    "N": Decimal,
    "B": lambda held: held,
    "BOOL": lambda held: held,
    "NULL": lambda _: None,
    "M": lambda held: {name: _plain(each) for name, each in held.items()},
    "L": lambda held: [_plain(each) for each in held],
    "SS": set,
    "NS": lambda held: {Decimal(each) for each in held},
    "BS": set,
}


def require_text(fields: Mapping[str, Any], name: str) -> str:
    """Read an attribute that must be text.

    Raises:
        ValueError: it is missing or something else.
    """
    value = fields.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name} is no text")  # noqa: TRY004 - a wrong value of a stored item
    return value


def require_int(fields: Mapping[str, Any], name: str) -> int:
    """Read an attribute that must be a whole number.

    Raises:
        ValueError: it is missing or something else.
    """
    value = fields.get(name)
    if value is None or isinstance(value, (str, bytes, list, dict)) or int(value) != value:
        raise ValueError(f"{name} is no whole number")
    return int(value)
