"""Observers of thousands of members: what is unused costs nothing, what is used has a bound."""

from collections.abc import Callable
from typing import Any

import pytest

from posture.ec2.members import MemberObservers
from posture.model.scope import Region

HOME = Region("111122223333", "eu-west-1")
MANY = [f"{number:012}" for number in range(5_000)]


class Clients:
    """Counts the clients that are created."""

    def __init__(self) -> None:
        self.created: list[str] = []

    def create(self, account: str) -> Any:
        """Create a client."""
        self.created.append(account)
        return type("Client", (), {"account": account})()


def observe(accounts: list[str], kept: int | None = None) -> tuple[MemberObservers, Clients]:
    """Return observers, and what counts their clients."""
    clients = Clients()
    return MemberObservers(HOME, accounts, clients.create, kept), clients


def account_of(observers: MemberObservers, account: str) -> Any:
    """Use the client of an account."""
    client: Any = observers[account].ec2
    return client.account


def test_a_client_is_created_when_it_is_used() -> None:
    """Not for a look at all 5,000 observers, and once for each account."""
    observers, clients = observe(MANY)
    assert len({each.region.account for each in observers.values()}) == len(observers) == 5_000
    assert clients.created == []
    assert account_of(observers, MANY[7]) == account_of(observers, MANY[7]) == MANY[7]
    assert clients.created == [MANY[7]]
    assert observers[MANY[7]] is observers[MANY[7]]


def test_the_own_account_is_no_member() -> None:
    """Though it is watched."""
    observers, _ = observe([HOME.account, MANY[0]])
    assert list(observers) == [MANY[0]]
    assert len(observers) == 1
    assert HOME.account not in observers
    with pytest.raises(KeyError):
        observers[HOME.account]


def test_an_account_that_leaves_is_observed_no_more() -> None:
    """The accounts may change while the process lives."""
    accounts = [MANY[0], MANY[1]]
    observers, _ = observe(accounts)
    assert account_of(observers, MANY[1]) == MANY[1]
    accounts.remove(MANY[1])
    look: Callable[[], Any] = lambda: observers[MANY[1]]  # noqa: E731
    with pytest.raises(KeyError):
        look()
    assert observers.open(MANY[1]).region.account == MANY[1]  # to end its findings


def test_the_client_that_was_used_longest_ago_is_dropped() -> None:
    """So the memory of a process has a bound; what still holds it can use it."""
    observers, clients = observe(MANY, kept=2)
    first = observers[MANY[0]]
    for each in (MANY[0], MANY[1], MANY[0], MANY[2]):
        account_of(observers, each)
    assert clients.created == [MANY[0], MANY[1], MANY[2]]
    assert observers[MANY[0]] is first
    account_of(observers, MANY[1])
    assert clients.created[3:] == [MANY[1]]
    held: Any = first.ec2
    account_of(observers, MANY[2])
    account_of(observers, MANY[3])
    assert held.account == MANY[0]
