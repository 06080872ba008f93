"""`posture fix` makes no call of another account, and says in which one each call runs."""

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from finding_builders import findings, verdict
from organization_breaks import BREAKS
from organization_designs import DESIGNS
from posture_cli.app import app
from posture_cli.failure import CommandError
from posture_cli.fix import case
from posture_cli.fix.subject import refuse_shared

SPOKE, HUB_ACCOUNT, SPOKE_ACCOUNT = "vpc-spoke1", "100000000001", "200000000001"
KMS = "com.amazonaws.eu-west-1.kms"
FINDING = f"required-service-without-endpoint/{KMS}"


class Session:
    """The caller's session; it records the calls of its clients."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def create_client(self, service: str, _: str) -> Any:
        """Create a client of a service, which takes any call."""
        shape = SimpleNamespace(members={})
        model = SimpleNamespace(operation_model=lambda _: SimpleNamespace(input_shape=shape))
        meta = SimpleNamespace(service_model=model, region_name="eu-west-1")
        return _Client(meta, service, self.made)


class _Client:
    def __init__(self, meta: Any, service: str, made: list[str]) -> None:
        self.meta = meta
        self._service, self._made = service, made

    def __getattr__(self, name: str) -> Any:
        def call(**_: Any) -> dict[str, Any]:
            self._made.append(f"{self._service}.{name}")
            return {}

        return call


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Session:
    """Let the command use a session of the spoke's account."""
    opened = Session()
    caller = SimpleNamespace(session=opened, account=SPOKE_ACCOUNT, home="eu-west-1")
    monkeypatch.setattr(case, "find_caller", lambda *_: caller)
    return opened


def run(name: str, monkeypatch: pytest.MonkeyPatch, *options: str, baseline: Any) -> Result:
    """Run the command on a design with a broken link."""
    broken = BREAKS[name]
    organization = broken.edit(DESIGNS[broken.design]())
    pairs = [(each, organization.shared) for each in organization.snapshots.values()]
    monkeypatch.setattr(case, "read_organization", lambda *_: pairs)
    words = ["fix", "--live", FINDING, "--region", "eu-west-1", "--vpc", SPOKE, "--shared-network"]
    return CliRunner().invoke(app, [*words, "--baseline", str(baseline), *options])


@pytest.fixture
def baseline(tmp_path: Any) -> Any:
    """Write a baseline that requires KMS."""
    path = tmp_path / "baseline.yaml"
    path.write_text("version: 1\ndefault:\n  required_services: [kms]\n")
    return path


def test_calls_of_another_account_are_refused_and_named(
    session: Session, baseline: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The owner of the zone authorizes the association first."""
    name = "zone is not associated with the spoke"
    found = run(name, monkeypatch, "--yes", baseline=baseline)
    said = str(found.exception)
    assert f"create-vpc-association-authorization in account {HUB_ACCOUNT}" in said
    assert f"--profile {HUB_ACCOUNT}" in said
    assert session.made == []


def test_a_dry_run_shows_where_each_call_runs(
    session: Session, baseline: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the account."""
    name = "zone is not associated with the spoke"
    found = run(name, monkeypatch, "--dry-run", baseline=baseline)
    assert found.exit_code == 1
    assert "Calls of other accounts: create-vpc-association-authorization" in found.output
    assert session.made == []


def test_calls_of_the_own_account_are_made_by_their_service(
    session: Session, baseline: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Profile is associated by its own service."""
    name = "Profile is not associated with the spoke"
    found = run(name, monkeypatch, "--yes", "--wait", "0", baseline=baseline)
    assert session.made == ["route53profiles.associate_profile"], found.output
    assert found.exit_code == 1  # the network that is read stays as it was


ROUTE = (
    "aws ec2 create-route --route-table-id rtb-1 --destination-cidr-block 10.0.0.0/16 "
    "--transit-gateway-id tgw-1"
)


@pytest.mark.parametrize(
    ("command", "refused"),
    [
        (ROUTE, False),
        (f"{ROUTE} --profile {HUB_ACCOUNT}", True),
        ("aws route53profiles associate-profile --name n --profile-id p --resource-id vpc-1", True),
    ],
)
def test_a_recorded_command_of_the_shared_network_is_left_to_its_accounts(
    command: str, refused: bool
) -> None:
    """A monitor's stack reads one VPC; the message names the command that reads more."""
    (recorded,) = findings(verdict(command=command)).values()
    with pytest.raises(CommandError, match="--shared-network") if refused else nullcontext():
        refuse_shared(recorded, command)
