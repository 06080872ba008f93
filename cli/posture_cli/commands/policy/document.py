"""Reads the policy documents that a person names."""

import sys
from pathlib import Path

from posture.policy import MalformedPolicyError


def read_policy(file: str) -> str:
    """Read a file, or standard input for `-`.

    Raises:
        MalformedPolicyError: It is not UTF-8.
        OSError: It cannot be read.
    """
    raw = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedPolicyError(f"{file}: expected UTF-8: {error}") from None
