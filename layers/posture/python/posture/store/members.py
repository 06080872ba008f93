"""The member accounts in the baseline table.

AWS Organizations' list, or a person, writes who is a member; a sweep asks for members, and what
sweeps them writes what became of it. Each of them writes attributes of its own, without reading
the item: none of them can undo what another one wrote.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from posture.errors import CorruptItemError
from posture.lean_dataclass import dataclass
from posture.lifecycle.bounds import truncate
from posture.model.instant import format_iso
from posture.model.member import Member, MemberSource, MemberState
from posture.model.scope import ACCOUNT
from posture.store.attribute_values import (
    StoredItem,
    deserialize,
    require_int,
    require_text,
    serialize,
)
from posture.store.conditional_writes import ConditionFailedError, name_attributes, update
from posture.store.items import naming_item
from posture.store.queries import StoredTable
from posture.store.schema import SCHEMA, upgrade

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import UpdateTypeDef

KIND = "member"
REQUIRED_TIMES = ("since", "last_seen")
OPTIONAL_TIMES = ("swept_at", "tried_at", "begun_at")
MAX_ERROR = 1_000  # characters that are kept of an error


@dataclass(frozen=True, slots=True)
class StoredMembers:
    """All members by account, and why others cannot be read, by the name of their items."""

    members: tuple[Member, ...]
    unreadable: Mapping[str, str] = field(default_factory=dict)


class MemberTable(StoredTable):
    """The member accounts in the baseline table."""

    def load_accounts(self) -> tuple[str, ...]:
        """Read the ids of the accounts that are watched.

        An item that cannot be read hides no other one. Its account is watched unless the item says
        that it left; the sweep reports the item.
        """
        items = self._query("kind", KIND, consistent=False, attributes=("name", "state"))
        stored = map(deserialize, items)
        return tuple(
            each["name"]
            for each in stored
            if each.get("state") != MemberState.LEFT and ACCOUNT.fullmatch(each["name"])
        )

    def load(self) -> StoredMembers:
        """Read all members, those that left included; one that cannot be read hides no other."""
        members: list[Member] = []
        unreadable: dict[str, str] = {}
        for item in self._query("kind", KIND):
            try:
                members.append(_parse_member(item))
            except CorruptItemError as error:
                unreadable[deserialize(item)["name"]] = str(error)
        return StoredMembers(tuple(members), unreadable)

    def get(self, account: str) -> Member | None:
        """Read one member; None if the account never was one.

        Raises:
            CorruptItemError: The item cannot be read.
        """
        item = self._get(_key(account))
        return _parse_member(item) if item else None

    def put(
        self, account: str, state: MemberState, source: MemberSource, now: datetime, by: str = ""
    ) -> Member | None:
        """Make an account a member, or one that left.

        Args:
            account: The account.
            state: Whether it is a member.
            source: Who decides.
            now: The current time.
            by: The ARN of the person, where one decides.

        Returns:
            What was stored before.
        """
        before = self.get(account)
        is_new = before is None or (state is MemberState.ACTIVE and not before.is_active)
        changes = "SET #schema = :schema, #state = :state, #source = :source, #last_seen = :now"
        values = {":schema": SCHEMA, ":state": state, ":source": source, ":now": format_iso(now)}
        if is_new:
            changes += ", #since = :now"
        if by:
            changes += ", #named_by = :by"
            values[":by"] = by
        self._update(account, changes, values)
        return before

    def ask(self, account: str, now: datetime, ahead: Collection[str] = ()) -> bool:
        """Ask for a sweep of an account; False if it is in the table no more.

        Times that have not come yet, whose names are `ahead`, are replaced or removed: they would
        make the account swept already, or due without an end.
        """
        replaced = "".join(f", #{name} = :now" for name in REQUIRED_TIMES if name in ahead)
        removed = "".join(f", #{name}" for name in OPTIONAL_TIMES if name in ahead)
        changes = f"SET #due_at = :now{replaced} REMOVE #attempts{removed}"
        return self._update_existing(account, changes, {":now": format_iso(now)})

    def begin(self, member: Member, began_at: datetime) -> bool:
        """Count a sweep that begins; False if the member is in the table no more.

        So an account whose sweep ends the process is known by its number of attempts.
        """
        values = {":attempts": member.attempts + 1, ":began": format_iso(began_at)}
        changes = "SET #attempts = :attempts, #begun_at = :began"
        return self._update_existing(member.account, changes, values)

    def complete(self, member: Member, began_at: datetime) -> None:
        """Record that all of an account was swept, or that the findings of one that left ended."""
        values = {":began": format_iso(began_at), ":state": member.state}
        success = "#swept_at = :began, " if member.is_active else ""
        changes = f"SET {success}#tried_at = :began, #tried_as = :state"
        changes += " REMOVE #last_error, #attempts, #begun_at"
        self._update_existing(member.account, changes, values)

    def postpone(self, member: Member, reason: str) -> None:
        """Record why a sweep was not complete; the account stays due."""
        changes = "SET #last_error = :reason REMOVE #begun_at"
        values = {":reason": truncate(reason, MAX_ERROR)}
        self._update_existing(member.account, changes, values)

    def give_up(self, member: Member, began_at: datetime, reason: str) -> None:
        """Record why the sweep was not complete; the account is due when a sweep asks again."""
        values = {
            ":began": format_iso(began_at),
            ":state": member.state,
            ":reason": truncate(reason, MAX_ERROR),
        }
        changes = "SET #last_error = :reason, #tried_at = :began, #tried_as = :state"
        self._update_existing(member.account, f"{changes} REMOVE #attempts, #begun_at", values)

    def _update_existing(self, account: str, changes: str, values: Mapping[str, Any]) -> bool:
        try:
            self._update(account, changes, values, "attribute_exists(#kind)")
        except ConditionFailedError:
            return False
        return True

    def _update(
        self, account: str, changes: str, values: Mapping[str, Any], condition: str = ""
    ) -> None:
        write: UpdateTypeDef = {
            "TableName": self._table,
            "Key": _key(account),
            "UpdateExpression": changes,
            "ExpressionAttributeNames": name_attributes(f"{changes} {condition}"),
            "ExpressionAttributeValues": serialize(values),
        }
        if condition:
            write["ConditionExpression"] = condition
        update(self._client, write)


def _key(account: str) -> Any:
    return serialize({"kind": KIND, "name": account})


def _parse_member(item: StoredItem) -> Member:
    stored: Mapping[str, Any] = deserialize(item)
    account = stored["name"]
    with naming_item("baseline", KIND, account):
        stored = upgrade(stored)
        if not ACCOUNT.fullmatch(account):
            raise ValueError("its name is not a 12-digit account ID")
        return Member(
            account=account,
            state=MemberState(require_text(stored, "state")),
            source=MemberSource(require_text(stored, "source")),
            since=_parse_time(require_text(stored, "since")),
            last_seen=_parse_time(require_text(stored, "last_seen")),
            due_at=_read_time(stored, "due_at"),
            swept_at=_read_time(stored, "swept_at"),
            tried_at=_read_time(stored, "tried_at"),
            tried_as=require_text({"tried_as": "", **stored}, "tried_as"),
            attempts=require_int({"attempts": 0, **stored}, "attempts"),
            begun_at=_read_time(stored, "begun_at"),
            last_error=require_text({"last_error": "", **stored}, "last_error"),
            named_by=require_text({"named_by": "", **stored}, "named_by"),
        )


def _read_time(stored: Mapping[str, Any], name: str) -> datetime | None:
    return _parse_time(require_text(stored, name)) if name in stored else None


def _parse_time(text: str) -> datetime:
    """Parse a time with any number of digits of a second: Step Functions writes three of them."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return time.astimezone(UTC)
