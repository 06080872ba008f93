"""Start-up: importing the pure core, as a ratio to importing bare boto3, in fresh processes.

Run: `.venv/bin/python benchmarks/imports.py`
"""

from __future__ import annotations

import subprocess
import sys
from statistics import median

RUNS = 7
TIMED = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"


def seconds(modules: str) -> float:
    """Import `modules` in fresh interpreters; the median in seconds."""
    command = [sys.executable, "-c", TIMED.format(modules)]
    return median(float(subprocess.check_output(command)) for _ in range(RUNS))  # noqa: S603


def main() -> None:
    """Print one line a subject."""
    bare = seconds("boto3")
    for modules in ("boto3", "posture.model.network, posture.lifecycle.diff"):
        taken = seconds(modules)
        print(f"{modules:60} {taken * 1000:7.1f} ms  {taken / bare:5.2f} x boto3")


if __name__ == "__main__":
    main()
