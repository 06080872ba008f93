"""The sweep of members that the baseline table holds: one account at a time, beside the others.

The scheduled sweep asks for every member; the table's stream hands each of them to a worker. A
record of the stream only says where to look: the item says what is to be done. What fails is
written there, not returned to the stream, which would hold up the accounts behind it: the write is
a record of its own, at the end of the stream, and there the account gets its next attempt
(docs/decisions/0103-sweep-members-from-a-stream.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger

from posture.ec2.members import MemberObservers
from posture.ec2.observer import Observer
from posture.errors import CorruptItemError, describe_error
from posture.evaluation.account_sweep import store_central_first, sweep_accounts
from posture.evaluation.region_sweep import RegionSweep
from posture.evaluation.sweep_result import SweepResult, merge_results
from posture.lean_dataclass import dataclass
from posture.model.member import Member, MemberFigures, measure_members, select_to_ask
from posture.model.scope import Region
from posture.runtime.clock import TimeSource, utc_now
from posture.runtime.deadline import Deadline
from posture.store.baselines import BaselineTable
from posture.store.members import MemberTable
from posture.store.scope_store import Store

if TYPE_CHECKING:
    from posture.evaluation.shared_facts import SharedFacts

LEFT = "account no longer monitored"
ATTEMPTS = 3  # until the next sweep asks; the client's own retries are within each
MAX_ATTEMPTS = 20  # of an account that is so large that each attempt sweeps a part of it
ASKED_AT_ONCE = 8
MAX_NAMED = 5  # items that a message names
NEVER_ENDED = "its last attempts did not end: the function ran out of memory or time, or crashed"

logger = Logger()


@dataclass(frozen=True, slots=True)
class AskedMembers:
    """What became of asking for the members; `left` are those that there was no time for."""

    figures: MemberFigures
    asked: int = 0
    left: int = 0
    unreadable: Mapping[str, str] = field(default_factory=dict)

    def count_metrics(self) -> dict[str, int]:
        """Count the metrics, by name."""
        return {
            "MembersActive": self.figures.active,
            "MembersLeft": self.figures.left,
            "MembersDue": self.figures.due,
            "MembersNeverSwept": self.figures.never_swept,
            "MembersFailing": self.figures.failing,
            "MembersAsked": self.asked,
            "MembersNotAsked": self.left,
            "MembersUnreadable": len(self.unreadable),
            "FutureTimes": self.figures.ahead,
        }

    def require_complete(self) -> None:
        """Raise an error if the item of a member could not be read.

        Raises:
            CorruptItemError: It names the items, and what is wrong with them.
        """
        if self.unreadable:
            raise CorruptItemError("; ".join(list(self.unreadable.values())[:MAX_NAMED]))


def ask_for_members(
    table: MemberTable, home: str, deadline: Deadline | None = None, now: TimeSource = utc_now
) -> AskedMembers:
    """Ask for a sweep of every member, those first that were swept longest ago.

    Those that there is no time for come first the next time.

    Args:
        table: The members.
        home: The monitor's own account, which the schedule sweeps itself.
        deadline: When to stop.
        now: The current time.

    Raises:
        ClientError, BotoCoreError: DynamoDB does not answer.
    """
    deadline = deadline or Deadline()
    stored, at = table.load(), now()
    members = [each for each in stored.members if each.account != home]
    for name, reason in stored.unreadable.items():
        logger.error("member not read", extra={"account": name, "reason": reason})
    for member in members:
        if ahead := member.list_ahead(at):
            extra = {"account": member.account, "attributes": ahead}
            logger.error("stored time was in the future", extra=extra)
    wanted = select_to_ask(members, at)

    def ask(member: Member) -> bool:
        return deadline.allows() and table.ask(member.account, at, member.list_ahead(at))

    with ThreadPoolExecutor(ASKED_AT_ONCE, thread_name_prefix="ask") as pool:
        asked = sum(pool.map(ask, wanted))
    figures = measure_members(members, at)
    return AskedMembers(figures, asked, len(wanted) - asked, stored.unreadable)


def keep_home_swept(table: MemberTable, home: str, began_at: datetime) -> None:
    """Record that the monitor's own account was swept, where the organization lists it as well."""
    if member := table.get(home):
        table.complete(member, began_at)


@dataclass(slots=True)
class MemberResult:
    """What became of the members of a batch. `records` are those to receive again."""

    region: Region
    sweep_results: list[SweepResult] = field(default_factory=list)
    complete: int = 0  # members
    ended: int = 0  # members that left, each counted once
    postponed: int = 0  # members that get another attempt
    given_up: dict[str, str] = field(default_factory=dict)  # the reason by account
    records: list[str] = field(default_factory=list)

    def build_response(self) -> dict[str, list[dict[str, str]]]:
        """Build the partial batch response.

        https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
        """
        return {"batchItemFailures": [{"itemIdentifier": each} for each in self.records]}

    def count_metrics(self) -> dict[str, int]:
        """Count the metrics, by name."""
        return {
            **merge_results(self.region, self.sweep_results).count_metrics(),
            "AccountsNotSwept": len(self.given_up),
            "MembersSwept": self.complete,
            "MembersEnded": self.ended,
            "MembersPostponed": self.postponed,
        }


class MemberSweeper:
    """Sweeps the members that records of the baseline table's stream name.

    Args:
        table: The members.
        home: Observes the monitor's own account and Region.
        members: Observe the members.
        store: Where findings are recorded.
        baselines: What is required.
        shared: The network that VPCs share; None where it is not read.
        now: The current time.
    """

    def __init__(  # noqa: PLR0913 - the ports
        self,
        table: MemberTable,
        home: Observer,
        members: MemberObservers,
        store: Store,
        baselines: BaselineTable,
        *,
        shared: SharedFacts | None = None,
        now: TimeSource = utc_now,
    ) -> None:
        self._table = table
        self._home = home
        self._members = members
        self._store = store
        self._baselines = baselines
        self._shared = shared
        self._now = now

    def sweep(self, event: Mapping[str, Any], deadline: Deadline | None = None) -> MemberResult:
        """Sweep the members of a batch, each of them once.

        A record is to be received again only if its member could not be looked up or what became
        of it could not be written, or if no time was left for it.

        Args:
            event: Stream records of the baseline table.
            deadline: When to stop.
        """
        deadline = deadline or Deadline()
        result = MemberResult(self._home.region)
        for account, records in _group_records(event["Records"]).items():
            try:
                if not deadline.allows():
                    result.records += records
                elif member := self._table.get(account):
                    self._settle(member, result, deadline)
            except CorruptItemError as error:  # it is not read, however often it is tried
                logger.exception("member not read", extra={"account": account})
                result.given_up[account] = str(error)
            except Exception:
                logger.exception("member not settled", extra={"account": account})
                result.records += records
        return result

    def _settle(self, member: Member, result: MemberResult, deadline: Deadline) -> None:
        began_at = self._now()
        if not member.is_due(began_at) or member.account == self._home.region.account:
            return
        if member.begun_at and member.attempts >= ATTEMPTS:
            self._give_up(member, began_at, NEVER_ENDED, result)
            return
        if not self._table.begin(member, began_at):
            return
        sweep_result = self._sweep(member, deadline)
        result.sweep_results.append(sweep_result)
        if missing := "; ".join(sweep_result.describe_missing()):
            self._postpone(member, began_at, sweep_result, missing, result)
            return
        self._table.complete(member, began_at)
        result.complete += member.is_active
        if member.has_just_left:
            extra = {"account": member.account, "decided_by": member.named_by or member.source}
            logger.warning("account is no longer a member", extra=extra)
            result.ended += 1

    def _sweep(self, member: Member, deadline: Deadline) -> SweepResult:
        """Sweep an account, or end the findings of one that left."""
        observer = self._members.open(member.account)
        try:
            if not member.is_active:
                sweep = RegionSweep(observer, self._store, self._baselines, self._shared)
                return sweep.end(LEFT, deadline)
            if self._shared:
                # Of other accounts as well, or what this one depends on would be unknown at first.
                store_central_first(self._shared, self._home, self._members, deadline)
            return sweep_accounts(
                observer,
                (),
                self._store,
                self._baselines,
                deadline=deadline,
                shared=self._shared,
                since=member.due_at,
            )
        except Exception as error:
            logger.exception("member not swept", extra={"account": member.account})
            region = observer.region
            return SweepResult(region, failed_regions={region: describe_error(error)})

    def _postpone(
        self,
        member: Member,
        began_at: datetime,
        sweep_result: SweepResult,
        missing: str,
        result: MemberResult,
    ) -> None:
        """Leave a member to a later attempt, behind all others, as long as that makes sense."""
        goes_on = bool(sweep_result.remaining and sweep_result.results)
        if member.attempts + 1 < (MAX_ATTEMPTS if goes_on else ATTEMPTS):
            extra = {"account": member.account, "attempts": member.attempts + 1, "reason": missing}
            logger.warning("sweep of member not complete, tried again", extra=extra)
            self._table.postpone(member, missing)
            result.postponed += 1
        else:
            self._give_up(member, began_at, missing, result)

    def _give_up(
        self, member: Member, began_at: datetime, reason: str, result: MemberResult
    ) -> None:
        logger.error("member not swept", extra={"account": member.account, "reason": reason})
        self._table.give_up(member, began_at, reason)
        result.given_up[member.account] = reason


def _group_records(records: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Group the records, by their sequence numbers, by the accounts that they name."""
    accounts: dict[str, list[str]] = {}
    for each in records:
        changed = each["dynamodb"]
        account = changed["Keys"]["name"]["S"]
        accounts.setdefault(account, []).append(str(changed["SequenceNumber"]))
    return accounts
