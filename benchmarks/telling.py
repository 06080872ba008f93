"""Telling: 1,000 commits of ten findings each, as a storm and one by one.

Run: `.venv/bin/python benchmarks/telling.py [LATENCY]`; prints one JSON object.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer
from aws_lambda_powertools.utilities.typing import LambdaContext
from world import TABLES, region_of, sweeper_of

from posture.aws import clients
from posture.aws.alert_metrics import AlertMetrics
from posture.aws.history import History
from posture.aws.publish import Topic
from posture.notify import Notifier, Ports
from posture.rules.catalogue import RULES_BY_ID

VPCS = 1000
BATCH = 2000  # records, as in template.yaml


class Minute(LambdaContext):
    """An invocation that has a minute left."""

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        """Give the time left."""
        return 60_000


def main(latency: float) -> None:
    """Measure and print."""
    session, aws = region_of(VPCS)
    sweeper_of(session).sweep()
    records = [
        {"dynamodb": {"SequenceNumber": str(at), "NewImage": item}}
        for at, item in enumerate(
            item
            for items in aws.tables["findings"].values()
            for item in items.values()
            if "rule" in item
        )
    ]
    dynamodb = session.client("dynamodb", config=clients.CONFIG)
    notifier = Notifier(
        Ports(
            history=History(dynamodb, TABLES.history),
            topic=Topic(session.client("sns"), "arn:aws:sns:eu-west-1:111122223333:alerts"),
            told=DynamoDBPersistenceLayer(TABLES.idempotency, boto3_client=dynamodb),
            measure=AlertMetrics(Metrics(namespace="measured", service="notify")).measure,
            now=lambda: datetime.now(UTC),
        ),
        RULES_BY_ID,
    )
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
