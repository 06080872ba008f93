"""Edits of the security groups of central endpoints, and of network ACLs on the way to them."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from itertools import product

from posture.analysis.acls import EPHEMERAL_PORTS
from posture.analysis.addresses import AddressSet
from posture.model.network import Snapshot
from posture.rules.remediation.acls import Opening, open_acls
from posture.rules.remediation.central_problem import Plan, Problem
from posture.rules.remediation.groups import DEFAULT, allow_networks, list_ports


def list_gate_edits(problem: Problem) -> Iterator[Plan]:
    """List what may let the traffic through the gate that stops it, the least first."""
    far, path, step = problem.far, problem.path, problem.step
    if far is None or path is None or step is None:
        return
    for snapshot in (problem.snapshot, far):
        if step.subject in snapshot.network_acls and step.account == snapshot.scope.account:
            yield from _open_acl(problem, snapshot, step.subject)
            return
    yield from _admit(problem, far)


def _admit(problem: Problem, far: Snapshot) -> Iterator[Plan]:
    """Allow the blocks of the VPC that hold its subnets, and nothing wider.

    A rule for each subnet would fail with the next one, and a group has room for 60 by default.
    https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html
    """
    assert problem.path  # noqa: S101 - as the caller checks
    endpoint = problem.path.endpoint
    named = problem.step.subject if problem.step else ""
    if not set(named.split(", ")) <= set(endpoint.security_group_ids):
        return
    known = far.security_groups
    groups = [known[each] for each in endpoint.security_group_ids if each in known]
    if groups:
        group = min(groups, key=lambda each: (each.name == DEFAULT, each.id))
        ports = list_ports([endpoint])
        yield tuple(allow_networks(group, problem.list_own_blocks(), ports))


def _open_acl(problem: Problem, snapshot: Snapshot, acl_id: str) -> Iterator[Plan]:
    """Allow what an ACL denies of requests or of answers, for one end, then for both."""
    assert problem.path  # noqa: S101 - as the caller checks
    far = problem.far
    held = far.subnets.get(problem.path.interface.subnet_id) if far else None
    clients = AddressSet.of(block for each in problem.subnets for block in each.blocks)
    endpoints = AddressSet.of(held.blocks if held else ())
    versions = {each.version for each in problem.path.interface.addresses}
    ports = [*list_ports([problem.path.endpoint])]
    openings = [
        {Opening(acl_id, egress=egress, ports=each): _keep(peers, versions)}
        for each, egress, peers in (
            *product(ports, (True,), (endpoints,)),
            *product(ports, (False,), (clients,)),
            (EPHEMERAL_PORTS, False, endpoints),
            (EPHEMERAL_PORTS, True, clients),
        )
    ]
    for opening in openings:
        if edits := open_acls(snapshot, opening):
            yield edits


def _keep(addresses: AddressSet, versions: AbstractSet[int]) -> AddressSet:
    blocks = (each for each in addresses.networks() if each.version in versions)
    return AddressSet.of(blocks)
