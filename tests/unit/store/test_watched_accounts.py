"""The accounts that a function watches, of a parameter or of the table."""

from collections.abc import Iterable

import pytest

from posture.store.watched_accounts import LIFETIME, WatchedAccounts

HOME, ONE, OTHER = "111122223333", "111111111111", "222222222222"


class Table:
    """A table whose members change, and a clock."""

    def __init__(self) -> None:
        self.members: list[str] = [ONE]
        self.reads = 0
        self.time = 0.0

    def read(self) -> Iterable[str]:
        """Return the members; None are no answer."""
        self.reads += 1
        if not self.members:
            raise TimeoutError("DynamoDB does not answer")
        return self.members

    def clock(self) -> float:
        """Return the time."""
        return self.time


def test_accounts_of_a_parameter_never_change() -> None:
    """They include the monitor's own, once."""
    watched = WatchedAccounts(HOME, (ONE, HOME))
    watched.refresh()
    assert set(watched) == {HOME, ONE}
    assert len(watched) == 2
    assert OTHER not in watched


def test_an_invocation_sees_one_list_and_the_next_one_another() -> None:
    """It is read when it is needed, then at most once a minute, and never in between."""
    table = Table()
    watched = WatchedAccounts(HOME, read=table.read, clock=table.clock)
    assert table.reads == 0
    assert set(watched) == {HOME, ONE}
    table.members.append(OTHER)
    table.time = LIFETIME
    assert OTHER not in watched  # the same invocation
    watched.refresh()
    assert OTHER in watched
    table.time += LIFETIME - 1
    watched.refresh()
    assert table.reads == 2


def test_a_read_that_fails_is_not_an_empty_list() -> None:
    """It raises each time, also when a list is known: an account may have joined since."""
    table = Table()
    table.members = []
    watched = WatchedAccounts(HOME, read=table.read, clock=table.clock)
    for use in (watched.refresh, lambda: ONE in watched, lambda: len(watched)):
        with pytest.raises(TimeoutError):
            use()
    table.members = [ONE]
    assert ONE in watched
    table.members, table.time = [], LIFETIME
    for _ in range(2):
        with pytest.raises(TimeoutError):
            watched.refresh()
