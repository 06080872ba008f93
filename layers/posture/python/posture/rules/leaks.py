"""What of a subnet's traffic to gateway services takes a way that it should not take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from posture.analysis.names import LeadsTo
from posture.analysis.path import Path, PathKind
from posture.model.network import Endpoint, Service, Subnet
from posture.model.service_names import short_name
from posture.model.verdict import Evidence
from posture.rules.facts import listed, path_fact
from posture.rules.repairs import Serving, has_route, no_route, past_the_endpoint
from posture.rules.rule import VpcCase


@dataclass(frozen=True, slots=True)
class Leak:
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
class Ways:
    """A subnet's ways to the gateway services: the leaks, and what is not known."""

    leaks: tuple[Leak, ...]
    unknown: tuple[Evidence, ...]
    concerns: frozenset[str]


def ways_of(
    case: VpcCase, subnet: Subnet, endpoints: Serving, leaves: Callable[[Path], bool]
) -> Ways:
    """Give a subnet's ways to the gateway services.

    Args:
        case: The VPC.
        subnet: Where the traffic starts.
        endpoints: The working gateway endpoints.
        leaves: Which paths are none that its traffic should take.
    """
    leaks: list[Leak] = []
    unknown: list[Evidence] = []
    for service in case.gateway_services:
        resolution = case.analysis.resolution(service)
        if resolution.leads_to is LeadsTo.ENDPOINT:
            continue  # its names lead to an interface endpoint, whatever routes there are
        paths = case.paths[subnet.id, service.name]
        if paths is None:
            unknown.append(_no_answer(subnet, service))
            continue
        out = tuple(path for path in paths if leaves(path))
        if out and resolution.leads_to is LeadsTo.UNKNOWN:
            unknown.append(Evidence(f"{service.name}: {resolution.why}.", {"names": "unknown"}))
        elif out:
            whole = all(path in out for path in paths)
            leaks.append(Leak(service, out, endpoints.get(service.name, ()), whole))
        unknown += [
            path_fact(service, path)
            for path in paths
            if any(way.kind is PathKind.UNKNOWN for way in (path, *path.onward))
        ]
    concerns = _path_concerns(case, subnet, endpoints)
    return Ways(tuple(leaks), tuple(unknown), concerns)


def _no_answer(subnet: Subnet, service: Service) -> Evidence:
    return Evidence(
        f"The addresses of {service.name} or the route table of {subnet.id} could not be read.",
        {"service": service.name, "subnet": subnet.id},
    )


def _path_concerns(case: VpcCase, subnet: Subnet, endpoints: Serving) -> frozenset[str]:
    """Give what the way of a subnet's traffic hangs on."""
    table = case.tables[subnet.id]
    concerns = {subnet.id, *(each.id for of_one in endpoints.values() for each in of_one)}
    if table is None:
        return frozenset(concerns)
    concerns |= {table.id, *table.association_ids}
    for service in case.gateway_services:
        for path in case.paths[subnet.id, service.name] or ():
            concerns |= {each.target for each in (path, *path.onward) if each.target}
    return frozenset(concerns - {"local"})


def parts(leaks: Sequence[Leak]) -> str:
    """Say of which services all or a part leaks."""
    return listed(f"{'all' if leak.whole else 'part'} of {leak.short}" for leak in leaks)


def root_of(case: VpcCase, subnet: Subnet, leaks: Sequence[Leak]) -> str:
    """Say what is wrong with the subnet's route table, in words that its other subnets share."""
    table = case.tables[subnet.id]
    if table is None:
        return ""
    lacking = [it.service.name for it in leaks if not has_route(table, it.endpoints)]
    unused = [it.service.name for it in leaks if it.endpoints and it.service.name in lacking]
    if unused:
        return no_route(table, unused)
    if lacking:
        names = listed(map(short_name, sorted(lacking)))
        return f"{case.snapshot.vpc.id} has no gateway endpoint of {names}"
    return past_the_endpoint(table, (path.route for it in leaks for path in it.paths))


def ids_of(leaks: Sequence[Leak]) -> str:
    """Name the gateway endpoints that leaks go past."""
    return listed(sorted({each.id for leak in leaks for each in leak.endpoints}))
