"""The subject, text, JSON and attributes of an alert."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from finding_builders import SCOPE, at, change, find_caused_transitions, findings, opened, verdict
from posture.alerts.message import Message, compose
from posture.alerts.rule_texts import RuleText
from posture.attribution.events import build_cause
from posture.lifecycle.diff import find_transitions
from posture.model.finding import (
    Attribution,
    Cause,
    CauseKind,
    FindingStatus,
    Step,
    Transition,
)
from posture.model.scope import Scope, ScopeNames
from posture.model.verdict import Remediation, Severity, Status

PAGE = Path(__file__).parents[3] / "docs/alerts.md"
COMMIT = "2026-01-31T12:00:00.000000Z#1"


RATIONALE = "Traffic that leaves the VPC is seen by others."
RULES = {
    "route-missing": RuleText("S3 uses NAT gateway", RATIONALE),
    "no-policy": RuleText("Endpoint policy is open", RATIONALE),
}


def alert(steps: Sequence[Transition], commit: str = COMMIT, parts: int = 1) -> Message:
    """Compose the message of one commit."""
    return compose(steps, commit=commit, parts=parts, observed_at=at(0), rules=RULES)


ALICE = change("e-1", "rtb-0a")
BOB = change("e-2", "rtb-0a", actor="arn:aws:iam::111122223333:user/bob")


def test_the_text_of_one_finding() -> None:
    """Problem, location, cause, time, rationale and fix."""
    assert alert(opened(verdict(), changes=[ALICE])).text == (
        "1 finding opened in vpc-0a1b2c3d4e5f60718\n"
        "Account 111122223333, Region eu-west-1\n"
        "Console: https://eu-west-1.console.aws.amazon.com/vpcconsole/home?region=eu-west-1"
        "#VpcDetails:VpcId=vpc-0a1b2c3d4e5f60718\n"
        "Observed 2026-01-31 12:00:00 UTC\n"
        "\n"
        "CAUSE: DeleteRoute at 2026-01-31 11:58:00 UTC\n"
        "  by arn:aws:iam::111122223333:user/alice from 198.51.100.7\n"
        "  CloudTrail event e-1\n"
        "  Console: https://eu-west-1.console.aws.amazon.com/cloudtrailv2/home?region=eu-west-1"
        "#/events/e-1\n"
        "\n"
        "1. [HIGH] opened: S3 uses NAT gateway, subnet-0a\n"
        "  Subnet subnet-0a reaches S3 through a NAT gateway.\n"
        "  Since 2026-01-31 12:00:00 UTC\n"
        "  Evidence:\n"
        "    - Route table rtb-0a has no route to pl-0a.\n"
        "  Fix: Associate the endpoint with the route table.\n"
        "    aws ec2 modify-vpc-endpoint --vpc-endpoint-id vpce-0a\n"
        "  Console: https://eu-west-1.console.aws.amazon.com/vpcconsole/home?region=eu-west-1"
        "#SubnetDetails:subnetId=subnet-0a\n"
        "  Finding f-6371114f69d7ff8b09fc, version 1, rule route-missing\n"
        "\n"
        "WHY IT MATTERS\n"
        "  S3 uses NAT gateway\n"
        "    Traffic that leaves the VPC is seen by others.\n"
    )


def test_a_resolution_has_no_fix() -> None:
    """It shows what was wrong, how it ended and who ended it."""
    steps = find_caused_transitions(
        SCOPE, findings(verdict()), [], observed_at=at(9), changes=[ALICE]
    )
    composed = alert(steps).text
    assert "1. [RESOLVED, HIGH] resource gone: S3 uses NAT gateway, subnet-0a" in composed
    assert "Previously: Subnet subnet-0a reaches S3" in composed
    assert "Since 2026-01-31 12:00:00 UTC until 2026-01-31 12:09:00 UTC" in composed
    assert "by arn:aws:iam::111122223333:user/alice" in composed
    assert "Fix:" not in composed
    assert "WHY IT MATTERS" not in composed


def test_one_cause_and_one_rationale_are_shown_once() -> None:
    """Thirty findings of one deleted route name its author and the rationale once."""
    composed = alert(opened(*(verdict(resource=f"subnet-{n}") for n in range(30)), changes=[ALICE]))
    assert composed.text.count("CloudTrail event e-1") == 1
    assert composed.text.count("Traffic that leaves") == 1
    assert composed.text.count("Finding f-") == 30
    assert len(json.loads(composed.json)["causes"]) == 1


def test_findings_are_grouped_by_cause() -> None:
    """Each finding follows the change that caused it."""
    bob = change("e-2", "rtb-0b", actor="arn:aws:iam::111122223333:user/bob")
    steps = opened(
        verdict(resource="subnet-a", concerns=["rtb-0a"]),
        verdict(resource="subnet-b", concerns=["rtb-0b"]),
        changes=[ALICE, bob],
    )
    composed = alert(steps).text
    order = [composed.index(each) for each in ("alice", ", subnet-a", "bob", ", subnet-b")]
    assert order == sorted(order)


def test_a_sweep_names_no_cause() -> None:
    """A state found without an event has an unknown cause."""
    assert "CAUSE: unknown (no CloudTrail event matches" in alert(opened(verdict())).text


PLACE = f"{SCOPE.subject} 111122223333 eu-west-1"


@pytest.mark.parametrize(
    ("steps", "subject"),
    [
        (opened(verdict()), "[HIGH] S3 uses NAT gateway"),
        (
            opened(verdict(severity=Severity.LOW), verdict("no-policy", "vpce-1")),
            "[HIGH] Endpoint policy is open, 1 more",
        ),
        (
            opened(verdict(status=Status.UNKNOWN)),
            "[HIGH] Could not be checked: S3 uses NAT gateway",
        ),
        (
            find_caused_transitions(SCOPE, findings(verdict()), [], observed_at=at(1)),
            "[RESOLVED, HIGH] S3 uses NAT gateway",
        ),
        (
            find_caused_transitions(
                SCOPE, findings(verdict()), [verdict("retired", "vpce-1")], observed_at=at(1)
            ),
            "[HIGH] retired, 1 more",
        ),
        (
            find_caused_transitions(
                SCOPE, findings(verdict()), [verdict(summary="otherwise")], observed_at=at(1)
            ),
            "[HIGH] S3 uses NAT gateway (changed)",
        ),
    ],
    ids=["one", "the worst leads", "unknown", "resolved", "mixed", "changed"],
)
def test_the_subject_names_the_worst_finding(steps: Sequence[Transition], subject: str) -> None:
    """It shows severity, problem, number of other findings and location."""
    assert alert(steps).subject == f"{subject} - {PLACE}"


def test_a_long_title_is_truncated_before_the_location() -> None:
    """The VPC and account distinguish two alerts; the Region and the others are in the text."""
    said = alert(opened(verdict("long-rule-name-" * 9, "vpce-1"), verdict())).subject
    assert len(said) == 99
    assert said.endswith(f"... - {SCOPE.subject} 111122223333")


def test_the_region_is_left_out_before_the_title_is_truncated() -> None:
    """The problem matters more than the Region, which the text shows as well."""
    title = "l" * 46
    said = alert(opened(verdict(title, "vpce-1"))).subject
    assert said == f"[HIGH] {title} - {SCOPE.subject} 111122223333"


def test_the_number_of_others_is_left_out_before_the_region() -> None:
    """The problem and its location matter more than the number of other findings."""
    title = "l" * 45
    said = alert(opened(verdict(title, "vpce-1"), verdict())).subject
    assert said == f"[HIGH] {title} - {PLACE}"


def test_the_part_is_shown() -> None:
    """Each of several transactions shows its number."""
    composed = alert(opened(verdict()), commit=COMMIT.replace("#1", "#2"), parts=3)
    assert "Part 2 of 3" in composed.text
    assert "2/3" in composed.subject
    assert (json.loads(composed.json)["part"], json.loads(composed.json)["parts"]) == (2, 3)
    with_facts = COMMIT.replace("#1", "#2") + "#2026-01-31T11:59:00.000000Z"
    assert json.loads(alert(opened(verdict()), commit=with_facts, parts=3).json)["part"] == 2


def test_attributes_serve_filter_policies() -> None:
    """A subscriber can filter by severity, step, account, VPC or rule."""
    worse = verdict("no-policy", "vpce-1", severity=Severity.LOW)
    steps = find_caused_transitions(SCOPE, findings(verdict()), [worse], observed_at=at(1))
    attributes = alert(steps).attributes
    assert {name: each["StringValue"] for name, each in attributes.items()} == {
        "severity": "high",
        "severities": '["high", "low"]',
        "status": '["open", "resolved"]',
        "steps": '["opened", "resolved"]',
        "account": "111122223333",
        "region": "eu-west-1",
        "vpc": SCOPE.subject,
        "rules": '["no-policy", "route-missing"]',
    }
    assert {"String", "String.Array"} == {each["DataType"] for each in attributes.values()}


def test_the_json_holds_every_detail() -> None:
    """Ids, evidence, cause and command, under `default`."""
    composed = alert(opened(verdict(), changes=[ALICE]))
    body = json.loads(composed.body)
    assert body == {"default": composed.json, "email": composed.text, "sms": composed.subject}
    document = json.loads(composed.json)
    (finding,) = document["findings"]
    assert finding["cause"] == document["causes"][0]["event_id"] == "e-1"
    assert finding["evidence"][0]["record"] == {"route_table": "rtb-0a"}
    assert finding["remediation"]["command"].startswith("aws ec2 modify-vpc-endpoint")
    assert (document["scope"], document["commit"], document["omitted"]) == (str(SCOPE), COMMIT, 0)


def test_the_person_behind_a_role_is_named() -> None:
    """A session's name is any text; the source identity is what the first caller had to state."""
    actor = replace(ALICE.actor, source_identity="alice@example.com")
    composed = alert(opened(verdict(), changes=[replace(ALICE, actor=actor)]))
    assert f"by {ALICE.actor.arn} (source identity alice@example.com)" in composed.text
    assert json.loads(composed.json)["causes"][0]["identity"] == "source identity alice@example.com"


def build_transient(reason: str = "put back between two observations") -> Transition:
    """Build a transient finding that Alice opened and Bob put back."""
    ((step,), (back,)) = opened(verdict(), changes=[ALICE]), opened(verdict(), changes=[BOB])
    finding = replace(
        step.finding,
        status=FindingStatus.RESOLVED,
        verdict=replace(step.finding.verdict, remediation=None),
        version=0,
        resolved_by=back.finding.opened_by,
        updated_at=at(1),
    )
    return Transition(Step.TRANSIENT, finding, reason)


def test_a_transient_finding_has_its_severity_and_both_callers() -> None:
    """Nothing is open, so there is nothing to fix."""
    composed = alert([build_transient()])
    assert composed.subject.startswith("[HIGH] ")
    assert "(transient)" in composed.subject
    assert "[HIGH] transient (put back between two observations)" in composed.text
    assert f"It had been opened by {ALICE.actor.arn}" in composed.text
    assert f"It was put back by {BOB.actor.arn}" in composed.text
    assert "Fix:" not in composed.text
    assert "version" not in composed.text
    assert composed.attributes["status"] == {"DataType": "String.Array", "StringValue": '["open"]'}
    assert composed.attributes["steps"]["StringValue"] == '["transient"]'


def test_a_command_is_exact_or_absent() -> None:
    """A command that cannot be shown exactly as typed is not shown."""
    hidden = verdict(command="aws ec2 delete-route \u202e--cidr")
    assert "aws ec2 delete-route" not in alert(opened(hidden)).text
    lines = replace(verdict(), remediation=Remediation("Do.", "aws ec2 a \\\n  --b c"))
    assert "    aws ec2 a \\\n      --b c\n" in alert(opened(lines)).text


def test_the_page_documents_every_field() -> None:
    """Every JSON field at every level, and every message attribute."""
    composed = alert(opened(verdict(), changes=[ALICE]))
    body = json.loads(composed.json)
    named = set(re.findall(r"`(\w+)`", PAGE.read_text(encoding="utf-8")))
    levels = [body, *body["causes"], *body["findings"], *body["findings"][0]["evidence"]]
    assert {name for level in levels for name in level} - named == set()
    assert composed.attributes.keys() - named == set()


NAMED = ScopeNames("main", "payments-prod")


def with_names(steps: Sequence[Transition], names: ScopeNames = NAMED) -> list[Transition]:
    """Return the transitions of a VPC and an account with names."""
    return [replace(step, finding=replace(step.finding, names=names)) for step in steps]


def test_names_are_beside_ids() -> None:
    """In the text and the JSON always; in the subject where they fit."""
    composed = alert(with_names(opened(verdict("no-policy", "vpce-1"))))
    assert composed.subject == (
        f"[HIGH] Endpoint policy is open - {SCOPE.subject} (main) 111122223333 (payments-prod)"
    )
    assert f"in {SCOPE.subject} (main)\nAccount 111122223333 (payments-prod)," in composed.text
    document = json.loads(composed.json)
    assert (document["scope_name"], document["account_name"]) == ("main", "payments-prod")


def test_a_long_name_is_left_out_of_the_subject() -> None:
    """The problem and the ids matter more."""
    composed = alert(with_names(opened(verdict()), ScopeNames("m" * 60, "p" * 60)))
    assert composed.subject == f"[HIGH] S3 uses NAT gateway - {PLACE}"
    assert f"{SCOPE.subject} ({'m' * 60})" in composed.text


@pytest.mark.parametrize(
    ("region", "domain"),
    [
        ("eu-west-1", "eu-west-1.console.aws.amazon.com"),
        ("cn-north-1", "cn-north-1.console.amazonaws.cn"),
        ("us-gov-west-1", "us-gov-west-1.console.amazonaws-us-gov.com"),
        ("eusc-de-east-1", "eusc-de-east-1.console.amazonaws-eusc.eu"),
    ],
)
def test_links_lead_to_the_console_of_the_partition(region: str, domain: str) -> None:
    """To the VPC, to each resource that has a view of its own, and to the call in CloudTrail."""
    scope = replace(SCOPE, region=region)
    composed = alert(opened(verdict(), changes=[ALICE], scope=scope))
    links = re.findall(r"https://([^/]+)/(\w+)/home\?region=([^#]+)#", composed.text)
    assert links == [
        (domain, "vpcconsole", region),
        (domain, "cloudtrailv2", region),
        (domain, "vpcconsole", region),
    ]


@pytest.mark.parametrize(
    ("scope", "resource"),
    [
        (replace(SCOPE, region="us-iso-east-1"), "subnet-0a"),
        (replace(SCOPE, region="eu-west-1/..", subject="x"), "subnet-0a"),
        (replace(SCOPE, subject="eu-west-1"), "arn:aws:iam::111122223333:role/a"),
        (replace(SCOPE, subject="eu-west-1"), "subnet-0a#evil"),
    ],
    ids=["isolated partition", "no Region", "no id", "more than an id"],
)
def test_no_link_is_made_up(scope: Scope, resource: str) -> None:
    """A link holds an id and a Region only, and leads to a console that exists."""
    composed = alert(opened(verdict(resource=resource), scope=scope))
    assert "Console:" not in composed.text
    assert [each["link"] for each in json.loads(composed.json)["findings"]] == [""]


def test_a_subject_names_the_severity_of_its_attribute() -> None:
    """An unknown finding keeps its severity; a resolved one that was worse is counted."""
    low = verdict("no-policy", "vpce-1", severity=Severity.LOW)
    unknown = alert(opened(verdict(status=Status.UNKNOWN), low))
    assert unknown.subject.startswith("[HIGH] Could not be checked: S3 uses NAT gateway - ")
    mixed = alert(find_transitions(SCOPE, findings(verdict()), [low], observed_at=at(1)))
    assert mixed.subject.startswith("[LOW] Endpoint policy is open, 1 HIGH resolved - ")
    for message in (unknown, mixed):
        assert message.attributes["severity"]["StringValue"] == "high"
        assert "HIGH" in message.subject


def test_an_unknown_finding_accuses_nobody() -> None:
    """Title, text and JSON say that it could not be checked."""
    composed = alert(opened(verdict(status=Status.UNKNOWN)))
    assert "1. [HIGH] opened: Could not be checked: S3 uses NAT gateway" in composed.text
    (finding,) = json.loads(composed.json)["findings"]
    assert finding["title"] == "Could not be checked: S3 uses NAT gateway"


def test_candidates_are_no_unknown_cause() -> None:
    """Each call that can have caused it is named, none as the one that did."""
    bob = build_cause(change("e-2", actor="arn:aws:iam::111122223333:user/bob"))
    both = Attribution(candidates=(bob, build_cause(ALICE)))
    (step,) = opened(verdict())
    composed = alert([replace(step, finding=replace(step.finding, caused_by=both))])
    assert "CAUSE: not known for certain; each of these can have caused it" in composed.text
    assert composed.text.count("user/bob with DeleteRoute") >= 1
    assert "no CloudTrail event matches" not in composed.text
    assert json.loads(composed.json)["causes"] == []


@pytest.mark.parametrize(
    ("cause", "lines"),
    [
        (
            Cause("7", "PutBaseline", "arn:a", at(0), kind=CauseKind.BASELINE),
            "CAUSE: PutBaseline at 2026-01-31 12:00:00 UTC\n  by arn:a\n  Baseline version 7\n",
        ),
        (
            Cause("w-1", "WaiverExpired", "", at(0), kind=CauseKind.CLOCK),
            "CAUSE: WaiverExpired at 2026-01-31 12:00:00 UTC\n  Waiver w-1\n",
        ),
        (
            Cause("", "GracePeriodEnded", "", at(0), kind=CauseKind.CLOCK),
            "CAUSE: GracePeriodEnded at 2026-01-31 12:00:00 UTC\n\n",
        ),
        (
            Cause("abc", "RulesUpgraded", "", at(0), kind=CauseKind.UPGRADE),
            "  A new version of the monitor evaluates otherwise\n",
        ),
    ],
    ids=["baseline", "waiver", "grace", "upgrade"],
)
def test_a_cause_that_is_no_call_has_no_cloudtrail_event(cause: Cause, lines: str) -> None:
    """It says what it was and where it is recorded."""
    (step,) = opened(verdict())
    by = Attribution(cause)
    composed = alert([replace(step, finding=replace(step.finding, caused_by=by, opened_by=by))])
    assert lines in composed.text
    assert "CloudTrail" not in composed.text


def test_an_amended_cause_is_a_line_of_its_own() -> None:
    """It says what is known now, and neither repeats the evidence nor looks like a new finding."""
    (step,) = opened(verdict(), changes=[ALICE])
    reason = "what opened it is known now"
    composed = alert([Transition(Step.AMENDED, replace(step.finding, version=2), reason)])
    assert composed.subject.startswith("[CAUSE AMENDED, HIGH] S3 uses NAT gateway")
    assert f"1. [CAUSE AMENDED, HIGH] {reason}: S3 uses NAT gateway, subnet-0a" in composed.text
    assert "It was opened by arn:aws:iam::111122223333:user/alice with DeleteRoute" in composed.text
    assert "Evidence" not in composed.text
    assert "Fix" not in composed.text


def test_an_account_that_cannot_be_read_is_named_once() -> None:
    """The title of the rule says it already, and the location is the Region."""
    scope = Scope("111122223333", "eu-west-1", "eu-west-1")
    unread = verdict("account-region-not-readable", "111122223333", Status.UNKNOWN)
    title = RuleText("Account cannot be read in a Region")
    message = compose(
        opened(unread, scope=scope),
        commit=COMMIT,
        parts=1,
        observed_at=at(0),
        rules={"account-region-not-readable": title},
        chat=True,
    )
    subject = "[HIGH] Account cannot be read in a Region - 111122223333 eu-west-1"
    assert message.subject == subject
    description = json.loads(message.chat)["content"]["description"]
    assert description.startswith("account 111122223333, eu-west-1\nCause unknown\n")


def test_nobody_is_called_unknown() -> None:
    """Who opened a finding is known or not."""
    steps = find_transitions(SCOPE, findings(verdict()), [], observed_at=at(9))
    assert "It had been opened; by whom is not known" in alert(steps).text
    assert "by unknown" not in alert(steps).text
