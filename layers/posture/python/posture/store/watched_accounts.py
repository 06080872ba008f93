"""The accounts that a monitor watches: its own and its members, from a parameter or the table."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from posture.runtime.settings import Settings

# Seconds. A change of a new member that is dropped meanwhile is received again after five minutes.
LIFETIME = 60.0


class WatchedAccounts(Collection[str]):
    """The ids of the monitor's own account and of its members.

    An invocation refreshes them once, so that all its steps see the same ones.

    Args:
        home: The monitor's own account.
        members: Its members, where they are fixed.
        read: Reads its members, where they are not.
        clock: Returns seconds of a clock that never goes back.
    """

    def __init__(
        self,
        home: str,
        members: Iterable[str] = (),
        read: Callable[[], Iterable[str]] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._home = home
        self._read = read
        self._clock = clock
        self._read_at = clock()
        self._ids = None if read else frozenset({home, *members})

    def refresh(self) -> None:
        """Read the members again if they were read a minute ago.

        Raises:
            ClientError, BotoCoreError: DynamoDB does not answer. That is not taken for "no
                members": whatever needs them fails and is tried again.
        """
        if self._read and (self._ids is None or self._clock() - self._read_at >= LIFETIME):
            read_at = self._clock()
            self._ids = frozenset({self._home, *self._read()})
            self._read_at = read_at

    @property
    def ids(self) -> frozenset[str]:
        """The accounts."""
        if self._ids is None:
            self.refresh()
        return self._ids or frozenset()

    def __contains__(self, account: object) -> bool:
        return account in self.ids

    def __iter__(self) -> Iterator[str]:
        return iter(self.ids)

    def __len__(self) -> int:
        return len(self.ids)


def open_watched_accounts(client: DynamoDBClient, settings: Settings) -> WatchedAccounts:
    """Return the accounts that a function watches; the table is read when they are needed."""
    home, access = settings.region.account, settings.members
    if not access.in_table:
        return WatchedAccounts(home, access.accounts)
    # Imported where members are in the table: a cold start of the others need not wait for it.
    from posture.store.members import MemberTable  # noqa: PLC0415

    table = MemberTable(client, settings.tables.baseline)
    return WatchedAccounts(home, read=table.load_accounts)
