"""Record the first event of each function, with every answer of AWS."""

import pickle
from collections.abc import Callable
from contextlib import redirect_stdout
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer
from synthetic_aws import SyntheticAws
from synthetic_region import (
    build_change,
    build_client,
    build_evaluator,
    build_queue_event,
    build_region,
    build_sweep,
)

from posture.notification.metrics import AlertMetrics
from posture.notification.notify import Notifier
from posture.notification.ports import NotificationPorts
from posture.notification.topic import Topic
from posture.rules.rule_catalogue import RULES_BY_ID
from posture.store.history import History
from posture_cli.embedded.functions import InvocationContext
from stack_tables import TABLES

CONTEXT: Any = InvocationContext(
    "measured", "arn:aws:lambda:eu-west-1:111122223333:function:measured"
)
TOPIC = "arn:aws:sns:eu-west-1:111122223333:alerts"


def build_notifier(session: Any) -> Notifier:
    """Return the notifier as the function configures it."""
    dynamodb = build_client(session, "dynamodb")
    return Notifier(
        NotificationPorts(
            history=History(dynamodb, TABLES.history),
            topic=Topic(build_client(session, "sns"), TOPIC),
            idempotency=DynamoDBPersistenceLayer(TABLES.idempotency, boto3_client=dynamodb),
            measure=AlertMetrics(Metrics(namespace="measured", service="notify")).measure,
            now=lambda: datetime.now(UTC),
        ),
        RULES_BY_ID,
    )


def build_stream_records(aws: SyntheticAws) -> list[dict[str, Any]]:
    """Return a stream record for each finding in the table."""
    tables = aws.tables["findings"].values()
    items = [item for each in tables for item in each.values() if "rule" in item]
    return [
        {"dynamodb": {"SequenceNumber": str(at), "NewImage": item}} for at, item in enumerate(items)
    ]


def record_first_events(folder: Path) -> dict[str, Path]:
    """Record a change in a new VPC, a region's first sweep and its alerts; return the files."""
    session, aws = build_region(1)
    change = build_queue_event([build_change(aws.rows("DescribeVpcs")[0]["VpcId"], 1)])
    recorded = {}

    def record(function: str, event: Any, act: Callable[[], object]) -> None:
        aws.recording = []
        act()
        recorded[function] = folder / f"{function}.recording"
        recorded[function].write_bytes(pickle.dumps((event, aws.recording)))

    evaluator = build_evaluator(session)
    record("evaluate", change, lambda: evaluator.evaluate(change))
    aws.tables.clear()
    record("sweep", {}, build_sweep(session).run)
    records = build_stream_records(aws)
    with redirect_stdout(None):  # the metrics
        notifier = build_notifier(session)
        record("notify", {"Records": records}, lambda: notifier.notify(records, CONTEXT))
    return recorded
