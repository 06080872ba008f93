"""What is reported of a VPC grows with its resources, not with their square."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest

from network_builders import (
    REGION,
    VPC,
    acl,
    admits,
    allow,
    build_snapshot,
    eni,
    gateway,
    group,
    interface,
    nat,
    open_acl,
    route,
    service,
    subnet,
    table,
)
from posture.lifecycle.bounds import bound_report
from posture.model.baseline import Baseline
from posture.model.network import Snapshot
from posture.model.verdict import Verdict
from posture.rules.contexts import VpcContext
from posture.rules.engine import evaluate_context
from posture.rules.interfaces.private_dns import ATTRIBUTES_FIRST, MOST_OTHERS, RULES

OFF = replace(VPC, dns_support=False)
DISABLED = "endpoint-private-dns-disabled"
OUT = route("0.0.0.0/0", "nat-1")


def build_block(number: int) -> str:
    """Return the CIDR block of a subnet."""
    return f"10.0.{number}.0/24"


def build_endpoint(
    number: int, subnet_name: str = "0", group_name: str = "", **more: Any
) -> list[Any]:
    """Build an endpoint for a service of its own, with a closed group of its own unless named."""
    name, held = f"com.amazonaws.vpce.{REGION}.vpce-svc-{number:017x}", group_name or str(number)
    endpoint = interface(
        f"{number}",
        name,
        subnet_ids=(f"subnet-{subnet_name}",),
        security_group_ids=(f"sg-{held}",),
        network_interface_ids=(f"eni-{number}",),
        **more,
    )
    return [
        service(name, private_dns_names=(f"service-{number}.example.com",)),
        endpoint,
        eni(f"{number}", subnet_name, f"10.0.{subnet_name}.{number + 10}", groups=[held]),
        *([] if group_name else [group(f"{number}", egress=())]),
    ]


def have_endpoints(count: int) -> Snapshot:
    """Build a VPC with endpoints that none of its two subnets reaches."""
    parts: list[Any] = [
        *(subnet(name, "a", build_block(int(name))) for name in "01"),
        table("0", subnets="01", main=True),
        acl("0", allow(100), subnets="01"),
    ]
    for number in range(count):
        parts += build_endpoint(number)
    return build_snapshot(*parts)


def share_a_table(count: int) -> Snapshot:
    """Build subnets that share a route table, and as many routes of it."""
    names = [str(each) for each in range(count)]
    routes = [route(f"198.18.{each}.0/24", "nat-1") for each in range(count)]
    return build_snapshot(
        *(subnet(name, "a", build_block(int(name))) for name in names),
        table("0", OUT, *routes, subnets=names, main=True),
        acl("0", allow(100), subnets=names),
        nat("1", "0"),
        gateway("s3"),
    )


def share_a_group(count: int) -> Snapshot:
    """Build endpoints that share a security group, and as many rules of it."""
    rules = [admits(f"198.18.{each}.0/24") for each in range(count)]
    parts: list[Any] = [
        subnet("0", "a", build_block(0)),
        table("0", subnets="0", main=True),
        acl("0", allow(100), subnets="0"),
    ]
    for number in range(count):
        parts += build_endpoint(number, group_name="shared")
    return build_snapshot(*parts, group("shared", *rules, egress=()))


def have_all_of_their_own(count: int) -> Snapshot:
    """Build subnets with a route table, a network ACL, a group and an endpoint each, all closed."""
    parts: list[Any] = [nat("1", "0"), gateway("s3")]
    for number in range(count):
        name = str(number)
        parts += [
            subnet(name, "abc"[number % 3], build_block(number)),
            table(name, OUT, subnets=[name], main=number == 0),
            acl(name, subnets=[name]),
            *build_endpoint(number, name),
        ]
    return build_snapshot(*parts)


def measure(verdicts: Iterable[Verdict]) -> int:
    """Return the length of all that is reported of verdicts."""
    return sum(
        len(each.summary)
        + len(each.root)
        + sum(map(len, each.concerns))
        + sum(len(fact.text) + sum(map(len, fact.record.values())) for fact in each.evidence)
        for each in verdicts
    )


@pytest.mark.parametrize(
    "build", [have_endpoints, share_a_table, share_a_group, have_all_of_their_own]
)
def test_what_is_reported_grows_with_the_resources(build: Callable[[int], Snapshot]) -> None:
    """Twice as many resources have some twice as much text, not four times."""
    few, many = (
        measure(
            bound_report(evaluate_context(VpcContext(build(count), Baseline(), proposes=False)))
        )
        for count in (50, 100)
    )
    assert many < 2.5 * few


def enable_private_dns(count: int, *, closed: int) -> list[Verdict]:
    """Propose to enable private DNS beside endpoints that have it, some of which are closed."""
    parts: list[Any] = [
        *(subnet(name, "a", build_block(int(name))) for name in "01"),
        table("0", subnets="01", main=True),
        open_acl("0", subnets="01"),
        group("open", admits("10.0.0.0/16", None, "-1"), egress=()),
    ]
    for number in range(count):
        own = "" if number < closed else "open"
        parts += build_endpoint(number, group_name=own, private_dns=True)
        parts += build_endpoint(count + number, group_name="open", private_dns=False)
    context = VpcContext(build_snapshot(*parts, vpc=OFF), Baseline())
    found = evaluate_context(context, RULES)
    return [each for each in found if each.rule == DISABLED and each.status == "fail"]


@pytest.mark.parametrize("closed", [0, 1, MOST_OTHERS])
def test_private_dns_is_enabled_after_the_others_are_reachable(closed: int) -> None:
    """The command for one endpoint opens the groups of the others that are closed."""
    for verdict in enable_private_dns(MOST_OTHERS + 5, closed=closed):
        assert verdict.remediation
        assert verdict.remediation.command.count("authorize-security-group-ingress") == closed
        assert "modify-vpc-attribute" in verdict.remediation.command


def test_many_others_are_made_reachable_first() -> None:
    """They are no part of the command for each endpoint, whose number grows with theirs."""
    for verdict in enable_private_dns(MOST_OTHERS + 5, closed=MOST_OTHERS + 1):
        assert verdict.remediation
        assert not verdict.remediation.command
        assert not verdict.alternatives
        assert verdict.remediation.text.endswith(ATTRIBUTES_FIRST)
