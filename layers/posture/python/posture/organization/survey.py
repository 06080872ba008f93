"""The survey of a Region: each kind of facts of the shared network, in every account.

https://docs.aws.amazon.com/whitepapers/latest/building-scalable-secure-multi-vpc-network-infrastructure/centralized-access-to-vpc-private-endpoints.html
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial

from posture.model.shared_kind import FACETS, SharedKind
from posture.model.shared_network import SharedNetwork, UnreadFact
from posture.model.survey import SurveyPart, merge_parts
from posture.organization.clients import ServiceClients
from posture.organization.core_networks import read_core_networks
from posture.organization.failures import describe_failure
from posture.organization.profiles import read_profiles
from posture.organization.reader import Reader
from posture.organization.resolver import read_resolver
from posture.organization.transit import read_peerings, read_transit
from posture.organization.zones import read_zones

AT_ONCE = 8  # accounts
ALL_KINDS = frozenset(SharedKind)

ClientsOf = Callable[[str], ServiceClients]  # called with the account
TimeSource = Callable[[], datetime]
PartKey = tuple[SharedKind, str]  # the account


def utc_now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class SurveyPlan:
    """Which kinds are read in which accounts.

    `accounts` are all that are watched, whether they are read now or not. `former` are the parts
    of the survey before, by kind and account, `changed` VPCs that a change names.
    """

    region: str
    accounts: frozenset[str]
    kinds: Mapping[str, frozenset[SharedKind]]  # by account
    former: Mapping[PartKey, SurveyPart] = field(default_factory=dict)
    changed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class AccountSurvey:
    """What was read in one account, and why the other kinds failed in spite of retries."""

    account: str
    parts: tuple[SurveyPart, ...]
    failed: Mapping[SharedKind, str] = field(default_factory=dict)


def survey_accounts(
    clients_of: ClientsOf, plan: SurveyPlan, now: TimeSource = utc_now
) -> Iterator[AccountSurvey]:
    """Survey accounts, some at once; yield each when it is read. One that fails stops no other.

    Args:
        clients_of: Returns the clients of an account; they are dropped when it is read.
        plan: What is read where.
        now: The current time.
    """
    pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="survey")
    try:
        read = partial(_survey_account, clients_of, plan, now)
        for done in as_completed([pool.submit(read, each) for each in sorted(plan.kinds)]):
            yield done.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _survey_account(
    clients_of: ClientsOf, plan: SurveyPlan, now: TimeSource, account: str
) -> AccountSurvey:
    clients = clients_of(account)
    parts: list[SurveyPart] = []
    failed: dict[SharedKind, str] = {}
    for kind in sorted(plan.kinds[account]):
        try:
            parts.append(read_part(clients, plan, kind, account, now()))
        except Exception as error:  # noqa: BLE001 - one kind that fails must not lose the others
            what = getattr(error, "operation_name", "") or f"the survey of {kind}"
            failed[kind] = describe_failure(error, what)
    return AccountSurvey(account, tuple(parts), failed)


def read_part(
    clients: ServiceClients, plan: SurveyPlan, kind: SharedKind, account: str, now: datetime
) -> SurveyPart:
    """Read one kind of facts in one account. What is denied is an unread fact of the part.

    Raises:
        ClientError, BotoCoreError: Throttling or a failure outlasted the retries.
    """
    former = plan.former.get((kind, account))
    reader = Reader(
        account, plan.region, clients, now, plan.accounts, former.network if former else None
    )
    readers: Mapping[SharedKind, Callable[[Reader], SharedNetwork]] = {
        SharedKind.ZONES: partial(read_zones, changed=plan.changed),
        SharedKind.RESOLVER: read_resolver,
        SharedKind.PROFILES: read_profiles,
        SharedKind.TRANSIT: read_transit,
        SharedKind.PEERINGS: read_peerings,
        SharedKind.CORE: read_core_networks,
    }
    network = replace(
        readers[kind](reader), accounts=frozenset({account}), unread=tuple(reader.unread)
    )
    return SurveyPart(kind, account, network)


def survey_network(  # noqa: PLR0913 - what a caller chooses, two of them with a default
    clients_of: ClientsOf,
    region: str,
    accounts: Collection[str],
    kinds: Iterable[SharedKind] = ALL_KINDS,
    now: TimeSource = utc_now,
    *,
    advance: Callable[[str], None] = lambda _: None,
) -> SharedNetwork:
    """Survey all accounts once. What fails in spite of retries is an unread fact, as if denied.

    Args:
        clients_of: Returns the clients of an account.
        region: The Region.
        accounts: The accounts, at least one.
        kinds: The kinds of facts to read.
        now: The current time.
        advance: Called with each account that was read.

    Returns:
        The shared network, without the snapshots of central VPCs.
    """
    plan = SurveyPlan(region, frozenset(accounts), dict.fromkeys(accounts, frozenset(kinds)))
    parts: list[SurveyPart] = []
    for survey in survey_accounts(clients_of, plan, now):
        parts += survey.parts
        parts += (
            build_unread_part(plan, kind, survey.account, why, now())
            for kind, why in survey.failed.items()
        )
        advance(survey.account)
    return merge_parts(region, parts, now())


def build_unread_part(
    plan: SurveyPlan, kind: SharedKind, account: str, why: str, now: datetime
) -> SurveyPart:
    """Build a part of which nothing could be read: each of its operations is unread."""
    facets = FACETS[kind]
    network = SharedNetwork(
        region=plan.region,
        observed_at=now,
        accounts=frozenset({account}),
        unread=tuple(UnreadFact(facet, account, why) for facet in facets),
    )
    return SurveyPart(kind, account, network)
