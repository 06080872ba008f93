"""When Python's garbage collector looks at which objects of a function's process."""

from __future__ import annotations

import gc

# An evaluation leaves thousands of small cycles. Python's default of 700 makes the collector look
# at what is still in use again and again: a fifth of an evaluation's time.
THRESHOLD = 100_000


def keep_loaded_objects() -> None:
    """Let the collector skip what is loaded by now, which lives as long as the process."""
    gc.freeze()
    gc.set_threshold(THRESHOLD)
