"""Applies edits to several networks at once: VPCs, endpoint services and what VPCs share.

Each edit goes to every network that it concerns. What a sequence creates is numbered over all of
them, so that a later edit may name it wherever it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import field, replace

from posture.edits import resolver, transit, zones
from posture.edits.apply import SERVICE_HANDLERS, VPC_HANDLERS, apply_edits, apply_one, name_errors
from posture.edits.created import CREATED
from posture.edits.draft import Draft, Handlers, ServiceDraft
from posture.edits.edit import Edit
from posture.edits.links import EFFECTS
from posture.edits.operations.endpoints import DeleteVpcEndpoints
from posture.edits.operations.gateways import AcceptVpcPeeringConnection, CreateInternetGateway
from posture.edits.operations.vpcs import CreateDhcpOptions
from posture.edits.owners import find_owner, find_owner_ids, holds
from posture.edits.shared_draft import SharedDraft
from posture.errors import RefusedEditError, UndecidedEditError
from posture.lean_dataclass import dataclass
from posture.model.endpoint_service import EndpointServiceSnapshot
from posture.model.network import Snapshot
from posture.model.scope import Scope
from posture.model.shared_network import SharedNetwork

AnyNetwork = Snapshot | EndpointServiceSnapshot
AnyDraft = Draft | ServiceDraft

SHARED_HANDLERS: Handlers = {**zones.HANDLERS, **resolver.HANDLERS, **transit.HANDLERS}
# They change no VPC until a later edit names what they create.
UNATTACHED = (CreateDhcpOptions, CreateInternetGateway)


@dataclass(frozen=True, slots=True)
class NetworkState:
    """The networks that edits may concern, and what the VPCs share; None where it is not read.

    The central VPCs of the shared network belong to the state, too: they need not be among
    `snapshots`.
    """

    snapshots: tuple[AnyNetwork, ...]
    shared: SharedNetwork | None = None


@dataclass(frozen=True, slots=True)
class StateApplication:
    """A state after edits, what the edits assume, and the account that each edit is made in.

    An account is "" where it is not known.
    """

    state: NetworkState
    assumptions: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()


def apply_to_state(state: NetworkState, edits: Iterable[Edit]) -> StateApplication:
    """Return a state after the edits, which apply in their order. See `apply_edits`.

    Raises:
        RefusedEditError: AWS would refuse an edit, or it names nothing of these networks.
        UndecidedEditError: The effect of one depends on what the state does not hold.
    """
    draft = _StateDraft.copy(state)
    accounts = tuple(draft.apply(edit) for edit in edits)
    return StateApplication(draft.freeze(), draft.list_assumptions(), accounts)


@dataclass(slots=True)
class _StateDraft:
    state: NetworkState
    drafts: dict[Scope, AnyDraft]
    shared: SharedDraft | None
    created: dict[str, int] = field(default_factory=dict)
    touched: set[Scope] = field(default_factory=set)

    @classmethod
    def copy(cls, state: NetworkState) -> _StateDraft:
        central = state.shared.central_vpcs.values() if state.shared else ()
        drafts: dict[Scope, AnyDraft] = {}
        for each in (*state.snapshots, *central):
            if each.scope not in drafts:
                drafts[each.scope] = _copy(each)
        networks = {each.vpc.id: each for each in drafts.values() if isinstance(each, Draft)}
        shared = SharedDraft.copy(state.shared, networks) if state.shared else None
        for network in networks.values():
            network.shared = shared
        return cls(state, drafts, shared)

    def apply(self, edit: Edit) -> str:
        """Apply one edit, and return the account that it is made in."""
        operation = type(edit).__name__
        handlers = SHARED_HANDLERS.get(type(edit))
        if handlers:
            if self.shared is None:
                raise UndecidedEditError(
                    f"{operation}: the network that VPCs share was not read; it is with the option "
                    "--shared-network"
                )
            self.shared.created = self.created
            with name_errors(operation):
                account = find_owner(self.shared, edit)
                handlers(self.shared, edit)
            return account
        scopes = self._find_scopes(edit)
        before, after = dict(self.created), self.created
        for scope in scopes:
            draft = self.drafts[scope]
            own = SERVICE_HANDLERS if isinstance(draft, ServiceDraft) else VPC_HANDLERS
            if isinstance(draft, Draft):
                draft.created = dict(before)  # the same number in each network
            apply_one(draft, own, _narrow(edit, draft))
            if isinstance(draft, Draft):
                after = draft.created
        self.created = after
        if not isinstance(edit, UNATTACHED):
            self.touched |= {*scopes}
        if self.shared and (effect := EFFECTS.get(type(edit))):
            what = CREATED.get(type(edit))
            symbol = f"{what.prefix}-new-{after[what.prefix]}" if what else ""
            effect(self.shared, edit, symbol)
        accounts = {scope.account for scope in scopes}
        return accounts.pop() if len(accounts) == 1 else self._find_caller(edit)

    def _find_caller(self, edit: Edit) -> str:
        """Return the account of an edit that concerns VPCs of several.

        That of the first VPC creates a peering connection, that of the other one accepts it.
        """
        if isinstance(edit, AcceptVpcPeeringConnection):
            peerings = self.shared.peerings if self.shared else {}
            found = peerings.get(edit.vpc_peering_connection_id)
            return found.accepter.account if found else ""
        vpc_id = getattr(edit, "vpc_id", "")
        return next((each.account for each in self.drafts if each.subject == vpc_id), "")

    def _find_scopes(self, edit: Edit) -> Sequence[Scope]:
        """Find the networks that an edit concerns, in their order."""
        if isinstance(edit, UNATTACHED):
            return [scope for scope, each in self.drafts.items() if isinstance(each, Draft)]
        name, ids = find_owner_ids(edit)
        found = {
            each: [scope for scope, draft in self.drafts.items() if holds(draft, each)]
            for each in ids
        }
        unknown = [each for each, scopes in found.items() if not scopes]
        known = {scope for scopes in found.values() for scope in scopes}
        # The other VPC of a peering connection may be unknown.
        if unknown and not (known and name == "vpc_id"):
            return [self._assign_unknown(edit, unknown)]
        return [scope for scope in self.drafts if scope in known]

    def _assign_unknown(self, edit: Edit, unknown: Sequence[str]) -> Scope:
        """Assign an edit of what no network holds to the only one, or raise AWS's error."""
        wanted = ServiceDraft if hasattr(edit, "service_id") else Draft
        possible = [each for each in self.drafts.values() if isinstance(each, wanted)]
        operation, ids = type(edit).__name__, ", ".join(unknown)
        if not possible:
            raise UndecidedEditError(f"{operation}: {ids}: nothing of this kind was read")
        if len(possible) == 1:
            return possible[0].snapshot.scope
        try:
            apply_edits(possible[0].snapshot, [edit])
        except RefusedEditError as error:
            where = f"none of the {len(possible)} VPCs or services that were read has {ids}"
            raise RefusedEditError(error.code, f"{operation}: {where}") from None
        raise UndecidedEditError(f"{operation}: it is not known which VPC {ids} concerns")

    def freeze(self) -> NetworkState:
        after = {
            scope: draft.freeze() if scope in self.touched else draft.snapshot
            for scope, draft in self.drafts.items()
        }
        snapshots = tuple(after[each.scope] for each in self.state.snapshots)
        if self.shared is None:
            return NetworkState(snapshots)
        central = {
            each.scope.subject: each for each in after.values() if isinstance(each, Snapshot)
        }
        return NetworkState(snapshots, self.shared.freeze(central))

    def list_assumptions(self) -> tuple[str, ...]:
        parts: list[AnyDraft | SharedDraft] = [*self.drafts.values()]
        parts += [self.shared] if self.shared else []
        return tuple(dict.fromkeys(text for each in parts for text in each.assumptions))


def _copy(network: AnyNetwork) -> AnyDraft:
    return Draft.copy(network) if isinstance(network, Snapshot) else ServiceDraft(network)


def _narrow(edit: Edit, draft: AnyDraft) -> Edit:
    """Leave out the endpoints of other VPCs."""
    if not isinstance(edit, DeleteVpcEndpoints):
        return edit
    own = tuple(each for each in edit.vpc_endpoint_ids if holds(draft, each))
    return replace(edit, vpc_endpoint_ids=own or edit.vpc_endpoint_ids)
