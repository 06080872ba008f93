"""Numbers, dates and networks as condition values write them.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from datetime import UTC, datetime
from fractions import Fraction
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network

IpNetwork = IPv4Network | IPv6Network
NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d{1,3})?")
MAX_DIGITS = 100
YEAR = re.compile(r"\d{4}")
COMPARISONS: dict[str, Callable[[Fraction, Fraction], bool]] = {
    "equals": operator.eq,
    "less": operator.lt,
    "less-equal": operator.le,
    "greater": operator.gt,
    "greater-equal": operator.ge,
}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_number(text: str) -> Fraction | None:
    """Return a number exactly; None if the text is not one, or has more digits than any that is."""
    text = text.strip()
    return Fraction(text) if len(text) <= MAX_DIGITS and NUMBER.fullmatch(text) else None


@lru_cache(maxsize=256)
def parse_instant(text: str) -> Fraction | None:
    """Return an ISO 8601 date, or seconds since 1970, as seconds; None if it is neither."""
    text = text.strip()
    if not YEAR.fullmatch(text) and (seconds := parse_number(text)) is not None:
        return seconds
    try:
        moment = datetime.fromisoformat(
            f"{text}-01-01"[:10] if len(text) <= len("2026-11") else text
        )
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    since = moment - EPOCH
    return Fraction(since.days * 86_400 + since.seconds) + Fraction(since.microseconds, 10**6)


@lru_cache(maxsize=1024)
def parse_network(text: str) -> IpNetwork | None:
    """Return a CIDR block or an address as a network; None if the text is neither."""
    try:
        return ip_network(text.strip(), strict=False)
    except ValueError:
        return None
