"""A VPC's DNS attributes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class DnsAttributes:
    """A VPC's DNS attributes as last read, for a sweep that cannot ask for each VPC."""

    support: bool | None
    hostnames: bool | None
    observed_at: datetime
