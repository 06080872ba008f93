"""Subnets whose requests to endpoints or return traffic is blocked."""

import re
from dataclasses import replace
from typing import Any

import pytest

from network_builders import (
    CUSTOM,
    KMS,
    S3,
    acl,
    admits,
    allow,
    build_snapshot,
    cell,
    deny,
    eni,
    gateway,
    group,
    interface,
    open_acl,
    route,
    statuses,
    subnet,
    table,
    verdict_text,
    verdicts,
)
from posture.analysis.path_outcome import PathOutcome
from posture.model.network import Endpoint, EndpointType, GroupReference, Snapshot
from posture.model.verdict import Severity, Status

BLOCKED = "endpoint-unreachable-from-subnet"
RETURN_TRAFFIC = "network-acl-blocks-return-traffic"

A, B, C = (
    subnet("a", "a", "10.0.1.0/24"),
    subnet("b", "b", "10.0.2.0/24"),
    subnet("c", "a", "10.0.3.0/24"),
)
OPEN = open_acl("all", ["a", "b", "c"])


def kms(**more: Any) -> Endpoint:
    """Build a KMS endpoint with one network interface in `subnet-c`."""
    plain = interface("kms", KMS, network_interface_ids=("eni-1",), subnet_ids=("subnet-c",))
    return replace(plain, **more)


def vpc(*parts: Any, endpoint: Endpoint | None = None) -> Snapshot:
    """Build three subnets, one of them with the KMS endpoint's network interface."""
    return build_snapshot(
        A,
        B,
        C,
        table("main", main=True),
        OPEN,
        eni("1", "c", "10.0.3.9"),
        endpoint or kms(),
        *parts,
    )


def test_everything_open_passes() -> None:
    """The ordinary case."""
    assert statuses(BLOCKED, vpc()) == {"vpce-kms": Status.PASS}
    assert statuses(RETURN_TRAFFIC, vpc()) == {"acl-all": Status.PASS}


def test_a_group_without_a_rule_for_443_blocks_every_subnet() -> None:
    """More severe than a single blocked subnet; other ports do not matter."""
    verdict = verdicts(BLOCKED, vpc(group("endpoints", admits("10.0.0.0/16", (80, 80)))))[
        "vpce-kms"
    ]
    assert (verdict.status, verdict.severity) == (Status.FAIL, Severity.HIGH)
    assert verdict.summary == "vpce-kms (kms) is not reachable on port 443 from every subnet"
    assert verdict.root == "sg-endpoints blocks traffic to endpoints on port 443"
    assert "sg-endpoints" in verdict.concerns


def test_blocked_subnets_are_named() -> None:
    """With the command that allows them."""
    rules = (admits("10.0.1.0/24"), admits("10.0.3.0/24"))
    verdict = verdicts(BLOCKED, vpc(group("endpoints", *rules)))["vpce-kms"]
    assert verdict.severity is Severity.MEDIUM
    assert verdict.summary == "vpce-kms (kms) is not reachable on port 443 from subnet-b"
    assert (
        "blocks the whole subnet (no inbound rule allows port 443). Affected: subnet-b."
        in verdict_text(verdict)
    )
    assert "--group-id sg-endpoints" in verdict_text(verdict)
    assert "{CidrIp=10.0.2.0/24}" in verdict_text(verdict)


def test_half_a_blocked_subnet_has_low_severity() -> None:
    """The evidence names the blocked half."""
    rules = (admits("10.0.1.0/24"), admits("10.0.2.0/25"), admits("10.0.3.0/24"))
    verdict = verdicts(BLOCKED, vpc(group("endpoints", *rules)))["vpce-kms"]
    assert verdict.severity is Severity.LOW
    assert verdict.summary == "vpce-kms (kms) is not reachable on port 443 from part of subnet-b"
    assert "10.0.2.128/25" in verdict_text(verdict)


def test_a_group_reference_blocks_no_subnet() -> None:
    """Which workloads have the group is not known."""
    assert statuses(BLOCKED, vpc(group("endpoints", admits("sg-clients")))) == {
        "vpce-kms": Status.PASS
    }


def test_a_network_acl_of_the_endpoints_subnet_blocks() -> None:
    """Inbound; traffic within that subnet does not pass the network ACL."""
    guard = acl("c", deny(50, "10.0.1.0/24"), allow(100), allow(100, egress=True), subnets=["c"])
    verdict = verdicts(BLOCKED, vpc(open_acl("all", ["a", "b"]), guard))["vpce-kms"]
    assert verdict.summary == "vpce-kms (kms) is not reachable on port 443 from subnet-a"
    assert "rule 50 denies 10.0.1.0/24" in verdict_text(verdict)
    assert "authorize-security-group-ingress" not in verdict_text(verdict)
    assert "acl-c" in verdict.concerns


def test_a_network_acl_of_the_workloads_subnet_blocks() -> None:
    """Outbound, to the endpoint's address."""
    guard = acl("a", deny(50, "10.0.3.0/24", egress=True), allow(100), allow(100, egress=True),
                subnets=["a"])  # fmt: skip
    verdict = verdicts(BLOCKED, vpc(open_acl("all", ["b", "c"]), guard))["vpce-kms"]
    assert verdict.summary == "vpce-kms (kms) is not reachable on port 443 from subnet-a"


def test_a_blackhole_inside_the_vpc_blocks() -> None:
    """A middlebox route whose target no longer exists."""
    hole = table("a", route("10.0.3.0/24", "eni-gone", blackhole=True), subnets=["a"])
    verdict = verdicts(BLOCKED, vpc(hole))["vpce-kms"]
    assert verdict.summary == "vpce-kms (kms) is not reachable on port 443 from subnet-a"
    assert (
        "rtb-a blocks the whole subnet (route 10.0.3.0/24 to eni-gone is a blackhole)"
        in verdict_text(verdict)
    )


def test_no_common_ip_version_blocks() -> None:
    """An IPv6-only subnet and an IPv4 endpoint."""
    lonely = replace(subnet("b", "b", ipv6="2001:db8:0:2::/64"), cidr=None)
    verdict = verdicts(BLOCKED, vpc(lonely))["vpce-kms"]
    assert verdict.summary == "vpce-kms (kms) is not reachable on port 443 from subnet-b"
    assert "have no IP version in common" in verdict_text(verdict)


@pytest.mark.parametrize(
    "endpoint",
    [
        kms(network_interface_ids=("eni-secret",)),
        kms(network_interface_ids=()),
        kms(security_group_ids=("sg-elsewhere",)),
    ],
)
def test_what_cannot_be_read_is_unknown(endpoint: Endpoint) -> None:
    """An interface or a group that is not in the snapshot."""
    assert statuses(BLOCKED, vpc(endpoint=endpoint)) == {"vpce-kms": Status.UNKNOWN}


def test_a_pending_endpoint_is_not_applicable() -> None:
    """It has no network interface yet."""
    endpoint = kms(network_interface_ids=(), state="pending")
    assert statuses(BLOCKED, vpc(endpoint=endpoint)) == {"vpce-kms": Status.NOT_APPLICABLE}


def test_a_group_of_a_peered_vpc_allows_no_local_subnet() -> None:
    """No workload in this VPC can have it."""
    theirs = GroupReference("sg-theirs", "vpc-9", "pcx-1")
    rule = replace(admits("sg-theirs"), group=theirs)
    verdict = verdicts(BLOCKED, vpc(group("endpoints", rule)))["vpce-kms"]
    assert verdict.summary == "vpce-kms (kms) is not reachable on port 443 from every subnet"


def test_a_middlebox_on_the_path_is_unknown() -> None:
    """What it forwards is not known."""
    through = table("a", route("10.0.3.0/24", "eni-firewall"), subnets=["a"])
    verdict = verdicts(BLOCKED, vpc(through))["vpce-kms"]
    assert verdict.status is Status.UNKNOWN
    assert "eni-firewall (route 10.0.3.0/24) of rtb-a" in verdict_text(verdict)


@pytest.mark.parametrize("state", ["failed", "rejected", "deleted", "pendingacceptance"])
def test_a_failed_endpoint_is_not_evaluated(state: str) -> None:
    """It has a rule of its own."""
    assert statuses(BLOCKED, vpc(endpoint=kms(state=state))) == {}


# --- answers -------------------------------------------------------------------------------------

HTTPS_ONLY: dict[str, Any] = {"protocol": "6", "from_port": 443, "to_port": 443}


def test_a_network_acl_without_ephemeral_ports() -> None:
    """Traffic on port 443 only: requests arrive, and the return traffic is blocked."""
    guard = acl("c", allow(100), allow(100, egress=True, **HTTPS_ONLY), subnets=["c"])
    snapshot = vpc(open_acl("all", ["a", "b"]), guard)
    verdict = verdicts(RETURN_TRAFFIC, snapshot)["acl-c"]
    assert (verdict.status, verdict.severity) == (Status.FAIL, Severity.MEDIUM)
    assert verdict.summary == ("acl-c blocks return traffic from vpce-kms to subnet-a and subnet-b")
    assert statuses(BLOCKED, snapshot) == {"vpce-kms": Status.PASS}
    assert statuses(RETURN_TRAFFIC, snapshot)["acl-all"] is Status.PASS


def test_a_network_acl_of_the_workload_without_ephemeral_ports() -> None:
    """Outbound traffic on port 443, and no inbound traffic on ephemeral ports."""
    guard = acl("a", allow(100, **HTTPS_ONLY), allow(100, egress=True), subnets=["a"])
    verdict = verdicts(RETURN_TRAFFIC, vpc(open_acl("all", ["b", "c"]), guard))["acl-a"]
    assert "from vpce-kms to subnet-a" in verdict.summary
    assert "rule * denies all other traffic" in verdict_text(verdict)


def test_some_blocked_ephemeral_ports_have_low_severity() -> None:
    """Failures depend on the client's operating system."""
    some: dict[str, Any] = {"protocol": "6", "from_port": 32768, "to_port": 65535}
    guard = acl("a", allow(100, **some), allow(100, egress=True), subnets=["a"])
    verdict = verdicts(RETURN_TRAFFIC, vpc(open_acl("all", ["b", "c"]), guard))["acl-a"]
    assert verdict.severity is Severity.LOW
    assert "blocks return traffic to some client ports" in verdict.summary
    assert "ports 1024-32767" in verdict_text(verdict)


def test_a_blocked_request_has_no_return_traffic() -> None:
    """A network ACL that blocks the request is reported for the request only."""
    guard = acl("c", allow(100, "10.9.0.0/16"), subnets=["c"])
    snapshot = vpc(open_acl("all", ["a", "b"]), guard)
    assert statuses(RETURN_TRAFFIC, snapshot)["acl-c"] is Status.PASS
    assert statuses(BLOCKED, snapshot) == {"vpce-kms": Status.FAIL}


def test_return_traffic_of_a_gateway_endpoint() -> None:
    """It comes from the service's public addresses."""
    guard = acl("a", allow(100, "10.0.0.0/8"), allow(100, egress=True), subnets=["a"])
    snapshot = build_snapshot(
        A, gateway("s3", S3, ["main"]), table("main", route("pl-s3", "vpce-s3"), main=True), guard
    )
    verdict = verdicts(RETURN_TRAFFIC, snapshot)["acl-a"]
    assert verdict.summary == ("acl-a blocks return traffic from vpce-s3 to subnet-a")


REQUESTS = "gateway-endpoint-blocked-by-network-acl"


def by_gateway(*parts: Any) -> Snapshot:
    """Build a subnet whose S3 traffic is routed to a gateway endpoint."""
    main = table("main", route("pl-s3", "vpce-s3"), main=True)
    return build_snapshot(A, gateway("s3", S3, ["main"]), main, *parts)


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([allow(100, "10.0.0.0/16", egress=True)], "blocks requests from subnet-a to vpce-s3"),
        (
            [deny(50, "0.0.0.0/0", egress=True, protocol="6", from_port=443, to_port=443)],
            "blocks requests",
        ),
        ([deny(50, "52.218.0.0/17", egress=True), allow(100, egress=True)], "blocks some requests"),
        ([allow(100, "52.218.0.0/17", egress=True)], "blocks some requests"),
        ([], "blocks requests"),
    ],
)
def test_a_network_acl_that_blocks_requests_to_a_gateway_endpoint(
    entries: list[Any], words: str
) -> None:
    """The finding names the entry, and no text says that requests pass."""
    verdict = verdicts(REQUESTS, by_gateway(acl("a", allow(100), *entries, subnets=["a"])))["acl-a"]
    assert verdict.status is Status.FAIL
    assert words in verdict.summary
    denying = next((each for each in entries if not each.allow), None)
    assert (f"rule {denying.number}" if denying else "rule *") in verdict_text(verdict)
    assert verdict.remediation
    assert "port 443" in verdict.remediation.text


@pytest.mark.parametrize(
    "entries",
    [
        [allow(100, egress=True)],
        [deny(50, "192.0.2.0/24", egress=True), allow(100, egress=True)],
        [deny(50, egress=True, protocol="17"), allow(100, egress=True)],
        [allow(90, each, egress=True) for each in ("52.218.0.0/17", "3.5.64.0/21")],
    ],
)
def test_a_network_acl_that_allows_requests_to_a_gateway_endpoint(entries: list[Any]) -> None:
    """Other addresses and protocols do not matter."""
    snapshot = by_gateway(acl("a", allow(100), *entries, subnets=["a"]))
    assert statuses(REQUESTS, snapshot) == {"acl-a": Status.PASS}


def test_an_unknown_network_acl_before_a_gateway_endpoint() -> None:
    """Whether requests pass is not known."""
    assert statuses(REQUESTS, by_gateway()) == {"subnet-a": Status.UNKNOWN}


# --- other ports ---------------------------------------------------------------------------------

KEYSPACES = "com.amazonaws.eu-west-1.cassandra"


@pytest.mark.parametrize(
    ("port", "status"), [(9142, Status.PASS), (443, Status.FAIL), (9141, Status.FAIL)]
)
def test_keyspaces_answers_on_9142(port: int, status: Status) -> None:
    """https://docs.aws.amazon.com/keyspaces/latest/devguide/vpc-endpoints.html."""
    endpoint = replace(kms(), service_name=KEYSPACES)
    snapshot = vpc(group("endpoints", admits("10.0.0.0/16", (port, port))), endpoint=endpoint)
    verdict = verdicts(BLOCKED, snapshot)["vpce-kms"]
    assert verdict.status is status
    assert "on port 9142" in verdict.summary
    outcome = PathOutcome.PRIVATE if status is Status.PASS else PathOutcome.BLOCKED
    assert cell(snapshot, "a", KEYSPACES).outcome is outcome


SMTP = "com.amazonaws.eu-west-1.email-smtp"


@pytest.mark.parametrize(
    ("ports", "status", "outcome"),
    [
        ([(25, 25), (465, 587), (2465, 2587)], Status.PASS, PathOutcome.PRIVATE),
        ([(587, 587)], Status.UNKNOWN, PathOutcome.UNKNOWN),
        ([(443, 443)], Status.FAIL, PathOutcome.BLOCKED),
    ],
    ids=["all five", "one of five", "port 443 only"],
)
def test_ses_answers_on_five_ports(
    ports: list[tuple[int, int]], status: Status, outcome: PathOutcome
) -> None:
    """https://docs.aws.amazon.com/ses/latest/dg/send-email-set-up-vpc-endpoints.html."""
    rules = [admits("10.0.0.0/16", each) for each in ports]
    snapshot = vpc(group("endpoints", *rules), endpoint=kms(service_name=SMTP))
    verdict = verdicts(BLOCKED, snapshot)["vpce-kms"]
    assert verdict.status is status
    found = cell(snapshot, "a", SMTP)
    assert found.outcome is outcome
    if status is Status.UNKNOWN:
        named = "port 587: reachable"
        assert named in verdict.summary
        assert named in found.summary
        assert "ports 25, 465, 2465 and 2587: blocked" in verdict.summary


UNKNOWN_PORTS = [
    kms(service_name=CUSTOM),
    kms(type=EndpointType.RESOURCE),
    kms(type=EndpointType.SERVICE_NETWORK),
]


@pytest.mark.parametrize("endpoint", UNKNOWN_PORTS, ids=["customer", "resource", "network"])
@pytest.mark.parametrize(
    ("rules", "status"),
    [
        ([admits("10.0.0.0/16", None)], Status.PASS),
        ([admits("10.0.0.0/16", (443, 443))], Status.UNKNOWN),
        ([admits("10.0.0.0/16", (5432, 5432)), admits("10.0.0.0/16", (443, 443))], Status.UNKNOWN),
        ([admits("10.0.0.0/16", (1, 5000)), admits("10.0.0.0/16", (5001, 65535))], Status.PASS),
        ([admits("10.9.0.0/16", None)], Status.FAIL),
        ([admits("10.0.0.0/16", (53, 53), "udp")], Status.FAIL),
        ([], Status.FAIL),
    ],
)
def test_the_ports_of_other_endpoints_are_not_known(
    endpoint: Endpoint, rules: list[Any], status: Status
) -> None:
    """Providers choose them; only what is true of every TCP port is certain."""
    verdict = verdicts(BLOCKED, vpc(group("endpoints", *rules), endpoint=endpoint))["vpce-kms"]
    assert verdict.status is status
    if status is Status.UNKNOWN:
        assert verdict.severity is Severity.LOW
        assert re.search(r"ports? 443( and 5432)?: reachable", verdict_text(verdict))


def test_a_network_acl_restricts_the_ports_of_other_endpoints() -> None:
    """As far as it lets the groups' ports pass."""
    https: dict[str, Any] = {"protocol": "6", "from_port": 443, "to_port": 443}
    snapshot = vpc(
        open_acl("all", ["b", "c"]),
        acl("a", allow(100), allow(100, egress=True, **https), subnets=["a"]),
        group("endpoints", admits("10.0.0.0/16", None)),
        endpoint=kms(service_name=CUSTOM),
    )
    verdict = verdicts(BLOCKED, snapshot)["vpce-kms"]
    assert verdict.status is Status.UNKNOWN
    assert "subnet-a" in verdict.summary
    assert "ports 1-442 and 444-65535: blocked" in verdict.summary
    assert cell(snapshot, "a", CUSTOM).outcome is PathOutcome.UNKNOWN
    assert cell(snapshot, "b", CUSTOM).outcome is PathOutcome.PRIVATE
