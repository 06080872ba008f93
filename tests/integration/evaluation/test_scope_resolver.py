"""From the ids a change names to the VPCs it concerns."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from monitor_stage import HOME, Stage
from posture.evaluation import scope_resolver
from posture.evaluation.scope_resolver import ScopeResolver
from posture.model.change import Actor, Change
from posture.model.scope import Region, Scope

ABSENT = "0123456789abcdef0"


def change(*ids: str, event_id: str = "e-1", **more: Any) -> Change:
    """Return a change that names these ids and no VPC."""
    given: dict[str, Any] = {
        "event_id": event_id,
        "event_name": "Something",
        "event_source": "ec2.amazonaws.com",
        "time": datetime(2026, 11, 23, tzinfo=UTC),
        "region": HOME,
        "actor": Actor("arn", HOME.account, "Root"),
        "source_ip": "",
        "user_agent": "",
        "vpc_ids": frozenset(each for each in ids if each.startswith("vpc-")),
        "service_ids": frozenset(each for each in ids if each.startswith("vpce-svc-")),
        "resource_ids": frozenset(ids),
    }
    return Change(**given | more)


def scopes(stage: Stage, *changes: Change) -> set[str]:
    """Return the VPCs of changes."""
    return {scope.subject for scope in places(stage).resolve(changes).scopes}


def places(stage: Stage) -> ScopeResolver:
    """Return the evaluator's resolver."""
    return ScopeResolver(stage.client_of, stage.store.resource_index)


def association(stage: Stage) -> str:
    """Return the association of the subnet with its table."""
    tables = stage.network.ec2.describe_route_tables(RouteTableIds=[stage.network.table])
    return str(tables["RouteTables"][0]["Associations"][0]["RouteTableAssociationId"])


def acl(stage: Stage) -> Any:
    """Return the network ACL of the subnet."""
    of_vpc = [{"Name": "vpc-id", "Values": [stage.network.vpc]}]
    return stage.network.ec2.describe_network_acls(Filters=of_vpc)["NetworkAcls"][0]


IDS: dict[str, Callable[[Stage], str]] = {
    "route table": lambda stage: stage.network.table,
    "route table association": association,
    "subnet": lambda stage: stage.network.subnet,
    "gateway endpoint": lambda stage: stage.network.gateway,
    "interface endpoint": lambda stage: stage.network.interface,
    "security group": lambda stage: stage.network.group,
    "network ACL": lambda stage: acl(stage)["NetworkAclId"],
    "network ACL association": lambda stage: acl(stage)["Associations"][0][
        "NetworkAclAssociationId"
    ],
    "NAT gateway": lambda stage: stage.network.nat,
    "VPC": lambda stage: stage.network.vpc,
}


@pytest.mark.parametrize("kind", IDS)
def test_an_existing_resource_is_found_in_ec2(stage: Stage, kind: str) -> None:
    """EC2 knows the VPC of everything in it."""
    assert scopes(stage, change(IDS[kind](stage))) == {stage.network.vpc}


@pytest.mark.parametrize("kind", [kind for kind in IDS if kind != "VPC"])
def test_what_was_deleted_is_remembered(stage: Stage, kind: str) -> None:
    """Our own index knows it, though EC2 no longer does."""
    resource = IDS[kind](stage)
    stage.sweep()
    stage.blind()
    assert scopes(stage, change(resource)) == {stage.network.vpc}


def test_a_customer_managed_prefix_list_leads_to_the_vpcs_that_use_it(stage: Stage) -> None:
    """A security group of the VPC names it."""
    stage.sweep()
    assert scopes(stage, change(stage.network.prefix_list)) == {stage.network.vpc}


def test_a_shared_resource_beside_one_inside_a_vpc_is_not_looked_up(stage: Stage) -> None:
    """A route to the prefix list of S3 in one table does not concern all VPCs with such a route."""
    stage.sweep()
    other = stage.network.ec2.create_route_table(VpcId=stage.network.bare)["RouteTable"][
        "RouteTableId"
    ]
    assert scopes(stage, change(other, stage.network.prefix_list)) == {stage.network.bare}


def test_an_endpoint_service_is_its_own_scope(stage: Stage) -> None:
    """The consumers' endpoints that it names are not monitored."""
    service = f"vpce-svc-{ABSENT}"
    placed = places(stage).resolve([change(service, f"vpce-{ABSENT}")])
    assert set(placed.scopes) == {Scope(HOME.account, HOME.name, service)}
    assert placed.regions == {}


def test_an_endpoint_service_concerns_our_own_consumers(stage: Stage) -> None:
    """Accepting or rejecting an endpoint of the same account changes that endpoint's VPC, too."""
    service = f"vpce-svc-{ABSENT}"
    placed = places(stage).resolve([change(service, stage.network.interface, f"vpce-{ABSENT}")])
    assert {scope.subject for scope in placed.scopes} == {service, stage.network.vpc}
    assert placed.regions == {}


def test_an_unknown_id_sweeps_its_region(stage: Stage) -> None:
    """It is never dropped."""
    lost = change(f"rtb-{ABSENT}")
    placed = places(stage).resolve([lost])
    assert placed.scopes == {}
    assert placed.regions == {HOME: (lost,)}


def test_a_change_without_ids_sweeps_its_region(stage: Stage) -> None:
    """It may concern any VPC."""
    assert places(stage).resolve([change()]).regions == {HOME: (change(),)}


def test_each_of_several_deleted_endpoints_must_be_resolved(stage: Stage) -> None:
    """An unknown one may have been in another VPC."""
    both = change(stage.network.interface, f"vpce-{ABSENT}")
    placed = places(stage).resolve([both])
    assert {scope.subject for scope in placed.scopes} == {stage.network.vpc}
    assert placed.regions == {HOME: (both,)}


def test_a_change_that_sweeps_does(stage: Stage) -> None:
    """Whatever VPC it names besides."""
    placed = places(stage).resolve([change(stage.network.vpc, sweeps=True)])
    assert set(placed.regions) == {HOME}
    assert {scope.subject for scope in placed.scopes} == {stage.network.vpc}


def test_several_changes_share_their_requests(stage: Stage) -> None:
    """One request a kind of id, however many changes there are."""
    changes = [
        change(stage.network.table, event_id="e-1"),
        change(stage.network.table, stage.network.subnet, event_id="e-2"),
        change(stage.network.group, event_id="e-3"),
    ]
    calls = stage.network.record_calls()
    placed = places(stage).resolve(changes)
    assert sorted(calls) == ["DescribeRouteTables", "DescribeSecurityGroups", "DescribeSubnets"]
    assert placed.scopes == {stage.network.scope: tuple(changes)}


def test_a_denied_look_up_counts_as_not_found(stage: Stage) -> None:
    """The sweep that follows evaluates all scopes."""
    stage.fail("DescribeRouteTables", "UnauthorizedOperation")
    assert set(places(stage).resolve([change(stage.network.table)]).regions) == {HOME}


def test_throttling_is_not_not_found(stage: Stage) -> None:
    """The change comes again, and no region is swept, which would be throttled as well."""
    stage.fail("DescribeRouteTables", "RequestLimitExceeded")
    resolved = places(stage).resolve([change(stage.network.table)])
    assert (resolved.scopes, resolved.regions) == ({}, {})
    assert "RequestLimitExceeded" in resolved.denied["e-1"]


def test_an_account_that_is_throttled_holds_up_no_other_one(stage: Stage) -> None:
    """However many of its changes are in the batch: EC2 is asked once for all of them."""
    asked: list[Region] = []

    def client_of(region: Region) -> Any:
        if region == HOME:
            return stage.network.ec2
        asked.append(region)
        error: Any = {"Error": {"Code": "RequestLimitExceeded", "Message": "slow down"}}
        raise ClientError(error, "DescribeRouteTables")

    member = Region(MEMBER, HOME.name)
    theirs = [
        change(f"rtb-{at:017x}", event_id=f"theirs-{at}", region=member) for at in range(1, 9)
    ]
    ours = change(stage.network.table, event_id="ours")
    resolver = ScopeResolver(client_of, stage.store.resource_index, {HOME.account, MEMBER})
    resolved = resolver.resolve([*theirs, ours])
    assert resolved.scopes == {stage.network.scope: (ours,)}
    assert resolved.regions == {}
    assert resolved.denied.keys() == {each.event_id for each in theirs}
    assert asked == [member]


def test_an_id_that_cannot_be_looked_up_fails_no_other(stage: Stage) -> None:
    """Those of the same account are looked up half by half."""

    def refuse(params: Any, **_: Any) -> None:
        if any(f"rtb-{ABSENT}" in each["Values"] for each in params["Filters"]):
            error: Any = {"Error": {"Code": "InternalError", "Message": "as the test wants it"}}
            raise ClientError(error, "DescribeRouteTables")

    stage.network.ec2.meta.events.register("provide-client-params.ec2.DescribeRouteTables", refuse)
    changes = [
        change(f"rtb-{ABSENT}", event_id="bad"),
        change(stage.network.table, event_id="good"),
    ]
    resolved = places(stage).resolve(changes)
    assert resolved.scopes == {stage.network.scope: (changes[1],)}
    assert resolved.denied.keys() == {"bad"}


def test_another_accounts_memory_is_not_ours(stage: Stage) -> None:
    """An id of a shared network may be remembered for several accounts."""
    stage.sweep()
    stage.blind()
    elsewhere = change(stage.network.table, region=Region("444455556666", HOME.name))
    placed = places(stage).resolve([elsewhere])
    assert placed.scopes == {}
    assert set(placed.regions) == {elsewhere.region}


# --- scopes of other accounts ---------------------------------------------------------------------

MEMBER, UNWATCHED = "222222222222", "999999999999"
THEIRS = Scope(MEMBER, HOME.name, "vpc-0aaaaaaaaaaaaaaa1")
THEIR_SERVICE = Scope(MEMBER, HOME.name, "vpce-svc-0aaaaaaaaaaaaaaa1")
SHARED_LIST, PEERING = f"pl-{ABSENT}", f"pcx-{ABSENT}"


def remember(stage: Stage, scope: Scope, *ids: str) -> None:
    """Make ids lead to a scope, as its evaluation did."""
    index = stage.store.resource_index
    index.remember(scope, frozenset({scope.subject, *ids}), datetime(2026, 11, 23, tzinfo=UTC))


def across(stage: Stage, *changes: Change) -> dict[Scope, tuple[Change, ...]]:
    """Return the scopes of changes where two accounts are watched; none of them sweeps a region."""
    accounts = {HOME.account, MEMBER}
    resolver = ScopeResolver(stage.client_of, stage.store.resource_index, accounts)
    resolved = resolver.resolve(changes)
    assert resolved.regions == {}
    return dict(resolved.scopes)


def test_a_shared_prefix_list_concerns_the_vpcs_of_other_accounts(stage: Stage) -> None:
    """No VPC of its own account uses it, and no region is swept for it."""
    remember(stage, THEIRS, SHARED_LIST)
    modified = change(SHARED_LIST)
    assert across(stage, modified) == {THEIRS: (modified,)}


@pytest.mark.parametrize("lost", [UNWATCHED, "another region"])
def test_scopes_that_the_monitor_does_not_watch_are_left_alone(stage: Stage, lost: str) -> None:
    """Another account, or the other side of a peering connection in another region."""
    theirs = Scope(UNWATCHED, HOME.name, THEIRS.subject)
    if lost != UNWATCHED:
        theirs = Scope(MEMBER, "us-east-1", THEIRS.subject)
    remember(stage, theirs, PEERING)
    remember(stage, THEIRS, PEERING)
    assert set(across(stage, change(PEERING))) == {THEIRS}


def test_both_sides_of_a_deleted_peering_connection_are_concerned(stage: Stage) -> None:
    """The record names the connection alone; both have routes to it."""
    ours = Scope(HOME.account, HOME.name, "vpc-0bbbbbbbbbbbbbbb1")
    remember(stage, ours, PEERING)
    remember(stage, THEIRS, PEERING)
    assert set(across(stage, change(PEERING))) == {ours, THEIRS}


def test_the_other_side_of_an_accepted_request_is_concerned(stage: Stage) -> None:
    """Its VPC is named with its owner; the VPCs that share the transit gateway are not meant."""
    gateway = f"tgw-{ABSENT}"
    remember(stage, THEIRS, gateway)
    remember(stage, Scope(MEMBER, HOME.name, "vpc-0ccccccccccccccc1"), gateway)
    accepted = change(gateway, other_vpc_ids=frozenset({THEIRS.subject}))
    assert across(stage, accepted) == {THEIRS: (accepted,)}


def test_a_consumer_that_connects_concerns_the_provider(stage: Stage) -> None:
    """The endpoint's record names the service, which may accept without a call of its owner."""
    remember(stage, THEIR_SERVICE)
    created = change(stage.network.vpc, THEIR_SERVICE.subject, service_ids=frozenset())
    assert set(across(stage, created)) == {stage.network.scope, THEIR_SERVICE}


def test_a_consumer_that_leaves_concerns_the_provider(stage: Stage) -> None:
    """The deleted endpoint was one of the service's connections."""
    remember(stage, THEIR_SERVICE, stage.network.interface)
    assert set(across(stage, change(stage.network.interface))) == {
        stage.network.scope,
        THEIR_SERVICE,
    }


def test_a_provider_that_accepts_concerns_the_consumer(stage: Stage) -> None:
    """Its endpoint becomes available by a call of another account."""
    endpoint, service = f"vpce-{ABSENT}", f"vpce-svc-{ABSENT}"
    remember(stage, THEIRS, endpoint)
    assert set(across(stage, change(service, endpoint))) == {
        Scope(HOME.account, HOME.name, service),
        THEIRS,
    }


def test_a_consumer_in_the_providers_account_needs_no_other_account(stage: Stage) -> None:
    """The service is found, although a single account is watched."""
    service = Scope(HOME.account, HOME.name, f"vpce-svc-{ABSENT}")
    remember(stage, service)
    created = change(stage.network.vpc, service.subject, service_ids=frozenset())
    assert scopes(stage, created) == {stage.network.vpc, service.subject}


def test_a_shared_subnet_concerns_its_owner_and_its_participants(stage: Stage) -> None:
    """Each evaluates the VPC as it sees it. So does a call that names the VPC alone."""
    theirs = Scope(MEMBER, HOME.name, stage.network.vpc)
    remember(stage, theirs, stage.network.subnet, stage.network.table)
    for named in (stage.network.subnet, stage.network.table, stage.network.vpc):
        assert set(across(stage, change(named))) == {stage.network.scope, theirs}


def test_a_group_that_is_associated_elsewhere_concerns_that_vpc(stage: Stage) -> None:
    """Its rules decide the traffic to an endpoint of another account's VPC."""
    remember(stage, THEIRS, stage.network.group)
    assert set(across(stage, change(stage.network.group))) == {stage.network.scope, THEIRS}


def test_a_route_to_a_shared_gateway_concerns_no_other_account(stage: Stage) -> None:
    """Otherwise each route of one account would make all others be read again."""
    gateway = f"tgw-{ABSENT}"
    remember(stage, THEIRS, gateway)
    assert set(across(stage, change(stage.network.table, gateway))) == {stage.network.scope}


def test_the_scopes_of_other_accounts_are_bounded(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first ones are evaluated, the others by the next sweep."""
    monkeypatch.setattr(scope_resolver, "MAX_OTHERS", 2)
    users = [Scope(MEMBER, HOME.name, f"vpc-0aaaaaaaaaaaaaaa{n}") for n in range(4)]
    for each in users:
        remember(stage, each, SHARED_LIST)
    assert list(across(stage, change(SHARED_LIST))) == users[:2]


def test_another_account_is_asked_for_nothing(stage: Stage) -> None:
    """EC2 is asked in the account of the change; the index knows the others."""
    remember(stage, THEIRS, stage.network.table)
    asked: list[Region] = []

    def client_of(region: Region) -> Any:
        asked.append(region)
        return stage.client_of(region)

    resolver = ScopeResolver(client_of, stage.store.resource_index, {HOME.account, MEMBER})
    assert THEIRS in resolver.resolve([change(stage.network.table)]).scopes
    assert asked == [HOME]
