"""The rule about endpoints that connect to other customers' services."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from posture.edits.operations.endpoints import DeleteVpcEndpoints
from posture.model.network import Endpoint, Facet
from posture.model.service_names import CUSTOM_SERVICE_NAME
from posture.model.verdict import Evidence, Remediation, Severity
from posture.rules.contexts import VpcContext
from posture.rules.controls import OUTBOUND
from posture.rules.evidence import endpoint_evidence
from posture.rules.remediation import list_remediations
from posture.rules.remediation.gateways import delete_route
from posture.rules.result import RuleResult, failed, passed, undecided
from posture.rules.rule import Family, Rule

ARN_OWNER = re.compile(r"arn:[a-z-]+:vpc-lattice:[a-z0-9-]+:(\d{12}):.+")
OWNER = re.compile(r"\d{12}")

SHARED = "https://docs.aws.amazon.com/vpc/latest/privatelink/privatelink-access-saas.html"


def _customer_services(vpc: VpcContext) -> Iterator[RuleResult]:
    for endpoint in vpc.endpoints:
        name = endpoint.service_name
        if CUSTOM_SERVICE_NAME.fullmatch(name) or ARN_OWNER.fullmatch(name):
            yield _ownership(vpc, endpoint)


def _ownership(vpc: VpcContext, endpoint: Endpoint) -> RuleResult:
    owner = _owner(vpc, endpoint)
    allowed = vpc.baseline.allowed_endpoint_services
    name = f"{endpoint.id} to {endpoint.service_name}"
    if endpoint.service_name in allowed:
        return passed(endpoint.id, f"{name}: the baseline allows the service")
    if owner in allowed or owner in vpc.baseline.trusted_accounts:
        return passed(endpoint.id, f"{name}: the baseline allows {owner}")
    if not owner and endpoint.service_name in vpc.snapshot.services:
        why = "DescribeVpcEndpointServices returns no owner"
        evidence = Evidence(f"{endpoint.id}: {why}.", {"endpoint": endpoint.id, "why": why})
        return undecided(endpoint.id, f"{name}: the owner of the service is not known", (evidence,))
    fact = f"{endpoint.service_name} is owned by account {owner}."
    if not owner:
        fact = (
            f"DescribeVpcEndpointServices does not list {endpoint.service_name} for this account, "
            "so its owner is not known."
        )
    return failed(
        resource=endpoint.id,
        summary=f"{endpoint.id} connects to {endpoint.service_name}"
        f"{f' of {owner}' if owner else ''}, which the baseline does not allow",
        evidence=(
            endpoint_evidence(endpoint),
            Evidence(fact, {"service": endpoint.service_name, "owner": owner or "unknown"}),
        ),
        propose=partial(_delete, vpc, endpoint),
    )


def _delete(vpc: VpcContext, endpoint: Endpoint) -> tuple[Remediation, ...]:
    """List what deletes an endpoint: alone, or after the routes that lead to it."""
    delete = DeleteVpcEndpoints(vpc_endpoint_ids=(endpoint.id,))
    routes = [
        delete_route(table, route)
        for _, table in sorted(vpc.snapshot.route_tables.items())
        for route in table.routes
        if route.target.id == endpoint.id
    ]
    allow = "or allow the service or its owner account in the baseline (allowed_endpoint_services)"
    return list_remediations(
        (f"Delete the endpoint, {allow}.", [delete]),
        (f"Delete the routes to the endpoint, then the endpoint, {allow}.", [*routes, delete]),
        otherwise="",
    )


def _owner(vpc: VpcContext, endpoint: Endpoint) -> str | None:
    """Return the account that owns the service, or None where it is not known."""
    if found := ARN_OWNER.fullmatch(endpoint.service_name):
        return found.group(1)
    service = vpc.snapshot.services.get(endpoint.service_name)
    return service.owner if service and OWNER.fullmatch(service.owner) else None


RULES: tuple[Rule[VpcContext], ...] = (
    Rule(
        id="endpoint-connects-to-unlisted-service",
        title="Endpoint connects to an unlisted service",
        requirement="Endpoints connect to AWS services and to services that the baseline allows",
        family=Family.TRUST,
        severity=Severity.HIGH,
        rationale=(
            "An endpoint to another customer's service is a private path out of the VPC that no "
            "firewall inspects: the service owner receives all data sent to it. A service that "
            "AWS does not list for this account can be allowed only by name, as its owner is not "
            "known."
        ),
        remediation="Delete the endpoint, or allow the service in the baseline.",
        evaluate=_customer_services,
        reads=frozenset({Facet.ENDPOINTS, Facet.SERVICES}),
        controls=OUTBOUND,
        references=(SHARED,),
    ),
)
