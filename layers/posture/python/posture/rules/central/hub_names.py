"""What the names of a hub's own endpoints lead to: zones, Profiles and rules."""

from __future__ import annotations

from posture.analysis.central.network_index import index_network
from posture.analysis.central.view import NAME_FACETS
from posture.analysis.endpoint_dns import WORKING
from posture.analysis.names import (
    SWITCH,
    ResolvesTo,
    find_dns_doubt,
    find_other_network,
)
from posture.analysis.services import get_service
from posture.lean_dataclass import dataclass
from posture.model.network import Endpoint, Service
from posture.model.shared_network import SharedNetwork
from posture.model.verdict import Evidence, Remediation
from posture.rules.contexts import VpcContext
from posture.rules.evidence import format_endpoint, join_names
from posture.rules.result import RuleResult, failed, not_applicable, passed, undecided


@dataclass(frozen=True, slots=True)
class _NameSources:
    """What leads names to an endpoint, what covers its names without doing so, what is not read."""

    leading: tuple[str, ...]
    covering: tuple[str, ...]
    unread: tuple[str, ...]


def evaluate_central_names(
    vpc: VpcContext, endpoint: Endpoint, service: Service
) -> RuleResult | None:
    """Evaluate whether zones or Profiles lead names to an endpoint; None where none does."""
    name = format_endpoint(endpoint)
    if vpc.shared is None:
        if not (route := find_other_network(vpc.snapshot)):
            return None
        summary = (
            f"{name} has private DNS disabled; {route}, and whether private hosted zones lead the "
            f"names of the service to it is not known without {SWITCH}"
        )
        remedy = Remediation(f"Let the monitor read the shared network: {SWITCH}.")
        return undecided(endpoint.id, summary, remediation=remedy)
    found = _find_name_sources(vpc, vpc.shared, endpoint, service)
    if found.leading:
        by = join_names(sorted(found.leading))
        summary = f"{name} has private DNS disabled; {by} leads names to it"
        return passed(endpoint.id, summary, concerns=frozenset({endpoint.id, *found.leading}))
    if found.covering:
        summary = (
            f"{name} has private DNS disabled; the names of the service are decided by "
            f"{join_names(found.covering)}"
        )
        return not_applicable(endpoint.id, summary)
    if found.unread:
        summary = (
            f"{name} has private DNS disabled, and whether something else leads names to it is not "
            f"known: {join_names(found.unread)}"
        )
        remedy = Remediation(f"Allow {join_names(found.unread)}.")
        return undecided(endpoint.id, summary, remediation=remedy)
    return None


def evaluate_other_answer(vpc: VpcContext, endpoint: Endpoint) -> RuleResult | None:
    """Evaluate whether the names lead to the endpoint with rules and other DNS servers considered.

    None where the shared network is not read, or has nothing to say about the names.
    """
    service = get_service(vpc.snapshot, endpoint)
    resolution = vpc.analysis.resolve_names(service)
    inbound = endpoint.private_dns_only_for_inbound_resolver
    if vpc.shared is None or not resolution.names or inbound or endpoint.state not in WORKING:
        return None
    name = format_endpoint(endpoint)
    concerns = frozenset({endpoint.id, vpc.snapshot.vpc.id})
    concerns |= {step.subject for each in resolution.names for step in each.steps}
    if endpoint in resolution.endpoints and resolution.resolves_to is ResolvesTo.ENDPOINT:
        return passed(endpoint.id, f"private DNS of {name} is effective", concerns=concerns)
    if resolution.resolves_to is ResolvesTo.UNKNOWN:
        if find_dns_doubt(vpc.snapshot.vpc):
            return None
        summary = f"{name}: whether private DNS is effective is not known: {resolution.why}"
        return undecided(endpoint.id, summary, concerns=concerns)
    return failed(
        resource=endpoint.id,
        summary=f"{name} has private DNS enabled, but names of the service lead elsewhere: "
        f"{resolution.why}",
        evidence=tuple(
            Evidence(f"{each.name}: {each.why}.", {"name": each.name, "leads_to": each.outcome})
            for each in resolution.names
        ),
        remediation=Remediation(
            "Disassociate the Resolver rule or zone that decides the names, or disable private DNS."
        ),
        concerns=concerns,
    )


def _find_name_sources(
    vpc: VpcContext, shared: SharedNetwork, endpoint: Endpoint, service: Service
) -> _NameSources:
    """Find the zones and Profiles that concern the names of an endpoint, in any VPC."""
    known = vpc.snapshot.network_interfaces
    addresses = {
        address
        for each in endpoint.network_interface_ids
        if each in known
        for address in known[each].addresses
    }
    named = index_network(shared).named_by_zone
    zones = [
        name
        for name, each in named.items()
        if endpoint.id in each.endpoint_ids or not addresses.isdisjoint(each.addresses)
    ]
    profiles = [each.id for each in shared.profiles.values() if endpoint.id in each.endpoint_ids]
    bases = {name.removeprefix("*.") for name in service.private_dns_names}
    covering = [each.id for each in shared.zones.values() if each.name in bases]
    unread = {
        f"{each.facet} in {each.account}" for each in shared.unread if each.facet in NAME_FACETS
    }
    return _NameSources((*zones, *profiles), tuple(covering), tuple(sorted(unread)))
