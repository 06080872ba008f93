"""Rules about the paths to central endpoints and back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from posture.analysis.central.answers import StepStatus
from posture.model.service_names import short_name
from posture.model.verdict import Severity
from posture.rules.central.names import NEEDED, REPORTED, WHITEPAPER
from posture.rules.central.steps import (
    build_evidence,
    build_failure,
    build_unknown,
    describe_break,
    is_decided_by_names,
)
from posture.rules.central.use import Break, CentralUse, list_lacking, list_uses
from posture.rules.contexts import VpcContext
from posture.rules.evidence import join_names
from posture.rules.result import RuleResult, not_applicable, passed
from posture.rules.rule import Family, Rule

TRANSIT = "https://docs.aws.amazon.com/vpc/latest/tgw/how-transit-gateways-work.html"


def _unreachable(vpc: VpcContext) -> Iterator[RuleResult]:
    for use, reported in _list_used(vpc):
        name, ids = use.service.name, join_names(use.endpoints)
        if reported:
            yield not_applicable(name, f"{ids} ({short_name(name)}): {REPORTED}")
        elif use.broken is Break.PATH:
            yield _fail(vpc, use)
        elif use.status is StepStatus.UNKNOWN and not is_decided_by_names(use):
            yield build_unknown(vpc, use, name)
        elif use.broken is Break.RETURN:
            summary = (
                f"{ids} ({short_name(name)}): reported by central-endpoint-return-path-missing"
            )
            yield not_applicable(name, summary)
        else:
            summary = f"{vpc.snapshot.vpc.id} reaches {ids} ({short_name(name)})"
            yield passed(name, summary, tuple(build_evidence(use)), concerns=use.concerns)


def _no_return(vpc: VpcContext) -> Iterator[RuleResult]:
    for use, reported in _list_used(vpc):
        name, ids = use.service.name, join_names(use.endpoints)
        if reported and use.broken:
            yield not_applicable(name, f"{ids} ({short_name(name)}): {REPORTED}")
        elif use.broken is Break.RETURN:
            yield _fail(vpc, use)
        elif use.broken is None and use.status is not StepStatus.UNKNOWN:
            summary = f"a path leads from {ids} ({short_name(name)}) back to {vpc.snapshot.vpc.id}"
            yield passed(name, summary, concerns=use.concerns)


def _list_used(vpc: VpcContext) -> Iterator[tuple[CentralUse, bool]]:
    """List the uses of central endpoints, and whether the rule about required services has each."""
    lacking = list_lacking(vpc)
    for use in list_uses(vpc):
        if use.endpoints:
            broken = use.broken is not None or use.status is StepStatus.UNKNOWN
            yield use, broken and use.service.name in lacking


def _fail(vpc: VpcContext, use: CentralUse) -> RuleResult:
    found = build_failure(vpc, use, use.service.name, describe_break(vpc, use))
    partly = use.status is StepStatus.PARTLY
    return replace(found, severity=Severity.MEDIUM if partly else None)


_rule = partial(Rule, family=Family.CENTRAL, reads=NEEDED, references=(TRANSIT, WHITEPAPER))
RULES: tuple[Rule[VpcContext], ...] = (
    _rule(
        id="central-endpoint-unreachable",
        title="Central endpoint is not reachable",
        requirement="VPCs whose names lead to an endpoint in another VPC reach it",
        severity=Severity.HIGH,
        rationale=(
            "Names that lead to an endpoint in another VPC have no other address: without a path "
            "to it, the service cannot be reached at all. The evidence has each step of the path, "
            "from the subnet's route table over the transit gateway or peering connection to the "
            "endpoint's security group, up to the first one that is broken. The last step is the "
            "endpoint policy, which has to allow some request of the VPC's account. A required "
            "service is reported by required-service-without-endpoint instead."
        ),
        remediation="Repair the step of the path that the finding names.",
        evaluate=_unreachable,
    ),
    _rule(
        id="central-endpoint-return-path-missing",
        title="No path leads back from a central endpoint",
        requirement="Traffic from endpoints in other VPCs has a path back",
        severity=Severity.HIGH,
        rationale=(
            "Requests arrive at the endpoint, but its responses are dropped, so clients run into "
            "timeouts. The subnets of the endpoint need a route to the VPC, and so does the route "
            "table that is associated with the attachment of the endpoint's VPC."
        ),
        remediation="Route the VPC's CIDR blocks back from the VPC of the endpoint.",
        evaluate=_no_return,
    ),
)
