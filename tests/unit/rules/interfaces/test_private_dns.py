"""Private DNS that is disabled or has no effect."""

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
from posture.model.network import EndpointType, Facet
from posture.model.verdict import Status

CONFIGURATION = "arn:aws:vpc-lattice:eu-west-1:999988887777:resourceconfiguration/rcfg-1"
OFF = "endpoint-private-dns-disabled"
NO_EFFECT = "endpoint-private-dns-ineffective"
ANY_DOMAIN = "endpoint-private-dns-any-domain"


# --- off -----------------------------------------------------------------------------------------


def test_enabled_private_dns_passes() -> None:
    """Whatever the service offers."""
    assert statuses(OFF, build_snapshot(interface("1"))) == {"vpce-1": Status.PASS}


def test_disabled_private_dns_fails_where_it_is_offered() -> None:
    """The summary names a DNS name that resolves to public addresses."""
    verdict = verdicts(OFF, build_snapshot(interface("1", private_dns=False)))["vpce-1"]
    assert verdict.status is Status.FAIL
    assert "kms.eu-west-1.amazonaws.com resolves to the service's public" in verdict.summary
    assert "--private-dns-enabled" in verdict_text(verdict)


def test_a_service_without_private_dns_is_not_applicable() -> None:
    """It offers none."""
    bare = service(KMS, private_dns_names=())
    snapshot = build_snapshot(bare, interface("1", private_dns=False))
    assert statuses(OFF, snapshot) == {"vpce-1": Status.NOT_APPLICABLE}


def test_unknown_support_is_unknown() -> None:
    """A service that the catalogue does not list."""
    snapshot = build_snapshot(interface("1", CUSTOM, private_dns=False))
    assert statuses(OFF, snapshot) == {"vpce-1": Status.UNKNOWN}


def test_a_missing_attribute_is_unknown() -> None:
    """Neither enabled nor disabled."""
    snapshot = build_snapshot(interface("1", private_dns=None))
    assert statuses(OFF, snapshot) == {"vpce-1": Status.UNKNOWN}


def test_a_second_endpoint_need_not_have_it() -> None:
    """Only one endpoint of a service may."""
    snapshot = build_snapshot(interface("1"), interface("2", private_dns=False))
    assert statuses(OFF, snapshot) == {"vpce-1": Status.PASS, "vpce-2": Status.NOT_APPLICABLE}


def test_private_dns_may_be_disabled_beside_a_gateway_endpoint() -> None:
    """S3's DNS names are meant to resolve to the gateway endpoint's addresses."""
    snapshot = build_snapshot(gateway("s3"), interface("1", S3, private_dns=False))
    assert statuses(OFF, snapshot) == {"vpce-1": Status.NOT_APPLICABLE}


def test_a_failed_second_endpoint_does_not_count() -> None:
    """It cannot serve the DNS names."""
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
    """One disabled attribute is enough to fail."""
    vpc = replace(VPC, dns_support=support, dns_hostnames=hostnames)
    assert statuses(NO_EFFECT, build_snapshot(interface("1"), vpc=vpc)) == {"vpce-1": status}


def test_the_commands_enable_what_is_disabled() -> None:
    """Each attribute takes a call of its own."""
    vpc = replace(VPC, dns_support=False)
    text = verdict_text(verdicts(NO_EFFECT, build_snapshot(interface("1"), vpc=vpc))["vpce-1"])
    assert "modify-vpc-attribute --vpc-id vpc-1 --enable-dns-support" in text
    assert "--enable-dns-hostnames" not in text


def test_each_call_of_a_command_names_the_region() -> None:
    """The shell may have another default Region."""
    vpc = replace(VPC, dns_support=False, dns_hostnames=False)
    verdict = verdicts(NO_EFFECT, build_snapshot(interface("1"), vpc=vpc))["vpce-1"]
    assert verdict.remediation is not None
    calls = verdict.remediation.command.split(" && ")
    assert len(calls) == 2
    assert all(call.endswith(" --region eu-west-1") for call in calls)


def test_other_dns_servers_make_the_effect_unknown() -> None:
    """They decide what the names resolve to; the finding names them."""
    vpc = replace(VPC, dhcp_options_id="dopt-1", dns_servers=("10.9.9.9",))
    verdict = verdicts(NO_EFFECT, build_snapshot(interface("1"), vpc=vpc))["vpce-1"]
    assert verdict.status is Status.UNKNOWN
    assert "10.9.9.9" in verdict.summary
    assert {"dopt-1", VPC.id, "vpce-1"} <= verdict.concerns


def test_denied_option_sets_have_one_cause_and_name_the_permission() -> None:
    """All endpoints share it, so that an alert has one line for it."""
    reason = "UnauthorizedOperation: ec2:DescribeDhcpOptions is denied"
    snapshot = build_snapshot(
        interface("1"),
        interface("2", S3),
        vpc=replace(VPC, dhcp_options_id="dopt-1", dns_servers=None),
        unreadable={Facet.DHCP_OPTIONS: reason},
    )
    found = verdicts(NO_EFFECT, snapshot).values()
    assert {each.status for each in found} == {Status.UNKNOWN}
    assert len({each.root for each in found}) == 1
    assert all("Allow ec2:DescribeDhcpOptions" in verdict_text(each) for each in found)


def test_without_private_dns_the_attributes_do_not_matter() -> None:
    """The rule does not apply."""
    vpc = replace(VPC, dns_support=False)
    assert statuses(NO_EFFECT, build_snapshot(interface("1", private_dns=False), vpc=vpc)) == {}


def test_an_unused_endpoint_shows_its_public_paths_and_charges() -> None:
    """The endpoint is charged for, but its DNS names resolve to public addresses."""
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


# --- domains -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [EndpointType.RESOURCE, EndpointType.SERVICE_NETWORK])
@pytest.mark.parametrize(
    ("enabled", "preference", "status"),
    [
        (True, "ALL_DOMAINS", Status.FAIL),
        (True, "VERIFIED_DOMAINS_ONLY", Status.PASS),
        (True, "VERIFIED_DOMAINS_AND_SPECIFIED_DOMAINS", Status.PASS),
        (True, "SPECIFIED_DOMAINS_ONLY", Status.PASS),
        (True, "A_NEW_VALUE", Status.UNKNOWN),
        (True, None, Status.UNKNOWN),
        (None, "ALL_DOMAINS", Status.UNKNOWN),
        (False, "ALL_DOMAINS", Status.PASS),
    ],
)
def test_a_provider_must_not_take_any_domain(
    *, kind: EndpointType, enabled: bool | None, preference: str | None, status: Status
) -> None:
    """https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DnsOptions.html."""
    endpoint = interface(
        "1", CONFIGURATION, type=kind, private_dns=enabled, private_dns_preference=preference
    )
    assert statuses(ANY_DOMAIN, build_snapshot(endpoint)) == {"vpce-1": status}


def test_only_resource_and_service_network_endpoints_have_the_preference() -> None:
    """An interface endpoint's names are those of its service."""
    assert statuses(ANY_DOMAIN, build_snapshot(interface("1"))) == {}
