"""Which findings can be fixed, and what is said of one that changed."""

from dataclasses import replace

import pytest

from finding_builders import SCOPE, at, verdict
from posture.lifecycle.diff import find_transitions
from posture.model.finding import Finding, FindingStatus
from posture.model.verdict import Evidence, Remediation, Severity, Verdict
from posture_cli.failure import CommandError
from posture_cli.fix.network import describe_changes
from posture_cli.fix.subject import require_command

COMMAND = "aws ec2 delete-route --route-table-id rtb-0a --destination-cidr-block 0.0.0.0/0"
PROVEN = Remediation("Delete the route.", COMMAND, "resolves this; opens nothing")


def record(remediation: Remediation | None) -> Finding:
    """Return a recorded finding with a remediation."""
    found: Verdict = replace(verdict(), remediation=remediation)
    (step,) = find_transitions(SCOPE, {}, [found], observed_at=at(0))
    return step.finding


def test_a_proven_command_is_taken() -> None:
    """As it was recorded."""
    assert require_command(record(PROVEN)) == COMMAND


@pytest.mark.parametrize(
    "remediation",
    [None, Remediation("Ask the owner."), replace(PROVEN, verified="")],
    ids=["none", "advice", "unproven"],
)
def test_without_a_proven_command_nothing_is_applied(remediation: Remediation | None) -> None:
    """The message has the advice, and the command that looks for one."""
    finding = record(remediation)
    with pytest.raises(CommandError, match="has no proven command; nothing was applied") as caught:
        require_command(finding)
    assert f"posture fix --live {finding.rule}/{finding.resource}" in str(caught.value)
    if remediation:
        assert remediation.text in str(caught.value)


def test_a_waived_finding_is_not_fixed() -> None:
    """Even if its command is proven."""
    waived = replace(record(PROVEN), status=FindingStatus.WAIVED)
    with pytest.raises(CommandError, match="is waived"):
        require_command(waived)


def test_changes_of_a_verdict_are_named() -> None:
    """Facts that are gone, new facts, and another severity."""
    before = replace(verdict(), evidence=(Evidence("a"), Evidence("b")))
    after = replace(before, severity=Severity.LOW, evidence=(Evidence("b"), Evidence("c")))
    was = f"was {before.severity} {before.status}, is low {after.status}"
    assert list(describe_changes(before, after)) == [was, "no longer: a", "new: c"]
    assert list(describe_changes(before, before)) == []
