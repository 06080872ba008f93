"""The catalogues of a Region, with which stored snapshots are evaluated without EC2.

Their sort key in the table of the shared network is `catalogue#` and their digest.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from typing import TYPE_CHECKING

from posture.lean_dataclass import dataclass
from posture.model.instant import format_iso
from posture.model.network import PrefixList, Service
from posture.store.attribute_values import deserialize, serialize
from posture.store.conditional_writes import build_put
from posture.store.items import naming_item
from posture.store.queries import StoredTable
from posture.store.schema import SCHEMA
from posture.store.shared_entries import LEVEL, LIMIT, build_key, decompress
from posture.store.typed_json import from_json, to_json

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CATALOGUE = "catalogue#"  # begins the sort keys of catalogues, by their digest


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What all VPCs of a Region share: the endpoint services, and AWS's prefix lists."""

    services: Mapping[str, Service] = field(default_factory=dict)
    prefix_lists: Mapping[str, PrefixList] = field(default_factory=dict)


class CatalogueTable(StoredTable):
    """The table of the shared network, for its catalogues."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        super().__init__(client, table)
        self._catalogues: dict[tuple[str, str], Catalogue] = {}

    def keep_catalogue(self, region: str, digest: str, catalogue: Catalogue, now: datetime) -> None:
        """Store a catalogue under its digest, once in the life of this object."""
        key = (region, digest)
        if key in self._catalogues:
            return
        text = json.dumps(to_json(catalogue), ensure_ascii=False, separators=(",", ":"))
        fields = {"kind": "shared-catalogue", "schema": SCHEMA, "kept_at": format_iso(now)}
        data = zlib.compress(text.encode(), LEVEL)
        if len(data) <= LIMIT:
            item = build_key(region, f"{CATALOGUE}{digest}")
            put = build_put(self._table, {**item, **serialize({**fields, "data": data})})
            self._client.put_item(**put)
        self._catalogues[key] = catalogue

    def load_catalogue(self, region: str, digest: str) -> Catalogue | None:
        """Load a catalogue by its digest; None where it is not stored.

        Raises:
            CorruptItemError: It cannot be read.
        """
        key, name = (region, digest), f"{CATALOGUE}{digest}"
        if key not in self._catalogues:
            item = self._get(build_key(region, name)) if digest else None
            if item is None:
                return None
            with naming_item("shared network", region, name):
                text = decompress([deserialize(item)["data"]])
                self._catalogues[key] = from_json(Catalogue, json.loads(text))
        return self._catalogues[key]
