"""Runs the catalogue over one picture: every rule answers, and none can stop the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from posture.errors import describe_error
from posture.model.baseline import Baseline
from posture.model.endpoint_service import EndpointServiceSnapshot, ServiceFacet
from posture.model.network import Facet, Snapshot
from posture.model.scope import Scope
from posture.model.verdict import Evidence, Remediation, Status, Verdict
from posture.rules.rule import ContextT, EndpointServiceContext, Rule, RuleResult, VpcContext
from posture.rules.rule_catalogue import SERVICE_RULES, VPC_RULES

RULE_ERROR = "could not be judged: the rule itself failed"

Unreadable = Mapping[Facet, str] | Mapping[ServiceFacet, str]


def evaluate_vpc(
    snapshot: Snapshot, baseline: Baseline, rules: Iterable[Rule[VpcContext]] = VPC_RULES
) -> tuple[Verdict, ...]:
    """Give every rule's verdicts on a VPC, passes included.

    A rule that fails by a mistake of ours answers unknown for the whole VPC.
    """
    return evaluate_context(VpcContext(snapshot, baseline), rules)


def evaluate_context(
    context: VpcContext, rules: Iterable[Rule[VpcContext]] = VPC_RULES
) -> tuple[Verdict, ...]:
    """Judge a VPC whose analyses the caller wants to read, too."""
    return _judged(rules, context, context.snapshot.scope, context.snapshot.unreadable)


def evaluate_endpoint_service(
    snapshot: EndpointServiceSnapshot,
    baseline: Baseline,
    rules: Iterable[Rule[EndpointServiceContext]] = SERVICE_RULES,
) -> tuple[Verdict, ...]:
    """Give every rule's verdicts on an endpoint service, as `judge_vpc` does."""
    context = EndpointServiceContext(snapshot, baseline)
    return _judged(rules, context, snapshot.scope, snapshot.unreadable)


def is_rule_error(verdict: Verdict) -> bool:
    """Tell whether it stands in for the verdict of a rule that failed."""
    return verdict.status is Status.UNKNOWN and verdict.summary.endswith(RULE_ERROR)


def _judged(
    rules: Iterable[Rule[ContextT]], context: ContextT, scope: Scope, unreadable: Unreadable
) -> tuple[Verdict, ...]:
    return tuple(
        verdict for rule in rules for verdict in _answers(rule, context, scope, unreadable)
    )


def _answers(
    rule: Rule[ContextT], context: ContextT, scope: Scope, unreadable: Unreadable
) -> Iterator[Verdict]:
    """Let one rule answer: unknown on the whole scope where it may not read what it needs."""
    denied = {facet.value: reason for facet, reason in unreadable.items() if facet in rule.reads}
    if denied:
        yield _denied(rule, scope, denied)
        return
    try:
        judgements = list(rule.evaluate(context))
    except Exception as error:  # noqa: BLE001 - a mistake in one rule must not hide the others
        yield _failed(rule, scope, error)
        return
    yield from (_signed(rule, judgement, scope.region) for judgement in judgements)


def _signed(rule: Rule[ContextT], judgement: RuleResult, region: str) -> Verdict:
    return Verdict(
        rule=rule.id,
        resource=judgement.resource,
        status=judgement.status,
        severity=judgement.severity or rule.severity,
        summary=judgement.summary,
        evidence=judgement.evidence,
        remediation=_remedy(rule, judgement, region),
        concerns=judgement.concerns | {judgement.resource},
        root=judgement.root,
    )


def _remedy(rule: Rule[ContextT], judgement: RuleResult, region: str) -> Remediation | None:
    """Give what to do; there is nothing to do about what passes or does not apply."""
    if judgement.status not in {Status.FAIL, Status.UNKNOWN}:
        return None
    remedy = judgement.remediation or Remediation(rule.remediation)
    return replace(remedy, command=_in_region(remedy.command, region))


def _in_region(command: str, region: str) -> str:
    """Name the region in each call of a command: the shell it is typed in may be at home elsewhere.

    `--region` is an option of every call:
    https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-options.html
    """
    calls = command.split(" && ") if command else ()
    return " && ".join(
        f"{call} --region {region}" if call.startswith("aws ") else call for call in calls
    )


def _denied(rule: Rule[ContextT], scope: Scope, denied: Mapping[str, str]) -> Verdict:
    calls = ", ".join(f"ec2:{operation}" for operation in sorted(denied))
    return Verdict(
        rule=rule.id,
        resource=scope.subject,
        status=Status.UNKNOWN,
        severity=rule.severity,
        summary=f"{scope.subject} could not be judged: {calls} cannot be read",
        evidence=tuple(
            Evidence(f"{operation}: {reason}", {"operation": operation, "reason": reason})
            for operation, reason in sorted(denied.items())
        ),
        remediation=Remediation(f"Let the monitor's role call {calls}."),
        concerns=frozenset({scope.subject}),
    )


def _failed(rule: Rule[ContextT], scope: Scope, error: Exception) -> Verdict:
    what = describe_error(error)
    return Verdict(
        rule=rule.id,
        resource=scope.subject,
        status=Status.UNKNOWN,
        severity=rule.severity,
        summary=f"{scope.subject} {RULE_ERROR}",
        evidence=(Evidence(what, {"error": what}),),
        remediation=Remediation("This is a mistake of the monitor: please report it."),
        concerns=frozenset({scope.subject}),
    )
