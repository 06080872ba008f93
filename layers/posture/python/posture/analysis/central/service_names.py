"""Resolve all names of a service in a VPC, and join the answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from posture.analysis.central.answers import CentralStep, NameAnswer, NameOutcome, StepKind
from posture.analysis.central.answers import StepStatus as Status
from posture.analysis.central.known_endpoints import KnownEndpoint, find_endpoint
from posture.analysis.central.names import resolve_name
from posture.analysis.central.private_names import list_names, list_own_names, split_names
from posture.analysis.names import NameResolution, ResolvesTo, find_general_name
from posture.model.network import Endpoint, Service, Snapshot
from posture.model.service_names import short_name
from posture.model.shared_network import SharedNetwork

RESULTS = {
    NameOutcome.ENDPOINT: ResolvesTo.ENDPOINT,
    NameOutcome.PARTLY: ResolvesTo.PARTLY,
    NameOutcome.PUBLIC: ResolvesTo.PUBLIC,
    NameOutcome.OTHER: ResolvesTo.OTHER,
    NameOutcome.NOWHERE: ResolvesTo.NOWHERE,
    NameOutcome.UNKNOWN: ResolvesTo.UNKNOWN,
}


def resolve_service_names(
    snapshot: Snapshot, service: Service, shared: SharedNetwork, endpoints: Sequence[Endpoint]
) -> NameResolution | None:
    """Resolve all names of a service in a VPC, with the network that the VPCs share.

    The names that clients use by default decide. Those that clients opt for, and the name without a
    Region, are a caveat if they lead elsewhere.

    Args:
        snapshot: The snapshot of the VPC.
        service: The service.
        shared: The shared network.
        endpoints: The VPC's own interface endpoints for the service.

    Returns:
        The answer for the service; None if the service has no names that are known.
    """
    own = (name for each in endpoints if each.private_dns for name in list_own_names(each))
    names = list_names(snapshot, service) or tuple(dict.fromkeys(own))
    if not names:
        return None
    default, opted = split_names(service, names)
    answers = [_resolve(name, snapshot, service, shared) for name in default]
    others = [_resolve(name, snapshot, service, shared) for name in opted]
    known = _list_known(answers, snapshot, shared)
    result = _join(answers)
    general = find_general_name(snapshot, service)
    if general and result is ResolvesTo.ENDPOINT:
        others.append(_resolve(general, snapshot, service, shared))
    return NameResolution(
        result,
        _describe(answers),
        endpoints=tuple(each.endpoint for each in known if each.snapshot is snapshot),
        ip_versions=frozenset().union(*(each.versions for each in answers)),
        caveat=_describe_others(answers, others),
        names=(*answers, *others),
        central=tuple(each.endpoint for each in known if each.snapshot is not snapshot),
        optional=frozenset(each.name for each in others),
    )


def _resolve(name: str, snapshot: Snapshot, service: Service, shared: SharedNetwork) -> NameAnswer:
    """Resolve a name; an endpoint of another service does not answer for it."""
    answer = resolve_name(name, snapshot, shared)
    for endpoint_id in answer.endpoint_ids:
        known = find_endpoint(endpoint_id, snapshot, shared)
        if known and not _serves(known, service, name):
            text = (
                f"{endpoint_id} is an endpoint for {short_name(known.endpoint.service_name)}, not "
                f"for {short_name(service.name)}"
            )
            step = CentralStep(StepKind.ENDPOINT, Status.BROKEN, endpoint_id, text, known.account)
            steps = (*answer.steps, step)
            return replace(answer, outcome=NameOutcome.OTHER, why=text, steps=steps)
    return answer


def _serves(known: KnownEndpoint, service: Service, name: str) -> bool:
    if known.endpoint.service_name == service.name:
        return True
    listed = known.snapshot.services.get(known.endpoint.service_name)
    return listed is not None and name in list_names(known.snapshot, listed)


def _list_known(
    answers: Sequence[NameAnswer], snapshot: Snapshot, shared: SharedNetwork
) -> tuple[KnownEndpoint, ...]:
    ids = dict.fromkeys(
        endpoint_id
        for each in answers
        if each.outcome is not NameOutcome.OTHER
        for endpoint_id in each.endpoint_ids
    )
    found = (find_endpoint(each, snapshot, shared) for each in ids)
    return tuple(each for each in found if each)


def _join(answers: Sequence[NameAnswer]) -> ResolvesTo:
    """Join the answers of names: partly, if names that are known lead to different places."""
    outcomes = {each.outcome for each in answers}
    known = outcomes - {NameOutcome.UNKNOWN}
    if len(known) > 1:
        return ResolvesTo.PARTLY
    if NameOutcome.UNKNOWN in outcomes:
        return ResolvesTo.UNKNOWN
    return RESULTS[outcomes.pop()]


def _describe(answers: Sequence[NameAnswer]) -> str:
    """Describe why names lead where they do; names that lead elsewhere than others are named."""
    first = next((it for it in answers if it.outcome is NameOutcome.UNKNOWN), answers[0])
    if len({each.outcome for each in answers}) > 1:
        return "; ".join(_describe_each(answers))
    alike = len(answers) - 1
    also = f"; likewise for {alike} other name{'s'[: alike > 1]}" if alike else ""
    return f"{first.why}{also}"


def _describe_each(answers: Sequence[NameAnswer]) -> Iterator[str]:
    for outcome in NameOutcome:
        found = [each for each in answers if each.outcome is outcome]
        if found:
            names = ", ".join(each.name for each in found)
            yield f"{names}: {outcome.value} ({found[0].why})"


def _describe_others(answers: Sequence[NameAnswer], others: Sequence[NameAnswer]) -> str:
    outcomes = {each.outcome for each in answers}
    differing = [each for each in others if {each.outcome} != outcomes]
    return "; ".join(
        f"{each.name}, which some clients use instead, leads to: {each.outcome.value}"
        for each in differing
    )
