"""The work on a VPC grows with its endpoints, not with their square."""

from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from network_builders import (
    KMS,
    REGION,
    VPC,
    acl,
    admits,
    allow,
    build_snapshot,
    eni,
    group,
    interface,
    service,
    subnet,
    table,
)
from posture.analysis.coverage import Analysis
from posture.model.baseline import Baseline
from posture.model.network import Snapshot, Vpc
from posture.rules.contexts import VpcContext
from posture.rules.engine import evaluate_context
from posture.rules.rule_catalogue import VPC_RULES
from work_meter import count_lines

OFF = replace(VPC, dns_support=False)


def build_network(
    count: int, *, alike: bool, private_dns: bool, rules: Any, group_name: str, vpc: Vpc
) -> Snapshot:
    """Build a VPC with endpoints of one service or of one each, with a security group each."""
    parts: list[Any] = [
        subnet("0", "a", "10.0.0.0/24"),
        subnet("1", "b", "10.0.1.0/24"),
        table("0", subnets="01", main=True),
        acl("0", allow(100), subnets="01"),
    ]
    for number in range(count):
        custom = f"com.amazonaws.vpce.{REGION}.vpce-svc-{number:017x}"
        name = KMS if alike else custom
        names = {"private_dns_names": (f"service-{number}.example.com",)}
        endpoint = interface(
            f"{number}",
            name,
            subnet_ids=("subnet-0",),
            security_group_ids=(f"sg-{number}",),
            network_interface_ids=(f"eni-{number}",),
            private_dns=private_dns,
        )
        attached = eni(f"{number}", "0", f"10.0.0.{number + 4}", groups=[f"{number}"])
        own = replace(group(f"{number}", *rules, egress=()), name=group_name)
        parts += service(name, **names), endpoint, attached, own
    return build_snapshot(*parts, vpc=vpc)


def measure(snapshot: Snapshot) -> dict[str, int]:
    """Return the work on names and on each rule."""
    analysis, context = Analysis(snapshot), VpcContext(snapshot, Baseline())
    services = context.coverage.services

    def resolve_all() -> None:
        for each in services:
            analysis.resolve_names(each)

    found = {rule.id: count_lines(partial(evaluate_context, context, [rule])) for rule in VPC_RULES}
    return found | {"names": count_lines(resolve_all)}


@pytest.mark.parametrize("private_dns", [True, False], ids=["private-dns", "other-names"])
@pytest.mark.parametrize("alike", [True, False], ids=["one-service", "services"])
@pytest.mark.parametrize(
    ("rules", "group_name", "vpc"),
    [
        ((admits("0.0.0.0/0"),), "default", OFF),
        ((admits("0.0.0.0/0"),), "own", VPC),
        ((), "own", OFF),
    ],
    ids=["default-groups", "open", "closed"],
)
def test_the_work_grows_with_the_endpoints(
    alike: bool, private_dns: bool, rules: Any, group_name: str, vpc: Vpc
) -> None:
    """Four times as many endpoints take some four times as long, not sixteen times."""
    few, many = (
        measure(
            build_network(
                count,
                alike=alike,
                private_dns=private_dns,
                rules=rules,
                group_name=group_name,
                vpc=vpc,
            )
        )
        for count in (20, 80)
    )
    steep = {name: lines for name, lines in many.items() if lines > 5 * few[name]}
    assert not steep
