"""Measure sweeps, bursts of changes and alerts; prints one JSON object.

Run: `.venv/bin/python benchmarks/throughput.py sweep VPCS [LATENCY]`: two sweeps of a region; all
findings of the first are new, none of the second. Their ratios to five bare describes are of one
process and depend little on other work of the machine; wall seconds do.

`throughput.py burst BATCH [LATENCY]`: 5,000 shuffled changes over 100 VPCs in batches, one after
the other; the delay is computed for the five concurrent invocations of the template.

`throughput.py alerts BATCH [LATENCY]`: the findings of 1,000 VPCs in batches of stream records; a
small batch sends single alerts, a large one digests.
"""

import json
import random
import resource
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from bare_describes import read_all
from synthetic_aws import Json, SyntheticAws, count_calls
from synthetic_region import (
    CONTEXT,
    build_change,
    build_evaluator,
    build_notifier,
    build_queue_event,
    build_region,
    build_stream_records,
    build_sweep,
)

from posture.runtime.garbage import keep_loaded_objects

CHANGES = 5000
CONCURRENCY = 5  # EvaluateConcurrency in template.yaml
BARE = 20  # rounds of five bare describes of one VPC
WINDOW = 5.0  # seconds of batching
SINGLE_ALERTS = 600  # findings that are sent in small batches


def measure(aws: SyntheticAws, name: str, act: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """Return what a function returns, and its seconds of wall and CPU by name.

    The CPU time is without the synthetic AWS's own.
    """
    wall, cpu, aws.answering = time.perf_counter(), time.process_time(), 0.0
    result = act()
    seconds = time.perf_counter() - wall, time.process_time() - cpu - aws.answering
    return result, {f"{name}_wall": seconds[0], f"{name}_cpu": seconds[1]}


def read_peak() -> float:
    """Return the peak memory of this process, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure_sweep(vpcs: int, latency: float) -> Json:
    """Measure two sweeps of a region, and five bare describes."""
    session, aws = build_region(vpcs)
    ec2 = session.client("ec2")  # before the sweep's, with botocore's own parsers
    sweep = build_sweep(session)
    read_all(ec2)  # builds the answers, whose memory is not the monitor's
    keep_loaded_objects()  # as the functions do; the bare describes gain by it, too
    aws.latency = latency
    _, results = measure(aws, "bare", lambda: read_all(ec2))
    before = read_peak()
    for name in ("first", "steady"):
        aws.calls.clear()
        result, seconds = measure(aws, name, sweep.run)
        results |= seconds
        results |= {f"{name}_{kind}": count for kind, count in count_calls(aws.calls).items()}
        results[f"{name}_transitions"] = sum(len(each.transitions) for each in result.results)
        results[f"{name}_ratio"] = results[f"{name}_cpu"] / results["bare_cpu"]
        assert not result.failed, result.failed
    return {"vpcs": vpcs, **results, "memory": read_peak() - before, "peak": read_peak()}


def measure_burst(size: int, latency: float) -> Json:
    """Measure the evaluation of 5,000 changes over 100 VPCs."""
    session, aws = build_region(100)
    ec2 = session.client("ec2")  # before the evaluator's, with botocore's own parsers
    evaluator = build_evaluator(session)
    vpcs = [row["VpcId"] for row in aws.rows("DescribeVpcs")]
    records = [build_change(vpcs[at % len(vpcs)], at) for at in range(CHANGES)]
    random.Random(1).shuffle(records)  # noqa: S311 - the same order in each run
    one_vpc = [{"Name": "vpc-id", "Values": vpcs[:1]}]
    read_all(ec2, Filters=one_vpc)
    started = time.process_time()
    for _ in range(BARE):
        read_all(ec2, Filters=one_vpc)
    bare = (time.process_time() - started) / BARE
    aws.latency = latency
    evaluations, seconds, cpu = 0, [], 0.0
    for start in range(0, CHANGES, size):
        event = build_queue_event(records[start : start + size])
        evaluated, measured = measure(aws, "batch", partial(evaluator.evaluate, event))
        seconds.append(measured["batch_wall"])
        cpu += measured["batch_cpu"]
        assert not evaluated.failed
        evaluations += len(evaluated.results)
    delay = WINDOW + sum(seconds) / min(CONCURRENCY, len(seconds))
    timing = {"seconds": sum(seconds), "longest": max(seconds), "delay": delay}
    timing |= {"cpu": cpu, "ratio": cpu / evaluations / bare}
    return {"batch": size, "evaluations": evaluations, **count_calls(aws.calls), **timing}


def measure_alerts(size: int, latency: float) -> Json:
    """Measure the alerts for the findings of 1,000 VPCs."""
    session, aws = build_region(1000)
    build_sweep(session).run()
    records, notifier = build_stream_records(aws), build_notifier(session)
    if size < SINGLE_ALERTS:
        del records[SINGLE_ALERTS:]
    aws.latency = latency
    started = time.process_time()
    for start in range(0, len(records), size):
        answer = notifier.notify(records[start : start + size], CONTEXT)
        assert answer == {"batchItemFailures": []}
    each = 1000 * (time.process_time() - started) / len(records)
    return {"findings": len(records), "messages": len(aws.messages), "milliseconds": each}


MEASUREMENTS = {"sweep": measure_sweep, "burst": measure_burst, "alerts": measure_alerts}


def main(name: str, size: str, latency: str = "0") -> None:
    """Measure and print."""
    print(json.dumps(MEASUREMENTS[name](int(size), float(latency)) | {"latency": float(latency)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
