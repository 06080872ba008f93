"""Parses one CloudTrail record, alone or in an EventBridge event, into a change.

Record fields: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from posture.changes.event_groups import NO_FACTS
from posture.changes.event_names import (
    SERVICE_EVENTS,
    TAGGED,
    TAGS,
    explain_left_out,
    is_handled,
)
from posture.changes.network_events import is_network_event, parse_network_event
from posture.changes.record_fields import parse_time, quote, require_text
from posture.changes.record_shapes import (
    find_ids,
    find_other_vpcs,
    find_owners,
    find_shared_ids,
    format_scalar,
    is_omitted,
    list_members,
    parse_account_id,
    unwrap,
)
from posture.changes.requests import find_created, read_request
from posture.changes.shared_events import find_facts
from posture.errors import MalformedChangeError
from posture.model.change import IDENTITY_CENTER_USER, Actor, Change, ChangeOutcome
from posture.model.scope import Region

DRY_RUN = "DryRunOperation"
API_CALL = "AwsApiCall"
VPC_ID = re.compile(r"vpc-[^-]+")
# What the record of a category is instead of a call that changes a network.
CATEGORIES = {
    "Insight": "a CloudTrail Insights event, which reports an unusual rate of calls or errors",
    "NetworkActivity": "a network activity event: a call through a VPC endpoint",
    "Data": "a data event",
}
CATEGORY_OF_TYPE = {"AwsCloudTrailInsight": "Insight", "AwsVpceEvent": "NetworkActivity"}


def parse_record(record: Any) -> Change:
    """Parse a CloudTrail record, or the EventBridge event that contains it.

    Args:
        record: The JSON value: a CloudTrail record, or an event with one in `detail`.

    Returns:
        The change. If the call cannot have changed anything, its outcome is `ignored`, and
        `ignored_because` says why; fields that its record lacks are then empty. If it concerns the
        shared network alone, its outcome is `surveyed`.

    Raises:
        MalformedChangeError: a field is missing or has another type; the message names it.
    """
    try:
        return _parse(record)
    except RecursionError:
        raise MalformedChangeError("record: the JSON is nested too deeply") from None


def _parse(record: Any) -> Change:
    if not isinstance(record, Mapping):
        raise MalformedChangeError(f"record: expected an object, got {quote(record)}")
    if is_network_event(record):
        return parse_network_event(record)
    detail, path = get_detail(record)
    ignored = _explain_ignored(detail)
    require = _get_text if ignored else require_text
    account = find_account(record, detail)
    if not account and not ignored:
        raise MalformedChangeError(
            f"{path}recipientAccountId: expected a 12-digit account ID, "
            f"got {quote(detail.get('recipientAccountId'))}"
        )
    region = Region(account, find_region(record, detail) or require(detail, "awsRegion", path))
    failed = _find_failed_ids(detail)
    ids = _find_ids(detail, region.account) - failed
    if not ignored and failed and not ids:
        ignored = "the call failed for every resource"
    name = _find_name(detail) or require(detail, "eventName", path)
    unnamed = is_omitted(detail.get("requestParameters"))  # anything may be tagged
    tagged = unnamed or any(each.startswith(TAGGED) for each in ids)
    if not ignored and name in TAGS.names and not tagged:
        ignored = "no VPC, subnet or endpoint service was tagged"
    source = require(detail, "eventSource", path)
    vpcs = frozenset(filter(VPC_ID.fullmatch, ids))
    surveyed = not ignored and (name not in TAGS.names or vpcs or unnamed)
    facts = find_facts(source, name) if surveyed else NO_FACTS
    outcome = ChangeOutcome.APPLIED if is_handled(source, name) else ChangeOutcome.SURVEYED
    services = frozenset(each for each in ids if each.startswith("vpce-svc-"))
    parameters, response = detail.get("requestParameters"), detail.get("responseElements")
    return Change(
        event_id=require(detail, "eventID", path),
        event_name=name,
        event_source=source,
        time=parse_time(detail, "eventTime", path),
        region=region,
        actor=parse_actor(_get_identity(detail, path, ignored=bool(ignored))),
        source_ip=format_scalar(detail.get("sourceIPAddress")),
        user_agent=format_scalar(detail.get("userAgent")),
        vpc_ids=vpcs,
        service_ids=services if name in SERVICE_EVENTS or name in TAGS.names else frozenset(),
        resource_ids=ids,
        other_vpc_ids=_find_other_vpcs(detail, account),
        outcome=ChangeOutcome.IGNORED if ignored else outcome,
        ignored_because=ignored,
        request=None if ignored else read_request(name, parameters, response, failed),
        created="" if ignored else find_created(name, response),
        kinds=facts.kinds,
        spreads=facts.spreads,
    )


def get_detail(record: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    """Return the record, and the path to it for error messages."""
    if "detail-type" not in record and "detail" not in record:
        return record, ""
    detail = record.get("detail")
    if not isinstance(detail, Mapping):
        raise MalformedChangeError(f"detail: expected a CloudTrail record, got {quote(detail)}")
    return detail, "detail."


def find_account(record: Mapping[str, Any], detail: Mapping[str, Any]) -> str:
    """Find the account of the changed resources, which may differ from the caller's.

    "" if the record does not say it.
    """
    for candidate in (detail.get("recipientAccountId"), record.get("account")):
        if account := parse_account_id(candidate):
            return account
    # Some publishers remove both; the response may still name the owner of the resource.
    owners = set(find_owners(detail.get("responseElements")))
    caller = parse_account_id(_get_object(detail, "userIdentity").get("accountId"))
    return owners.pop() if len(owners) == 1 else caller


def find_region(record: Mapping[str, Any], detail: Mapping[str, Any]) -> str:
    """Find the region of the event bus, if the record has none of its own; "" otherwise."""
    missing = detail.get("awsRegion") is None and detail is not record
    region = record.get("region")
    return region if missing and isinstance(region, str) else ""


def _find_name(detail: Mapping[str, Any]) -> str:
    """Find the name of the calls that an Insights event is about; "" for other events."""
    return _get_text(_get_object(detail, "insightDetails"), "eventName")


def _explain_ignored(detail: Mapping[str, Any]) -> str:
    """Explain why the record cannot be that of a change of posture; "" if it can."""
    if no_call := _explain_no_call(detail):
        return no_call
    error = format_scalar(detail.get("errorCode"))
    if error.endswith(DRY_RUN):
        return "the call was a dry run"
    if error:
        return f"the call failed: {error}"
    name, source = _get_text(detail, "eventName"), _get_text(detail, "eventSource")
    if detail.get("readOnly") in (True, "true") or name.startswith("Describe"):
        return "the call is read-only"
    return explain_left_out(source, name) if name and source else ""


def _explain_no_call(detail: Mapping[str, Any]) -> str:
    kind = format_scalar(detail.get("eventType")) or API_CALL  # some publishers remove it
    category = CATEGORY_OF_TYPE.get(kind) or format_scalar(detail.get("eventCategory"))
    if category in CATEGORIES:
        return f"the record is {CATEGORIES[category]}"
    return "" if kind == API_CALL else f"the event is not an API call: {kind}"


def _find_failed_ids(detail: Mapping[str, Any]) -> frozenset[str]:
    """Find the ids for which a call failed that succeeded for others."""
    response = unwrap(detail.get("responseElements"))
    failed = list_members(response.get("unsuccessful"))
    return frozenset(
        format_scalar(each.get("resourceId")) for each in failed if isinstance(each, Mapping)
    )


def _find_ids(detail: Mapping[str, Any], account: str) -> frozenset[str]:
    blocks = [unwrap(detail.get(name)) for name in ("requestParameters", "responseElements")]
    found = {each for block in blocks for each in find_ids(block, account)}
    if not is_handled(_get_text(detail, "eventSource"), _get_text(detail, "eventName")):
        found |= {each for block in blocks for each in find_shared_ids(block)}
    return frozenset(found)


def _find_other_vpcs(detail: Mapping[str, Any], account: str) -> frozenset[str]:
    blocks = (unwrap(detail.get(name)) for name in ("requestParameters", "responseElements"))
    return frozenset(each for block in blocks for each in find_other_vpcs(block, account))


def _get_identity(detail: Mapping[str, Any], path: str, *, ignored: bool) -> Mapping[str, Any]:
    identity = detail.get("userIdentity")
    if isinstance(identity, Mapping):
        return identity
    if identity is None or ignored:  # some publishers remove it
        return {}
    raise MalformedChangeError(f"{path}userIdentity: expected an object, got {quote(identity)}")


def parse_actor(identity: Mapping[str, Any]) -> Actor:
    """Parse who made the call.

    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
    """
    arn = format_scalar(identity.get("arn"))
    invoked_by = format_scalar(identity.get("invokedBy"))
    user = _get_text(_get_object(identity, "onBehalfOf"), "userId")
    others = (_get_text(identity, "principalId"), _get_text(identity, "userName"))
    names = (arn, invoked_by, *others, user and f"{IDENTITY_CENTER_USER} {user}", "unknown")
    return Actor(
        arn=next(filter(None, names)),
        account=parse_account_id(identity.get("accountId")),
        kind=_get_text(identity, "type") or "Unknown",
        invoked_by=invoked_by if arn else "",
        source_identity=_get_text(_get_object(identity, "sessionContext"), "sourceIdentity"),
        identity_center_user=user,
    )


def _get_object(detail: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = detail.get(name)
    return value if isinstance(value, Mapping) else {}


def _get_text(detail: Mapping[str, Any], name: str, _path: str = "") -> str:
    return format_scalar(detail.get(name))
