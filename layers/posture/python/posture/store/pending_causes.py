"""What sweeps found that no event had reported, until late events have had their time.

An item of the findings table for each scope, in a partition of each account and Region.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from posture.lean_dataclass import dataclass
from posture.model.instant import format_iso, parse_iso
from posture.model.scope import Region, Scope
from posture.store.attribute_values import deserialize, serialize
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

    def find(self, region: Region, until: datetime) -> Iterator[PendingCause]:
        """Find those of an account's Region until a time."""
        for item in self._query("scope", f"{PREFIX}{region}"):
            fields = deserialize(item)
            at = parse_iso(str(fields["item"]).partition("#")[0])
            if at <= until:
                findings = [(str(rule), str(resource)) for rule, resource in fields["findings"]]
                scope = Scope.parse(str(fields["of"]))
                yield PendingCause(scope, at, findings, [str(each) for each in fields["changed"]])

    def remove(self, cause: PendingCause) -> None:
        """Remove one."""
        self._client.delete_item(TableName=self._table, Key=_build_key(cause.scope, cause.at))


def _build_key(scope: Scope, at: datetime) -> dict[str, AttributeValueTypeDef]:
    region = Region(scope.account, scope.region)
    return serialize({"scope": f"{PREFIX}{region}", "item": f"{format_iso(at)}#{scope.subject}"})
