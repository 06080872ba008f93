"""Applies edits to the VPCs and endpoint services that they concern. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from posture.edits.edit import Edit
from posture.edits.format import name_operation
from posture.edits.owners import SHARED, find_owner_ids
from posture.edits.state import AnyNetwork, NetworkState, apply_to_state
from posture.model.shared_network import SharedNetwork


@dataclass(frozen=True, slots=True)
class Applied:
    """The networks after the edits, in the order before, and what the edits assume.

    `shared` is the network that the VPCs share; None where it is not read.
    """

    snapshots: tuple[AnyNetwork, ...]
    notes: tuple[str, ...] = ()
    shared: SharedNetwork | None = None


def apply_to_all(
    snapshots: Sequence[AnyNetwork],
    edits: Iterable[Edit],
    *,
    complete: bool = True,
    shared: SharedNetwork | None = None,
) -> Applied:
    """Apply edits, each to every VPC or endpoint service that it concerns.

    Args:
        snapshots: The networks before.
        edits: The edits in their order.
        complete: Whether all VPCs of the regions are there, so that no other can be concerned.
        shared: The network that the VPCs share; None where it is not read.

    Raises:
        RefusedEditError: AWS would refuse an edit, or it names nothing of these networks.
        UndecidedEditError: The effect of one depends on what the snapshots do not hold.
    """
    listed = tuple(edits)
    applied = apply_to_state(NetworkState(tuple(snapshots), shared), listed)
    notes = [f"Assumed: {each}." for each in applied.assumptions]
    if not complete:
        owners = map(find_owner_ids, listed)
        ids = sorted({each for name, some in owners if name in SHARED for each in some})
        notes += [f"Only the VPCs of --vpc were read: {each} may concern others." for each in ids]
    notes += _name_accounts(listed, applied.accounts) if shared else []
    return Applied(applied.state.snapshots, tuple(notes), applied.state.shared)


def _name_accounts(edits: Sequence[Edit], accounts: Sequence[str]) -> list[str]:
    """Say in which account each call is made, as they may be several."""
    made = (
        f"{name_operation(type(edit))} in account {account or '(unknown)'}"
        for edit, account in zip(edits, accounts, strict=True)
    )
    return [f"Calls: {', '.join(dict.fromkeys(made))}."]
