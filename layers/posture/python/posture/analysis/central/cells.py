"""Evaluate a cell of the coverage matrix whose names lead to endpoints in other VPCs, or nowhere.

It is an endpoint only if every name that clients use by default leads to one, and every step to
each of its interfaces holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from posture.analysis.central.answers import (
    CentralPath,
    CentralStep,
    NameAnswer,
    NameOutcome,
    StepKind,
    StepStatus,
    find_deciding_step,
)
from posture.analysis.central.paths import BOTH, CentralTracer
from posture.analysis.coverage import Analysis, Cell
from posture.analysis.descriptions import describe_paths, describe_reaches
from posture.analysis.names import NameResolution, ResolvesTo
from posture.analysis.path_outcome import REACHED, PathOutcome, summarize_by_ports, summarize_paths
from posture.analysis.port_ranges import list_port_ranges
from posture.model.network import Address, Endpoint, EndpointType, Service, Subnet

LEADING = frozenset({NameOutcome.ENDPOINT, NameOutcome.PARTLY})
OUTCOMES = {
    StepStatus.HOLDS: PathOutcome.PRIVATE,
    StepStatus.BROKEN: PathOutcome.BLOCKED,
    StepStatus.PARTLY: PathOutcome.PARTLY,
    StepStatus.UNKNOWN: PathOutcome.UNKNOWN,
}


def evaluate_central_cell(
    analysis: Analysis,
    tracer: CentralTracer,
    subnet: Subnet,
    service: Service,
    groups: frozenset[str],
) -> Cell:
    """Evaluate how a subnet's traffic reaches a service by central endpoints.

    Args:
        analysis: The analysis of the subnet's VPC.
        tracer: What traces paths out of that VPC.
        subnet: The subnet.
        service: The service.
        groups: The ids of the workload's security groups, if known.
    """
    resolution = analysis.resolve_names(service)
    answers = resolution.deciding_names
    leading = [each for each in answers if each.outcome in LEADING]
    past = [each for each in answers if each.outcome is not NameOutcome.ENDPOINT]
    certain = [each for each in past if each.outcome is not NameOutcome.UNKNOWN]
    central = tuple(
        path
        for endpoint in resolution.central
        for path in _trace(analysis, tracer, subnet, endpoint, (leading, groups))
    )
    reaches = [
        reach
        for endpoint in resolution.endpoints
        for reach in analysis.evaluate_reaches(subnet, endpoint, groups)
    ]
    missing = [
        each
        for endpoint in resolution.endpoints
        for each in analysis.resolve_interfaces(endpoint)[1]
    ]
    deciding = _find_name_step(analysis, certain or past)
    paths = None
    if leading:
        outcomes = {_get_outcome(each) for each in central}
        if resolution.endpoints:
            outcomes |= set(summarize_by_ports(reaches).values())
            outcomes |= {PathOutcome.UNKNOWN} if missing or not reaches else set()
        outcome = _join(outcomes)
        if past:
            outcome = _join_with_names(outcome, bool(certain))
        if not deciding and outcome is not PathOutcome.PRIVATE:
            deciding = find_deciding_step(step for each in central for step in each.steps)
        detail = describe_reaches(reaches, missing) if resolution.endpoints else ""
        detail = f", but {deciding.text}" if deciding else detail
        summary = f"resolves to {_describe_endpoints(resolution, central)}{detail}"
    else:
        outcome, summary = _describe_elsewhere(answers, resolution)
        if any(each.outcome is NameOutcome.PUBLIC for each in certain):
            paths = analysis.paths.find_paths(subnet, service)
            exact = EndpointType.GATEWAY in service.types
            outcome = summarize_paths(paths) if paths else PathOutcome.UNKNOWN
            summary += f"; {describe_paths(paths, exact=exact)}" if paths else ""
    return Cell(
        outcome=outcome,
        summary=summary,
        resolution=resolution,
        paths=paths,
        reaches=tuple(reaches),
        missing=tuple(missing),
        central=central,
        deciding=deciding,
    )


def _trace(
    analysis: Analysis,
    tracer: CentralTracer,
    subnet: Subnet,
    endpoint: Endpoint,
    asked: tuple[Sequence[NameAnswer], frozenset[str]],
) -> Iterator[CentralPath]:
    """Trace the paths to the interfaces of an endpoint that names lead to."""
    answers, groups = asked
    found = tracer.find_endpoint(endpoint.id)
    if found is None:
        return
    there, _ = found
    leading = [each for each in answers if endpoint.id in each.endpoint_ids]
    versions = frozenset(version for each in leading for version in each.versions) or BOTH
    chosen = _list_chosen(leading)
    ports = list_port_ranges(endpoint, analysis.snapshot, there.snapshot, groups)
    for path in tracer.trace(subnet, endpoint.id, ports, versions=versions, groups=groups):
        addresses = path.interface.addresses
        if chosen is None or not addresses or not chosen.isdisjoint(addresses):
            yield path


def _list_chosen(answers: Iterable[NameAnswer]) -> frozenset[Address] | None:
    """List the addresses that records or zonal names choose of an endpoint; None for all."""
    listed = [each.addresses for each in answers]
    if not all(listed):
        return None
    return frozenset(address for each in listed for address in each)


def _get_outcome(path: CentralPath) -> PathOutcome:
    """Return the outcome of one path; security groups may admit some workloads only."""
    status = path.status
    if status is StepStatus.PARTLY and path.groups:
        partial = {each.kind for each in path.steps if each.status is status}
        if partial == {StepKind.SECURITY_GROUP}:
            return PathOutcome.BY_SECURITY_GROUP
    return OUTCOMES[status]


def _join(outcomes: set[PathOutcome]) -> PathOutcome:
    """Join the outcomes of all interfaces, any of which DNS may return to a client."""
    if not outcomes or PathOutcome.UNKNOWN in outcomes:
        return PathOutcome.UNKNOWN
    if len(outcomes) == 1:
        return next(iter(outcomes))
    return PathOutcome.BY_SECURITY_GROUP if outcomes <= REACHED else PathOutcome.PARTLY


def _join_with_names(outcome: PathOutcome, certain: bool) -> PathOutcome:
    """Join the outcome of the names that lead to endpoints with names that do not."""
    if outcome in {PathOutcome.BLOCKED, PathOutcome.UNKNOWN}:
        return outcome
    return PathOutcome.PARTLY if certain else PathOutcome.UNKNOWN


def _find_name_step(analysis: Analysis, answers: Sequence[NameAnswer]) -> CentralStep | None:
    """Find the step that leads names past endpoints; one of the VPC if public DNS answers them."""
    if not answers:
        return None
    first = answers[0]
    if found := find_deciding_step(first.steps):
        return found
    unknown = first.outcome is NameOutcome.UNKNOWN
    status = StepStatus.UNKNOWN if unknown else StepStatus.BROKEN
    scope = analysis.snapshot.scope
    text = f"{first.name} leads to {first.outcome.value}: {first.why}"
    return CentralStep(StepKind.NAME, status, analysis.snapshot.vpc.id, text, scope.account)


def _describe_endpoints(resolution: NameResolution, central: Sequence[CentralPath]) -> str:
    places = {each.endpoint.id: each.vpc_id for each in central}
    local = (each.id for each in resolution.endpoints)
    far = (f"{each.id} in {places.get(each.id, each.vpc_id)}" for each in resolution.central)
    return " and ".join((*local, *far)) or "endpoints that could not be read"


def _describe_elsewhere(
    answers: Sequence[NameAnswer], resolution: NameResolution
) -> tuple[PathOutcome, str]:
    """Describe names that lead to no endpoint, and what comes of the traffic."""
    outcomes = {each.outcome for each in answers}
    outcome = PathOutcome.BLOCKED
    if NameOutcome.OTHER in outcomes:
        outcome = PathOutcome.OTHER_NETWORK
    if NameOutcome.UNKNOWN in outcomes:
        outcome = PathOutcome.UNKNOWN
    where = resolution.resolves_to
    leads = "does not resolve" if where is ResolvesTo.NOWHERE else f"resolves to {where.value}"
    return outcome, f"{leads}: {resolution.why}"
