"""Reads the values of AWS CLI options: texts, flags, lists, shorthand and JSON.

https://docs.aws.amazon.com/cli/latest/userguide/cli-usage-parameters-types.html
"""

from __future__ import annotations

import json
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from posture.edits.permissions import PEERS, PORTS
from posture.edits.requests import name_member
from posture.edits.shorthand import parse_shorthand
from posture.errors import MalformedRequestError
from posture.model.network import SecurityGroupRule

FileReader = Callable[[str], str]  # reads the text of a file by its path
FLAGS = {"true": True, "false": False}


def list_options(kind: Any) -> Mapping[str, Any]:
    """Return the type of each option of an operation, by its name such as `route-table-id`.

    A parameter that holds a single boolean has the type of that boolean: the AWS CLI makes it a
    flag, too.
    """
    return _list_options(kind)


@cache
def _list_options(kind: Any) -> Mapping[str, Any]:
    hints = get_type_hints(kind)
    return {each.name.replace("_", "-"): _unwrap(hints[each.name]) for each in fields(kind)}


def _unwrap(hint: Any) -> Any:
    """Return the type of a value that is given."""
    if get_origin(hint) in {types.UnionType, Union}:
        choices = [each for each in get_args(hint) if each is not type(None)]
        return choices[0] if len(choices) == 1 else str  # addresses of either family are texts
    return hint


def read_text(value: str, read_file: FileReader | None) -> str:
    """Return a value, or the file that it names."""
    if value.startswith("fileb://"):
        raise MalformedRequestError(f"{value}: expected text, as no option takes binary data")
    if not value.startswith("file://"):
        return value
    if read_file is None:
        raise MalformedRequestError(f"{value}: expected the text itself, as no file is read here")
    return read_file(value.removeprefix("file://"))


def read_values(hint: Any, values: Sequence[str]) -> Any:
    """Read the values of an option whose parameter has a type.

    Raises:
        MalformedRequestError: They have another form; the message says which was expected.
    """
    if get_origin(hint) is tuple:
        return _read_list(get_args(hint)[0], values)
    if hint is bool:
        return _read_flag(values)
    if len(values) != 1:
        raise MalformedRequestError(f"expected one value, not {len(values)}")
    if is_dataclass(hint):
        return _read_structure(hint, values[0])
    return convert(hint, values[0])


def _read_flag(values: Sequence[str]) -> bool:
    """Read a flag, which may be followed by `Value=true` or JSON if EC2 wraps it."""
    if not values:
        return True
    text = values[0].strip()
    stated = parse_json(text) if text.startswith("{") else parse_shorthand(text)
    value = stated.get("Value") if isinstance(stated, dict) and set(stated) == {"Value"} else None
    value = FLAGS.get(value.lower()) if isinstance(value, str) else value
    if len(values) > 1 or not isinstance(value, bool):
        raise MalformedRequestError(f"expected no value, or Value=true, not {' '.join(values)!r}")
    return value


def _read_list(item: Any, values: Sequence[str]) -> Any:
    if len(values) == 1 and values[0].lstrip().startswith("["):
        return parse_json(values[0])
    if item is SecurityGroupRule or is_dataclass(item):
        return [_read_structure(item, each) for each in values]
    return [convert(item, each) for each in values]


def _read_structure(hint: Any, text: str) -> Any:
    if text.lstrip().startswith(("{", "[")):
        return parse_json(text)
    return convert(hint, parse_shorthand(text))


def parse_json(text: str) -> Any:
    """Parse the JSON of a value."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise MalformedRequestError(f"expected JSON: {error}") from None


def convert(hint: Any, value: Any) -> Any:
    """Turn the texts of a shorthand value to the types that the parameter has.

    A text of another form is left as it is, for `parse_request` to refuse.
    """
    if hint is str:
        return value
    if hint is SecurityGroupRule:
        return _convert_permission(value)
    if get_origin(hint) is tuple:
        item = get_args(hint)[0]
        return [convert(item, each) for each in (value if isinstance(value, list) else [value])]
    if is_dataclass(hint) and isinstance(value, dict):
        types_ = get_type_hints(hint)
        hints = {name_member(each): types_[each.name] for each in fields(hint)}
        return {
            name: convert(_unwrap(hints[name]), each) if name in hints else each
            for name, each in value.items()
        }
    if hint is bool and isinstance(value, str):
        return FLAGS.get(value.lower(), value)
    return _convert_number(value) if hint is int else value


def _convert_number(value: Any) -> Any:
    try:
        return int(value)
    except (ValueError, TypeError):
        return value


def _convert_permission(value: Any) -> Any:
    """Convert a permission of a security group, whose peers are lists of structures of texts."""
    if not isinstance(value, dict):
        return value
    found = {name: _convert_number(each) if name in PORTS else each for name, each in value.items()}
    lists = {name: found[name] for name in PEERS if name in found}
    return found | {
        name: each if isinstance(each, list) else [each] for name, each in lists.items()
    }
