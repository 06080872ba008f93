"""Publish digests: many commits, each with its own claim, in few messages."""

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

from posture.alerts.digest import HistoryEnd, compose_digests, name_batch
from posture.alerts.rule_texts import RuleTexts
from posture.model.scope import Scope
from posture.notification.ports import NotificationPorts, build_commit_key, load_entries
from posture.store.digest_batches import build_batch_key, list_commits
from posture.store.items import CommitReference, Entry

MAX_WORKERS = 8  # each uses one connection; the connection pool holds ten
COMPLETED = "COMPLETED"  # the status that Powertools stores

T = TypeVar("T")

logger = Logger()


class DigestPublisher:
    """Publishes digests of many commits; each commit is claimed as for a single alert."""

    def __init__(self, ports: NotificationPorts, rules: RuleTexts) -> None:
        self._ports = ports
        self._rules = rules

    def publish(
        self, commits: Iterable[CommitReference], remaining: int
    ) -> dict[CommitReference, Exception]:
        """Publish digests of the commits that were not reported before.

        Args:
            commits: The commits to report.
            remaining: The milliseconds until this invocation ends, and with it each claim.

        Returns:
            The commits to retry, each with the error.
        """
        late: dict[CommitReference, Exception] = {}
        claimed: dict[CommitReference, tuple[Entry, ...]] = {}
        for commit, claim in run_concurrently(lambda each: self._claim(each, remaining), commits):
            if isinstance(claim, Exception):
                late[commit] = claim
            elif claim:
                claimed[commit] = claim
        if not claimed:
            return late
        try:
            message_ids = self._publish([entry for rows in claimed.values() for entry in rows])
        except Exception as error:  # whatever the error, release the claims
            logger.exception("digest failed", extra={"commits": len(claimed)})
            run_concurrently(partial(self._release, error=error), claimed)
            return late | dict.fromkeys(claimed, error)
        kept = run_concurrently(lambda each: self._keep(each, message_ids), claimed)
        return late | {each: outcome for each, outcome in kept if isinstance(outcome, Exception)}

    def _claim(self, commit: CommitReference, remaining: int) -> tuple[Entry, ...]:
        """Claim a commit and return its entries, or none if it was reported before.

        Raises:
            IdempotencyAlreadyInProgressError: Another invocation holds the claim, or ended
                without releasing it.
            MissingHistoryError: The commit has no history entries.
        """
        name = build_commit_key(commit)
        try:
            self._ports.idempotency.save_inprogress(name, remaining)
        except IdempotencyItemAlreadyExistsError as error:
            before = error.old_data_record or self._ports.idempotency.get_record(name)
            if before and before.status == COMPLETED:
                return ()
            raise IdempotencyAlreadyInProgressError(str(commit)) from error
        try:
            return load_entries(self._ports.history, commit.scope, commit.commit)
        except Exception as error:
            self._release(commit, error=error)
            raise

    def _publish(self, entries: Sequence[Entry]) -> list[str]:
        transitions = [entry.transition for entry in entries]
        # Before it is published: its reader can list what it counts at once.
        self._ports.idempotency.save_success(
            build_batch_key(name_batch(transitions)), list_commits(entries)
        )
        messages = compose_digests(
            transitions,
            self._rules,
            self._ports.stack,
            chat=self._ports.chat,
            ends=_find_ends(entries),
        )
        message_ids = [self._ports.topic.publish(each) for each in messages]
        self._ports.measure(entries, self._ports.now())
        extra = {"findings": len(entries), "message_ids": message_ids}
        logger.info("digests published", extra=extra)
        return message_ids

    def _keep(self, commit: CommitReference, message_ids: Sequence[str]) -> None:
        self._ports.idempotency.save_success(
            build_commit_key(commit), {"message_ids": list(message_ids)}
        )

    def _release(self, commit: CommitReference, *, error: Exception) -> None:
        self._ports.idempotency.delete_record(build_commit_key(commit), error)


def _find_ends(entries: Iterable[Entry]) -> dict[Scope, HistoryEnd]:
    """Find where the history of each scope ends, of the rows that are reported."""
    ends: dict[Scope, HistoryEnd] = {}
    for entry in entries:
        scope = entry.transition.finding.scope
        if entry.number > ends.get(scope, (0, ""))[0]:
            ends[scope] = entry.number, entry.digest
    return ends


def run_concurrently(
    act: Callable[[CommitReference], T], commits: Iterable[CommitReference]
) -> list[tuple[CommitReference, T | Exception]]:
    """Call a function for each commit in parallel; return each result or exception."""

    def attempt(commit: CommitReference) -> T | Exception:
        try:
            return act(commit)
        except Exception as error:  # an error of one commit must not stop the others
            logger.exception("commit not processed", extra=build_commit_key(commit))
            return error

    with ThreadPoolExecutor(MAX_WORKERS, thread_name_prefix="claim") as pool:
        ordered = list(commits)
        return list(zip(ordered, pool.map(attempt, ordered), strict=True))
