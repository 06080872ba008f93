"""Which events the monitor handles."""

import json
from typing import Any

import botocore.session
import pytest
from moto.events.models import EventPattern

from change_records import build_record
from posture.changes.cloudtrail import parse_record
from posture.changes.event_names import (
    EVENT_SOURCE,
    HANDLED,
    IGNORED,
    IGNORED_ELSEWHERE,
    PATTERN_LIMIT,
    build_event_patterns,
    explain_left_out,
    format_markdown,
)
from posture.model.change import ChangeOutcome
from posture_cli.embedded.moto_patches import patch_moto

CANDIDATES = 148
# The services' names in botocore, by the first part of their event source.
SERVICES = {"elasticloadbalancing": "elbv2"}


def test_every_candidate_is_listed_once() -> None:
    """Each of the candidates is either handled or ignored."""
    names = [name for group in (*HANDLED, *IGNORED) for name in group.names]
    assert len(names) == len(set(names)) == CANDIDATES


def test_every_name_is_an_operation_of_ec2() -> None:
    """A misspelt event name would match no call."""
    known = botocore.session.get_session().get_service_model("ec2").operation_names
    assert {name for group in (*HANDLED, *IGNORED) for name in group.names} <= set(known)


def test_every_name_of_another_service_is_an_operation_of_it() -> None:
    """And its source is the one of the service's records."""
    session = botocore.session.get_session()
    for group in IGNORED_ELSEWHERE:
        service = group.source.removesuffix(".amazonaws.com")
        known = session.get_service_model(SERVICES.get(service, service)).operation_names
        assert set(group.names) <= set(known), service


def test_a_call_that_is_left_out_has_the_reason_of_the_catalogue() -> None:
    """By its service: another one may have a call of the same name."""
    for group in (*IGNORED, *IGNORED_ELSEWHERE):
        assert {explain_left_out(group.source, name) for name in group.names} == {group.reason}
    assert {explain_left_out(EVENT_SOURCE, name) for it in HANDLED for name in it.names} == {""}
    assert "StopLogging of ec2" in explain_left_out(EVENT_SOURCE, "StopLogging")


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
    assert all(group.reason in page for group in (*HANDLED, *IGNORED, *IGNORED_ELSEWHERE))


@pytest.mark.parametrize(
    ("ids", "matched"),
    [
        (["vpc-0a1b2c3d4e5f60718"], True),
        (["i-0a1b2c3d4e5f60718", "subnet-0a1b2c3d4e5f60718"], True),
        (["vpce-svc-0a1b2c3d4e5f60718"], True),
        (["i-0a1b2c3d4e5f60718"], False),
        (["vol-0a1b2c3d4e5f60718", "vpce-0a1b2c3d4e5f60718"], False),
    ],
    ids=["a VPC", "a subnet among others", "an endpoint service", "an instance", "others"],
)
def test_tags_are_read_by_what_is_tagged(ids: list[str], matched: bool) -> None:
    """The pattern selects them, and a record that comes another way is ignored alike."""
    patch_moto()
    request = {
        "resourcesSet": {"items": [{"resourceId": each} for each in ids]},
        "tagSet": {"items": [{"key": "stage", "value": "vpc-0b1b2c3d4e5f60718"}]},
    }
    record = build_record("CreateTags", request, {"_return": True})
    pattern = build_event_patterns()[-1]
    name = "AWS API Call via CloudTrail"
    event: Any = {"source": "aws.ec2", "detail-type": name, "detail": record}
    assert EventPattern(json.dumps(pattern), pattern).matches_event(event) is matched
    change = parse_record(record)
    assert (change.outcome is ChangeOutcome.APPLIED) is matched
    assert "vpc-0b1b2c3d4e5f60718" not in change.vpc_ids


def test_tags_in_a_request_that_is_left_out_may_be_of_anything() -> None:
    """CloudTrail leaves out requests of more than 100 KB: the Region is swept."""
    request = {"omitted": True, "originalSize": 121_000, "reason": "requestParameters too large"}
    record = build_record("CreateTags", request)
    pattern = build_event_patterns()[-1]
    name = "AWS API Call via CloudTrail"
    event: Any = {"source": "aws.ec2", "detail-type": name, "detail": record}
    assert EventPattern(json.dumps(pattern), pattern).matches_event(event)
    change = parse_record(record)
    assert (change.outcome, change.vpc_ids) == (ChangeOutcome.APPLIED, frozenset())
    assert change.kinds


def test_the_tags_of_a_service_concern_the_service() -> None:
    """And not its Region."""
    request = {"resourcesSet": {"items": [{"resourceId": "vpce-svc-0a1b2c3d4e5f60718"}]}}
    assert parse_record(build_record("DeleteTags", request)).service_ids == {
        "vpce-svc-0a1b2c3d4e5f60718"
    }
