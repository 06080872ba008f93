"""The rule about the monitor itself: calls that can stop it, each until a person acknowledges it.

No snapshot shows them: event rules select the calls (docs/decisions/0106).
"""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote

from posture.changes.tampering import is_deployment
from posture.model.change import Change
from posture.model.instant import format_iso
from posture.model.verdict import Evidence, Remediation, Severity, Status, Verdict
from posture.rules.contexts import RegionAccessContext
from posture.rules.rule import Family, Rule

DEPLOYMENT = "CloudFormation"  # the resource of calls that CloudFormation made
MAX_CALLS = 5  # that a finding names, the latest first

MONITOR_TAMPERING: Rule[RegionAccessContext] = Rule(
    id="monitor-tampering",
    title="A call can have stopped the monitoring",
    requirement="Nobody changes what the monitor consists of, except by a planned deployment",
    family=Family.ACCOUNTS,
    severity=Severity.HIGH,
    rationale=(
        "The call changed what the monitor needs to see changes and to report them: a trail, or "
        "an event rule, queue, topic, function, role, table, key, alarm or endpoint of its stack. "
        "What was changed in the networks since then may not be reported."
    ),
    remediation=(
        "Ask the caller whether this was planned. Restore what the call changed, and start a "
        "sweep, which finds what was missed. Then acknowledge the finding by a waiver: when the "
        "waiver has expired, the next sweep resolves the finding."
    ),
    evaluate=lambda _: (),
    reads=frozenset(),
    references=(
        "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/detect-drift-stack.html",
    ),
)
RULES: tuple[Rule[RegionAccessContext], ...] = (MONITOR_TAMPERING,)


def name_tampered(call: Change) -> Sequence[str]:
    """Return the resources of the findings of a call.

    What CloudFormation changes in one deployment is one finding, not one of each resource.
    """
    return (DEPLOYMENT,) if is_deployment(call) else sorted(call.resource_ids)


def add_call(known: Verdict | None, call: Change, resource: str) -> Verdict:
    """Add a call to the verdict on what it changed.

    Args:
        known: The verdict so far; None if there is no unresolved finding.
        call: The call.
        resource: What it changed, as `name_tampered` returns it.
    """
    rule = MONITOR_TAMPERING
    what = ", ".join(sorted(call.resource_ids))
    name = f"{call.event_source.partition('.')[0]}:{call.event_name}"
    at, origin = format_iso(call.time), call.source_ip or "an unknown address"
    fact = Evidence(
        f"{call.actor} called {name} on {what} from {origin} at {at}",
        {
            "event_id": call.event_id,
            "call": name,
            "changed": what,
            "caller": str(call.actor),
            "source_ip": call.source_ip,
            "user_agent": call.user_agent,
            "time": at,
        },
    )
    earlier = known.evidence if known else ()
    facts = sorted((fact, *earlier), key=lambda it: it.record.get("time", ""), reverse=True)
    latest = facts[0].record
    return Verdict(
        rule=rule.id,
        resource=resource,
        status=Status.FAIL,
        severity=Severity.MEDIUM if resource == DEPLOYMENT else rule.severity,
        summary=f"{latest.get('caller')} called {latest.get('call')} on {latest.get('changed')}, "
        "which can stop the monitoring",
        evidence=tuple(facts[:MAX_CALLS]),
        remediation=Remediation(f"{rule.remediation} {_describe_acknowledgement(call, resource)}"),
        concerns=call.resource_ids | {resource},
    )


def _describe_acknowledgement(call: Change, resource: str) -> str:
    """Describe the command that acknowledges a finding, here alone and not in other accounts."""
    options = f"--resource {quote(resource)} --scope {call.region.monitor}"
    return (
        f"To acknowledge it: posture waiver add --rule {MONITOR_TAMPERING.id} {options} "
        "--expires 1h --ticket TICKET --reason REASON"
    )


def knows_call(verdict: Verdict, call: Change) -> bool:
    """Whether a verdict names a call, or has named it before later ones took its place."""
    if any(each.record.get("event_id") == call.event_id for each in verdict.evidence):
        return True
    oldest = min((each.record.get("time", "") for each in verdict.evidence), default="")
    return len(verdict.evidence) >= MAX_CALLS and format_iso(call.time) < oldest
