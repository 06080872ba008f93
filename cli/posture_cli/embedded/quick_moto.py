# ruff: noqa: SLF001 - replaces what moto has in private
"""The emulator without what costs it most of its time; its answers stay the same.

* Which attribute of a result a member of an answer is depends on the member and on the result's
  class. moto finds it again for each value; here it is found once.
* The XML of an answer is written at once, not by way of a parser's events. An answer of plain
  values, such as the list of all endpoint services, is written once.
* Whether a class implements an action is looked up, instead of listing all its methods.
"""

from __future__ import annotations

import copy
import inspect
import marshal
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import xmltodict  # type: ignore[import-untyped]
from moto.core import responses, serialize
from moto.core.serialize import (
    DEFAULT_ALIAS_PROVIDERS,
    AttributePickerContext,
    EC2Serializer,
    ResponseSerializer,
    XFormedAttributePicker,
)
from moto.core.utils import get_value

from posture_cli.embedded.quick_dynamodb import quicken_dynamodb

_PICK = ResponseSerializer.get_value
_SERIALIZE_EC2 = EC2Serializer._serialize_result
_MISSING = object()
_LARGE = 10_000  # characters of an answer that is worth keeping

_names: set[str] = set()  # of XML elements and attributes, which are valid
_written: dict[tuple[str, bytes], Any] = {}


def quicken_moto() -> None:
    """Patch moto's classes; calling it again changes nothing."""
    replacements: list[tuple[Any, str, Any]] = [
        (responses, "method_names_from_class", _Methods),
        (serialize, "xmltodict", SimpleNamespace(unparse=_unparse)),
        (ResponseSerializer, "get_value", _pick),
        (EC2Serializer, "_serialize_result", _serialize_ec2),
    ]
    for owner, name, replacement in replacements:
        setattr(owner, name, replacement)
    quicken_dynamodb()


class _Methods:
    """The names of a class's methods."""

    def __init__(self, kind: type) -> None:
        self._kind = kind

    def __contains__(self, name: str) -> bool:
        return inspect.isfunction(getattr(self._kind, name, None))


def _pick(serializer: Any, value: Any, key: str, shape: Any) -> Any:
    """Find the attribute that a member of an answer is."""
    picker = serializer._value_picker
    if (
        type(picker) is not XFormedAttributePicker
        or picker.alias_providers is not DEFAULT_ALIAS_PROVIDERS
    ):
        return _PICK(serializer, value, key, shape)
    kind = type(value)
    try:
        names = shape.names_by_class[kind]
    except (AttributeError, KeyError):
        names = _list_names(picker, value, key, shape)
        shape.names_by_class = {**getattr(shape, "names_by_class", {}), kind: names}
    if kind is dict:
        found = next((value[name] for name in names if name in value), None)
    else:
        held = (get_value(value, name, _MISSING) for name in names)
        found = next((each for each in held if each is not _MISSING), None)
    for path, transform in picker.response_transformers.items():
        if path.endswith(key) or "." not in path:
            whole = f"{'.'.join(serializer.path)}.{key}"
            if whole.endswith(path):
                return transform(found)
    return found


def _list_names(picker: Any, value: Any, key: str, shape: Any) -> tuple[str, ...]:
    """List the names that moto tries, each once."""
    names = picker.get_possible_keys(AttributePickerContext(obj=value, key=key, shape=shape))
    return tuple(dict.fromkeys(names))


def _serialize_ec2(serializer: Any, answer: Any, result: Any) -> Any:
    """Serialise an answer; keep a large one of plain values."""
    try:
        key = serializer.operation_name, marshal.dumps(result, 2)  # without references
    except ValueError:
        return _SERIALIZE_EC2(serializer, answer, result)
    if key in _written:
        return copy.deepcopy(_written[key])
    answer = _SERIALIZE_EC2(serializer, answer, result)
    if len(answer["body"]) >= _LARGE:
        _written[key] = copy.deepcopy(answer)
    return answer


def _unparse(document: Mapping[str, Any], **options: Any) -> str:
    """Write a document as XML, as `xmltodict.unparse` does."""
    parts = ['<?xml version="1.0" encoding="utf-8"?>\n'] if options.get("full_document") else []
    one_root = len(document) == 1 and all(isinstance(each, dict) for each in document.values())
    simple = one_root and options.get("short_empty_elements") and not options.get("pretty")
    if simple and all(_write(parts, *each) for each in document.items()):
        return "".join(parts)
    return str(xmltodict.unparse(document, **options))


def _write(parts: list[str], name: str, value: Any) -> bool:
    """Write an element, or one for each member of a list; return False on what is seldom."""
    if name not in _names and not _is_name(name):
        return False
    for each in value if type(value) is list else (value,):
        kind = type(each)
        if kind is dict:
            if not _write_content(parts, name, each):
                return False
        elif kind is str:
            parts.append(f"<{name}>{escape(each)}</{name}>" if each else f"<{name}/>")
        elif kind is bool:
            parts.append(f"<{name}>{'true' if each else 'false'}</{name}>")
        elif kind is int or kind is float:
            parts.append(f"<{name}>{each}</{name}>")
        elif each is None:
            parts.append(f"<{name}/>")
        else:
            return False
    return True


def _write_content(parts: list[str], name: str, held: dict[str, Any]) -> bool:
    parts.append(f"<{name}")
    children = []
    for inner, value in held.items():
        if inner.startswith("@"):
            if type(value) is not str or not _is_name(inner[1:]):
                return False
            parts.append(f" {inner[1:]}={quoteattr(value)}")
        else:
            children.append((inner, value))
    parts.append(">")
    opened = len(parts)
    if not all(_write(parts, *each) for each in children):
        return False
    if len(parts) > opened:
        parts.append(f"</{name}>")
    else:
        parts[-1] = "/>"
    return True


def _is_name(name: str) -> bool:
    """Whether a name is an element's or an attribute's, without a meaning to `xmltodict`."""
    if type(name) is str and name.isidentifier():
        _names.add(name)
        return True
    return False
