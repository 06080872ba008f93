"""What sweeps found that no event had reported, until late events have had their time.

An item of the findings table for each scope, in a partition of each account and Region.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from posture.errors import CorruptItemError
from posture.lean_dataclass import dataclass
from posture.model.instant import CLOCK_TOLERANCE, format_iso, parse_iso
from posture.model.scope import Region, Scope
from posture.store.attribute_values import StoredItem, deserialize, require_text, serialize
from posture.store.items import naming_item
from posture.store.queries import StoredTable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

PREFIX = "pending-causes#"
KIND = "pending-cause"
KEPT = timedelta(days=2)  # what no sweep takes up is deleted then


@dataclass(frozen=True, slots=True)
class PendingCause:
    """Findings of one evaluation whose cause an event may still tell.

    Attributes:
        scope: The scope.
        at: The time of the findings' transitions.
        findings: The rule and resource of each.
        changed: What a call must have changed in the scope, for people.
    """

    scope: Scope
    at: datetime
    findings: Sequence[tuple[str, str]]
    changed: Sequence[str]


@dataclass(frozen=True, slots=True)
class FoundCauses:
    """The pending causes of a Region, and why others cannot be read, by their sort keys."""

    causes: tuple[PendingCause, ...]
    unreadable: Mapping[str, str]


class PendingCauses(StoredTable):
    """The pending causes of one findings table."""

    def add(self, cause: PendingCause) -> None:
        """Add one."""
        fields = {
            "kind": KIND,
            "of": str(cause.scope),
            "observed_at": format_iso(cause.at),
            "findings": [list(each) for each in cause.findings],
            "changed": list(cause.changed),
            "expires_at": int((cause.at + KEPT).timestamp()),
        }
        item = {**_build_key(cause.scope, cause.at), **serialize(fields)}
        self._client.put_item(TableName=self._table, Item=item)

    def find(self, region: Region, now: datetime) -> FoundCauses:
        """Find those of an account's Region; one that cannot be read hides no other."""
        causes: list[PendingCause] = []
        unreadable: dict[str, str] = {}
        for item in self._query("scope", name_partition(region)):
            try:
                causes.append(_parse(item, now))
            except CorruptItemError as error:
                unreadable[str(item["item"].get("S"))] = str(error)
        return FoundCauses(tuple(causes), unreadable)

    def remove(self, cause: PendingCause) -> None:
        """Remove one."""
        self._client.delete_item(TableName=self._table, Key=_build_key(cause.scope, cause.at))


def name_partition(region: Region) -> str:
    """Return the partition key of an account's Region."""
    return f"{PREFIX}{region}"


def _build_key(scope: Scope, at: datetime) -> dict[str, AttributeValueTypeDef]:
    partition = name_partition(Region(scope.account, scope.region))
    return serialize({"scope": partition, "item": f"{format_iso(at)}#{scope.subject}"})


def _parse(item: StoredItem, now: datetime) -> PendingCause:
    fields = deserialize(item)
    with naming_item("pending cause", fields["scope"], fields["item"]):
        at = parse_iso(fields["item"].partition("#")[0])
        scope = Scope.parse(require_text(fields, "of"))
        findings = [(str(rule), str(resource)) for rule, resource in fields["findings"]]
        if not _build_key(scope, at).items() <= item.items():
            raise ValueError(f"its key is not one of {scope}")
        if at > now + CLOCK_TOLERANCE:
            raise ValueError("its time is in the future")
        if not findings:
            raise ValueError("it names no finding")
        return PendingCause(scope, at, findings, [str(each) for each in fields["changed"]])
