"""The consumer of the findings' stream: it reports opened, changed and resolved findings."""

import os
from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from posture.alerts.rule_texts import load_rule_texts
from posture.notification.claims import ClaimTable
from posture.notification.metrics import AlertMetrics
from posture.notification.notify import BatchResponse, Notifier
from posture.notification.ports import NotificationPorts, Topic
from posture.notification.security_hub import SecurityHub
from posture.runtime import clients
from posture.runtime.garbage import keep_loaded_objects
from posture.runtime.metrics import build_counter
from posture.runtime.settings import Settings
from posture.store.history import History

logger = Logger()
metrics = Metrics()
settings = Settings.from_env(os.environ)
metrics.set_default_dimensions(stack=settings.stack)
rules = load_rule_texts()
notifier = Notifier(
    NotificationPorts(
        history=History(clients.dynamodb(), settings.tables.history),
        topic=Topic(clients.sns(), settings.topic_arn),
        idempotency=ClaimTable(
            clients.dynamodb(),
            settings.tables.idempotency,
            build_counter(metrics, "FutureTimes"),
        ),
        measure=AlertMetrics(metrics).measure,
        security_hub=SecurityHub(clients.security_hub(), settings.region, rules)
        if settings.security_hub
        else None,
        stack=settings.stack,
        chat=settings.chat,
    ),
    rules,
)
keep_loaded_objects()


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: Mapping[str, Any], context: LambdaContext) -> BatchResponse:
    """Report a batch of stream records; return those to retry."""
    records = event["Records"]
    metrics.add_metric("FindingsAnnounced", MetricUnit.Count, len(records))
    return notifier.notify(records, context)
