"""Count the work of a call in what it runs, which is the same on every machine."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any


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


def count_lines(action: Callable[[], object]) -> int:
    """Return how many lines an action runs, each as often as it is run.

    A loop without calls counts, too.
    """
    count = 0

    def meter(_frame: FrameType, event: str, _argument: object) -> Any:
        nonlocal count
        count += event == "line"
        return meter

    former = sys.gettrace()
    sys.settrace(meter)
    try:
        action()
    finally:
        sys.settrace(former)
    return count
