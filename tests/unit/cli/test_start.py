"""What a scan does not load before it needs it: its start is most of a small scan."""

import subprocess
import sys

from botocore.session import Session

from posture_cli.partial_client import open_ec2
from posture_cli.recorded.operations import OPERATIONS

SCAN = "import sys, posture_cli.main, posture_cli.commands.scan; print(*sys.modules)"
NEEDLESS = (
    "boto3",
    "jinja2",
    "moto",
    "rich",
    "samtranslator",
    "posture.organization",
    "posture.remedies.prove",
    "posture_cli.interchange.sarif",
    "posture_cli.interchange.junit",
)


def test_a_scan_loads_what_it_needs_only() -> None:
    """Each of these took a hundredth of a second or more of each scan."""
    command = [sys.executable, "-c", SCAN]
    loaded = subprocess.check_output(command, text=True).split()  # noqa: S603 - our own code
    assert set(NEEDLESS).isdisjoint(loaded)


def test_the_client_of_an_observer_has_all_reads_and_no_write() -> None:
    """Its model is that of the functions; other clients of the session have botocore's."""
    session = Session()
    session.set_credentials("example", "example")
    client = open_ec2(session, "eu-west-1")
    operations = set(client.meta.service_model.operation_names)
    assert set(OPERATIONS) <= operations
    assert "DeleteVpc" not in operations
    assert hasattr(session.create_client("ec2", "eu-west-1"), "delete_vpc")
