"""Applies edits to the VPCs and endpoint services that they concern. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from posture.edits.apply import apply_edits
from posture.edits.created import CREATED, rename_symbols
from posture.edits.edit import CreateDhcpOptions, CreateInternetGateway, DeleteVpcEndpoints, Edit
from posture.errors import RefusedEditError
from posture.model.endpoint_service import EndpointServiceSnapshot
from posture.model.network import Snapshot
from posture.model.scope import Scope
from posture_cli.failure import CommandError

AnyNetwork = Snapshot | EndpointServiceSnapshot

# The fields of edits that say which VPC or endpoint service changes; the first that is given does.
OWNERS = (
    ("service_id",),
    ("vpc_id", "peer_vpc_id"),
    ("route_table_id",),
    ("association_id",),
    ("network_acl_id",),
    ("group_id",),
    ("vpc_endpoint_id",),
    ("vpc_endpoint_ids",),
    ("nat_gateway_id",),
    ("subnet_id",),
    ("prefix_list_id",),
    ("vpc_peering_connection_id",),
    ("egress_only_internet_gateway_id",),
    ("transit_gateway_id",),
    ("transit_gateway_attachment_id",),
)
# They change no VPC until a later edit names what they create.
UNATTACHED = (CreateDhcpOptions, CreateInternetGateway)
SHARED = frozenset({"prefix_list_id", "vpc_peering_connection_id"})  # by several VPCs


@dataclass(frozen=True, slots=True)
class Applied:
    """The networks after the edits, in the order before, and what the edits assume."""

    snapshots: tuple[AnyNetwork, ...]
    notes: tuple[str, ...] = ()


def apply_to_all(
    snapshots: Sequence[AnyNetwork], edits: Iterable[Edit], *, complete: bool = True
) -> Applied:
    """Apply edits, each to every VPC or endpoint service that it concerns.

    Args:
        snapshots: The networks before.
        edits: The edits in their order.
        complete: Whether all VPCs of the regions are there, so that no other can be concerned.

    Raises:
        RefusedEditError: EC2 would refuse an edit, or it names nothing of these networks.
        UndecidedEditError: The effect of one depends on what the snapshots do not hold.
        CommandError: It is not known which of several VPCs an edit concerns.
    """
    router = _Router(snapshots)
    for edit in edits:
        router.add(edit)
    after: list[AnyNetwork] = []
    notes: dict[str, None] = {}
    for snapshot in snapshots:
        sequence = router.list_edits(snapshot.scope)
        if not sequence:
            after.append(snapshot)
            continue
        applied = apply_edits(snapshot, sequence)
        after.append(applied.snapshot)
        notes |= dict.fromkeys(f"Assumed: {each}." for each in applied.assumptions)
    if not complete:
        notes |= dict.fromkeys(
            f"Only the VPCs of --vpc were read: {each} may concern others."
            for each in sorted(router.shared)
        )
    return Applied(tuple(after), tuple(notes))


@dataclass(frozen=True, slots=True)
class _Assigned:
    """An edit, the scopes that it concerns (None: all) and the symbol of what it creates."""

    edit: Edit
    scopes: AbstractSet[Scope] | None
    symbol: str = ""


class _Router:
    """Assigns edits to scopes.

    Symbols such as `vpce-new-1` are numbered over all edits, and by `apply` for each scope alone.
    """

    def __init__(self, snapshots: Sequence[AnyNetwork]) -> None:
        self._snapshots = snapshots
        self._owners = _index_owners(snapshots)
        self._created: dict[str, int] = defaultdict(int)
        self._assigned: list[_Assigned] = []
        self.shared: set[str] = set()

    def add(self, edit: Edit) -> None:
        """Assign the next edit."""
        scopes = None if isinstance(edit, UNATTACHED) else self._find_scopes(edit)
        symbol = ""
        if created := CREATED.get(type(edit)):
            self._created[created.prefix] += 1
            symbol = f"{created.prefix}-new-{self._created[created.prefix]}"
            self._owners[symbol] = set(scopes or ())
        self._assigned.append(_Assigned(edit, scopes, symbol))

    def list_edits(self, scope: Scope) -> list[Edit]:
        """List the edits of a scope in their order, with its own numbers of symbols."""
        if not any(scope in (each.scopes or ()) for each in self._assigned):
            return []
        local: dict[str, int] = defaultdict(int)
        names: dict[str, str] = {}
        edits: list[Edit] = []
        for each in self._assigned:
            if each.scopes is not None and scope not in each.scopes:
                continue
            edits.append(rename_symbols(self._narrow(each.edit, scope), names))
            if each.symbol:
                prefix = each.symbol.rpartition("-new-")[0]
                local[prefix] += 1
                names[each.symbol] = f"{prefix}-new-{local[prefix]}"
        return edits

    def _narrow(self, edit: Edit, scope: Scope) -> Edit:
        """Leave out the endpoints of other scopes."""
        if not isinstance(edit, DeleteVpcEndpoints):
            return edit
        own = (each for each in edit.vpc_endpoint_ids if scope in self._owners.get(each, ()))
        return replace(edit, vpc_endpoint_ids=tuple(own) or edit.vpc_endpoint_ids)

    def _find_scopes(self, edit: Edit) -> AbstractSet[Scope]:
        name, ids = _find_owner_ids(edit)
        found = {each: self._owners.get(each, set()) for each in ids}
        unknown = [each for each, scopes in found.items() if not scopes]
        if name in SHARED:
            self.shared |= set(ids)
        known = set[Scope]().union(*found.values())
        if unknown and not (known and name == "vpc_id"):  # the other VPC of a peering connection
            return self._assign_unknown(edit, unknown)
        return known

    def _assign_unknown(self, edit: Edit, unknown: Sequence[str]) -> AbstractSet[Scope]:
        """Assign an edit of what no snapshot holds to the only one, or raise EC2's error."""
        wanted = EndpointServiceSnapshot if hasattr(edit, "service_id") else Snapshot
        possible = [each for each in self._snapshots if isinstance(each, wanted)]
        operation, ids = type(edit).__name__, ", ".join(unknown)
        if not possible:
            raise CommandError(f"{operation}: {ids}: nothing of this kind was read")
        if len(possible) == 1:
            return {possible[0].scope}
        try:
            apply_edits(possible[0], [edit])
        except RefusedEditError as error:
            where = f"none of the {len(possible)} VPCs or services that were read has {ids}"
            raise RefusedEditError(error.code, f"{operation}: {where}") from None
        raise CommandError(f"{operation}: it is not known which VPC {ids} concerns; use --vpc")


def _find_owner_ids(edit: Edit) -> tuple[str, tuple[str, ...]]:
    """Return the field that says what an edit changes, and the ids that it holds."""
    for names in OWNERS:
        values = [value for name in names if (value := getattr(edit, name, None))]
        if values:
            ids = (each if isinstance(each, tuple) else (each,) for each in values)
            return names[0], tuple(text for each in ids for text in each)
    return "", ()


def _index_owners(snapshots: Iterable[AnyNetwork]) -> dict[str, set[Scope]]:
    """Index the scopes by the ids of what they hold or route to."""
    owners: dict[str, set[Scope]] = defaultdict(set)
    for snapshot in snapshots:
        for each in _list_ids(snapshot):
            owners[each].add(snapshot.scope)
    return owners


def _list_ids(snapshot: AnyNetwork) -> Iterator[str]:
    yield snapshot.scope.subject
    if isinstance(snapshot, EndpointServiceSnapshot):
        return
    yield from snapshot.subnets
    yield from snapshot.endpoints
    yield from snapshot.security_groups
    yield from snapshot.nat_gateways
    yield from snapshot.prefix_lists
    for acl in snapshot.network_acls.values():
        yield from (acl.id, *acl.association_ids)
    for table in snapshot.route_tables.values():
        yield from (table.id, *table.association_ids)
        yield from (route.target.id for route in table.routes)
