"""Evaluates all rules on one snapshot; a rule that fails does not stop the others."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache

from posture.errors import describe_error
from posture.model.baseline import Baseline
from posture.model.endpoint_service import EndpointServiceSnapshot, ServiceFacet
from posture.model.network import Facet, Snapshot
from posture.model.region_access import RegionAccess
from posture.model.scope import Scope
from posture.model.verdict import Evidence, Remediation, Status, Verdict
from posture.rules import default_vpcs
from posture.rules.contexts import EndpointServiceContext, RegionAccessContext, VpcContext
from posture.rules.result import RuleResult, undecided
from posture.rules.rule import ContextT, Rule
from posture.rules.rule_catalogue import ACCESS_RULES, SERVICE_RULES, VPC_RULES

RULE_ERROR = "could not be evaluated: internal error in the rule"
BAD = frozenset({Status.FAIL, Status.UNKNOWN})
DEFAULT_VPC_RULES = frozenset(rule.id for rule in default_vpcs.RULES)

Unreadable = Mapping[Facet, str] | Mapping[ServiceFacet, str]


# An AWS CLI call, maybe one whose output a shell variable takes: `GROUP=$(aws … --query GroupId …)`
CALL = re.compile(r"^((?:\w+=\$\()?aws .*?)( --query \S+ --output text\))?$", re.DOTALL)
LIST_ID = re.compile(r"\bpl-\w+")


def evaluate_vpc(
    snapshot: Snapshot, baseline: Baseline, rules: Iterable[Rule[VpcContext]] = VPC_RULES
) -> tuple[Verdict, ...]:
    """Evaluate rules on a VPC and return all verdicts, passes included.

    A rule that raises an exception yields one unknown verdict for the whole VPC.
    """
    return evaluate_context(VpcContext(snapshot, baseline), rules)


def evaluate_context(
    context: VpcContext, rules: Iterable[Rule[VpcContext]] = VPC_RULES
) -> tuple[Verdict, ...]:
    """Evaluate rules on a VPC as `evaluate_vpc`, for callers that also read its analyses.

    For a default VPC that nothing uses, one rule stands for all.
    """
    snapshot = context.snapshot
    verdicts = _evaluate(rules, context, snapshot.scope, snapshot.unreadable)
    return tuple(map(_waive_unused, verdicts)) if context.is_unused_default else verdicts


def _waive_unused(verdict: Verdict) -> Verdict:
    """Replace a verdict on an unused default VPC, except an error and the rule for all others."""
    if is_rule_error(verdict) or verdict.rule in DEFAULT_VPC_RULES:
        return verdict
    summary = f"{verdict.resource} is in a default VPC that nothing uses"
    return replace(
        verdict,
        status=Status.NOT_APPLICABLE,
        summary=summary,
        evidence=(),
        remediation=None,
        root="",
        alternatives=(),
    )


def evaluate_endpoint_service(
    snapshot: EndpointServiceSnapshot,
    baseline: Baseline,
    rules: Iterable[Rule[EndpointServiceContext]] = SERVICE_RULES,
) -> tuple[Verdict, ...]:
    """Evaluate rules on an endpoint service, as `evaluate_vpc` does on a VPC."""
    context = EndpointServiceContext(snapshot, baseline)
    return _evaluate(rules, context, snapshot.scope, snapshot.unreadable)


def evaluate_region_access(access: RegionAccess, baseline: Baseline) -> tuple[Verdict, ...]:
    """Evaluate the rules about accounts, which themselves say what cannot be read."""
    return _evaluate(ACCESS_RULES, RegionAccessContext(access, baseline), access.scope, {})


def is_rule_error(verdict: Verdict) -> bool:
    """Return whether a verdict stands for a rule that raised an exception."""
    return verdict.status is Status.UNKNOWN and verdict.summary.endswith(RULE_ERROR)


def _evaluate(
    rules: Iterable[Rule[ContextT]], context: ContextT, scope: Scope, unreadable: Unreadable
) -> tuple[Verdict, ...]:
    return tuple(
        _to_verdict(rule, result, None if context.is_trial else scope.region)
        for rule in rules
        for result in _evaluate_rule(rule, context, scope.subject, unreadable)
    )


def _evaluate_rule(
    rule: Rule[ContextT], context: ContextT, subject: str, unreadable: Unreadable
) -> Iterable[RuleResult]:
    """Evaluate one rule, or answer unknown for the whole scope where its input is incomplete."""
    denied = {facet.value: reason for facet, reason in unreadable.items() if facet in rule.reads}
    if denied:
        return [_missing_input(subject, denied)]
    try:
        results = list(rule.evaluate(context))
        if unreadable:
            results = [_name_unread_list(each, unreadable) for each in results]
        if context.is_trial or not context.proposes:
            return results
        return list(map(_propose, results))
    except Exception as error:  # noqa: BLE001 - an error in one rule must not hide the others
        return [_internal_error(subject, error)]


def _name_unread_list(result: RuleResult, unreadable: Unreadable) -> RuleResult:
    """Add the call that failed to a result that lacks the entries of a prefix list.

    One list that is not read hides what depends on it, not what a rule says of other resources.
    """
    if result.status is not Status.UNKNOWN or not LIST_ID.search(result.summary):
        return result
    why = {it.value: reason for it, reason in unreadable.items() if it is Facet.PREFIX_LISTS}
    if not why:
        return result
    missing = _missing_input(result.resource, why)
    remediation = result.remediation or missing.remediation
    return replace(result, evidence=(*result.evidence, *missing.evidence), remediation=remediation)


def _propose(result: RuleResult) -> RuleResult:
    """Return a result with the remediations that it proposes; an error there hides no finding."""
    if result.propose is None:
        return result
    try:
        best, *others = result.propose()
    except Exception as error:  # noqa: BLE001 - the finding is reported all the same
        what = f"No remediation could be listed: internal error ({describe_error(error)})."
        return replace(result, remediation=Remediation(what))
    return replace(result, remediation=best, alternatives=tuple(others))


def _to_verdict(rule: Rule[ContextT], result: RuleResult, region: str | None) -> Verdict:
    """Build the verdict of a result; without a Region, no remediation is wanted."""
    candidates: tuple[Remediation, ...] = ()
    if region and result.status in BAD:
        stated = (result.remediation or Remediation(rule.remediation), *result.alternatives)
        candidates = tuple(
            replace(each, command=_add_region(each.command, region)) if each.command else each
            for each in stated
        )
    return Verdict(
        rule=rule.id,
        resource=result.resource,
        status=result.status,
        severity=result.severity or rule.severity,
        summary=result.summary,
        evidence=result.evidence,
        remediation=candidates[0] if candidates else None,
        concerns=_add_resource(result.concerns, result.resource),
        root=result.root,
        alternatives=candidates[1:],
    )


def _add_resource(concerns: frozenset[str], resource: str) -> frozenset[str]:
    """Return the same set where it has the resource: the findings on many may share a large one."""
    return concerns if resource in concerns else concerns | {resource}


@lru_cache(maxsize=128)  # as that of `build_remediation`
def _add_region(command: str, region: str) -> str:
    """Add the Region to each AWS CLI call of a command, as the shell may have another default.

    https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-options.html
    """
    calls = command.split(" && ") if command else ()
    return " && ".join(CALL.sub(rf"\1 --region {region}\2", call) for call in calls)


def _missing_input(subject: str, denied: Mapping[str, str]) -> RuleResult:
    calls = ", ".join(f"ec2:{operation}" for operation in sorted(denied))
    return undecided(
        resource=subject,
        summary=f"{subject} could not be evaluated: {calls} failed",
        evidence=tuple(
            Evidence(f"{operation}: {reason}", {"operation": operation, "reason": reason})
            for operation, reason in sorted(denied.items())
        ),
        remediation=Remediation(
            f"Allow {calls} for the monitor's IAM role. If a file was read, add the output to it."
        ),
    )


def _internal_error(subject: str, error: Exception) -> RuleResult:
    what = describe_error(error)
    return undecided(
        resource=subject,
        summary=f"{subject} {RULE_ERROR}",
        evidence=(Evidence(what, {"error": what}),),
        remediation=Remediation("This is a bug in the monitor. Report it to its maintainers."),
    )
