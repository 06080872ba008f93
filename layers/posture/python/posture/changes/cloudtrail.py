"""One CloudTrail record, in EventBridge's envelope or bare, becomes a change.

Record fields: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from posture.changes.event_names import EVENT_NAMES, EVENT_SOURCE, SERVICE_EVENTS
from posture.changes.shapes import (
    find_ids,
    find_owners,
    format_scalar,
    list_members,
    parse_account_id,
    unwrap,
)
from posture.errors import MalformedChangeError
from posture.model.change import Actor, Change, ChangeOutcome
from posture.model.scope import Region

DRY_RUN = "DryRunOperation"
API_CALL = "AwsApiCall"


def parse_record(record: Any) -> Change:
    """Read one record, or the EventBridge event around it.

    Args:
        record: The JSON value: a CloudTrail record, or an event that holds one in `detail`.

    Returns:
        The change; its outcome is `ignored`, with the reason, where nothing can have moved.

    Raises:
        MalformedChangeError: a field is missing or has another type; the text names its path.
    """
    try:
        return _change(record)
    except RecursionError:
        raise MalformedChangeError("record: nested too deeply") from None


def _change(record: Any) -> Change:
    if not isinstance(record, Mapping):
        raise MalformedChangeError(f"record: expected an object, got {_shown(record)}")
    detail, path = _detail(record)
    region = Region(_account(record, detail, path), _region(record, detail, path))
    ignored = _why_ignored(detail)
    unmoved = _unmoved(detail)
    ids = _ids(detail, region.account) - unmoved
    if not ignored and unmoved and not ids:
        ignored = "every member of the call was unsuccessful"
    name = _text(detail, "eventName", path)
    services = frozenset(each for each in ids if each.startswith("vpce-svc-"))
    return Change(
        event_id=_text(detail, "eventID", path),
        event_name=name,
        event_source=_text(detail, "eventSource", path),
        time=_time(detail, path),
        region=region,
        actor=_actor(detail.get("userIdentity"), path),
        source_ip=format_scalar(detail.get("sourceIPAddress")),
        user_agent=format_scalar(detail.get("userAgent")),
        vpc_ids=frozenset(each for each in ids if _is_vpc(each)),
        service_ids=services if name in SERVICE_EVENTS else frozenset(),
        resource_ids=ids,
        outcome=ChangeOutcome.IGNORED if ignored else ChangeOutcome.APPLIED,
        ignored_because=ignored,
    )


def _detail(record: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    """Give the record, and the path to it for messages."""
    if "detail-type" not in record and "detail" not in record:
        return record, ""
    detail = record.get("detail")
    if not isinstance(detail, Mapping):
        raise MalformedChangeError(f"detail: expected a CloudTrail record, got {_shown(detail)}")
    return detail, "detail."


def _account(record: Mapping[str, Any], detail: Mapping[str, Any], path: str) -> str:
    """Give the account whose resources moved, which is not always the caller's."""
    identity = detail.get("userIdentity")
    caller = identity.get("accountId") if isinstance(identity, Mapping) else None
    for candidate in (detail.get("recipientAccountId"), record.get("account"), caller):
        if account := parse_account_id(candidate):
            return account
    # Some publishers strip all three; what the call made still has its owner.
    owners = set(find_owners(detail.get("responseElements")))
    if len(owners) == 1:
        return owners.pop()
    raise MalformedChangeError(
        f"{path}recipientAccountId: expected an account of 12 digits, "
        f"got {_shown(detail.get('recipientAccountId'))}"
    )


def _region(record: Mapping[str, Any], detail: Mapping[str, Any], path: str) -> str:
    """Give the region; a record that lost it is of the region whose bus carried it."""
    lost = detail.get("awsRegion") is None and detail is not record
    if lost and isinstance(record.get("region"), str):
        return _text(record, "region", "")
    return _text(detail, "awsRegion", path)


def _why_ignored(detail: Mapping[str, Any]) -> str:
    """Say why the call cannot have moved posture; "" when it can."""
    error = format_scalar(detail.get("errorCode"))
    if error.endswith(DRY_RUN):
        return "a dry run"
    if error:
        return f"the call failed: {error}"
    kind = format_scalar(detail.get("eventType")) or API_CALL  # some publishers strip it
    if kind != API_CALL:
        return f"no management call: {kind}"
    name = format_scalar(detail.get("eventName"))
    if detail.get("readOnly") is True or name.startswith("Describe"):
        return "the call only reads"
    if detail.get("eventSource") != EVENT_SOURCE or name not in EVENT_NAMES:
        return f"{name} moves no posture"
    return ""


def _unmoved(detail: Mapping[str, Any]) -> frozenset[str]:
    """Give what a call that succeeded as a whole has not done: its `unsuccessful` members."""
    response = unwrap(detail.get("responseElements"))
    failed = (member for member in list_members(response.get("unsuccessful")))
    return frozenset(
        format_scalar(member.get("resourceId")) for member in failed if isinstance(member, Mapping)
    )


def _ids(detail: Mapping[str, Any], account: str) -> frozenset[str]:
    blocks = (unwrap(detail.get(name)) for name in ("requestParameters", "responseElements"))
    return frozenset(each for block in blocks for each in find_ids(block, account))


def _is_vpc(resource: str) -> bool:
    return resource.startswith("vpc-") and not resource.startswith("vpc-cidr-assoc-")


def _actor(identity: Any, path: str) -> Actor:
    if identity is None:  # some publishers strip it; the change still counts
        return Actor("unknown", "", "Unknown")
    if not isinstance(identity, Mapping):
        raise MalformedChangeError(
            f"{path}userIdentity: expected an object, got {_shown(identity)}"
        )
    invoked_by = format_scalar(identity.get("invokedBy"))
    arn = format_scalar(identity.get("arn"))
    return Actor(
        arn=arn or invoked_by or format_scalar(identity.get("principalId")) or "unknown",
        account=parse_account_id(identity.get("accountId")),
        kind=format_scalar(identity.get("type")) or "Unknown",
        invoked_by=invoked_by if arn else "",
    )


def _time(detail: Mapping[str, Any], path: str) -> datetime:
    value = detail.get("eventTime")
    if isinstance(value, str):
        with suppress(ValueError, OverflowError):  # no time, or none that UTC can tell
            time = datetime.fromisoformat(value)
            return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    raise MalformedChangeError(f"{path}eventTime: expected an ISO 8601 time, got {_shown(value)}")


def _text(detail: Mapping[str, Any], name: str, path: str) -> str:
    value = detail.get(name)
    if not isinstance(value, str) or not value:
        raise MalformedChangeError(f"{path}{name}: expected a text, got {_shown(value)}")
    return value


def _shown(value: Any) -> str:
    return "nothing" if value is None else repr(value)[:80]
