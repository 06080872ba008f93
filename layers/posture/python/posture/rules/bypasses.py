"""Traffic to gateway endpoint services that a subnet sends along another path."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import partial

from posture.analysis.names import NameResolution, ResolvesTo
from posture.analysis.path import DROPPED, UNKNOWN_ENDS, Path, PathKind
from posture.lean_dataclass import dataclass
from posture.model.network import Endpoint, Service, Subnet
from posture.model.service_names import short_name
from posture.model.verdict import Evidence
from posture.rules.contexts import VpcContext
from posture.rules.endpoint_lookups import (
    EndpointsByService,
    describe_bypassing_routes,
    describe_missing_route,
    has_route_to,
    list_associations,
)
from posture.rules.evidence import join_names, path_evidence

# Names that lead to an interface endpoint here or in another VPC, or to no public address at all.
NOT_PUBLIC = frozenset({ResolvesTo.ENDPOINT, ResolvesTo.OTHER, ResolvesTo.NOWHERE})


@dataclass(frozen=True, slots=True)
class Bypass:
    """Traffic to one service that bypasses gateway endpoints.

    Attributes:
        paths: The paths that bypass an endpoint.
        endpoints: The working gateway endpoints that the VPC has for the service.
        whole: Whether all traffic to the service takes these paths.
    """

    service: Service
    paths: tuple[Path, ...]
    endpoints: tuple[Endpoint, ...]
    whole: bool

    @property
    def uses_nat(self) -> bool:
        """Whether a path goes through a NAT gateway."""
        return any(hop.kind is PathKind.NAT_GATEWAY for path in self.paths for hop in path.hops)


@dataclass(frozen=True, slots=True)
class _Found:
    """The bypasses of subnets that are alike, and evidence of what is not known."""

    bypasses: tuple[Bypass, ...]
    unknown: tuple[Evidence, ...]
    why: str  # the first reason why something is not known


@dataclass(frozen=True, slots=True)
class SubnetBypasses:
    """A subnet's bypasses, evidence of what is not known, and the resources that decide both."""

    bypasses: tuple[Bypass, ...]
    unknown: tuple[Evidence, ...]
    concerns: frozenset[str]
    why: str = ""  # the first reason why something is not known


@dataclass(frozen=True, slots=True)
class _Sender:
    """What a subnet has in common with others whose traffic takes the same paths past the same ACL.

    Subnets with one route table share the paths themselves. `concerns` are the ids of the resources
    that decide the paths of this subnet.
    """

    key: tuple[Hashable, ...]
    concerns: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Sent:
    """Traffic to one service: all its paths, if known, and those that the ACL does not stop."""

    service: Service
    resolution: NameResolution
    every: tuple[Path, ...] | None
    paths: tuple[Path, ...]


def find_bypasses(
    vpc: VpcContext,
    subnet: Subnet,
    endpoints: EndpointsByService,
    is_bypass: Callable[[Path], bool],
) -> SubnetBypasses:
    """Find the traffic of a subnet to gateway endpoint services that takes other paths.

    Args:
        vpc: The VPC to evaluate.
        subnet: The subnet that sends the traffic.
        endpoints: The working gateway endpoints of the VPC.
        is_bypass: Decides which paths the traffic must not take; the same function each time.
    """
    sender = vpc.remember(("sender", subnet.id), partial(_find_sender, vpc, subnet))
    work = partial(_find_bypasses, vpc, subnet, sender.key, endpoints, is_bypass)
    found = vpc.remember(("bypasses", is_bypass, sender.key), work)
    concerns = sender.concerns.union(each.id for of_one in endpoints.values() for each in of_one)
    return SubnetBypasses(found.bypasses, found.unknown, concerns, found.why)


def _find_sender(vpc: VpcContext, subnet: Subnet) -> _Sender:
    acl = vpc.analysis.reachability.find_acl(subnet.id)
    paths = [vpc.paths[subnet.id, service.name] for service in vpc.gateway_services]
    gates = subnet.id if acl is None or None in paths else acl.id
    return _Sender((gates, *map(id, paths)), _find_concerns(vpc, subnet))


def _find_bypasses(
    vpc: VpcContext,
    subnet: Subnet,
    key: tuple[Hashable, ...],
    endpoints: EndpointsByService,
    is_bypass: Callable[[Path], bool],
) -> _Found:
    bypasses: list[Bypass] = []
    unknown: list[Evidence] = []
    reasons: list[str] = []
    for sent in vpc.remember(("sent", key), partial(_list_sent, vpc, subnet)):
        service, resolution = sent.service, sent.resolution
        if sent.every is None:
            text = f"The addresses of {service.name} or the route table of {subnet.id} are unknown."
            unknown.append(Evidence(text, {"service": service.name, "subnet": subnet.id}))
            reasons.append(f"{text[0].lower()}{text[1:-1]}")
            continue
        found = tuple(path for path in sent.paths if is_bypass(path))
        if found and resolution.resolves_to is ResolvesTo.UNKNOWN:
            unknown.append(Evidence(f"{service.name}: {resolution.why}.", {"names": "unknown"}))
            reasons.append(resolution.why)
        elif found:
            whole = all(path in found for path in sent.every)
            bypasses.append(Bypass(service, found, endpoints.get(service.name, ()), whole))
        hidden = [path for path in sent.paths if path.is_unknown]
        unknown += [path_evidence(service, path) for path in hidden]
        reasons += [end.why for path in hidden for end in path.ends if end.kind in UNKNOWN_ENDS]
    return _Found(tuple(bypasses), tuple(unknown), next(iter(reasons), ""))


def _list_sent(vpc: VpcContext, subnet: Subnet) -> tuple[_Sent, ...]:
    """List the traffic of a subnet to each service whose names lead to public addresses."""
    return tuple(
        _Sent(
            service,
            resolution,
            every := vpc.paths[subnet.id, service.name],
            tuple(each for each in every or () if not _is_stopped(vpc, subnet, each)),
        )
        for service in vpc.gateway_services
        if (resolution := vpc.analysis.resolve_names(service)).resolves_to not in NOT_PUBLIC
    )


def _is_stopped(vpc: VpcContext, subnet: Subnet, path: Path) -> bool:
    """Return whether the subnet's network ACL stops all traffic of a path."""
    if path.kind in {PathKind.GATEWAY_ENDPOINT, *DROPPED}:
        return False
    return vpc.analysis.reachability.find_stopped(subnet, path.addresses) >= path.addresses


def _find_concerns(vpc: VpcContext, subnet: Subnet) -> frozenset[str]:
    """Return the ids of the resources that decide the paths of a subnet's traffic."""
    table = vpc.tables[subnet.id]
    concerns = {subnet.id}
    if table is None:
        return frozenset(concerns)
    concerns |= {table.id, *list_associations(vpc, table, subnet.id)}
    if acl := vpc.analysis.reachability.find_acl(subnet.id):
        concerns |= {acl.id, *list_associations(vpc, acl, subnet.id)}
    for service in vpc.gateway_services:
        for path in vpc.paths[subnet.id, service.name] or ():
            concerns |= {each for hop in path.hops for each in (hop.target, hop.table_id)}
    return frozenset(concerns - {"local", ""})


def describe_shares(bypasses: Sequence[Bypass]) -> str:
    """Describe how much of which services' traffic bypasses, as in `all s3 traffic`."""
    return join_names(
        f"{'all' if each.whole else 'some'} {short_name(each.service.name)} traffic"
        for each in bypasses
    )


def describe_root(vpc: VpcContext, subnet: Subnet, bypasses: Sequence[Bypass]) -> str:
    """Name the root cause in the subnet's route table, in words that its other subnets share."""
    table = vpc.tables[subnet.id]
    if table is None:
        return ""
    missing = [each for each in bypasses if not has_route_to(table, each.endpoints)]
    unused = [each.service.name for each in missing if each.endpoints]
    if unused:
        return describe_missing_route(table, unused)
    if missing:
        names = join_names(short_name(name) for name in sorted(it.service.name for it in missing))
        return f"{vpc.snapshot.vpc.id} has no gateway endpoint for {names}"
    return describe_bypassing_routes(table, (path.route for it in bypasses for path in it.paths))


def join_endpoint_ids(bypasses: Sequence[Bypass]) -> str:
    """Join the ids of the gateway endpoints that the traffic bypasses."""
    return join_names(sorted({each.id for bypass in bypasses for each in bypass.endpoints}))
