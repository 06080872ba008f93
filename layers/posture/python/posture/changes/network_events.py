"""Parses the events that Network Manager itself sends about transit gateways and core networks.

They include routes that are propagated, which no call shows.
https://docs.aws.amazon.com/network-manager/latest/cloudwan/cloudwan-cloudwatch-events.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from posture.changes.record_fields import parse_time, quote, require_text
from posture.changes.record_shapes import find_ids, find_shared_ids, format_scalar, parse_account_id
from posture.changes.shared_events import NETWORK_EVENTS, NETWORK_MANAGER
from posture.errors import MalformedChangeError
from posture.model.change import Actor, Change, ChangeOutcome
from posture.model.scope import Region

PLACES = ("region", "edgeLocation")  # members of `detail` that name the Region


def is_network_event(record: Mapping[str, Any]) -> bool:
    """Return whether an EventBridge event is one of Network Manager."""
    return record.get("detail-type") in NETWORK_EVENTS


def parse_network_event(event: Mapping[str, Any]) -> Change:
    """Parse an event of Network Manager into a change that leads to a survey.

    Raises:
        MalformedChangeError: a field is missing or has another type; the message names it.
    """
    detail = event.get("detail")
    if not isinstance(detail, Mapping):
        raise MalformedChangeError(f"detail: expected an object, got {quote(detail)}")
    account = parse_account_id(event.get("account"))
    if not account:
        raise MalformedChangeError(
            f"account: expected a 12-digit account ID, got {quote(event.get('account'))}"
        )
    named = (format_scalar(detail.get(name)) for name in PLACES)
    region = next(filter(None, named), "") or require_text(event, "region")
    ids = frozenset((*find_ids(detail, account), *find_shared_ids(detail)))
    return Change(
        event_id=require_text(event, "id"),
        event_name=format_scalar(detail.get("changeType")) or str(event["detail-type"]),
        event_source=NETWORK_MANAGER,
        time=parse_time(event, "time"),
        region=Region(account, region),
        actor=Actor(NETWORK_MANAGER, account, "AWSService"),
        source_ip="",
        user_agent="",
        vpc_ids=frozenset(each for each in ids if each.startswith("vpc-") and each.count("-") == 1),
        service_ids=frozenset(),
        resource_ids=ids,
        outcome=ChangeOutcome.SURVEYED,
        kinds=NETWORK_EVENTS[str(event["detail-type"])],
        spreads=True,
    )
