"""Which events are listened to."""

import json

import botocore.session

from posture.changes.event_names import (
    EXCLUDED,
    MONITORED,
    PATTERN_LIMIT,
    event_patterns,
    format_markdown,
)

CANDIDATES = 158


def test_every_candidate_is_in_or_out_once() -> None:
    """Each of the 158 candidates stands in the catalogue exactly once."""
    names = [name for group in (*MONITORED, *EXCLUDED) for name in group.names]
    assert len(names) == len(set(names)) == CANDIDATES


def test_every_name_is_an_operation_of_ec2() -> None:
    """A misspelt event name would listen to nothing."""
    known = botocore.session.get_session().get_service_model("ec2").operation_names
    assert {name for group in (*MONITORED, *EXCLUDED) for name in group.names} <= set(known)


def test_patterns_hold_every_name_within_the_limit() -> None:
    """The patterns together select the names that are in, none twice, none too long."""
    patterns = event_patterns()
    names = [name for pattern in patterns for name in pattern["detail"]["eventName"]]
    assert names == [name for group in MONITORED for name in group.names]
    assert all(len(json.dumps(pattern)) <= PATTERN_LIMIT for pattern in patterns)


def test_failed_calls_are_not_selected() -> None:
    """A record with an error code moved nothing."""
    assert all(
        pattern["detail"]["errorCode"] == [{"exists": False}] for pattern in event_patterns()
    )


def test_every_group_says_why() -> None:
    """The page names each event with its reason."""
    page = format_markdown()
    assert all(group.reason in page for group in (*MONITORED, *EXCLUDED))
