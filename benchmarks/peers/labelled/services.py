"""Endpoint services labelled by who may connect, and whether anybody looks at who does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from labelled.account import Account
from labelled.case import ACCOUNT, FOREIGN, PARTNER, Case

PRINCIPALS = "PrivateLink: Configure an endpoint service, Manage permissions"
ACCEPTANCE = "PrivateLink: Configure an endpoint service, Accept or reject connection requests"


def _arn(account: str, what: str = "root") -> str:
    return f"arn:aws:iam::{account}:{what}"


def cases(account: Account) -> Iterator[Case]:
    """Build the set-ups."""
    _, (a, _, b) = account.vpc()
    balancer = account.elb.create_load_balancer(Name="nlb", Type="network", Subnets=[a, b])
    arn = balancer["LoadBalancers"][0]["LoadBalancerArn"]
    yield from _strangers(account, arn)
    yield from _acceptance(account, arn)


def _service(
    account: Account, balancer: str, principals: Sequence[str], *, acceptance: bool = True
) -> str:
    made = account.ec2.create_vpc_endpoint_service_configuration(
        NetworkLoadBalancerArns=[balancer], AcceptanceRequired=acceptance
    )["ServiceConfiguration"]["ServiceId"]
    if principals:
        account.ec2.modify_vpc_endpoint_service_permissions(
            ServiceId=made, AddAllowedPrincipals=list(principals)
        )
    return str(made)


def _strangers(account: Account, balancer: str) -> Iterator[Case]:
    question = "strangers may connect to a service"
    own = f"nobody is allowed but whom we trust ({PRINCIPALS})"
    strange = f"a principal is allowed whom we do not trust ({PRINCIPALS})"
    for name, principals, bad in (
        ("nobody", [], False),
        ("our account", [_arn(ACCOUNT)], False),
        ("a role of our account", [_arn(ACCOUNT, "role/network")], False),
        ("the partner", [_arn(PARTNER)], False),
        ("everybody", ["*"], True),
        ("a foreign account", [_arn(FOREIGN)], True),
        ("a foreign role", [_arn(FOREIGN, "role/network")], True),
        ("a foreign account beside our own", [_arn(ACCOUNT), _arn(FOREIGN)], True),
    ):
        made = _service(account, balancer, principals)
        yield Case(question, name, frozenset({made}), bad, strange if bad else own)
    made = _service(account, balancer, [_arn(FOREIGN)])
    account.ec2.modify_vpc_endpoint_service_permissions(
        ServiceId=made, RemoveAllowedPrincipals=[_arn(FOREIGN)]
    )
    yield Case(question, "a foreign account, taken away again", frozenset({made}), False, own)


def _acceptance(account: Account, balancer: str) -> Iterator[Case]:
    question = "a service accepts by itself"
    for name, acceptance in (("acceptance required", True), ("acceptance not required", False)):
        made = _service(account, balancer, [_arn(PARTNER)], acceptance=acceptance)
        why = f"who connects is looked at only where acceptance is required ({ACCEPTANCE})"
        yield Case(question, name, frozenset({made}), not acceptance, why)
