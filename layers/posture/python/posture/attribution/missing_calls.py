"""What of two snapshots differs by a call that no event has reported. Pure.

A difference counts where only a call makes it, and where no known call names anything of it: so a
lost event is missed rather than a wrong one reported.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from posture.attribution.differences import WHOLE, Difference, list_differences
from posture.model.change import Change, ChangeOutcome
from posture.model.endpoint_service import EndpointServiceSnapshot
from posture.model.network import Route, RouteOrigin, Snapshot
from posture.model.region_access import AnySnapshot

# The fields that calls change, and that change by no other means: no state, no interface of a
# service, no propagated route, no list or connection of another account. WHOLE: it was made or
# deleted. The events of calls on tags do not tell of tags that AWS sets.
CHANGED_BY_CALLS: Mapping[str, frozenset[str]] = {
    "vpc": frozenset({"cidrs", "dns_support", "dns_hostnames", "dns_servers"}),
    "subnets": frozenset({WHOLE}),
    "route_tables": frozenset({WHOLE, "routes", "associations", "propagating_gateway_ids"}),
    "security_groups": frozenset({"ingress", "egress"}),
    "network_acls": frozenset({WHOLE, "entries", "associations"}),
    "endpoints": frozenset(
        {
            WHOLE,
            "ip_address_type",
            "policy",
            "private_dns",
            "route_table_ids",
            "security_group_ids",
            "subnet_ids",
        }
    ),
    "prefix_lists": frozenset({"cidrs"}),
    "service": frozenset({"acceptance_required", "principals"}),
}
DNS_ATTRIBUTES = ("dns_support", "dns_hostnames")
WHOLE_SCOPE = frozenset({"vpc", "service"})  # the parts whose id is that of the scope
LIVING = frozenset({"available", "pending", "pendingacceptance"})  # what EC2 does not remove itself


def find_missing_calls(
    before: AnySnapshot | None,
    after: AnySnapshot | None,
    changes: Iterable[Change],
) -> tuple[Difference, ...]:
    """Find the differences that only a call makes, and that none of the changes may have made.

    Args:
        before: The snapshot before; None where none is known.
        after: The snapshot in which a sweep found what differs.
        changes: All calls that are known of the scope around that time.
    """
    if not (_is_owned(before) and _is_owned(after)):
        return ()
    assert before is not None  # noqa: S101 - as checked
    assert after is not None  # noqa: S101
    named = {
        name
        for each in changes
        if each.outcome is ChangeOutcome.APPLIED
        for name in (*each.resource_ids, each.created)
        if name
    }
    return tuple(
        each
        for each in list_differences(before, after)
        if each.name in CHANGED_BY_CALLS.get(each.part, ())
        # Most calls name the VPC, whatever they change in it.
        and not each.texts & (named if each.part in WHOLE_SCOPE else named - {before.scope.subject})
        and not _happens_by_itself(each, before, after)
    )


def _is_owned(snapshot: AnySnapshot | None) -> bool:
    """Whether all calls on a scope are recorded in its account: none on a shared VPC's groups."""
    if isinstance(snapshot, EndpointServiceSnapshot):
        return True
    return isinstance(snapshot, Snapshot) and snapshot.vpc.owner in {"", snapshot.scope.account}


def _happens_by_itself(difference: Difference, before: AnySnapshot, after: AnySnapshot) -> bool:
    """Whether EC2 may have made a difference by itself."""
    if not (isinstance(before, Snapshot) and isinstance(after, Snapshot)):
        return False
    name, element = difference.id, difference.element
    if difference.name in DNS_ATTRIBUTES:  # read in rotation: in one of them they were not yet
        return None in [getattr(each.vpc, difference.name) for each in (before, after)]
    if isinstance(element, Route):
        # The route of a deleted target is a blackhole from then on. Local routes follow the CIDR
        # blocks, and others are propagated.
        stays = all(
            replace(element, blackhole=False)
            in {replace(it, blackhole=False) for it in each.route_tables[name].routes}
            for each in (before, after)
        )
        return stays or element.origin is not RouteOrigin.STATIC
    if difference.part == "endpoints" and difference.name == WHOLE:
        return name in before.endpoints and before.endpoints[name].state not in LIVING
    return difference.part == "prefix_lists" and (
        before.prefix_lists[name].owner != before.scope.account
    )
