"""Observers of the member accounts, each through the role that the account offers."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from threading import RLock
from typing import TYPE_CHECKING, Any, cast

from posture.ec2.observer import Observer
from posture.model.scope import Region
from posture.runtime import clients
from posture.runtime.settings import MemberAccess

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

ClientFactory = Callable[[str], "EC2Client"]  # called with the account id
# Clients that are kept where the members are in the table. One takes 1.6 MB and more, and a process
# that lives for hours may read thousands of accounts.
MAX_CLIENTS = 64


class _LazyClient:
    """A client that is created at its first use: most of 5,000 members are not read."""

    def __init__(self, create: Callable[[], EC2Client]) -> None:
        self._create = create
        self._client: EC2Client | None = None
        self._creating = RLock()

    def __getattr__(self, name: str) -> Any:
        with self._creating:
            if self._client is None:
                self._client = self._create()
        return getattr(self._client, name)


class MemberObservers(Mapping[str, Observer]):
    """The observer of each member account, by account id; created at its first use and kept.

    Args:
        home: The monitor's own account and Region.
        accounts: The accounts that are watched, with or without the monitor's own. They may change.
        create_client: Creates the client of an account.
        max_clients: How many clients are kept; None for all.
    """

    def __init__(
        self,
        home: Region,
        accounts: Collection[str],
        create_client: ClientFactory,
        max_clients: int | None = None,
    ) -> None:
        self._home = home
        self._accounts = accounts
        self._create_client = create_client
        self._max_clients = max_clients
        self._observers: dict[str, Observer] = {}
        self._opened: OrderedDict[str, None] = OrderedDict()
        self._lock = RLock()

    def __getitem__(self, account: str) -> Observer:
        if account not in self:
            raise KeyError(account)
        return self.open(account)

    def open(self, account: str) -> Observer:
        """Return the observer of any account, whether it is watched or not."""
        with self._lock:
            if account not in self._observers:
                client = cast("EC2Client", _LazyClient(partial(self._open_client, account)))
                self._observers[account] = Observer(client, Region(account, self._home.name))
            elif account in self._opened:
                self._opened.move_to_end(account)
            return self._observers[account]

    def __contains__(self, account: object) -> bool:
        return account != self._home.account and account in self._accounts

    def __iter__(self) -> Iterator[str]:
        return (each for each in self._accounts if each != self._home.account)

    def __len__(self) -> int:
        return len(self._accounts) - (self._home.account in self._accounts)

    def _open_client(self, account: str) -> EC2Client:
        """Create a client, and drop the one that was used longest ago."""
        with self._lock:
            client = self._create_client(account)
            self._opened[account] = None
            if self._max_clients is not None and len(self._opened) > self._max_clients:
                dropped, _ = self._opened.popitem(last=False)
                self._observers.pop(dropped, None)
        return client


def assume_member_roles(
    home: Region, access: MemberAccess, partition: str, accounts: Collection[str] | None = None
) -> MemberObservers:
    """Build the observers of the member accounts, which assume each account's role when used.

    Args:
        home: The monitor's own account and Region.
        access: How the members are read.
        partition: The AWS partition.
        accounts: The accounts, where they may change; None: those of `access`.
    """

    def create_client(account: str) -> EC2Client:
        role = f"arn:{partition}:iam::{account}:role/{access.role_name}"
        return clients.member_ec2(role, access.external_id, home.name)

    watched = access.accounts if accounts is None else accounts
    kept = MAX_CLIENTS if access.in_table else None
    return MemberObservers(home, watched, create_client, kept)
