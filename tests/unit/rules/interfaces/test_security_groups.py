"""Security groups of endpoints: none, the default one, or one that allows every address."""

import pytest

from network_builders import (
    admits,
    build_snapshot,
    group,
    interface,
    prefix_list,
    statuses,
    subnet,
    verdict_text,
    verdicts,
)
from posture.model.network import EndpointType, Facet, SecurityGroupRule
from posture.model.verdict import Status

GROUP = "endpoint-default-security-group"
OPEN = "endpoint-security-group-open"

A, B, A2 = subnet("a", "a"), subnet("b", "b"), subnet("a2", "a")


# --- none, or the default one --------------------------------------------------------------------


def test_a_dedicated_security_group_passes() -> None:
    """Any group that is not named default."""
    assert statuses(GROUP, build_snapshot(interface("1"))) == {"vpce-1": Status.PASS}


def test_the_default_security_group_fails() -> None:
    """It is removed beside another group, or replaced by one that allows every subnet."""
    default = group("default", group_name="default")
    alone = interface("1", security_group_ids=("sg-default",))
    both = interface("2", security_group_ids=("sg-endpoints", "sg-default"))
    found = verdicts(GROUP, build_snapshot(default, alone, both))
    assert {each.status for each in found.values()} == {Status.FAIL}
    remove = "--remove-security-group-ids sg-default"
    assert f"vpce-2 {remove}" in verdict_text(found["vpce-2"])
    assert f"vpce-1 --add-security-group-ids sg-endpoints {remove}" in verdict_text(found["vpce-1"])


def test_an_endpoint_without_security_group_fails() -> None:
    """Nothing restricts its clients."""
    assert statuses(GROUP, build_snapshot(interface("1", security_group_ids=()))) == {
        "vpce-1": Status.FAIL
    }


def test_a_missing_security_group_is_unknown() -> None:
    """It could be the default one."""
    snapshot = build_snapshot(interface("1", security_group_ids=("sg-elsewhere",)))
    assert statuses(GROUP, snapshot) == {"vpce-1": Status.UNKNOWN}


def test_load_balancer_endpoints_have_no_groups() -> None:
    """They are not evaluated."""
    endpoint = interface(
        "1", type=EndpointType.GATEWAY_LOAD_BALANCER, security_group_ids=(), private_dns=None
    )
    assert statuses(GROUP, build_snapshot(endpoint)) == {}


# --- open to any address -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "status"),
    [
        ([admits("10.0.0.0/8")], Status.PASS),
        ([admits("0.0.0.0/0")], Status.FAIL),
        ([admits("::/0")], Status.FAIL),
        ([admits("0.0.0.0/0", None, "-1")], Status.FAIL),
        ([admits("0.0.0.0/0", (0, 65535))], Status.FAIL),
        ([admits("0.0.0.0/0", (22, 22))], Status.FAIL),
        ([admits("0.0.0.0/0", (443, 443), "6")], Status.FAIL),
        ([admits("0.0.0.0/0", (53, 53), "udp")], Status.FAIL),
        ([admits("0.0.0.0/0", (-1, -1), "icmp")], Status.PASS),
        ([admits("0.0.0.0/1"), admits("128.0.0.0/1")], Status.FAIL),
        ([admits("0.0.0.0/1"), admits("128.0.0.0/2")], Status.PASS),
        ([admits("0.0.0.0/1"), admits("128.0.0.0/1", (80, 80))], Status.PASS),
        ([admits("0.0.0.0/1"), admits("128.0.0.0/1", (440, 450))], Status.FAIL),
        ([admits("0.0.0.0/1", (80, 90)), admits("128.0.0.0/1", (85, 95))], Status.FAIL),
        ([admits("0.0.0.0/1"), admits("128.0.0.0/1", None, "-1")], Status.FAIL),
        ([admits("pl-all")], Status.FAIL),
        ([admits("0.0.0.0/1"), admits("pl-half")], Status.FAIL),
        ([admits("pl-secret")], Status.UNKNOWN),
        ([admits("pl-secret"), admits("0.0.0.0/0")], Status.FAIL),
        ([admits("sg-clients")], Status.PASS),
        ([], Status.PASS),
    ],
)
def test_addresses_that_security_groups_allow(
    rules: list[SecurityGroupRule], status: Status
) -> None:
    """Every address of a family on any TCP or UDP port, in one rule or in several."""
    lists = (
        prefix_list("pl-all", "0.0.0.0/2", "64.0.0.0/2", "128.0.0.0/1"),
        prefix_list("pl-half", "128.0.0.0/1"),
    )
    snapshot = build_snapshot(*lists, interface("1"), group("endpoints", *rules))
    assert statuses(OPEN, snapshot) == {"vpce-1": status}


def test_security_groups_add_up() -> None:
    """Two groups that allow half of all addresses each are open together."""
    snapshot = build_snapshot(
        interface("1", security_group_ids=("sg-low", "sg-high")),
        group("low", admits("0.0.0.0/1")),
        group("high", admits("128.0.0.0/1")),
    )
    verdict = verdicts(OPEN, snapshot)["vpce-1"]
    assert verdict.status is Status.FAIL
    assert "sg-low allows inbound traffic from 0.0.0.0/1" in verdict_text(verdict)
    assert "sg-high allows inbound traffic from 128.0.0.0/1" in verdict_text(verdict)


def test_the_evidence_names_only_open_rules() -> None:
    """A narrow rule is neither evidence nor revoked; the VPC is allowed before the others go."""
    rules = (admits("10.0.0.0/8"), admits("0.0.0.0/0"))
    verdict = verdicts(OPEN, build_snapshot(interface("1"), group("endpoints", *rules)))["vpce-1"]
    assert "10.0.0.0/8" not in verdict_text(verdict)
    permission = "'IpProtocol=tcp,FromPort=443,ToPort=443,IpRanges=[{CidrIp=%s}]'"
    assert verdict.remediation is not None
    assert verdict.remediation.command == (
        "aws ec2 authorize-security-group-ingress --group-id sg-endpoints --ip-permissions "
        f"{permission % '10.0.0.0/16'} --region eu-west-1 && "
        "aws ec2 revoke-security-group-ingress --group-id sg-endpoints --ip-permissions "
        f"{permission % '0.0.0.0/0'} --region eu-west-1"
    )


@pytest.mark.parametrize(
    ("rule", "part"),
    [
        (admits("::/0", None, "-1"), "IpProtocol=-1,Ipv6Ranges=[{CidrIpv6=::/0}]"),
        (
            admits("pl-all", (0, 65535)),
            "FromPort=0,ToPort=65535,PrefixListIds=[{PrefixListId=pl-all}]",
        ),
    ],
)
def test_the_command_revokes_only_that_rule(rule: SecurityGroupRule, part: str) -> None:
    """In the form that EC2 expects for IPv6 and for prefix lists."""
    lists = prefix_list("pl-all", "0.0.0.0/0")
    snapshot = build_snapshot(lists, interface("1"), group("endpoints", rule))
    assert part in verdict_text(verdicts(OPEN, snapshot)["vpce-1"])


def test_denied_groups_are_unknown() -> None:
    """The addresses that they allow are not known."""
    snapshot = build_snapshot(interface("1"), unreadable={Facet.SECURITY_GROUPS: "denied"})
    assert statuses(OPEN, snapshot) == {"vpc-1": Status.UNKNOWN}


def test_an_endpoint_of_an_unknown_type_is_never_safe() -> None:
    """Type Tunnel, or whatever comes next: unknown, or a failure where its group is open."""
    endpoint = interface("1", type=EndpointType.UNKNOWN)
    rule = "endpoint-security-group-open"
    assert statuses(rule, build_snapshot(endpoint)) == {"vpce-1": Status.UNKNOWN}
    opened = group("endpoints", admits("0.0.0.0/0"))
    assert statuses(rule, build_snapshot(endpoint, opened)) == {"vpce-1": Status.FAIL}
