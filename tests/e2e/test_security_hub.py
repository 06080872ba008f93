"""The stack with Security Hub enabled."""

from pathlib import Path

from posture_cli.demo.organization import OrganizationBuilder
from posture_cli.embedded.aws import EmbeddedAws

ROOT = Path(__file__).parents[2]


def test_findings_reach_security_hub() -> None:
    """From a sweep, through the table's stream and the notify function."""
    with EmbeddedAws(ROOT, parameters={"SecurityHub": "on"}) as aws:
        client = aws.session.client("securityhub")
        client.enable_security_hub()
        OrganizationBuilder(aws.ec2(), aws.account).build()
        aws.sweep()
        found = client.get_findings()["Findings"]
        assert {it["RecordState"] for it in found} == {"ACTIVE"}
        assert {it["AwsAccountId"] for it in found} == {aws.account}
