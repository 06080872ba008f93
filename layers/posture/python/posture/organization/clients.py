"""The clients of one account, which keep to the request rates of their services.

Route 53 allows an account 10 requests a second, and Resolver 5 in each Region; all callers of the
account share them, so some are left to others. The other rates are not published.
https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/throttling-api-requests.html
https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DNSLimitations.html
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any

from posture.lean_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """Requests a second, and how many may come at once after a pause."""

    per_second: float
    burst: int


RATES: Mapping[str, Rate] = {
    "ec2": Rate(15, 60),
    "route53": Rate(8, 40),
    "route53resolver": Rate(4, 4),
    "route53profiles": Rate(4, 4),
    "networkmanager": Rate(4, 4),
}


class Pace:
    """Spreads requests over time: a bucket of tokens that fills at a service's rate."""

    def __init__(
        self,
        rate: Rate,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rate = rate
        self._clock = clock
        self._sleep = sleep
        self._lock = Lock()
        self._tokens = float(rate.burst)
        self._filled_at = clock()

    def wait(self) -> None:
        """Wait until one more request may be sent."""
        with self._lock:
            now = self._clock()
            added = (now - self._filled_at) * self._rate.per_second
            self._tokens = min(float(self._rate.burst), self._tokens + added) - 1
            self._filled_at = now
            delay = -self._tokens / self._rate.per_second
        if delay > 0:
            self._sleep(delay)


class ServiceClients:
    """The clients of an account in a Region, by service name; created at their first use.

    One thread uses them. Their requests keep to the rates of the services.

    Args:
        create: Creates the client of a service, such as `route53resolver`.
        pace: Creates the pace of a service from its rate.
    """

    def __init__(self, create: Callable[[str], Any], pace: Callable[[Rate], Pace] = Pace) -> None:
        self._create = create
        self._pace = pace
        self._clients: dict[str, Any] = {}

    def get(self, service: str) -> Any:
        """Return the client of a service.

        Raises:
            ClientError, BotoCoreError: The account's credentials are not available.
        """
        if service not in self._clients:
            client = self._create(service)
            pace = self._pace(RATES[service])
            client.meta.events.register("before-call", lambda **_: pace.wait())
            self._clients[service] = client
        return self._clients[service]
