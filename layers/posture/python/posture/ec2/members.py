"""Observers of the member accounts, each through the role that the account offers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from posture.ec2.observer import Observer
from posture.model.scope import Region
from posture.runtime import clients
from posture.runtime.settings import MemberAccess

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

ClientFactory = Callable[[str], "EC2Client"]  # called with the account id


class MemberObservers(Mapping[str, Observer]):
    """The observer of each member account, by account id; created at its first use and kept."""

    def __init__(self, home: Region, access: MemberAccess, create_client: ClientFactory) -> None:
        self._region = home.name
        self._accounts = [each for each in access.accounts if each != home.account]
        self._create_client = create_client
        self._observers: dict[str, Observer] = {}

    def __getitem__(self, account: str) -> Observer:
        if account not in self._accounts:
            raise KeyError(account)
        if account not in self._observers:
            region = Region(account, self._region)
            self._observers[account] = Observer(self._create_client(account), region)
        return self._observers[account]

    def __iter__(self) -> Iterator[str]:
        return iter(self._accounts)

    def __len__(self) -> int:
        return len(self._accounts)


def assume_member_roles(home: Region, access: MemberAccess, partition: str) -> MemberObservers:
    """Build the observers of the member accounts, which assume each account's role when used."""

    def create_client(account: str) -> EC2Client:
        role = f"arn:{partition}:iam::{account}:role/{access.role_name}"
        return clients.member_ec2(role, access.external_id, home.name)

    return MemberObservers(home, access, create_client)
