"""Reachability of an endpoint's interface, checked against single packets at every gate."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from network_builders import (
    CUSTOM,
    KMS,
    acl,
    admits,
    allow,
    build_snapshot,
    cell,
    deny,
    eni,
    group,
    interface,
    open_acl,
    prefix_list,
    subnet,
    table,
)
from posture.analysis.acls import EPHEMERAL_PORTS
from posture.analysis.addresses import IPV4, IPV6, AddressSet
from posture.analysis.coverage import Analysis
from posture.analysis.gates import Gate
from posture.analysis.path_outcome import PathOutcome
from posture.analysis.reach import Reach, ReachStatus
from posture.analysis.reachability import Reachability
from posture.model.network import (
    AclEntry,
    GroupReference,
    NetworkAcl,
    SecurityGroupRule,
    Snapshot,
)

HERE = "10.0.1.0/28"
TARGET = "10.0.2.9"
PORTS = (1024, 2000, 32767, 32768, 49151, 49152, 60999, 61000, 65535)
LISTS = (
    prefix_list("pl-some", "10.0.1.0/30", "10.0.1.12/31"),
    prefix_list("pl-none", "192.0.2.0/24"),
)


def network(
    *rules: SecurityGroupRule,
    here: NetworkAcl | None = None,
    there: NetworkAcl | None = None,
) -> Snapshot:
    """Build a workload's subnet, an endpoint's subnet, their ACLs, and the endpoint's group."""
    return build_snapshot(
        subnet("here", "a", HERE, ipv6="2001:db8::/64"),
        subnet("there", "b", "10.0.2.0/28"),
        table("main", main=True),
        here or open_acl("here", ["here"]),
        there or open_acl("there", ["there"]),
        group("endpoints", *rules),
        *LISTS,
    )


def reach(snapshot: Snapshot, *groups: str, at: str = TARGET, within: str = "there") -> Reach:
    """Evaluate the path from the workload's subnet to the endpoint's interface."""
    interface = eni("1", within, at)
    here = snapshot.subnets["subnet-here"]
    return Reachability(snapshot).evaluate(here, interface, frozenset(groups))


# --- one packet at a time ------------------------------------------------------------------------


def passes_acl(entries: tuple[AclEntry, ...], peer: str, port: int, *, egress: bool) -> bool:
    """Apply an ACL to one packet, as AWS describes it."""
    for entry in sorted(entries, key=lambda each: each.number):
        if entry.egress is not egress or entry.protocol not in {"-1", "6"}:
            continue
        if entry.protocol == "6" and not (entry.from_port or 0) <= port <= (entry.to_port or 0):
            continue
        if ip_address(peer).version == entry.cidr.version and ip_address(peer) in entry.cidr:
            return entry.allow
    return False


def admitted(rules: tuple[SecurityGroupRule, ...], source: str) -> bool:
    """Apply the rules of a security group to one packet."""
    lists = {each.id: each.cidrs or () for each in LISTS}
    for rule in rules:
        if rule.protocol != "-1" and (
            rule.protocol != "tcp" or not (rule.from_port or 0) <= 443 <= (rule.to_port or 0)
        ):
            continue
        blocks = [rule.cidr] if rule.cidr else list(lists.get(rule.prefix_list_id or "", ()))
        if any(ip_address(source) in block for block in blocks):
            return True
    return False


def arrives(
    here: NetworkAcl,
    there: NetworkAcl,
    rules: tuple[SecurityGroupRule, ...],
    source: str,
    port: int,
    *,
    target: str = TARGET,
) -> bool:
    """Send one packet to the interface's port 443, and the response to the client's port."""
    return (
        passes_acl(here.entries, target, 443, egress=True)
        and passes_acl(there.entries, source, 443, egress=False)
        and admitted(rules, source)
        and passes_acl(there.entries, source, port, egress=True)
        and passes_acl(here.entries, target, port, egress=False)
    )


BLOCKS = ["0.0.0.0/0", "10.0.0.0/16", HERE, "10.0.1.0/29", "10.0.1.8/30", "10.0.1.3/32",
          "10.0.2.0/28", f"{TARGET}/32", "::/0"]  # fmt: skip
HERE6, TARGET6 = "2001:db8:0:1::/124", "2001:db8:0:2::9"
BLOCKS6 = [*BLOCKS, "::/0", HERE6, "2001:db8:0:1::8/125", "2001:db8::/48", f"{TARGET6}/128"]
RANGES = [(0, 65535), (443, 443), (1024, 65535), (32768, 60999), (0, 1023), (49152, 65535)]


@st.composite
def entries(draw: st.DrawFn, blocks: Sequence[str] = BLOCKS) -> tuple[AclEntry, ...]:
    """Generate entries in any order of their numbers, often with the default ones at the end."""
    numbers = draw(st.lists(st.integers(1, 99), max_size=3, unique=True))
    found = [_entry(draw, number, blocks) for number in numbers]
    if draw(st.integers(0, 5)):
        found += [allow(100), allow(100, egress=True)]
    if blocks is BLOCKS6 and draw(st.integers(0, 5)):
        found += [allow(101, "::/0"), allow(101, "::/0", egress=True)]
    return tuple(found)


def _entry(draw: st.DrawFn, number: int, blocks: Sequence[str]) -> AclEntry:
    make: Callable[..., AclEntry] = draw(st.sampled_from([allow, deny]))
    cidr, egress = draw(st.sampled_from(blocks)), draw(st.booleans())
    if draw(st.booleans()):
        return make(number, cidr, egress=egress)
    first, last = draw(st.sampled_from(RANGES))
    protocol = draw(st.sampled_from(["6", "17"]))
    return make(number, cidr, egress=egress, protocol=protocol, from_port=first, to_port=last)


RULES = st.lists(
    st.builds(
        admits,
        st.sampled_from([*BLOCKS, "pl-some", "pl-none"]),
        st.sampled_from([(443, 443), (0, 65535), *RANGES]),
        st.sampled_from(["tcp", "tcp", "udp"]),
    )
    | st.builds(admits, st.sampled_from(BLOCKS), st.none(), st.just("-1")),
    max_size=3,
)


@settings(max_examples=200, derandomize=True, deadline=None)
@given(entries(), entries(), RULES)
def test_each_packet_arrives_if_the_evaluation_says_so(
    here: tuple[AclEntry, ...], there: tuple[AclEntry, ...], rules: list[SecurityGroupRule]
) -> None:
    """Check every address of the subnet and every boundary of the client ports, one by one."""
    acls = acl("here", *here, subnets=["here"]), acl("there", *there, subnets=["there"])
    found = reach(network(*rules, here=acls[0], there=acls[1]))
    reaching = {str(address) for block in found.reaching.networks() for address in block}
    for address in IPv4Network(HERE):
        for port in PORTS:
            limited = any(
                each.ports and each.ports[0] <= port <= each.ports[1]
                for each in found.obstacles
                if any(address in block for block in each.addresses.networks())
            )
            expected = arrives(acls[0], acls[1], tuple(rules), str(address), port)
            assert (str(address) in reaching and not limited) == expected


def dual_stack(
    here: tuple[AclEntry, ...], there: tuple[AclEntry, ...], rules: list[SecurityGroupRule]
) -> Reach:
    """Evaluate the path from a dual-stack subnet to a dual-stack interface."""
    snapshot = build_snapshot(
        subnet("here", "a", HERE, ipv6=HERE6), subnet("there", "b", "10.0.2.0/28",
                                                      ipv6="2001:db8:0:2::/124"),
        table("main", main=True), group("endpoints", *rules), *LISTS,
        acl("here", *here, subnets=["here"]), acl("there", *there, subnets=["there"]),
    )  # fmt: skip
    interface = eni("1", "there", TARGET, TARGET6)
    return Reachability(snapshot).evaluate(snapshot.subnets["subnet-here"], interface)


RULES6 = st.lists(st.builds(admits, st.sampled_from(BLOCKS6)), max_size=3)


@settings(max_examples=150, derandomize=True)
@given(entries(BLOCKS6), entries(BLOCKS6), RULES6)
def test_packets_of_both_ip_versions_arrive_if_the_evaluation_says_so(
    here: tuple[AclEntry, ...], there: tuple[AclEntry, ...], rules: list[SecurityGroupRule]
) -> None:
    """Each packet goes to the interface's address of its IP version."""
    found = dual_stack(here, there, rules)
    acls = acl("here", *here, subnets=["here"]), acl("there", *there, subnets=["there"])
    for block, target in ((IPv4Network(HERE), TARGET), (IPv6Network(HERE6), TARGET6)):
        for address in block:
            reaching = _in(address, found.reaching)
            for port in PORTS:
                limited = any(
                    each.ports and each.ports[0] <= port <= each.ports[1]
                    for each in found.obstacles
                    if _in(address, each.addresses)
                )
                expected = arrives(*acls, tuple(rules), str(address), port, target=target)
                assert (reaching and not limited) == expected


def _in(address: IPv4Address | IPv6Address, addresses: AddressSet) -> bool:
    blocks = addresses.networks()
    return any(address.version == block.version and address in block for block in blocks)


@settings(max_examples=200, derandomize=True)
@given(entries(), entries(), RULES)
def test_the_quick_answer_agrees_with_the_exact_one(
    here: tuple[AclEntry, ...], there: tuple[AclEntry, ...], rules: list[SecurityGroupRule]
) -> None:
    """It says that nothing blocks the subnet if and only if nothing does."""
    acls = acl("here", *here, subnets=["here"]), acl("there", *there, subnets=["there"])
    endpoint = interface("1", KMS, network_interface_ids=("eni-1",))
    snapshot = network(*rules, here=acls[0], there=acls[1])
    snapshot = replace(
        snapshot,
        endpoints={endpoint.id: endpoint},
        network_interfaces={"eni-1": eni("1", "there", TARGET)},
    )
    found = reach(snapshot)
    quick = Analysis(snapshot).is_unobstructed(snapshot.subnets["subnet-here"], endpoint)
    assert not quick or found.status is ReachStatus.YES
    assert quick or found.status is not ReachStatus.YES
    assert (cell(snapshot, "here", KMS).outcome is PathOutcome.PRIVATE) is (
        found.status is ReachStatus.YES
    )


@settings(max_examples=60, derandomize=True)
@given(entries(), entries(), RULES)
def test_every_port_of_a_customers_service_has_its_own_answer(
    here: tuple[AclEntry, ...], there: tuple[AclEntry, ...], rules: list[SecurityGroupRule]
) -> None:
    """The ranges hold each TCP port once, with the answer that the port has alone."""
    acls = acl("here", *here, subnets=["here"]), acl("there", *there, subnets=["there"])
    endpoint = interface("1", CUSTOM, network_interface_ids=("eni-1",), private_dns=False)
    snapshot = replace(
        network(*rules, here=acls[0], there=acls[1]),
        endpoints={endpoint.id: endpoint},
        network_interfaces={"eni-1": eni("1", "there", TARGET)},
    )
    workload = snapshot.subnets["subnet-here"]
    analysis = Analysis(snapshot)
    found = analysis.evaluate_reaches(workload, endpoint)
    ranges = sorted(ports for each in found for ports in each.ports)
    assert (ranges[0][0], ranges[-1][1]) == (1, 65535)
    assert all(one[1] + 1 == other[0] for one, other in pairwise(ranges))
    for each in found:
        for port in {port for ports in each.ports for port in ports}:
            alone = Reachability(snapshot, (port, port)).evaluate(
                workload, snapshot.network_interfaces["eni-1"]
            )
            assert (each.status, each.reaching) == (alone.status, alone.reaching)
    every = {each.status for each in found} == {ReachStatus.YES}
    assert analysis.is_unobstructed(workload, endpoint) is every
    outcome = cell(snapshot, "here", CUSTOM).outcome
    assert (outcome is PathOutcome.PRIVATE) is every


def test_the_generated_networks_cover_the_hard_cases() -> None:
    """Full, partial and no reachability all occur, and deny entries that decide."""
    counts: Counter[str] = Counter()

    @settings(max_examples=400, derandomize=True, database=None)
    @given(entries(), entries(), RULES)
    def collect(
        here: tuple[AclEntry, ...], there: tuple[AclEntry, ...], rules: list[SecurityGroupRule]
    ) -> None:
        acls = acl("here", *here, subnets=["here"]), acl("there", *there, subnets=["there"])
        found = reach(network(*rules, here=acls[0], there=acls[1]))
        counts[found.status] += 1
        counts["denied by an entry"] += any("denies" in each.rule for each in found.obstacles)
        counts["some ports"] += any(each.ports is not None for each in found.obstacles)
        half = found.reaching.size in range(1, found.sources.size)
        counts["half a subnet"] += half

    @settings(max_examples=400, derandomize=True, database=None)
    @given(entries(BLOCKS6), entries(BLOCKS6), RULES6)
    def collect_dual_stack(
        here: tuple[AclEntry, ...], there: tuple[AclEntry, ...], rules: list[SecurityGroupRule]
    ) -> None:
        found = dual_stack(here, there, rules)
        six, four = found.reaching & IPV6, found.reaching & IPV4
        counts["IPv6 arrives"] += bool(six)
        counts["IPv6 alone arrives"] += bool(six) and not four
        counts["half of IPv6 arrives"] += six.size in range(1, 16)

    collect()
    collect_dual_stack()
    kinds = {
        ReachStatus.YES,
        ReachStatus.PARTLY,
        ReachStatus.NO,
        "denied by an entry",
        "some ports",
    }
    kinds |= {"half a subnet", "IPv6 arrives", "IPv6 alone arrives", "half of IPv6 arrives"}
    assert {kind for kind in kinds if counts[kind] >= 8} == kinds, counts


# --- examples ------------------------------------------------------------------------------------


def test_default_acls_and_a_rule_for_the_vpc() -> None:
    """The ordinary case."""
    assert reach(network(admits("10.0.0.0/16"))).status is ReachStatus.YES


def test_half_a_subnet() -> None:
    """A rule for one half of the subnet blocks the other half."""
    found = reach(network(admits("10.0.1.0/29")))
    assert found.status is ReachStatus.PARTLY
    assert str(found.reaching) == "10.0.1.0/29"
    (obstacle,) = found.obstacles
    assert (obstacle.gate, str(obstacle.addresses)) == (Gate.GROUP, "10.0.1.8/29")


@pytest.mark.parametrize(
    ("rule", "answer"),
    [
        (admits("10.0.0.0/16", None, "-1"), ReachStatus.YES),
        (admits("10.0.0.0/16", (0, 65535)), ReachStatus.YES),
        (admits("10.0.0.0/16", (440, 443)), ReachStatus.YES),
        (admits("10.0.0.0/16", (444, 450)), ReachStatus.NO),
        (admits("10.0.0.0/16", (443, 443), "udp"), ReachStatus.NO),
        (admits("10.0.0.0/16", (443, 443), "6"), ReachStatus.YES),
        (admits("::/0"), ReachStatus.NO),
        (admits("pl-some"), ReachStatus.PARTLY),
        (admits("pl-none"), ReachStatus.NO),
        (admits("pl-unread"), ReachStatus.UNKNOWN),
        (admits("sg-clients"), ReachStatus.BY_SECURITY_GROUP),
    ],
)
def test_a_security_group_rule(rule: SecurityGroupRule, answer: ReachStatus) -> None:
    """Protocols, ports, IP versions, prefix lists and group references."""
    assert reach(network(rule)).status is answer


def test_a_group_of_a_peered_vpc_admits_nobody_of_this_one() -> None:
    """Its id may even be that of no group of this VPC, so that no workload can have it."""
    peered = GroupReference("sg-clients", "vpc-2", "pcx-1")
    rule = replace(admits("sg-clients"), group=peered)
    assert reach(network(rule)).status is ReachStatus.NO


def test_a_stated_group_is_allowed() -> None:
    """The rule applies if the workload has the group that it references."""
    snapshot = network(admits("sg-clients"))
    assert reach(snapshot, "sg-clients").status is ReachStatus.YES
    assert reach(snapshot, "sg-others").status is ReachStatus.BY_SECURITY_GROUP
    assert reach(snapshot).groups == {"sg-clients"}


def test_the_endpoints_own_group_as_a_reference() -> None:
    """A rule that references its own group allows workloads in that group."""
    snapshot = network(admits("sg-endpoints"))
    assert reach(snapshot, "sg-endpoints").status is ReachStatus.YES


def test_acls_do_not_apply_inside_a_subnet() -> None:
    """Traffic that does not leave the subnet is not filtered."""
    closed = acl("here", subnets=["here"])
    snapshot = network(admits("10.0.0.0/16"), here=closed)
    assert reach(snapshot, at="10.0.1.9", within="here").status is ReachStatus.YES
    assert reach(snapshot).status is ReachStatus.NO


def test_return_traffic_needs_an_entry_of_its_own() -> None:
    """Network ACLs are stateless: the request is allowed, the response is not."""
    there = acl(
        "there", allow(100), allow(100, egress=True, protocol="6", from_port=443, to_port=443),
        subnets=["there"],
    )  # fmt: skip
    found = reach(network(admits("10.0.0.0/16"), there=there))
    assert found.status is ReachStatus.NO
    assert {each.gate for each in found.obstacles} == {Gate.BACK_OUT}
    assert found.obstacles[0].rule == "rule * denies all other traffic"


def test_some_of_the_client_ports() -> None:
    """Only the ephemeral ports of Linux are allowed; the obstacles name the others."""
    there = acl(
        "there", allow(100),
        allow(100, egress=True, protocol="6", from_port=32768, to_port=60999),
        subnets=["there"],
    )  # fmt: skip
    found = reach(network(admits("10.0.0.0/16"), there=there))
    assert found.status is ReachStatus.PARTLY
    assert {each.ports for each in found.obstacles} == {(1024, 32767), (61000, EPHEMERAL_PORTS[1])}


def test_the_first_matching_entry_decides() -> None:
    """https://docs.aws.amazon.com/vpc/latest/userguide/nacl-rules.html: by rule number."""
    entries_in_any_order = (allow(200), deny(100, "10.0.1.0/29"), allow(100, egress=True))
    there = acl("there", *entries_in_any_order, subnets=["there"])
    found = reach(network(admits("10.0.0.0/16"), there=there))
    assert str(found.reaching) == "10.0.1.8/29"
    assert found.obstacles[0].rule == "rule 100 denies 10.0.1.0/29"


def test_ipv6_needs_its_own_entries() -> None:
    """An ACL that allows all of IPv4 denies all of IPv6."""
    snapshot = network(admits("10.0.0.0/16"), admits("::/0"))
    assert reach(snapshot, at="2001:db8:0:1::9").status is ReachStatus.NO
    assert reach(snapshot).status is ReachStatus.YES


def test_a_missing_acl_or_group_is_unknown() -> None:
    """Missing data does not count as allowed."""
    snapshot = network(admits("10.0.0.0/16"))
    alone = build_snapshot(snapshot.subnets["subnet-here"], *snapshot.security_groups.values())
    assert reach(alone).status is ReachStatus.UNKNOWN
    interface = eni("1", "there", TARGET, groups=["elsewhere"])
    found = Reachability(snapshot).evaluate(snapshot.subnets["subnet-here"], interface)
    assert found.status is ReachStatus.UNKNOWN


def test_a_certain_obstacle_outweighs_what_is_not_known() -> None:
    """The unread prefix list does not matter if an ACL denies all traffic."""
    there = acl("there", subnets=["there"])
    assert reach(network(admits("pl-unread"), there=there)).status is ReachStatus.NO


def test_blocks_outside_the_subnet_do_not_matter() -> None:
    """The subnet has no such addresses."""
    assert reach(network(admits("10.9.0.0/16"))).status is ReachStatus.NO
