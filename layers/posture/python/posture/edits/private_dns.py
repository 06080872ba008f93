"""Decides whether an endpoint can have private DNS, as EC2 does.

https://docs.aws.amazon.com/vpc/latest/privatelink/manage-dns-names.html
"""

from __future__ import annotations

from dataclasses import replace

from posture.edits.draft import Draft, refuse
from posture.edits.operations.endpoints import CreateVpcEndpoint
from posture.errors import RefusedEditError, UndecidedEditError
from posture.model.network import Endpoint, EndpointType, Facet, Service


def resolve_private_dns(edit: CreateVpcEndpoint, service: Service | None) -> bool:
    """Return whether a new endpoint has private DNS; by default it has if its service has names.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVpcEndpoint.html
    """
    if edit.vpc_endpoint_type is not EndpointType.INTERFACE:
        if edit.private_dns_enabled and edit.vpc_endpoint_type is EndpointType.GATEWAY:
            raise _invalid("Private DNS is not supported for gateway endpoints")
        return bool(edit.private_dns_enabled)
    if edit.private_dns_enabled is not None:
        return edit.private_dns_enabled
    return bool(service and service.private_dns_names)


def require_private_dns(
    draft: Draft, endpoint: Endpoint, service: Service, *, is_new: bool = True
) -> Endpoint:
    """Require what private DNS of an endpoint needs, and return it with EC2's default options.

    `is_new` is whether the endpoint has none yet: no private hosted zone conflicts with one that
    has.
    """
    vpc = draft.vpc
    if not service.private_dns_names:
        raise _invalid(
            f"Private DNS can't be enabled because the service {service.name} does not provide a "
            "private DNS name."
        )
    draft.require(Facet.DNS_ATTRIBUTES)
    if vpc.dns_support is None or vpc.dns_hostnames is None:
        raise UndecidedEditError(f"the DNS attributes of {vpc.id} are not in the snapshot")
    if not (vpc.dns_support and vpc.dns_hostnames):
        raise _invalid(
            "Enabling private DNS requires both enableDnsSupport and enableDnsHostnames VPC "
            f"attributes set to true for {vpc.id}"
        )
    for other in draft.endpoints.values():
        if other.id != endpoint.id and other.private_dns and not other.deleted:
            _require_other_names(draft, other, service)
    if is_new:
        _require_no_zone(draft, service)
    return _require_gateway(draft, endpoint, service)


def _require_no_zone(draft: Draft, service: Service) -> None:
    vpc_id, names = draft.vpc.id, service.private_dns_names
    zones = draft.shared.list_zone_names(vpc_id) if draft.shared else None
    if zones is None:
        draft.assume(f"no private hosted zone for {', '.join(names)} is associated with {vpc_id}")
        return
    if conflict := zones & {each.removeprefix("*.") for each in names}:
        raise _invalid(
            "private-dns-enabled cannot be set because there is already a conflicting DNS domain "
            f"for {min(conflict)} in the VPC {vpc_id}: a private hosted zone"
        )


def _require_other_names(draft: Draft, other: Endpoint, service: Service) -> None:
    listed = draft.snapshot.services.get(other.service_name)
    names = set(listed.private_dns_names if listed else ()) & set(service.private_dns_names)
    if names or other.service_name == service.name:
        raise _invalid(
            "private-dns-enabled cannot be set because there is already a conflicting DNS domain "
            f"for {min(names or {service.private_dns_names[0]})} in the VPC {draft.vpc.id}: "
            f"{other.id}"
        )


def _require_gateway(draft: Draft, endpoint: Endpoint, service: Service) -> Endpoint:
    """Require a gateway endpoint if private DNS is for inbound Resolver endpoints only.

    This is the default for services that have gateway endpoints, too.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/privatelink-interface-endpoints.html#private-dns-s3
    """
    if EndpointType.GATEWAY not in service.types:
        return endpoint
    if endpoint.private_dns_only_for_inbound_resolver is None:
        endpoint = replace(endpoint, private_dns_only_for_inbound_resolver=True)
    if endpoint.private_dns_only_for_inbound_resolver and not any(
        each.type is EndpointType.GATEWAY and each.service_name == service.name
        for each in draft.endpoints.values()
        if not each.deleted
    ):
        raise _invalid(
            "To set PrivateDnsOnlyForInboundResolverEndpoint to true, the VPC "
            f"{draft.vpc.id} must have a Gateway endpoint for the service."
        )
    return endpoint


def _invalid(message: str) -> RefusedEditError:
    return refuse("InvalidParameter", message)
