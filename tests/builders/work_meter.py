"""Count the work of a call in what it runs, which is the same on every machine."""

import sys
from collections.abc import Callable, Collection
from types import FrameType
from typing import Any


def count_calls(action: Callable[[], object]) -> int:
    """Return how many functions an action calls, those of the interpreter included."""
    return _count(action, {"call", "c_call"}, sys.getprofile, sys.setprofile)


def count_lines(action: Callable[[], object]) -> int:
    """Return how many lines an action runs, each as often as it is run.

    A loop without calls counts, too.
    """
    return _count(action, {"line"}, sys.gettrace, sys.settrace)


def _count(
    action: Callable[[], object],
    counted: Collection[str],
    get_meter: Callable[[], Any],
    set_meter: Callable[[Any], None],
) -> int:
    count = 0

    def meter(_frame: FrameType, event: str, _argument: object) -> Any:
        nonlocal count
        count += event in counted
        return meter

    former = get_meter()
    set_meter(meter)
    try:
        action()
    finally:
        set_meter(former)
    return count
