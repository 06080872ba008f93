"""Telling: 1,000 commits of ten findings each, as a storm and one by one.

Run: `.venv/bin/python benchmarks/telling.py [LATENCY]`; prints one JSON object.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from recording import Minute, notifier_of, stream_records
from world import region_of, sweeper_of

VPCS = 1000
BATCH = 2000  # records, as in template.yaml


def main(latency: float) -> None:
    """Measure and print."""
    session, aws = region_of(VPCS)
    sweeper_of(session).run()
    records, notifier = stream_records(aws), notifier_of(session)
    told: dict[str, Any] = {"latency": latency, "findings": len(records)}
    aws.latency = latency
    for name, size in (("storm", BATCH), ("alone", 30)):
        aws.tables["idempotency"].clear()
        aws.messages.clear()
        batch = records if name == "storm" else records[:600]
        started = time.perf_counter()
        for start in range(0, len(batch), size):
            answer = notifier.notify(batch[start : start + size], Minute())
            assert answer == {"batchItemFailures": []}
        seconds = time.perf_counter() - started
        told[name] = {
            "findings": len(batch),
            "messages": len(aws.messages),
            "findings_a_second": round(len(batch) / seconds),
        }
    print(json.dumps(told))


if __name__ == "__main__":
    main(float((sys.argv[1:] or ["0"])[0]))
