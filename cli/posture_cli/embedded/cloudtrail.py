"""CloudTrail for a boto3 client: each call that can change something becomes a record.

moto has no CloudTrail, so the record is derived from the call. Record fields:
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.model import OperationModel

from posture_cli.embedded.cloudtrail_formats import format_request, format_response

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef

READ_ONLY = ("Describe", "Get", "List", "Search")
PARAMETERS = "posture-parameters"  # the key under which a call's context keeps its parameters

JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ApiCaller:
    """The caller of an API call: an assumed role's session, its source IP and user agent."""

    account: str
    role: str
    session: str
    source_ip: str = "198.51.100.7"
    user_agent: str = "aws-cli/2.31.0"
    invoked_by: str = ""  # the AWS service that calls on the role's behalf, or ""

    @property
    def arn(self) -> str:
        """The ARN of the assumed role's session."""
        return f"arn:aws:sts::{self.account}:assumed-role/{self.role}/{self.session}"

    def build_identity(self) -> JsonObject:
        """Build CloudTrail's `userIdentity`."""
        role = f"arn:aws:iam::{self.account}:role/{self.role}"
        identity: JsonObject = {
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
    """One finished EC2 call: botocore's operation, the parameters and the parsed response."""

    operation: OperationModel
    parameters: Mapping[str, Any]
    answer: Mapping[str, Any]  # parsed by botocore; contains "Error" if the call failed
    caller: ApiCaller
    region: str
    time: datetime

    @property
    def mutates(self) -> bool:
        """Whether the operation can change a resource."""
        return not self.operation.name.startswith(READ_ONLY)


def build_record(call: ApiCall) -> JsonObject:
    """Build the CloudTrail record of a call."""
    request_id = str(uuid.uuid4())
    error = call.answer.get("Error")
    entry: JsonObject = {
        "eventVersion": "1.11",
        "userIdentity": call.caller.build_identity(),
        "eventTime": f"{call.time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "eventSource": "ec2.amazonaws.com",
        "eventName": call.operation.name,
        "awsRegion": call.region,
        "sourceIPAddress": call.caller.invoked_by or call.caller.source_ip,
        "userAgent": call.caller.invoked_by or call.caller.user_agent,
        "requestParameters": format_request(call.operation, call.parameters),
        "responseElements": None
        if error
        else format_response(call.operation, call.answer, request_id),
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


def build_event_entry(entry: JsonObject) -> PutEventsRequestEntryTypeDef:
    """Build the PutEvents entry of a CloudTrail record.

    EventBridge rejects `aws.*` sources from customers; moto accepts them.
    https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
    """
    return {
        "Source": f"aws.{entry['eventSource'].partition('.')[0]}",
        "DetailType": "AWS API Call via CloudTrail",
        "Time": datetime.fromisoformat(entry["eventTime"]),
        "Resources": [],
        "Detail": json.dumps(entry),
    }


def record_calls(
    client: EC2Client, caller: ApiCaller, deliver: Callable[[JsonObject], None]
) -> None:
    """Record every mutating call that a client makes from now on, failed calls included.

    Args:
        client: The client to observe.
        caller: The principal that the records name.
        deliver: Receives each CloudTrail record right after its call.
    """

    def write(model: OperationModel, parsed: JsonObject, context: JsonObject, **_: Any) -> None:
        region, now = client.meta.region_name, datetime.now(UTC)
        call = ApiCall(model, context[PARAMETERS], parsed, caller, region, now)
        if call.mutates:
            deliver(build_record(call))

    # Last, after botocore's own handlers have completed the parameters.
    client.meta.events.register_last("before-parameter-build.ec2", remember_parameters)
    client.meta.events.register_last("after-call.ec2", write)


def remember_parameters(params: JsonObject, context: JsonObject, **_: Any) -> None:
    """Keep a call's parameters in its context, for a handler of the answer."""
    context[PARAMETERS] = dict(params)
