"""What a service's DNS names resolve to inside a VPC."""

from dataclasses import replace
from ipaddress import IPv4Network
from typing import Any

import pytest

from network_builders import (
    CUSTOM,
    DYNAMODB,
    KMS,
    S3,
    VPC,
    build_snapshot,
    gateway,
    interface,
    service,
)
from posture.analysis.endpoint_dns import list_ip_versions
from posture.analysis.names import NameResolution, ResolvesTo, resolve_names
from posture.analysis.services import get_service
from posture.model.network import Endpoint, Snapshot

INBOUND_ONLY = "resolve to vpce-1 only for queries through inbound Resolver endpoints"


def resolved(*parts: Any, name: str = KMS, **more: Any) -> NameResolution:
    """Resolve one service's names in a VPC of these parts."""
    snapshot: Snapshot = build_snapshot(*parts, **more)
    return resolve_names(snapshot, snapshot.services[name])


@pytest.mark.parametrize(
    ("endpoint", "leads_to"),
    [
        (interface("1"), ResolvesTo.ENDPOINT),
        (interface("1", state="pending"), ResolvesTo.ENDPOINT),
        (interface("1", state="failed"), ResolvesTo.PUBLIC),
        (interface("1", state="pendingacceptance"), ResolvesTo.PUBLIC),
        (interface("1", private_dns=False), ResolvesTo.UNKNOWN),
        (interface("1", private_dns=None), ResolvesTo.UNKNOWN),
        (interface("1", "com.amazonaws.eu-west-1.kms-fips"), ResolvesTo.PUBLIC),
    ],
)
def test_names_resolve_to_a_working_endpoint_with_private_dns(
    endpoint: Endpoint, leads_to: ResolvesTo
) -> None:
    """https://docs.aws.amazon.com/vpc/latest/privatelink/interface-endpoints.html."""
    assert resolved(endpoint).resolves_to is leads_to


def test_without_an_endpoint_the_names_are_public() -> None:
    """The caveat says that a private hosted zone would take precedence."""
    found = resolved()
    assert found.resolves_to is ResolvesTo.PUBLIC
    assert "such zones are not evaluated" in found.caveat


@pytest.mark.parametrize(
    ("support", "hostnames", "leads_to"),
    [
        (True, True, ResolvesTo.ENDPOINT),
        (False, True, ResolvesTo.PUBLIC),
        (True, False, ResolvesTo.PUBLIC),
        (None, False, ResolvesTo.PUBLIC),
        (None, True, ResolvesTo.UNKNOWN),
        (True, None, ResolvesTo.UNKNOWN),
    ],
)
def test_private_dns_requires_both_attributes_of_the_vpc(
    *, support: bool | None, hostnames: bool | None, leads_to: ResolvesTo
) -> None:
    """One disabled attribute makes the names public, an unknown one the answer unknown."""
    vpc = replace(VPC, dns_support=support, dns_hostnames=hostnames)
    assert resolved(interface("1"), vpc=vpc).resolves_to is leads_to


def test_names_resolve_to_the_one_of_two_endpoints_with_private_dns() -> None:
    """The other one is reached only by its own DNS names."""
    found = resolved(interface("1", private_dns=False), interface("2"))
    assert [each.id for each in found.endpoints] == ["vpce-2"]


def test_s3_with_the_inbound_resolver_option_uses_the_gateway_endpoint() -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/privatelink-interface-endpoints.html.

    Inside the VPC the names resolve to public addresses, which the gateway endpoint routes.
    """
    only = interface("1", S3, private_dns_only_for_inbound_resolver=True)
    found = resolved(gateway("s3"), only, name=S3)
    assert found.resolves_to is ResolvesTo.PUBLIC
    assert INBOUND_ONLY in found.why


def test_s3_without_the_option_uses_the_interface_endpoint() -> None:
    """A gateway endpoint then carries no traffic that uses S3's own names."""
    found = resolved(gateway("s3"), interface("1", S3), name=S3)
    assert [each.id for each in found.endpoints] == ["vpce-1"]


def test_s3_interface_endpoint_without_private_dns_beside_a_gateway_endpoint() -> None:
    """S3's own names resolve to public addresses, which the gateway endpoint routes."""
    found = resolved(gateway("s3"), interface("1", S3, private_dns=False), name=S3)
    assert found.resolves_to is ResolvesTo.PUBLIC


@pytest.mark.parametrize("name", [DYNAMODB, KMS, "aws.sagemaker.eu-west-1.notebook"])
def test_a_service_of_aws_without_private_dns_keeps_its_public_names(name: str) -> None:
    """https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/privatelink-interface-endpoints.html."""
    bare = service(name, private_dns_names=())
    found = resolved(bare, interface("1", name, private_dns=False), name=name)
    assert found.resolves_to is ResolvesTo.PUBLIC
    assert "vpce-1" in found.why


def test_a_service_of_another_account_has_only_the_names_of_its_endpoint() -> None:
    """They resolve to nothing else, whether the catalogue lists the service or not."""
    endpoint = interface("2", CUSTOM, private_dns=False)
    for parts in ((), (service(CUSTOM, private_dns_names=()),)):
        snapshot = build_snapshot(endpoint, *parts)
        found = resolve_names(snapshot, get_service(snapshot, endpoint))
        assert found.resolves_to is ResolvesTo.ENDPOINT


def test_whether_a_service_that_is_not_listed_has_private_dns_is_unknown() -> None:
    """A cross-Region endpoint, if the catalogue of its service's Region could not be read."""
    endpoint = interface("1", "com.amazonaws.us-west-2.kms", private_dns=False)
    snapshot = build_snapshot(endpoint)
    found = resolve_names(snapshot, get_service(snapshot, endpoint))
    assert found.resolves_to is ResolvesTo.UNKNOWN
    assert "com.amazonaws.us-west-2.kms" in found.why


@pytest.mark.parametrize(
    ("servers", "leads_to"),
    [
        (("AmazonProvidedDNS",), ResolvesTo.ENDPOINT),
        (("10.0.0.2", "169.254.169.253", "fd00:ec2::253"), ResolvesTo.ENDPOINT),
        (("AmazonProvidedDNS", "10.9.9.9"), ResolvesTo.UNKNOWN),
        (("10.1.0.2",), ResolvesTo.UNKNOWN),
        ((), ResolvesTo.UNKNOWN),
        (None, ResolvesTo.UNKNOWN),
    ],
)
def test_only_the_resolver_of_the_vpc_knows_private_dns(
    servers: tuple[str, ...] | None, leads_to: ResolvesTo
) -> None:
    """Its address is the base of the primary block plus two: 10.0.0.2, not 10.1.0.2."""
    vpc = replace(VPC, cidrs=(*VPC.cidrs, IPv4Network("10.1.0.0/16")), dns_servers=servers)
    found = resolved(interface("1"), vpc=replace(vpc, dhcp_options_id="dopt-1"))
    assert found.resolves_to is leads_to
    if leads_to is ResolvesTo.UNKNOWN:
        assert "dopt-1" in found.why
        assert all(each in found.why for each in servers or () if each in {"10.9.9.9", "10.1.0.2"})


def test_each_service_of_a_product_has_its_own_names() -> None:
    """The names of ecr.dkr do not resolve to an endpoint for ecr.api."""
    api, dkr = (service(f"com.amazonaws.eu-west-1.ecr.{each}") for each in ("api", "dkr"))
    endpoint = interface("1", api.name)
    assert resolved(api, dkr, endpoint, name=api.name).resolves_to is ResolvesTo.ENDPOINT
    assert resolved(api, dkr, endpoint, name=dkr.name).resolves_to is ResolvesTo.PUBLIC


@pytest.mark.parametrize(
    ("record", "address", "versions"),
    [
        (None, None, {4}),
        (None, "ipv6", {6}),
        (None, "dualstack", {4, 6}),
        ("ipv4", "dualstack", {4}),
        ("ipv6", "dualstack", {6}),
        ("dualstack", "dualstack", {4, 6}),
        ("service-defined", "dualstack", {4, 6}),
    ],
)
def test_the_ip_versions_of_the_addresses_that_names_return(
    record: str | None, address: str | None, versions: set[int]
) -> None:
    """The DNS record type decides, or else the IP address type of the endpoint."""
    endpoint = interface("1", dns_record_ip_type=record, ip_address_type=address)
    assert set(list_ip_versions(endpoint)) == versions


@pytest.mark.parametrize(
    ("names", "caveat"),
    [(("sts.eu-west-1.amazonaws.com",), True), (("sts.amazonaws.com", "sts.x"), False)],
)
def test_a_name_without_region_that_older_sdks_use_is_a_remark(
    *, names: tuple[str, ...], caveat: bool
) -> None:
    """https://docs.aws.amazon.com/sdkref/latest/guide/feature-sts-regionalized-endpoints.html."""
    sts = service("com.amazonaws.eu-west-1.sts", private_dns_names=names)
    found = resolved(sts, interface("1", sts.name), name=sts.name)
    assert found.resolves_to is ResolvesTo.ENDPOINT
    assert ("sts.amazonaws.com" in found.caveat) is caveat


@pytest.mark.parametrize("short", ["autoscaling", "ec2", "elasticmapreduce", "s3", "sts"])
def test_general_names_bypass_the_endpoint(short: str) -> None:
    """https://docs.aws.amazon.com/general/latest/gr/rande.html#global-endpoints."""
    name = f"com.amazonaws.eu-west-1.{short}"
    offered = service(name, private_dns_names=(f"{short}.eu-west-1.amazonaws.com",))
    found = resolved(offered, interface("1", name), name=name)
    assert f"{short}.amazonaws.com, which older SDKs" in found.caveat


def test_services_without_a_general_name_need_no_caveat() -> None:
    """Their names all have a Region."""
    assert resolved(service(KMS), interface("1", KMS), name=KMS).caveat == ""
