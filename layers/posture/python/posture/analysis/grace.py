"""The grace period of new endpoints."""

from __future__ import annotations

from datetime import datetime, timedelta

from posture.model.baseline import Baseline
from posture.model.network import Endpoint


def is_within_grace_period(endpoint: Endpoint, baseline: Baseline, at: datetime) -> bool:
    """Return whether an endpoint is so new that it may still be pending."""
    grace = timedelta(minutes=baseline.pending_grace_minutes)
    return endpoint.created_at is not None and at - endpoint.created_at <= grace
