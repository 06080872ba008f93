"""Combine several answers for one name: those that are all possible, and those in doubt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from posture.analysis.central.answers import CentralStep, NameAnswer, NameOutcome, StepStatus
from posture.model.network import Address


def combine_possible(answers: Sequence[NameAnswer]) -> NameAnswer:
    """Combine answers of which clients may get any, such as those of weighted records.

    Args:
        answers: The answers, at least one, for one name.
    """
    if len(answers) == 1 or len({_get_details(each) for each in answers}) == 1:
        return answers[0]
    outcomes = {each.outcome for each in answers}
    steps = merge_steps(answers)
    if unknown := next((each for each in answers if each.outcome is NameOutcome.UNKNOWN), None):
        return replace(unknown, steps=steps)
    outcome = _join_outcomes(outcomes)
    if outcome is NameOutcome.PARTLY:
        steps = tuple(
            replace(each, status=StepStatus.PARTLY) if each.status is StepStatus.BROKEN else each
            for each in steps
        )
    return NameAnswer(
        name=answers[0].name,
        outcome=outcome,
        why="; or ".join(dict.fromkeys(each.why for each in answers)),
        endpoint_ids=tuple(dict.fromkeys(it for each in answers for it in each.endpoint_ids)),
        addresses=_join_addresses(answers),
        versions=frozenset().union(*(each.versions for each in answers)),
        steps=steps,
    )


def combine_doubtful(answers: Sequence[NameAnswer], doubt: CentralStep) -> NameAnswer:
    """Return where all answers lead, or an unknown answer with the step in doubt.

    Args:
        answers: The answers, at least one, of which one is right.
        doubt: The step that does not say which one.
    """
    if len(answers) == 1:
        return answers[0]
    unknown = [each for each in answers if each.outcome is NameOutcome.UNKNOWN]
    if unknown:
        return replace(unknown[0], steps=merge_steps(unknown))
    if len({(each.outcome, frozenset(each.endpoint_ids)) for each in answers}) == 1:
        return combine_possible(answers)
    return NameAnswer(answers[0].name, NameOutcome.UNKNOWN, doubt.text, steps=(doubt,))


def merge_steps(answers: Iterable[NameAnswer]) -> tuple[CentralStep, ...]:
    """Merge the steps of several answers, each once and in order."""
    return tuple(dict.fromkeys(step for each in answers for step in each.steps))


def _join_outcomes(outcomes: set[NameOutcome]) -> NameOutcome:
    if len(outcomes) == 1:
        return outcomes.pop()
    if not outcomes.isdisjoint({NameOutcome.ENDPOINT, NameOutcome.PARTLY}):
        return NameOutcome.PARTLY
    return NameOutcome.PUBLIC if NameOutcome.PUBLIC in outcomes else NameOutcome.OTHER


def _join_addresses(answers: Sequence[NameAnswer]) -> tuple[Address, ...]:
    """Join the addresses that records choose of endpoints; an answer without any means all."""
    leading = [each for each in answers if each.endpoint_ids]
    if not all(each.addresses for each in leading):
        return ()
    return tuple(dict.fromkeys(it for each in answers for it in each.addresses))


def _get_details(answer: NameAnswer) -> tuple[object, ...]:
    ids, addresses = frozenset(answer.endpoint_ids), frozenset(answer.addresses)
    unknown = answer.why if answer.outcome is NameOutcome.UNKNOWN else ""
    return answer.outcome, ids, addresses, answer.versions, unknown
