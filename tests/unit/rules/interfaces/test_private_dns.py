"""Private DNS: off, or on without effect."""

from dataclasses import replace

import pytest

from network_builders import (
    CUSTOM,
    KMS,
    S3,
    VPC,
    build_snapshot,
    gateway,
    interface,
    nat,
    route,
    service,
    statuses,
    subnet,
    table,
    verdict_text,
    verdicts,
)
from posture.model.verdict import Status

OFF = "endpoint-private-dns-disabled"
NO_EFFECT = "endpoint-private-dns-ineffective"


# --- off -----------------------------------------------------------------------------------------


def test_private_dns_on_passes() -> None:
    """Whatever the service offers."""
    assert statuses(OFF, build_snapshot(interface("1"))) == {"vpce-1": Status.PASS}


def test_private_dns_off_fails_where_it_is_offered() -> None:
    """It names what still leads to public addresses."""
    verdict = verdicts(OFF, build_snapshot(interface("1", private_dns=False)))["vpce-1"]
    assert verdict.status is Status.FAIL
    assert "kms.eu-west-1.amazonaws.com resolves to the service's public" in verdict.summary
    assert "--private-dns-enabled" in verdict_text(verdict)


def test_a_service_without_private_dns_is_not_faulted() -> None:
    """It offers none."""
    bare = service(KMS, private_dns_names=())
    snapshot = build_snapshot(bare, interface("1", private_dns=False))
    assert statuses(OFF, snapshot) == {"vpce-1": Status.NOT_APPLICABLE}


def test_unknown_support_is_unknown() -> None:
    """A service that the catalogue does not list."""
    snapshot = build_snapshot(interface("1", CUSTOM, private_dns=False))
    assert statuses(OFF, snapshot) == {"vpce-1": Status.UNKNOWN}


def test_what_ec2_does_not_tell_is_unknown() -> None:
    """Neither on nor off."""
    snapshot = build_snapshot(interface("1", private_dns=None))
    assert statuses(OFF, snapshot) == {"vpce-1": Status.UNKNOWN}


def test_a_second_endpoint_need_not_have_it() -> None:
    """Only one endpoint of a service may."""
    snapshot = build_snapshot(interface("1"), interface("2", private_dns=False))
    assert statuses(OFF, snapshot) == {"vpce-1": Status.PASS, "vpce-2": Status.NOT_APPLICABLE}


def test_beside_a_gateway_endpoint_it_is_meant_to_be_off() -> None:
    """S3's own names go by the gateway endpoint."""
    snapshot = build_snapshot(gateway("s3"), interface("1", S3, private_dns=False))
    assert statuses(OFF, snapshot) == {"vpce-1": Status.NOT_APPLICABLE}


def test_a_broken_second_endpoint_answers_nothing() -> None:
    """It cannot stand in."""
    snapshot = build_snapshot(interface("1", state="failed"), interface("2", private_dns=False))
    assert statuses(OFF, snapshot)["vpce-2"] is Status.FAIL


# --- without effect ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("support", "hostnames", "status"),
    [
        (True, True, Status.PASS),
        (False, True, Status.FAIL),
        (True, False, Status.FAIL),
        (False, False, Status.FAIL),
        (None, True, Status.UNKNOWN),
        (None, False, Status.FAIL),
    ],
)
def test_both_attributes_must_be_on(
    *, support: bool | None, hostnames: bool | None, status: Status
) -> None:
    """One that is off is enough to fail, whatever the other is."""
    vpc = replace(VPC, dns_support=support, dns_hostnames=hostnames)
    assert statuses(NO_EFFECT, build_snapshot(interface("1"), vpc=vpc)) == {"vpce-1": status}


def test_the_commands_switch_on_just_what_is_off() -> None:
    """Each attribute takes a call of its own."""
    vpc = replace(VPC, dns_support=False)
    text = verdict_text(verdicts(NO_EFFECT, build_snapshot(interface("1"), vpc=vpc))["vpce-1"])
    assert "modify-vpc-attribute --vpc-id vpc-1 --enable-dns-support" in text
    assert "--enable-dns-hostnames" not in text


def test_each_call_of_a_command_names_the_region() -> None:
    """The shell it is typed in may be at home in another one."""
    vpc = replace(VPC, dns_support=False, dns_hostnames=False)
    verdict = verdicts(NO_EFFECT, build_snapshot(interface("1"), vpc=vpc))["vpce-1"]
    assert verdict.remediation is not None
    calls = verdict.remediation.command.split(" && ")
    assert len(calls) == 2
    assert all(call.endswith(" --region eu-west-1") for call in calls)


def test_without_private_dns_the_attributes_do_not_matter() -> None:
    """There is nothing to be without effect."""
    vpc = replace(VPC, dns_support=False)
    assert statuses(NO_EFFECT, build_snapshot(interface("1", private_dns=False), vpc=vpc)) == {}


def test_an_endpoint_whose_names_lead_elsewhere_says_where_and_what_it_costs() -> None:
    """Present, paid for and unused: the ways of the public addresses are the evidence."""
    parts = (
        subnet("a", "a"),
        subnet("b", "b"),
        table("main", route("0.0.0.0/0", "nat-1"), main=True),
        nat("1", None),
    )
    off = verdicts(
        "endpoint-private-dns-disabled", build_snapshot(*parts, interface("1", private_dns=False))
    )["vpce-1"]
    assert (
        "from subnet-a and subnet-b to the public addresses of kms: all traffic is routed to nat-1."
        in verdict_text(off)
    )
    assert "does not read private hosted zones" in verdict_text(off)
    assert "14.60 USD a month" in verdict_text(off)
    dead = build_snapshot(*parts, interface("1"), vpc=replace(VPC, dns_support=False))
    without = verdicts("endpoint-private-dns-ineffective", dead)["vpce-1"]
    assert "all traffic is routed to nat-1" in verdict_text(without)
    assert without.root == "enableDnsSupport of vpc-1 is disabled"
