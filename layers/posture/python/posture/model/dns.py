"""A VPC's DNS attributes and servers."""

from __future__ import annotations

from datetime import datetime

from posture.lean_dataclass import dataclass

# Stands for the VPC's own Resolver in a DHCP option set.
AMAZON_DNS = "AmazonProvidedDNS"


@dataclass(frozen=True, slots=True)
class DnsAttributes:
    """A VPC's DNS attributes and when they were read; None if EC2 did not return a value."""

    support: bool | None
    hostnames: bool | None
    observed_at: datetime
