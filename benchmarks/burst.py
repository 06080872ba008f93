"""A burst: 5,000 changes over 100 VPCs, shuffled, through the queue's batches.

Run: `.venv/bin/python benchmarks/burst.py BATCH [LATENCY]`; prints one JSON object. The batches run
one after the other here; the delay is reckoned for the template's five at once.
"""

from __future__ import annotations

import json
import random
import sys
import time
from typing import Any

from synthetic_aws import ACCOUNT, REGION
from world import evaluator_of, region_of

CHANGES, VPCS = 5000, 100
AT_ONCE = 5  # EvaluateConcurrency in template.yaml
WINDOW = 5.0  # seconds that a batch waits


def record_of(vpc: str, number: int) -> dict[str, Any]:
    """Give the CloudTrail record of a change in a VPC."""
    return {
        "eventVersion": "1.11",
        "userIdentity": {"type": "Root", "arn": f"arn:aws:iam::{ACCOUNT}:root"},
        "eventTime": "2026-11-25T00:00:00Z",
        "eventSource": "ec2.amazonaws.com",
        "eventName": "ModifyVpcAttribute",
        "awsRegion": REGION,
        "sourceIPAddress": "198.51.100.7",
        "userAgent": "aws-cli/2",
        "requestParameters": {"vpcId": vpc, "enableDnsHostnames": {"value": True}},
        "responseElements": {"_return": True},
        "eventID": f"00000000-0000-0000-0000-{number:012x}",
        "eventType": "AwsApiCall",
        "recipientAccountId": ACCOUNT,
    }


def queue_event(records: list[dict[str, Any]]) -> dict[str, Any]:
    """Give what Lambda hands over of the changes queue."""
    return {
        "Records": [
            {
                "messageId": record["eventID"],
                "body": json.dumps(
                    {"detail-type": "AWS API Call via CloudTrail", "detail": record}
                ),
            }
            for record in records
        ]
    }


def main(size: int, latency: float) -> None:
    """Measure and print."""
    session, aws = region_of(VPCS)
    evaluator = evaluator_of(session)
    vpcs = [row["VpcId"] for row in aws.rows("DescribeVpcs")]
    records = [record_of(vpcs[at % VPCS], at) for at in range(CHANGES)]
    random.Random(1).shuffle(records)  # noqa: S311 - the same order at each run
    aws.latency = latency
    evaluations, took = 0, []
    for start in range(0, CHANGES, size):
        event = queue_event(records[start : start + size])
        started = time.perf_counter()
        evaluated = evaluator.evaluate(event)
        took.append(time.perf_counter() - started)
        assert not evaluated.failed
        evaluations += len(evaluated.results)
    told = {
        "batch": size,
        "latency": latency,
        "evaluations": evaluations,
        "ec2": sum(n for call, n in aws.calls.items() if call.startswith("ec2")),
        "dynamodb": sum(n for call, n in aws.calls.items() if "dynamodb" in call),
        "seconds": sum(took),
        "longest": max(took),
        "delay": WINDOW + sum(took) / min(AT_ONCE, len(took)),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(int(sys.argv[1]), float((sys.argv[2:] or ["0"])[0]))
