"""Digests report many transitions in few messages, within the size limit of SNS."""

import json
from dataclasses import replace
from typing import Any

from finding_builders import SCOPE, at, change, opened, verdict
from posture.alerts.digest import compose_digests, split_into_digests
from posture.alerts.message import Message
from posture.attribution.events import build_cause
from posture.lifecycle.diff import apply_transitions, find_transitions
from posture.model.finding import Attribution, FindingStatus, Step, Transition
from posture.model.scope import Scope
from posture.model.verdict import Severity

SEVERITIES = (Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM, Severity.LOW)


def many_transitions(scopes: int, each: int) -> list[Transition]:
    """Open findings of every severity in many VPCs."""
    return [
        step
        for number in range(scopes)
        for step in opened(
            *(
                verdict(resource=f"subnet-{number:08x}{at:09x}", severity=SEVERITIES[at % 4])
                for at in range(each)
            ),
            scope=Scope(f"{number % 3:012}", "eu-west-1", f"vpc-{number:017x}"),
        )
    ]


def bodies(messages: tuple[Message, ...]) -> list[dict[str, Any]]:
    """Parse the JSON of a message."""
    return [json.loads(each.json) for each in messages]


def test_ten_thousand_transitions_are_few_messages() -> None:
    """Each transition is listed once, each message fits, and there are fewer than thirty."""
    steps = many_transitions(1000, 10)
    messages = compose_digests(steps, {})
    reported = [(f["id"], f["version"]) for body in bodies(messages) for f in body["findings"]]
    assert sorted(reported) == sorted((each.finding.id, each.finding.version) for each in steps)
    assert len(messages) < 30
    assert max(each.size for each in messages) <= 262_144


def test_a_filter_by_severity_is_exact() -> None:
    """A message holds one severity, which its attributes name."""
    steps = many_transitions(50, 8)
    for severity in SEVERITIES:
        mine = [
            json.loads(each.json)
            for each in compose_digests(steps, {})
            if each.attributes["severity"]["StringValue"] == severity.value
        ]
        reported = {finding["id"] for body in mine for finding in body["findings"]}
        assert reported == {each.finding.id for each in steps if each.finding.severity is severity}


def test_attributes_list_every_account_and_vpc() -> None:
    """A subscriber to one account or VPC receives each message about it."""
    for message in compose_digests(many_transitions(40, 4), {}):
        findings = json.loads(message.json)["findings"]
        scopes = [Scope.parse(each["scope"]) for each in findings]
        listed = {
            name: set(json.loads(message.attributes[name]["StringValue"]))
            for name in ("account", "vpc")
        }
        assert listed["account"] == {each.account for each in scopes}
        assert listed["vpc"] == {each.subject for each in scopes}


def test_the_text_counts_by_rule_cause_and_vpc() -> None:
    """It fits on two screens and names the command that lists all findings."""
    (message, *_) = compose_digests(many_transitions(200, 4), {})
    assert message.subject == "[CRITICAL] Digest: 200 findings opened in 200 VPCs"
    assert "BY RULE\n     200  opened: route-missing" in message.text
    assert "and 140 more" in message.text
    name = json.loads(message.json)["digest"]
    command = f"posture history --digest {name} --stack posture --region eu-west-1"
    assert message.text.endswith(f"List them all with\n  {command}\n")
    assert len(message.text.splitlines()) < 100


def test_a_digest_of_resolutions_says_so() -> None:
    """The subject is labelled as resolved."""
    findings = apply_transitions({}, opened(verdict()))
    steps = find_transitions(SCOPE, findings, [], observed_at=at(1))
    (message,) = compose_digests(steps, {})
    assert message.subject == "[RESOLVED, HIGH] Digest: 1 finding resolved in 1 VPC"


def test_a_digest_of_transient_findings_is_listed_as_any_other() -> None:
    """They are not among the findings, as they were over when they were recorded."""
    (step,) = opened(verdict())
    finding = replace(step.finding, status=FindingStatus.RESOLVED, version=0)
    (digest,) = compose_digests([Transition(Step.TRANSIENT, finding, "put back")], {})
    assert digest.subject.startswith("[HIGH] Digest: 1 finding transient")
    assert "posture history --digest d-" in digest.text


def test_the_order_of_the_transitions_does_not_matter() -> None:
    """Who reads them again from the history gets the same digests, parts and names."""
    steps = many_transitions(200, 8)
    digests = split_into_digests(steps, {})
    assert split_into_digests(steps[::-1], {}) == digests
    assert [each["digest"] for each in bodies(compose_digests(steps, {}))] == [
        each.name for each in digests
    ]


def test_many_causes_fit_as_well() -> None:
    """Each cause is listed once in each message that has findings of it."""
    steps = [
        replace(step, finding=replace(step.finding, caused_by=Attribution(cause)))
        for number, step in enumerate(many_transitions(500, 4))
        for cause in [build_cause(change(f"e-{number // 2:04}-{'a' * 32}"))]
    ]
    messages = compose_digests(steps, {}, chat=True)
    assert max(each.size for each in messages) <= 262_144
    for body in bodies(messages):
        listed = [each["event_id"] for each in body["causes"]]
        assert len(listed) == len(set(listed))
        assert set(listed) == {each["cause"] for each in body["findings"]}


def test_a_digest_holds_the_ends_of_its_histories() -> None:
    """Those of its scopes, as witnesses of their rows, in the room that is kept for them."""
    steps = many_transitions(900, 4)
    ends = {step.finding.scope: (10**9, "0" * 64) for step in steps[4:]}
    messages = compose_digests(steps, {}, ends=ends)
    assert max(each.size for each in messages) <= 262_144
    assert [each["digest"] for each in bodies(messages)] == [
        each["digest"] for each in bodies(compose_digests(steps, {}))
    ]
    for body in bodies(messages):
        scopes = {each["scope"] for each in body["findings"]} & set(map(str, ends))
        assert {each["scope"] for each in body["histories"]} == scopes
        assert len(body["histories"]) == len(scopes)
