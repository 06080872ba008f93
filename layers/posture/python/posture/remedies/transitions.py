"""Replaces the remediations of findings that open or change by those that are proven. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from posture.lifecycle.bounds import bound_remediation, bound_resource
from posture.model.finding import Step, Transition
from posture.model.verdict import Remediation, Verdict
from posture.remedies.effect import VerdictKey, get_key, select_worst
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
    bad = (each for each in verdicts if each.remediation)
    stated = {_get_stored_key(each): each for each in select_worst(bad).values()}
    proven = prover.prove_all(stated[key] for key in wanted & stated.keys())
    bounded = {
        _get_stored_key(each): bound_remediation(each.remediation) for each in proven.values()
    }
    return tuple(
        _replace_remediation(each, bounded[key])
        if (key := get_key(each.finding.verdict)) in bounded and each.step is not Step.RESOLVED
        else each
        for each in listed
    )


def _get_stored_key(verdict: Verdict) -> VerdictKey:
    """Return the key of the finding of a verdict, whose texts are bounded."""
    return verdict.rule, bound_resource(verdict.resource)


def _replace_remediation(step: Transition, remediation: Remediation | None) -> Transition:
    verdict = replace(step.finding.verdict, remediation=remediation)
    return replace(step, finding=replace(step.finding, verdict=verdict))
