"""One change in a region of 100 VPCs, in a warm process: what takes its time.

Run: `.venv/bin/python benchmarks/change.py [LATENCY]`; prints one JSON object, medians in
milliseconds of CPU.
"""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from statistics import median
from typing import Any

from burst import queue_event, record_of
from synthetic_aws import ACCOUNT, REGION
from world import HOME, evaluator_of, region_of

import posture.assess
import posture.evaluate
from posture.aws.observer import Observer
from posture.aws.place import Places
from posture.aws.store import Store
from posture.model.scope import Scope

RUNS = 40
WARM = 5


def main(latency: float) -> None:
    """Measure and print."""
    session, aws = region_of(100)
    for row in aws.rows("DescribeVpcs")[: RUNS + WARM]:  # fills the answers' memory, not ours
        Observer(session.client("ec2"), HOME).vpc(Scope(ACCOUNT, REGION, row["VpcId"]))
    spent: dict[str, float] = defaultdict(float)

    def timing(name: str, act: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **options: Any) -> Any:
            started = time.process_time()
            try:
                return act(*args, **options)
            finally:
                spent[name] += time.process_time() - started

        return timed

    for holder, attribute, name in (
        (posture.evaluate, "from_sqs", "parse"),
        (Places, "place", "place"),
        (Observer, "vpc", "collect"),
        (posture.assess, "judge_case", "analyse"),
        (Store, "record", "store"),
    ):
        setattr(holder, attribute, timing(name, getattr(holder, attribute)))
    evaluator = evaluator_of(session)
    vpcs = [row["VpcId"] for row in aws.rows("DescribeVpcs")]
    aws.latency = latency
    told: dict[str, Any] = {"latency": latency}
    for name in ("new", "known"):  # a VPC never looked at before, and one that was
        runs: dict[str, list[float]] = defaultdict(list)
        for at in range(RUNS + WARM):
            spent.clear()
            aws.calls.clear()
            event = queue_event([record_of(vpcs[at], at)])
            wall, cpu = time.perf_counter(), time.process_time()
            evaluated = evaluator.evaluate(event)
            spent["total"] = time.process_time() - cpu
            spent["wall"] = time.perf_counter() - wall
            assert not evaluated.failed
            if at >= WARM:
                for part, seconds in spent.items():
                    runs[part].append(seconds * 1000)
        told[name] = {part: round(median(all_of), 2) for part, all_of in runs.items()}
        told[name]["calls"] = aws.calls.total()
    print(json.dumps(told))


if __name__ == "__main__":
    main(float((sys.argv[1:] or ["0"])[0]))
