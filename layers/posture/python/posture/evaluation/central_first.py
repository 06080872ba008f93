"""Stores the snapshots of central VPCs before the VPCs that use them are evaluated.

A VPC is stored as central when it is observed. If a sweep observed spokes before their hub, the
answers of each would be unknown until the hub's turn. So the VPCs that shared facts name and of
which no snapshot is stored are found and read first, whichever account they are in.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING, Protocol, TypeVar

from aws_lambda_powertools import Logger

from posture.analysis.central.network_index import index_network
from posture.model.scope import Region, Scope

if TYPE_CHECKING:
    from posture.evaluation.shared_facts import SharedFacts
    from posture.model.network import Snapshot
    from posture.model.shared_network import SharedNetwork
    from posture.runtime.deadline import Deadline

ACCOUNTS_AT_ONCE = 8
MOST_ASKED = 200  # accounts that are asked for endpoints whose owner no fact names, at one time
MOST_BY_ADDRESS = 16  # VPCs that are read since an address of a record is in their blocks
AWS_DOMAINS = (".amazonaws.com", ".amazonaws.com.cn", ".aws")

K = TypeVar("K", str, Scope)
T = TypeVar("T")

logger = Logger()


class CentralObserver(Protocol):
    """What reads the VPCs of one account."""

    region: Region

    def collect_vpc(self, scope: Scope) -> Snapshot | None:
        """Collect the snapshot of a VPC; None if it does not exist."""

    def find_vpcs_of_endpoints(self, ids: Collection[str]) -> Mapping[str, str]:
        """Find the VPC of each of these endpoints that the account has."""


class _Watched:
    """The observers of the own account and of its members, of which few are needed."""

    def __init__(self, home: CentralObserver, members: Mapping[str, CentralObserver]) -> None:
        self._home = home
        self._members = members

    def __contains__(self, account: str) -> bool:
        return account == self._home.region.account or account in self._members

    def __getitem__(self, account: str) -> CentralObserver:
        return self._home if account == self._home.region.account else self._members[account]

    def __iter__(self) -> Iterator[str]:
        return chain((self._home.region.account,), self._members)


def store_central_vpcs(
    shared: SharedFacts,
    home: CentralObserver,
    members: Mapping[str, CentralObserver],
    deadline: Deadline,
) -> tuple[str, ...]:
    """Store the central VPCs that shared facts name and of which no snapshot is stored.

    Costs no call where all are stored, and nothing for members that no fact names. An account is
    asked for an endpoint or a VPC once in the life of `shared`: a record may point to an endpoint
    that was deleted. What fails is left to the evaluation of the VPC itself.

    Args:
        shared: The shared network.
        home: The observer of the monitor's own account.
        members: Those of the other watched accounts, by account.
        deadline: When to stop.

    Returns:
        The ids of the VPCs that were stored.

    Raises:
        ConflictError, CorruptItemError: The shared network cannot be read.
    """
    network = shared.load().network
    watched = _Watched(home, members)
    scopes = dict.fromkeys(_list_named_vpcs(network))
    for scope in _locate_endpoints(shared, network, watched, deadline):
        scopes[scope] = None
    unread = [
        each
        for each in scopes
        if each.account in watched
        and each.subject not in network.central_vpcs
        and each.subject not in shared.asked_of(each.account)
    ]
    if not unread or not deadline.allows():
        return ()
    with deadline.step():
        read = _run(unread, lambda it: watched[it.account].collect_vpc(it))
    for scope in read:
        shared.asked_of(scope.account).add(scope.subject)
    stored = [each for each in read.values() if each and shared.keep_if_central(each)]
    if stored:
        logger.info("central VPCs stored", extra={"vpcs": [each.vpc.id for each in stored]})
    return tuple(each.vpc.id for each in stored)


def _locate_endpoints(
    shared: SharedFacts,
    network: SharedNetwork,
    watched: _Watched,
    deadline: Deadline,
) -> Iterator[Scope]:
    """Find the VPCs of endpoints that are named and in no stored VPC.

    The accounts whose facts name them are asked first: they most often own them. Of thousands of
    others some are asked now, the rest the next time or when they are swept themselves.
    """
    owners = _find_owners(network)
    lost = frozenset(owners)
    naming = frozenset(chain.from_iterable(owners.values()))
    others = (each for each in watched if each not in naming)
    for candidates, most in ((sorted(naming), None), (others, MOST_ASKED)):
        if not lost or not deadline.allows():
            return
        asked = (
            (account, ids)
            for account in candidates
            if account in watched and (ids := lost - shared.asked_of(account))
        )
        wanted = dict(islice(asked, most))
        if not wanted:
            continue
        find = partial(_find_endpoints, watched, wanted)
        with deadline.step():
            found = _run(wanted, find)
        for account, vpcs in found.items():
            shared.asked_of(account).update(wanted[account])
            lost -= vpcs.keys()
            for vpc_id in vpcs.values():
                yield Scope(account, network.region, vpc_id)


def _find_endpoints(
    watched: _Watched, ids: Mapping[str, frozenset[str]], account: str
) -> Mapping[str, str]:
    return watched[account].find_vpcs_of_endpoints(ids[account])


def _list_named_vpcs(network: SharedNetwork) -> Iterable[Scope]:
    """List the VPCs that facts name themselves: by a Resolver endpoint, or by an address."""
    for resolver in network.resolvers.values():
        yield Scope(resolver.account, network.region, resolver.vpc_id)
    index = index_network(network)
    known = [block for blocks in index.central_blocks.values() for block in blocks]
    addresses = {
        address
        for zone_id, named in index.named_by_zone.items()
        if f".{network.zones[zone_id].name}".endswith(AWS_DOMAINS)
        for address in named.addresses
        if not any(address in block for block in known)
    }
    having = (
        each
        for each in network.vpcs.values()
        if any(address in block for address in addresses for block in each.cidrs)
    )
    for _, vpc in zip(range(MOST_BY_ADDRESS), having, strict=False):
        yield Scope(vpc.account, network.region, vpc.id)


def _find_owners(network: SharedNetwork) -> dict[str, frozenset[str]]:
    """Find the endpoints of no stored VPC, each with the accounts whose facts name it."""
    index = index_network(network)
    found: dict[str, set[str]] = {}
    for zone_id, named in index.named_by_zone.items():
        for endpoint_id in named.endpoint_ids - index.vpc_of_endpoint.keys():
            found.setdefault(endpoint_id, set()).add(network.zones[zone_id].owner)
    for profile in network.profiles.values():
        for endpoint_id in frozenset(profile.endpoint_ids) - index.vpc_of_endpoint.keys():
            found.setdefault(endpoint_id, set()).add(profile.owner)
    return {name: frozenset(accounts) for name, accounts in found.items()}


def _run(keys: Collection[K], read: Callable[[K], T]) -> dict[K, T]:
    """Run reads side by side; one that fails is logged and left out."""

    def attempt(key: K) -> list[T]:
        try:
            return [read(key)]
        except Exception:
            logger.exception("central VPCs not read", extra={"of": str(key)})
            return []

    with ThreadPoolExecutor(ACCOUNTS_AT_ONCE, thread_name_prefix="central") as pool:
        results = zip(keys, pool.map(attempt, keys), strict=True)
        return {key: result for key, found in results for result in found}
