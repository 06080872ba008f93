"""What the shared network lacks to say whether other networks are users of a VPC's endpoints."""

from __future__ import annotations

from collections.abc import Iterator

from posture.analysis.central.network_index import index_network
from posture.analysis.central.network_users import is_central, list_users
from posture.model.shared_kind import FACETS
from posture.model.shared_network import SharedFacet, SharedNetwork
from posture.rules.contexts import VpcContext

# Who uses an endpoint follows from all names and routes; prefix lists and service names aside.
DECIDING = frozenset(facet for facets in FACETS.values() for facet in facets) - {
    SharedFacet.SERVICE_NAMES
}
ATTACHED = frozenset(
    {SharedFacet.ATTACHMENTS, SharedFacet.VPC_ATTACHMENTS}
    | {SharedFacet.CORE_ATTACHMENTS, SharedFacet.CORE_VPC_ATTACHMENT}
)
MOST_NAMED = 3


def find_unread_users(vpc: VpcContext) -> tuple[str, ...]:
    """Find the facts without which other networks may be users of the VPC, although none says so.

    None for a VPC that nothing leads to: what may use its endpoints is no user.
    """
    shared = vpc.shared
    if shared is None:
        return ()
    users = list_users(shared, vpc.snapshot.vpc.id)
    if not users and not is_central(shared, vpc.snapshot):
        return ()
    blocks = (
        f"{SharedFacet.VPCS} in account {each.account or f'of {each.vpc_id}'}"
        for each in users
        if not each.cidrs
    )
    return tuple(dict.fromkeys((*blocks, *_name_unread(shared))))[:MOST_NAMED]


def _name_unread(shared: SharedNetwork) -> Iterator[str]:
    for each in shared.unread:
        if each.facet in DECIDING:
            yield f"{each.facet} in account {each.account}"


def find_unread_attachments(vpc: VpcContext) -> str:
    """Find the facts without which it is not known which subnets hold attachments; "" if it is.

    The account of a VPC sees its attachments, and so does the owner of the gateway.
    """
    shared = vpc.shared
    if shared is None:
        return ""
    known = index_network(shared).attachments_of.get(vpc.snapshot.vpc.id, ())
    if any(each.subnet_ids for each in known):
        return ""
    own = vpc.snapshot.vpc.owner or vpc.snapshot.scope.account
    named = (
        f"{each.facet} in account {each.account}"
        for each in shared.unread
        if each.facet in ATTACHED and each.account == own
    )
    return next(named, "")
