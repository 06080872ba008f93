"""A view holds all that the verdicts on a VPC depend on, and not much else."""

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from organization_builders import (
    HUB,
    HUB_ACCOUNT,
    Link,
    Names,
    Organization,
    build_baseline,
    build_organization,
)
from organization_designs import DESIGNS
from posture.analysis.central.central_snapshot import digest_central, strip_central
from posture.analysis.central.network_users import is_central, list_users
from posture.analysis.central.view import build_view, find_links, restrict_network
from posture.model.network import Snapshot
from posture.model.shared_network import SharedFacet, SharedNetwork, UnreadFact
from posture.rules.contexts import VpcContext
from posture.rules.engine import evaluate_context

Edit = Callable[[Organization, Random], Organization]


def evaluate(organization: Organization, vpc_id: str, shared: SharedNetwork) -> Any:
    """Evaluate a VPC with a shared network; every word counts, except of remediations."""
    snapshot = organization.snapshots[vpc_id]
    context = VpcContext(snapshot, build_baseline(organization), shared=shared)
    verdicts = evaluate_context(context)
    return sorted(repr(replace(each, remediation=None, alternatives=())) for each in verdicts)


def digest(organization: Organization, vpc_id: str) -> str:
    """Return the digest of a VPC's view."""
    return build_view(organization.shared, find_links(organization.snapshots[vpc_id])).digest


def _choose(facts: Any, random: Random) -> Any:
    return random.choice(sorted(facts.items()))[1] if facts else None


def _edit_fact(part: str, change: Callable[[Any, Random], Any]) -> Edit:
    """Build the edit of one fact of a part; a change to None removes it."""

    def edit(organization: Organization, random: Random) -> Organization:
        fact = _choose(getattr(organization.shared, part), random)
        changed = change(fact, random) if fact else None
        return organization.edit_shared(**{part: {fact.id: changed}}) if fact else organization

    return edit


def _drop_one(listed: tuple[Any, ...], random: Random) -> tuple[Any, ...]:
    left = list(listed)
    if left:
        left.pop(random.randrange(len(left)))
    return tuple(left)


def _edit_hub(change: Callable[[Snapshot, Random], Snapshot]) -> Edit:
    return lambda it, random: it.edit_vpc(HUB, lambda hub: change(hub, random))


def _edit_endpoint(hub: Snapshot, random: Random) -> Snapshot:
    endpoint = _choose(hub.endpoints, random)
    return replace(hub, endpoints={**hub.endpoints, endpoint.id: replace(endpoint, state="failed")})


def _delete_endpoint(hub: Snapshot, random: Random) -> Snapshot:
    endpoint = _choose(hub.endpoints, random)
    left = {name: each for name, each in hub.endpoints.items() if name != endpoint.id}
    return replace(hub, endpoints=left)


def _edit_routes(hub: Snapshot, random: Random) -> Snapshot:
    table = _choose(hub.route_tables, random)
    changed = replace(table, routes=_drop_one(table.routes, random))
    return replace(hub, route_tables={**hub.route_tables, table.id: changed})


def _fail_read(organization: Organization, random: Random) -> Organization:
    account = random.choice(sorted(organization.shared.accounts))
    unread = UnreadFact(random.choice(list(SharedFacet)), account, "denied")
    return organization.edit_shared(unread=(unread,))


EDITS: dict[str, Edit] = {
    "zone without a record": _edit_fact(
        "zones", lambda zone, random: replace(zone, records=_drop_one(zone.records, random))
    ),
    "zone whose records are unread": _edit_fact(
        "zones", lambda zone, _: replace(zone, records=None)
    ),
    "zone gone": _edit_fact("zones", lambda *_: None),
    "zone renamed": _edit_fact("zones", lambda zone, _: replace(zone, name=f"x.{zone.name}")),
    "zone not associated": _edit_fact(
        "vpcs", lambda vpc, random: replace(vpc, zone_ids=_drop_one(vpc.zone_ids, random))
    ),
    "rule not associated": _edit_fact(
        "vpcs", lambda vpc, random: replace(vpc, rule_ids=_drop_one(vpc.rule_ids, random))
    ),
    "Profile not associated": _edit_fact("vpcs", lambda vpc, _: replace(vpc, profiles=())),
    "Profile without an endpoint": _edit_fact(
        "profiles",
        lambda it, random: replace(it, endpoint_ids=_drop_one(it.endpoint_ids, random)),
    ),
    "Profile without a zone": _edit_fact(
        "profiles", lambda it, random: replace(it, zone_ids=_drop_one(it.zone_ids, random))
    ),
    "rule gone": _edit_fact("rules", lambda *_: None),
    "rule without targets": _edit_fact("rules", lambda rule, _: replace(rule, targets=())),
    "resolver gone": _edit_fact("resolvers", lambda *_: None),
    "route gone": _edit_fact(
        "tables", lambda it, random: replace(it, routes=_drop_one(it.routes or (), random))
    ),
    "routes unread": _edit_fact("tables", lambda it, _: replace(it, routes=None)),
    "attachment deleted": _edit_fact("attachments", lambda *_: None),
    "attachment failed": _edit_fact("attachments", lambda it, _: replace(it, state="failed")),
    "attachment without a table": _edit_fact("attachments", lambda it, _: replace(it, table_id="")),
    "attachment without a subnet": _edit_fact(
        "attachments", lambda it, random: replace(it, subnet_ids=_drop_one(it.subnet_ids, random))
    ),
    "peering gone": _edit_fact("peerings", lambda *_: None),
    "peering inactive": _edit_fact("peerings", lambda it, _: replace(it, active=False)),
    "gateway with references": _edit_fact(
        "gateways", lambda it, _: replace(it, references_groups=True)
    ),
    "hub's groups closed": _edit_hub(
        lambda hub, _: replace(
            hub,
            security_groups={
                name: replace(each, ingress=()) for name, each in hub.security_groups.items()
            },
        )
    ),
    "hub's endpoint failed": _edit_hub(_edit_endpoint),
    "hub's endpoint deleted": _edit_hub(_delete_endpoint),
    "hub without a route": _edit_hub(_edit_routes),
    "a read that was denied": _fail_read,
}


def _build(names: Names, link: Link) -> Organization:
    return build_organization(spokes=3, names=names, link=link, services=("kms", "ecr.dkr"))


@settings(max_examples=40)
@given(
    names=st.sampled_from(Names),
    link=st.sampled_from(Link),
    edits=st.lists(st.sampled_from(sorted(EDITS)), min_size=1, max_size=3),
    random=st.randoms(use_true_random=False),
)
def test_verdicts_depend_on_nothing_but_the_view(
    names: Names, link: Link, edits: list[str], random: Random
) -> None:
    """The same verdicts with the view; and where verdicts change, the view has another digest."""
    before = after = _build(names, link)
    for edit in edits:
        after = EDITS[edit](after, random)
    for vpc_id, snapshot in after.snapshots.items():
        full = evaluate(after, vpc_id, after.shared)
        assert evaluate(after, vpc_id, restrict_network(after.shared, snapshot)) == full, vpc_id
        if snapshot == before.snapshots[vpc_id] and digest(before, vpc_id) == digest(after, vpc_id):
            assert evaluate(before, vpc_id, before.shared) == full, (vpc_id, edits)


@pytest.mark.parametrize("name", sorted(DESIGNS))
def test_the_views_of_public_designs_are_enough(name: str) -> None:
    """Intact designs, with all that they consist of."""
    organization = DESIGNS[name]()
    for vpc_id, snapshot in organization.snapshots.items():
        full = evaluate(organization, vpc_id, organization.shared)
        assert (
            evaluate(organization, vpc_id, restrict_network(organization.shared, snapshot)) == full
        )


def _list_dependents(before: Organization, after: Organization) -> set[str]:
    return {name for name in before.snapshots if digest(before, name) != digest(after, name)}


def _drop_route_to(organization: Organization, spoke: str) -> Organization:
    tables = organization.shared.tables.values()
    left = {
        table.id: replace(
            table,
            routes=tuple(it for it in table.routes or () if spoke not in it.attachment_ids[0]),
        )
        for table in tables
    }
    return organization.edit_shared(tables=left)


def test_what_concerns_one_spoke_is_in_no_view_of_another() -> None:
    """So an organization of 1,000 spokes evaluates two VPCs when one of them is connected."""
    before = build_organization(spokes=3)
    vpc = before.shared.vpcs["vpc-spoke2"]
    for after in (
        _drop_route_to(before, "spoke2"),
        before.edit_shared(attachments={"tgw-attach-spoke2": None}),
        before.edit_shared(vpcs={vpc.id: replace(vpc, zone_ids=())}),
        before.edit_shared(
            unread=(UnreadFact(SharedFacet.ZONES_OF_VPC, vpc.account, "denied", vpc.id),)
        ),
    ):
        assert _list_dependents(before, after) == {"vpc-spoke2", HUB}


def test_when_facts_were_read_changes_no_digest() -> None:
    """Nor does a fact that no VPC depends on, in whatever order the facts are."""
    before = build_organization(spokes=2)
    later = before.shared.observed_at.replace(hour=20)
    hub = replace(before.snapshots[HUB], observed_at=later)
    shared = replace(
        before.shared,
        observed_at=later,
        central_vpcs={HUB: hub},
        zones=dict(sorted(before.shared.zones.items(), reverse=True)),
    )
    after = Organization(before.snapshots, shared).edit_shared(
        zones={"Z-x": replace(next(iter(shared.zones.values())), id="Z-x", name="example.com")}
    )
    assert _list_dependents(before, after) == set()


def test_a_zone_for_a_further_name_of_an_endpoint_is_in_the_view() -> None:
    """The VPC may miss it, although no association leads there."""
    before = build_organization(spokes=1, services=("monitoring",))
    vpc = before.shared.vpcs["vpc-spoke1"]
    optional = next(each for each in vpc.zone_ids if each.endswith(".api.aws"))
    rest = tuple(each for each in vpc.zone_ids if each != optional)
    after = before.edit_shared(vpcs={vpc.id: replace(vpc, zone_ids=rest)})
    view = restrict_network(after.shared, after.snapshots[vpc.id])
    full = evaluate(after, vpc.id, after.shared)
    assert optional in view.zones
    assert evaluate(after, vpc.id, view) == full


@pytest.mark.parametrize("link", Link)
@pytest.mark.parametrize("names", Names)
def test_all_spokes_use_the_hub(names: Names, link: Link) -> None:
    """By name and by route, whatever the design; the hub's view has them all."""
    organization = build_organization(spokes=3, names=names, link=link)
    users = list_users(organization.shared, HUB)
    assert [each.vpc_id for each in users] == ["vpc-spoke1", "vpc-spoke2", "vpc-spoke3"]
    assert all(each.resolves and each.routed for each in users)
    view = restrict_network(organization.shared, organization.snapshots[HUB])
    assert list_users(view, HUB) == users


def test_a_user_by_name_alone_and_one_by_route_alone() -> None:
    """One was never attached, the other never associated."""
    organization = build_organization(spokes=3)
    vpc = organization.shared.vpcs["vpc-spoke2"]
    organization = organization.edit_shared(
        attachments={"tgw-attach-spoke1": None}, vpcs={vpc.id: replace(vpc, zone_ids=())}
    )
    found = {
        each.vpc_id: (each.resolves, each.routed) for each in list_users(organization.shared, HUB)
    }
    assert found == {
        "vpc-spoke1": (True, False),
        "vpc-spoke2": (False, True),
        "vpc-spoke3": (True, True),
    }


def test_a_vpc_is_central_if_a_fact_names_something_of_it() -> None:
    """An endpoint by a zone's alias, or an inbound Resolver endpoint of the VPC."""
    for names in Names:
        organization = build_organization(spokes=1, names=names)
        unknown = replace(organization.shared, central_vpcs={})
        found = [name for name, it in organization.snapshots.items() if is_central(unknown, it)]
        assert found == [HUB], names
    nothing = SharedNetwork("eu-west-1", organization.shared.observed_at)
    assert not is_central(nothing, organization.snapshots[HUB])


def test_the_stored_part_of_a_central_vpc_decides_as_the_whole_does() -> None:
    """Other VPCs depend on neither its NAT gateways nor what the Region shares."""
    organization = build_organization(spokes=1)
    hub = strip_central(organization.snapshots[HUB])
    shared = replace(organization.shared, central_vpcs={HUB: hub})
    full = evaluate(organization, "vpc-spoke1", organization.shared)
    assert evaluate(organization, "vpc-spoke1", shared) == full
    later = replace(hub, observed_at=hub.observed_at.replace(hour=20))
    assert digest_central(later) == digest_central(hub)
    assert hub.scope.account == HUB_ACCOUNT
