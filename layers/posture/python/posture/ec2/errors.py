"""Classifies EC2's errors: access is denied, the id does not exist, or a retry may succeed.

Error codes: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
"""

from __future__ import annotations

from botocore.exceptions import ClientError

UNAUTHORIZED = {"UnauthorizedOperation", "Client.UnauthorizedOperation"}
DENIED = frozenset(UNAUTHORIZED | {"AccessDenied", "AccessDeniedException"})
# The partition, the region or an emulator does not offer the operation.
NOT_OFFERED = frozenset(
    {"UnsupportedOperation", "UnknownOperationException", "InvalidAction", "NotImplemented"}
)
NOT_IMPLEMENTED = 501


def describe_denial(error: Exception, operation: str) -> str | None:
    """Describe why a retry cannot succeed; None for throttling, server errors and timeouts.

    `operation` is the operation's API name, such as `DescribeSubnets`. An emulator in this process
    raises NotImplementedError.
    """
    if isinstance(error, NotImplementedError):
        return f"NotImplemented: ec2:{operation} is not available here"
    if not isinstance(error, ClientError):
        return None
    code = get_error_code(error)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    if code in DENIED:
        return f"{code}: ec2:{operation} is denied"
    if code in NOT_OFFERED or status == NOT_IMPLEMENTED:
        return f"{code}: ec2:{operation} is not available here"
    return None


def is_not_found(error: Exception) -> bool:
    """Whether EC2 answered that the requested id does not exist (`Invalid….NotFound`)."""
    return isinstance(error, ClientError) and get_error_code(error).endswith(".NotFound")


def get_error_code(error: ClientError) -> str:
    """Get the error code of a failed request."""
    return str(error.response.get("Error", {}).get("Code", ""))
