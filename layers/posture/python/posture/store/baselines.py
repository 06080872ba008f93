"""The baseline table: the current document, and every version before it.

The current document is the item `baseline`/`current`; each version stays as `version#000001` and so
on, so that auditors see what was required when, and who applied it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from posture.baseline.document import BaselineDocument
from posture.baseline.parse import dump_document, parse_document
from posture.errors import ConflictError
from posture.lean_dataclass import dataclass
from posture.model.instant import format_iso
from posture.store.attribute_values import deserialize, require_int, require_text, serialize
from posture.store.conditional_writes import ConditionFailedError, build_put, transact
from posture.store.items import naming_item
from posture.store.queries import StoredTable
from posture.store.waivers import WaiverTable

KIND = "baseline"
CURRENT = "current"


@dataclass(frozen=True, slots=True)
class AppliedBaseline:
    """A document, and the version it got when it was applied; 0 when none was ever applied."""

    document: BaselineDocument
    version: int = 0
    applied_at: str = ""
    applied_by: str = ""


class BaselineTable(StoredTable):
    """The baseline document in the baseline table."""

    def load(self) -> BaselineDocument:
        """Read the current document and all waivers; an empty document where none was applied.

        Raises:
            CorruptItemError: the stored document or a waiver cannot be read.
        """
        return self.load_applied().document

    def load_applied(self) -> AppliedBaseline:
        """Read the current document with all waivers, its version and who applied it.

        Raises:
            CorruptItemError: the stored document or a waiver cannot be read.
        """
        waivers = WaiverTable(self._client, self._table).load()
        current = self.load_current()
        return replace(current, document=replace(current.document, waivers=waivers))

    def load_current(self) -> AppliedBaseline:
        """Read the current document, with its version and who applied it.

        Raises:
            CorruptItemError: the stored document cannot be read.
        """
        return self._load(CURRENT) or AppliedBaseline(BaselineDocument())

    def load_version(self, number: int) -> AppliedBaseline | None:
        """Read a former version, or the default for version 0; None where it is not stored.

        Raises:
            CorruptItemError: the stored document cannot be read.
        """
        return self._load(name_version(number)) if number else AppliedBaseline(BaselineDocument())

    def _load(self, name: str) -> AppliedBaseline | None:
        item = self._get(serialize({"kind": KIND, "name": name}))
        if item is None:
            return None
        fields = deserialize(item)
        with naming_item("baseline", KIND, name):
            return AppliedBaseline(
                document=parse_document(fields.get("document")),
                version=require_int(fields, "version"),
                applied_at=require_text(fields, "applied_at"),
                applied_by=require_text(fields, "applied_by"),
            )

    def apply(
        self, document: BaselineDocument, *, after: int, applied_at: datetime, applied_by: str
    ) -> int:
        """Make a document the current one, and keep it under its version.

        Args:
            document: The new document.
            after: The version that it replaces; 0 for the first.
            applied_at: The current time.
            applied_by: The ARN of the principal that applies it.

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
        unchanged = "#version = :after" if after else "attribute_not_exists(#version)"
        current = build_put(
            self._table,
            serialize({**fields, "name": CURRENT}),
            unchanged,
            {":after": after} if after else None,
        )
        kept = build_put(self._table, serialize({**fields, "name": name_version(version)}))
        try:
            transact(self._client, [{"Put": current}, {"Put": kept}])
        except ConditionFailedError:
            raise ConflictError(f"another baseline was applied after version {after}") from None
        return version


def name_version(number: int) -> str:
    """Return the sort key of a version."""
    return f"version#{number:06}"
