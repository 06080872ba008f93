"""Second endpoints of one service in a VPC."""

from __future__ import annotations

from collections.abc import Iterator

from posture.model.network import Endpoint, Facet
from posture.model.verdict import Evidence, Remediation, Severity, Status
from posture.rules.controls import LEAST_PATH
from posture.rules.evidence import endpoint_evidence, format_endpoint
from posture.rules.prices import estimate_interface_hours
from posture.rules.remediation_commands import find_interface_endpoints
from posture.rules.rule import Family, Rule, RuleResult, VpcContext

ACCESS = "https://docs.aws.amazon.com/vpc/latest/privatelink/privatelink-access-aws-services.html"


def _duplicates(vpc: VpcContext) -> Iterator[RuleResult]:
    by_service: dict[str, list[Endpoint]] = {}
    for endpoint in find_interface_endpoints(vpc):
        by_service.setdefault(endpoint.service_name, []).append(endpoint)
    for endpoints in by_service.values():
        # The one that has the service's names stays; the oldest where none has.
        first, *others = sorted(endpoints, key=lambda each: (not each.private_dns, _age(each)))
        concerns = frozenset(each.id for each in endpoints)
        summary = f"{format_endpoint(first)} is the one that the service's names lead to"
        yield RuleResult(first.id, Status.PASS, summary, concerns=concerns)
        yield from (_second(first, each, concerns) for each in others)


def _age(endpoint: Endpoint) -> tuple[str, str]:
    return str(endpoint.created_at or ""), endpoint.id


def _second(first: Endpoint, second: Endpoint, concerns: frozenset[str]) -> RuleResult:
    return RuleResult(
        resource=second.id,
        status=Status.FAIL,
        summary=f"{second.id} is a second endpoint of {second.service_name} beside {first.id}",
        evidence=(
            endpoint_evidence(first),
            endpoint_evidence(second),
            Evidence(
                f"Private DNS of {second.id} is {'on' if second.private_dns else 'off'}: only who "
                "uses its own names reaches it.",
                {"endpoint": second.id, "private_dns": str(second.private_dns)},
            ),
            estimate_interface_hours(len(second.network_interface_ids or second.subnet_ids)),
        ),
        remediation=Remediation(
            "Delete the one that is not needed; if both are, say so by a waiver.",
            f"aws ec2 delete-vpc-endpoints --vpc-endpoint-ids {second.id}",
        ),
        concerns=concerns,
    )


RULES: tuple[Rule[VpcContext], ...] = (
    Rule(
        id="duplicate-interface-endpoint",
        title="second endpoint of one service",
        requirement="A VPC has one interface endpoint of a service",
        family=Family.INTERFACES,
        severity=Severity.LOW,
        rationale=(
            "Only one endpoint of a service can have its names. A second one is charged by the "
            "hour, and is a second policy and security group to keep right, for whoever uses its "
            "own names."
        ),
        remediation="Delete the one that is not needed.",
        evaluate=_duplicates,
        reads=frozenset({Facet.ENDPOINTS}),
        controls=LEAST_PATH,
        references=(ACCESS,),
    ),
)
