"""`posture fix`: the monitor finds, a person fixes, and the monitor records that it is resolved."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from botocore.exceptions import ClientError
from typer.testing import CliRunner, Result

from posture.ec2.observer import Observer
from posture.model.finding import Finding, FindingStatus
from posture.model.scope import Region
from posture_cli import live
from posture_cli.app import app
from posture_cli.commands import fix
from posture_cli.demo.demo_run import DemoRun
from posture_cli.demo.network_builder import build_https_permission
from posture_cli.demo.organization import Organization
from posture_cli.embedded.aws import EmbeddedAws
from posture_cli.embedded.cloudtrail import ApiCaller
from posture_cli.failure import describe_failure
from posture_cli.fix import proposing, wait
from stack_template import PATH

GROUP_OPEN = "endpoint-security-group-open"
DEFAULT_GROUP = "endpoint-default-security-group"
ANYONE: Any = [build_https_permission("0.0.0.0/0")]
ANY_PORT: Any = [{**ANYONE[0], "FromPort": 0, "ToPort": 65535}]


@dataclass
class Stage:
    """An emulated AWS with the stack, the demo's organization, and its first sweep done.

    `posture fix` is alice; what is in `denied` her calls may not do. While the command waits, the
    monitor works, unless `sleeping`.
    """

    aws: EmbeddedAws
    run: DemoRun
    organization: Organization
    alice: ApiCaller
    denied: dict[str, int] = field(default_factory=dict)  # after so many calls
    sleeping: bool = False
    account: str = ""

    def open_observers(self, regions: Any, profile: str | None = None) -> list[Observer]:
        """Open the observer whose calls are on the trail."""
        assert profile is None
        client = self.aws.ec2(self.alice)
        for operation, allowed in self.denied.items():
            event = f"before-call.ec2.{operation}"
            client.meta.events.register_first(event, partial(_refuse, count(), allowed))
        account = self.account or self.aws.account
        return [Observer(client, Region(account, each)) for each in regions or [self.aws.region]]

    def pause(self, _: float) -> None:
        """Let the monitor work while the command waits."""
        if not self.sleeping:
            self.aws.settle()

    def find(self, rule: str, resource: str) -> Finding:
        """Return the recorded finding of a rule on a resource."""
        found = self.run.load_findings().values()
        return next(it for it in found if (it.rule, it.resource) == (rule, resource))

    def open_group(self) -> Finding:
        """Open the group of payments' endpoints to anyone; return the finding on one."""
        payments = self.organization.payments
        self.aws.ec2(self.alice).authorize_security_group_ingress(
            GroupId=payments.endpoint_group, IpPermissions=ANYONE
        )
        self.aws.settle()
        return self.find(GROUP_OPEN, payments.endpoints["kms"])

    def read_group(self) -> list[Any]:
        """Return who may use payments' endpoints."""
        group = self.organization.payments.endpoint_group
        groups = self.aws.ec2().describe_security_groups(GroupIds=[group])["SecurityGroups"]
        return groups[0]["IpPermissions"]

    def calls(self) -> list[str]:
        """Return the calls on the trail."""
        return [each["eventName"] for each in self.aws.trail if "errorCode" not in each]


def _refuse(calls: Iterator[int], allowed: int, *, model: Any, **_: Any) -> None:
    if next(calls) < allowed:
        return
    error = {"Error": {"Code": "UnauthorizedOperation", "Message": "alice may not"}}
    raise ClientError(error, model.name)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def deployed() -> Iterator[Stage]:
    """Return the stage, which is built once."""
    with EmbeddedAws(Path(PATH.parent)) as aws:
        run = DemoRun(aws)
        organization = run.build()
        aws.sweep()
        yield Stage(aws, run, organization, ApiCaller(aws.account, "NetworkAdmin", "alice"))


@pytest.fixture
def stage(deployed: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Return the stage, and restore the organization after the test."""
    deployed.denied, deployed.sleeping, deployed.account = {}, False, ""
    monkeypatch.setattr(live, "open_live_observers", deployed.open_observers)
    monkeypatch.setattr(wait, "time", SimpleNamespace(sleep=deployed.pause))
    yield deployed
    ec2, group = deployed.aws.ec2(), deployed.organization.payments.endpoint_group
    for permission in deployed.read_group():
        ranges = [it for it in permission["IpRanges"] if it["CidrIp"] == "0.0.0.0/0"]
        if ranges:
            ports = {name: permission[name] for name in ("IpProtocol", "FromPort", "ToPort")}
            ec2.revoke_security_group_ingress(
                GroupId=group,
                IpPermissions=[{**ports, "IpRanges": ranges}],  # type: ignore[list-item]
            )
    deployed.aws.sweep()


def posture(*arguments: str, answer: str | None = None) -> Result:
    """Run the command; `answer` is what a person types."""
    return CliRunner().invoke(app, ["fix", *arguments], input=answer)


def apply(*arguments: str) -> tuple[int, dict[str, Any]]:
    """Run the command without a question; return its exit code and what it says as JSON."""
    result = posture(*arguments, "--yes", "--output", "json")
    assert result.stdout, result.exception
    return result.exit_code, json.loads(result.stdout)


def fail(*arguments: str, answer: str | None = None) -> str:
    """Run the command, expect an error, and return what it says."""
    result = posture(*arguments, answer=answer)
    assert result.exception
    if isinstance(result.exception, SystemExit):
        assert result.exit_code == 2
        return " ".join(result.stderr.replace("│", " ").split())
    return describe_failure(result.exception) or ""


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a person in front of the command."""
    monkeypatch.setattr(fix, "has_terminal", lambda: True)


def test_a_finding_is_fixed_and_the_monitor_records_it(stage: Stage) -> None:
    """The calls are the caller's own: the monitor names her as the cause of the repair."""
    finding = stage.open_group()
    code, said = apply(finding.id)
    assert (code, said["outcome"]) == (0, "resolved")
    assert [each["operation"] for each in said["made"]] == ["revoke-security-group-ingress"]
    after = stage.find(finding.rule, finding.resource)
    assert after.status is FindingStatus.RESOLVED
    assert after.cause
    assert (after.cause.actor, after.cause.event_name) == (
        stage.alice.arn,
        "RevokeSecurityGroupIngress",
    )


def test_fixing_it_again_does_nothing(stage: Stage) -> None:
    """A resolved finding has exit code 0, and no call is made."""
    finding = stage.open_group()
    apply(finding.id)
    before = stage.calls()
    code, said = apply(finding.id)
    assert (code, said["outcome"], said["made"]) == (0, "resolved", [])
    assert stage.calls() == before


@pytest.mark.usefixtures("terminal")
def test_a_person_sees_all_of_it_before_the_question(stage: Stage) -> None:
    """The finding, the command, its proof and what it does; then the result."""
    finding = stage.open_group()
    result = posture(finding.id, answer="y\n")
    assert result.exit_code == 0, result.stderr
    remedy = finding.verdict.remediation
    assert remedy
    for text in (finding.verdict.summary, remedy.command, remedy.verified, "Findings resolved (2)"):
        assert text in result.stdout
    assert f"Apply 1 call in account {stage.aws.account}, eu-west-1?" in result.stderr
    assert "applied: revoke-security-group-ingress" in result.stderr
    assert f"resolved: {GROUP_OPEN}" in result.stderr


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize(
    ("arguments", "answer", "outcome"),
    [
        (["--dry-run"], None, "dry run: nothing was applied"),
        ([], "n\n", "declined: nothing was applied"),
        ([], "\n", "declined: nothing was applied"),
    ],
)
def test_nothing_is_applied_without_consent(
    stage: Stage, arguments: list[str], answer: str | None, outcome: str
) -> None:
    """The default answer is no, and the exit code says that the finding is still open."""
    finding = stage.open_group()
    before = stage.calls()
    result = posture(finding.id, *arguments, answer=answer)
    assert (result.exit_code, stage.calls()) == (1, before)
    assert outcome in result.stderr


@pytest.mark.usefixtures("terminal")
def test_an_end_of_input_is_no_consent(stage: Stage) -> None:
    """As when the terminal is closed."""
    finding = stage.open_group()
    before = stage.calls()
    assert posture(finding.id, answer="").exit_code == 1
    assert stage.calls() == before


def test_a_pipe_needs_the_option(stage: Stage) -> None:
    """Nobody can answer, so nothing is read or applied."""
    finding = stage.open_group()
    assert "use --yes" in fail(finding.id)
    assert "use --yes" in fail(finding.id, answer="y\n")


def test_a_network_that_passes_by_now_is_left_alone(stage: Stage) -> None:
    """The rule was removed, and the monitor does not know yet."""
    finding = stage.open_group()
    stage.aws.ec2().revoke_security_group_ingress(
        GroupId=stage.organization.payments.endpoint_group, IpPermissions=ANYONE
    )
    before = stage.calls()
    result = posture(finding.id, "--yes")
    assert (result.exit_code, stage.calls()) == (0, before)
    assert "the network passes now" in result.stderr


def test_a_command_that_is_not_proven_any_more_is_not_applied(stage: Stage) -> None:
    """Another rule lets anyone in by now: what changed is said, and what is proven instead."""
    finding = stage.open_group()
    ec2, group = stage.aws.ec2(), stage.organization.payments.endpoint_group
    ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=ANYONE)
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=ANY_PORT)
    before = stage.calls()
    said = fail(finding.id, "--yes")
    assert "is not proven any more" in said
    assert "nothing was applied: EC2 would refuse revoke-security-group-ingress" in said
    assert "no longer: " in said
    assert f"posture fix --live {GROUP_OPEN}/{finding.resource} --region eu-west-1" in said
    assert stage.calls() == before


@pytest.mark.usefixtures("terminal")
def test_a_change_during_the_question_stops_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the person agreed to is not what would happen."""
    finding = stage.open_group()

    def confirm(*_: Any, **__: Any) -> bool:
        stage.aws.ec2().authorize_security_group_ingress(
            GroupId=stage.organization.payments.endpoint_group, IpPermissions=ANY_PORT
        )
        return True

    monkeypatch.setattr(typer, "confirm", confirm)
    before = stage.calls()
    assert "the network changed while the question was open" in fail(finding.id)
    assert stage.calls() == before


def test_a_refusal_of_the_first_call_leaves_all_as_it_was(stage: Stage) -> None:
    """The message has EC2's code, and the command that remains."""
    finding = stage.open_group()
    stage.denied = {"RevokeSecurityGroupIngress": 0}
    before = stage.read_group()
    said = fail(finding.id, "--yes")
    remedy = finding.verdict.remediation
    assert remedy
    assert (
        "EC2 refused revoke-security-group-ingress (UnauthorizedOperation: alice may not); "
        f"nothing was made before it; remaining: {remedy.command}"
    ) in said
    assert stage.read_group() == before


@contextmanager
def sandbox_endpoint(stage: Stage) -> Iterator[Finding]:
    """Create an endpoint with the default group in a VPC that has no fitting group."""
    ec2, vpc = stage.aws.ec2(stage.alice), stage.organization.sandbox
    endpoint = str(
        ec2.create_vpc_endpoint(
            VpcId=vpc.id,
            VpcEndpointType="Interface",
            ServiceName="com.amazonaws.eu-west-1.sns",
            SubnetIds=[
                each["SubnetId"]
                for each in ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc.id]}])[
                    "Subnets"
                ]
            ],
            SecurityGroupIds=[
                each["GroupId"] for each in list_groups(stage) if each["GroupName"] == "default"
            ],
            PrivateDnsEnabled=False,
        )["VpcEndpoint"]["VpcEndpointId"]
    )
    stage.aws.settle()
    yield stage.find(DEFAULT_GROUP, endpoint)
    ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint])
    stage.aws.settle()


def list_groups(stage: Stage) -> list[Mapping[str, Any]]:
    """Return the security groups of the sandbox."""
    filters: Any = [{"Name": "vpc-id", "Values": [stage.organization.sandbox.id]}]
    found = stage.aws.ec2().describe_security_groups(Filters=filters)["SecurityGroups"]
    return [dict(each) for each in found]


def test_a_failure_in_the_middle_says_what_was_made_and_can_be_continued(stage: Stage) -> None:
    """No further call is made; the next run makes what remains, with what exists already."""
    with sandbox_endpoint(stage) as finding:
        remedy = finding.verdict.remediation
        assert remedy
        assert remedy.command.startswith("GROUP=$(aws ec2 create-security-group")
        stage.denied = {"ModifyVpcEndpoint": 0}
        result = posture(finding.id, "--yes", "--output", "json")
        said = json.loads(result.stdout)
        (group,) = (each for each in list_groups(stage) if each["GroupName"] != "default")
        made = [(each["operation"], each["created"]) for each in said["made"]]
        assert said["outcome"] == "failed"
        assert made == [
            ("create-security-group", group["GroupId"]),
            ("authorize-security-group-ingress", ""),
        ]
        text = describe_failure(result.exception) if result.exception else ""
        assert text
        assert f"made before it: create-security-group ({group['GroupId']}), authorize" in text
        (left,) = said["left"]
        assert left.startswith("aws ec2 modify-vpc-endpoint")
        assert group["GroupId"] in left

        stage.denied = {}
        code, said = apply(finding.id)
        assert (code, said["outcome"]) == (0, "resolved")
        assert [each["operation"] for each in said["made"]] == ["modify-vpc-endpoint"]
        assert len(list_groups(stage)) == 2


def test_an_endpoint_of_an_earlier_run_is_not_created_again(stage: Stage) -> None:
    """The second of two endpoints is refused; the next run creates that one only."""
    subnet = stage.organization.sandbox.private_subnets[0]
    finding = stage.find("gateway-service-bypasses-endpoint", subnet)
    stage.denied = {"CreateVpcEndpoint": 1}
    result = posture(finding.id, "--yes", "--output", "json")
    first = json.loads(result.stdout)
    assert [each["operation"] for each in first["made"]] == ["create-vpc-endpoint"]

    stage.denied = {}
    code, said = apply(finding.id)
    assert (code, said["outcome"], len(said["made"])) == (0, "resolved", 1)
    created = [each["made"][0]["created"] for each in (first, said)]
    found = stage.aws.ec2().describe_vpc_endpoints(VpcEndpointIds=created)["VpcEndpoints"]
    assert {each["ServiceName"] for each in found} == {
        "com.amazonaws.eu-west-1.dynamodb",
        "com.amazonaws.eu-west-1.s3",
    }
    stage.aws.ec2().delete_vpc_endpoints(VpcEndpointIds=created)


def test_what_the_monitor_has_not_recorded_in_time_is_not_called_resolved(stage: Stage) -> None:
    """The exit code is 1, and the network is said to pass."""
    finding = stage.open_group()
    stage.sleeping = True
    result = posture(finding.id, "--yes", "--wait", "20")
    assert result.exit_code == 1
    assert "the network passes now, but the monitor has not recorded it after 20 s" in result.stderr


def test_a_waived_finding_is_left_alone(stage: Stage) -> None:
    """The risk is accepted until the waiver is revoked."""
    finding = stage.open_group()
    runner = CliRunner()
    waiver = ["waiver", "add", "--rule", GROUP_OPEN, "--resource", finding.resource]
    added = runner.invoke(
        app, [*waiver, "--expires", "9d", "--ticket", "SEC-1", "--reason", "wanted"]
    )
    assert added.exit_code == 0, added.stderr
    stage.aws.sweep()
    before = stage.calls()
    assert f"{finding.id} is waived" in fail(finding.id, "--yes")
    assert stage.calls() == before
    runner.invoke(app, ["waiver", "revoke", added.stderr.split()[1].rstrip(",")])


def test_the_credentials_must_be_of_the_finding_s_account(stage: Stage) -> None:
    """Calls in another account would not concern its network."""
    finding = stage.open_group()
    stage.account = "999988887777"
    assert "the credentials are for 999988887777: use --account-profile" in fail(
        finding.id, "--yes"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["f-0123456789abcdef0123"], "there is no finding f-0123456789abcdef0123"),
        (["f-0123"], "is not the id of a finding"),
        ([f"{GROUP_OPEN}/vpce-1"], "is not the id of a finding"),
        (["--live", "f-0123456789abcdef0123"], "is not RULE/RESOURCE"),
        (["--live", f"{GROUP_OPEN}/vpce-1"], f"{GROUP_OPEN} has no result on vpce-1"),
        (["f-0123456789abcdef0123", "--vpc", "vpc-1"], "--vpc and --baseline are for --live"),
    ],
)
def test_what_does_not_exist_is_an_error(stage: Stage, arguments: list[str], message: str) -> None:
    """Exit code 2, and nothing is applied."""
    assert stage.calls() is not None
    assert message in fail(*arguments, "--yes")


def test_without_a_monitor_the_command_evaluates_again_itself(stage: Stage) -> None:
    """A finding of a scan is fixed, and the next scan does not have it."""
    finding = stage.open_group()
    stage.sleeping = True  # the monitor does nothing
    vpc = ["--vpc", stage.organization.payments.id]
    code, said = apply("--live", f"{GROUP_OPEN}/{finding.resource}", *vpc)
    assert (code, said["outcome"], said["id"]) == (0, "resolved", finding.id)
    code, said = apply("--live", f"{GROUP_OPEN}/{finding.resource}", *vpc)
    assert (code, said["outcome"], said["made"]) == (0, "resolved", [])


def test_without_a_monitor_an_unproven_finding_is_not_touched(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The advice is shown instead of a command."""
    finding = stage.open_group()
    unproven: Callable[..., None] = lambda *_: None  # noqa: E731
    monkeypatch.setattr(proposing, "find_proven", unproven)
    said = fail("--live", f"{GROUP_OPEN}/{finding.resource}", "--yes")
    assert "nothing was applied" in said
