"""The reasoning names what decides: the route, the names, the ACL entry, the group's rule."""

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
    """Give the sentences about one thing."""
    return [step.text for step in found if step.about == what]


def by_route() -> Snapshot:
    """Give a subnet that sends part of S3 past its endpoint by a NAT."""
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


def test_the_first_step_says_what_the_subnet_uses() -> None:
    """Its route table, and whether it was ever associated; its ACL."""
    (first, *_) = steps(by_route(), S3)
    assert first.text == (
        "subnet-a (10.0.0.0/24, eu-west-1a) uses the route table rtb-main (the VPC's main one) and "
        "the network ACL acl-all."
    )


def test_the_deciding_route_is_named_with_those_it_goes_before() -> None:
    """Each part of the addresses has its own."""
    found = about(steps(by_route(), S3), "route")
    assert (
        "52.218.0.0/18 (16384 addresses) goes by NAT gateway nat-1: of rtb-main's routes "
        "52.218.0.0/18 to nat-1 (static) decides, before pl-s3 to vpce-s3 (static) and 0.0.0.0/0 "
        "to nat-1 (static)." in found
    )
    assert any("goes by gateway endpoint vpce-s3" in text for text in found)


def test_a_nats_onward_way_is_a_step() -> None:
    """By the route of its own subnet."""
    (text,) = about(steps(by_route(), S3), "onward")
    assert text == (
        "From nat-1 it goes by internet gateway igw-1 by its subnet's route 0.0.0.0/0 to igw-1 "
        "(static)."
    )


def test_the_names_of_a_gateway_service_lead_to_its_list() -> None:
    """And what is not read stands with it."""
    (text,) = about(steps(by_route(), S3), "names")
    assert "lead to public addresses in pl-s3" in text
    assert "zones are not read" in text


def by_interface(*parts: Any) -> Snapshot:
    """Give a subnet and, in another one, KMS's endpoint."""
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


def test_the_names_of_an_endpoint_lead_to_it() -> None:
    """With its DNS records in the record."""
    found = steps(by_interface(), KMS)
    assert "lead to vpce-kms: private DNS of vpce-kms is on" in about(found, "names")[0]
    (record,) = [step.record for step in found if step.about == "names"]
    assert record["records"] == "vpce-kms-x.kms.eu-west-1.vpce.amazonaws.com"


def test_every_gate_names_the_rule_that_decides() -> None:
    """Out, in, and back twice; then the group."""
    found = steps(by_interface(), KMS)
    assert about(found, "route") == ["rtb-main leads to it by 10.0.0.0/16 to local."]
    assert about(found, "network ACL") == [
        "acl-all, outbound, port 443: rule 100 (0.0.0.0/0) allows.",
        "acl-all, inbound, port 443: rule 100 (0.0.0.0/0) allows.",
        "acl-all, outbound, ports 1024-65535: rule 100 (0.0.0.0/0) allows.",
        "acl-all, inbound, ports 1024-65535: rule 100 (0.0.0.0/0) allows.",
    ]
    assert about(found, "security group") == [
        "sg-endpoints admits 10.0.0.0/16 on 443, that is all of the subnet."
    ]


def test_a_deny_entry_is_named_with_whom_it_stops() -> None:
    """And the rest with the entry that lets it pass."""
    there = acl("b", deny(50, "10.0.1.0/25"), allow(100), allow(100, egress=True), subnets=["b"])
    found = about(steps(by_interface(there, open_acl("all", ["a"])), KMS), "network ACL")
    assert "acl-b, inbound, port 443: rule 50 (10.0.1.0/25) denies 10.0.1.0/25." in found
    assert "acl-b, inbound, port 443: rule 100 (0.0.0.0/0) allows 10.0.1.128/25." in found


def test_ports_that_are_treated_alike_are_one_step() -> None:
    """The client's ports fall into the stretches that entries make of them."""
    there = acl(
        "b",
        allow(100),
        allow(100, egress=True, protocol="6", from_port=32768, to_port=65535),
        subnets=["b"],
    )
    found = about(steps(by_interface(there, open_acl("all", ["a"])), KMS), "network ACL")
    assert "acl-b, outbound, ports 1024-32767: the final deny denies." in found
    assert "acl-b, outbound, ports 32768-65535: rule 100 (0.0.0.0/0) allows." in found


def test_a_stated_group_is_asked_for_its_egress() -> None:
    """What it does not let out stops at the workload itself."""
    clients = group("clients", egress=[admits("10.9.0.0/16")])
    snapshot = by_interface(clients, group("endpoints", admits("sg-clients")))
    found = about(steps(snapshot, KMS, "sg-clients"), "security group")
    assert (
        "The workload's security groups: sg-clients stops the whole subnet (no egress rule lets "
        "them out to 443)." in found
    )
    assert "sg-endpoints admits workloads that have sg-clients." in found


def test_inside_one_subnet_no_gate_is_asked() -> None:
    """Neither routes nor ACLs see it."""
    found = steps(by_interface(eni("1", "a", "10.0.1.9")), KMS)
    assert "Inside one subnet neither routes nor ACLs are asked." in about(found, "network ACL")


# --- policies ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "known", [service(OWN, policy_supported=True), service(KMS, policy_supported=False)]
)
def test_a_service_that_takes_no_policy_has_none_decided(known: Service) -> None:
    """Somebody's own never does, whatever EC2 tells of it; the others by what EC2 tells."""
    found = steps(by_interface(known, interface("taken", known.name)), known.name)
    assert "vpce-taken: the service takes no policy." in about(found, "policy")


def test_a_policy_that_ec2_does_not_tell_is_said_to_be_missing() -> None:
    """It is not taken for full access, nor for none."""
    found = steps(by_interface(interface("untold", KMS, policy=None)), KMS)
    assert "vpce-untold: EC2 tells no policy." in about(found, "policy")
