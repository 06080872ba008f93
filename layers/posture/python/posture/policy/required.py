"""Say what a baseline requires of the policy of an endpoint."""

from __future__ import annotations

from datetime import datetime

from posture.model.baseline import Baseline
from posture.policy.features.table import expand_features, find_features
from posture.policy.policy_check import EndpointContext, PolicyCheck, Trust


def find_required_features(baseline: Baseline) -> tuple[str, ...]:
    """Return the features that a baseline names, or that its required services imply."""
    if baseline.aws_owned_resources is not None:
        return expand_features(baseline.aws_owned_resources)
    return find_features(baseline.required_services)


def build_policy_check(
    endpoint: EndpointContext, baseline: Baseline, now: datetime | None = None
) -> PolicyCheck:
    """Return what the policy of an endpoint may allow, and what it must.

    Args:
        endpoint: The endpoint.
        baseline: The baseline of its scope.
        now: The earliest time of a request.
    """
    return PolicyCheck(
        endpoint,
        Trust(
            baseline.trusted_accounts,
            baseline.trusted_organizations,
            own_organization=baseline.organization,
        ),
        now,
        baseline.allowed_actions,
        find_required_features(baseline),
        only_features=baseline.aws_owned_resources is not None,
    )
