"""Which events the monitor handles."""

import json

import botocore.session

from posture.changes.event_names import (
    HANDLED,
    IGNORED,
    PATTERN_LIMIT,
    build_event_patterns,
    format_markdown,
)

CANDIDATES = 158


def test_every_candidate_is_listed_once() -> None:
    """Each of the 158 candidates is either handled or ignored."""
    names = [name for group in (*HANDLED, *IGNORED) for name in group.names]
    assert len(names) == len(set(names)) == CANDIDATES


def test_every_name_is_an_operation_of_ec2() -> None:
    """A misspelt event name would match no call."""
    known = botocore.session.get_session().get_service_model("ec2").operation_names
    assert {name for group in (*HANDLED, *IGNORED) for name in group.names} <= set(known)


def test_patterns_hold_every_name_within_the_limit() -> None:
    """Together the patterns match every handled event exactly once."""
    patterns = build_event_patterns()
    names = [name for pattern in patterns for name in pattern["detail"]["eventName"]]
    assert names == [name for group in HANDLED for name in group.names]
    assert all(len(json.dumps(pattern)) <= PATTERN_LIMIT for pattern in patterns)


def test_failed_calls_are_not_matched() -> None:
    """A call with an error code changed nothing."""
    assert all(
        pattern["detail"]["errorCode"] == [{"exists": False}] for pattern in build_event_patterns()
    )


def test_the_page_contains_every_reason() -> None:
    """It lists each event with its reason."""
    page = format_markdown()
    assert all(group.reason in page for group in (*HANDLED, *IGNORED))
