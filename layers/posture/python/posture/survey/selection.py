"""Selects what a survey reads: the kinds of facts in the accounts that a change concerns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import chain

from posture.changes.shared_events import NETWORK_MANAGER, RAM, ROUTE53
from posture.model.change import Change
from posture.model.scope import Region
from posture.model.shared_kind import FACETS, SharedKind
from posture.model.shared_network import SharedNetwork

GLOBAL = frozenset({ROUTE53, NETWORK_MANAGER})  # services whose events come from one Region only
NEVER = datetime.min.replace(tzinfo=UTC)
FRESH = timedelta(minutes=15)  # a part that an event or a former try read is not read again

Kinds = Mapping[str, frozenset[SharedKind]]  # by account
PartTimes = Mapping[tuple[SharedKind, str], datetime]


def concerns(change: Change, home: Region, accounts: frozenset[str]) -> bool:
    """Return whether a survey of these accounts can see what a call changed.

    What an account that is not watched changes may concern the watched ones, if it spreads.
    """
    here = change.region.name == home.name or change.event_source in GLOBAL
    return bool(change.kinds) and here and (change.region.account in accounts or change.spreads)


def select_accounts(
    change: Change, network: SharedNetwork, accounts: frozenset[str]
) -> frozenset[str]:
    """Select the watched accounts that see what a call changed.

    The account of the call is one of them. If the change spreads, so are the owners of what it
    names, and with AWS RAM those that use it. Of a call that names nothing that a survey has seen,
    any account may see the effect; a peering connection is seen by the owners of both VPCs.
    """
    selected = {change.region.account}
    if change.spreads:
        seen = _index_accounts(network, with_users=change.event_source == RAM)
        named = (change.resource_ids | change.other_vpc_ids) & seen.keys()
        if named <= network.vpcs.keys() and change.kinds != {SharedKind.PEERINGS}:
            return accounts
        selected.update(*(seen[each] for each in named))
    return accounts & selected


def _index_accounts(network: SharedNetwork, *, with_users: bool) -> Mapping[str, frozenset[str]]:
    """Index the accounts by the ids of what they own, connect or use."""
    index: dict[str, set[str]] = defaultdict(set)
    for name, account in (
        *_list_owners(network),
        *(_list_users(network) if with_users else ()),
    ):
        if account:
            index[name].add(account)
    return {name: frozenset(found) for name, found in index.items()}


def _list_owners(network: SharedNetwork) -> Iterator[tuple[str, str]]:
    yield from ((each.id, each.account) for each in network.vpcs.values())
    yield from ((each.id, each.owner) for each in network.zones.values())
    yield from ((each.id, each.owner) for each in network.rules.values())
    yield from ((each.id, each.account) for each in network.resolvers.values())
    yield from ((each.id, each.owner) for each in network.profiles.values())
    owners = {each.id: each.owner for each in network.gateways.values()}
    yield from owners.items()
    yield from ((it.id, owners.get(it.gateway_id, "")) for it in network.tables.values())
    for each in network.attachments.values():
        yield each.id, each.resource_owner
        yield each.id, owners.get(each.gateway_id, "")
    for peering in network.peerings.values():
        yield peering.id, peering.requester.account
        yield peering.id, peering.accepter.account


def _list_users(network: SharedNetwork) -> Iterator[tuple[str, str]]:
    for vpc in network.vpcs.values():
        profiles = (each.profile_id for each in vpc.profiles)
        yield from ((each, vpc.account) for each in (*vpc.rule_ids, *profiles))
    yield from ((it.gateway_id, it.resource_owner) for it in network.attachments.values())


def select_all(
    accounts: Iterable[str], times: PartTimes, now: datetime, former: SharedNetwork | None = None
) -> dict[str, frozenset[SharedKind]]:
    """Select every kind in all accounts, except what was just read completely.

    What was denied is read again at once: the permission may have been granted since.
    """
    unread = {(each.facet, each.account) for each in former.unread} if former else set()
    kinds = {
        account: frozenset(
            kind
            for kind in SharedKind
            if not now - FRESH < times.get((kind, account), NEVER) <= now
            or any((facet, account) in unread for facet in FACETS[kind])
        )
        for account in accounts
    }
    return sort_accounts({account: it for account, it in kinds.items() if it}, times, now)


def sort_accounts(
    kinds: Kinds, times: PartTimes, now: datetime
) -> dict[str, frozenset[SharedKind]]:
    """Sort accounts: those whose parts were read longest ago, and between them others by lot.

    Parts that cannot be read stay the oldest: accounts that take all the time of a survey would
    keep the others from being read.
    """
    oldest = {
        account: min(times.get((kind, account), NEVER) for kind in wanted)
        for account, wanted in kinds.items()
    }
    by_age = sorted(kinds, key=lambda it: (oldest[it], it))
    by_lot = sorted(kinds, key=lambda it: sha256(f"{now} {it}".encode()).digest())
    ordered = chain.from_iterable(zip(by_age, by_lot, strict=True))
    return {each: kinds[each] for each in dict.fromkeys(ordered)}
