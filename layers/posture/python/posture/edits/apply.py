"""Applies edits to a snapshot as EC2 would: the snapshot after them, or EC2's refusal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar, cast

from posture.edits import acls, endpoints, gateways, groups, routes, services, vpcs
from posture.edits.draft import Draft, Handlers, ServiceDraft, refuse
from posture.edits.edit import Edit
from posture.errors import RefusedEditError, UndecidedEditError
from posture.lean_dataclass import dataclass
from posture.model.endpoint_service import EndpointServiceSnapshot
from posture.model.network import Snapshot

AnyNetwork = TypeVar("AnyNetwork", bound=Snapshot | EndpointServiceSnapshot)

VPC_HANDLERS: Handlers = {
    **routes.HANDLERS,
    **endpoints.HANDLERS,
    **groups.HANDLERS,
    **acls.HANDLERS,
    **gateways.HANDLERS,
    **vpcs.HANDLERS,
}
SERVICE_HANDLERS: Handlers = services.HANDLERS


@dataclass(frozen=True, slots=True)
class Application(Generic[AnyNetwork]):
    """A snapshot after edits, and what the edits assume because the snapshot does not hold it.

    An assumption is a clause such as `tgw-1 exists and is attached to vpc-1`.
    """

    snapshot: AnyNetwork
    assumptions: tuple[str, ...] = ()


def apply(snapshot: AnyNetwork, edits: Iterable[Edit]) -> AnyNetwork:
    """Return the snapshot after the edits, which apply in their order.

    See `apply_edits`, which also returns what the edits assume.
    """
    return apply_edits(snapshot, edits).snapshot


def apply_edits(snapshot: AnyNetwork, edits: Iterable[Edit]) -> Application[AnyNetwork]:
    """Return the snapshot after the edits, and what they assume.

    The time of the snapshot stays, and what EC2 creates later (a pending endpoint or NAT gateway)
    is taken as created.

    Args:
        snapshot: The network of a VPC, or an endpoint service.
        edits: The edits in their order; `posture.edits.operations` says which ids what they create
            has.

    Raises:
        RefusedEditError: EC2 would refuse one of them, or it names another VPC's resource.
        UndecidedEditError: The effect of one depends on what the snapshot does not hold.
    """
    handlers, draft = _prepare(snapshot)
    for edit in edits:
        apply_one(draft, handlers, edit)
    return Application(cast("AnyNetwork", draft.freeze()), tuple(draft.assumptions))


def _prepare(
    snapshot: Snapshot | EndpointServiceSnapshot,
) -> tuple[Handlers, Draft | ServiceDraft]:
    if isinstance(snapshot, Snapshot):
        return VPC_HANDLERS, Draft.copy(snapshot)
    return SERVICE_HANDLERS, ServiceDraft(snapshot)


def apply_one(draft: Draft | ServiceDraft, handlers: Handlers, edit: Edit) -> None:
    """Apply one edit to a working copy; an error names its operation."""
    handle = handlers.get(type(edit))
    with name_errors(type(edit).__name__):
        if handle is None:
            subject = draft.snapshot.scope.subject
            raise refuse("InvalidParameterValue", f"it does not concern {subject}")
        handle(draft, edit)


@contextmanager
def name_errors(operation: str) -> Iterator[None]:
    """Name the operation in the errors of its application."""
    try:
        yield
    except RefusedEditError as error:
        raise RefusedEditError(error.code, f"{operation}: {error.message}") from None
    except UndecidedEditError as error:
        raise UndecidedEditError(f"{operation}: {error}") from None
