"""Measure a burst: 5,000 changes over 100 VPCs, shuffled, in the queue's batches.

Run: `.venv/bin/python benchmarks/burst.py BATCH [LATENCY]`; prints one JSON object. The batches run
one after the other; the delay is computed for the five concurrent invocations of the template.
"""

from __future__ import annotations

import json
import random
import sys
import time
from typing import Any

from synthetic_aws import count_calls
from synthetic_region import build_evaluator, build_region

from change_records import build_record

CHANGES, VPCS = 5000, 100
CONCURRENCY = 5  # EvaluateConcurrency in template.yaml
WINDOW = 5.0  # seconds of batching


def build_change(vpc: str, number: int) -> dict[str, Any]:
    """Return the CloudTrail record of a change in a VPC."""
    request = {"vpcId": vpc, "enableDnsHostnames": {"value": True}}
    event_id = f"00000000-0000-0000-0000-{number:012x}"
    return build_record("ModifyVpcAttribute", request, {"_return": True}, eventID=event_id)


def build_queue_event(records: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the event of the changes queue with these records."""
    envelope = {"detail-type": "AWS API Call via CloudTrail"}
    return {
        "Records": [
            {"messageId": each["eventID"], "body": json.dumps(envelope | {"detail": each})}
            for each in records
        ]
    }


def main(size: int, latency: float) -> None:
    """Measure and print."""
    session, aws = build_region(VPCS)
    evaluator = build_evaluator(session)
    vpcs = [row["VpcId"] for row in aws.rows("DescribeVpcs")]
    records = [build_change(vpcs[at % VPCS], at) for at in range(CHANGES)]
    random.Random(1).shuffle(records)  # noqa: S311 - the same order in each run
    aws.latency = latency
    evaluations, seconds = 0, []
    for start in range(0, CHANGES, size):
        event = build_queue_event(records[start : start + size])
        started = time.perf_counter()
        evaluated = evaluator.evaluate(event)
        seconds.append(time.perf_counter() - started)
        assert not evaluated.failed
        evaluations += len(evaluated.results)
    result = {
        "batch": size,
        "latency": latency,
        "evaluations": evaluations,
        **count_calls(aws.calls),
        "seconds": sum(seconds),
        "longest": max(seconds),
        "delay": WINDOW + sum(seconds) / min(CONCURRENCY, len(seconds)),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main(int(sys.argv[1]), float((sys.argv[2:] or ["0"])[0]))
