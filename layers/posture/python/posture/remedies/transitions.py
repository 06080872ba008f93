"""Replaces the remediations of findings that open or change by those that are proven. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from posture.lifecycle.bounds import bound_verdict
from posture.model.finding import Step, Transition
from posture.model.verdict import Verdict
from posture.remedies.effect import get_key, select_worst
from posture.remedies.prove import Prover


def prove_transitions(
    prover: Prover, verdicts: Iterable[Verdict], steps: Iterable[Transition]
) -> tuple[Transition, ...]:
    """Return the transitions, those of bad findings with a proven remediation or none.

    Args:
        prover: Proves the remediations of the scope; it may be used again after a conflict.
        verdicts: All verdicts on the scope, with all candidates for a remediation.
        steps: The transitions.
    """
    listed = tuple(steps)
    wanted = {
        (each.finding.rule, each.finding.resource)
        for each in listed
        if each.step is not Step.RESOLVED
    }
    stated = {
        get_key(bound_verdict(each)): each
        for each in select_worst(verdicts).values()
        if each.remediation
    }
    proven = prover.prove_all(stated[key] for key in wanted & stated.keys())
    bounded = {get_key(each): each for each in map(bound_verdict, proven.values())}
    return tuple(
        _replace_verdict(each, bounded.get(get_key(each.finding.verdict))) for each in listed
    )


def _replace_verdict(step: Transition, proven: Verdict | None) -> Transition:
    if proven is None or step.step is Step.RESOLVED:
        return step
    verdict = replace(step.finding.verdict, remediation=proven.remediation)
    return replace(step, finding=replace(step.finding, verdict=verdict))
