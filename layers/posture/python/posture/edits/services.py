"""Applies edits of an endpoint service.

https://docs.aws.amazon.com/vpc/latest/privatelink/configure-endpoint-service.html
"""

from __future__ import annotations

from dataclasses import replace

from posture.edits.draft import Handlers, ServiceDraft, refuse
from posture.edits.operations.endpoint_services import (
    AcceptVpcEndpointConnections,
    ModifyVpcEndpointServiceConfiguration,
    ModifyVpcEndpointServicePermissions,
    RejectVpcEndpointConnections,
)
from posture.model.endpoint_service import Connection, ServiceFacet

CLOSED = {"rejected", "expired", "failed", "deleting", "deleted"}


def _modify_permissions(draft: ServiceDraft, edit: ModifyVpcEndpointServicePermissions) -> None:
    draft.require_service(edit.service_id)
    draft.require(ServiceFacet.PERMISSIONS)
    present = draft.snapshot.principals
    removed = set(edit.remove_allowed_principals)
    principals = {*present, *edit.add_allowed_principals} - removed
    draft.snapshot = replace(draft.snapshot, principals=tuple(sorted(principals)))


def _modify_configuration(draft: ServiceDraft, edit: ModifyVpcEndpointServiceConfiguration) -> None:
    draft.require_service(edit.service_id)
    draft.require(ServiceFacet.CONFIGURATION)
    snapshot = draft.snapshot
    if edit.private_dns_name and edit.remove_private_dns_name:
        raise refuse(
            "InvalidParameterCombination",
            "PrivateDnsName and RemovePrivateDnsName cannot be in the same request",
        )
    if edit.acceptance_required is not None:
        snapshot = replace(snapshot, acceptance_required=edit.acceptance_required)
    if edit.private_dns_name:
        snapshot = replace(
            snapshot,
            private_dns_name=edit.private_dns_name,
            private_dns_state="pendingverification",
        )
    elif edit.remove_private_dns_name:
        snapshot = replace(snapshot, private_dns_name=None, private_dns_state=None)
    if edit.add_supported_regions or edit.remove_supported_regions:
        present = snapshot.regions or (snapshot.scope.region,)
        regions = {*present, *edit.add_supported_regions} - set(edit.remove_supported_regions)
        snapshot = replace(snapshot, regions=tuple(sorted(regions)))
    draft.snapshot = snapshot


def _accept(draft: ServiceDraft, edit: AcceptVpcEndpointConnections) -> None:
    _set_state(draft, edit, "available")


def _reject(draft: ServiceDraft, edit: RejectVpcEndpointConnections) -> None:
    _set_state(draft, edit, "rejected")


def _set_state(
    draft: ServiceDraft,
    edit: AcceptVpcEndpointConnections | RejectVpcEndpointConnections,
    state: str,
) -> None:
    """Set the state of connections; an accepted one can be rejected later.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RejectVpcEndpointConnections.html
    """
    draft.require_service(edit.service_id)
    draft.require(ServiceFacet.CONNECTIONS)
    present = {each.endpoint_id: each for each in draft.snapshot.connections}
    for endpoint_id in edit.vpc_endpoint_ids:
        connection = present.get(endpoint_id)
        if connection is None:
            raise refuse(
                "InvalidVpcEndpointId.NotFound",
                f"The Vpc Endpoint Id '{endpoint_id}' is not connected to {edit.service_id}",
            )
        _require_open(connection, accept=state == "available")
        present[endpoint_id] = replace(connection, state=state)
    draft.snapshot = replace(draft.snapshot, connections=tuple(present.values()))


def _require_open(connection: Connection, *, accept: bool) -> None:
    refused = CLOSED | ({"available"} if accept else set())
    if connection.state in refused:
        raise refuse("InvalidState", f"{connection.endpoint_id} is in the state {connection.state}")


HANDLERS: Handlers = {
    ModifyVpcEndpointServicePermissions: _modify_permissions,
    ModifyVpcEndpointServiceConfiguration: _modify_configuration,
    AcceptVpcEndpointConnections: _accept,
    RejectVpcEndpointConnections: _reject,
}
