"""Resolve all names of a service in a VPC, and join the answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from posture.analysis.central.answers import (
    CentralStep,
    NameAnswer,
    NameOutcome,
    StepKind,
    StepStatus,
    list_missing,
)
from posture.analysis.central.known_endpoints import KnownEndpoint, find_endpoint
from posture.analysis.central.names import resolve_name
from posture.analysis.central.private_names import list_names, list_own_names, split_names
from posture.analysis.central.unread import list_unread
from posture.analysis.endpoint_dns import WORKING
from posture.analysis.names import (
    NameResolution,
    ResolvesTo,
    find_general_name,
    find_other_network,
)
from posture.model.network import Endpoint, Service, Snapshot
from posture.model.service_names import short_name
from posture.model.shared_network import SharedFacet, SharedNetwork

RESULTS = {
    NameOutcome.ENDPOINT: ResolvesTo.ENDPOINT,
    NameOutcome.PARTLY: ResolvesTo.PARTLY,
    NameOutcome.PUBLIC: ResolvesTo.PUBLIC,
    NameOutcome.OTHER: ResolvesTo.OTHER,
    NameOutcome.NOWHERE: ResolvesTo.NOWHERE,
    NameOutcome.UNKNOWN: ResolvesTo.UNKNOWN,
}
ASSOCIATIONS = (
    SharedFacet.ZONES_OF_VPC,
    SharedFacet.RULE_ASSOCIATIONS,
    SharedFacet.PROFILE_ASSOCIATIONS,
)


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
        The answer for the service. None if the service has no names that are known, or if what the
        VPC is associated with could not be read and the VPC reaches no other network: then its own
        endpoints decide, as they do without the shared network.
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
    if result is ResolvesTo.UNKNOWN and _is_unread(snapshot, shared):
        return None
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
    """Resolve a name; neither an endpoint of another service nor one that failed answers for it."""
    answer = resolve_name(name, snapshot, shared)
    for endpoint_id in answer.endpoint_ids:
        known = find_endpoint(endpoint_id, snapshot, shared)
        text = _find_fault(known, snapshot, service, name) if known else ""
        if known and text:
            step = CentralStep(
                StepKind.ENDPOINT, StepStatus.BROKEN, endpoint_id, text, known.account
            )
            steps = (*answer.steps, step)
            return replace(answer, outcome=NameOutcome.OTHER, why=text, steps=steps)
    return answer


def _is_unread(snapshot: Snapshot, shared: SharedNetwork) -> bool:
    if find_other_network(snapshot):
        return False
    vpc = shared.vpcs.get(snapshot.vpc.id)
    return vpc is None or any(list_unread(shared, ASSOCIATIONS, (vpc.account,), vpc.id))


def _find_fault(known: KnownEndpoint, snapshot: Snapshot, service: Service, name: str) -> str:
    """Find why an endpoint does not answer for a name; "" if it does.

    The state of an endpoint in another VPC is a step of the path to it.
    """
    endpoint = known.endpoint
    if known.snapshot is snapshot and endpoint.state not in WORKING:
        return f"the state of {endpoint.id} is {endpoint.state}"
    listed = known.snapshot.services.get(endpoint.service_name)
    if endpoint.service_name == service.name or (
        listed is not None and name in list_names(known.snapshot, listed)
    ):
        return ""
    other = short_name(endpoint.service_name)
    return f"{endpoint.id} is an endpoint for {other}, not for {short_name(service.name)}"


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
    missing = next(list_missing(first.steps), "")
    lacking = f"; missing: {missing}" if first.outcome is NameOutcome.UNKNOWN and missing else ""
    return f"{first.why}{lacking}{also}"


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
