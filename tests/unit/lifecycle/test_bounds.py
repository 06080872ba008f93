"""Verdicts that are reported together are bounded as they are stored, their commands as a whole."""

from dataclasses import replace

from finding_builders import verdict
from posture.lifecycle.bounds import COMMAND, FACTS, SENTENCE, bound_report, bound_verdict
from posture.model.verdict import Remediation

TEXT = "Let the subnets in."
SHORT = Remediation(TEXT, "aws ec2 describe-vpcs", "resolves this; opens nothing")
LONG = replace(SHORT, command="aws ec2 delete-vpc-endpoints --vpc-endpoint-ids" + COMMAND * " v")


def test_facts_are_left_out_as_of_a_stored_finding() -> None:
    """The last one says how many."""
    many = verdict(evidence=(f"Subnet {number} is blocked." for number in range(FACTS + 1)))
    assert list(bound_report([many])) == [bound_verdict(many)]


def test_a_command_that_can_be_stored_is_given_for_each_verdict() -> None:
    """It can be copied wherever it stands."""
    first, second = (
        replace(verdict(resource=each), remediation=SHORT) for each in ("vpce-1", "vpce-2")
    )
    assert [each.remediation for each in bound_report([first, second])] == [SHORT, SHORT]


def test_the_name_of_the_command_is_not_cut_off() -> None:
    """The text before it is."""
    long = replace(LONG, text="Let the subnets in. " * 100)
    verdicts = (replace(verdict("closed", each), remediation=long) for each in ("vpce-1", "vpce-2"))
    _, second = bound_report(verdicts)
    assert second.remediation
    assert second.remediation.text.endswith(" The command of closed for vpce-1 resolves this.")
    assert len(second.remediation.text.encode()) <= SENTENCE


def test_a_long_command_is_given_once_and_named_by_the_others() -> None:
    """What is reported grows with the verdicts, not with their square."""
    first, second, third = (
        replace(verdict("closed", each), remediation=LONG)
        for each in ("vpce-1", "vpce-2", "vpce-3")
    )
    named = Remediation(f"{TEXT} The command of closed for vpce-1 resolves this.")
    found = [each.remediation for each in bound_report([first, second, third])]
    assert found == [LONG, named, named]
