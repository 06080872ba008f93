"""An explanation names what decides: the route, the DNS names, the ACL entry, the rule."""

from typing import Any

import pytest

from network_builders import (
    KMS,
    S3,
    acl,
    admits,
    allow,
    build_snapshot,
    deny,
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
from posture.analysis.coverage import Analysis
from posture.analysis.explain import explain
from posture.analysis.step import ExplanationStep
from posture.model.baseline import Baseline
from posture.model.network import Service, Snapshot

OWN = "com.amazonaws.vpce.eu-west-1.vpce-svc-0123456789abcdef0"


def steps(snapshot: Snapshot, name: str, *groups: str) -> tuple[ExplanationStep, ...]:
    """Explain one service from `subnet-a`."""
    found = explain(
        Analysis(snapshot),
        snapshot.subnets["subnet-a"],
        snapshot.services[name],
        frozenset(groups),
    )
    return found.steps


def about(found: tuple[ExplanationStep, ...], what: str) -> list[str]:
    """Return the sentences about one subject."""
    return [step.text for step in found if step.about == what]


def by_route() -> Snapshot:
    """Build a subnet that routes part of the S3 traffic to a NAT gateway."""
    return build_snapshot(
        gateway("s3"), nat("1"), open_acl("all", ["a", "public"]),
        subnet("public", cidr="10.0.9.0/24"), subnet("a"),
        table("public", route("0.0.0.0/0", "igw-1"), subnets=["public"]),
        table(
            "main",
            route("pl-s3", "vpce-s3"),
            route("52.218.0.0/18", "nat-1"),
            route("0.0.0.0/0", "nat-1"),
            main=True,
        ),
    )  # fmt: skip


def test_the_first_step_names_the_route_table_and_the_acl() -> None:
    """It says whether the route table is associated with the subnet or the main one."""
    (first, *_) = steps(by_route(), S3)
    assert first.text == (
        "subnet-a (10.0.0.0/24, eu-west-1a) uses the route table rtb-main (the main route table) "
        "and the network ACL acl-all."
    )


def test_the_matching_route_is_named_with_the_less_preferred_ones() -> None:
    """Each part of the addresses has its own step."""
    found = about(steps(by_route(), S3), "route")
    assert (
        "Traffic to 52.218.0.0/18 (16384 addresses) is routed to NAT gateway nat-1, because "
        "rtb-main has the route 52.218.0.0/18 to nat-1 (static), which takes precedence over "
        "pl-s3 to vpce-s3 (static) and 0.0.0.0/0 to nat-1 (static)." in found
    )
    assert any("is routed to gateway endpoint vpce-s3" in text for text in found)


def test_the_path_behind_a_nat_gateway_is_a_step() -> None:
    """It names the route of the gateway's subnet."""
    (text,) = about(steps(by_route(), S3), "onward")
    assert text == (
        "From nat-1, traffic is routed to internet gateway igw-1 "
        "by the route 0.0.0.0/0 to igw-1 (static) of rtb-public."
    )


def test_the_names_of_a_gateway_service_resolve_to_its_prefix_list() -> None:
    """The step says what is not evaluated."""
    (text,) = about(steps(by_route(), S3), "names")
    assert "resolve to public addresses in pl-s3" in text
    assert "zones are not evaluated" in text


def by_interface(*parts: Any) -> Snapshot:
    """Build a subnet, and a KMS endpoint in another one."""
    return build_snapshot(
        subnet("a", "a", "10.0.1.0/24"), subnet("b", "b", "10.0.2.0/24"),
        table("main", main=True), open_acl("all", ["a", "b"]), eni("1", "b", "10.0.2.9"),
        interface(
            "kms",
            KMS,
            network_interface_ids=("eni-1",),
            dns_names=("vpce-kms-x.kms.eu-west-1.vpce.amazonaws.com",),
        ),
        *parts,
    )  # fmt: skip


def test_private_dns_names_resolve_to_the_endpoint() -> None:
    """The record lists the DNS names of the endpoint."""
    found = steps(by_interface(), KMS)
    assert "resolve to vpce-kms: private DNS is enabled for vpce-kms" in about(found, "names")[0]
    (record,) = [step.record for step in found if step.about == "names"]
    assert record["records"] == "vpce-kms-x.kms.eu-west-1.vpce.amazonaws.com"


def test_every_gate_names_the_rule_that_decides() -> None:
    """Outbound, inbound, return traffic twice, and the security group."""
    found = steps(by_interface(), KMS)
    assert about(found, "route") == ["rtb-main routes traffic to it by 10.0.0.0/16 to local."]
    assert about(found, "network ACL") == [
        "acl-all, outbound, port 443: rule 100 (0.0.0.0/0) allows the traffic.",
        "acl-all, inbound, port 443: rule 100 (0.0.0.0/0) allows the traffic.",
        "acl-all, outbound, ports 1024-65535: rule 100 (0.0.0.0/0) allows the traffic.",
        "acl-all, inbound, ports 1024-65535: rule 100 (0.0.0.0/0) allows the traffic.",
    ]
    (text,) = about(found, "security group")
    assert text == (
        "sg-endpoints allows inbound traffic on port 443 from 10.0.0.0/16, which includes the "
        "whole subnet."
    )


def test_a_deny_entry_is_named_with_the_addresses_it_denies() -> None:
    """The other addresses are named with the entry that allows them."""
    there = acl("b", deny(50, "10.0.1.0/25"), allow(100), allow(100, egress=True), subnets=["b"])
    found = about(steps(by_interface(there, open_acl("all", ["a"])), KMS), "network ACL")
    assert "acl-b, inbound, port 443: rule 50 (10.0.1.0/25) denies 10.0.1.0/25." in found
    assert "acl-b, inbound, port 443: rule 100 (0.0.0.0/0) allows 10.0.1.128/25." in found


def test_ports_that_every_entry_treats_alike_are_one_step() -> None:
    """The entries divide the ephemeral ports into ranges."""
    there = acl(
        "b",
        allow(100),
        allow(100, egress=True, protocol="6", from_port=32768, to_port=65535),
        subnets=["b"],
    )
    found = about(steps(by_interface(there, open_acl("all", ["a"])), KMS), "network ACL")
    assert "acl-b, outbound, ports 1024-32767: rule * denies the traffic." in found
    assert "acl-b, outbound, ports 32768-65535: rule 100 (0.0.0.0/0) allows the traffic." in found


def test_the_outbound_rules_of_a_stated_group_apply() -> None:
    """Traffic that they do not allow is blocked at the workload."""
    clients = group("clients", egress=[admits("10.9.0.0/16")])
    snapshot = by_interface(clients, group("endpoints", admits("sg-clients")))
    found = about(steps(snapshot, KMS, "sg-clients"), "security group")
    assert (
        "The workload's security groups: sg-clients blocks the whole subnet (no outbound rule "
        "allows port 443)." in found
    )
    assert "sg-endpoints allows inbound traffic on port 443 from workloads in sg-clients." in found


def test_traffic_inside_a_subnet_passes_no_acl() -> None:
    """Route tables and network ACLs do not apply to it."""
    found = steps(by_interface(eni("1", "a", "10.0.1.9")), KMS)
    assert "Route tables and network ACLs do not apply to traffic inside a subnet." in about(
        found, "network ACL"
    )


# --- policies ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "known", [service(OWN, policy_supported=True), service(KMS, policy_supported=False)]
)
def test_no_policy_is_evaluated_for_a_service_without_policies(known: Service) -> None:
    """Endpoint services of customers never support policies, whatever EC2 reports."""
    found = steps(by_interface(known, interface("other", known.name)), known.name)
    assert "vpce-other: the service does not support policies." in about(found, "policy")


def test_a_missing_policy_is_reported() -> None:
    """It counts neither as full access nor as no access."""
    found = steps(by_interface(interface("unknown", KMS, policy=None)), KMS)
    assert "vpce-unknown: EC2 returns no policy." in about(found, "policy")


@pytest.mark.parametrize(
    ("name", "ports", "said"),
    [
        ("cassandra", [(9142, 9142)], ["on port 9142: yes"]),
        ("cassandra", [(443, 443)], ["on port 9142: no"]),
        (
            "email-smtp",
            [(587, 587)],
            ["on ports 25, 465, 2465 and 2587: no", "on port 587: yes"],
        ),
    ],
)
def test_interfaces_are_explained_on_the_ports_of_the_service(
    name: str, ports: list[tuple[int, int]], said: list[str]
) -> None:
    """No sentence is about port 443, on which the service does not answer."""
    full = f"com.amazonaws.eu-west-1.{name}"
    rules = [admits("10.0.0.0/16", each) for each in ports]
    snapshot = build_snapshot(
        subnet("a"), subnet("b", cidr="10.0.2.0/24"), table("main", main=True),
        open_acl("all", ["a", "b"]), service(full), group("endpoints", *rules),
        eni("1", "b", "10.0.2.9"),
        interface("1", full, network_interface_ids=("eni-1",), subnet_ids=("subnet-b",)),
    )  # fmt: skip
    found = steps(snapshot, full)
    assert [
        each.partition(" from subnet-a ")[2].rstrip(".") for each in about(found, "interface")
    ] == said
    assert not any("443" in each.text for each in found if ports != [(443, 443)])
    groups = " ".join(about(found, "security group"))
    assert ("allows inbound traffic on port" in groups) is any("yes" in each for each in said)


def test_what_a_policy_stops_is_explained() -> None:
    """The features that the baseline requires, with their purposes."""
    snapshot = by_route()
    required = Baseline(required_services=("ecr.dkr",))
    s3 = next(each for each in snapshot.services.values() if each.name.endswith(".s3"))
    found = explain(
        Analysis(snapshot), snapshot.subnets["subnet-a"], s3, frozenset(), required
    ).steps
    (text,) = about(found, "policy")
    assert text.endswith("; it stops Amazon ECR (downloads of image layers).")
