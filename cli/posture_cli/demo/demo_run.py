"""The story: a first sweep, then act by act what was done, found and told, and the repair.

Nothing is taken for granted. What was found is read from the findings table, what was told is what
reached a subscriber of the topic, and each beat is checked against the calls that were made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from time import perf_counter
from typing import Any

from botocore.exceptions import ClientError

from posture.model.finding import Finding, FindingStatus
from posture.store.baselines import BaselineTable
from posture.store.findings import Findings
from posture_cli.demo import checks
from posture_cli.demo.demo_baseline import build_baseline
from posture_cli.demo.organisation import Organisation, OrganisationBuilder
from posture_cli.demo.scenarios import SCENARIOS, Scenario, ScenarioContext
from posture_cli.embedded.aws import EmbeddedAws
from posture_cli.embedded.cloudtrail import ApiCaller
from posture_cli.embedded.mailbox import ReceivedAlert

PEOPLE = (  # role, session, address, the service that acts on their behalf
    ("NetworkAdmin", "alice", "198.51.100.7", ""),
    ("Deploy", "pipeline", "203.0.113.20", "cloudformation.amazonaws.com"),
    ("PaymentsDeveloper", "bob", "198.51.100.44", ""),
)
NOWHERE = "192.0.2.0/24"  # no route table of the organisation has a route there


class StepKind(StrEnum):
    """Where a beat stands in the story."""

    SWEEP = "sweep"
    BREAK = "break"
    REPAIR = "repair"
    REFUSED = "refused"  # a call that fails moves nothing


@dataclass(frozen=True, slots=True)
class DemoStep:
    """One step of the story: what was done, and what the monitor made of it.

    `findings` are those that changed, as stored now. `seconds` lie between the calls' return and
    the last alert's arrival. `faults` says where the monitor did not do what it should; it is
    empty in a story that comes out well.
    """

    phase: StepKind
    title: str
    actor: str
    records: Sequence[Mapping[str, Any]]
    findings: Sequence[Finding]
    alerts: Sequence[ReceivedAlert]
    seconds: float
    faults: Sequence[str]


class DemoRun:
    """Plays the acts on an embedded AWS."""

    def __init__(self, aws: EmbeddedAws) -> None:
        self._aws = aws
        self._stored: Mapping[str, Finding] = {}
        self.organisation: Organisation

    def build(self) -> Organisation:
        """Build the organisation, before anybody watches, and apply its baseline."""
        self.organisation = OrganisationBuilder(self._aws.ec2(), self._aws.account).build()
        table = self._aws.stack.outputs["BaselineTableName"]
        BaselineTable(self._aws.session.client("dynamodb"), table).apply(
            build_baseline(),
            after=0,
            applied_at=datetime.now(UTC),
            applied_by=ApiCaller(self._aws.account, "SecurityTeam", "carol").arn,
        )
        return self.organisation

    def run(self) -> Iterator[DemoStep]:
        """Play the story; a beat comes out as soon as it has happened."""
        yield self._sweep()
        for number, act in enumerate(SCENARIOS):
            role, session, address, service = PEOPLE[number % len(PEOPLE)]
            yield from self._act(
                act, ApiCaller(self._aws.account, role, session, address, invoked_by=service)
            )
        yield self._refused(ApiCaller(self._aws.account, "ReadOnly", "mallory", "203.0.113.99"))

    def load_findings(self) -> Mapping[str, Finding]:
        """Give all findings of the table by id."""
        table = self._aws.stack.outputs["FindingsTableName"]
        findings = Findings(self._aws.session.client("dynamodb"), table)
        return {
            finding.id: finding
            for status in FindingStatus
            for finding in findings.of_status(status)
        }

    def _sweep(self) -> DemoStep:
        start = perf_counter()
        self._aws.sweep()
        seen = self._look(start)
        title = "the first sweep looks at the whole region"
        return DemoStep(
            StepKind.SWEEP,
            title,
            "schedule",
            (),
            *seen,
            tuple(checks.check_reported_once(*seen[:2])),
        )

    def _act(self, act: Scenario, caller: ApiCaller) -> Iterator[DemoStep]:
        ec2 = self._aws.ec2(caller)
        before = checks.active_finding_ids(self._stored.values())
        mark = len(self._aws.trail)
        with act.deed(
            ScenarioContext(ec2, self.organisation, OrganisationBuilder(ec2, self._aws.account))
        ):
            seen = self._look(perf_counter())
            records = tuple(self._aws.trail[mark:])
            faults = [
                *checks.check_reported_once(*seen[:2]),
                *checks.check_causes(records, seen[0]),
            ]
            yield DemoStep(StepKind.BREAK, act.title, caller.arn, records, *seen, faults)
            mark = len(self._aws.trail)
        seen = self._look(perf_counter())
        after = checks.active_finding_ids(self._stored.values())
        faults = [*checks.check_reported_once(*seen[:2]), *checks.check_restored(before, after)]
        records = tuple(self._aws.trail[mark:])
        yield DemoStep(StepKind.REPAIR, act.title, caller.arn, records, *seen, faults)

    def _refused(self, caller: ApiCaller) -> DemoStep:
        mark = len(self._aws.trail)
        table = self.organisation.payments.private_table
        with suppress(ClientError):  # this call is in the story because it fails
            self._aws.ec2(caller).delete_route(RouteTableId=table, DestinationCidrBlock=NOWHERE)
        seen = self._look(perf_counter())
        title = "a call that fails moves nothing, and nobody is told"
        records = tuple(self._aws.trail[mark:])
        return DemoStep(
            StepKind.REFUSED,
            title,
            caller.arn,
            records,
            *seen,
            tuple(checks.check_no_change(*seen[:2])),
        )

    def _look(self, start: float) -> tuple[Sequence[Finding], Sequence[ReceivedAlert], float]:
        """Let everything arrive; give what changed, what was told, and how long it took."""
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
        return changed, alerts, seconds
