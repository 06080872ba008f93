"""Classifies EC2's errors: access is denied, the id does not exist, or a retry may succeed.

Error codes: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError, HTTPClientError

from posture.errors import PostureError

UNAUTHORIZED = {"UnauthorizedOperation", "Client.UnauthorizedOperation"}
DENIED = frozenset(UNAUTHORIZED | {"AccessDenied", "AccessDeniedException"})
# EC2 or AWS STS answers so for a whole account or Region, where a retry seldom succeeds.
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
CLOSED = frozenset(
    {
        "AuthFailure",
        "Blocked",
        "InvalidClientTokenId",
        "OptInRequired",
        "PendingVerification",
        "RegionDisabledException",
        "UnrecognizedClientException",
    }
)
# The partition, the region or an emulator does not offer the operation.
NOT_OFFERED = frozenset(
    {"UnsupportedOperation", "UnknownOperationException", "InvalidAction", "NotImplemented"}
)
NOT_IMPLEMENTED = 501
THROTTLED = frozenset({"RequestLimitExceeded", "ServiceUnavailable", "Throttling", "Unavailable"})
# Never of AWS: what answers in place of EC2 does not hold the rows; they may exist.
NOT_RECORDED = "NotRecorded"
LONGEST = 200  # characters of a message, which may hold a whole web page


class MalformedAnswerError(PostureError, ValueError):
    """What answered is not EC2, such as a proxy that returns a web page with status 200."""


def check_answer(answer: Mapping[str, Any], operation: str, member: str) -> None:
    """Check that an answer is EC2's: it has the member that was asked for, or a request id.

    Without this an answer of something else would say that there is nothing.

    Raises:
        MalformedAnswerError: It has neither.
    """
    if member not in answer and not answer.get("ResponseMetadata", {}).get("RequestId"):
        raise MalformedAnswerError(
            f"expected EC2's answer to {operation}, got neither {member} nor a request ID"
        )


def describe_denial(error: Exception, operation: str) -> str | None:
    """Describe why a retry cannot succeed; None for throttling, server errors and timeouts.

    `operation` is the operation's API name, such as `DescribeSubnets`.
    """
    return describe_call_denial(error, f"ec2:{operation}")


def describe_call_denial(error: Exception, call: str) -> str | None:
    """Describe why a retry of any service's call cannot succeed; None if it may.

    An emulator in this process raises NotImplementedError.
    """
    if isinstance(error, NotImplementedError):
        return f"NotImplemented: {call} is not available here"
    if not isinstance(error, ClientError):
        return None
    code = get_error_code(error)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    if code == NOT_RECORDED:
        return str(error.response["Error"]["Message"])
    if code in DENIED:
        return f"{code}: {name_failed_call(error, call)} is denied"
    if code in NOT_OFFERED or status == NOT_IMPLEMENTED:
        return f"{code}: {call} is not available here"
    return None


def describe_closed(error: Exception, operation: str) -> str | None:
    """Describe why the whole account or Region cannot be read; None for any other error."""
    if isinstance(error, ClientError) and get_error_code(error) in CLOSED:
        return f"{get_error_code(error)}: {name_failed_call(error, f'ec2:{operation}')} is rejected"
    return None


def describe_failure(error: Exception, operation: str) -> str:
    """Describe why a call failed for good, in words that stay the same while it does.

    Throttling, server errors and timeouts are among the reasons: the retries are over. Messages are
    left out, because they may hold a request id. `operation` is named where the error names none.
    """
    if not isinstance(error, ClientError):
        return f"{type(error).__name__}: ec2:{operation} failed in spite of retries"
    operation = error.operation_name or operation
    said = describe_denial(error, operation) or describe_closed(error, operation)
    call = name_failed_call(error, f"ec2:{operation}")
    return said or f"{get_error_code(error)}: {call} failed in spite of retries"


def describe_failed_call(error: Exception, operation: str) -> str | None:
    """Describe a call that has no answer; None if the error is an answer.

    Answers are a denial, an id that does not exist, and a parameter that EC2 does not accept.
    """
    if describe_denial(error, operation) is not None or isinstance(error, MalformedAnswerError):
        return None
    if isinstance(error, ClientError):
        code = get_error_code(error)
        if is_not_found(error) or code.startswith("Invalid"):
            return None
        message = error.response.get("Error", {}).get("Message", "")
        said = describe_closed(error, operation) or f"{code}: ec2:{operation} failed"
        return f"{said}: {message}"[:LONGEST] if message else said
    first = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}: ec2:{operation} failed: {first}"[:LONGEST]


def is_busy(error: Exception) -> bool:
    """Whether EC2 throttles or cannot be reached, so that more requests would make it worse."""
    if isinstance(error, ClientError):
        return get_error_code(error) in THROTTLED
    return isinstance(error, HTTPClientError | TimeoutError)


def is_denied(error: Exception) -> bool:
    """Whether access is denied, so that what was asked for may exist."""
    return isinstance(error, ClientError) and get_error_code(error) in {*DENIED, NOT_RECORDED}


def name_failed_call(error: ClientError, call: str) -> str:
    """Name the call that failed; a member's role is assumed before its first call."""
    return "sts:AssumeRole" if error.operation_name == "AssumeRole" else call


def is_not_found(error: Exception) -> bool:
    """Whether EC2 answered that the requested id does not exist (`Invalid….NotFound`)."""
    return isinstance(error, ClientError) and get_error_code(error).endswith(".NotFound")


def get_error_code(error: ClientError) -> str:
    """Get the error code of a failed request."""
    return str(error.response.get("Error", {}).get("Code", ""))
