"""Builders of what findings are made of: scopes, verdicts, changes, transitions."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from posture.attribution.causes import name_cause, needs_cause
from posture.attribution.events import build_cause
from posture.lifecycle.diff import apply_transitions, find_transitions
from posture.model.change import Actor, Change, ChangeOutcome
from posture.model.finding import Attribution, Finding, Transition
from posture.model.scope import Region, Scope
from posture.model.verdict import Evidence, Remediation, Severity, Status, Verdict

SCOPE = Scope("111122223333", "eu-west-1", "vpc-0a1b2c3d4e5f60718")
OTHER = Scope("111122223333", "eu-west-1", "vpc-0fedcba9876543210")
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def at(minute: float) -> datetime:
    """Return an instant so many minutes after noon."""
    return NOON + timedelta(minutes=minute)


def verdict(
    rule: str = "route-missing",
    resource: str = "subnet-0a",
    status: Status = Status.FAIL,
    *,
    severity: Severity = Severity.HIGH,
    summary: str = "",
    evidence: Iterable[str] = ("Route table rtb-0a has no route to pl-0a.",),
    command: str = "aws ec2 modify-vpc-endpoint --vpc-endpoint-id vpce-0a",
    concerns: Iterable[str] = ("rtb-0a",),
) -> Verdict:
    """Return one rule's answer for one resource."""
    return Verdict(
        rule=rule,
        resource=resource,
        status=status,
        severity=severity,
        summary=summary or f"Subnet {resource} reaches S3 through a NAT gateway.",
        evidence=tuple(Evidence(text, {"route_table": "rtb-0a"}) for text in evidence),
        remediation=Remediation("Associate the endpoint with the route table.", command),
        concerns=frozenset(concerns),
    )


def change(
    event_id: str = "e-1",
    *names: str,
    minute: float = -2,
    outcome: ChangeOutcome = ChangeOutcome.APPLIED,
    actor: str = "arn:aws:iam::111122223333:user/alice",
) -> Change:
    """Return one CloudTrail record that names these ids."""
    return Change(
        event_id=event_id,
        event_name="DeleteRoute",
        event_source="ec2.amazonaws.com",
        time=at(minute),
        region=Region("111122223333", "eu-west-1"),
        actor=Actor(actor, "111122223333", "IAMUser"),
        source_ip="198.51.100.7",
        user_agent="aws-cli/2",
        vpc_ids=frozenset(),
        service_ids=frozenset(),
        resource_ids=frozenset(names),
        outcome=outcome,
    )


def find_caused_transitions(
    scope: Scope,
    stored: Mapping[str, Finding],
    verdicts: Iterable[Verdict],
    *,
    observed_at: datetime,
    changes: Sequence[Change] = (),
) -> tuple[Transition, ...]:
    """Find transitions, each caused by the latest change that names what it concerns, or at all."""
    steps = find_transitions(scope, stored, verdicts, observed_at=observed_at)
    return tuple(_name_cause(step, changes) if needs_cause(step) else step for step in steps)


def _name_cause(step: Transition, changes: Sequence[Change]) -> Transition:
    about = step.finding.verdict.concerns
    latest = sorted(changes, key=lambda it: (bool(it.resource_ids & about), it.time))
    return name_cause(step, Attribution(build_cause(latest[-1]))) if latest else step


def opened(
    *verdicts: Verdict, minute: float = 0, changes: Iterable[Change] = (), scope: Scope = SCOPE
) -> tuple[Transition, ...]:
    """Return what a first evaluation makes of these verdicts."""
    return find_caused_transitions(
        scope, {}, verdicts, observed_at=at(minute), changes=tuple(changes)
    )


def findings(*verdicts: Verdict, minute: float = 0) -> dict[str, Finding]:
    """Return the findings that these verdicts open, by id."""
    return apply_transitions({}, opened(*verdicts, minute=minute))
