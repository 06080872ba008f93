"""The central endpoints that the baseline (`central_endpoints`) wants a VPC to use."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from posture.analysis.central.answers import NameAnswer, NameOutcome
from posture.analysis.services import list_service_forms
from posture.lean_dataclass import dataclass
from posture.model.baseline import CentralEndpoints
from posture.model.network import EndpointType, Service
from posture.model.service_names import short_name
from posture.model.shared_network import SharedFacet
from posture.model.verdict import Evidence, Remediation
from posture.rules.central.offers import list_own_entries
from posture.rules.central.steps import build_failure
from posture.rules.central.use import Break, CentralUse
from posture.rules.contexts import VpcContext
from posture.rules.evidence import join_names
from posture.rules.result import RuleResult, failed, undecided

STATE_PATH = Remediation(
    "State the path of the account (organization) in an override of the baseline."
)


@dataclass(frozen=True, slots=True)
class Demand:
    """The hubs whose endpoint for a service a VPC must use.

    It is `certain` unless the baseline does not say in which organizational unit the VPC is.
    """

    hubs: frozenset[str]
    certain: bool


def list_demanded(vpc: VpcContext) -> dict[str, Demand]:
    """List the services that a VPC must reach by hubs, by name."""
    found: dict[str, Demand] = {}
    for entry, certain in _list_entries(vpc):
        hubs = _list_hubs(vpc, entry)
        for service in _list_services(vpc, entry, hubs):
            known = found.get(service.name, Demand(frozenset(), certain=False))
            found[service.name] = Demand(known.hubs | hubs, known.certain or certain)
    return found


def evaluate_demand(vpc: VpcContext, use: CentralUse, demand: Demand | None) -> RuleResult | None:
    """Decide whether the names of a service lead to a hub that a VPC must use.

    Returns:
        None where they do, or where another rule reports why they do not.
    """
    if demand is None or use.broken not in {None, Break.NAMES}:
        return None
    elsewhere = [each for each in use.names if _leads_elsewhere(vpc, use, each, demand)]
    if not elsewhere:
        return None
    vpc_id, short = vpc.snapshot.vpc.id, short_name(use.service.name)
    where = f"in {join_names(sorted(demand.hubs))}" if demand.hubs else "in a hub"
    if not demand.certain:
        summary = (
            f"whether {vpc_id} must use the endpoint for {short} {where} is not known: the "
            "baseline does not say in which organizational unit its account is"
        )
        concerns = use.concerns | {vpc_id}
        return undecided(use.service.name, summary, remediation=STATE_PATH, concerns=concerns)
    first = elsewhere[0]
    to = join_names(first.endpoint_ids) if first.endpoint_ids else first.outcome.value
    summary = (
        f"{vpc_id} must use the endpoint for {short} {where} (central_endpoints in the baseline), "
        f"but {first.name} leads to {to}"
    )
    facts = tuple(
        Evidence(f"{each.name}: {each.why}.", {"name": each.name, "leads_to": each.outcome.value})
        for each in elsewhere
    )
    found = build_failure(vpc, use, use.service.name, summary)
    return replace(found, evidence=(*found.evidence, *facts))


def _leads_elsewhere(vpc: VpcContext, use: CentralUse, answer: NameAnswer, demand: Demand) -> bool:
    """Return whether a name certainly leads past the hubs; names that clients opt for may."""
    if answer in use.optional or answer.outcome is NameOutcome.UNKNOWN:
        return False
    own = vpc.snapshot.vpc.id
    to = {use.endpoints.get(each, own) for each in answer.endpoint_ids}
    return not to or not to <= demand.hubs


def evaluate_unmatched(vpc: VpcContext) -> Iterator[RuleResult]:
    """Evaluate the hubs that a VPC must use and that nothing leads to, whatever their services."""
    vpc_id, shared = vpc.snapshot.vpc.id, vpc.shared
    for entry, certain in _list_entries(vpc):
        if shared is None or not certain or entry.services or _list_hubs(vpc, entry):
            continue
        unread = [each for each in shared.unread if each.facet is SharedFacet.CENTRAL_VPC]
        what = f"{vpc_id} must use the endpoints of a hub (central_endpoints in the baseline)"
        if unread:
            why = f"{unread[0].subject or unread[0].account} was not evaluated: {unread[0].why}"
            summary = f"whether {what.replace(' must use', ' uses', 1)} is not known: {why}"
            yield undecided(vpc_id, summary)
            continue
        yield failed(
            resource=vpc_id,
            summary=f"{what}, but no name and no route leads to one",
            evidence=(
                Evidence(
                    f"Of {len(shared.central_vpcs)} central VPCs that names or routes of {vpc_id} "
                    "lead to, none is a hub by the baseline.",
                    {"vpc": vpc_id, "central_vpcs": ", ".join(sorted(shared.central_vpcs))},
                ),
            ),
        )
        return


def _list_entries(vpc: VpcContext) -> Iterator[tuple[CentralEndpoints, bool]]:
    """List what a VPC must use, and whether that is certain; a hub must use nothing."""
    if any(True for _ in list_own_entries(vpc)):
        return
    network, account = vpc.snapshot.vpc, vpc.snapshot.scope.account
    path = vpc.baseline.organization
    for each in vpc.baseline.central_endpoints:
        selected = each.spokes.selects(network.id, account, network.tags, path)
        if selected is not False:
            yield each, bool(selected)


def _list_hubs(vpc: VpcContext, entry: CentralEndpoints) -> frozenset[str]:
    """Return the ids of the central VPCs that an entry of the baseline names."""
    central = vpc.shared.central_vpcs if vpc.shared else {}
    return frozenset(
        vpc_id
        for vpc_id, each in central.items()
        if entry.hubs.selects(vpc_id, each.scope.account, each.vpc.tags, "")
    )


def _list_services(
    vpc: VpcContext, entry: CentralEndpoints, hubs: frozenset[str]
) -> Iterator[Service]:
    """List the services that an entry names, or all that a hub has an interface endpoint for."""
    central = vpc.shared.central_vpcs if vpc.shared else {}
    offered = {
        endpoint.service_name
        for vpc_id in hubs
        for endpoint in central[vpc_id].endpoints.values()
        if endpoint.type is EndpointType.INTERFACE and not endpoint.deleted
    }
    for short in entry.services or sorted(offered):
        yield from list_service_forms(vpc.snapshot, short)[:1]
