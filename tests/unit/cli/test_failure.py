"""Errors are described in one sentence that says what to do."""

from __future__ import annotations

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ProfileNotFound,
)

from posture.errors import BaselineError
from posture_cli.failure import describe_failure


def refused(code: str) -> ClientError:
    """Return an error that AWS answers with."""
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "DescribeVpcs")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (NoCredentialsError(), "no AWS credentials"),
        (NoRegionError(), "--region"),
        (ProfileNotFound(profile="work"), "The config profile (work) could not be found"),
        (EndpointConnectionError(endpoint_url="https://ec2.example"), "AWS cannot be reached: "),
        (ConnectTimeoutError(endpoint_url="https://ec2.example"), "AWS cannot be reached: "),
        (refused("RequestExpired"), "expired"),
        (refused("AuthFailure"), "does not accept these credentials"),
        (refused("UnauthorizedOperation"), "DescribeVpcs"),
        (BaselineError(("services: no such service",)), "services: no such service"),
        (FileNotFoundError(2, "No such file or directory", "missing.json"), "missing.json"),
    ],
)
def test_sentence(error: Exception, words: str) -> None:
    """Each failure names what is missing or what refused."""
    text = describe_failure(error)
    assert text is not None
    assert words in text
    assert "\n" not in text


def test_only_what_is_not_reached_is_said_not_to_be() -> None:
    """A profile that is missing says nothing of AWS."""
    text = describe_failure(ProfileNotFound(profile="work"))
    assert text is not None
    assert "reached" not in text


def test_own_mistakes_are_not_hidden() -> None:
    """A fault of this program gives no sentence: its traceback is wanted."""
    assert describe_failure(KeyError("x")) is None


def test_hostile_message_is_harmless() -> None:
    """Text from AWS or a file is printed without control characters."""
    text = describe_failure(BaselineError(("\x1b]0;owned\x07",)))
    assert text is not None
    assert not {"\x1b", "\x07"} & set(text)
