"""Parses rules and inbound endpoints of the Route 53 Resolver, and Route 53 Profiles.

https://docs.aws.amazon.com/Route53/latest/APIReference/API_Operations_Amazon_Route_53_Resolver.html
https://docs.aws.amazon.com/Route53/latest/APIReference/API_Operations_Amazon_Route_53_Profiles.html
"""

from __future__ import annotations

from collections.abc import Iterable

from posture.model.network import Address
from posture.model.shared_network import (
    InboundResolver,
    Profile,
    ProfileUse,
    ResolverRule,
    RuleKind,
)
from posture.organization.parse.fields import (
    MalformedRowError,
    Row,
    get_address,
    get_arn_account,
    get_arn_resource,
    get_text,
    list_members,
    normalize_name,
)

IN_USE = "COMPLETE"  # an association of a rule or Profile that applies
ENDING = frozenset({"DELETING", "DELETED", "FAILED"})
STARTING = frozenset({"CREATING", "UPDATING"})
INBOUND = "INBOUND"
DEFAULT_PRIORITY = 100  # of a Profile's association that was created without one
# The kinds of a Profile's resources by the start of the last part of their ARN.
ZONE, RULE, ENDPOINT = "hostedzone/", "resolver-rule/", "vpc-endpoint/"


def parse_rule(row: Row) -> ResolverRule:
    """Parse a rule of ListResolverRules. A DELEGATE rule may have its name in DelegationRecord."""
    kind = get_text(row, "RuleType")
    targets = (_parse_address(each) for each in list_members(row, "TargetIps"))
    name = get_text(row, "DomainName", "") or get_text(row, "DelegationRecord", "")
    if not name:
        raise MalformedRowError("DomainName: expected a domain name, got none")
    return ResolverRule(
        id=get_text(row, "Id"),
        name=normalize_name(name),
        kind=RuleKind(kind) if kind in RuleKind.__members__ else RuleKind.UNKNOWN,
        targets=_sort(targets),
        owner=get_text(row, "OwnerId", ""),
    )


def parse_resolver(row: Row, account: str, addresses: Iterable[Address]) -> InboundResolver:
    """Parse an inbound endpoint of ListResolverEndpoints."""
    return InboundResolver(
        id=get_text(row, "Id"),
        account=account,
        vpc_id=get_text(row, "HostVPCId"),
        addresses=_sort(addresses),
        security_group_ids=tuple(sorted(map(str, list_members(row, "SecurityGroupIds")))),
    )


def parse_resolver_addresses(row: Row) -> tuple[Address, ...]:
    """Parse a row of ListResolverEndpointIpAddresses: an IPv4 address, an IPv6 address, or both."""
    found = (get_address(row, "Ip"), get_address(row, "Ipv6"))
    return tuple(each for each in found if each is not None)


def parse_profile(row: Row, resources: Iterable[Row] | None) -> Profile:
    """Parse a Profile of ListProfiles with its resources; None if they could not be listed.

    DNS Firewall rule groups and query log configurations lead to no endpoint and are left out.
    """
    by_kind: dict[str, set[str]] = {ZONE: set(), RULE: set(), ENDPOINT: set()}
    for each in resources or ():
        if get_text(each, "Status", IN_USE) not in ENDING | STARTING:
            arn = get_text(each, "ResourceArn")
            kind = next((kind for kind in by_kind if arn.split(":", 5)[-1].startswith(kind)), None)
            if kind:
                by_kind[kind].add(get_arn_resource(arn))
    return Profile(
        id=get_text(row, "Id"),
        owner=get_arn_account(get_text(row, "Arn")),
        zone_ids=tuple(sorted(by_kind[ZONE])),
        rule_ids=tuple(sorted(by_kind[RULE])),
        endpoint_ids=tuple(sorted(by_kind[ENDPOINT])),
        resources_read=resources is not None,
    )


def parse_profile_use(row: Row) -> tuple[str, ProfileUse]:
    """Parse an association of a Profile with a VPC, whose resource is its id or its ARN."""
    priority = row.get("Priority", DEFAULT_PRIORITY)
    if not isinstance(priority, int):
        raise MalformedRowError(f"Priority: expected a whole number, got {priority!r}")
    vpc_id = get_arn_resource(get_text(row, "ResourceId"))
    return vpc_id, ProfileUse(get_text(row, "ProfileId"), priority)


def _parse_address(row: Row) -> Address:
    address = get_address(row, "Ip") or get_address(row, "Ipv6")
    if address is None:
        raise MalformedRowError("TargetIps: expected an IP address, got none")
    return address


def _sort(addresses: Iterable[Address]) -> tuple[Address, ...]:
    return tuple(sorted(set(addresses), key=lambda each: (each.version, int(each))))
