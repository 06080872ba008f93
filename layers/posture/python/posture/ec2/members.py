"""The member accounts, each looked at through the role it offers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from posture.ec2.observer import Observer
from posture.model.scope import Region
from posture.runtime import clients
from posture.runtime.settings import MemberAccess

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

ClientOf = Callable[[str], "EC2Client"]  # by account


class MemberObservers(Mapping[str, Observer]):
    """An observer for each member account, made when it is first asked for and then kept."""

    def __init__(self, home: Region, access: MemberAccess, client_of: ClientOf) -> None:
        self._home = home
        self._accounts = [each for each in access.accounts if each != home.account]
        self._client_of = client_of
        self._made: dict[str, Observer] = {}

    def __getitem__(self, account: str) -> Observer:
        """Give the observer of an account; KeyError where it is no member."""
        if account not in self._accounts:
            raise KeyError(account)
        if account not in self._made:
            region = Region(account, self._home.name)
            self._made[account] = Observer(self._client_of(account), region)
        return self._made[account]

    def __iter__(self) -> Iterator[str]:
        """Give the accounts, in the order they were named."""
        return iter(self._accounts)

    def __len__(self) -> int:
        """Count the accounts."""
        return len(self._accounts)


def assume_member_roles(home: Region, access: MemberAccess, partition: str) -> MemberObservers:
    """Give the members of a region, their roles assumed."""

    def client_of(account: str) -> EC2Client:
        role = f"arn:{partition}:iam::{account}:role/{access.role_name}"
        return clients.member_ec2(role, access.external_id, home.name)

    return MemberObservers(home, access, client_of)
