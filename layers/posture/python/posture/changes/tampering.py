"""Parses calls that can stop the monitor, which the rules about tampering put on its queue.

The rules of template.yaml select the calls; a call that arrives here is one (docs/decisions/0106).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from posture.changes.cloudtrail import find_account, find_region, get_detail, parse_actor
from posture.changes.event_groups import EC2
from posture.changes.record_fields import parse_time, quote, require_text
from posture.changes.record_shapes import find_ids, format_scalar, list_members, unwrap
from posture.errors import MalformedChangeError
from posture.model.change import Change, ChangeOutcome
from posture.model.scope import Region

WRAPPER = "tampering"  # the member in which a rule's target wraps the event
# The services of which only calls that can stop the monitor reach its queue. Calls to EC2 are known
# by the wrapper: the same call may be one that changes a network.
SOURCES = frozenset(
    f"{name}.amazonaws.com"
    for name in (
        "cloudformation",
        "cloudtrail",
        "dynamodb",
        "events",
        "iam",
        "kms",
        "lambda",
        "logs",
        "monitoring",
        "pipes",
        "scheduler",
        "sns",
        "sqs",
        "states",
    )
)
CLOUDFORMATION = "cloudformation.amazonaws.com"
# The parameters that name what a call changes, the first that it has.
PARAMETERS = (
    "roleName",
    "policyArn",
    "queueUrl",
    "topicArn",
    "subscriptionArn",
    "functionName",
    "stateMachineArn",
    "tableName",
    "resourceArn",
    "resource",
    "vpcId",
    "vPCId",
    "resourceId",
    "ResourceId",
    "bucketName",
    "keyId",
    "logGroupName",
    "resourceIdentifier",
    "alarmNames",
    "alarmName",
    "stackName",
    "changeSetName",
    "rule",
    "trailName",
    "sourceArn",
    "source",
    "name",
    "eventBusName",
)
# What stands before the name in an ARN, and what stands after it.
BEFORE = re.compile(
    r"(?:function:|stateMachine:|log-group:|alarm:|(?:table|key|stack|changeSet|trail|schedule)/"
    r"|(?:role|policy|rule|pipe|event-bus)/(?:.*/)?)"
)
IS_WHOLE = re.compile(r"(?:role|policy|rule|pipe|event-bus)/")


def is_tampering(record: Any) -> bool:
    """Whether a message of the queue holds a call that can stop the monitor."""
    if not isinstance(record, Mapping):
        return False
    detail = record.get("detail")
    source = detail.get("eventSource") if isinstance(detail, Mapping) else None
    return WRAPPER in record or (isinstance(source, str) and source in SOURCES)


def parse_tampering(record: Mapping[str, Any]) -> Change:
    """Parse a call that can stop the monitor, from the event or from the wrapper around it.

    Returns:
        The call; its `resource_ids` are the names of what it changed.

    Raises:
        MalformedChangeError: A field is missing or has another type; the message names it.
    """
    event = record.get(WRAPPER, record)
    if not isinstance(event, Mapping):
        raise MalformedChangeError(f"{WRAPPER}: expected an event, got {quote(event)}")
    try:
        return _parse(event)
    except RecursionError:
        raise MalformedChangeError("record: the JSON is nested too deeply") from None


def _parse(event: Mapping[str, Any]) -> Change:
    detail, path = get_detail(event)
    account = find_account(event, detail)
    if not account:
        got = quote(detail.get("recipientAccountId"))
        raise MalformedChangeError(
            f"{path}recipientAccountId: expected a 12-digit account ID, got {got}"
        )
    identity = detail.get("userIdentity")
    source = require_text(detail, "eventSource", path)
    error = format_scalar(detail.get("errorCode"))
    region = find_region(event, detail) or format_scalar(detail.get("awsRegion"))
    return Change(
        event_id=require_text(detail, "eventID", path),
        event_name=require_text(detail, "eventName", path),
        event_source=source,
        time=parse_time(detail, "eventTime", path),
        region=Region(account, region),
        actor=parse_actor(identity if isinstance(identity, Mapping) else {}),
        source_ip=format_scalar(detail.get("sourceIPAddress")),
        user_agent=format_scalar(detail.get("userAgent")),
        vpc_ids=frozenset(),
        service_ids=frozenset(),
        resource_ids=frozenset(_name_resources(detail, source, account)) or frozenset({source}),
        outcome=ChangeOutcome.IGNORED if error else ChangeOutcome.TAMPERING,
        ignored_because=f"the call failed: {error}" if error else "",
    )


def is_deployment(call: Change) -> bool:
    """Whether CloudFormation made a call for someone, or was asked to.

    It names itself as the source of such a call, which no caller can do.
    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
    """
    asked = call.event_source == CLOUDFORMATION and call.event_name != "DeleteStack"
    return asked or CLOUDFORMATION in {call.source_ip, call.actor.invoked_by}


def _name_resources(detail: Mapping[str, Any], source: str, account: str) -> Iterator[str]:
    """Name what a call changed, without the ARN or address around the name."""
    parameters, response = detail.get("requestParameters"), detail.get("responseElements")
    if source == EC2:
        ids = set(find_ids(parameters, account))
        yield from sorted(each for each in ids if each.startswith(("vpce-", "sg-"))) or sorted(ids)
        return
    request = unwrap(parameters)
    # The request that changes an event source mapping names it by its UUID, and the response names
    # its function. A new mapping takes messages off a queue, whatever its function is.
    request = {**request, **unwrap(request.get("muteTargets")), **unwrap(request.get("vPC"))}
    for block, names in (
        (request, ("eventSourceArn", *PARAMETERS)),
        (unwrap(response), (*PARAMETERS, "functionArn")),
    ):
        for name in names:
            if found := [text for it in list_members(block.get(name)) if (text := str(it))]:
                yield from map(shorten_name, found)
                return


def shorten_name(text: str) -> str:
    """Return the name in an ARN or in the address of a queue.

    `arn:aws:sns:eu-west-1:111122223333:posture-AlertTopic-AB12:0a1b` is `posture-AlertTopic-AB12`.
    """
    if text.startswith("https://"):
        return text.rpartition("/")[2] or text
    if not text.startswith("arn:"):
        return text
    rest = text.split(":", 5)[-1]
    found = BEFORE.match(rest)
    name = rest[found.end() :] if found else rest
    whole = bool(IS_WHOLE.match(rest)) or rest.startswith("log-group:")
    name = name.partition(":")[0] if whole else re.split("[:/]", name, maxsplit=1)[0]
    return name or text
