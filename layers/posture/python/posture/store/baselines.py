"""The baseline table: the document that holds now, and every one that held before.

The current document is the item `baseline`/`current`; each version stays as `version#000001` and so
on, so that auditors see what was required when, and who said so.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from posture.baseline.document import BaselineDocument
from posture.baseline.parse import dump_document, parse_document
from posture.errors import BaselineError, ConflictError
from posture.model.instant import format_iso
from posture.store.attribute_values import deserialize, require_int, require_text, serialize
from posture.store.conditional_writes import ConditionFailedError, transact
from posture.store.items import corrupt_item_error
from posture.store.waivers import WaiverTable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import PutTypeDef

    from posture.store.attribute_values import Item

KIND = "baseline"
CURRENT = "current"


@dataclass(frozen=True, slots=True)
class AppliedBaseline:
    """A document with the number it got when it was applied; 0 when none ever was."""

    document: BaselineDocument
    version: int = 0
    applied_at: str = ""
    applied_by: str = ""


class BaselineTable:
    """The baseline table."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def load(self) -> BaselineDocument:
        """Read the document that holds, and the waivers there are.

        With none applied, it is the one that demands nothing special.

        Raises:
            CorruptItemError: the stored document or a waiver cannot be read.
        """
        waivers = WaiverTable(self._client, self._table).load()
        return replace(self.load_current().document, waivers=waivers)

    def load_current(self) -> AppliedBaseline:
        """Read the document that holds, with its version and who applied it.

        Raises:
            CorruptItemError: the stored document cannot be read.
        """
        answer = self._client.get_item(
            TableName=self._table,
            Key={"kind": {"S": KIND}, "name": {"S": CURRENT}},
            ConsistentRead=True,
        )
        if "Item" not in answer:
            return AppliedBaseline(BaselineDocument())
        fields = deserialize(answer["Item"])
        try:
            return AppliedBaseline(
                document=parse_document(_whole_numbers(fields.get("document"))),
                version=require_int(fields, "version"),
                applied_at=require_text(fields, "applied_at"),
                applied_by=require_text(fields, "applied_by"),
            )
        except (BaselineError, ValueError) as error:
            raise corrupt_item_error("baseline", KIND, CURRENT, error) from error

    def apply(
        self, document: BaselineDocument, *, after: int, applied_at: datetime, applied_by: str
    ) -> int:
        """Make a document the one that holds, and keep it for ever under its version.

        Args:
            document: What holds from now on.
            after: The version it was made from; 0 for the first.
            applied_at: Now.
            applied_by: The ARN of whoever applies it.

        Returns:
            Its version.

        Raises:
            ConflictError: another version was applied since `after`.
        """
        version = after + 1
        fields = {
            "kind": KIND,
            "document": dump_document(document),
            "version": version,
            "applied_at": format_iso(applied_at),
            "applied_by": applied_by,
        }
        unchanged = "attribute_not_exists(#version)" if after == 0 else "#version = :after"
        values: Item = {} if after == 0 else serialize({":after": after})
        current: PutTypeDef = {
            "TableName": self._table,
            "Item": serialize({**fields, "name": CURRENT}),
            "ConditionExpression": unchanged,
            "ExpressionAttributeNames": {"#version": "version"},
        }
        if values:
            current["ExpressionAttributeValues"] = values
        kept: PutTypeDef = {
            "TableName": self._table,
            "Item": serialize({**fields, "name": f"version#{version:06}"}),
        }
        try:
            transact(self._client, [{"Put": current}, {"Put": kept}])
        except ConditionFailedError:
            raise ConflictError(f"somebody else applied a baseline after version {after}") from None
        return version


def _whole_numbers(value: Any) -> Any:
    """Give the whole numbers that DynamoDB hands back as decimals."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dict):
        return {key: _whole_numbers(each) for key, each in value.items()}
    return [_whole_numbers(each) for each in value] if isinstance(value, list) else value
