"""Requests keep to the rate of their service, whichever client sends them."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from hypothesis import given
from hypothesis import strategies as st

from posture.model.shared_network import SharedFacet
from posture.organization.clients import RATES, Pace, Rate, ServiceClients
from posture.organization.failures import describe_denial, describe_failure, is_gone

# https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/throttling-api-requests.html
# https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DNSLimitations.html
ALLOWED = {"route53": (10, 50), "route53resolver": (5, 5)}


class Clock:
    """A clock that only sleeping and waiting move."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


@given(
    st.sampled_from(sorted(ALLOWED)),
    st.lists(st.floats(0, 3), min_size=1, max_size=60),
)
def test_no_second_has_more_requests_than_the_service_allows(
    service: str, pauses: list[float]
) -> None:
    """Whatever pauses are between the requests, an hour included."""
    clock = Clock()
    pace = Pace(RATES[service], lambda: clock.now, clock.sleep)
    sent = []
    for pause in (*pauses, 72_000, *pauses * 3):
        clock.sleep(pause / 20)
        pace.wait()
        sent.append(clock.now)
    per_second, burst = ALLOWED[service]
    for start in sent:
        for seconds in (1.0, 5.0):
            within = [at for at in sent if start <= at < start + seconds]
            assert len(within) <= burst + per_second * seconds


def test_a_thousand_vpcs_take_two_minutes() -> None:
    """At the rate that leaves some requests to other callers of Route 53."""
    clock = Clock()
    pace = Pace(RATES["route53"], lambda: clock.now, clock.sleep)
    for _ in range(1000):
        pace.wait()
    assert 110 < clock.now < 125


def test_each_service_of_an_account_has_one_client_with_its_own_pace() -> None:
    """All its requests wait for their turn."""
    rates: list[Rate] = []
    handlers: list[tuple[str, Callable[..., Any]]] = []

    class Counted(Pace):
        def __init__(self, rate: Rate) -> None:
            super().__init__(rate)
            rates.append(rate)

    def create(service: str) -> Any:
        events = SimpleNamespace(register=lambda name, handler: handlers.append((name, handler)))
        return SimpleNamespace(name=service, meta=SimpleNamespace(events=events))

    clients = ServiceClients(create, Counted)
    assert clients.get("route53") is clients.get("route53")
    assert clients.get("ec2") is not clients.get("route53")
    assert rates == [RATES["route53"], RATES["ec2"]]
    assert {name for name, _ in handlers} == {"before-call"}


def build_error(code: str, operation: str = "ListHostedZones", status: int = 400) -> ClientError:
    """Build what botocore raises."""
    response: Any = {
        "Error": {"Code": code, "Message": "request 123"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(response, operation)


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (build_error("AccessDenied"), "AccessDenied: route53:ListHostedZones is denied"),
        (build_error("AccessDenied", "AssumeRole"), "AccessDenied: sts:AssumeRole is denied"),
        (build_error("OptInRequired"), "OptInRequired: route53:ListHostedZones is rejected"),
        (build_error("X", status=501), "X: route53:ListHostedZones is not available here"),
        (NotImplementedError(), "NotImplemented: route53:ListHostedZones is not available here"),
        (build_error("ThrottlingException"), None),
        (build_error("InternalFailure", status=500), None),
        (EndpointConnectionError(endpoint_url="https://x"), None),
    ],
)
def test_a_denial_is_told_from_what_a_retry_may_help(error: Exception, why: str | None) -> None:
    """A role that cannot be assumed denies every read of its account."""
    assert describe_denial(error, SharedFacet.ZONES) == why


def test_failures_are_described_in_words_that_stay_the_same() -> None:
    """Without ids of requests, so that the facts do not change with each try."""
    throttled = build_error("ThrottlingException")
    assert describe_failure(throttled, "the survey of zones") == (
        "ThrottlingException: ListHostedZones failed in spite of retries"
    )
    unreachable = EndpointConnectionError(endpoint_url="https://x")
    assert describe_failure(unreachable, "the survey of zones") == (
        "EndpointConnectionError: the survey of zones failed in spite of retries"
    )


@pytest.mark.parametrize(
    "code", ["NoSuchHostedZone", "ResourceNotFoundException", "InvalidRouteTableID.NotFound"]
)
def test_what_was_deleted_since_it_was_listed_has_nothing(code: str) -> None:
    """It is no failure of the survey."""
    assert is_gone(build_error(code))
    assert not is_gone(build_error("AccessDenied"))
