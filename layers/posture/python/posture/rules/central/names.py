"""Rules about names that lead past central endpoints, and about zones that are overruled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from posture.analysis.central.answers import NameOutcome, StepStatus
from posture.analysis.central.network_index import index_network
from posture.analysis.endpoint_dns import WORKING
from posture.model.network import EndpointType, Facet
from posture.model.service_names import short_name
from posture.model.verdict import Severity
from posture.rules.central.demands import evaluate_demand, evaluate_unmatched, list_demanded
from posture.rules.central.offers import list_offers
from posture.rules.central.steps import (
    build_failure,
    build_unknown,
    describe_break,
    is_decided_by_names,
)
from posture.rules.central.use import Break, CentralUse, evaluate_use, list_lacking, list_uses
from posture.rules.contexts import VpcContext
from posture.rules.controls import BOUNDARY
from posture.rules.evidence import join_names
from posture.rules.result import RuleResult, not_applicable, passed
from posture.rules.rule import Family, Rule

ZONES = (
    "https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/"
    "hosted-zone-private-considerations.html"
)
WHITEPAPER = (
    "https://docs.aws.amazon.com/whitepapers/latest/building-scalable-secure-multi-vpc-network-"
    "infrastructure/centralized-access-to-vpc-private-endpoints.html"
)
NEEDED = frozenset(
    {
        Facet.VPC,
        Facet.SUBNETS,
        Facet.ROUTE_TABLES,
        Facet.NETWORK_ACLS,
        Facet.ENDPOINTS,
        Facet.SERVICES,
    }
)
REPORTED = "reported by required-service-without-endpoint"


def _bypasses(vpc: VpcContext) -> Iterator[RuleResult]:
    if vpc.shared is None:
        return
    lacking = list_lacking(vpc)
    demanded = list_demanded(vpc)
    uses = {use.service.name: use for use in list_uses(vpc)}
    for name in sorted(uses.keys() | demanded.keys()):
        service = vpc.snapshot.services[name]
        use = uses.get(name) or evaluate_use(vpc, service)
        broken = use.broken is not None or use.status is StepStatus.UNKNOWN
        if broken and name in lacking:
            yield not_applicable(name, f"{name}: {REPORTED}")
        elif found := evaluate_demand(vpc, use, demanded.get(name)):
            yield found
        else:
            yield _evaluate_use(vpc, use)
    yield from evaluate_unmatched(vpc)


def _evaluate_use(vpc: VpcContext, use: CentralUse) -> RuleResult:
    name, vpc_id = use.service.name, vpc.snapshot.vpc.id
    if use.status is StepStatus.UNKNOWN and use.overruled:
        return not_applicable(name, f"{name}: reported by hosted-zone-overruled")
    if use.status is StepStatus.UNKNOWN and is_decided_by_names(use):
        return build_unknown(vpc, use, name)
    if use.broken is Break.NAMES and _has_endpoint(vpc, use):
        return build_failure(vpc, use, name, describe_break(vpc, use))
    if use.broken is None and (past := _list_past(vpc, use)):
        return _fail_by_option(vpc, use, past)
    summary = f"no name of {short_name(name)} leads past the central endpoints of {vpc_id}"
    return passed(name, summary, concerns=use.concerns)


def _has_endpoint(vpc: VpcContext, use: CentralUse) -> bool:
    """Return whether there is an interface endpoint that names could lead to, and should."""
    working = (each for each in vpc.endpoints if each.service_name == use.service.name)
    own = [each for each in working if each.state in WORKING]
    if any(each.type is EndpointType.GATEWAY for each in own):
        return False  # it carries the traffic to the public addresses privately
    return bool(use.endpoints or list_offers(vpc, use.service) or own)


def _list_past(vpc: VpcContext, use: CentralUse) -> list[str]:
    """List the names that clients opt for and that lead past, while others lead to an endpoint.

    Zones of such names are optional. They are missed where another VPC has them.
    """
    if not use.endpoints or vpc.shared is None:
        return []
    index = index_network(vpc.shared)
    return [
        each.name
        for each in use.optional
        if each.outcome is NameOutcome.PUBLIC
        and index.is_covered(each.name.removeprefix("*."), use.endpoints)
    ]


def _fail_by_option(vpc: VpcContext, use: CentralUse, names: list[str]) -> RuleResult:
    found = build_failure(
        vpc,
        use,
        use.service.name,
        f"{join_names(names)} leads past the central endpoint for {short_name(use.service.name)} "
        f"in {vpc.snapshot.vpc.id}, although a zone or rule for it exists",
    )
    return replace(found, severity=Severity.LOW)


def _overruled(vpc: VpcContext) -> Iterator[RuleResult]:
    lacking = list_lacking(vpc)
    overruled: dict[str, list[CentralUse]] = {}
    for use in list_uses(vpc):
        for source in use.sources:
            overruled.setdefault(source.id, [])
            if source.overruled_by:
                overruled[source.id].append(use)
    for source_id, uses in sorted(overruled.items()):
        yield _evaluate_overruled(vpc, source_id, uses, lacking)


def _evaluate_overruled(
    vpc: VpcContext, source_id: str, uses: list[CentralUse], lacking: frozenset[str]
) -> RuleResult:
    vpc_id = vpc.snapshot.vpc.id
    concerns = frozenset({source_id, vpc_id}).union(*(each.concerns for each in uses))
    if not uses:
        return passed(source_id, f"{source_id} is not overruled in {vpc_id}", concerns=concerns)
    effective = [each for each in uses if each.overruled]
    if not effective:
        summary = f"{source_id} is overruled in {vpc_id}, to the same effect"
        return passed(source_id, summary, concerns=concerns)
    own = [each for each in effective if each.service.name not in lacking]
    if not own:
        return not_applicable(source_id, f"{source_id}: {REPORTED}", concerns=concerns)
    source = next(it for it in own[0].sources if it.id == source_id)
    found = build_failure(
        vpc,
        own[0],
        source_id,
        f"{source_id} has no effect in {vpc_id}: {source.overruled_by} covers {source.domain} as "
        "well and goes first",
    )
    return replace(found, concerns=found.concerns | concerns)


_rule = partial(
    Rule,
    family=Family.CENTRAL,
    reads=NEEDED | {Facet.DNS_ATTRIBUTES},
    references=(ZONES, WHITEPAPER),
)
RULES: tuple[Rule[VpcContext], ...] = (
    _rule(
        id="names-bypass-central-endpoint",
        title="Names bypass the central endpoint",
        requirement="All names of a service lead to its central endpoint, if some do or must",
        severity=Severity.MEDIUM,
        rationale=(
            "A service may have several names, such as those of registries or dual-stack ones. "
            "Clients that ask for one without a zone, rule or Profile reach the public endpoint, "
            "past the endpoint policy, while others use the central endpoint. The rule also fails "
            "where the baseline (central_endpoints) requires a VPC to use a hub and its names lead "
            "elsewhere, even to an endpoint of its own. A required service without an endpoint in "
            "the VPC is reported by required-service-without-endpoint instead."
        ),
        remediation="Associate the VPC with the zone, rule or Profile that covers the name.",
        evaluate=_bypasses,
        controls=BOUNDARY,
    ),
    _rule(
        id="hosted-zone-overruled",
        title="Private hosted zone has no effect",
        requirement="No other zone or Resolver rule of the same name takes the place of a zone",
        severity=Severity.MEDIUM,
        rationale=(
            "Of a Resolver rule and a private hosted zone of one name, the rule is used; of a zone "
            "of the VPC and one of a Profile, that of the VPC; of two Profiles, the one with the "
            "lower priority. The other zone is never asked, and its records lead no client to the "
            "central endpoint."
        ),
        remediation="Disassociate the zone or rule that is not wanted.",
        evaluate=_overruled,
    ),
)
