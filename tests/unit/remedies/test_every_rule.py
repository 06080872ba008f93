# ruff: noqa: E501 - a case stands on one line
"""For each rule: a network with its finding, and the command that is proven for it, or why none is.

A command is named by its operations in their order. Where no command holds, the sentence says why.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv6Network, ip_address
from typing import Any

import pytest
from hypothesis import given, settings

from network_builders import (
    ACCOUNT,
    CUSTOM,
    DYNAMODB,
    NOW,
    OWN_ONLY,
    S3,
    SCOPE,
    VPC,
    acl,
    admits,
    allow,
    build_snapshot,
    deny,
    gateway,
    group,
    interface,
    nat,
    open_acl,
    prefix_list,
    route,
    service,
    subnet,
    table,
)
from network_strategies import snapshots
from posture.edits.apply import apply
from posture.edits.command_line import parse_command
from posture.edits.format import name_operation
from posture.edits.operations.endpoints import CreateVpcEndpoint
from posture.model.baseline import Baseline
from posture.model.endpoint_service import Connection, EndpointServiceSnapshot
from posture.model.network import (
    Endpoint,
    EndpointType,
    NetworkAcl,
    NetworkInterface,
    Snapshot,
)
from posture.model.scope import Scope
from posture.model.verdict import Remediation, Status, Verdict
from posture.remedies.prove import SCAN_LIMITS, Prover
from posture.rules import central
from posture.rules.contexts import EndpointServiceContext, VpcContext
from posture.rules.engine import evaluate_context, evaluate_endpoint_service
from posture.rules.rule_catalogue import SERVICE_RULES, VPC_RULES

BASELINE = Baseline()
BY_NAT = route("0.0.0.0/0", "nat-1")
BY_IGW = route("0.0.0.0/0", "igw-1")
TO_S3, TO_DYNAMODB = route("pl-s3", "vpce-s3"), route("pl-ddb", "vpce-ddb")
SUBNETS = (subnet("a"), subnet("b", "b", "10.0.1.0/24"), subnet("public", "a", "10.0.9.0/24"))
NAMES = ("a", "b", "public")
PUBLIC = table("public", BY_IGW, TO_S3, TO_DYNAMODB, subnets=["public"])
MAIN = table("main", BY_NAT, TO_S3, TO_DYNAMODB, main=True)
CLOSED = json.dumps(
    {
        "Statement": {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "*",
            "Resource": "*",
            "Condition": {
                "StringEquals": {"aws:PrincipalAccount": ACCOUNT, "aws:ResourceAccount": ACCOUNT}
            },
        }
    }
)
FULL = '{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}}'
TO_OTHERS = '{"Statement": {"Effect": "Allow", "Principal": {"AWS": "999988887777"}, "Action": "*", "Resource": "*"}}'
NOBODY = '{"Statement": {"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}}'
GATEWAYS = (
    gateway("s3", tables=["main", "public"], policy=CLOSED),
    gateway("ddb", DYNAMODB, tables=["main", "public"], policy=CLOSED),
)
ENDPOINT = interface("kms", policy=CLOSED)
SQS = "com.amazonaws.eu-west-1.sqs"
LATTICE = "arn:aws:vpc-lattice:eu-west-1:999988887777:resourceconfiguration/rcfg-1"
RESTRICTED = acl(
    "tight",
    allow(100, protocol="6", from_port=443, to_port=443),
    allow(100, egress=True, protocol="6", from_port=443, to_port=443),
    subnets=["a"],
)
NO_443 = acl("no443", allow(100), deny(90, egress=True), allow(100, egress=True), subnets=["a"])


def build_network(*parts: Any, **more: Any) -> Snapshot:
    """Build a complete VPC with gateway endpoints; parts with the same id replace its own ones."""
    given = {getattr(each, "id", getattr(each, "name", "")): each for each in parts}
    own = {each.id: each for each in (*SUBNETS, PUBLIC, MAIN, *GATEWAYS, nat("1"))}
    chosen = [*(own | given).values()]
    with_acl = {name for each in parts if isinstance(each, NetworkAcl) for name in each.subnet_ids}
    rest = [name for name in NAMES if f"subnet-{name}" not in with_acl]
    endpoints = [each for each in chosen if isinstance(each, Endpoint) and each.subnet_ids]
    interfaces = [it for each in endpoints for it in list_interfaces(each)]
    others = [each for each in chosen if each not in endpoints]
    placed = [
        replace(each, network_interface_ids=tuple(it.id for it in list_interfaces(each)))
        for each in endpoints
    ]
    return build_snapshot(*others, *placed, *interfaces, open_acl("default", rest), **more)


def list_interfaces(endpoint: Endpoint) -> list[NetworkInterface]:
    """Return a network interface for each subnet of an endpoint."""
    blocks = {each.id: each.cidr for each in SUBNETS}
    return [
        NetworkInterface(
            f"eni-{endpoint.id}-{name}",
            name,
            "eu-west-1a",
            (ip_address(int(blocks[name].network_address) + 20),),  # type: ignore[union-attr]
            endpoint.security_group_ids,
        )
        for name in endpoint.subnet_ids
    ]


@dataclass(frozen=True)
class Case:
    """A network with a finding.

    `expected` are the operations of the command that is proven for it; or, as a text, a part of
    the sentence where there is no command. `resource` is needed if the rule has several findings.
    """

    rule: str
    snapshot: Snapshot | EndpointServiceSnapshot
    expected: tuple[str, ...] | str
    baseline: Baseline = BASELINE
    resource: str = ""


SERVICE = EndpointServiceSnapshot(
    scope=Scope(ACCOUNT, "eu-west-1", "vpce-svc-1"),
    observed_at=NOW,
    name="com.amazonaws.vpce.eu-west-1.vpce-svc-1",
    state="available",
    acceptance_required=True,
    regions=("eu-west-1",),
)
LAN = "10.0.0.0/16"
KMS_REQUIRED = Baseline(required_services=("kms",))
PARTNER = Baseline(trusted_accounts=frozenset({ACCOUNT, "222233334444"}))
MODIFY, CREATE, DELETE = "modify-vpc-endpoint", "create-vpc-endpoint", "delete-vpc-endpoints"
AUTHORIZE, REVOKE = "authorize-security-group-ingress", "revoke-security-group-ingress"
NEW_GROUP = ("create-security-group", AUTHORIZE)
ATTRIBUTE, ENTRY, UNROUTE = "modify-vpc-attribute", "create-network-acl-entry", "delete-route"
PERMISSIONS = "modify-vpc-endpoint-service-permissions"
CONFIGURATION = "modify-vpc-endpoint-service-configuration"

PLAIN_MAIN = table("main", BY_NAT, main=True)
PLAIN_PUBLIC = table("public", BY_IGW, subnets=["public"])
WITHOUT = tuple(replace(each, state="deleted", route_table_ids=()) for each in GATEWAYS)
NARROW = group("endpoints", admits("10.0.0.0/24"))

CASES = [
    # Gateway endpoints
    Case(
        "subnet-without-gateway-endpoint-route",
        build_network(table("main", BY_NAT, TO_DYNAMODB, main=True), gateway("s3", tables=["public"], policy=CLOSED)),
        (MODIFY,),
        resource="subnet-a",
    ),
    Case(
        "subnet-without-gateway-endpoint-route",
        build_network(
            table("main", BY_NAT, TO_DYNAMODB, route("pl-s3", "tgw-1"), main=True),
            gateway("s3", tables=["public"], policy=CLOSED),
        ),
        (UNROUTE, MODIFY),
        resource="subnet-a",
    ),
    Case("gateway-service-bypasses-endpoint", build_network(PLAIN_MAIN, PLAIN_PUBLIC, *WITHOUT), (CREATE, CREATE), resource="subnet-a"),
    Case(
        "gateway-service-bypasses-endpoint",
        build_network(table("main", BY_NAT, route("52.218.0.0/18", "nat-1"), TO_S3, TO_DYNAMODB, main=True)),
        (UNROUTE,),
        resource="subnet-a",
    ),
    Case(
        "gateway-service-uses-other-network",
        build_network(table("main", route("0.0.0.0/0", "tgw-1"), main=True), PLAIN_PUBLIC, *WITHOUT),
        (CREATE, CREATE),
        resource="subnet-a",
    ),
    Case("nat-gateway-charges-avoidable", build_network(PLAIN_MAIN, PLAIN_PUBLIC, *WITHOUT), (CREATE, CREATE)),
    Case(
        "prefix-list-routed-to-other-network",
        build_network(table("main", TO_DYNAMODB, route("pl-s3", "tgw-1"), main=True), gateway("s3", tables=["public"], policy=CLOSED)),
        (UNROUTE, MODIFY),
    ),
    Case(
        "gateway-endpoint-route-blackholed",
        build_network(table("main", TO_DYNAMODB, route("pl-s3", "tgw-1", blackhole=True), main=True), gateway("s3", tables=["public"], policy=CLOSED)),
        (UNROUTE, MODIFY),
    ),
    Case(
        "gateway-endpoint-route-blackholed",
        build_network(table("spare", route("10.9.0.0/16", "vpce-gwlb", blackhole=True))),
        (UNROUTE,),
    ),
    Case(
        "gateway-endpoint-route-shadowed",
        build_network(table("main", BY_NAT, route("52.218.0.0/18", "nat-1"), TO_S3, TO_DYNAMODB, main=True)),
        (UNROUTE,),
    ),
    Case(
        "gateway-endpoint-unused",
        build_network(table("main", TO_DYNAMODB, main=True), table("public", BY_IGW, TO_DYNAMODB, subnets=["public"]), gateway("s3", policy=CLOSED)),
        (MODIFY,),
    ),
    Case("gateway-endpoint-unused", build_network(gateway("second", policy=CLOSED)), (DELETE,)),
    Case("gateway-endpoint-blocked-by-network-acl", build_network(NO_443), (ENTRY, ENTRY, ENTRY)),
    Case("network-acl-blocks-return-traffic", build_network(RESTRICTED), (ENTRY, ENTRY, ENTRY)),
    Case(
        "interface-endpoint-charges-avoidable",
        build_network(PLAIN_MAIN, PLAIN_PUBLIC, *WITHOUT, interface("own", S3, policy=CLOSED)),
        (CREATE, MODIFY),
    ),
    # Interface endpoints
    Case("endpoint-unreachable-from-subnet", build_network(ENDPOINT, NARROW), (AUTHORIZE,)),
    Case(
        "endpoint-security-group-open",
        build_network(ENDPOINT, group("endpoints", admits("0.0.0.0/0"))),
        (AUTHORIZE, REVOKE),
    ),
    Case(
        "endpoint-security-group-open",
        build_network(ENDPOINT, group("endpoints", admits(LAN), admits("0.0.0.0/0", None, "-1"))),
        (REVOKE,),
    ),
    Case(
        "endpoint-default-security-group",
        build_network(replace(ENDPOINT, security_group_ids=("sg-default",)), group("default", admits(LAN), group_name="default"), NARROW),
        (*NEW_GROUP, MODIFY),
    ),
    Case(
        "endpoint-default-security-group",
        build_network(replace(ENDPOINT, security_group_ids=("sg-default",)), group("default", admits(LAN), group_name="default")),
        (MODIFY,),
    ),
    Case("endpoint-private-dns-disabled", build_network(replace(ENDPOINT, private_dns=False)), (MODIFY,)),
    Case(
        "endpoint-private-dns-disabled",
        build_network(replace(ENDPOINT, private_dns=False), NARROW, vpc=replace(VPC, dns_hostnames=False)),
        (AUTHORIZE, ATTRIBUTE, MODIFY),
    ),
    Case(
        "endpoint-private-dns-ineffective",
        build_network(ENDPOINT, NARROW, vpc=replace(VPC, dns_support=False, dns_hostnames=False)),
        (AUTHORIZE, ATTRIBUTE, ATTRIBUTE),
    ),
    Case(
        "endpoint-private-dns-any-domain",
        build_network(
            interface("res", LATTICE, type=EndpointType.RESOURCE, private_dns=True, private_dns_preference="ALL_DOMAINS", policy=None),
        ),
        (MODIFY,),
        Baseline(allowed_endpoint_services=frozenset({"999988887777"})),
    ),
    Case("endpoint-single-availability-zone", build_network(replace(ENDPOINT, subnet_ids=("subnet-a",))), (MODIFY,)),
    Case(
        "availability-zone-without-endpoint",
        build_network(ENDPOINT, subnet("c", "c", "10.0.3.0/24"), open_acl("c", ["c"])),
        (MODIFY,),
    ),
    Case("duplicate-interface-endpoint", build_network(ENDPOINT, interface("second", policy=CLOSED, private_dns=False)), (DELETE,)),
    Case(
        "endpoint-open-to-other-networks",
        build_network(ENDPOINT, group("endpoints", admits("10.0.0.0/8")), table("main", BY_NAT, TO_S3, TO_DYNAMODB, route("10.0.0.0/8", "tgw-1"), main=True)),
        (AUTHORIZE, REVOKE),
    ),
    # Endpoints
    Case("required-service-without-endpoint", build_network(), (CREATE,), KMS_REQUIRED),
    Case("required-service-without-endpoint", build_network(NARROW), (*NEW_GROUP, CREATE), KMS_REQUIRED),
    Case("required-service-without-endpoint", build_network(vpc=replace(VPC, dns_hostnames=False)), (ATTRIBUTE, CREATE), KMS_REQUIRED),
    Case("required-service-without-endpoint", build_network(replace(ENDPOINT, state="failed")), (DELETE, CREATE), KMS_REQUIRED),
    Case("required-service-without-endpoint", build_network(PLAIN_MAIN, PLAIN_PUBLIC, *WITHOUT), (CREATE,), Baseline(required_services=("s3",)), S3),
    Case("endpoint-not-available", build_network(replace(ENDPOINT, state="failed")), (DELETE, CREATE)),
    Case("endpoint-not-available", build_network(replace(ENDPOINT, state="rejected")), (DELETE,)),
    Case("endpoint-not-available", build_network(replace(ENDPOINT, state="pendingacceptance", created_at=None)), "", resource="-"),
    Case("endpoint-in-other-region", build_network(interface("far", "com.amazonaws.us-east-1.kms", service_region="us-east-1", private_dns=False, policy=CLOSED)), (DELETE,)),
    Case("endpoint-connects-to-unlisted-service", build_network(interface("x", CUSTOM, private_dns=False, policy=None), service(CUSTOM, owner="999988887777", private_dns_names=())), (DELETE,)),
    Case(
        "endpoint-connects-to-unlisted-service",
        build_network(
            gateway("fw", CUSTOM, type=EndpointType.GATEWAY_LOAD_BALANCER, policy=None),
            service(CUSTOM, EndpointType.GATEWAY_LOAD_BALANCER, owner="999988887777", private_dns_names=()),
            table("main", route("0.0.0.0/0", "vpce-fw"), TO_S3, TO_DYNAMODB, main=True),
        ),
        "No command is given",
    ),
    # Policies
    Case("endpoint-policy-allows-full-access", build_network(replace(ENDPOINT, policy=FULL)), (MODIFY,)),
    Case("endpoint-policy-allows-untrusted-principal", build_network(replace(ENDPOINT, policy=TO_OTHERS)), (MODIFY,)),
    Case("endpoint-policy-allows-untrusted-resource", build_network(replace(ENDPOINT, policy=OWN_ONLY)), (MODIFY,)),
    Case(
        "endpoint-policy-allows-unlisted-action",
        build_network(replace(ENDPOINT, policy=CLOSED)),
        (MODIFY,),
        Baseline(allowed_actions=frozenset({"kms:Decrypt", "s3:*", "dynamodb:*"})),
        "vpce-kms",
    ),
    Case("endpoint-policy-blocks-required-service", build_network(replace(ENDPOINT, policy=NOBODY)), (MODIFY,), KMS_REQUIRED),
    Case("endpoint-policy-malformed", build_network(replace(ENDPOINT, policy="{")), (MODIFY,)),
    Case("default-vpc-unused", build_snapshot(vpc=replace(VPC, default=True, has_interfaces=False)), "Delete the default VPC"),
    # Endpoint services
    Case("endpoint-service-allows-untrusted-principal", replace(SERVICE, principals=("*",), connections=(Connection("vpce-1", "222233334444", "available"),)), (PERMISSIONS,), PARTNER),
    Case("endpoint-service-allows-untrusted-principal", replace(SERVICE, principals=("arn:aws:iam::999988887777:root",)), (PERMISSIONS,)),
    Case("endpoint-service-untrusted-connection", replace(SERVICE, connections=(Connection("vpce-1", "999988887777", "available"),)), ("reject-vpc-endpoint-connections",)),
    Case("endpoint-service-acceptance-not-required", replace(SERVICE, acceptance_required=False), (CONFIGURATION,)),
    Case("endpoint-service-private-dns-unverified", replace(SERVICE, private_dns_name="a.example.com", private_dns_state="failed"), (CONFIGURATION,)),
    Case("endpoint-service-supports-other-region", replace(SERVICE, regions=("eu-west-1", "us-east-1")), (CONFIGURATION,)),
]  # fmt: skip
CASES = [each for each in CASES if each.resource != "-"]


def evaluate(case: Case) -> tuple[VpcContext | EndpointServiceContext, tuple[Verdict, ...]]:
    """Evaluate the network of a case."""
    if isinstance(case.snapshot, Snapshot):
        context = VpcContext(case.snapshot, case.baseline)
        return context, evaluate_context(context)
    service_context = EndpointServiceContext(case.snapshot, case.baseline)
    return service_context, evaluate_endpoint_service(case.snapshot, case.baseline)


def prove(case: Case) -> Remediation:
    """Return the remediation that is reported for the finding of a case."""
    context, verdicts = evaluate(case)
    failing = [each for each in verdicts if each.status is Status.FAIL and each.rule == case.rule]
    chosen = [each for each in failing if each.resource == (case.resource or each.resource)]
    assert chosen, "the network has no such finding"
    proven = Prover(context, verdicts, SCAN_LIMITS).prove(chosen[0]).remediation
    assert proven is not None
    return proven


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule)
def test_the_command_that_is_proven_for_each_finding(case: Case) -> None:
    """The least intrusive one that holds, its calls in the order in which EC2 accepts them."""
    remediation = prove(case)
    if isinstance(case.expected, str):
        assert not remediation.command
        assert case.expected in remediation.text
        return
    edits = parse_command(remediation.command, region="eu-west-1")
    assert tuple(name_operation(type(each)) for each in edits) == case.expected, remediation
    assert remediation.verified.startswith("resolves")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule)
def test_the_command_resolves_the_finding_and_opens_none(case: Case) -> None:
    """Checked by the engine alone, whatever the proof says."""
    remediation = prove(case)
    if not remediation.command:
        return
    before = {(each.rule, each.resource) for each in list_failing(case, case.snapshot)}
    after_edits = apply(case.snapshot, parse_command(remediation.command))
    after = {(each.rule, each.resource): each for each in list_failing(case, after_edits)}
    assert case.rule not in {rule for rule, _ in after} or case.resource
    opened = [each.summary for key, each in after.items() if key not in before]
    assert not opened


def list_failing(case: Case, snapshot: Any) -> Iterator[Verdict]:
    """Yield what fails in a network."""
    _, verdicts = evaluate(replace(case, snapshot=snapshot))
    yield from (each for each in verdicts if each.status is Status.FAIL)


def test_every_rule_has_a_case() -> None:
    """A new rule needs a network with its finding, and what is proven for it.

    Rules about central endpoints need several VPCs: tests/unit/rules/central has their networks.
    """
    several = {each.id for each in (*central.RULES, *central.COST_RULES)}
    rules = {each.id for each in VPC_RULES} | {each.id for each in SERVICE_RULES}
    assert {each.rule for each in CASES} == rules - several


def test_a_created_gateway_endpoint_keeps_what_required_services_need() -> None:
    """Image layers are read with credentials of an account of AWS."""
    snapshot = build_network(PLAIN_MAIN, PLAIN_PUBLIC, *WITHOUT)
    baseline = Baseline(required_services=("ecr.dkr",))
    remediation = prove(Case("gateway-service-bypasses-endpoint", snapshot, (), baseline))
    created = [it for it in parse_command(remediation.command) if isinstance(it, CreateVpcEndpoint)]
    assert {each.route_table_ids for each in created} == {("rtb-main", "rtb-public")}
    (policy,) = [each.policy_document for each in created if each.service_name == S3]
    assert "arn:aws:s3:::prod-eu-west-1-starport-layer-bucket/*" in (policy or "")


def test_a_dual_stack_subnet_gets_the_routes_of_both_ip_versions() -> None:
    """A gateway endpoint that carries IPv6 traffic has a route for each of the service's lists."""
    ipv6 = prefix_list(
        "pl-s3-6", "2a05:d07a:8000::/40", name="com.amazonaws.eu-west-1.ipv6.s3", owner="AWS"
    )
    parts = (
        ipv6,
        subnet("a", ipv6="2001:db8::/64"),
        table("main", route("::/0", "eigw-1"), TO_S3, TO_DYNAMODB, main=True),
    )
    vpc = replace(VPC, ipv6_cidrs=(IPv6Network("2001:db8::/56"),))
    snapshot = build_network(
        *parts,
        acl(
            "six",
            allow(1),
            allow(2, "::/0"),
            allow(1, egress=True),
            allow(2, "::/0", egress=True),
            subnets=["a"],
        ),
        vpc=vpc,
    )
    remediation = prove(
        Case("gateway-service-bypasses-endpoint", snapshot, (), resource="subnet-a")
    )
    assert "--ip-address-type dualstack" in remediation.command
    after = apply(snapshot, parse_command(remediation.command))
    assert {each.prefix_list_id for each in after.route_tables["rtb-main"].routes} >= {
        "pl-s3",
        "pl-s3-6",
    }


@settings(deadline=None)
@given(snapshots())
def test_every_command_can_be_read_and_names_no_file(snapshot: Snapshot) -> None:
    """A command with a gap in it is none: it is parsed before it is ever printed."""
    for verdict in evaluate_context(VpcContext(snapshot, KMS_REQUIRED)):
        for each in (verdict.remediation, *verdict.alternatives):
            assert each is None or each.text
            if each and each.command:
                assert "file://" not in each.command
                assert parse_command(each.command, region=SCOPE.region)
