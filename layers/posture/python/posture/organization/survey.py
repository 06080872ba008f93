"""The survey of a Region: each kind of facts of the shared network, in every account.

https://docs.aws.amazon.com/whitepapers/latest/building-scalable-secure-multi-vpc-network-infrastructure/centralized-access-to-vpc-private-endpoints.html
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import field, replace
from datetime import datetime
from functools import partial

from posture.lean_dataclass import dataclass
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
from posture.runtime.clock import TimeSource, utc_now
from posture.runtime.deadline import Deadline

AT_ONCE = 8  # accounts
ALL_KINDS = frozenset(SharedKind)
NO_TIME = "no time was left"

ClientsOf = Callable[[str], ServiceClients]  # called with the account
PartKey = tuple[SharedKind, str]  # the account


@dataclass(frozen=True, slots=True)
class SurveyPlan:
    """Which kinds are read in which accounts, in this order.

    `accounts` are all that are watched, whether they are read now or not. `former` is the network
    of the surveys before, `read_at` when each part of it was read, and `changed` are VPCs that a
    change names.
    """

    region: str
    accounts: frozenset[str]
    kinds: Mapping[str, frozenset[SharedKind]]  # by account
    former: SharedNetwork | None = None
    read_at: Mapping[PartKey, datetime] = field(default_factory=dict)
    changed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class AccountSurvey:
    """What was read in one account, and why the other kinds were not."""

    account: str
    parts: tuple[SurveyPart, ...]
    failed: Mapping[SharedKind, str] = field(default_factory=dict)


def survey_accounts(
    clients_of: ClientsOf,
    plan: SurveyPlan,
    now: TimeSource = utc_now,
    deadline: Deadline | None = None,
) -> Iterator[AccountSurvey]:
    """Survey accounts, some at once; yield each when it is read. One that fails stops no other.

    Args:
        clients_of: Returns the clients of an account; they are dropped when it is read.
        plan: What is read where.
        now: The current time.
        deadline: When it allows no more, the remaining accounts fail for lack of time.
    """
    pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="survey")
    try:
        survey = _Survey(clients_of, plan, now, deadline or Deadline())
        for done in as_completed([pool.submit(survey.read, each) for each in plan.kinds]):
            yield done.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


@dataclass(frozen=True, slots=True)
class _Survey:
    clients_of: ClientsOf
    plan: SurveyPlan
    now: TimeSource
    deadline: Deadline

    def read(self, account: str) -> AccountSurvey:
        """Read an account, as long as there is time for the next kind."""
        parts: list[SurveyPart] = []
        failed: dict[SharedKind, str] = {}
        clients: ServiceClients | None = None
        for kind in sorted(self.plan.kinds[account]):
            if not self.deadline.allows():
                failed[kind] = NO_TIME
                continue
            try:
                clients = clients or self.clients_of(account)
                with self.deadline.step():
                    parts.append(read_part(clients, self.plan, kind, account, self.now()))
            except Exception as error:  # noqa: BLE001 - one that fails must not lose the others
                failed[kind] = describe_failure(error, f"the survey of {kind}")
        return AccountSurvey(account, tuple(parts), failed)


def read_part(
    clients: ServiceClients, plan: SurveyPlan, kind: SharedKind, account: str, now: datetime
) -> SurveyPart:
    """Read one kind of facts in one account. What is denied is an unread fact of the part.

    Raises:
        ClientError, BotoCoreError: Throttling or a failure outlasted the retries.
    """
    reader = Reader(
        account=account,
        region=plan.region,
        clients=clients,
        now=now,
        accounts=plan.accounts,
        former=plan.former,
        read_at=plan.read_at.get((kind, account)),
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
    plan = SurveyPlan(
        region, frozenset(accounts), dict.fromkeys(sorted(accounts), frozenset(kinds))
    )
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
