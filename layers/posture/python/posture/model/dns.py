"""A VPC's DNS attributes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class DnsAttributes:
    """A VPC's DNS attributes and when they were read; None if EC2 did not return a value."""

    support: bool | None
    hostnames: bool | None
    observed_at: datetime
