"""Reading several stacks at once: in parallel, in bounded memory, and past one that fails."""

from collections.abc import Iterator
from threading import Barrier
from types import SimpleNamespace
from typing import Any

import pytest

from posture.runtime.settings import Tables
from posture_cli.audit.open_stacks import SCOPES, OpenStacks
from posture_cli.audit.open_tables import OpenTables
from posture_cli.failure import CommandError

TABLES = Tables("f", "h", "b", "o", "i")
REGIONS = ("eu-west-1", "us-east-1", "ap-south-1")


def stacks(*regions: str, several: bool = True) -> OpenStacks:
    """Return stacks of these Regions, without a client that could be called."""
    opened = []
    for region in regions:
        client: Any = SimpleNamespace(meta=SimpleNamespace(region_name=region))
        meter: Any = SimpleNamespace(units=1.0, requests=1)
        opened.append(OpenTables(client, TABLES, meter, "posture"))
    return OpenStacks(opened, several=several)


def name(tables: OpenTables) -> str:
    """Read a stack: its Region."""
    return tables.region


def test_all_are_read_at_the_same_time() -> None:
    """Each waits until every one has begun: one after the other, the barrier would break."""
    barrier = Barrier(len(REGIONS), timeout=20)

    def read(tables: OpenTables) -> str:
        barrier.wait()
        return tables.region

    assert stacks(*REGIONS).read(read) == list(REGIONS)

    def iterate(tables: OpenTables) -> Iterator[str]:
        barrier.wait()
        yield tables.region

    assert [[*each] for each in stacks(*REGIONS).stream(iterate)] == [[each] for each in REGIONS]


def test_no_stack_is_read_far_ahead() -> None:
    """A slow reader of the first stack does not fill the memory with the others."""
    taken = dict.fromkeys(REGIONS, 0)

    def iterate(tables: OpenTables) -> Iterator[int]:
        for number in range(1_000):
            taken[tables.region] += 1
            yield number

    first, *others = stacks(*REGIONS).stream(iterate, 10)
    assert list(first) == list(range(1_000))
    assert taken["us-east-1"] <= 10
    assert next(others[0]) == 0
    assert taken["us-east-1"] <= 2 * 10
    assert list(others[0]) == list(range(1, 1_000))


def test_turns_are_taken() -> None:
    """One of each in turn, until all are at their end."""
    lengths = {"eu-west-1": 1, "us-east-1": 2 * SCOPES + 1, "ap-south-1": 2}

    def iterate(tables: OpenTables) -> Iterator[tuple[str, int]]:
        yield from ((tables.region, number) for number in range(lengths[tables.region]))

    found = list(stacks(*REGIONS).take_turns(iterate))
    assert found[:3] == [(each, 0) for each in REGIONS]
    assert [len([it for it in found if it[0] == each]) for each in REGIONS] == [*lengths.values()]
    assert [number for region, number in found if region == "us-east-1"] == list(
        range(lengths["us-east-1"])
    )


@pytest.mark.parametrize("after", [0, 3])
def test_one_that_fails_is_put_aside_with_what_it_had(after: int) -> None:
    """The others end normally, and it is not read again."""
    opened = stacks(*REGIONS)

    def iterate(tables: OpenTables) -> Iterator[int]:
        yield from range(after)
        if tables.region == "us-east-1":
            raise CommandError("denied")
        yield after

    found = [[*each] for each in opened.stream(iterate, 2)]
    assert [len(each) for each in found] == [after + 1, after, after + 1]
    [unread] = opened.unread
    assert (unread.region, unread.reason, unread.partly) == ("us-east-1", "denied", after > 0)
    assert opened.read(name) == ["eu-west-1", "ap-south-1"]


def test_a_bug_and_a_single_stack_are_not_put_aside() -> None:
    """A bug needs its traceback; a command about one stack has nothing else to show."""

    def fail(tables: OpenTables) -> str:
        raise (CommandError if len(alone.opened) == 1 else KeyError)(tables.region)

    alone = stacks(*REGIONS)
    with pytest.raises(KeyError):
        alone.read(fail)
    alone = stacks("eu-west-1", several=False)
    with pytest.raises(CommandError):
        alone.read(fail)


def test_nothing_that_could_be_read_is_refused() -> None:
    """With the reason of each; while one is left, it is answered."""
    opened = stacks(*REGIONS[:2])

    def fail(tables: OpenTables) -> str:
        raise CommandError(f"denied in {tables.region}")

    opened.require_any()
    assert opened.read(fail) == []
    with pytest.raises(CommandError, match=r"denied in eu-west-1; .* denied in us-east-1"):
        opened.require_any()
