"""Metrics that functions count, in the CloudWatch embedded metric format."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.metrics import MetricUnit

# An invocation that changes nothing has no metrics, which is no mistake.
warnings.filterwarnings("ignore", "No application metrics to publish")


def add_counts(metrics: Metrics, counts: Mapping[str, int]) -> None:
    """Add counts by name, without those that are 0.

    CloudWatch bills a metric for each hour in which it has a value.
    """
    for name, number in counts.items():
        if number:
            metrics.add_metric(name, MetricUnit.Count, number)


def build_counter(metrics: Metrics, name: str) -> Callable[[], None]:
    """Build what adds one to a count, for those that know nothing of metrics."""
    return lambda: metrics.add_metric(name, MetricUnit.Count, 1)
