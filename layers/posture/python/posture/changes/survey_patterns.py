"""The EventBridge patterns of what leads to a survey of the shared network."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from posture.changes.event_groups import EC2, OMITTED, EventGroup
from posture.changes.shared_events import (
    NETWORK_EVENTS,
    NETWORK_MANAGER,
    OF_VPCS,
    PROFILES,
    RAM,
    RESOLVER,
    ROUTE53,
    SURVEYED,
    VPC_TAGS,
)

# It is set every ten minutes, and leads to no survey.
HEARTBEAT_TAG = "posture-heartbeat"


def build_survey_patterns() -> dict[str, dict[str, Any]]:
    """Build the EventBridge patterns of what leads to a survey, by the stack's rule."""
    calls = _build_pattern([NETWORK_MANAGER], SURVEYED)
    source = calls.pop("source")
    return {
        "SurveyNetworkRule": _build_pattern([EC2], (*OF_VPCS, *SURVEYED)),
        "SurveyTagsRule": _build_tag_pattern(),
        "SurveyNamesRule": _build_pattern([ROUTE53, RESOLVER, PROFILES, RAM], SURVEYED),
        "SurveyCoreRule": {"source": source, "$or": [calls, {"detail-type": [*NETWORK_EVENTS]}]},
    }


def build_forward_patterns() -> dict[str, dict[str, Any]]:
    """Build the patterns of the events of global services, by the rule of shared-events.yaml."""
    return {
        "ZonesRule": _build_pattern([ROUTE53], SURVEYED),
        "CoreRule": build_survey_patterns()["SurveyCoreRule"],
    }


def _build_tag_pattern() -> dict[str, Any]:
    """Build the pattern that selects tags of VPCs.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
    """
    pattern = _build_pattern([EC2], [VPC_TAGS])
    of_vpcs = {
        "resourcesSet": {"items": {"resourceId": [{"prefix": "vpc-"}]}},
        "tagSet": {"items": {"key": [{"anything-but": HEARTBEAT_TAG}]}},
    }
    pattern["detail"]["$or"] = [{"requestParameters": each} for each in (of_vpcs, OMITTED)]
    return pattern


def _build_pattern(sources: list[str], groups: Iterable[EventGroup]) -> dict[str, Any]:
    names = [name for group in groups if group.source in sources for name in group.names]
    return {
        "source": [_name(each) for each in sources],
        "detail-type": ["AWS API Call via CloudTrail"],
        "detail": {"eventName": names, "errorCode": [{"exists": False}]},
    }


def _name(source: str) -> str:
    """Return what EventBridge names the service of an `eventSource`."""
    return f"aws.{source.partition('.')[0]}"
