"""The CloudTrail record of an EC2 call, in the shape CloudTrail itself would give it.

moto keeps no trail, so the demo derives each record from the call. CloudTrail writes EC2's calls in
two shapes, both observed in published records:

* *flat*, the calls of EC2's first years: camelCase, sets as `xxxSet: {"items": […]}`, `_return`;
* *wrapped*, the newer ones: `{"<Name>Request": {…}}` in query names, lists as `{"tag", "content"}`,
  responses as `{"item": …}`, the XML of the call turned to JSON with its coercions.

Names come from botocore's model of EC2, as in
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.model import OperationModel

from posture_cli.embedded import cloudtrail_flat as flat
from posture_cli.embedded import cloudtrail_wrapped as wrapped

if TYPE_CHECKING:
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef

READ_ONLY = ("Describe", "Get", "List", "Search")
SUCCESS = 300  # HTTP statuses from here on are failures

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ApiCaller:
    """Who makes a call: a role's session, from an address, with a tool."""

    account: str
    role: str
    session: str
    source_ip: str = "198.51.100.7"
    user_agent: str = "aws-cli/2.31.0"
    invoked_by: str = ""  # the AWS service that calls on the person's behalf, or ""

    @property
    def arn(self) -> str:
        """The ARN of the role's session."""
        return f"arn:aws:sts::{self.account}:assumed-role/{self.role}/{self.session}"

    def identity(self) -> Json:
        """CloudTrail's `userIdentity`."""
        role = f"arn:aws:iam::{self.account}:role/{self.role}"
        identity: Json = {
            "type": "AssumedRole",
            "principalId": f"AROAEXAMPLE:{self.session}",
            "arn": self.arn,
            "accountId": self.account,
            "accessKeyId": "ASIAEXAMPLE",
            "sessionContext": {
                "sessionIssuer": {"type": "Role", "arn": role, "userName": self.role},
                "attributes": {"mfaAuthenticated": "true"},
            },
        }
        if self.invoked_by:
            identity["invokedBy"] = self.invoked_by
        return identity


@dataclass(frozen=True, slots=True)
class ApiCall:
    """One finished EC2 call: botocore's operation, the caller's parameters, the parsed answer."""

    operation: OperationModel
    parameters: Mapping[str, Any]
    answer: Mapping[str, Any]  # as botocore parses it; holds "Error" when the call failed
    caller: ApiCaller
    region: str
    time: datetime

    @property
    def mutates(self) -> bool:
        """Whether the call could have changed anything."""
        return not self.operation.name.startswith(READ_ONLY)


def build_record(call: ApiCall) -> Json:
    """Give the call's CloudTrail record."""
    shape = wrapped if is_wrapped(call.operation) else flat
    request_id = str(uuid.uuid4())
    error = call.answer.get("Error")
    entry: Json = {
        "eventVersion": "1.11",
        "userIdentity": call.caller.identity(),
        "eventTime": _second(call.time),
        "eventSource": "ec2.amazonaws.com",
        "eventName": call.operation.name,
        "awsRegion": call.region,
        "sourceIPAddress": call.caller.invoked_by or call.caller.source_ip,
        "userAgent": call.caller.invoked_by or call.caller.user_agent,
        "requestParameters": shape.format_request(call.operation, call.parameters),
        "responseElements": None
        if error
        else shape.format_response(call.operation, call.answer, request_id),
        "requestID": request_id,
        "eventID": str(uuid.uuid4()),
        "readOnly": not call.mutates,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": call.caller.account,
        "eventCategory": "Management",
    }
    if error:
        entry["errorCode"] = f"Client.{error['Code']}"
        entry["errorMessage"] = error["Message"]
    return entry


def build_event_entry(entry: Json) -> PutEventsRequestEntryTypeDef:
    """Put a record in the entry that EventBridge's PutEvents takes.

    EventBridge refuses `aws.*` sources from customers; moto takes them, which is what makes this
    possible: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
    """
    return {
        "Source": "aws.ec2",
        "DetailType": "AWS API Call via CloudTrail",
        "Time": datetime.fromisoformat(entry["eventTime"]),
        "Resources": [],
        "Detail": json.dumps(entry),
    }


def is_wrapped(operation: OperationModel) -> bool:
    """Tell the two shapes apart.

    In EC2's model the first years' operations spell their `DryRun` parameter `dryRun` (or have
    none); those that published records show wrapped are the ones that spell it as it is.
    """
    members = operation.input_shape.members if operation.input_shape else {}
    return "DryRun" in members and "name" not in members["DryRun"].serialization


def _second(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
