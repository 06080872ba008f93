"""Maps Terraform's VPC endpoints and endpoint services to rows of EC2's answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from posture.model.endpoint_service import ServiceFacet
from posture.model.network import Facet
from posture_cli.plan.resources import endpoint_services, endpoints
from posture_cli.plan.rows import Row
from posture_cli.plan.terraform_documents import build_document
from posture_cli.plan.terraform_plan import Instance
from posture_cli.plan.terraform_values import Values, as_row
from posture_cli.plan.values import Unknown

ENDPOINTS = "DescribeVpcEndpoints"
SERVICES = "DescribeVpcEndpointServiceConfigurations"
# What an association resource adds to an endpoint: its attribute, its kind and EC2's member.
LINKS: Mapping[str, tuple[str, str, str]] = {
    "aws_vpc_endpoint_route_table_association": ("route_table_id", "route-table", "RouteTableIds"),
    "aws_vpc_endpoint_subnet_association": ("subnet_id", "subnet", "SubnetIds"),
    "aws_vpc_endpoint_security_group_association": (
        "security_group_id",
        "security-group",
        "Groups",
    ),
}


def add_endpoint(values: Values, policy: str = "policy") -> None:
    """Add a VPC endpoint.

    Args:
        values: Its values.
        policy: The attribute that holds its policy.
    """
    if not (vpc_id := values.vpc()):
        return
    kind = values.get("vpc_endpoint_type", "Gateway")
    options = values.blocks("dns_options")
    dns = None if isinstance(options, Unknown) else next(options, None)
    row: Row = as_row(
        VpcEndpointType=kind,
        ServiceName=_read_service_name(values),
        State=_read_state(values),
        # A gateway endpoint has no private DNS, whatever an expression for all types leads to.
        PrivateDnsEnabled=kind != "Gateway" and values.get("private_dns_enabled", False),
        RouteTableIds=values.refs("route_table_ids", "route-table"),
        SubnetIds=values.refs("subnet_ids", "subnet"),
        Groups=_list_groups(values.refs("security_group_ids", "security-group")),
        PolicyDocument=read_policy(values, policy),
        IpAddressType=values.get("ip_address_type"),
        ServiceRegion=values.get("service_region"),
        ResourceConfigurationArn=values.get("resource_configuration_arn"),
        ServiceNetworkArn=values.get("service_network_arn"),
        DnsOptions=_read_dns_options(dns) if dns else None,
    )
    if values.instance.new and kind == "Interface" and not row["Groups"]:
        # From its creation, so that it stays beside those that other resources add:
        # https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVpcEndpoint.html
        groups = values.region.rows["DescribeSecurityGroups"]
        row["Groups"] = [
            {"GroupId": it["GroupId"]}
            for it in groups
            if it["GroupName"] == "default" and it["VpcId"] == vpc_id
        ]
    if not values.instance.new and isinstance(known := values.raw("network_interface_ids"), list):
        row["NetworkInterfaceIds"] = [each for each in known if isinstance(each, str)]
    endpoints.add_endpoint(values.region, values.id, vpc_id, values.address, row)


def _read_service_name(values: Values) -> Any:
    """Read the service's name; that of a service of the same plan is made from its symbol."""
    value = values.get("service_name")
    if not isinstance(value, Unknown):
        return value
    service = values.ref("service_name", "endpoint-service")
    if isinstance(service, str):
        return f"com.amazonaws.vpce.{values.region.region}.{service}"
    return value


def _read_state(values: Values) -> str:
    """Return the state: a new endpoint is expected to become available."""
    state = values.raw("state")
    return state if isinstance(state, str) and state and not values.instance.new else "available"


def _list_groups(ids: list[str] | Unknown) -> Any:
    return ids if isinstance(ids, Unknown) else [{"GroupId": each} for each in ids]


def _read_dns_options(values: Values) -> Any:
    only = values.get("private_dns_only_for_inbound_resolver_endpoint")
    return as_row(
        DnsRecordIpType=values.get("dns_record_ip_type"),
        PrivateDnsOnlyForInboundResolverEndpoint=only,
        PrivateDnsPreference=values.get("private_dns_preference"),
        PrivateDnsSpecifiedDomains=values.get("private_dns_specified_domains"),
    )


def read_policy(values: Values, name: str = "policy") -> Any:
    """Read a policy; of one that depends on new resources, its document if that is in the plan."""
    value = values.get(name)
    if isinstance(value, Unknown):
        found = values.resolver.find_documents(values.instance, (*values.path, name))
        document = build_document(values.resolver, found[0]) if len(found) == 1 else None
        if document is not None:
            values.resolver.unknown.pop(f"{values.address}.{name}", None)
            return document
        return value
    return json.dumps(value) if isinstance(value, dict) else value


def link_endpoint(values: Values) -> None:
    """Add what an association resource adds to an endpoint."""
    name, kind, member = LINKS[values.instance.type]
    endpoint_id = values.ref("vpc_endpoint_id", "vpc-endpoint")
    found = values.ref(name, kind)
    if not isinstance(endpoint_id, str) or not isinstance(found, str):
        for vpc in values.region.rows["DescribeVpcs"]:
            why = f"the ends of {values.address} are not known"
            values.region.mark_unknown(vpc["VpcId"], Facet.ENDPOINTS, why)
        return
    row = values.region.find(ENDPOINTS, "VpcEndpointId", endpoint_id)
    element = {"GroupId": found} if member == "Groups" else found
    if row is None:
        return
    kept = list(row.get(member) or ())
    if values.get("replace_default_association") is True:
        groups = values.region.rows["DescribeSecurityGroups"]
        default = {it["GroupId"] for it in groups if it["GroupName"] == "default"}
        kept = [each for each in kept if each["GroupId"] not in default]
    row[member] = kept if element in kept else [*kept, element]


def unlink_endpoint(values: Values) -> None:
    """Remove what an association added that the plan destroys or replaces."""
    name, kind, member = LINKS[values.instance.type]
    endpoint_id = values.ref("vpc_endpoint_id", "vpc-endpoint")
    found = values.ref(name, kind)
    if row := values.region.find(ENDPOINTS, "VpcEndpointId", endpoint_id):
        element = {"GroupId": found} if member == "Groups" else found
        row[member] = [each for each in row.get(member) or () if each != element]


def set_policy(values: Values) -> None:
    """Set the policy of `aws_vpc_endpoint_policy`."""
    endpoint_id = values.ref("vpc_endpoint_id", "vpc-endpoint")
    row = values.region.find(ENDPOINTS, "VpcEndpointId", endpoint_id)
    if row is None:
        return
    policy = read_policy(values)
    if isinstance(policy, Unknown):
        row.pop("PolicyDocument", None)
    elif policy:
        row["PolicyDocument"] = policy


def set_private_dns(values: Values) -> None:
    """Set the private DNS of `aws_vpc_endpoint_private_dns`."""
    endpoint_id = values.ref("vpc_endpoint_id", "vpc-endpoint")
    row = values.region.find(ENDPOINTS, "VpcEndpointId", endpoint_id)
    if row is None:
        return
    on = values.get("private_dns_enabled", True)
    if isinstance(on, Unknown):
        row.pop("PrivateDnsEnabled", None)
    else:
        row["PrivateDnsEnabled"] = on


def add_service(values: Values) -> None:
    """Add an endpoint service of the account with its allowed principals."""
    service_id = values.id
    regions = values.get("supported_regions")
    row = as_row(
        AcceptanceRequired=values.get("acceptance_required", True),
        PrivateDnsName=values.get("private_dns_name"),
        ServiceName=name if isinstance(name := values.raw("service_name"), str) else None,
        SupportedRegions=[{"Region": each} for each in regions]
        if isinstance(regions, list)
        else None,
    )
    if values.get("remote_access_enabled") is False:
        row["RemoteAccessEnabled"] = False
    endpoint_services.add_endpoint_service(values.region, service_id, row)
    allow_principals(values, service_id, values.texts("allowed_principals"))


def allow_principals(values: Values, service_id: str, principals: list[Any]) -> None:
    """Allow principals; one that is not known leaves the service's permissions unknown."""
    known = [each for each in principals if isinstance(each, str)]
    endpoint_services.allow_principals(values.region, service_id, known)
    if len(known) != len(principals):
        why = f"a principal of {values.address} is not known"
        values.region.mark_unknown(service_id, ServiceFacet.PERMISSIONS, why)


def allow_principal(values: Values) -> None:
    """Allow the principal of `aws_vpc_endpoint_service_allowed_principal`."""
    service_id = values.ref("vpc_endpoint_service_id", "endpoint-service")
    if not isinstance(service_id, str):
        return
    principal = values.get("principal_arn")
    before = endpoint_services.list_principals(values.region, service_id)
    allow_principals(values, service_id, [*before, principal])


def disallow_principal(values: Values) -> None:
    """Disallow a principal whose resource the plan destroys or replaces."""
    service_id = values.ref("vpc_endpoint_service_id", "endpoint-service")
    if isinstance(service_id, str):
        kept = endpoint_services.list_principals(values.region, service_id)
        principal = values.get("principal_arn")
        endpoint_services.allow_principals(
            values.region, service_id, [each for each in kept if each != principal]
        )


def read_catalogue(instance: Instance) -> Row | None:
    """Read the row of `data.aws_vpc_endpoint_service`: a service that the Region offers."""
    values = instance.values
    name = values.get("service_name")
    if not isinstance(name, str) or not name:
        return None
    kinds = values.get("service_type")
    names = values.get("private_dns_names") or [values.get("private_dns_name")]
    return {
        "ServiceName": name,
        "ServiceType": [{"ServiceType": kinds}] if isinstance(kinds, str) else [],
        "Owner": values.get("owner") or "",
        "AvailabilityZones": values.get("availability_zones") or [],
        "PrivateDnsNames": [{"PrivateDnsName": each} for each in names if each],
        "VpcEndpointPolicySupported": bool(values.get("vpc_endpoint_policy_supported")),
    }
