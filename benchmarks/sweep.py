"""A sweep of a region of N VPCs, twice: all is new, then nothing is.

Run: `.venv/bin/python benchmarks/sweep.py N [LATENCY]`; prints one JSON object. Seconds are of wall
and of CPU: the latter do not hang on what else the machine does.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

from world import region_of, sweeper_of

# Five kinds read bare: what anybody needs at the least, by boto3 alone.
BARE = {
    "describe_vpcs": 1000,
    "describe_subnets": 1000,
    "describe_route_tables": 100,
    "describe_vpc_endpoints": 1000,
    "describe_security_groups": 1000,
}


def peak() -> float:
    """Give the most memory this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def timed(act: Callable[[], Any]) -> tuple[Any, float, float]:
    """Do it; give what it gave, its wall seconds and its CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    given = act()
    return given, time.perf_counter() - wall, time.process_time() - cpu


def main(vpcs: int, latency: float) -> None:
    """Measure and print."""
    session, aws = region_of(vpcs)
    sweeper = sweeper_of(session)
    ec2: Any = session.client("ec2")

    def bare() -> None:
        for operation, size in BARE.items():
            list(ec2.get_paginator(operation).paginate(PaginationConfig={"PageSize": size}))

    told: dict[str, Any] = {"vpcs": vpcs, "latency": latency}
    bare()  # fills the answers' memory, which is not the monitor's
    aws.latency = latency
    _, told["bare_wall"], told["bare_cpu"] = timed(bare)
    before = peak()
    for name in ("first", "steady"):
        aws.calls.clear()
        swept, told[f"{name}_wall"], told[f"{name}_cpu"] = timed(sweeper.run)
        told[f"{name}_ec2"] = sum(n for call, n in aws.calls.items() if call.startswith("ec2"))
        told[f"{name}_dns"] = aws.calls["ec2:DescribeVpcAttribute"]
        told[f"{name}_dynamodb"] = sum(n for call, n in aws.calls.items() if "dynamodb" in call)
        told[f"{name}_transitions"] = sum(len(each.transitions) for each in swept.results)
        assert not swept.failed, swept.failed
    told["memory"] = peak() - before
    told["peak"] = peak()
    print(json.dumps(told))


if __name__ == "__main__":
    main(int(sys.argv[1]), float((sys.argv[2:] or ["0"])[0]))
