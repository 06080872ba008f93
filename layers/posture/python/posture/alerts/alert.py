"""The content of one alert, from which its subject, text and JSON are formatted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

from posture.alerts.formatting import format_line
from posture.alerts.rule_texts import RuleTexts
from posture.lean_dataclass import dataclass
from posture.lifecycle.bounds import truncate
from posture.model.finding import Attribution, FindingStatus, Step, Transition
from posture.model.scope import Scope, ScopeNames
from posture.model.verdict import Severity

DEFAULT_STACK = "posture"  # that the posture command reads
MAX_RULES = 60  # that a message attribute names
MAX_NAME = 200  # bytes of a name in a message attribute


@dataclass(frozen=True, slots=True)
class Alert:
    """The transitions of one commit, of which the first `shown_count` are shown in full.

    Attributes:
        commit: The name of the transaction, `observed_at#part`.
        parts: The number of transactions of the evaluation.
        transitions: At least one, all of one scope, the worst first.
        rules: The rule texts by rule id.
        rows: The number of rows in the scope's history after the commit; 0 if it is not known.
        row_digest: The digest of the last of them.
        stack: The name of the monitor's stack, for the commands.
    """

    scope: Scope
    commit: str
    parts: int
    observed_at: datetime
    transitions: tuple[Transition, ...]
    rules: RuleTexts
    shown_count: int
    rows: int = 0
    row_digest: str = ""
    stack: str = DEFAULT_STACK

    @property
    def part(self) -> int:
        """The number of this transaction, from 1.

        With the shared network, the time of its facts follows in the name of a commit.
        """
        return int(self.commit.split("#")[1])

    @property
    def shown(self) -> tuple[Transition, ...]:
        """The transitions that are shown in full."""
        return self.transitions[: self.shown_count]

    @property
    def omitted(self) -> int:
        """The number of transitions that are only counted."""
        return len(self.transitions) - len(self.shown)

    @property
    def lead(self) -> Transition:
        """The worst transition, which the subject names."""
        return self.transitions[0]

    @property
    def names(self) -> ScopeNames:
        """The names of the VPC or endpoint service, and of the account."""
        return self.lead.finding.names

    @property
    def filters(self) -> dict[str, str | list[str]]:
        """The values that subscribers filter by."""
        account, region = self.scope.account, self.scope.region
        named = {"account": account, "region": region, "vpc": self.scope.subject}
        location = {name: format_line(value, MAX_NAME) for name, value in named.items()}
        return build_filters(self.transitions, location)

    def by_cause(self) -> dict[Attribution, list[Transition]]:
        """Group the shown transitions by cause, the group with the worst one first."""
        groups: dict[Attribution, list[Transition]] = {}
        for step in self.shown:
            groups.setdefault(step.finding.caused_by, []).append(step)
        return groups


def build_filters(
    transitions: Iterable[Transition], location: Mapping[str, str | list[str]]
) -> dict[str, str | list[str]]:
    """Build the values that subscribers filter by, from transitions with the worst one first."""
    steps = list(transitions)
    severities = {step.finding.severity for step in steps}
    # Subscribers who receive what opens also receive what was open for a while.
    statuses = {
        FindingStatus.OPEN if step.step is Step.TRANSIENT else step.finding.status for step in steps
    }
    listed = [each.value for each in Severity if each in severities]
    rules = dict.fromkeys(truncate(step.finding.rule, MAX_NAME) for step in steps)
    return {
        "severity": listed[0],
        "severities": listed,
        "status": [each.value for each in FindingStatus if each in statuses],
        "steps": list(count_steps(steps)),
        **location,
        "rules": list(rules)[:MAX_RULES],
    }


def sort_worst_first(transitions: Iterable[Transition]) -> tuple[Transition, ...]:
    """Sort transitions: unresolved before resolved, by severity, what could be checked first."""
    return tuple(sorted(transitions, key=_rank))


def count_steps(transitions: Iterable[Transition]) -> dict[str, int]:
    """Count transitions by step, in the order of a finding's life cycle."""
    steps = Counter(each.step for each in transitions)
    return {step.value: steps[step] for step in Step if steps[step]}


def build_list_command(region: str, stack: str, *filters: str) -> str:
    """Build the `posture findings` command that lists findings of a stack."""
    return " ".join(("posture findings", *filters, f"--stack {stack} --region {region}"))


def format_count(number: int, noun: str = "finding") -> str:
    """Format a number with its noun, as in `1 finding` or `3 findings`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def format_counts(transitions: Iterable[Transition]) -> str:
    """Format the number of transitions by step, as in `3 findings opened, 1 resolved`."""
    (step, number), *rest = count_steps(transitions).items()
    return ", ".join([f"{format_count(number)} {step}", *(f"{many} {each}" for each, many in rest)])


def _rank(step: Transition) -> tuple[bool, int, bool, str, str]:
    finding = step.finding
    return (
        step.step is Step.RESOLVED,
        finding.severity.rank,
        finding.status is FindingStatus.UNKNOWN,
        finding.rule,
        finding.resource,
    )
