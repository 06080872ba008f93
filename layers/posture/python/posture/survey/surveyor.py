"""Surveys the shared network for a batch of changes, or all of it for the schedule.

An account or kind that cannot be read hinders no other. What was stored of it stays for a day, with
the time at which it was read, so the network as a whole is as old as its oldest part; after that it
is unread. Access that is denied is no failure: it is stored as an unread fact at once, and what
would need the fact is unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from datetime import datetime, timedelta

from aws_lambda_powertools import Logger

from posture.changes.batch import ReceivedChange, RejectedRecord, parse_sqs_event
from posture.errors import CorruptItemError, SurveyIncompleteError
from posture.lean_dataclass import dataclass
from posture.model.change import Change
from posture.model.instant import format_iso
from posture.model.scope import Region
from posture.model.shared_kind import SharedKind
from posture.model.shared_network import SharedNetwork
from posture.model.survey import SurveyPart
from posture.organization.survey import (
    NO_TIME,
    AccountSurvey,
    ClientsOf,
    PartKey,
    SurveyPlan,
    build_unread_part,
    survey_accounts,
)
from posture.runtime.clock import TimeSource, utc_now
from posture.runtime.deadline import Deadline
from posture.store.rejections import LAST_TRY
from posture.store.shared_network import SharedNetworkTable
from posture.survey.selection import (
    PartTimes,
    concerns,
    select_accounts,
    select_all,
    sort_accounts,
)

KEPT = timedelta(days=1)  # how long facts are used that could not be read again
MAX_NAMED = 5  # parts that a message names
WRITTEN_AT_ONCE = 20  # accounts; what was written is kept if time runs out

logger = Logger()


@dataclass(slots=True)
class SurveyResult:
    """What became of a survey. `messages` are the ids of those that are to be received again."""

    region: Region
    changes: int = 0
    dropped: int = 0  # changes that concern no facts of the watched accounts in this Region
    read: int = 0  # parts
    changed: int = 0
    unread: int = 0  # facts that access was denied to, or that were malformed
    failed: dict[PartKey, str] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    age: float = 0.0  # seconds since the oldest part of the network was read

    def build_response(self) -> dict[str, list[dict[str, str]]]:
        """Build the partial batch response.

        https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
        """
        return {"batchItemFailures": [{"itemIdentifier": each} for each in self.messages]}

    def count_metrics(self) -> dict[str, int]:
        """Count the survey's metrics, by name."""
        return {
            "ChangesReceived": self.changes,
            "ChangesUnmonitored": self.dropped,
            "SharedPartsRead": self.read,
            "SharedPartsChanged": self.changed,
            "SharedPartsFailed": len(self.failed),
            "SharedFactsUnread": self.unread,
        }

    def require_complete(self) -> None:
        """Raise an error if anything could not be read.

        Raises:
            SurveyIncompleteError: It names what could not be read, and why.
        """
        if self.failed:
            named = [f"{kind} of {where}: {why}" for (kind, where), why in self.failed.items()]
            more = len(named) - MAX_NAMED
            rest = [f"and {more} more"] if more > 0 else []
            raise SurveyIncompleteError(
                f"{len(named)} parts of the shared network of {self.region.name} could not be "
                f"read: {'; '.join((*named[:MAX_NAMED], *rest))}"
            )


@dataclass(frozen=True, slots=True)
class Surveyor:
    """Surveys the shared network of a Region for one monitor.

    Args:
        table: Where the facts are stored.
        clients_of: Returns the clients of an account.
        home: The monitor's account and Region.
        accounts: The accounts that are watched.
        now: The current time.
    """

    table: SharedNetworkTable
    clients_of: ClientsOf
    home: Region
    accounts: frozenset[str]
    now: TimeSource = utc_now

    def survey_all(self, deadline: Deadline | None = None) -> SurveyResult:
        """Survey every account, as `sort_accounts` orders them.

        Raises:
            ClientError, BotoCoreError: DynamoDB does not answer.
        """
        result = SurveyResult(self.home)
        times = self.table.load_times(self.home.name, self.now())
        former = self._load_former()
        kinds = select_all(self.accounts, times, self.now(), former)
        plan = SurveyPlan(self.home.name, self.accounts, kinds, former, times)
        self._survey(result, plan, deadline or Deadline())
        times = self.table.load_times(self.home.name, self.now())
        result.age = measure_age(times, self.accounts, self.now())
        return result

    def survey_changes(
        self, event: Mapping[str, object], deadline: Deadline | None = None
    ) -> SurveyResult:
        """Survey what a batch of changes concerns.

        Args:
            event: The event that Lambda passes.
            deadline: When the last account must be begun.

        Raises:
            MalformedChangeError: It holds no changes.
            ClientError, BotoCoreError: DynamoDB does not answer; the batch must be retried.
        """
        batch = parse_sqs_event(event)
        result = SurveyResult(self.home, changes=batch.size)
        wanted = [
            each
            for each in batch.received
            if not each.is_forged and concerns(each.change, self.home, self.accounts)
        ]
        # No account that is not watched can fill the dead-letter queue.
        rejected = [it for it in batch.rejected if not it.sender or it.sender in self.accounts]
        result.dropped = batch.size - len(wanted) - len(rejected)
        self._reject(result, rejected)
        if wanted:
            self._survey_wanted(result, wanted, deadline or Deadline())
        return result

    def _survey_wanted(
        self, result: SurveyResult, wanted: Sequence[ReceivedChange], deadline: Deadline
    ) -> None:
        former = self._load_former()
        network = former or SharedNetwork(self.home.name, self.now())
        accounts = [select_accounts(each.change, network, self.accounts) for each in wanted]
        kinds: dict[str, frozenset[SharedKind]] = {}
        for each, concerned in zip(wanted, accounts, strict=True):
            for account in concerned:
                kinds[account] = kinds.get(account, frozenset()) | each.change.kinds
        now = self.now()
        times = self.table.load_times(self.home.name, now)
        kinds = sort_accounts(kinds, times, now)
        changed = frozenset(name for each in wanted for name in each.change.resource_ids)
        plan = SurveyPlan(self.home.name, self.accounts, kinds, former, times, changed)
        self._survey(result, plan, deadline, [each.change for each in wanted])
        for each, concerned in zip(wanted, accounts, strict=True):
            why = next(
                (
                    f"{kind} of {account}: {reason}"
                    for (kind, account), reason in result.failed.items()
                    if account in concerned and kind in each.change.kinds
                ),
                None,
            )
            if why is not None:
                self._fail(result, each, why)

    def _load_former(self) -> SharedNetwork | None:
        """Load the network of the surveys before; None if an item of it cannot be read.

        The survey replaces such an item.
        """
        try:
            return self.table.load(self.home.name, self.accounts, self.now()).network
        except CorruptItemError:
            logger.exception("stored network not read")
            return None

    def _survey(
        self,
        result: SurveyResult,
        plan: SurveyPlan,
        deadline: Deadline,
        changes: Sequence[Change] = (),
    ) -> None:
        """Survey as planned, and write what was read with the calls that may have changed it."""
        surveys = survey_accounts(self.clients_of, plan, self.now, deadline)
        for some in _batch(surveys, WRITTEN_AT_ONCE):
            parts = [part for each in some for part in each.parts]
            result.read += len(parts)
            parts += self._expire(plan, some)
            result.changed += self.table.write(
                self.home.name, parts, self.now(), changes, rewrite=plan.former is None
            )
            result.unread += sum(len(part.network.unread) for part in parts)
            for each in some:
                for kind, why in each.failed.items():
                    result.failed[kind, each.account] = why
                    extra = {"account": each.account, "kind": str(kind), "reason": why}
                    logger.error("part of the shared network not read", extra=extra)

    def _expire(self, plan: SurveyPlan, surveys: Iterable[AccountSurvey]) -> Iterator[SurveyPart]:
        """Yield parts without facts in place of those that could not be read again for too long."""
        now = self.now()
        for each in surveys:
            for kind, why in each.failed.items():
                read_at = plan.read_at.get((kind, each.account))
                if read_at is None and why != NO_TIME:
                    yield build_unread_part(plan, kind, each.account, why, now)
                elif read_at is not None and read_at < now - KEPT:
                    since = f"{why}; the facts of {format_iso(read_at)} are too old to be used"
                    yield build_unread_part(plan, kind, each.account, since, now)

    def _reject(self, result: SurveyResult, rejected: Iterable[RejectedRecord]) -> None:
        """Report messages that cannot be parsed; the queue moves them to its dead-letter queue."""
        for each in rejected:
            logger.error(
                "change rejected", extra={"message_id": each.message_id, "reason": each.reason}
            )
            result.messages.append(each.message_id)

    def _fail(self, result: SurveyResult, received: ReceivedChange, why: str) -> None:
        result.messages.append(received.message_id)
        if received.receive_count >= LAST_TRY:
            reason = f"failed {received.receive_count} times, the last time with: {why}"
            extra = {"message_id": received.message_id, "reason": reason}
            logger.error("change given up, as the dead-letter queue shows", extra=extra)


def measure_age(times: PartTimes, accounts: Iterable[str], now: datetime) -> float:
    """Measure how many seconds ago the oldest part of the watched accounts was read.

    A part that was never read has no age: it is missing, and named as unread.
    """
    watched = set(accounts)
    read = [at for (_, account), at in times.items() if account in watched]
    return max(0.0, (now - min(read)).total_seconds()) if read else 0.0


def _batch(surveys: Iterable[AccountSurvey], size: int) -> Iterator[list[AccountSurvey]]:
    batch: list[AccountSurvey] = []
    for each in surveys:
        batch.append(each)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
