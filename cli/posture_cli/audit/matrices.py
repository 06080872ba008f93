"""The coverage matrices that a monitor stored: how each subnet of a VPC reaches each service."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from posture.model.scope import Scope
from posture.store.scope_record import parse_scope_record, record_key
from posture_cli.audit.open_tables import OpenTables


@dataclass(frozen=True, slots=True)
class VpcMatrix:
    """The coverage matrix of a VPC.

    Attributes:
        scope: The VPC.
        observed_at: When the VPC was read.
        record: The matrix, as `posture.analysis.matrix` writes it; empty if none is stored.
    """

    scope: Scope
    observed_at: datetime
    record: Mapping[str, Any]


def read_matrices(tables: OpenTables, scopes: Iterable[Scope]) -> Iterator[VpcMatrix]:
    """Read the matrices of those scopes that still exist.

    Raises:
        CorruptItemError: An item cannot be parsed.
    """
    for scope in scopes:
        item = tables.client.get_item(TableName=tables.tables.findings, Key=record_key(scope))
        if "head_of" in item.get("Item", {}):
            found = parse_scope_record(item["Item"])
            yield VpcMatrix(scope, found.observed_at, found.coverage or {})
