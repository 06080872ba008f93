# ruff: noqa: SLF001 - replaces what moto has in private
"""The emulated DynamoDB without what costs it most of its time; its answers stay the same.

* It keeps what a transaction may change, instead of a copy of whole tables and of their streams.
  What it finds is serialised at once, and is not copied before.
* moto sums the size of all attributes of an item at each one that is set. Here they are added up,
  and summed again above a quarter of the limit.
* Of an attribute value, which has one of ten members, moto's serialiser looks for that one only.
* Which nodes of an expression a step of its validation concerns is known by their class.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from functools import cache
from types import SimpleNamespace
from typing import Any

from moto.core.serialize import BaseJSONSerializer
from moto.dynamodb import models
from moto.dynamodb.exceptions import MockValidationException
from moto.dynamodb.models import table as tables
from moto.dynamodb.models.dynamo_type import DynamoType, Item, LimitedSizeDict
from moto.dynamodb.models.table import Table
from moto.dynamodb.models.utilities import bytesize
from moto.dynamodb.parsing import ast_nodes

_SERIALIZE_STRUCTURE = BaseJSONSerializer._serialize_type_structure
_SET_ATTRIBUTE = LimitedSizeDict.__setitem__
_TRANSACT = models.DynamoDBBackend.transact_write_items
_NODES: Any = ast_nodes  # moto gives it no types
_SMALL = 100_000  # bytes of an item


def quicken_dynamodb() -> None:
    """Patch moto's classes; calling it again changes nothing."""
    replacements: list[tuple[Any, str, Any]] = [
        (BaseJSONSerializer, "_serialize_type_structure", _serialize_structure),
        (_NODES.DepthFirstTraverser, "traverse_node_recursively", _traverse),
        (_NODES.Node, "find_clauses", _find_clauses),
        (LimitedSizeDict, "__setitem__", _set_attribute),
        (models.DynamoDBBackend, "transact_write_items", _transact),
        (models, "copy", _copy_unless(Table)),
        (tables, "copy", _copy_unless(list, Item)),
    ]
    for owner, name, replacement in replacements:
        setattr(owner, name, replacement)


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


def _set_attribute(item: Any, name: str, value: Any) -> None:
    """Set an attribute of an item, unless the item is too large then."""
    known = vars(item)
    if "total" not in known:  # a copy has none
        known["total"] = sum(map(_measure, (*item.keys(), *item.values())))
    total = known["total"] + _measure(name) + _measure(value)
    if total > _SMALL:
        _SET_ATTRIBUTE(item, name, value)
        return
    known["total"] = total
    dict.__setitem__(item, name, value)


def _measure(value: Any) -> int:
    return value.size() if type(value) is DynamoType else bytesize(str(value))


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
