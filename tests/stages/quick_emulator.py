"""The emulator without what costs a suite most of its time; its answers stay the same.

* botocore's files are read once for a process, not for each session. The clients of a session
  share what was read and leave it as it is, so that all sessions may. botocore, moto and the survey
  complete a model in place, each by extras of its own, so each has a model of its own.
* moto's DynamoDB keeps what a transaction may change, instead of a copy of whole tables and of
  their streams. What it finds is serialised at once, and is not copied before.
* Of an attribute value, which has one of ten members, moto's serialiser looks for that one only.
"""

import copy
from collections import defaultdict
from types import SimpleNamespace
from typing import Any

from botocore.loaders import Loader
from moto.core.serialize import BaseJSONSerializer
from moto.dynamodb import models
from moto.dynamodb.exceptions import MockValidationException
from moto.dynamodb.models import table as tables
from moto.dynamodb.models.dynamo_type import Item
from moto.dynamodb.models.table import Table

_LIST_SERVICES = Loader.list_available_services
_TRANSACT = models.DynamoDBBackend.transact_write_items
_SERIALIZE = BaseJSONSerializer._serialize_type_structure

_LOAD_DATA = Loader.load_data
LOAD_MODEL = Loader.load_service_model

_read: dict[tuple[object, ...], Any] = {}


def quicken() -> None:
    """Patch botocore's and moto's classes."""
    replacements: list[tuple[Any, str, Any]] = [
        (Loader, "load_data", _load_data),
        (Loader, "load_service_model", _load_model),
        (Loader, "list_available_services", _list_services),
        (models.DynamoDBBackend, "transact_write_items", _transact),
        (models, "copy", _copy_unless(Table)),
        (tables, "copy", _copy_unless(list, Item)),
        (BaseJSONSerializer, "_serialize_type_structure", _serialize_structure),
    ]
    for owner, name, replacement in replacements:
        setattr(owner, name, replacement)


def _list_services(loader: Loader, type_name: str) -> Any:
    return _read_once(_LIST_SERVICES, loader, type_name)


def _load_model(
    loader: Loader, service_name: str, type_name: str, api_version: str | None = None
) -> Any:
    return _read_once(LOAD_MODEL, loader, service_name, type_name, api_version)


def _load_data(loader: Loader, name: str) -> Any:
    of_service = "/" in name  # a part of what `_load_model` completes and keeps
    return _LOAD_DATA(loader, name) if of_service else _read_once(_LOAD_DATA, loader, name)


def _read_once(read: Any, loader: Loader, *named: str | None) -> Any:
    key = (read, type(loader), *loader.search_paths, *loader.extras_types, *named)
    if key not in _read:
        _read[key] = read(loader, *named)
    return _read[key]


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
        _SERIALIZE(serializer, serialized, value, shape, key)
        return
    held: dict[str, Any] = {}
    for name, member in value.items():
        serializer._serialize(held, member, shape.members[name], name)
    serializer._default_serialize(serialized, held, shape, key)
