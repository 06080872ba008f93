"""Run the demo: a first sweep, then each scenario's misconfiguration and repair.

Each step is checked against the API calls that were made: findings are read from the findings
table, and alerts are those that a subscriber of the topic received.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from time import perf_counter
from typing import Any

from botocore.exceptions import ClientError

from posture.baseline.parse import parse_document
from posture.model.finding import Finding, FindingStatus
from posture.store.baselines import BaselineTable
from posture.store.findings import Findings
from posture_cli.demo import checks
from posture_cli.demo.hub import Hub, HubBuilder
from posture_cli.demo.organization import BASELINE_DOCUMENT, Organization, OrganizationBuilder
from posture_cli.demo.scenarios import SCENARIOS, SHARED_SCENARIOS, Scenario
from posture_cli.embedded.aws import EmbeddedAws
from posture_cli.embedded.cloudtrail import ApiCaller
from posture_cli.embedded.mailbox import ReceivedAlert

CALLERS = (  # role, session, source IP, the AWS service that calls on the role's behalf
    ("NetworkAdmin", "alice", "198.51.100.7", ""),
    ("Deploy", "pipeline", "203.0.113.20", "cloudformation.amazonaws.com"),
    ("PaymentsDeveloper", "bob", "198.51.100.44", ""),
)
UNROUTED = "192.0.2.0/24"  # a destination for which no route table has a route


class StepKind(StrEnum):
    """What happens in a step."""

    SWEEP = "sweep"
    BREAK = "break"
    REPAIR = "repair"
    REFUSED = "refused"  # EC2 rejects the call


@dataclass(frozen=True, slots=True)
class DemoStep:
    """One step of the demo, and the monitor's response.

    Attributes:
        phase: What happens in the step.
        title: The step in one sentence.
        actor: The ARN of the caller.
        records: The CloudTrail records of the calls.
        findings: The findings that changed, as they are stored after the step.
        alerts: The alerts that were received.
        seconds: The time from the last call's return to the last alert's arrival.
        faults: Where the monitor's response was wrong; empty if it was correct.
    """

    phase: StepKind
    title: str
    actor: str
    records: Sequence[Mapping[str, Any]]
    findings: Sequence[Finding]
    alerts: Sequence[ReceivedAlert]
    seconds: float
    faults: Sequence[str] = ()


class DemoRun:
    """Runs the demo in an emulated AWS."""

    def __init__(self, aws: EmbeddedAws) -> None:
        self._aws = aws
        self._stored: Mapping[str, Finding] = {}
        self._records = 0  # of the trail, that belong to completed steps
        self.organization: Organization

    def build(self) -> Organization:
        """Build the organization, unrecorded, and apply its baseline."""
        builder = OrganizationBuilder(self._aws.ec2(), self._aws.account)
        self.organization = builder.build()
        table = self._aws.stack.outputs["BaselineTableName"]
        BaselineTable(self._aws.session.client("dynamodb"), table).apply(
            parse_document(BASELINE_DOCUMENT),
            after=0,
            applied_at=datetime.now(UTC),
            applied_by=ApiCaller(self._aws.account, "SecurityTeam", "carol").arn,
        )
        if self._reads_shared_network:
            self.organization = replace(self.organization, hub=self._build_hub(builder.policy()))
        return self.organization

    def _build_hub(self, policy: str) -> Hub:
        """Build the hub with its spokes, survey the shared network, and evaluate the hub.

        A spoke that is evaluated before its hub has unknown findings until then.
        """
        hub = HubBuilder(self._aws.ec2(), self._aws.session.client("route53"), policy).build()
        self._aws.functions[self._aws.stack.physical_id("SurveyFunction")]({})
        caller = ApiCaller(self._aws.account, "NetworkAdmin", "alice")
        self._aws.ec2(caller).modify_vpc_attribute(VpcId=hub.id, EnableDnsHostnames={"Value": True})
        self._aws.settle()
        self._records = len(self._aws.trail)
        return hub

    @property
    def _reads_shared_network(self) -> bool:
        """Whether the stack reads the network that VPCs share (its parameter `SharedNetwork`)."""
        return "SurveyFunction" in self._aws.stack.of_type("AWS::Lambda::Function")

    def run(self) -> Iterator[DemoStep]:
        """Run the demo; yield each step once it is complete."""
        start = perf_counter()
        self._aws.sweep()
        title = "The first sweep evaluates all VPCs of the Region"
        yield _add_faults(self._complete(StepKind.SWEEP, title, "schedule", start))
        scenarios = [*SCENARIOS, *(SHARED_SCENARIOS if self._reads_shared_network else ())]
        for number, scenario in enumerate(scenarios):
            role, session, address, service = CALLERS[number % len(CALLERS)]
            caller = ApiCaller(self._aws.account, role, session, address, invoked_by=service)
            yield from self._run_scenario(scenario, caller)
        caller = ApiCaller(self._aws.account, "ReadOnly", "mallory", "203.0.113.99")
        yield self._make_failing_call(caller)

    def load_findings(self) -> Mapping[str, Finding]:
        """Load all stored findings by id."""
        table = self._aws.stack.outputs["FindingsTableName"]
        findings = Findings(self._aws.session.client("dynamodb"), table)
        return {
            finding.id: finding
            for status in FindingStatus
            for finding in findings.find_by_status(status)
        }

    def _run_scenario(self, scenario: Scenario, caller: ApiCaller) -> Iterator[DemoStep]:
        builder = OrganizationBuilder(self._aws.ec2(caller), self._aws.account)
        before = checks.active_finding_ids(self._stored.values())
        with scenario.misconfigure(builder, self.organization):
            step = self._complete(StepKind.BREAK, scenario.title, caller.arn, perf_counter())
            yield _add_faults(step, checks.check_causes(step.records, step.findings))
        step = self._complete(StepKind.REPAIR, scenario.title, caller.arn, perf_counter())
        after = checks.active_finding_ids(self._stored.values())
        yield _add_faults(step, checks.check_restored(before, after))

    def _make_failing_call(self, caller: ApiCaller) -> DemoStep:
        table = self.organization.payments.private_table
        with suppress(ClientError):
            self._aws.ec2(caller).delete_route(RouteTableId=table, DestinationCidrBlock=UNROUTED)
        title = "A rejected API call changes nothing and sends no alert"
        step = self._complete(StepKind.REFUSED, title, caller.arn, perf_counter())
        return replace(step, faults=[*checks.check_no_change(step.findings, step.alerts)])

    def _complete(self, kind: StepKind, title: str, actor: str, start: float) -> DemoStep:
        """Process all events in flight; return the step with what changed since the last one."""
        self._aws.settle()
        alerts = self._aws.mailbox.collect()
        seconds = perf_counter() - start
        before, self._stored = self._stored, self.load_findings()
        changed = [
            finding
            for finding in self._stored.values()
            if finding.id not in before or before[finding.id].version != finding.version
        ]
        changed.sort(key=lambda finding: (finding.severity.rank, finding.rule, finding.resource))
        records = tuple(self._aws.trail[self._records :])
        self._records += len(records)
        return DemoStep(kind, title, actor, records, changed, alerts, seconds)


def _add_faults(step: DemoStep, others: Iterable[str] = ()) -> DemoStep:
    """Add the faults of a step's alerts, and others."""
    faults = [*checks.check_reported_once(step.findings, step.alerts), *others]
    return replace(step, faults=faults)
