"""The rule about VPCs that have several interface endpoints for one service."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from posture.analysis.names import group_by_service
from posture.edits.operations.endpoints import DeleteVpcEndpoints
from posture.model.network import Endpoint, Facet
from posture.model.verdict import Evidence, Remediation, Severity
from posture.rules.contexts import VpcContext
from posture.rules.controls import UNNEEDED
from posture.rules.endpoint_lookups import find_interface_endpoints
from posture.rules.evidence import endpoint_evidence, format_endpoint
from posture.rules.prices import estimate_interface_hours
from posture.rules.remediation import list_remediations
from posture.rules.result import RuleResult, failed, passed
from posture.rules.rule import Family, Rule

ACCESS = "https://docs.aws.amazon.com/vpc/latest/privatelink/privatelink-access-aws-services.html"


def _duplicates(vpc: VpcContext) -> Iterator[RuleResult]:
    for endpoints in group_by_service(find_interface_endpoints(vpc)).values():
        # The endpoint with private DNS passes, or the oldest one where none has private DNS.
        first, *others = sorted(endpoints, key=lambda each: (not each.private_dns, _age(each)))
        concerns = frozenset(each.id for each in endpoints)
        summary = f"{format_endpoint(first)} is the VPC's main endpoint for the service"
        yield passed(first.id, summary, concerns=concerns)
        every = DeleteVpcEndpoints(vpc_endpoint_ids=tuple(each.id for each in others))
        for each in others:
            found = _duplicate(first, each, concerns)
            yield replace(found, propose=partial(_delete, every, each))


def _age(endpoint: Endpoint) -> tuple[str, str]:
    return str(endpoint.created_at or ""), endpoint.id


def _duplicate(first: Endpoint, second: Endpoint, concerns: frozenset[str]) -> RuleResult:
    return failed(
        resource=second.id,
        summary=f"{second.id} is a second endpoint for {second.service_name} in addition to "
        f"{first.id}",
        evidence=(
            endpoint_evidence(first),
            endpoint_evidence(second),
            Evidence(
                f"Private DNS is {'enabled' if second.private_dns else 'disabled'} for "
                f"{second.id}: clients reach it only through its endpoint-specific DNS names.",
                {"endpoint": second.id, "private_dns": str(second.private_dns)},
            ),
            estimate_interface_hours(len(second.network_interface_ids or second.subnet_ids)),
        ),
        concerns=concerns,
    )


def _delete(every: DeleteVpcEndpoints, endpoint: Endpoint) -> tuple[Remediation, ...]:
    """List what deletes a duplicate: all of them at once, or this one."""
    what = "Delete the endpoints that are not needed. If they are needed, add a waiver."
    alone = DeleteVpcEndpoints(vpc_endpoint_ids=(endpoint.id,))
    return list_remediations((what, [every]), (what, [alone]), otherwise=what)


RULES: tuple[Rule[VpcContext], ...] = (
    Rule(
        id="duplicate-interface-endpoint",
        title="VPC has duplicate interface endpoints",
        requirement="A VPC has one interface endpoint for each service",
        family=Family.INTERFACES,
        severity=Severity.LOW,
        rationale=(
            "Only one endpoint in a VPC can have private DNS for a service. A second endpoint is "
            "charged for each hour, and its policy and security groups must be maintained, too."
        ),
        remediation="Delete the endpoint that is not needed.",
        evaluate=_duplicates,
        reads=frozenset({Facet.ENDPOINTS}),
        controls=UNNEEDED,
        references=(ACCESS,),
    ),
)
