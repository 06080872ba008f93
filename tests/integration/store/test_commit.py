"""How an evaluation is cut into transactions."""

import gc
import json

from finding_builders import at, opened, verdict
from posture.runtime.encoded_item import EncodedItem
from posture.store.hash_chain import Chain
from posture.store.items import build_items
from posture.store.transactions import build_part_writes, split_into_parts
from stack_tables import TABLES

MEGABYTES = 1024 * 1024


def test_large_findings_take_more_transactions() -> None:
    """No transaction exceeds four megabytes and no item 400 KB, however large findings are."""
    facts = [f"{number:03}" + "€" * 300 for number in range(40)]
    ids = [f"subnet-{number:017}" + "x" * 220 for number in range(500)]
    large = [verdict(resource=f"subnet-{n}", evidence=facts, concerns=ids) for n in range(49)]
    parts = split_into_parts(opened(*large), build_items, at(0), Chain())
    writes = [[json.dumps(write) for write in build_part_writes(part, TABLES)] for part in parts]
    assert len(parts) > 1
    assert max(sum(map(len, each)) for each in writes) < 4 * MEGABYTES
    assert max(len(write) for each in writes for write in each) < 400_000


def test_parts_keep_the_order_and_lose_nothing() -> None:
    """The worst come in the first part, and each part knows its number."""
    steps = opened(*(verdict(resource=f"subnet-{n:03}") for n in range(99)))
    parts = split_into_parts(steps, build_items, at(0), Chain())
    assert steps == tuple(step for part in parts for step in part.transitions)
    assert [(part.number, part.parts, part.is_last) for part in parts] == [
        (1, 3, False),
        (2, 3, False),
        (3, 3, True),
    ]


def test_items_of_one_transaction_are_in_memory() -> None:
    """Thousands of large findings would otherwise fill the memory of a function."""
    steps = opened(*(verdict(resource=f"subnet-{n:03}") for n in range(470)))
    known = sum(isinstance(each, EncodedItem) for each in gc.get_objects())
    living = [
        sum(isinstance(each, EncodedItem) for each in gc.get_objects()) - known
        for _ in split_into_parts(steps, build_items, at(0), Chain())
    ]
    assert len(living) == 10
    assert max(living) <= 8 * 47


def test_nothing_to_write_has_no_parts() -> None:
    """An evaluation without transitions needs no transaction."""
    assert list(split_into_parts((), build_items, at(0), Chain())) == []
