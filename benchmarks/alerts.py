"""Measure alerts: the findings of 1,000 VPCs, as digests and one by one.

Run: `.venv/bin/python benchmarks/alerts.py [LATENCY]`; prints one JSON object.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from recording import CONTEXT, build_notifier, build_stream_records
from synthetic_region import build_region, build_sweep

VPCS = 1000
BATCH = 2000  # records, as in template.yaml


def main(latency: float) -> None:
    """Measure and print."""
    session, aws = build_region(VPCS)
    build_sweep(session).run()
    records, notifier = build_stream_records(aws), build_notifier(session)
    results: dict[str, Any] = {"latency": latency, "findings": len(records)}
    aws.latency = latency
    for name, size, batch in (("digests", BATCH, records), ("single", 30, records[:600])):
        aws.tables["idempotency"].clear()
        aws.messages.clear()
        started = time.perf_counter()
        for start in range(0, len(batch), size):
            answer = notifier.notify(batch[start : start + size], CONTEXT)
            assert answer == {"batchItemFailures": []}
        seconds = time.perf_counter() - started
        results[name] = {
            "findings": len(batch),
            "messages": len(aws.messages),
            "findings_a_second": round(len(batch) / seconds),
        }
    print(json.dumps(results))


if __name__ == "__main__":
    main(float((sys.argv[1:] or ["0"])[0]))
