"""Waits until a finding is resolved, for a bounded time."""

from __future__ import annotations

import time
from collections.abc import Callable

INTERVAL = 5  # seconds between two looks


def wait_until(is_done: Callable[[], bool], seconds: int, tell: Callable[[str], object]) -> bool:
    """Look until something is done, or the time is over.

    Args:
        is_done: Looks whether it is done.
        seconds: How long to wait; it is looked once even for 0.
        tell: Is called with how long it takes.

    Returns:
        Whether it is done.
    """
    for waited in range(0, seconds + INTERVAL, INTERVAL):
        if is_done():
            return True
        if waited + INTERVAL > seconds:
            return False
        tell(f"{waited} of {seconds} seconds")
        time.sleep(INTERVAL)
    return False
