"""Alerts in the form that Amazon Q Developer shows in Slack and Microsoft Teams."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from alert_schemas import validate_notification
from finding_builders import SCOPE, at, change, find_caused_transitions, opened, verdict
from posture.alerts.message import compose
from posture.alerts.rule_texts import RuleText
from posture.lifecycle.diff import apply_transitions
from posture.model.finding import Transition
from posture.model.scope import ScopeNames
from posture.model.verdict import Severity, Status

RULES = {"route-missing": RuleText("S3 uses NAT gateway", "It costs.")}


def notify(steps: Sequence[Transition], **more: Any) -> dict[str, Any]:
    """Return the custom notification about one commit."""
    message = compose(
        steps,
        commit="2026-01-31T12:00:00.000000Z#1",
        parts=1,
        observed_at=at(0),
        rules=RULES,
        **{"chat": True, **more},
    )
    document: dict[str, Any] = json.loads(json.loads(message.body)["https"])
    validate_notification(document)
    return document


def test_without_the_parameter_https_subscribers_receive_the_json() -> None:
    """The form of a protocol is an addition to the default."""
    with pytest.raises(KeyError):
        notify(opened(verdict()), chat=False)


def test_it_says_what_where_who_and_what_to_do() -> None:
    """In the words of the e-mail, with names and a link."""
    named = [
        replace(step, finding=replace(step.finding, names=ScopeNames("main", "payments-prod")))
        for step in opened(verdict(), changes=[change("e-1", "rtb-0a")])
    ]
    content = notify(named)["content"]
    assert content["title"].startswith("(HIGH) S3 uses NAT gateway - vpc-0a1b2c3d4e5f60718")
    place, caused_by, finding, link = content["description"].splitlines()
    assert place == (
        "vpc-0a1b2c3d4e5f60718 (main) in account 111122223333 (payments-prod), eu-west-1"
    )
    assert caused_by.startswith("Caused by arn:aws:iam::111122223333:user/alice with DeleteRoute")
    assert finding.startswith("• *S3 uses NAT gateway* (HIGH, opened): Subnet subnet-0a reaches S3")
    assert link.endswith("#VpcDetails:VpcId=vpc-0a1b2c3d4e5f60718")
    fix, more = content["nextSteps"]
    assert fix.endswith(" `aws ec2 modify-vpc-endpoint --vpc-endpoint-id vpce-0a`")
    assert f"`posture findings --scope {SCOPE} --stack posture --region eu-west-1`" in more


def test_a_resolution_replies_to_the_opening_and_a_new_opening_does_not() -> None:
    """A reply in a thread of last month is overlooked."""
    first = opened(verdict())
    state = apply_transitions({}, first)
    last = find_caused_transitions(SCOPE, state, [], observed_at=at(5))
    state = apply_transitions(state, last)
    again = find_caused_transitions(SCOPE, state, [verdict()], observed_at=at(9))
    threads = [notify(steps)["metadata"]["threadId"] for steps in (first, last, again)]
    assert threads[0] == threads[1] != threads[2]


def test_a_resolved_finding_has_nothing_to_do() -> None:
    """Its former remedy is no next step; the list of all findings is."""
    state = apply_transitions({}, opened(verdict()))
    last = find_caused_transitions(SCOPE, state, [], observed_at=at(5))
    (more,) = notify(last)["content"]["nextSteps"]
    assert "posture findings" in more


def test_a_command_is_shown_as_slack_reads_it() -> None:
    """Slack reads these three characters in code as well."""
    command = "aws ec2 create-tags --tags 'Key=a,Value=<b> & c'"
    content = notify(opened(verdict(command=command)))["content"]
    assert "`aws ec2 create-tags --tags 'Key=a,Value=&lt;b&gt; &amp; c'`" in content["nextSteps"][0]


@pytest.mark.parametrize(
    "hostile",
    ["<!channel>", "<@U012AB3CD>", "<https://evil.example|click>", "[click](https://evil.example)",
     "*bold*", "~gone~", "`code`", "a\nb\n• *fake* (CRITICAL)"],
)  # fmt: skip
def test_a_name_neither_mentions_links_nor_formats(hostile: str) -> None:
    """Whatever the tag, the resource and the caller are called."""
    steps = opened(
        verdict(resource=hostile, summary=hostile), changes=[change("e-1", actor=hostile)]
    )
    names = ScopeNames(hostile, hostile)
    named = [replace(it, finding=replace(it.finding, names=names)) for it in steps]
    content = notify(named)["content"]
    fixed = "• *S3 uses NAT gateway* (HIGH, opened): "
    said = content["description"].replace(fixed, "") + content["title"]
    assert not set("<>*~`[]") & set(said)
    assert content["description"].count("\n") == 3


def test_a_large_alert_shows_the_worst_findings() -> None:
    """Five of them, within a text block of Slack."""
    many = [
        verdict(resource=f"subnet-{number}", summary="s" * 900, severity=Severity.LOW)
        for number in range(40)
    ]
    worst = verdict("other", "vpce-1", severity=Severity.CRITICAL, status=Status.UNKNOWN)
    content = notify(opened(*many, worst))["content"]
    assert "(CRITICAL, opened)" in content["description"].splitlines()[2]
    assert "Could not be checked: other" in content["description"]
    assert "and 36 findings more" in content["description"]
    assert len(content["description"]) <= 3_000
