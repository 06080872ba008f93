"""The change that caused a transition, as far as it is known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from posture.lifecycle.bounds import truncate
from posture.model.change import Change, ChangeOutcome
from posture.model.finding import UNKNOWN_CAUSE, Attribution, Cause

WORDS = 500  # bytes; a user agent is any text that its sender chooses


def find_cause(
    changes: Iterable[Change], about: frozenset[str], *, subject: str, sure: bool = False
) -> Attribution:
    """Choose the cause among the changes that led to an evaluation.

    It is the latest change that names a resource in `about`; within one second, which is the
    resolution of CloudTrail's times, the one that names most of them. Changes that name only the
    scope itself come second, and then the latest change at all, unless it led to a sweep.

    Args:
        changes: The changes that led to the evaluation.
        about: The ids that the verdict concerns.
        subject: The id of the scope's VPC or endpoint service.
        sure: Whether only a change that names one of `about` counts. A fact that can no longer be
            read was not caused by the latest call.
    """
    applied = [change for change in changes if change.outcome is ChangeOutcome.APPLIED]
    near = [change for change in applied if change.resource_ids & (about - {subject})]
    far = [change for change in applied if change.resource_ids & about]
    chosen = _latest(near, about) or _latest(far, about)
    if chosen is None and not sure:
        chosen = _latest([change for change in applied if not change.sweeps], about)
    return Attribution(_cause(chosen)) if chosen else UNKNOWN_CAUSE


def _latest(changes: Sequence[Change], about: frozenset[str]) -> Change | None:
    return max(
        changes, key=lambda it: (it.time, len(it.resource_ids & about), it.event_id), default=None
    )


def _cause(change: Change) -> Cause:
    return Cause(
        event_id=truncate(change.event_id, WORDS),
        event_name=truncate(change.event_name, WORDS),
        actor=truncate(str(change.actor), WORDS),
        time=change.time,
        source_ip=truncate(change.source_ip, WORDS),
        user_agent=truncate(change.user_agent, WORDS),
        identity=truncate(change.actor.describe_identity(change.region.account), WORDS),
    )
