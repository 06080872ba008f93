"""Strict readers of single members of a row: an error names the member and what was expected.

A row that is not as AWS documents it could change any answer, so none of it is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_address, ip_network
from typing import Any

from posture.model.network import Address, Network

Row = Mapping[str, Any]

# Route 53 writes every character but letters, digits, `-` and `_` of a name as octal code.
# https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DomainNameFormat.html
OCTAL = re.compile(r"\\([0-7]{3})")


class MalformedRowError(ValueError):
    """A row does not have the form that AWS documents; the message names the member."""


def get_text(row: Row, name: str, default: str | None = None) -> str:
    """Get a member that is text; without a default it must be there.

    Raises:
        MalformedRowError: It is missing, or not text.
    """
    value = _require_row(row, name).get(name)
    if value is None and default is not None:
        return default
    if not isinstance(value, str) or not (value or default is not None):
        raise MalformedRowError(f"{name}: expected text, got {value!r}")
    return value


def get_row(row: Row, name: str) -> Row:
    """Get a member that is a structure; an empty one if it is missing.

    Raises:
        MalformedRowError: It is something else.
    """
    value = _require_row(row, name).get(name)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise MalformedRowError(f"{name}: expected a structure, got {value!r}")
    return value


def list_members(row: Row, name: str) -> Iterator[Any]:
    """List the elements of a member; none if it is missing.

    Raises:
        MalformedRowError: It is no list.
    """
    value = _require_row(row, name).get(name)
    if value is not None and not isinstance(value, list):
        raise MalformedRowError(f"{name}: expected a list, got {value!r}")
    yield from value or ()


def get_flag(row: Row, name: str, *, default: bool = False) -> bool:
    """Get a member that is true or false.

    Raises:
        MalformedRowError: It is something else.
    """
    value = _require_row(row, name).get(name, default)
    if not isinstance(value, bool):
        raise MalformedRowError(f"{name}: expected true or false, got {value!r}")
    return value


def get_network(row: Row, name: str) -> Network | None:
    """Get a member that is a CIDR block; None if it is missing.

    Raises:
        MalformedRowError: It is no CIDR block.
    """
    text = get_text(row, name, "")
    try:
        return ip_network(text, strict=False) if text else None
    except ValueError:
        raise MalformedRowError(f"{name}: expected a CIDR block, got {text!r}") from None


def get_address(row: Row, name: str) -> Address | None:
    """Get a member that is an IP address; None if it is missing.

    Raises:
        MalformedRowError: It is no IP address.
    """
    text = get_text(row, name, "")
    try:
        return ip_address(text) if text else None
    except ValueError:
        raise MalformedRowError(f"{name}: expected an IP address, got {text!r}") from None


def get_domain_name(row: Row, name: str) -> str:
    """Get a member that is a domain name, as the model writes it: "" is the root.

    Raises:
        MalformedRowError: It is missing, or not text.
    """
    return normalize_name(get_text(row, name))


def normalize_name(text: str) -> str:
    """Write a domain name in lower case, with `*` for its octal code, without the last dot."""
    plain = OCTAL.sub(lambda match: chr(int(match[1], 8)), text)
    return plain.removesuffix(".").lower()


def get_arn_account(arn: str) -> str:
    """Get the account of an ARN; "" if it names none."""
    parts = arn.split(":", 5)
    return parts[4] if len(parts) > 5 else ""  # noqa: PLR2004 - the parts of an ARN


def get_arn_resource(arn: str) -> str:
    """Get the last part of an ARN, which is the id of the resource; an id is returned as it is."""
    return arn.rsplit("/", 1)[-1]


def _require_row(row: Any, name: str) -> Row:
    if not isinstance(row, Mapping):
        raise MalformedRowError(f"expected a structure with {name}, got {row!r}")
    return row
