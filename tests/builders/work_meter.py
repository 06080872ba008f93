"""Count the work of a call in calls of functions, which is the same on every machine."""

import sys
from collections.abc import Callable
from types import FrameType


def count_calls(action: Callable[[], object]) -> int:
    """Return how many functions an action calls, those of the interpreter included."""
    count = 0

    def meter(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    former = sys.getprofile()
    sys.setprofile(meter)
    try:
        action()
    finally:
        sys.setprofile(former)
    return count
