"""Measure two sweeps of a region of N VPCs: of the first all findings are new, of the second none.

Run: `.venv/bin/python benchmarks/sweep.py N [LATENCY]`; prints one JSON object. CPU seconds do not
depend on other work of the machine, wall seconds do.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

from bare_describes import read_all
from synthetic_aws import count_calls
from synthetic_region import build_region, build_sweep


def read_peak() -> float:
    """Return the peak memory of this process, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(name: str, act: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """Return what a function returns, and its seconds of wall and CPU by name."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = act()
    seconds = time.perf_counter() - wall, time.process_time() - cpu
    return result, {f"{name}_wall": seconds[0], f"{name}_cpu": seconds[1]}


def main(vpcs: int, latency: float) -> None:
    """Measure and print."""
    session, aws = build_region(vpcs)
    sweep = build_sweep(session)
    ec2 = session.client("ec2")
    read_all(ec2)  # builds the answers, whose memory is not the monitor's
    aws.latency = latency
    _, results = measure("bare", lambda: read_all(ec2))
    before = read_peak()
    for name in ("first", "steady"):
        aws.calls.clear()
        swept, seconds = measure(name, sweep.run)
        results |= seconds
        results |= {f"{name}_{kind}": count for kind, count in count_calls(aws.calls).items()}
        results[f"{name}_transitions"] = sum(len(each.transitions) for each in swept.results)
        assert not swept.failed, swept.failed
    results |= {"memory": read_peak() - before, "peak": read_peak()}
    print(json.dumps({"vpcs": vpcs, "latency": latency} | results))


if __name__ == "__main__":
    main(int(sys.argv[1]), float((sys.argv[2:] or ["0"])[0]))
