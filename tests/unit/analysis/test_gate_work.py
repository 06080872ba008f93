"""The work on security groups and ACLs: it grows with the rules, and it has a limit."""

from dataclasses import replace
from functools import partial

from network_builders import (
    CUSTOM,
    KMS,
    acl,
    admits,
    allow,
    build_snapshot,
    deny,
    eni,
    group,
    interface,
    subnet,
    table,
    verdicts,
)
from posture.analysis.coverage import Analysis
from posture.analysis.gate_work import OVER_LIMIT
from posture.analysis.reach import ReachStatus
from posture.model.network import NetworkAcl, SecurityGroup, Snapshot
from posture.model.verdict import Status
from work_meter import count_calls

REACHABLE = "endpoint-unreachable-from-subnet"


def build_acl(number: int, entries: int, blocks: int) -> NetworkAcl:
    """Build an ACL whose entries divide the addresses of the VPC and the ports."""
    listed = [
        replace(
            (allow if each % 2 else deny)(each + 1, f"10.0.{each % blocks}.0/24", egress=egress),
            protocol="6",
            from_port=each * 30 % 60_000,
            to_port=each * 30 % 60_000 + 3_000,
        )
        for each in range(entries)
        for egress in (False, True)
    ]
    return acl(f"{number}", *listed, subnets=[f"{number}"])


def build_network(
    acls: int, entries: int, *groups: SecurityGroup, service: str, blocks: int = 250
) -> Snapshot:
    """Build subnets with an ACL each, and an endpoint in the first one."""
    own = groups or (group("own", admits("10.0.0.0/16")),)
    names = [each.id.removeprefix("sg-") for each in own]
    return build_snapshot(
        *(subnet(f"{each}", cidr=f"10.0.{each}.0/24") for each in range(acls)),
        *(build_acl(each, entries, blocks) for each in range(acls)),
        table("main", main=True),
        *own,
        eni("0", "0", "10.0.0.10", groups=names),
        interface(
            "1",
            service,
            subnet_ids=("subnet-0",),
            security_group_ids=tuple(each.id for each in own),
            network_interface_ids=("eni-0",),
            private_dns=False,
        ),
    )


def evaluate_all(snapshot: Snapshot) -> None:
    """Evaluate how every subnet reaches the endpoint."""
    analysis = Analysis(snapshot)
    for each in analysis.subnets:
        analysis.evaluate_reaches(each, snapshot.endpoints["vpce-1"])


def test_the_work_grows_with_the_acls() -> None:
    """The ACLs of other subnets do not divide the ports of an endpoint whose port is not known."""
    spent = [
        count_calls(partial(evaluate_all, build_network(count, 20, service=CUSTOM)))
        for count in (3, 6)
    ]
    assert spent[1] < 3 * spent[0]


def test_the_work_grows_with_the_rules_of_a_group() -> None:
    """Rules for other networks do not divide the ports of the traffic inside the VPC."""
    spent = []
    for count in (200, 2_000):
        rules = (admits(f"172.16.{n // 250}.{n % 250}/32", (n, n)) for n in range(count))
        snapshot = build_network(2, 1, group("own", *rules), service=CUSTOM)
        spent.append(count_calls(partial(evaluate_all, snapshot)))
    assert spent[1] < 12 * spent[0]


def test_what_is_over_the_limit_is_unknown_and_names_the_rules() -> None:
    """An ACL far beyond AWS's quota is not followed; a subnet of its own needs no ACL."""
    snapshot = build_network(2, 1_500, service=KMS, blocks=1)
    analysis, endpoint = Analysis(snapshot), snapshot.endpoints["vpce-1"]
    inside, outside = (
        analysis.evaluate_reaches(snapshot.subnets[each], endpoint)[0]
        for each in ("subnet-0", "subnet-1")
    )
    assert inside.status is ReachStatus.YES
    assert outside.status is ReachStatus.UNKNOWN
    assert f"3000 entries of acl-1 {OVER_LIMIT}" in outside.unread[0]


def test_a_finding_says_what_costs() -> None:
    """It is unknown, not passed."""
    found = verdicts(REACHABLE, build_network(2, 1_500, service=KMS, blocks=1))["vpce-1"]
    assert found.status is Status.UNKNOWN
    assert any(OVER_LIMIT in each.text for each in found.evidence)
