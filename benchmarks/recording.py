"""The first event of each function, with every answer that AWS gave to it."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from contextlib import redirect_stdout
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer
from aws_lambda_powertools.utilities.typing import LambdaContext
from burst import queue_event, record_of
from synthetic_aws import SyntheticAws
from world import TABLES, evaluator_of, region_of, sweeper_of

from posture.notification.metrics import AlertMetrics
from posture.notification.notify import Notifier
from posture.notification.ports import NotificationPorts
from posture.notification.topic import Topic
from posture.rules.rule_catalogue import RULES_BY_ID
from posture.runtime import clients
from posture.store.history import History


class Minute(LambdaContext):
    """An invocation that has a minute left."""

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        """Give the time left."""
        return 60_000


def notifier_of(session: Any) -> Notifier:
    """Give a notifier as the function has it."""
    dynamodb = session.client("dynamodb", config=clients.CONFIG_WITHOUT_VALIDATION)
    topic = "arn:aws:sns:eu-west-1:111122223333:alerts"
    return Notifier(
        NotificationPorts(
            history=History(dynamodb, TABLES.history),
            topic=Topic(session.client("sns", config=clients.CONFIG_WITHOUT_VALIDATION), topic),
            idempotency=DynamoDBPersistenceLayer(TABLES.idempotency, boto3_client=dynamodb),
            measure=AlertMetrics(Metrics(namespace="measured", service="notify")).measure,
            now=lambda: datetime.now(UTC),
        ),
        RULES_BY_ID,
    )


def stream_records(aws: SyntheticAws) -> list[dict[str, Any]]:
    """Give what the stream of the findings table brings of all its findings."""
    tables = aws.tables["findings"].values()
    items = [item for each in tables for item in each.values() if "rule" in item]
    return [
        {"dynamodb": {"SequenceNumber": str(at), "NewImage": item}} for at, item in enumerate(items)
    ]


def tapes(folder: Path) -> dict[str, Path]:
    """Record a change in a VPC that is new, a region's first sweep, and the alert about it."""
    session, aws = region_of(1)
    change = queue_event([record_of(aws.rows("DescribeVpcs")[0]["VpcId"], 1)])
    recorded = {}

    def record(function: str, event: Any, act: Callable[[], object]) -> None:
        aws.tape = []
        act()
        recorded[function] = folder / f"{function}.tape"
        recorded[function].write_bytes(pickle.dumps((event, aws.tape)))

    evaluator = evaluator_of(session)
    record("evaluate", change, lambda: evaluator.evaluate(change))
    aws.tables.clear()
    record("sweep", {}, sweeper_of(session).run)
    records = stream_records(aws)
    with redirect_stdout(None):  # the metrics
        notifier = notifier_of(session)
        record("notify", {"Records": records}, lambda: notifier.notify(records, Minute()))
    return recorded
