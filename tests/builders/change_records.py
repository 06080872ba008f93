"""CloudTrail records in the shapes EC2's calls are written in; ids are examples."""

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


def record(name: str, request: Any = None, response: Any = None, **more: Any) -> dict[str, Any]:
    """Give a record of a call that succeeded."""
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


def wrapped(name: str, request: Any, response: Any = None, **more: Any) -> dict[str, Any]:
    """Give a record of a newer call, whose blocks stand in wrappers."""
    answer = response if response is not None else {"return": True}
    return record(
        name,
        {f"{name}Request": request},
        {f"{name}Response": {"xmlns": XMLNS, "requestId": "r-1", **answer}},
        **more,
    )


def tagged(*values: str) -> Any:
    """Give a list as the newer calls write it: one member is no list."""
    members = [{"tag": number, "content": value} for number, value in enumerate(values, 1)]
    return members[0] if len(members) == 1 else members


def enveloped(detail: Any, **more: Any) -> dict[str, Any]:
    """Put a record in EventBridge's envelope."""
    return {
        "version": "0",
        "id": "b1c0b1c0-0000-0000-0000-000000000000",
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.ec2",
        "account": ACCOUNT,
        "time": "2026-11-23T12:00:05Z",
        "region": REGION,
        "resources": [],
        "detail": detail,
    } | more
