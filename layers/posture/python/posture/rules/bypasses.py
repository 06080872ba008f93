"""What of a subnet's traffic to gateway services takes a way that it should not take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from posture.analysis.names import ResolvesTo
from posture.analysis.path import Path, PathKind
from posture.model.network import Endpoint, Service, Subnet
from posture.model.service_names import short_name
from posture.model.verdict import Evidence
from posture.rules.evidence import join_names, path_evidence
from posture.rules.remediation_commands import (
    EndpointsByService,
    describe_bypassing_routes,
    describe_missing_route,
    has_route_to,
)
from posture.rules.rule import VpcContext


@dataclass(frozen=True, slots=True)
class Bypass:
    """What of one service takes a way that it should not take out of a subnet."""

    service: Service
    paths: tuple[Path, ...]
    endpoints: tuple[Endpoint, ...]
    whole: bool

    @property
    def short(self) -> str:
        """The service's short name."""
        return short_name(self.service.name)

    @property
    def by_nat(self) -> bool:
        """Whether some of it passes a NAT gateway."""
        return any(path.kind is PathKind.NAT_GATEWAY for path in self.paths)


@dataclass(frozen=True, slots=True)
class SubnetBypasses:
    """A subnet's ways to the gateway services: the leaks, and what is not known."""

    leaks: tuple[Bypass, ...]
    unknown: tuple[Evidence, ...]
    concerns: frozenset[str]


def find_bypasses(
    vpc: VpcContext, subnet: Subnet, endpoints: EndpointsByService, leaves: Callable[[Path], bool]
) -> SubnetBypasses:
    """Give a subnet's ways to the gateway services.

    Args:
        case: The VPC.
        subnet: Where the traffic starts.
        endpoints: The working gateway endpoints.
        leaves: Which paths are none that its traffic should take.
    """
    leaks: list[Bypass] = []
    unknown: list[Evidence] = []
    for service in vpc.gateway_services:
        resolution = vpc.analysis.resolve_names(service)
        if resolution.resolves_to is ResolvesTo.ENDPOINT:
            continue  # its names lead to an interface endpoint, whatever routes there are
        paths = vpc.paths[subnet.id, service.name]
        if paths is None:
            unknown.append(_no_answer(subnet, service))
            continue
        out = tuple(path for path in paths if leaves(path))
        if out and resolution.resolves_to is ResolvesTo.UNKNOWN:
            unknown.append(Evidence(f"{service.name}: {resolution.why}.", {"names": "unknown"}))
        elif out:
            whole = all(path in out for path in paths)
            leaks.append(Bypass(service, out, endpoints.get(service.name, ()), whole))
        unknown += [
            path_evidence(service, path)
            for path in paths
            if any(way.kind is PathKind.UNKNOWN for way in (path, *path.onward))
        ]
    concerns = _path_concerns(vpc, subnet, endpoints)
    return SubnetBypasses(tuple(leaks), tuple(unknown), concerns)


def _no_answer(subnet: Subnet, service: Service) -> Evidence:
    return Evidence(
        f"The addresses of {service.name} or the route table of {subnet.id} could not be read.",
        {"service": service.name, "subnet": subnet.id},
    )


def _path_concerns(
    vpc: VpcContext, subnet: Subnet, endpoints: EndpointsByService
) -> frozenset[str]:
    """Give what the way of a subnet's traffic hangs on."""
    table = vpc.tables[subnet.id]
    concerns = {subnet.id, *(each.id for of_one in endpoints.values() for each in of_one)}
    if table is None:
        return frozenset(concerns)
    concerns |= {table.id, *table.association_ids}
    for service in vpc.gateway_services:
        for path in vpc.paths[subnet.id, service.name] or ():
            concerns |= {each.target for each in (path, *path.onward) if each.target}
    return frozenset(concerns - {"local"})


def describe_shares(leaks: Sequence[Bypass]) -> str:
    """Say of which services all or a part leaks."""
    return join_names(f"{'all' if leak.whole else 'part'} of {leak.short}" for leak in leaks)


def describe_root(vpc: VpcContext, subnet: Subnet, leaks: Sequence[Bypass]) -> str:
    """Say what is wrong with the subnet's route table, in words that its other subnets share."""
    table = vpc.tables[subnet.id]
    if table is None:
        return ""
    lacking = [it.service.name for it in leaks if not has_route_to(table, it.endpoints)]
    unused = [it.service.name for it in leaks if it.endpoints and it.service.name in lacking]
    if unused:
        return describe_missing_route(table, unused)
    if lacking:
        names = join_names(map(short_name, sorted(lacking)))
        return f"{vpc.snapshot.vpc.id} has no gateway endpoint of {names}"
    return describe_bypassing_routes(table, (path.route for it in leaks for path in it.paths))


def list_endpoint_ids(leaks: Sequence[Bypass]) -> str:
    """Name the gateway endpoints that leaks go past."""
    return join_names(sorted({each.id for leak in leaks for each in leak.endpoints}))
