"""A record that points to a deleted endpoint is led to one that exists, if there is one."""

from dataclasses import replace

from network_builders import REGION
from organization_builders import Organization, build_organization
from organization_edits import KMS_ZONE, SPOKE, delete_endpoint, edit_records
from posture.edits.command_line import parse_command
from posture.edits.format import name_operation
from posture.model.baseline import Baseline
from posture.model.verdict import Status, Verdict
from posture.remedies.prove import SCAN_LIMITS, Prover
from posture.rules.contexts import VpcContext
from posture.rules.engine import evaluate_context

RULE = "hosted-zone-record-dangling"
GONE = f"vpce-0fedcba9876543210-x.kms.{REGION}.vpce.amazonaws.com"


def judge(organization: Organization) -> tuple[VpcContext, tuple[Verdict, ...], Verdict]:
    """Evaluate a spoke that requires no service; return the failure of the rule as well."""
    vpc = organization.build_context(SPOKE, Baseline())
    verdicts = evaluate_context(vpc)
    (found,) = (each for each in verdicts if each.rule == RULE and each.status is Status.FAIL)
    return vpc, verdicts, found


def test_the_record_is_replaced_by_the_living_endpoint() -> None:
    """The command resolves the finding, as a person would run it."""
    edit = edit_records(KMS_ZONE, lambda records: (replace(records[0], alias=GONE),))
    vpc, verdicts, failing = judge(edit(build_organization()))
    proven = Prover(vpc, verdicts, SCAN_LIMITS).prove(failing).remediation
    assert proven
    assert proven.verified
    assert [name_operation(type(each)) for each in parse_command(proven.command)] == [
        "describe-vpc-endpoints",
        "change-resource-record-sets",
    ]
    assert "UPSERT" in proven.command


def test_without_another_endpoint_the_sentence_stays() -> None:
    """A record of the zone cannot be deleted without what Route 53 wants to know of it."""
    _, _, failing = judge(delete_endpoint("kms")(build_organization()))
    assert failing.remediation
    assert not failing.remediation.command
    assert "delete them with the zone" in failing.remediation.text
