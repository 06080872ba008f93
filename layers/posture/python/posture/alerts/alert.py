"""What one alert is about, worked out once for every form it takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from posture.alerts.impact import Impact, group_impacts
from posture.alerts.rule_texts import RuleTexts
from posture.lifecycle.bounds import truncate
from posture.model.finding import Cause, FindingStatus, Step, Transition
from posture.model.scope import Scope
from posture.model.verdict import Severity

RULES = 60
NAME = 200  # bytes of a rule's name


@dataclass(frozen=True, slots=True)
class Alert:
    """One commit's transitions, of which the first `shown`, the worst, are told in full.

    Attributes:
        commit: Names the transaction: `observed_at#part`.
        parts: How many transactions the evaluation took.
        transitions: At least one, all of one scope, the worst first.
        rules: What is known of the rules, by id; a retired one may be missing.
    """

    scope: Scope
    commit: str
    parts: int
    observed_at: datetime
    transitions: tuple[Transition, ...]
    rules: RuleTexts
    shown_count: int

    @property
    def part(self) -> int:
        """The number of this transaction, from 1."""
        return int(self.commit.rpartition("#")[2])

    @property
    def shown(self) -> tuple[Transition, ...]:
        """The transitions that are told in full."""
        return self.transitions[: self.shown_count]

    @property
    def omitted(self) -> int:
        """How many are only counted."""
        return len(self.transitions) - len(self.shown)

    @property
    def counts(self) -> dict[str, int]:
        """How many transitions there are of each step, in the order of a life."""
        steps = Counter(step.step for step in self.transitions)
        return {step.value: steps[step] for step in Step if steps[step]}

    @property
    def lead(self) -> Transition:
        """The transition that names the alert: the worst of what is bad, else of what is over."""
        return self.transitions[0]

    @property
    def severities(self) -> tuple[Severity, ...]:
        """The severities there are, the worst first."""
        found = {step.finding.severity for step in self.transitions}
        return tuple(sorted(found, key=lambda each: each.rank))

    @property
    def statuses(self) -> tuple[FindingStatus, ...]:
        """The states the findings are in now."""
        found = {step.finding.status for step in self.transitions}
        return tuple(status for status in FindingStatus if status in found)

    @property
    def rule_ids(self) -> tuple[str, ...]:
        """The rules that speak, the worst first, as many as an attribute may name."""
        rules = dict.fromkeys(truncate(step.finding.rule, NAME) for step in self.transitions)
        return tuple(rules)[:RULES]

    @property
    def impacts(self) -> tuple[Impact, ...]:
        """What several of the transitions have at their root."""
        return group_impacts(self.transitions)

    def title(self, rule: str) -> str:
        """Give a rule's title, or its id where the catalogue no longer has it."""
        return self.rules[rule].title if rule in self.rules else rule

    def by_cause(self) -> dict[Cause | None, list[Transition]]:
        """Group what is told by what caused it, in the order of the worst of each group."""
        groups: dict[Cause | None, list[Transition]] = {}
        for step in self.shown:
            groups.setdefault(step.finding.cause, []).append(step)
        return groups


def sort_worst_first(transitions: Iterable[Transition]) -> tuple[Transition, ...]:
    """Order transitions for people: what is bad before what is over, then by severity."""
    return tuple(sorted(transitions, key=_rank))


def format_count(number: int, noun: str = "finding") -> str:
    """Give a number with its noun, as in `1 finding` or `3 findings`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def format_counts(counts: Mapping[str, int]) -> str:
    """Give the counts in words, as in `3 findings opened, 1 resolved`."""
    words = [f"{number} {step}" for step, number in counts.items()]
    first = next(iter(counts.items()))
    return ", ".join([f"{format_count(first[1])} {first[0]}", *words[1:]])


def _rank(step: Transition) -> tuple[bool, bool, int, str, str]:
    finding = step.finding
    return (
        step.step is Step.RESOLVED,
        finding.status is FindingStatus.UNKNOWN,
        finding.severity.rank,
        finding.rule,
        finding.resource,
    )
