"""What breaks a path to a central endpoint is mended by the first remedy that is proposed."""

from collections.abc import Iterator
from functools import cache

import pytest

from organization_breaks import BREAKS, Break
from organization_builders import build_baseline
from organization_designs import DESIGNS
from posture.analysis.central.answers import StepStatus
from posture.analysis.central.view import restrict_network
from posture.analysis.coverage import Analysis
from posture.analysis.path_outcome import PathOutcome
from posture.edits.command_line import parse_command
from posture.edits.operations.network_acls import CreateNetworkAclEntry
from posture.edits.operations.security_groups import AuthorizeSecurityGroupIngress
from posture.edits.state import NetworkState, apply_to_state
from posture.model.network import Snapshot
from posture.model.shared_network import SharedNetwork
from posture.model.verdict import Remediation, Status, Verdict
from posture.remedies.prove import SCAN_LIMITS, Prover
from posture.rules.central.use import evaluate_use
from posture.rules.contexts import VpcContext
from posture.rules.engine import evaluate_context
from posture.rules.remediation.central import propose_central

# No call of AWS mends these at once: an endpoint must be created again or accepted by its service,
# a policy of a core network changed, a peering connection replaced. No zone has a CNAME as apex.
WITHOUT = {
    "endpoint failed",
    "endpoint waits for acceptance",
    "peering is with another spoke, and peering has no transit",
    "record is an alias of something else",
    "record points to a deleted endpoint",
    "segment of the core network lacks the route",
}
KNOWN = {name: each for name, each in BREAKS.items() if each.status is not StepStatus.UNKNOWN}
MENDED = {name: each for name, each in KNOWN.items() if name not in WITHOUT}


def break_design(broken: Break, vpc_id: str = "") -> VpcContext:
    """Break a link of a design, and return the first VPC that it concerns, or another one."""
    intact = DESIGNS[broken.design]()
    return broken.edit(intact).build_context(vpc_id or broken.vpcs[0], build_baseline(intact))


def list_services(broken: Break) -> list[str]:
    """List the full names of the services that a break concerns."""
    endpoints = DESIGNS[broken.design]().endpoints
    return [endpoints[each].service_name for each in broken.services or endpoints]


@cache
def propose(name: str, vpc_id: str = "") -> tuple[VpcContext, tuple[Remediation, ...]]:
    """Propose remedies for the first service that a break concerns."""
    broken = BREAKS[name]
    vpc = break_design(broken, vpc_id)
    use = evaluate_use(vpc, vpc.snapshot.services[list_services(broken)[0]])
    return vpc, propose_central(vpc, use)


def list_open(snapshot: Snapshot, shared: SharedNetwork, service: str) -> Iterator[str]:
    """List the subnets with workloads that do not reach a service privately, and why."""
    analysis = Analysis(snapshot, shared=shared)
    for subnet in snapshot.subnets.values():
        cell = analysis.evaluate_cell(subnet, snapshot.services[service])
        if "-tgw-" not in subnet.id and cell.outcome is not PathOutcome.PRIVATE:
            yield f"{subnet.id}: {cell.summary}"


@pytest.mark.parametrize(
    ("name", "vpc_id"), [(name, vpc_id) for name, each in MENDED.items() for vpc_id in each.vpcs]
)
def test_the_first_remedy_makes_the_path_hold(name: str, vpc_id: str) -> None:
    """Its command is parsed as a person types it, and applied to the VPC and the shared network."""
    broken = MENDED[name]
    vpc, remedies = propose(name, vpc_id)
    edits = parse_command(remedies[0].command, region="eu-west-1")
    after = apply_to_state(NetworkState((vpc.snapshot,), vpc.shared), edits).state
    (snapshot,) = after.snapshots
    assert isinstance(snapshot, Snapshot)
    assert after.shared is not None
    assert list(list_open(snapshot, after.shared, list_services(broken)[0])) == []


@pytest.mark.parametrize("name", MENDED)
def test_the_monitor_proposes_the_same(name: str) -> None:
    """It evaluates a VPC with just the facts that it depends on, and keeps all of them."""
    vpc, remedies = propose(name)
    assert vpc.shared is not None
    view = restrict_network(vpc.shared, vpc.snapshot)
    monitored = VpcContext(vpc.snapshot, vpc.baseline, shared=view, whole=vpc.shared)
    service = vpc.snapshot.services[list_services(BREAKS[name])[0]]
    found = propose_central(monitored, evaluate_use(monitored, service))
    assert found[0].command == remedies[0].command


@pytest.mark.parametrize("name", MENDED)
def test_a_remedy_opens_nothing_to_everyone(name: str) -> None:
    """Groups and ACLs get the blocks of the VPC or its subnets."""
    _, remedies = propose(name)
    for each in remedies:
        for edit in parse_command(each.command):
            if isinstance(edit, AuthorizeSecurityGroupIngress):
                peers = [rule.cidr for rule in edit.ip_permissions]
            elif isinstance(edit, CreateNetworkAclEntry):
                peers = [edit.cidr_block]
            else:
                continue
            assert all(peer and peer.prefixlen >= 20 for peer in peers)


@pytest.mark.parametrize("name", MENDED)
def test_a_proven_remedy_says_where_its_calls_run(name: str) -> None:
    """A call of another account names that account as profile, and the sentence says it."""
    vpc, remedies = propose(name)
    for each in remedies:
        edits = parse_command(each.command)
        accounts = apply_to_state(NetworkState((vpc.snapshot,), vpc.shared), edits).accounts
        for account, call in zip(accounts, each.command.split(" && "), strict=True):
            assert (f"--profile {account}" in call) is (account != vpc.snapshot.scope.account)
            assert account == vpc.snapshot.scope.account or f"account {account}" in each.text


@pytest.mark.parametrize("name", [*sorted(WITHOUT), *sorted(BREAKS.keys() - KNOWN)])
def test_without_a_call_that_mends_it_there_is_no_command(name: str) -> None:
    """Nor for what is not known."""
    assert propose(name)[1] == ()


FAILING = (
    "zone is not associated with the spoke",
    "zone lacks the wildcard",
    "Profile is not associated with the spoke",
    "attachment does not cover the zone",
    "table lacks the route to the hub",
    "hub has no route back",
    "group does not admit the spoke",
    "ACL of the endpoints blocks the answers",
)


@pytest.mark.parametrize("name", FAILING)
def test_the_findings_of_a_break_get_a_proven_command(name: str) -> None:
    """One that resolves them and opens nothing, in the VPC and in that of the endpoints."""
    vpc = break_design(BREAKS[name])
    verdicts = evaluate_context(vpc)
    failing = [each for each in verdicts if each.status is Status.FAIL]
    proven = Prover(vpc, verdicts, SCAN_LIMITS).prove_all(failing)
    assert proven
    for each in proven.values():
        assert is_proven(each), each.remediation


def is_proven(verdict: Verdict) -> bool:
    """Whether a finding has a command that resolves it and opens nothing."""
    remedy = verdict.remediation
    return bool(remedy and remedy.command and "opens nothing" in remedy.verified)
