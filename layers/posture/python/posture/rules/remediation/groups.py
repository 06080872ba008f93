"""Edits of the security groups of endpoints.

https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice

from posture.analysis.addresses import AddressSet
from posture.analysis.open_access import find_open_access
from posture.analysis.security_groups import find_allowed_peers
from posture.analysis.services import list_endpoint_ports
from posture.edits.edit import Edit
from posture.edits.operations.security_groups import (
    AuthorizeSecurityGroupIngress,
    CreateSecurityGroup,
    RevokeSecurityGroupIngress,
)
from posture.model.network import (
    Endpoint,
    EndpointType,
    Network,
    SecurityGroup,
    SecurityGroupRule,
)
from posture.rules.contexts import VpcContext
from posture.rules.endpoint_lookups import GROUPED

DEFAULT = "default"
NEW_GROUP = "sg-new-1"
MOST_GROUPS = 2  # groups that exist already and are tried
ANY_TCP = ((0, 65535),)
Ports = Sequence[tuple[int, int]]


def list_ports(endpoints: Iterable[Endpoint]) -> Ports:
    """Return the ranges of TCP ports that endpoints need; all of them if one is not known."""
    found: set[int] = set()
    for each in endpoints:
        ports = list_endpoint_ports(each)
        if not ports:
            return ANY_TCP
        found |= {*ports}
    return tuple((port, port) for port in sorted(found))


def list_networks(vpc: VpcContext, *address_types: str | None) -> tuple[Network, ...]:
    """Return the CIDR blocks of the VPC of the IP versions that endpoints have."""
    network = vpc.snapshot.vpc
    v6 = any(each in {"ipv6", "dualstack"} for each in address_types)
    v4 = not address_types or any(each != "ipv6" for each in address_types)
    return (*(network.cidrs if v4 else ()), *(network.ipv6_cidrs if v6 else ()))


def allow_networks(
    group: SecurityGroup, networks: Iterable[Network], ports: Ports, protocol: str = "tcp"
) -> list[Edit]:
    """Return the authorization of networks on ports that a group does not have yet."""
    present = {(each.protocol, each.from_port, each.to_port, each.cidr) for each in group.ingress}
    rules = tuple(
        SecurityGroupRule(protocol, *_bound(protocol, each), cidr=network)
        for each in ports
        for network in networks
        if (protocol, *_bound(protocol, each), network) not in present
    )
    return [AuthorizeSecurityGroupIngress(group_id=group.id, ip_permissions=rules)] if rules else []


def _bound(protocol: str, ports: tuple[int, int]) -> tuple[int | None, int | None]:
    return (None, None) if protocol == "-1" else ports


def revoke_rules(group_id: str, rules: Iterable[SecurityGroupRule]) -> Edit:
    """Return the revocation of inbound rules."""
    return RevokeSecurityGroupIngress(group_id=group_id, ip_permissions=tuple(rules))


def create_group(
    vpc: VpcContext, name: str, networks: Iterable[Network], ports: Ports
) -> list[Edit]:
    """Return the creation of a group that allows networks on ports, named so that it is unique."""
    unique = vpc.remember(("group name", name), partial(_find_unique_name, vpc, name))
    vpc_id = vpc.snapshot.vpc.id
    group = SecurityGroup(NEW_GROUP, unique, vpc_id, (), ())
    return [
        CreateSecurityGroup(
            group_name=group.name,
            description=f"Inbound traffic from {vpc_id} to its endpoints",
            vpc_id=vpc_id,
        ),
        *allow_networks(group, networks, ports),
    ]


def _find_unique_name(vpc: VpcContext, name: str) -> str:
    taken = {each.name for each in vpc.snapshot.security_groups.values()}
    return next(each for at in range(1, len(taken) + 2) if (each := _name(name, at)) not in taken)


def _name(name: str, number: int) -> str:
    return name if number == 1 else f"{name}-{number}"


def list_fitting_groups(
    vpc: VpcContext, ports: Ports, networks: Sequence[Network]
) -> tuple[SecurityGroup, ...]:
    """List the first groups that allow every subnet on ports, those of other endpoints first.

    Default groups and groups that allow every address are left out.
    """
    key = "fitting groups", tuple(ports), tuple(networks)
    return vpc.remember(
        key, lambda: tuple(islice(_find_fitting_groups(vpc, ports, networks), MOST_GROUPS))
    )


def _find_fitting_groups(
    vpc: VpcContext, ports: Ports, networks: Sequence[Network]
) -> Iterator[SecurityGroup]:
    versions = {each.version for each in networks}
    blocks = [block for each in vpc.subnets for block in each.blocks if block.version in versions]
    wanted = AddressSet.of(blocks)
    used = {each for it in vpc.endpoints_of(*GROUPED) for each in it.security_group_ids}
    lists = vpc.snapshot.prefix_lists
    for group in sorted(
        vpc.snapshot.security_groups.values(), key=lambda each: (each.id not in used, each.id)
    ):
        if group.vpc_id != vpc.snapshot.vpc.id or group.name == DEFAULT or not ports:
            continue
        allowed = (find_allowed_peers([group], lists, port=first) for first, _ in ports)
        is_open = bool(find_open_access([group], lists).open_to)
        if ports != ANY_TCP and not is_open and all(it.addresses >= wanted for it in allowed):
            yield group


def list_grouped_endpoints(vpc: VpcContext, group_id: str) -> Sequence[Endpoint]:
    """Return the endpoints that use a security group."""
    return vpc.remember(("users of groups",), partial(_list_users_of_groups, vpc)).get(group_id, ())


def _list_users_of_groups(vpc: VpcContext) -> Mapping[str, Sequence[Endpoint]]:
    found: dict[str, list[Endpoint]] = {}
    for endpoint in vpc.endpoints_of(*GROUPED, EndpointType.UNKNOWN):
        for group_id in dict.fromkeys(endpoint.security_group_ids):
            found.setdefault(group_id, []).append(endpoint)
    return found
