"""Rules about endpoint services, the provider's side of PrivateLink."""

from __future__ import annotations

import re
from collections.abc import Iterator

from posture.model.endpoint_service import Connection, ServiceFacet
from posture.model.verdict import Evidence, Remediation, Severity, Status
from posture.rules.controls import ACCESS, AVAILABILITY, BOUNDARY
from posture.rules.evidence import join_names
from posture.rules.rule import EndpointServiceContext, Family, Rule, RuleResult

ANYBODY = "*"
ACCOUNT = re.compile(r"arn:[a-z-]+:iam::(\d{12}):.+|(\d{12})")
CONNECTED = frozenset({"available", "pending", "pendingacceptance"})

VERIFIED = "verified"
NAMES = "https://docs.aws.amazon.com/vpc/latest/privatelink/manage-dns-names.html"
PERMISSIONS = "https://docs.aws.amazon.com/vpc/latest/privatelink/configure-endpoint-service.html"


def _service_id(service: EndpointServiceContext) -> str:
    return service.snapshot.scope.subject


# --- who may connect -----------------------------------------------------------------------------


def _principals(service: EndpointServiceContext) -> Iterator[RuleResult]:
    service_id = _service_id(service)
    principals = service.snapshot.principals
    if ANYBODY in principals:
        yield _anybody(service)
        return
    strangers = [each for each in principals if not _trusted(service, each)]
    if not strangers:
        summary = f"{service_id} lets just trusted accounts connect"
        yield RuleResult(service_id, Status.PASS, summary)
        return
    yield RuleResult(
        resource=service_id,
        status=Status.FAIL,
        severity=Severity.MEDIUM,
        summary=f"{service_id} lets {join_names(strangers)} connect, whom the baseline does not trust",
        evidence=tuple(
            Evidence(f"{each} is an allowed principal of {service_id}.", {"principal": each})
            for each in strangers
        ),
        remediation=Remediation(
            "Remove the principals, or trust their accounts in the baseline (trusted_accounts).",
            _remove(service_id, strangers),
        ),
    )


def _anybody(service: EndpointServiceContext) -> RuleResult:
    service_id = _service_id(service)
    by_itself = service.snapshot.acceptance_required is False
    how = ", and accepts them by itself" if by_itself else ""
    return RuleResult(
        resource=service_id,
        status=Status.FAIL,
        severity=Severity.CRITICAL if by_itself else None,
        summary=f"{service_id} lets every AWS account connect{how}",
        evidence=(
            Evidence(
                f"* is an allowed principal of {service_id}; acceptance is "
                f"{'not ' if by_itself else ''}required.",
                {"principal": ANYBODY, "acceptance_required": str(not by_itself).lower()},
            ),
        ),
        remediation=Remediation(
            "Allow just the accounts that are to connect.", _remove(service_id, [ANYBODY])
        ),
    )


def _trusted(service: EndpointServiceContext, principal: str) -> bool:
    found = ACCOUNT.fullmatch(principal)
    return found is not None and (found[1] or found[2]) in service.baseline.trusted_accounts


def _remove(service_id: str, principals: list[str]) -> str:
    quoted = " ".join(f"'{each}'" for each in principals)
    return (
        f"aws ec2 modify-vpc-endpoint-service-permissions --service-id {service_id} "
        f"--remove-allowed-principals {quoted}"
    )


# --- who has connected ---------------------------------------------------------------------------


def _connections(service: EndpointServiceContext) -> Iterator[RuleResult]:
    service_id = _service_id(service)
    live = [each for each in service.snapshot.connections if each.state in CONNECTED]
    strange = [each for each in live if each.owner not in service.baseline.trusted_accounts]
    concerns = frozenset({service_id, *(each.endpoint_id for each in live)})
    if not strange:
        summary = f"{len(live)} endpoints of trusted accounts are connected to {service_id}"
        yield RuleResult(service_id, Status.PASS, summary, concerns=concerns)
        return
    owners = sorted({each.owner for each in strange})
    yield RuleResult(
        resource=service_id,
        status=Status.FAIL,
        summary=f"{service_id} is connected to endpoints of {join_names(owners)}, whom the baseline "
        "does not trust",
        evidence=tuple(map(_connection_fact, strange)),
        remediation=Remediation(
            "Reject the connections, or trust the accounts in the baseline (trusted_accounts).",
            f"aws ec2 reject-vpc-endpoint-connections --service-id {service_id} "
            f"--vpc-endpoint-ids {' '.join(each.endpoint_id for each in strange)}",
        ),
        concerns=concerns,
    )


def _connection_fact(connection: Connection) -> Evidence:
    return Evidence(
        f"{connection.endpoint_id} of {connection.owner} is {connection.state}.",
        {
            "endpoint": connection.endpoint_id,
            "owner": connection.owner,
            "state": connection.state,
        },
    )


# --- who decides ---------------------------------------------------------------------------------


def _acceptance(service: EndpointServiceContext) -> Iterator[RuleResult]:
    service_id = _service_id(service)
    required = service.snapshot.acceptance_required
    if required is None:
        summary = f"{service_id}: EC2 does not tell whether it accepts connections by itself"
        yield RuleResult(service_id, Status.UNKNOWN, summary)
        return
    if required:
        yield RuleResult(service_id, Status.PASS, f"{service_id} waits for acceptance")
        return
    yield RuleResult(
        resource=service_id,
        status=Status.FAIL,
        summary=f"{service_id} accepts every connection of its principals by itself",
        evidence=(
            Evidence(
                f"AcceptanceRequired of {service_id} is false.",
                {"service": service.snapshot.name, "acceptance_required": "false"},
            ),
        ),
        remediation=Remediation(
            "Demand acceptance.",
            "aws ec2 modify-vpc-endpoint-service-configuration "
            f"--service-id {service_id} --acceptance-required",
        ),
    )


# --- whose name it has ---------------------------------------------------------------------------


def _private_name(service: EndpointServiceContext) -> Iterator[RuleResult]:
    service_id, snapshot = _service_id(service), service.snapshot
    name, state = snapshot.private_dns_name, snapshot.private_dns_state
    if not name:
        summary = f"{service_id} has no private DNS name"
        yield RuleResult(service_id, Status.NOT_APPLICABLE, summary)
        return
    fact = Evidence(
        f"The private DNS name {name} of {service_id} is in state {state or 'unknown'}.",
        {"service": snapshot.name, "private_dns_name": name, "state": state or ""},
    )
    if state is None:
        summary = f"{service_id}: EC2 does not tell whether {name} is verified"
        yield RuleResult(service_id, Status.UNKNOWN, summary, (fact,))
        return
    if state == VERIFIED:
        yield RuleResult(service_id, Status.PASS, f"{service_id} may use {name}", (fact,))
        return
    yield RuleResult(
        resource=service_id,
        status=Status.FAIL,
        summary=f"the private DNS name {name} of {service_id} is not verified ({state})",
        evidence=(fact,),
        remediation=Remediation(
            "Set the TXT record that EC2 names in the domain's public zone, then start the "
            "verification; or take the name away.",
            "aws ec2 start-vpc-endpoint-service-private-dns-verification "
            f"--service-id {service_id}",
        ),
    )


RULES: tuple[Rule[EndpointServiceContext], ...] = (
    Rule(
        id="endpoint-service-allows-untrusted-principal",
        title="endpoint service open to strangers",
        requirement="Endpoint services let only trusted accounts connect",
        family=Family.SERVICES,
        severity=Severity.HIGH,
        rationale=(
            "Whoever is an allowed principal may connect to the service from a network of their "
            "own. With every principal allowed and no acceptance, that is everybody."
        ),
        remediation="Allow just the accounts that are to connect.",
        evaluate=_principals,
        reads=frozenset({ServiceFacet.CONFIGURATION, ServiceFacet.PERMISSIONS}),
        controls=ACCESS,
        references=(PERMISSIONS,),
    ),
    Rule(
        id="endpoint-service-untrusted-connection",
        title="stranger connected to endpoint service",
        requirement="No endpoint of an untrusted account is connected to an endpoint service",
        family=Family.SERVICES,
        severity=Severity.HIGH,
        rationale=(
            "A connection outlives the permission it was made by: taking a principal away does not "
            "cut it."
        ),
        remediation="Reject the connection.",
        evaluate=_connections,
        reads=frozenset({ServiceFacet.CONFIGURATION, ServiceFacet.CONNECTIONS}),
        controls=BOUNDARY,
        references=(PERMISSIONS,),
    ),
    Rule(
        id="endpoint-service-acceptance-not-required",
        title="endpoint service accepts by itself",
        requirement="Endpoint services wait for their owner to accept a connection",
        family=Family.SERVICES,
        severity=Severity.LOW,
        rationale="Without acceptance nobody looks at who connects.",
        remediation="Demand acceptance.",
        evaluate=_acceptance,
        reads=frozenset({ServiceFacet.CONFIGURATION}),
        controls=ACCESS,
        references=(PERMISSIONS,),
    ),
    Rule(
        id="endpoint-service-private-dns-unverified",
        title="private DNS name not verified",
        requirement="The private DNS name of an endpoint service is verified",
        family=Family.SERVICES,
        severity=Severity.LOW,
        rationale=(
            "Until the owner of the domain has proved it, consumers cannot use the name: their "
            "software takes another way, or none. A name that fails later was lost with its domain "
            "or its TXT record."
        ),
        remediation="Verify the name.",
        evaluate=_private_name,
        reads=frozenset({ServiceFacet.CONFIGURATION}),
        controls=AVAILABILITY,
        references=(NAMES,),
    ),
)
