"""Builds CloudTrail records of EC2 calls in every form."""

from typing import Any

ACCOUNT = "111122223333"
OTHER = "444455556666"
REGION = "eu-west-1"
XMLNS = "http://ec2.amazonaws.com/doc/2016-11-15/"

VPC = "vpc-0aaaaaaaaaaaaaaa1"
VPC2 = "vpc-0aaaaaaaaaaaaaaa2"
SUBNET = "subnet-0aaaaaaaaaaaaaaa1"
SUBNET2 = "subnet-0aaaaaaaaaaaaaaa2"
TABLE = "rtb-0aaaaaaaaaaaaaaa1"
ENDPOINT = "vpce-0aaaaaaaaaaaaaaa1"
ENDPOINT2 = "vpce-0aaaaaaaaaaaaaaa2"
GROUP = "sg-0aaaaaaaaaaaaaaa1"
GROUP2 = "sg-0aaaaaaaaaaaaaaa2"
SERVICE = "vpce-svc-0aaaaaaaaaaaaaaa1"


def build_record(
    name: str, request: Any = None, response: Any = None, **more: Any
) -> dict[str, Any]:
    """Build the record of a successful call."""
    return {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "AssumedRole",
            "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/NetworkAdmin/alice",
            "accountId": ACCOUNT,
        },
        "eventTime": "2026-11-23T12:00:00Z",
        "eventSource": "ec2.amazonaws.com",
        "eventName": name,
        "awsRegion": REGION,
        "sourceIPAddress": "198.51.100.7",
        "userAgent": "aws-cli/2.31.0",
        "requestParameters": request,
        "responseElements": response,
        "eventID": "6bcfcf8a-1d5a-4d1b-8c9c-1f3e6a7b8c9d",
        "readOnly": False,
        "eventType": "AwsApiCall",
        "recipientAccountId": ACCOUNT,
    } | more


def build_wrapped_record(
    name: str, request: Any, response: Any = None, **more: Any
) -> dict[str, Any]:
    """Build the record of a newer call, whose request and response have wrappers."""
    answer = response if response is not None else {"return": True}
    return build_record(
        name,
        {f"{name}Request": request},
        {f"{name}Response": {"xmlns": XMLNS, "requestId": "r-1", **answer}},
        **more,
    )


def build_tagged_list(*values: str) -> Any:
    """Build a list in the form of newer calls, in which a single member is not a list."""
    members = [{"tag": number, "content": value} for number, value in enumerate(values, 1)]
    return members[0] if len(members) == 1 else members


def build_event(detail: Any, **more: Any) -> dict[str, Any]:
    """Wrap a record in an EventBridge event of its account."""
    of = detail.get("recipientAccountId") if isinstance(detail, dict) else None
    return {
        "version": "0",
        "id": "b1c0b1c0-0000-0000-0000-000000000000",
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.ec2",
        "account": of if isinstance(of, str) else ACCOUNT,
        "time": "2026-11-23T12:00:05Z",
        "region": REGION,
        "resources": [],
        "detail": detail,
    } | more
