"""Ids that are the same in every run, so that a file can name them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from moto.ec2 import utils

LETTERS = 15  # that fill an id up to the 17 EC2 gives it


@contextmanager
def use_numbered_ids() -> Iterator[None]:
    """Let the emulator number what is made meanwhile: `vpc-0aaaaaaaaaaaaaaa1`, `…2` and so on."""
    made: Counter[str] = Counter()

    def numbered(prefix: str = "", size: int = 17) -> str:  # noqa: ARG001 - moto's signature
        made[prefix] += 1
        return f"{prefix}-0{made[prefix]:a>{LETTERS + 1}x}"

    original = utils.random_id
    utils.random_id = numbered
    try:
        yield
    finally:
        utils.random_id = original
