"""Endpoint services labelled by who can connect, and whether connections need acceptance."""

from collections.abc import Iterator

from network_builder import RegionBuilder

from labelled.case import ACCOUNT, PARTNER, UNTRUSTED, LabelledCase

PRINCIPALS = "PrivateLink: Configure an endpoint service, Manage permissions"
ACCEPTANCE = "PrivateLink: Configure an endpoint service, Accept or reject connection requests"


def build_cases(account: RegionBuilder) -> Iterator[LabelledCase]:
    """Create the resources; yield the cases."""
    _, (a, _, b) = account.create_network()
    balancer = account.elb.create_load_balancer(Name="nlb", Type="network", Subnets=[a, b])
    arn = balancer["LoadBalancers"][0]["LoadBalancerArn"]
    yield from _build_permissions(account, arn)
    yield from _build_acceptance(account, arn)


def _arn(account: str, resource: str = "root") -> str:
    return f"arn:aws:iam::{account}:{resource}"


def _create_service(
    account: RegionBuilder, balancer: str, *principals: str, acceptance: bool = True
) -> str:
    service = account.ec2.create_vpc_endpoint_service_configuration(
        NetworkLoadBalancerArns=[balancer], AcceptanceRequired=acceptance
    )["ServiceConfiguration"]["ServiceId"]
    if principals:
        account.ec2.modify_vpc_endpoint_service_permissions(
            ServiceId=service, AddAllowedPrincipals=list(principals)
        )
    return str(service)


def _build_permissions(account: RegionBuilder, balancer: str) -> Iterator[LabelledCase]:
    question = "service allows untrusted principals"
    trusted = f"only trusted principals are allowed ({PRINCIPALS})"
    untrusted = f"an untrusted principal is allowed ({PRINCIPALS})"
    for name, principals, bad in (
        ("no principal", [], False),
        ("own account", [_arn(ACCOUNT)], False),
        ("role of the own account", [_arn(ACCOUNT, "role/network")], False),
        ("partner account", [_arn(PARTNER)], False),
        ("any principal", ["*"], True),
        ("untrusted account", [_arn(UNTRUSTED)], True),
        ("untrusted role", [_arn(UNTRUSTED, "role/network")], True),
        ("own and an untrusted account", [_arn(ACCOUNT), _arn(UNTRUSTED)], True),
    ):
        service = _create_service(account, balancer, *principals)
        why = untrusted if bad else trusted
        yield LabelledCase(question, name, (service,), bad, why)
    service = _create_service(account, balancer, _arn(UNTRUSTED))
    account.ec2.modify_vpc_endpoint_service_permissions(
        ServiceId=service, RemoveAllowedPrincipals=[_arn(UNTRUSTED)]
    )
    yield LabelledCase(question, "untrusted account, removed again", (service,), False, trusted)


def _build_acceptance(account: RegionBuilder, balancer: str) -> Iterator[LabelledCase]:
    why = f"connections are reviewed only if acceptance is required ({ACCEPTANCE})"
    for name, acceptance in (("acceptance required", True), ("acceptance not required", False)):
        service = _create_service(account, balancer, _arn(PARTNER), acceptance=acceptance)
        question = "service does not require acceptance"
        yield LabelledCase(question, name, (service,), not acceptance, why)
