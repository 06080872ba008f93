"""Number EC2's resource ids, so that files can name ids that are the same in every run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from moto.ec2 import utils

DIGITS = 16  # of an EC2 id of 17, which begins with 0 here


@contextmanager
def use_numbered_ids() -> Iterator[None]:
    """Number the resources that the emulator creates: `vpc-0aaaaaaaaaaaaaaa1`, `…2` and so on."""
    made: Counter[str] = Counter()

    def numbered(prefix: str = "", size: int = 17) -> str:  # noqa: ARG001 - moto's signature
        made[prefix] += 1
        return f"{prefix}-0{made[prefix]:a>{DIGITS}x}"

    original = utils.random_id
    utils.random_id = numbered
    try:
        yield
    finally:
        utils.random_id = original
