# ruff: noqa: SLF001 - replaces what moto has in private
"""The emulator without what costs it most of its time; its answers stay the same.

* Which attribute of a result a member of an answer is depends on the member and on the result's
  class. moto finds it again for each value; here it is found once.
* The XML of an answer is written at once, not by way of a parser's events. An answer of plain
  values, such as the list of all endpoint services, is written once.
* DynamoDB keeps what a transaction may change, instead of a copy of whole tables and of their
  streams. What it finds is serialised at once, and is not copied before.
* Of an attribute value, which has one of ten members, moto's serialiser looks for that one only.
* Whether a class implements an action is looked up, instead of listing all its methods. Which
  nodes of an expression a step of its validation concerns is known by their class.
"""

from __future__ import annotations

import copy
import inspect
import marshal
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from types import SimpleNamespace
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import xmltodict  # type: ignore[import-untyped]
from moto.core import responses, serialize
from moto.core.serialize import (
    DEFAULT_ALIAS_PROVIDERS,
    AttributePickerContext,
    BaseJSONSerializer,
    EC2Serializer,
    ResponseSerializer,
    XFormedAttributePicker,
)
from moto.core.utils import get_value
from moto.dynamodb import models
from moto.dynamodb.exceptions import MockValidationException
from moto.dynamodb.models import table as tables
from moto.dynamodb.models.dynamo_type import Item
from moto.dynamodb.models.table import Table
from moto.dynamodb.parsing import ast_nodes

_PICK = ResponseSerializer.get_value
_SERIALIZE_STRUCTURE = BaseJSONSerializer._serialize_type_structure
_SERIALIZE_EC2 = EC2Serializer._serialize_result
_TRANSACT = models.DynamoDBBackend.transact_write_items
_NODES: Any = ast_nodes  # moto gives it no types
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
        (BaseJSONSerializer, "_serialize_type_structure", _serialize_structure),
        (_NODES.DepthFirstTraverser, "traverse_node_recursively", _traverse),
        (_NODES.Node, "find_clauses", _find_clauses),
        (models.DynamoDBBackend, "transact_write_items", _transact),
        (models, "copy", _copy_unless(Table)),
        (tables, "copy", _copy_unless(list, Item)),
    ]
    for owner, name, replacement in replacements:
        setattr(owner, name, replacement)


class _Methods:
    """The names of a class's methods."""

    def __init__(self, kind: type) -> None:
        self._kind = kind

    def __contains__(self, name: str) -> bool:
        return inspect.isfunction(getattr(self._kind, name, None))


@cache
def _is_a(kind: type, *kinds: type) -> bool:
    """Whether a class is one of these; `isinstance` asks abstract classes anew each time."""
    return issubclass(kind, kinds)


def _find_clauses(node: Any, wanted: Any) -> list[Any]:
    found: list[Any] = []
    for child in node.children or ():
        kind: Any = type(child)
        if kind in wanted:
            found.append(child)
        elif _is_a(kind, _NODES.Expression, _NODES.UpdateExpressionFunction):
            found.extend(_find_clauses(child, wanted))
    return found


def _traverse(traverser: Any, node: Any, child_id: int = -1) -> Any:
    return _process(traverser, traverser.nodes_to_be_processed(), node, child_id)


def _process(traverser: Any, wanted: tuple[type, ...], node: Any, child_id: int) -> Any:
    """Process a node's children, and then it."""
    kind: Any = type(node)
    if not _is_a(kind, _NODES.Node):
        return node
    parent = node.parent
    for number, child in enumerate(node.children or ()):
        traverser.pre_processing_of_child(node, number)
        _process(traverser, wanted, child, number)
    if _is_a(kind, *wanted):
        node = traverser.process(node)
        node.parent = parent
        if parent:
            parent.children[child_id] = node
    return node


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


def _copy_unless(*kinds: type) -> Any:
    """Return a module `copy` that does not copy these."""

    def copy_deeply(value: Any) -> Any:
        return value if isinstance(value, kinds) else copy.deepcopy(value)

    return SimpleNamespace(copy=copy.copy, deepcopy=copy_deeply)


def _transact(backend: Any, transact_items: list[Any]) -> None:
    """Write all items or none."""
    operations = [operation for each in transact_items for operation in each.values()]
    named = {each.get("TableName") for each in operations}
    kept = {name: _keep(table) for name, table in backend.tables.items() if name in named}
    for each in transact_items:
        if "Update" in each:
            _copy_item(backend, each["Update"])
    try:
        _TRANSACT(backend, transact_items)
    except BaseException:
        for name, table in kept.items():
            backend.tables[name] = table
        raise


def _keep(table: Any) -> Any:
    """Return the table as it is now; it shares its items, which moto changes by updates only."""
    kept = copy.copy(table)
    rows = {key: dict(held) for key, held in table.items.items()} if table.has_range_key else None
    kept.items = defaultdict(dict, table.items if rows is None else rows)
    if table.stream_shard:
        kept.stream_shard = copy.copy(table.stream_shard)
        kept.stream_shard.table = kept
        kept.stream_shard.items = list(table.stream_shard.items)
    return kept


def _copy_item(backend: Any, update: Any) -> None:
    """Let an update change a copy of its item."""
    table = backend.tables.get(update.get("TableName"))
    try:
        item = table and backend.get_item(table.name, update["Key"])
    except MockValidationException:
        return  # the transaction fails by it
    if not item:
        return
    if table.has_range_key:
        table.items[item.hash_key][item.range_key] = copy.deepcopy(item)
    else:
        table.items[item.hash_key] = copy.deepcopy(item)


def _serialize_structure(
    serializer: Any, serialized: Any, value: Any, shape: Any, key: str
) -> None:
    if shape.name != "AttributeValue" or not key or not isinstance(value, dict):
        _SERIALIZE_STRUCTURE(serializer, serialized, value, shape, key)
        return
    held: dict[str, Any] = {}
    for name, member in value.items():
        serializer._serialize(held, member, shape.members[name], name)
    serializer._default_serialize(serialized, held, shape, key)
