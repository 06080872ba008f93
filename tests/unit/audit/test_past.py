"""What findings were during a period, however they ended later."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from random import Random

import pytest

from finding_builders import SCOPE, at, verdict
from posture.lifecycle.diff import apply_transitions, find_transitions, is_bad
from posture.model.finding import Finding, FindingStatus, Step, Transition
from posture.model.verdict import Severity, Verdict
from posture.store.items import Entry
from posture_cli.audit.past import Difference, find_differences, find_episodes

SUBNETS = ("subnet-0a", "subnet-0b", "subnet-0c")


def write_history(script: Sequence[tuple[float, Sequence[Verdict]]]) -> list[Entry]:
    """Return the rows of evaluations, each of which finds these verdicts."""
    rows: list[Entry] = []
    stored: dict[str, Finding] = {}
    for minute, verdicts in script:
        steps = find_transitions(SCOPE, stored, verdicts, observed_at=at(minute))
        stored = apply_transitions(stored, steps)
        for step in steps:
            rows.append(Entry(step, f"c#{minute}", 1, at(minute), len(rows) + 1))
    return rows


def add_row(rows: list[Entry], step: Step, finding: Finding, minute: float) -> list[Entry]:
    """Add one row."""
    row = Entry(Transition(step, finding), f"c#{minute}", 1, at(minute), len(rows) + 1)
    return [*rows, row]


FLAPPING = write_history(
    [
        (0, [verdict()]),
        (10, []),
        (20, [verdict(severity=Severity.CRITICAL)]),
        (30, []),
        (40, [verdict()]),
    ]
)


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        (-5, -1, []),
        (-5, 5, [("open",)]),
        (5, 15, [("open", "resolved")]),
        (11, 19, []),
        (15, 35, [("open", "resolved")]),
        (5, 25, [("open", "resolved"), ("open",)]),
        (0, 50, [("open", "resolved"), ("open", "resolved"), ("open",)]),
        (45, 50, [("open",)]),
    ],
)
def test_every_episode_within_a_period_is_found(
    since: float, until: float, expected: list[tuple[str, ...]]
) -> None:
    """Also one that was resolved within it, and whose finding opened again later."""
    found = find_episodes(FLAPPING, at(since), at(until))
    assert [each.statuses for each in found] == expected


def test_an_episode_has_its_own_times_and_the_worst_severity() -> None:
    """Not those of a later one."""
    rows = write_history(
        [(0, [verdict(severity=Severity.CRITICAL)]), (5, [verdict()]), (9, []), (20, [verdict()])]
    )
    [episode] = find_episodes(rows, at(-1), at(15))
    assert episode.finding.severity is Severity.CRITICAL
    assert (episode.finding.opened_at, episode.finding.updated_at) == (at(0), at(9))
    [later] = find_episodes(rows, at(6), at(8))
    assert later.finding.severity is Severity.HIGH


def test_a_transient_finding_is_an_episode() -> None:
    """It was open in between, though no observation saw it."""
    [opened, *_] = FLAPPING
    transient = replace(
        opened.transition.finding, status=FindingStatus.RESOLVED, opened_at=at(2), updated_at=at(3)
    )
    rows = add_row([], Step.TRANSIENT, transient, 9)  # when the calls were known
    [episode] = find_episodes(rows, at(0), at(5))
    assert (episode.statuses, episode.finding.status) == (("transient",), FindingStatus.RESOLVED)
    assert episode.states[0].status is FindingStatus.OPEN
    assert not list(find_episodes(rows, at(4), at(20)))
    assert not list(find_episodes(rows, at(0), at(1)))
    [difference] = find_differences(rows, at(0), at(5))
    assert (difference.kind, difference.was) == (Difference.TRANSIENT, None)
    assert not list(find_differences(rows, at(4), at(20)))
    # An open finding that was more severe for a while is open at both times, and changed.
    [difference] = find_differences(add_row([opened], Step.TRANSIENT, transient, 9), at(1), at(5))
    assert difference.kind is Difference.TRANSIENT


def test_an_amended_cause_is_no_episode_of_its_own() -> None:
    """It changes what is known, not when the finding was bad."""
    amended = add_row(FLAPPING[:2], Step.AMENDED, FLAPPING[1].transition.finding, 25)
    assert len(list(find_episodes(amended, at(-1), at(50)))) == 1
    assert not list(find_episodes(amended, at(12), at(50)))
    while_open = add_row(FLAPPING[:1], Step.AMENDED, FLAPPING[0].transition.finding, 5)
    [difference] = find_differences(while_open, at(2), at(9))
    assert difference.kind is Difference.AMENDED


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (-5, 5, "opened"),
        (5, 15, "resolved"),
        (-5, 15, "opened and resolved"),
        (15, 35, "opened and resolved"),
        (5, 25, "resolved and opened again"),
        (15, 45, "opened"),
        (41, 50, None),
    ],
)
def test_two_times_differ_by_what_happened_in_between(
    first: float, second: float, expected: str | None
) -> None:
    """What came and went is listed, too."""
    found = [each.kind.value for each in find_differences(FLAPPING, at(first), at(second))]
    assert found == ([expected] if expected else [])


def test_what_was_bad_at_the_first_observation_was_not_opened_by_then() -> None:
    """Nothing is known of the time before it."""
    found = find_differences(FLAPPING, at(-5), at(5), begins=at(0))
    assert [each.kind for each in found] == [Difference.FIRST_OBSERVED]


def is_open_at(script: Sequence[tuple[float, Sequence[Verdict]]], instant: datetime) -> set[str]:
    """Return the resources that are bad at an instant, from the script alone."""
    seen = [verdicts for minute, verdicts in script if at(minute) <= instant]
    return {each.resource for each in seen[-1]} if seen else set()


def random_script(seed: int) -> Iterator[tuple[float, Sequence[Verdict]]]:
    """Return evaluations at random times with random bad resources."""
    dice = Random(seed)  # noqa: S311 - a test repeats what it did
    for minute in sorted(dice.sample(range(1, 90), 20)):
        yield minute, [verdict(resource=each) for each in SUBNETS if dice.random() < 0.4]


@pytest.mark.parametrize("seed", range(40))
def test_random_histories_are_answered_as_they_were(seed: int) -> None:
    """A finding is in the answer if and only if it was bad at some minute of the period."""
    script = list(random_script(seed))
    rows = write_history(script)
    dice = Random(-seed)  # noqa: S311
    for _ in range(20):
        since, until = sorted(dice.sample(range(95), 2))
        minutes = [at(minute) for minute in range(since, until + 1)]
        bad = set().union(*(is_open_at(script, each) for each in minutes))
        found = list(find_episodes(rows, at(since), at(until)))
        # One that is resolved at the very start of the period is part of it.
        touching = {each.finding.resource for each in found if each.statuses != ("resolved",)}
        assert touching == bad
        listed = {each.finding.resource for each in find_differences(rows, at(since), at(until))}
        before = is_open_at(script, at(since))
        after = is_open_at(script, at(until))
        assert before ^ after <= listed <= bad | before
        still = {each.finding.resource for each in found if is_bad(each.finding)}
        assert still == after


def test_a_transient_finding_does_not_end_the_one_that_is_open() -> None:
    """It was more severe for a while, and is resolved later."""
    opened, resolved = FLAPPING[:2]
    peak = replace(
        opened.transition.finding, status=FindingStatus.RESOLVED, severity=Severity.CRITICAL
    )
    rows = add_row([opened], Step.TRANSIENT, peak, 5)
    rows = [*rows, replace(resolved, number=len(rows) + 1)]
    episodes = list(find_episodes(rows, at(-1), at(50)))
    assert [each.statuses for each in episodes] == [("open", "resolved"), ("transient",)]
