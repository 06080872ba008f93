"""Rules about whose services endpoints lead to."""

from __future__ import annotations

import re
from collections.abc import Iterator

from posture.model.network import Endpoint, Facet
from posture.model.service_names import CUSTOM_SERVICE_NAME
from posture.model.verdict import Evidence, Remediation, Severity, Status
from posture.rules.controls import BOUNDARY
from posture.rules.evidence import endpoint_evidence
from posture.rules.rule import Family, Rule, RuleResult, VpcContext

ARN_OWNER = re.compile(r"arn:[a-z-]+:vpc-lattice:[a-z0-9-]+:(\d{12}):.+")
OWNER = re.compile(r"\d{12}")

SHARED = "https://docs.aws.amazon.com/vpc/latest/privatelink/privatelink-access-saas.html"


# --- an endpoint to somebody else's service ------------------------------------------------------


def _foreign(vpc: VpcContext) -> Iterator[RuleResult]:
    for endpoint in vpc.endpoints:
        if _is_somebodys(endpoint):
            yield _ownership(vpc, endpoint)


def _is_somebodys(endpoint: Endpoint) -> bool:
    """Tell whether an endpoint leads to a customer's service, not to one of AWS's own."""
    name = endpoint.service_name
    return bool(CUSTOM_SERVICE_NAME.fullmatch(name) or ARN_OWNER.fullmatch(name))


def _undecided(endpoint: Endpoint, summary: str, why: str) -> RuleResult:
    fact = Evidence(f"{endpoint.id}: {why}.", {"endpoint": endpoint.id, "why": why})
    return RuleResult(endpoint.id, Status.UNKNOWN, summary, (fact,))


def _ownership(vpc: VpcContext, endpoint: Endpoint) -> RuleResult:
    owner = _owner(vpc, endpoint)
    allowed = vpc.baseline.allowed_endpoint_services
    name = f"{endpoint.id} to {endpoint.service_name}"
    if endpoint.service_name in allowed:
        return RuleResult(endpoint.id, Status.PASS, f"{name}: the baseline allows the service")
    if owner in allowed or owner in vpc.baseline.trusted_accounts:
        return RuleResult(endpoint.id, Status.PASS, f"{name}: the baseline allows {owner}")
    if owner:
        told, whom = f"{endpoint.service_name} is owned by {owner}.", f" of {owner}, whom"
    elif endpoint.service_name in vpc.snapshot.services:
        return _undecided(endpoint, f"{name}: whose service it is is not known", "no owner is told")
    else:
        told = (
            f"The region's catalogue does not list {endpoint.service_name}: nobody lets this "
            "account find it, and whose it is is not told."
        )
        whom = ", which"
    return RuleResult(
        resource=endpoint.id,
        status=Status.FAIL,
        summary=f"{endpoint.id} leads to {endpoint.service_name}{whom} the baseline does not allow",
        evidence=(
            endpoint_evidence(endpoint),
            Evidence(told, {"service": endpoint.service_name, "owner": owner or "unknown"}),
        ),
        remediation=Remediation(
            "Delete the endpoint, or allow the service or its owner in the baseline "
            "(allowed_endpoint_services).",
            f"aws ec2 delete-vpc-endpoints --vpc-endpoint-ids {endpoint.id}",
        ),
    )


def _owner(vpc: VpcContext, endpoint: Endpoint) -> str | None:
    """Give the account that owns the service; None where nobody tells."""
    if found := ARN_OWNER.fullmatch(endpoint.service_name):
        return found.group(1)
    service = vpc.snapshot.services.get(endpoint.service_name)
    return service.owner if service and OWNER.fullmatch(service.owner) else None


RULES: tuple[Rule[VpcContext], ...] = (
    Rule(
        id="endpoint-connects-to-unlisted-service",
        title="endpoint leads to a stranger's service",
        requirement="Endpoints lead to AWS's services, or to those the baseline allows",
        family=Family.TRUST,
        severity=Severity.HIGH,
        rationale=(
            "An endpoint to somebody's own service is a private way out of the VPC that no "
            "firewall sees: its owner receives whatever is sent there. One that the region's "
            "catalogue does not list is allowed by its name alone, as its owner is not told."
        ),
        remediation="Delete the endpoint, or allow the service in the baseline.",
        evaluate=_foreign,
        reads=frozenset({Facet.ENDPOINTS, Facet.SERVICES}),
        controls=BOUNDARY,
        references=(SHARED,),
    ),
)
