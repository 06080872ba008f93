"""Which kinds of facts a survey reads in which accounts, after which change."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from organization_builders import (
    GATEWAY,
    HUB_ACCOUNT,
    HUB_TABLE,
    PROFILE,
    RESOLVER,
    Link,
    Names,
    build_organization,
    get_spoke_account,
)
from posture.model.change import Actor, Change
from posture.model.scope import Region
from posture.model.shared_kind import SharedKind
from posture.survey.selection import FRESH, concerns, select_accounts, select_all, sort_accounts

NOW = datetime(2026, 11, 28, 10, 30, tzinfo=UTC)
HOME = Region(HUB_ACCOUNT, "eu-west-1")
FIRST, SECOND = get_spoke_account(1), get_spoke_account(2)
UNMONITORED = "999999999999"
ZONES = frozenset({SharedKind.ZONES})
ACCOUNTS = frozenset({HUB_ACCOUNT, FIRST, SECOND})
ROUTE53, RAM, EC2 = "route53.amazonaws.com", "ram.amazonaws.com", "ec2.amazonaws.com"


def build_change(*ids: str, account: str = FIRST, **more: Any) -> Change:
    """Build a change of zones that other accounts see as well."""
    given: dict[str, Any] = {
        "event_source": ROUTE53,
        "region": Region(account, "us-east-1"),
        "kinds": frozenset({SharedKind.ZONES}),
        "spreads": True,
        **more,
    }
    return Change(
        event_id="1",
        event_name="AssociateVPCWithHostedZone",
        time=NOW,
        actor=Actor("arn", account, "AssumedRole"),
        source_ip="",
        user_agent="",
        vpc_ids=frozenset(),
        service_ids=frozenset(),
        resource_ids=frozenset(ids),
        **given,
    )


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, True),
        ({"account": UNMONITORED}, True),
        ({"account": UNMONITORED, "spreads": False}, False),
        ({"kinds": frozenset()}, False),
        ({"event_source": EC2}, False),
        ({"event_source": EC2, "region": Region(FIRST, "eu-west-1")}, True),
    ],
)
def test_a_change_concerns_the_survey_where_its_effect_is_seen(
    more: dict[str, Any], expected: bool
) -> None:
    """Events of global services come from another Region; those of others are not of this one."""
    assert concerns(build_change(**more), HOME, ACCOUNTS) is expected


def test_a_change_that_does_not_spread_is_read_where_it_was_made() -> None:
    """And nowhere if that account is not watched."""
    shared = build_organization().shared
    assert select_accounts(build_change(spreads=False), shared, ACCOUNTS) == {FIRST}
    change = build_change(account=UNMONITORED, spreads=False)
    assert select_accounts(change, shared, ACCOUNTS) == frozenset()


@pytest.mark.parametrize(
    ("names", "ids", "expected"),
    [
        (Names.ZONES, ["Z-kms.eu-west-1.amazonaws.com", "vpc-spoke1"], {FIRST, HUB_ACCOUNT}),
        (Names.FORWARDING, ["rslvr-rr-kms.eu-west-1.amazonaws.com"], {FIRST, HUB_ACCOUNT}),
        (Names.FORWARDING, [RESOLVER], {FIRST, HUB_ACCOUNT}),
        (Names.PROFILE, [PROFILE], {FIRST, HUB_ACCOUNT}),
        (Names.ZONES, [GATEWAY], {FIRST, HUB_ACCOUNT}),
        (Names.ZONES, [HUB_TABLE], {FIRST, HUB_ACCOUNT}),
        (Names.ZONES, ["tgw-attach-spoke2"], {FIRST, SECOND, HUB_ACCOUNT}),
    ],
)
def test_a_change_that_spreads_is_read_by_the_owners_of_what_it_names(
    names: Names, ids: list[str], expected: set[str]
) -> None:
    """Not by a thousand accounts that see nothing else of it."""
    shared = build_organization(names=names).shared
    assert select_accounts(build_change(*ids), shared, ACCOUNTS) == expected


def test_what_no_survey_has_seen_is_read_everywhere() -> None:
    """A VPC alone does not say which zone or gateway it was connected with."""
    shared = build_organization().shared
    assert select_accounts(build_change("Z-new", "vpc-spoke1"), shared, ACCOUNTS) == ACCOUNTS


def test_what_is_shared_by_ram_is_read_by_those_that_use_it() -> None:
    """They lose it when it is no longer shared, and no call of theirs shows that."""
    for names, shared_id in ((Names.PROFILE, PROFILE), (Names.ZONES, GATEWAY)):
        shared = build_organization(names=names).shared
        change = build_change(shared_id, account=HUB_ACCOUNT, event_source=RAM)
        assert select_accounts(change, shared, ACCOUNTS) == ACCOUNTS


def test_a_new_peering_connection_is_read_by_the_owners_of_both_vpcs() -> None:
    """No other account sees it, so it is not looked for elsewhere."""
    shared = build_organization(link=Link.PEERING).shared
    kinds = frozenset({SharedKind.PEERINGS})
    change = build_change(
        "pcx-new", "vpc-spoke1", kinds=kinds, other_vpc_ids=frozenset({"vpc-hub"})
    )
    assert select_accounts(change, shared, ACCOUNTS) == {FIRST, HUB_ACCOUNT}
    known = build_change("pcx-spoke2", account=SECOND, kinds=kinds)
    assert select_accounts(known, shared, ACCOUNTS) == {SECOND, HUB_ACCOUNT}


def test_the_schedule_reads_all_but_what_was_just_read_the_oldest_first() -> None:
    """A try after a failure, or one that ran out of time, goes on where the last one stopped."""
    times = {(kind, HUB_ACCOUNT): NOW - FRESH / 2 for kind in SharedKind}
    times |= {(kind, FIRST): NOW - timedelta(hours=6) for kind in SharedKind}
    times[SharedKind.ZONES, FIRST] = NOW
    kinds = select_all(ACCOUNTS, times, NOW)
    assert list(kinds) == [SECOND, FIRST]
    assert kinds[FIRST] == frozenset(SharedKind) - {SharedKind.ZONES}
    ahead = {(kind, HUB_ACCOUNT): NOW + timedelta(days=1) for kind in SharedKind}
    assert select_all({HUB_ACCOUNT}, ahead, NOW) == {HUB_ACCOUNT: frozenset(SharedKind)}


def test_accounts_are_sorted_by_their_oldest_part() -> None:
    """One that was never read comes first."""
    times = {(SharedKind.ZONES, FIRST): NOW, (SharedKind.ZONES, SECOND): NOW - FRESH}
    assert next(iter(sort_accounts(dict.fromkeys(ACCOUNTS, ZONES), times, NOW))) == HUB_ACCOUNT
    order = sort_accounts(dict.fromkeys((FIRST, SECOND), ZONES), times, NOW)
    assert list(order) == [SECOND, FIRST]


def test_accounts_that_cannot_be_read_leave_time_for_the_others() -> None:
    """Their parts stay the oldest, and they may take all the time of each survey of a day."""
    healthy = {f"{at:012}" for at in range(20)}
    kinds = dict.fromkeys((*healthy, *(f"9{at:011}" for at in range(100))), ZONES)
    times = {(SharedKind.ZONES, each): NOW for each in healthy}
    surveys = [NOW + timedelta(hours=hour) for hour in range(24)]
    begun = {each for at in surveys for each in list(sort_accounts(kinds, times, at))[:60]}
    assert healthy <= begun
    assert all(set(sort_accounts(kinds, times, at)) == kinds.keys() for at in surveys)
