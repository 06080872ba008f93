"""Metrics of published alerts, in the CloudWatch embedded metric format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from aws_lambda_powertools import Metrics, single_metric
from aws_lambda_powertools.metrics import MetricUnit

from posture.store.items import Entry


class AlertMetrics:
    """Records the number of alerts and findings, and the delay from a change to its alert."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def measure(self, entries: Sequence[Entry], published_at: datetime) -> None:
        """Record one alert: its findings by step and severity, and the delay of each cause."""
        self._metrics.add_metric("AlertsPublished", MetricUnit.Count, 1)
        causes = {entry.transition.finding.cause for entry in entries}
        for cause in causes:
            if cause:
                delay = (published_at - cause.time).total_seconds()
                self._metrics.add_metric("DetectionLatency", MetricUnit.Seconds, delay)
        kinds = Counter(
            (entry.transition.step.value, entry.transition.finding.severity.value)
            for entry in entries
        )
        for (step, severity), number in kinds.items():
            with single_metric(
                name="Findings",
                unit=MetricUnit.Count,
                value=number,
                namespace=self._metrics.namespace,
                default_dimensions={
                    "service": self._metrics.service,
                    **self._metrics.default_dimensions,
                },
            ) as metric:
                metric.add_dimension("step", step)
                metric.add_dimension("severity", severity)
