"""Applies edits of VPC endpoints, with the routes and network interfaces that EC2 adds for them.

https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html
https://docs.aws.amazon.com/vpc/latest/privatelink/create-interface-endpoint.html
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from posture.edits.draft import Draft, Handlers, refuse
from posture.edits.endpoint_interfaces import (
    IPV4,
    VERSIONS,
    place_interfaces,
    remove_interfaces,
)
from posture.edits.operations.endpoints import (
    CreateVpcEndpoint,
    DeleteVpcEndpoints,
    DescribeVpcEndpoints,
    DnsOptions,
    ModifyVpcEndpoint,
)
from posture.edits.private_dns import require_private_dns, resolve_private_dns
from posture.edits.routes import set_routes
from posture.errors import UndecidedEditError
from posture.model.network import (
    Endpoint,
    EndpointType,
    Facet,
    PrefixList,
    Route,
    Service,
    Target,
    TargetKind,
)
from posture.model.service_names import CUSTOM_SERVICE_NAME
from posture.policy.json_reader import MalformedPolicyError
from posture.policy.parse import parse_policy

# Attached if a request names no policy:
# https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-access.html
FULL_ACCESS = (
    '{"Statement": [{"Action": "*", "Effect": "Allow", "Principal": "*", "Resource": "*"}]}'
)
NO_GROUPS = {EndpointType.GATEWAY, EndpointType.GATEWAY_LOAD_BALANCER}
WITH_SERVICE = {
    EndpointType.GATEWAY,
    EndpointType.INTERFACE,
    EndpointType.GATEWAY_LOAD_BALANCER,
}
# https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-limits-endpoints.html
POLICY_LIMIT = 20_480


def _create(draft: Draft, edit: CreateVpcEndpoint) -> None:
    draft.require_vpc(edit.vpc_id)
    draft.require(Facet.ENDPOINTS)
    kind = edit.vpc_endpoint_type
    service = _find_service(draft, edit) if kind in WITH_SERVICE else None
    if kind is not EndpointType.GATEWAY and edit.route_table_ids:
        raise _invalid(f"RouteTableIds is not supported for endpoints of type {kind}")
    subnets = _list_subnets(edit)
    if kind is EndpointType.GATEWAY and (subnets or edit.security_group_ids):
        raise _invalid("SubnetIds and SecurityGroupIds are not supported for gateway endpoints")
    endpoint = Endpoint(
        id=draft.create_id("vpce"),
        type=kind,
        vpc_id=edit.vpc_id,
        service_name=service.name if service else _name_resource(edit),
        state="available",
        policy=_check_policy(edit.policy_document) or FULL_ACCESS,
        security_group_ids=_choose_groups(draft, edit),
        private_dns=resolve_private_dns(edit, service),
        ip_address_type=edit.ip_address_type or "ipv4",
        dns_record_ip_type=(edit.dns_options and edit.dns_options.dns_record_ip_type)
        or "service-defined",
        service_region=edit.service_region,
        created_at=draft.snapshot.observed_at,
    )
    endpoint = _set_options(endpoint, edit.dns_options)
    if edit.ip_address_type:
        _assume_address_type(draft, endpoint)
    if endpoint.private_dns and service:
        endpoint = require_private_dns(draft, endpoint, service)
    endpoint = _add_tables(draft, endpoint, edit.route_table_ids)
    draft.endpoints[endpoint.id] = place_interfaces(
        draft, endpoint, subnets, edit.subnet_configurations
    )


def _modify(draft: Draft, edit: ModifyVpcEndpoint) -> None:
    endpoint = draft.get_endpoint(edit.vpc_endpoint_id)
    if edit.reset_policy and edit.policy_document:
        raise refuse(
            "InvalidParameterCombination",
            "ResetPolicy and PolicyDocument cannot be in the same request",
        )
    _check_lists(endpoint, edit)
    if edit.reset_policy or edit.policy_document:
        endpoint = replace(endpoint, policy=_check_policy(edit.policy_document) or FULL_ACCESS)
    endpoint = _change_groups(draft, endpoint, edit)
    endpoint = _set_options(endpoint, edit.dns_options)
    if edit.dns_options and edit.dns_options.dns_record_ip_type:
        endpoint = replace(endpoint, dns_record_ip_type=edit.dns_options.dns_record_ip_type)
    if edit.ip_address_type:
        endpoint = _change_address_type(draft, endpoint, edit.ip_address_type)
    endpoint = _change_private_dns(draft, endpoint, edit)
    endpoint = _remove_tables(draft, endpoint, edit.remove_route_table_ids)
    endpoint = _add_tables(draft, endpoint, edit.add_route_table_ids)
    configured = (each.subnet_id for each in edit.subnet_configurations)
    wanted = {*endpoint.subnet_ids, *edit.add_subnet_ids, *configured}
    subnets = tuple(sorted(wanted - set(edit.remove_subnet_ids)))
    if _changes_interfaces(edit):
        endpoint = place_interfaces(draft, endpoint, subnets, edit.subnet_configurations)
    draft.endpoints[endpoint.id] = endpoint


def _changes_interfaces(edit: ModifyVpcEndpoint) -> bool:
    subnets = (*edit.add_subnet_ids, *edit.remove_subnet_ids, *edit.subnet_configurations)
    groups = (*edit.add_security_group_ids, *edit.remove_security_group_ids)
    return bool(subnets or groups or edit.ip_address_type)


def _delete(draft: Draft, edit: DeleteVpcEndpoints) -> None:
    for endpoint_id in edit.vpc_endpoint_ids:
        endpoint = draft.get_endpoint(endpoint_id, "InvalidVpcEndpoint.NotFound")
        _require_unused(draft, endpoint)
        if endpoint.type is EndpointType.GATEWAY:
            _remove_tables(draft, endpoint, endpoint.route_table_ids)
        remove_interfaces(draft, endpoint.network_interface_ids)
        del draft.endpoints[endpoint.id]


def _require_unused(draft: Draft, endpoint: Endpoint) -> None:
    """Refuse to delete a Gateway Load Balancer endpoint that is the target of a route.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteVpcEndpoints.html
    """
    draft.require(Facet.ROUTE_TABLES)
    if endpoint.type is EndpointType.GATEWAY:
        return
    for table in draft.route_tables.values():
        if any(route.target.id == endpoint.id for route in table.routes):
            raise refuse(
                "DependencyViolation", f"{endpoint.id} is the target of a route of {table.id}"
            )


def _find_service(draft: Draft, edit: CreateVpcEndpoint) -> Service:
    """Find the service that a new endpoint connects to, which must offer the endpoint's type."""
    name, kind = edit.service_name, edit.vpc_endpoint_type
    if not name:
        raise refuse("MissingParameter", "The request must contain the parameter ServiceName")
    if edit.service_region not in {None, draft.snapshot.scope.region}:
        draft.assume(f"{name} can be used from {draft.snapshot.scope.region}")
        return Service(name, frozenset({kind}), owner="", listed=False)
    draft.require(Facet.SERVICES)
    service = draft.snapshot.services.get(name)
    if service is None:
        raise refuse("InvalidServiceName", f"The Vpc Endpoint Service '{name}' does not exist")
    if kind not in service.types:
        offered = ", ".join(sorted(service.types))
        raise _invalid(
            f"Endpoint type ({kind}) does not match available service types ([{offered}])."
        )
    if CUSTOM_SERVICE_NAME.fullmatch(name):
        draft.assume(f"{name} accepts the connection")
    return service


def _name_resource(edit: CreateVpcEndpoint) -> str:
    arn = edit.resource_configuration_arn or edit.service_network_arn
    if not arn:
        raise refuse(
            "MissingParameter",
            "The request must contain the ARN of a resource configuration or service network",
        )
    return arn


def _list_subnets(edit: CreateVpcEndpoint) -> tuple[str, ...]:
    configured = (each.subnet_id for each in edit.subnet_configurations)
    return tuple(sorted({*edit.subnet_ids, *configured}))


def _choose_groups(draft: Draft, edit: CreateVpcEndpoint) -> tuple[str, ...]:
    """Choose the security groups of a new endpoint: the VPC's default one if it names none."""
    if edit.vpc_endpoint_type in NO_GROUPS:
        if edit.security_group_ids:
            raise _invalid("SecurityGroupIds is not supported for endpoints of this type")
        return ()
    if edit.security_group_ids:
        return _require_groups(draft, edit.security_group_ids)
    draft.require(Facet.SECURITY_GROUPS)
    return tuple(
        each.id
        for each in draft.security_groups.values()
        if each.name == "default" and each.vpc_id == draft.vpc.id
    )


def _require_groups(draft: Draft, ids: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({draft.get_security_group(each).id for each in ids}))


def _change_groups(draft: Draft, endpoint: Endpoint, edit: ModifyVpcEndpoint) -> Endpoint:
    if not edit.add_security_group_ids and not edit.remove_security_group_ids:
        return endpoint
    added = _require_groups(draft, edit.add_security_group_ids)
    _require_members(endpoint, edit.remove_security_group_ids, endpoint.security_group_ids)
    kept = {*endpoint.security_group_ids, *added} - set(edit.remove_security_group_ids)
    if not kept:
        raise _invalid(f"{endpoint.id} must have at least one security group")
    return replace(endpoint, security_group_ids=tuple(sorted(kept)))


def _change_private_dns(draft: Draft, endpoint: Endpoint, edit: ModifyVpcEndpoint) -> Endpoint:
    former = endpoint.private_dns
    if edit.private_dns_enabled is not None:
        if endpoint.type in NO_GROUPS and edit.private_dns_enabled:
            raise _invalid(f"Private DNS is not supported for endpoints of type {endpoint.type}")
        endpoint = replace(endpoint, private_dns=edit.private_dns_enabled)
    if endpoint.type is not EndpointType.INTERFACE:
        return endpoint  # its names are not those of a service
    if endpoint.private_dns and (edit.private_dns_enabled or edit.dns_options):
        draft.require(Facet.SERVICES)
        service = draft.snapshot.services.get(endpoint.service_name)
        if service is None:
            raise UndecidedEditError(
                f"DescribeVpcEndpointServices does not list {endpoint.service_name}: whether it "
                "has private DNS names is not known"
            )
        endpoint = require_private_dns(draft, endpoint, service, is_new=not former)
    return endpoint


def _set_options(endpoint: Endpoint, options: DnsOptions | None) -> Endpoint:
    if options is None:
        return endpoint
    inbound = options.private_dns_only_for_inbound_resolver_endpoint
    if inbound is not None:
        endpoint = replace(endpoint, private_dns_only_for_inbound_resolver=inbound)
    if options.private_dns_preference:
        endpoint = replace(
            endpoint,
            private_dns_preference=options.private_dns_preference,
            private_dns_domains=tuple(sorted(options.private_dns_specified_domains)),
        )
    return endpoint


def _check_policy(text: str | None) -> str | None:
    """Check that EC2 accepts a policy document."""
    if text is None:
        return None
    try:
        parse_policy(text)
    except MalformedPolicyError as error:
        raise refuse("InvalidPolicyDocument", f"The policy document is invalid: {error}") from None
    if len(text) > POLICY_LIMIT:
        raise refuse(
            "InvalidPolicyDocument", f"The policy document exceeds {POLICY_LIMIT} characters"
        )
    return text


def _check_lists(endpoint: Endpoint, edit: ModifyVpcEndpoint) -> None:
    """Refuse lists that endpoints of this type do not have, and removals of what is not there."""
    tables = (*edit.add_route_table_ids, *edit.remove_route_table_ids)
    subnets = (*edit.add_subnet_ids, *edit.remove_subnet_ids, *edit.subnet_configurations)
    groups = (*edit.add_security_group_ids, *edit.remove_security_group_ids)
    gateway = endpoint.type is EndpointType.GATEWAY
    if (subnets if gateway else tables) or (groups and endpoint.type in NO_GROUPS):
        raise _invalid(f"{endpoint.id} is of type {endpoint.type}, which does not support this")
    _require_members(endpoint, edit.remove_route_table_ids, endpoint.route_table_ids)
    _require_members(endpoint, edit.remove_subnet_ids, endpoint.subnet_ids)


def _require_members(endpoint: Endpoint, removed: Sequence[str], present: Sequence[str]) -> None:
    for each in removed:
        if each not in present:
            raise _invalid(f"{endpoint.id} is not associated with {each}")


def _change_address_type(draft: Draft, endpoint: Endpoint, address_type: str) -> Endpoint:
    """Change the IP versions that an endpoint carries, and the routes to a gateway endpoint."""
    tables = endpoint.route_table_ids
    if endpoint.type is EndpointType.GATEWAY:
        endpoint = _remove_tables(draft, endpoint, tables)
    endpoint = replace(endpoint, ip_address_type=address_type)
    _assume_address_type(draft, endpoint)
    return _add_tables(draft, endpoint, tables)


def _assume_address_type(draft: Draft, endpoint: Endpoint) -> None:
    listed = endpoint.type is EndpointType.GATEWAY  # a service has a list for each IP version
    if endpoint.ip_address_type != "ipv4" and not listed:
        draft.assume(f"{endpoint.service_name} supports {endpoint.ip_address_type} endpoints")


def _add_tables(draft: Draft, endpoint: Endpoint, table_ids: Sequence[str]) -> Endpoint:
    """Associate a gateway endpoint with route tables, each of which gets a route to it."""
    if not table_ids:
        return endpoint
    for table_id in table_ids:
        for listed in _list_prefix_lists(draft, endpoint):
            table = draft.get_route_table(table_id)
            if any(route.prefix_list_id == listed.id for route in table.routes):
                raise refuse(
                    "RouteAlreadyExists",
                    f"route table {table.id} already has a route with destination-prefix-list-id "
                    f"{listed.id}",
                )
            route = Route(None, listed.id, Target(TargetKind.VPC_ENDPOINT, endpoint.id))
            set_routes(draft, table, (*table.routes, route))
    tables = tuple(sorted({*endpoint.route_table_ids, *table_ids}))
    return replace(endpoint, route_table_ids=tables)


def _remove_tables(draft: Draft, endpoint: Endpoint, table_ids: Sequence[str]) -> Endpoint:
    if not table_ids:
        return endpoint
    for table_id in table_ids:
        if table := draft.route_tables.get(table_id):
            own = (each for each in table.routes if each.target.id != endpoint.id)
            set_routes(draft, table, own)
    kept = tuple(each for each in endpoint.route_table_ids if each not in table_ids)
    return replace(endpoint, route_table_ids=kept)


def _list_prefix_lists(draft: Draft, endpoint: Endpoint) -> list[PrefixList]:
    """Return the lists of a gateway endpoint's service, of the IP versions that it carries.

    https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html#gateway-endpoint-ip-address-type
    """
    draft.require(Facet.AWS_PREFIX_LISTS)
    carried = VERSIONS.get(endpoint.ip_address_type or "ipv4", (IPV4,))
    found: list[PrefixList] = []
    for version in carried:
        named = (
            each
            for each in draft.prefix_lists.values()
            if each.name.replace(".ipv6.", ".") == endpoint.service_name
            and (each.name == endpoint.service_name) is (version == IPV4)
        )
        listed = next(named, None)
        if listed is None:
            family = "" if version == IPV4 else f"IPv{version} "
            raise UndecidedEditError(
                f"the snapshot does not hold the {family}prefix list of {endpoint.service_name}"
            )
        found.append(listed)
    return found


def _invalid(message: str) -> Exception:
    """Build the refusal that EC2 makes for most parameters of endpoints."""
    return refuse("InvalidParameter", message)


def _look_up(draft: Draft, edit: DescribeVpcEndpoints) -> None:
    """Require endpoints, and number the hosted zone of their names."""
    for endpoint_id in edit.vpc_endpoint_ids:
        draft.get_endpoint(endpoint_id)
    draft.create_id("dns-zone")


HANDLERS: Handlers = {
    DescribeVpcEndpoints: _look_up,
    CreateVpcEndpoint: _create,
    ModifyVpcEndpoint: _modify,
    DeleteVpcEndpoints: _delete,
}
