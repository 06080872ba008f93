"""A storm of commits: claimed one by one, told together, so that people can still read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyAlreadyInProgressError,
    IdempotencyItemAlreadyExistsError,
)

from posture.alerts.digest import digests
from posture.alerts.rule_texts import Rules
from posture.notification.ports import Ports, name_of, rows_of
from posture.store.items import Entry
from posture.store.stream_records import Announced

CLAIMS = 8  # at once; each is a write and a read, of which ten fit in the connection pool
COMPLETED = "COMPLETED"  # as Powertools stores it

T = TypeVar("T")

logger = Logger()


class Storm:
    """Tells many commits together; each is claimed by itself, as when it is told alone."""

    def __init__(self, ports: Ports, rules: Rules) -> None:
        self._ports = ports
        self._rules = rules

    def tell(self, commits: Iterable[Announced], remaining: int) -> dict[Announced, Exception]:
        """Publish digests of the commits nobody told yet; give those to come again, and why.

        `remaining` are the milliseconds that this invocation has: no claim outlives it.
        """
        late: dict[Announced, Exception] = {}
        claimed: dict[Announced, tuple[Entry, ...]] = {}
        for commit, claim in side_by_side(lambda each: self._claim(each, remaining), commits):
            if isinstance(claim, Exception):
                late[commit] = claim
            elif claim:
                claimed[commit] = claim
        if not claimed:
            return late
        try:
            message_ids = self._publish([entry for rows in claimed.values() for entry in rows])
        except Exception as error:  # whatever fails, what was claimed is given back
            logger.exception("digest failed", extra={"commits": len(claimed)})
            side_by_side(partial(self._release, error=error), claimed)
            return late | dict.fromkeys(claimed, error)
        kept = side_by_side(lambda each: self._keep(each, message_ids), claimed)
        return late | {each: outcome for each, outcome in kept if isinstance(outcome, Exception)}

    def _claim(self, commit: Announced, remaining: int) -> tuple[Entry, ...]:
        """Claim a commit and give its rows; none where it was told already.

        Raises:
            IdempotencyAlreadyInProgressError: somebody else is telling it, or was killed at it.
            MissingHistoryError: it has no rows.
        """
        name = name_of(commit)
        try:
            self._ports.told.save_inprogress(name, remaining)
        except IdempotencyItemAlreadyExistsError as error:
            before = error.old_data_record or self._ports.told.get_record(name)
            if before and before.status == COMPLETED:
                return ()
            raise IdempotencyAlreadyInProgressError(str(commit)) from error
        try:
            return rows_of(self._ports.history, commit.scope, commit.commit)
        except Exception as error:
            self._release(commit, error=error)
            raise

    def _publish(self, entries: Sequence[Entry]) -> list[str]:
        messages = digests([entry.transition for entry in entries], self._rules)
        message_ids = [self._ports.topic.publish(each) for each in messages]
        self._ports.measure(entries, self._ports.now())
        extra = {"findings": len(entries), "message_ids": message_ids}
        logger.info("digests published", extra=extra)
        return message_ids

    def _keep(self, commit: Announced, message_ids: Sequence[str]) -> None:
        self._ports.told.save_success(name_of(commit), {"message_ids": list(message_ids)})

    def _release(self, commit: Announced, *, error: Exception) -> None:
        self._ports.told.delete_record(name_of(commit), error)


def side_by_side(
    act: Callable[[Announced], T], commits: Iterable[Announced]
) -> list[tuple[Announced, T | Exception]]:
    """Do something for each commit, several at once; give what each came to, or why not."""

    def attempt(commit: Announced) -> T | Exception:
        try:
            return act(commit)
        except Exception as error:  # one commit's failure is not the others'
            logger.exception("commit not told", extra=name_of(commit))
            return error

    with ThreadPoolExecutor(CLAIMS, thread_name_prefix="claim") as pool:
        ordered = list(commits)
        return list(zip(ordered, pool.map(attempt, ordered), strict=True))
