"""A root cause that several findings share is shown once."""

import json
from dataclasses import replace

from finding_builders import SCOPE, at, change, find_caused_transitions, findings, opened, verdict
from posture.alerts.impact import group_impacts
from posture.alerts.message import compose
from posture.model.finding import Transition
from posture.model.verdict import Verdict

ROOT = "route table rtb-0a has no route to the gateway endpoint for s3"
ALICE = change("e-1", "rtb-0a")


def rooted(resource: str, root: str = ROOT) -> Verdict:
    """Build a failure with this root cause."""
    return replace(verdict(resource=resource), root=root)


SUBNETS = tuple(rooted(f"subnet-0{number:x}") for number in range(14))


def describe(steps: tuple[Transition, ...]) -> str:
    """Compose the e-mail text."""
    return compose(steps, commit="2026#1", parts=1, observed_at=at(0), rules={}).text


def test_fourteen_subnets_have_one_impact() -> None:
    """The impact names the root cause and counts the affected resources."""
    (found,) = group_impacts(opened(*SUBNETS))
    assert found.description == f"14 subnets affected: {ROOT}"
    assert found.largest_group == "14 subnets"


def test_the_text_names_an_impact_once() -> None:
    """The first finding is shown in full; the others refer to it."""
    text = describe(opened(*SUBNETS, changes=[ALICE]))
    assert text.count("CAUSE:") == 1
    assert text.count(f"IMPACT: 14 subnets affected: {ROOT}") == 1
    assert text.count("Fix:") == 1
    assert "2. [HIGH] opened: subnet-01, same as finding 1" in text
    assert text.count("  Finding f-") == 14


def test_the_subject_counts_affected_resources() -> None:
    """In place of the number of other findings."""
    steps = opened(*SUBNETS)
    message = compose(steps, commit="2026#1", parts=1, observed_at=at(0), rules={})
    assert message.subject.startswith("[HIGH] route-missing, 14 subnets - ")


def test_the_json_lists_the_findings_of_an_impact() -> None:
    """By their ids."""
    steps = opened(*SUBNETS)
    message = compose(steps, commit="2026#1", parts=1, observed_at=at(0), rules={})
    (found,) = json.loads(message.json)["impacts"]
    assert (found["root"], found["step"], found["resources"]) == (ROOT, "opened", {"subnets": 14})
    assert found["findings"] == [each.finding.id for each in steps]


def test_resources_are_counted_by_kind() -> None:
    """As in two subnets and their route table."""
    steps = opened(rooted("subnet-1"), rooted("subnet-2"), rooted("rtb-0a"))
    (found,) = group_impacts(steps)
    assert found.description == f"2 subnets, 1 route table affected: {ROOT}"


def test_a_single_finding_has_no_impact() -> None:
    """Findings without a root cause have none."""
    assert group_impacts(opened(rooted("subnet-1"), verdict(resource="subnet-2"))) == ()
    assert group_impacts(opened(verdict(resource="subnet-1"), verdict(resource="subnet-2"))) == ()


def test_different_root_causes_are_separate() -> None:
    """Each has its own impact."""
    other = "network ACL acl-1 stops the answers of endpoints"
    steps = opened(*SUBNETS[:2], rooted("acl-1", other), rooted("acl-2", other))
    assert {each.root for each in group_impacts(steps)} == {ROOT, other}


def test_resolutions_share_an_impact() -> None:
    """Findings that were resolved together had one root cause."""
    steps = find_caused_transitions(
        SCOPE, findings(*SUBNETS), [], observed_at=at(9), changes=[ALICE]
    )
    (found,) = group_impacts(steps)
    assert found.description == f"14 subnets no longer affected: {ROOT}"
