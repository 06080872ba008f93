"""Classifies the errors of the shared network's services, by which a survey goes on or stops."""

from __future__ import annotations

from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError

from posture.ec2.errors import CLOSED, describe_call_denial, get_error_code, name_failed_call
from posture.errors import describe_error
from posture.model.shared_network import SharedFacet

# What was listed was deleted since, so there is nothing to read.
GONE = frozenset({"NoSuchHostedZone", "ResourceNotFoundException", "InvalidVPCId"})


def describe_denial(error: Exception, facet: SharedFacet) -> str | None:
    """Describe why a read cannot succeed; None if a retry may."""
    call = str(facet)
    if isinstance(error, ClientError) and get_error_code(error) in CLOSED:
        return f"{get_error_code(error)}: {name_failed_call(error, call)} is rejected"
    return describe_call_denial(error, call)


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
