"""The rule about VPCs that use central endpoints and should not, and who may use them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_network

from posture.analysis.addresses import AddressSet
from posture.analysis.central.network_users import NetworkUser, is_central, list_users
from posture.analysis.central.view import NAME_FACETS
from posture.model.network import Facet
from posture.model.shared_network import SharedNetwork
from posture.model.verdict import Evidence, Remediation, Severity
from posture.rules.central.names import WHITEPAPER
from posture.rules.central.offers import list_own_entries
from posture.rules.contexts import VpcContext
from posture.rules.controls import INBOUND
from posture.rules.result import RuleResult, failed, passed, undecided
from posture.rules.rule import Family, Rule


def list_permitted_users(vpc: VpcContext) -> tuple[NetworkUser, ...]:
    """List the users of a central VPC that may use its endpoints.

    Without a word in the baseline, these are the VPCs of monitored accounts that names or routes
    lead to the central one, which is no hub unless names of some do.
    """
    shared = _include_self(vpc)
    if shared is None:
        return ()
    named = any(True for _ in list_own_entries(vpc))
    users = list_users(shared, vpc.snapshot.vpc.id)
    if not (named or any(each.resolves for each in users) or _may_serve(vpc, shared)):
        return ()
    return tuple(
        each
        for each in users
        if each.account in shared.accounts and (not named or is_spoke(vpc, each) is not False)
    )


def _may_serve(vpc: VpcContext, shared: SharedNetwork) -> bool:
    """Return whether names of other VPCs may lead to a VPC although none is known to.

    Something could not be read, or rules forward to addresses of the VPC that no Resolver endpoint
    has any more.
    """
    blocks = AddressSet.of((*vpc.snapshot.vpc.cidrs, *vpc.snapshot.vpc.ipv6_cidrs))
    targets = {ip_network(it) for each in shared.rules.values() for it in each.targets}
    unread = any(each.facet in NAME_FACETS for each in shared.unread)
    return unread or not blocks.isdisjoint(AddressSet.of(targets))


def _include_self(vpc: VpcContext) -> SharedNetwork | None:
    """Return the shared network with a VPC that is central; None for another VPC."""
    shared, snapshot = vpc.shared, vpc.snapshot
    if shared is None or not is_central(shared, snapshot):
        return None
    if snapshot.vpc.id in shared.central_vpcs:
        return shared
    return replace(shared, central_vpcs={**shared.central_vpcs, snapshot.vpc.id: snapshot})


def is_spoke(vpc: VpcContext, user: NetworkUser) -> bool | None:
    """Return whether the baseline lets a VPC use the endpoints of a hub; None if not known."""
    path = vpc.baseline.find_account_path(user.account)
    found = {
        each.spokes.selects(user.vpc_id, user.account, user.tags, path)
        for each in list_own_entries(vpc)
    }
    return True if True in found else None if None in found else False


def _unlisted_users(vpc: VpcContext) -> Iterator[RuleResult]:
    shared = _include_self(vpc)
    if shared is None or not any(True for _ in list_own_entries(vpc)):
        return
    hub = vpc.snapshot.vpc.id
    for user in list_users(shared, hub):
        if user.resolves:
            yield _evaluate_user(vpc, user, hub)


def _evaluate_user(vpc: VpcContext, user: NetworkUser, hub: str) -> RuleResult:
    concerns = frozenset({user.vpc_id, hub})
    selected = is_spoke(vpc, user)
    if selected:
        return passed(user.vpc_id, f"{user.vpc_id} is a spoke of {hub}", concerns=concerns)
    if selected is None:
        return undecided(
            resource=user.vpc_id,
            summary=f"whether {user.vpc_id} may use the endpoints of {hub} is not known: the "
            f"baseline does not say in which organizational unit account {user.account} is",
            remediation=Remediation(
                "State the path of the account (organization) in an override of the baseline."
            ),
            concerns=concerns,
        )
    routed = "routes lead there, too" if user.routed else "no route leads there"
    return failed(
        resource=user.vpc_id,
        summary=f"names in {user.vpc_id} of account {user.account} lead to endpoints of {hub}, but "
        "the baseline (central_endpoints) does not name it as a spoke",
        evidence=(
            Evidence(
                f"A private hosted zone, Resolver rule or Profile of {user.vpc_id} leads names to "
                f"endpoints of {hub}; {routed}.",
                {
                    "vpc": user.vpc_id,
                    "account": user.account,
                    "hub": hub,
                    "routed": str(user.routed).lower(),
                },
            ),
        ),
        concerns=concerns,
        root=f"VPCs that the baseline does not name use the endpoints of {hub}",
    )


RULES: tuple[Rule[VpcContext], ...] = (
    Rule(
        id="central-endpoint-unlisted-user",
        title="Unlisted VPC uses central endpoints",
        requirement="Only the spokes that the baseline names use the endpoints of a hub",
        family=Family.CENTRAL,
        severity=Severity.MEDIUM,
        rationale=(
            "A network that may use a central endpoint acts under its endpoint policy and reaches "
            "what it allows. The rule applies to hubs that the baseline names (central_endpoints): "
            "a VPC whose names lead there has to be one of their spokes. Networks that only routes "
            "lead to the endpoint are the subject of endpoint-open-to-other-networks."
        ),
        remediation="Disassociate the VPC from the zone or Profile, or name it in the baseline.",
        evaluate=_unlisted_users,
        reads=frozenset({Facet.VPC, Facet.ENDPOINTS}),
        controls=INBOUND,
        references=(WHITEPAPER,),
    ),
)
