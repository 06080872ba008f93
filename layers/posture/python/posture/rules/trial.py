"""Builds the context of a VPC after a change of its snapshot and of the shared network."""

from __future__ import annotations

from posture.model.network import Snapshot
from posture.model.shared_network import SharedNetwork
from posture.rules.contexts import VPC_POLICY_UNITS, VpcContext


def get_network(vpc: VpcContext) -> SharedNetwork | None:
    """Return all that is known of the shared network, to which edits are applied."""
    return vpc.whole or vpc.shared


def build_trial(
    before: VpcContext,
    snapshot: Snapshot,
    network: SharedNetwork | None,
    policy_units: int = VPC_POLICY_UNITS,
    concerned: frozenset[str] | None = None,
) -> VpcContext:
    """Build the context of a VPC after a change, to be evaluated as it is before.

    Args:
        before: The VPC before.
        snapshot: Its snapshot after the change.
        network: The network of `get_network` after the change.
        policy_units: The work that all its endpoint policies together may take.
        concerned: The endpoints whose policies are evaluated, by id; None for all.
    """
    shared, whole = network, None
    if before.whole is not None and network is not None:
        from posture.analysis.central.view import find_links, restrict_network  # noqa: PLC0415 - if it is read

        same = network is before.whole and find_links(snapshot) == find_links(before.snapshot)
        shared = before.shared if same else restrict_network(network, snapshot)
        whole = network
    return VpcContext(
        snapshot,
        before.baseline,
        policy_units,
        former=before,
        shared=shared,
        whole=whole,
        concerned=concerned,
    )
