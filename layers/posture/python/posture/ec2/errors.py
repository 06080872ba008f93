"""Which failures of a read mean "not for you" or "not there", and which mean "ask again".

Error codes: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
"""

from __future__ import annotations

from botocore.exceptions import ClientError

DENIED = frozenset(
    {
        "UnauthorizedOperation",
        "AccessDenied",
        "AccessDeniedException",
        "Client.UnauthorizedOperation",
    }
)
# An operation that a partition, a region or an emulator does not offer.
NOT_OFFERED = frozenset(
    {"UnsupportedOperation", "UnknownOperationException", "InvalidAction", "NotImplemented"}
)
NOT_IMPLEMENTED = 501


def reason_unreadable(error: Exception, operation: str) -> str | None:
    """Say why a fact cannot be read, now or on any retry; None where asking again may help.

    `operation` is the API's name of it, as in `DescribeSubnets`. Throttling, server errors and
    timeouts give None. An emulator in this process raises NotImplementedError by itself.
    """
    if isinstance(error, NotImplementedError):
        return f"NotImplemented: ec2:{operation} is not offered here"
    if not isinstance(error, ClientError):
        return None
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    if code in DENIED:
        return f"{code}: ec2:{operation} is denied"
    if code in NOT_OFFERED or status == NOT_IMPLEMENTED:
        return f"{code}: ec2:{operation} is not offered here"
    return None


def is_not_found(error: Exception) -> bool:
    """Whether EC2 says that the id it was asked for does not exist (`Invalid….NotFound`)."""
    if not isinstance(error, ClientError):
        return False
    return str(error.response.get("Error", {}).get("Code", "")).endswith(".NotFound")
