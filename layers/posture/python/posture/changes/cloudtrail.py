"""Parses one CloudTrail record, alone or in an EventBridge event, into a change.

Record fields: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from posture.changes.event_names import EVENT_NAMES, EVENT_SOURCE, SERVICE_EVENTS
from posture.changes.record_shapes import (
    find_ids,
    find_owners,
    format_scalar,
    list_members,
    parse_account_id,
    unwrap,
)
from posture.changes.requests import find_created, read_request
from posture.errors import MalformedChangeError
from posture.model.change import Actor, Change, ChangeOutcome
from posture.model.scope import Region

DRY_RUN = "DryRunOperation"
API_CALL = "AwsApiCall"
VPC_ID = re.compile(r"vpc-[^-]+")


def parse_record(record: Any) -> Change:
    """Parse a CloudTrail record, or the EventBridge event that contains it.

    Args:
        record: The JSON value: a CloudTrail record, or an event with one in `detail`.

    Returns:
        The change. If the call cannot have changed anything, its outcome is `ignored`, and
        `ignored_because` says why.

    Raises:
        MalformedChangeError: a field is missing or has another type; the message names it.
    """
    try:
        return _parse(record)
    except RecursionError:
        raise MalformedChangeError("record: the JSON is nested too deeply") from None


def _parse(record: Any) -> Change:
    if not isinstance(record, Mapping):
        raise MalformedChangeError(f"record: expected an object, got {_quote(record)}")
    detail, path = _get_detail(record)
    region = Region(_find_account(record, detail, path), _find_region(record, detail, path))
    ignored = _explain_ignored(detail)
    failed = _find_failed_ids(detail)
    ids = _find_ids(detail, region.account) - failed
    if not ignored and failed and not ids:
        ignored = "the call failed for every resource"
    name = _require_text(detail, "eventName", path)
    services = frozenset(each for each in ids if each.startswith("vpce-svc-"))
    parameters, response = detail.get("requestParameters"), detail.get("responseElements")
    return Change(
        event_id=_require_text(detail, "eventID", path),
        event_name=name,
        event_source=_require_text(detail, "eventSource", path),
        time=_parse_time(detail, path),
        region=region,
        actor=_parse_actor(detail.get("userIdentity"), path),
        source_ip=format_scalar(detail.get("sourceIPAddress")),
        user_agent=format_scalar(detail.get("userAgent")),
        vpc_ids=frozenset(filter(VPC_ID.fullmatch, ids)),
        service_ids=services if name in SERVICE_EVENTS else frozenset(),
        resource_ids=ids,
        outcome=ChangeOutcome.IGNORED if ignored else ChangeOutcome.APPLIED,
        ignored_because=ignored,
        request=None if ignored else read_request(name, parameters, response, failed),
        created="" if ignored else find_created(name, response),
    )


def _get_detail(record: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    """Return the record, and the path to it for error messages."""
    if "detail-type" not in record and "detail" not in record:
        return record, ""
    detail = record.get("detail")
    if not isinstance(detail, Mapping):
        raise MalformedChangeError(f"detail: expected a CloudTrail record, got {_quote(detail)}")
    return detail, "detail."


def _find_account(record: Mapping[str, Any], detail: Mapping[str, Any], path: str) -> str:
    """Find the account of the changed resources, which may differ from the caller's."""
    identity = detail.get("userIdentity")
    caller = identity.get("accountId") if isinstance(identity, Mapping) else None
    for candidate in (detail.get("recipientAccountId"), record.get("account"), caller):
        if account := parse_account_id(candidate):
            return account
    # Some publishers remove all three; the response may still name the owner of the resource.
    owners = set(find_owners(detail.get("responseElements")))
    if len(owners) == 1:
        return owners.pop()
    raise MalformedChangeError(
        f"{path}recipientAccountId: expected a 12-digit account ID, "
        f"got {_quote(detail.get('recipientAccountId'))}"
    )


def _find_region(record: Mapping[str, Any], detail: Mapping[str, Any], path: str) -> str:
    """Find the region: the record's own, or else that of the event bus."""
    missing = detail.get("awsRegion") is None and detail is not record
    if missing and isinstance(record.get("region"), str):
        return _require_text(record, "region", "")
    return _require_text(detail, "awsRegion", path)


def _explain_ignored(detail: Mapping[str, Any]) -> str:
    """Explain why the call cannot have changed posture; "" if it can."""
    error = format_scalar(detail.get("errorCode"))
    if error.endswith(DRY_RUN):
        return "the call was a dry run"
    if error:
        return f"the call failed: {error}"
    kind = format_scalar(detail.get("eventType")) or API_CALL  # some publishers remove it
    if kind != API_CALL:
        return f"the event is not an API call: {kind}"
    name = format_scalar(detail.get("eventName"))
    if detail.get("readOnly") is True or name.startswith("Describe"):
        return "the call is read-only"
    if detail.get("eventSource") != EVENT_SOURCE or name not in EVENT_NAMES:
        return f"the monitor does not handle {name}"
    return ""


def _find_failed_ids(detail: Mapping[str, Any]) -> frozenset[str]:
    """Find the ids for which a call failed that succeeded for others."""
    response = unwrap(detail.get("responseElements"))
    failed = list_members(response.get("unsuccessful"))
    return frozenset(
        format_scalar(each.get("resourceId")) for each in failed if isinstance(each, Mapping)
    )


def _find_ids(detail: Mapping[str, Any], account: str) -> frozenset[str]:
    blocks = (unwrap(detail.get(name)) for name in ("requestParameters", "responseElements"))
    return frozenset(each for block in blocks for each in find_ids(block, account))


def _parse_actor(identity: Any, path: str) -> Actor:
    if identity is None:  # some publishers remove it
        return Actor("unknown", "", "Unknown")
    if not isinstance(identity, Mapping):
        raise MalformedChangeError(
            f"{path}userIdentity: expected an object, got {_quote(identity)}"
        )
    invoked_by = format_scalar(identity.get("invokedBy"))
    arn = format_scalar(identity.get("arn"))
    return Actor(
        arn=arn or invoked_by or format_scalar(identity.get("principalId")) or "unknown",
        account=parse_account_id(identity.get("accountId")),
        kind=format_scalar(identity.get("type")) or "Unknown",
        invoked_by=invoked_by if arn else "",
    )


def _parse_time(detail: Mapping[str, Any], path: str) -> datetime:
    value = detail.get("eventTime")
    if isinstance(value, str):
        with suppress(ValueError, OverflowError):  # no time, or out of range in UTC
            time = datetime.fromisoformat(value)
            return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    raise MalformedChangeError(f"{path}eventTime: expected an ISO 8601 time, got {_quote(value)}")


def _require_text(detail: Mapping[str, Any], name: str, path: str) -> str:
    value = detail.get(name)
    if not isinstance(value, str) or not value:
        raise MalformedChangeError(f"{path}{name}: expected a string, got {_quote(value)}")
    return value


def _quote(value: Any) -> str:
    return "nothing" if value is None else repr(value)[:80]
