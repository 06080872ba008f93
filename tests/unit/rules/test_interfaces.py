"""Interface endpoints: zones, private DNS, security groups."""

from dataclasses import replace

import pytest

from network_builders import (
    CUSTOM,
    KMS,
    S3,
    VPC,
    admits,
    gateway,
    group,
    interface,
    picture,
    prefix_list,
    service,
    statuses,
    subnet,
    told,
    verdicts,
)
from posture.model.network import EndpointType, Facet, SecurityGroupRule
from posture.model.verdict import Status

ZONES = "endpoint-in-one-zone"
OFF = "private-dns-off"
NO_EFFECT = "private-dns-ineffective"
GROUP = "endpoint-with-default-group"
OPEN = "endpoint-open-to-everybody"

A, B, A2 = subnet("a", "a"), subnet("b", "b"), subnet("a2", "a")
IN_ONE = interface("1", subnet_ids=("subnet-a",))


# --- zones ---------------------------------------------------------------------------------------


def test_two_zones_pass() -> None:
    """One interface in each of two zones."""
    assert statuses(ZONES, picture(A, B, interface("1"))) == {"vpce-1": Status.PASS}


def test_one_zone_fails_with_the_subnet_to_add() -> None:
    """The command names a subnet of another zone."""
    verdict = verdicts(ZONES, picture(A, B, IN_ONE))["vpce-1"]
    assert verdict.status is Status.FAIL
    assert "stands in eu-west-1a only, while the VPC has subnets in eu-west-1b" in verdict.summary
    assert "--add-subnet-ids subnet-b" in told(verdict)


def test_two_subnets_of_one_zone_are_one_zone() -> None:
    """Zones count, not subnets."""
    endpoint = interface("1", subnet_ids=("subnet-a", "subnet-a2"))
    assert statuses(ZONES, picture(A, A2, B, endpoint)) == {"vpce-1": Status.FAIL}


def test_a_vpc_in_one_zone_can_do_no_better() -> None:
    """The endpoint is not at fault."""
    assert statuses(ZONES, picture(A, A2, IN_ONE)) == {"vpce-1": Status.NOT_APPLICABLE}


def test_a_service_in_one_zone_can_do_no_better() -> None:
    """Some endpoint services exist in a single zone."""
    only_a = service(KMS, zones=("eu-west-1a",))
    assert statuses(ZONES, picture(A, B, IN_ONE, only_a)) == {"vpce-1": Status.NOT_APPLICABLE}


def test_a_subnet_that_is_not_in_the_picture_is_unknown() -> None:
    """Its zone is not known; where two others are, it does not matter."""
    assert statuses(ZONES, picture(A, interface("1"))) == {"vpce-1": Status.UNKNOWN}
    three = interface("1", subnet_ids=("subnet-a", "subnet-b", "subnet-shared"))
    assert statuses(ZONES, picture(A, B, three)) == {"vpce-1": Status.PASS}


@pytest.mark.parametrize(
    ("state", "status"), [("available", Status.FAIL), ("pending", Status.NOT_APPLICABLE)]
)
def test_an_endpoint_without_subnets_stands_nowhere(state: str, status: Status) -> None:
    """EC2 makes one when it is told no subnet; nothing reaches it."""
    assert statuses(ZONES, picture(A, B, interface("1", subnet_ids=(), state=state))) == {
        "vpce-1": status
    }


def test_gateway_endpoints_stand_in_no_zone() -> None:
    """They are routes."""
    assert statuses(ZONES, picture(A, B, gateway("s3"))) == {}


# --- private DNS off -----------------------------------------------------------------------------


def test_private_dns_on_passes() -> None:
    """Whatever the service offers."""
    assert statuses(OFF, picture(interface("1"))) == {"vpce-1": Status.PASS}


def test_private_dns_off_fails_where_it_is_offered() -> None:
    """It names what still leads to public addresses."""
    verdict = verdicts(OFF, picture(interface("1", private_dns=False)))["vpce-1"]
    assert verdict.status is Status.FAIL
    assert "kms.eu-west-1.amazonaws.com still leads to the service's public" in verdict.summary
    assert "--private-dns-enabled" in told(verdict)


def test_a_service_without_private_dns_is_not_faulted() -> None:
    """It offers none."""
    bare = service(KMS, private_dns_names=())
    snapshot = picture(bare, interface("1", private_dns=False))
    assert statuses(OFF, snapshot) == {"vpce-1": Status.NOT_APPLICABLE}


def test_unknown_support_is_unknown() -> None:
    """A service that the catalogue does not list."""
    snapshot = picture(interface("1", CUSTOM, private_dns=False))
    assert statuses(OFF, snapshot) == {"vpce-1": Status.UNKNOWN}


def test_what_ec2_does_not_tell_is_unknown() -> None:
    """Neither on nor off."""
    snapshot = picture(interface("1", private_dns=None))
    assert statuses(OFF, snapshot) == {"vpce-1": Status.UNKNOWN}


def test_a_second_endpoint_need_not_have_it() -> None:
    """Only one endpoint of a service may."""
    snapshot = picture(interface("1"), interface("2", private_dns=False))
    assert statuses(OFF, snapshot) == {"vpce-1": Status.PASS, "vpce-2": Status.NOT_APPLICABLE}


def test_beside_a_gateway_endpoint_it_is_meant_to_be_off() -> None:
    """S3's own names go by the gateway endpoint."""
    snapshot = picture(gateway("s3"), interface("1", S3, private_dns=False))
    assert statuses(OFF, snapshot) == {"vpce-1": Status.NOT_APPLICABLE}


def test_a_broken_second_endpoint_answers_nothing() -> None:
    """It cannot stand in."""
    snapshot = picture(interface("1", state="failed"), interface("2", private_dns=False))
    assert statuses(OFF, snapshot)["vpce-2"] is Status.FAIL


# --- private DNS without effect ------------------------------------------------------------------


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
    assert statuses(NO_EFFECT, picture(interface("1"), vpc=vpc)) == {"vpce-1": status}


def test_the_commands_switch_on_just_what_is_off() -> None:
    """Each attribute takes a call of its own."""
    vpc = replace(VPC, dns_support=False)
    text = told(verdicts(NO_EFFECT, picture(interface("1"), vpc=vpc))["vpce-1"])
    assert "modify-vpc-attribute --vpc-id vpc-1 --enable-dns-support" in text
    assert "--enable-dns-hostnames" not in text


def test_each_call_of_a_command_names_the_region() -> None:
    """The shell it is typed in may be at home in another one."""
    vpc = replace(VPC, dns_support=False, dns_hostnames=False)
    verdict = verdicts(NO_EFFECT, picture(interface("1"), vpc=vpc))["vpce-1"]
    assert verdict.remediation is not None
    calls = verdict.remediation.command.split(" && ")
    assert len(calls) == 2
    assert all(call.endswith(" --region eu-west-1") for call in calls)


def test_without_private_dns_the_attributes_do_not_matter() -> None:
    """There is nothing to be without effect."""
    vpc = replace(VPC, dns_support=False)
    assert statuses(NO_EFFECT, picture(interface("1", private_dns=False), vpc=vpc)) == {}


# --- groups --------------------------------------------------------------------------------------


def test_a_group_of_its_own_passes() -> None:
    """Named anything but default."""
    assert statuses(GROUP, picture(interface("1"))) == {"vpce-1": Status.PASS}


def test_the_default_group_fails() -> None:
    """Also beside another one, when it can just be taken off."""
    default = group("default", group_name="default")
    alone = interface("1", security_group_ids=("sg-default",))
    both = interface("2", security_group_ids=("sg-endpoints", "sg-default"))
    found = verdicts(GROUP, picture(default, alone, both))
    assert {each.status for each in found.values()} == {Status.FAIL}
    assert "--remove-security-group-ids sg-default" in told(found["vpce-2"])
    assert "--remove-security-group-ids" not in told(found["vpce-1"])


def test_no_group_fails() -> None:
    """Nothing says who may come in."""
    assert statuses(GROUP, picture(interface("1", security_group_ids=()))) == {
        "vpce-1": Status.FAIL
    }


def test_a_group_that_is_not_in_the_picture_is_unknown() -> None:
    """It may be the default one."""
    snapshot = picture(interface("1", security_group_ids=("sg-elsewhere",)))
    assert statuses(GROUP, snapshot) == {"vpce-1": Status.UNKNOWN}


def test_load_balancer_endpoints_have_no_groups() -> None:
    """They are not judged."""
    endpoint = interface(
        "1", type=EndpointType.GATEWAY_LOAD_BALANCER, security_group_ids=(), private_dns=None
    )
    assert statuses(GROUP, picture(endpoint)) == {}


# --- open to everybody ---------------------------------------------------------------------------


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
def test_whom_the_groups_admit(rules: list[SecurityGroupRule], status: Status) -> None:
    """All of a family on any one port of TCP or UDP, in one rule or in pieces."""
    lists = (
        prefix_list("pl-all", "0.0.0.0/2", "64.0.0.0/2", "128.0.0.0/1"),
        prefix_list("pl-half", "128.0.0.0/1"),
    )
    snapshot = picture(*lists, interface("1"), group("endpoints", *rules))
    assert statuses(OPEN, snapshot) == {"vpce-1": status}


def test_groups_add_up() -> None:
    """Half of the world by each of two groups is the whole."""
    snapshot = picture(
        interface("1", security_group_ids=("sg-low", "sg-high")),
        group("low", admits("0.0.0.0/1")),
        group("high", admits("128.0.0.0/1")),
    )
    verdict = verdicts(OPEN, snapshot)["vpce-1"]
    assert verdict.status is Status.FAIL
    assert "sg-low admits 0.0.0.0/1" in told(verdict)
    assert "sg-high admits 128.0.0.0/1" in told(verdict)


def test_the_evidence_names_only_what_opens() -> None:
    """A narrow rule beside the open one is no evidence, and is not revoked."""
    rules = (admits("10.0.0.0/8"), admits("0.0.0.0/0"))
    verdict = verdicts(OPEN, picture(interface("1"), group("endpoints", *rules)))["vpce-1"]
    assert "10.0.0.0/8" not in told(verdict)
    assert (
        "aws ec2 revoke-security-group-ingress --group-id sg-endpoints --ip-permissions "
        '\'[{"IpProtocol":"tcp","FromPort":443,"ToPort":443,"IpRanges":[{"CidrIp":"0.0.0.0/0"}]}]\''
        in told(verdict)
    )


@pytest.mark.parametrize(
    ("rule", "part"),
    [
        (admits("::/0", None, "-1"), '[{"IpProtocol":"-1","Ipv6Ranges":[{"CidrIpv6":"::/0"}]}]'),
        (
            admits("pl-all", (0, 65535)),
            '"FromPort":0,"ToPort":65535,"PrefixListIds":[{"PrefixListId":"pl-all"}]',
        ),
    ],
)
def test_the_command_revokes_just_that_rule(rule: SecurityGroupRule, part: str) -> None:
    """In the form EC2 takes for IPv6 and for prefix lists."""
    lists = prefix_list("pl-all", "0.0.0.0/0")
    snapshot = picture(lists, interface("1"), group("endpoints", rule))
    assert part in told(verdicts(OPEN, snapshot)["vpce-1"])


def test_denied_groups_are_unknown() -> None:
    """Nobody can say whom they admit."""
    snapshot = picture(interface("1"), unreadable={Facet.SECURITY_GROUPS: "denied"})
    assert statuses(OPEN, snapshot) == {"vpc-1": Status.UNKNOWN}
