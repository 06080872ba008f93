"""Rules about endpoint services, the provider side of AWS PrivateLink."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from posture.edits.edit import Edit
from posture.edits.operations.endpoint_services import (
    ModifyVpcEndpointServiceConfiguration,
    ModifyVpcEndpointServicePermissions,
    RejectVpcEndpointConnections,
)
from posture.model.endpoint_service import Connection, ServiceFacet
from posture.model.service_names import get_partition
from posture.model.verdict import Evidence, Severity
from posture.rules.contexts import EndpointServiceContext
from posture.rules.controls import ACCESS, FLOW, INBOUND
from posture.rules.evidence import join_names
from posture.rules.remediation import build_remediation
from posture.rules.result import RuleResult, failed, not_applicable, passed, undecided
from posture.rules.rule import Family, Rule

EVERY_PRINCIPAL = "*"
ACCOUNT = re.compile(r"arn:[a-z-]+:iam::(\d{12}):.+|(\d{12})")
CONNECTED = frozenset({"available", "pending", "pendingacceptance"})

VERIFIED = "verified"
CROSS_REGION = (
    "https://docs.aws.amazon.com/vpc/latest/privatelink/"
    "privatelink-share-your-services.html#endpoint-service-cross-region"
)
NAMES = "https://docs.aws.amazon.com/vpc/latest/privatelink/manage-dns-names.html"
PERMISSIONS = "https://docs.aws.amazon.com/vpc/latest/privatelink/configure-endpoint-service.html"


def _principals(service: EndpointServiceContext) -> Iterator[RuleResult]:
    principals = service.snapshot.principals
    if EVERY_PRINCIPAL in principals:
        yield _public_service(service)
        return
    untrusted = _list_untrusted(service)
    if not untrusted:
        yield passed(service.id, f"{service.id} allows only trusted accounts")
        return
    yield failed(
        resource=service.id,
        severity=Severity.MEDIUM,
        summary=f"{service.id} allows {join_names(untrusted)}, which the baseline does not trust",
        evidence=tuple(
            Evidence(f"{each} is an allowed principal of {service.id}.", {"principal": each})
            for each in untrusted
        ),
        remediation=build_remediation(
            "Remove the principals, or trust their accounts in the baseline (trusted_accounts).",
            [_remove_principals(service, untrusted)],
        ),
    )


def _public_service(service: EndpointServiceContext) -> RuleResult:
    automatic = service.snapshot.acceptance_required is False
    acceptance = " and does not require acceptance" if automatic else ""
    return failed(
        resource=service.id,
        severity=Severity.CRITICAL if automatic else None,
        summary=f"{service.id} allows every AWS account to connect{acceptance}",
        evidence=(
            Evidence(
                f"* is an allowed principal of {service.id}; acceptance is "
                f"{'not ' if automatic else ''}required.",
                {"principal": EVERY_PRINCIPAL, "acceptance_required": str(not automatic).lower()},
            ),
        ),
        remediation=build_remediation(
            "Allow only the accounts that must connect. The command allows the trusted accounts "
            "that are connected.",
            [_remove_principals(service, _list_untrusted(service), _list_connected(service))],
        ),
    )


def _trusted(service: EndpointServiceContext, principal: str) -> bool:
    return _find_account(principal) in service.baseline.trusted_accounts


def _find_account(principal: str) -> str:
    found = ACCOUNT.fullmatch(principal)
    return (found[1] or found[2]) if found else ""


def _list_untrusted(service: EndpointServiceContext) -> list[str]:
    return [each for each in service.snapshot.principals if not _trusted(service, each)]


def _list_connected(service: EndpointServiceContext) -> list[str]:
    """Return the trusted accounts that are connected, as principals that are not allowed yet."""
    partition = get_partition(service.snapshot.scope.region)
    trusted = service.baseline.trusted_accounts
    owners = {
        each.owner
        for each in service.snapshot.connections
        if each.state in CONNECTED and each.owner in trusted
    }
    allowed = {_find_account(each) for each in service.snapshot.principals}
    return [f"arn:{partition}:iam::{each}:root" for each in sorted(owners - allowed)]


def _remove_principals(
    service: EndpointServiceContext, principals: Sequence[str], added: Sequence[str] = ()
) -> Edit:
    return ModifyVpcEndpointServicePermissions(
        service_id=service.id,
        add_allowed_principals=tuple(added),
        remove_allowed_principals=tuple(principals),
    )


def _connections(service: EndpointServiceContext) -> Iterator[RuleResult]:
    live = [each for each in service.snapshot.connections if each.state in CONNECTED]
    untrusted = [each for each in live if each.owner not in service.baseline.trusted_accounts]
    concerns = frozenset({service.id, *(each.endpoint_id for each in live)})
    if not untrusted:
        summary = f"{len(live)} endpoints of trusted accounts are connected to {service.id}"
        yield passed(service.id, summary, concerns=concerns)
        return
    owners = sorted({each.owner for each in untrusted})
    reject = RejectVpcEndpointConnections(
        service_id=service.id,
        vpc_endpoint_ids=tuple(each.endpoint_id for each in untrusted),
    )
    yield failed(
        resource=service.id,
        summary=f"{service.id} has connections from endpoints of {join_names(owners)}, which the "
        "baseline does not trust",
        evidence=tuple(map(_connection_evidence, untrusted)),
        remediation=build_remediation(
            "Reject the connections, or trust the accounts in the baseline (trusted_accounts).",
            [reject],
        ),
        concerns=concerns,
    )


def _connection_evidence(connection: Connection) -> Evidence:
    return Evidence(
        f"The connection from {connection.endpoint_id} of account {connection.owner} is in state "
        f"{connection.state}.",
        {"endpoint": connection.endpoint_id, "owner": connection.owner, "state": connection.state},
    )


def _acceptance(service: EndpointServiceContext) -> Iterator[RuleResult]:
    required = service.snapshot.acceptance_required
    if required is None:
        summary = f"{service.id}: EC2 does not return whether acceptance is required"
        yield undecided(service.id, summary)
        return
    if required:
        yield passed(service.id, f"{service.id} requires acceptance")
        return
    yield failed(
        resource=service.id,
        summary=f"{service.id} accepts all connection requests from its allowed principals",
        evidence=(
            Evidence(
                f"AcceptanceRequired of {service.id} is false.",
                {"service": service.snapshot.name, "acceptance_required": "false"},
            ),
        ),
        remediation=build_remediation(
            "Require acceptance for connection requests.",
            [
                ModifyVpcEndpointServiceConfiguration(
                    service_id=service.id, acceptance_required=True
                )
            ],
        ),
    )


def _private_name(service: EndpointServiceContext) -> Iterator[RuleResult]:
    snapshot = service.snapshot
    name, state = snapshot.private_dns_name, snapshot.private_dns_state
    if not name:
        yield not_applicable(service.id, f"{service.id} has no private DNS name")
        return
    fact = Evidence(
        f"The private DNS name {name} of {service.id} is in state {state or 'unknown'}.",
        {"service": snapshot.name, "private_dns_name": name, "state": state or ""},
    )
    if state is None:
        summary = f"{service.id}: EC2 does not return the verification state of {name}"
        yield undecided(service.id, summary, (fact,))
        return
    if state == VERIFIED:
        yield passed(service.id, f"the private DNS name {name} is verified", (fact,))
        return
    remove = ModifyVpcEndpointServiceConfiguration(
        service_id=service.id, remove_private_dns_name=True
    )
    yield failed(
        resource=service.id,
        summary=f"the private DNS name {name} of {service.id} is in state {state}, not verified",
        evidence=(fact,),
        remediation=build_remediation(
            "Add the TXT record that EC2 specifies to the domain's public hosted zone, then start "
            "the verification. If the name is not needed, remove it.",
            None if _is_connected(service) else [remove],
        ),
    )


def _is_connected(service: EndpointServiceContext) -> bool:
    """Return whether endpoints are connected, so that the private DNS name cannot be removed.

    https://docs.aws.amazon.com/vpc/latest/privatelink/manage-dns-names.html
    """
    unread = ServiceFacet.CONNECTIONS in service.snapshot.unreadable
    return unread or any(each.state in CONNECTED for each in service.snapshot.connections)


def _regions(service: EndpointServiceContext) -> Iterator[RuleResult]:
    own = service.snapshot.scope.region
    regions = service.snapshot.regions
    if regions is None:
        yield not_applicable(service.id, f"{service.id}: EC2 does not return supported Regions")
        return
    allowed = service.baseline.allowed_regions | {own}
    others = sorted(each for each in regions if each not in allowed)
    if not others:
        summary = f"{service.id} accepts connections from {own} and allowed Regions only"
        yield passed(service.id, summary)
        return
    yield failed(
        resource=service.id,
        summary=f"{service.id} accepts connections from {join_names(others)}",
        evidence=(
            Evidence(
                f"SupportedRegions of {service.id}: {join_names(sorted(regions))}.",
                {"service": service.snapshot.name, "regions": ", ".join(sorted(regions))},
            ),
        ),
        remediation=build_remediation(
            "Remove the Regions, or allow them in the baseline (allowed_regions).",
            [
                ModifyVpcEndpointServiceConfiguration(
                    service_id=service.id, remove_supported_regions=tuple(others)
                )
            ],
        ),
    )


RULES: tuple[Rule[EndpointServiceContext], ...] = (
    Rule(
        id="endpoint-service-allows-untrusted-principal",
        title="Endpoint service allows untrusted principals",
        requirement="Endpoint services allow only trusted accounts to connect",
        family=Family.SERVICES,
        severity=Severity.HIGH,
        rationale=(
            "Every allowed principal can connect to the service from its own VPC. If the service "
            "allows all principals and does not require acceptance, every AWS account can connect."
        ),
        remediation="Allow only the accounts that must connect.",
        evaluate=_principals,
        reads=frozenset({ServiceFacet.CONFIGURATION, ServiceFacet.PERMISSIONS}),
        controls=ACCESS,
        references=(PERMISSIONS,),
    ),
    Rule(
        id="endpoint-service-untrusted-connection",
        title="Untrusted account connected to endpoint service",
        requirement="No endpoint of an untrusted account is connected to an endpoint service",
        family=Family.SERVICES,
        severity=Severity.HIGH,
        rationale=(
            "Removing an allowed principal does not end its existing connections. The untrusted "
            "account keeps access until its connection is rejected."
        ),
        remediation="Reject the connection.",
        evaluate=_connections,
        reads=frozenset({ServiceFacet.CONFIGURATION, ServiceFacet.CONNECTIONS}),
        controls=INBOUND,
        references=(PERMISSIONS,),
    ),
    Rule(
        id="endpoint-service-acceptance-not-required",
        title="Endpoint service does not require acceptance",
        requirement="Endpoint services require acceptance of connection requests",
        family=Family.SERVICES,
        severity=Severity.LOW,
        rationale=(
            "Without acceptance, every allowed principal connects at once and no one reviews the "
            "connection request."
        ),
        remediation="Require acceptance for connection requests.",
        evaluate=_acceptance,
        reads=frozenset({ServiceFacet.CONFIGURATION}),
        controls=ACCESS,
        references=(PERMISSIONS,),
    ),
    Rule(
        id="endpoint-service-private-dns-unverified",
        title="Service private DNS name is not verified",
        requirement="The private DNS name of an endpoint service is verified",
        family=Family.SERVICES,
        severity=Severity.LOW,
        rationale=(
            "Service consumers cannot use the private DNS name until AWS has verified the owner of "
            "the domain. Verification also fails later when the TXT record or the domain is lost."
        ),
        remediation="Verify the domain of the private DNS name.",
        evaluate=_private_name,
        reads=frozenset({ServiceFacet.CONFIGURATION}),
        references=(NAMES,),
    ),
    Rule(
        id="endpoint-service-supports-other-region",
        title="Endpoint service accepts other Regions",
        requirement="Endpoint services accept connections from their Region or an allowed Region",
        family=Family.SERVICES,
        severity=Severity.LOW,
        rationale=(
            "Allowed principals can connect from every supported Region, so data leaves the Region "
            "in which it should stay."
        ),
        remediation="Remove the Regions from the endpoint service.",
        evaluate=_regions,
        reads=frozenset({ServiceFacet.CONFIGURATION}),
        controls=FLOW,
        references=(CROSS_REGION,),
    ),
)
