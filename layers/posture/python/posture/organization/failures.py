"""Classifies the errors of the shared network's services, by which a survey goes on or stops."""

from __future__ import annotations

from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError

from posture.ec2.errors import (
    CLOSED,
    DENIED,
    NOT_IMPLEMENTED,
    NOT_OFFERED,
    NOT_RECORDED,
    get_error_code,
)
from posture.errors import describe_error
from posture.model.shared_network import SharedFacet

# What was listed was deleted since, so there is nothing to read.
GONE = frozenset({"NoSuchHostedZone", "ResourceNotFoundException", "InvalidVPCId"})


def describe_denial(error: Exception, facet: SharedFacet) -> str | None:
    """Describe why a read cannot succeed; None if a retry may.

    An emulator in this process raises NotImplementedError.
    """
    if isinstance(error, NotImplementedError):
        return f"NotImplemented: {facet} is not available here"
    if not isinstance(error, ClientError):
        return None
    code = get_error_code(error)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    if code == NOT_RECORDED:
        return str(error.response["Error"]["Message"])
    call = "sts:AssumeRole" if error.operation_name == "AssumeRole" else str(facet)
    effects = (
        (code in DENIED, f"{call} is denied"),
        (code in CLOSED, f"{call} is rejected"),
        (code in NOT_OFFERED or status == NOT_IMPLEMENTED, f"{facet} is not available here"),
    )
    return next((f"{code}: {effect}" for applies, effect in effects if applies), None)


def describe_failure(error: Exception, what: str) -> str:
    """Describe why a read failed for good, in words that stay the same while it does."""
    if isinstance(error, ClientError):
        code = get_error_code(error)
        return f"{code}: {error.operation_name or what} failed in spite of retries"
    if isinstance(error, BotoCoreError):
        return f"{type(error).__name__}: {what} failed in spite of retries"
    return describe_error(error)


def is_gone(error: Exception) -> bool:
    """Return whether what was asked for no longer exists."""
    if not isinstance(error, ClientError):
        return False
    code = get_error_code(error)
    return code in GONE or code.endswith(".NotFound")


def has_no_endpoint(error: Exception) -> bool:
    """Return whether the service's endpoint cannot be reached, as where there is no service."""
    return isinstance(error, EndpointConnectionError)
