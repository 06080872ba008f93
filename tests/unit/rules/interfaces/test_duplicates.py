"""Several interface endpoints for one service."""

from datetime import timedelta

from network_builders import (
    NOW,
    build_snapshot,
    interface,
    statuses,
    verdict_text,
    verdicts,
)
from posture.model.verdict import Status

SECOND = "duplicate-interface-endpoint"


def test_one_endpoint_a_service_passes() -> None:
    """Of each."""
    snapshot = build_snapshot(interface("1"), interface("2", "com.amazonaws.eu-west-1.sns"))
    assert statuses(SECOND, snapshot) == {"vpce-1": Status.PASS, "vpce-2": Status.PASS}


def test_the_one_with_the_names_stays() -> None:
    """The other is the second, whichever is older; its cost is estimated."""
    older = NOW - timedelta(days=9)
    spare = interface("1", private_dns=False, created_at=older, network_interface_ids=("e1", "e2"))
    found = verdicts(SECOND, build_snapshot(spare, interface("2")))
    assert {name: each.status for name, each in found.items()} == {
        "vpce-1": Status.FAIL,
        "vpce-2": Status.PASS,
    }
    assert "14.60 USD a month" in verdict_text(found["vpce-1"])
    assert "2 interfaces, 730 hours a month, 0.01 USD an hour" in verdict_text(found["vpce-1"])
    assert "https://aws.amazon.com/privatelink/pricing/" in verdict_text(found["vpce-1"])


def test_a_broken_endpoint_is_no_duplicate() -> None:
    """It has another rule."""
    snapshot = build_snapshot(interface("1"), interface("2", state="failed"))
    assert statuses(SECOND, snapshot) == {"vpce-1": Status.PASS}
