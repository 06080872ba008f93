"""Long random histories: whatever the record says is true, and nothing that was open is missing.

HISTORIES and CALLS make them more and longer: `HISTORIES=200 CALLS=60 pytest …`.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator

import pytest

from posture.attribution.transients import POSSIBLE
from posture.lifecycle.diff import is_bad
from posture.model.finding import Attribution, CauseKind, Finding, FindingStatus, Step
from posture.model.verdict import Status, Verdict
from posture.remedies.effect import VerdictKey
from posture.rules.record import CHANGES_NOT_FOLLOWED
from posture.store.items import Entry, transient_key
from posture_cli.audit.verify import Verifier
from random_history import RandomHistory, begin_history, rate
from sample_network import ACCOUNT
from stack_tables import TABLES

HISTORIES = int(os.environ.get("HISTORIES", "2"))
CALLS = int(os.environ.get("CALLS", "14"))
FIRST = int(os.environ.get("FIRST_HISTORY", "0"))


@pytest.mark.parametrize("seed", range(FIRST, FIRST + HISTORIES))
def test_the_record_of_a_random_history_is_true(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Openers and resolvers, transient findings and the chain."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("MOTO_ACCOUNT_ID", ACCOUNT)
    # Remediations are proven elsewhere; here they would take most of the time.
    monkeypatch.setattr("posture.evaluation.rule_results.RuleResults.prove", lambda _, steps: steps)
    with begin_history(seed) as history:
        history.run(CALLS)
        rows = history.list_rows()
        wrong = [*find_wrong_causes(history), *find_wrong_transients(history, rows)]
        wrong += find_lost_transients(history, rows)
        assert not wrong, "\n".join(wrong)
        (result,) = Verifier(history.dynamodb, TABLES, history.now).verify_scopes([history.scope])
        assert result.fault is None


def find_wrong_causes(history: RandomHistory) -> Iterator[str]:
    """Find findings whose opener or resolver is not the call that did it."""
    for key, finding in history.list_findings().items():
        verdicts = history.list_verdicts(key)
        if finding.status is FindingStatus.RESOLVED:
            yield from _check(history, key, finding, finding.resolved_by, verdicts, opens=False)
        else:
            yield from _check(history, key, finding, finding.opened_by, verdicts, opens=True)


def _check(
    history: RandomHistory,
    key: VerdictKey,
    finding: Finding,
    by: Attribution | None,
    verdicts: list[Verdict | None],
    *,
    opens: bool,
) -> Iterator[str]:
    """Compare the last transition of a finding with the truth: known and right, or not known."""
    bad = [each is not None and each.status in {Status.FAIL, Status.UNKNOWN} for each in verdicts]
    if bad[-1] is not is_bad(finding):
        yield f"{key}: {finding.status}, but it is {verdicts[-1]}"
        return
    numbers = [it for it in range(1, len(bad)) if bad[it] is opens and bad[it - 1] is not opens]
    named = {each.event_id for each in by.possible if each.kind is CauseKind.CALL} if by else set()
    # Within one second the order of calls is not known.
    times = {history.made[it - 1].change.time for it in numbers}
    truth = {each.change.event_id for each in history.made if each.change.time in times}
    cause = by.cause if by else None
    if named and not named & truth and (truth or cause):
        yield f"{key}: {finding.status} by {sorted(named)}, not by one of {sorted(truth)}"
    if cause and numbers:
        last = history.made[numbers[-1] - 1].change
        seen = finding.opened_at if opens else finding.updated_at
        if cause.time != last.time and last.time < seen:
            yield f"{key}: {finding.status} by {cause.event_id}, but last by {last.event_id}"


def _list_episodes(history: RandomHistory, key: VerdictKey) -> Iterator[tuple[int, int]]:
    """List the times that a rule failed: the number of the call that opened, and that closed it."""
    ratings = [rate(each) for each in history.list_verdicts(key)]
    start = None
    for number, rating in enumerate(ratings):
        if rating and start is None:
            start = number
        if not rating and start is not None:
            yield start, number
            start = None


def find_wrong_transients(history: RandomHistory, rows: list[Entry]) -> Iterator[str]:
    """Find transient findings that were none, that name others, or that are there twice."""
    over = [row.transition for row in rows if not row.transition.is_lasting]
    marks = Counter(transient_key(each) for each in over if each.step is Step.TRANSIENT)
    found = {transient_key(each): each for each in over}.values()  # as amended last
    yield from (
        f"{mark} is recorded {number} times" for mark, number in marks.items() if number > 1
    )
    numbers = {each.change.event_id: at for at, each in enumerate(history.made, 1)}
    for step in found:
        finding = step.finding
        key = finding.rule, finding.resource
        if finding.rule == CHANGES_NOT_FOLLOWED.id or step.reason.startswith(POSSIBLE):
            continue
        ratings = [rate(each) for each in history.list_verdicts(key)]
        opened = finding.opened_by.cause
        closed = finding.resolved_by.cause if finding.resolved_by else None
        if opened is None or closed is None:
            yield f"{key}: certain, but of {opened} and {closed}"
            continue
        first, last = numbers[opened.event_id], numbers[closed.event_id]
        inside = ratings[first:last]
        if not first < last or min(inside) <= max(ratings[first - 1], ratings[last]):
            yield f"{key}: transient from {first} to {last}, but it was {ratings}"


def find_lost_transients(history: RandomHistory, rows: list[Entry]) -> Iterator[str]:
    """Find what no look saw, and no transient finding tells."""
    reported = {
        (row.transition.finding.rule, row.transition.finding.resource, cause.event_id)
        for row in rows
        for cause in row.transition.finding.opened_by.possible
    }
    if any(row.transition.finding.rule == CHANGES_NOT_FOLLOWED.id for row in rows):
        return
    keys = {key for each in history.made for key in each.verdicts}
    for key in sorted(keys):
        for first, last in _list_episodes(history, key):
            if first == 0 or any(first <= look < last for look in history.looks):
                continue
            opener = history.made[first - 1].change
            if (*key, opener.event_id) not in reported:
                closer = history.made[last - 1].change
                yield (
                    f"{key}: lost, open from call {first} {opener.event_name} {opener.request} at "
                    f"{opener.time} to {last} {closer.event_name} {closer.request} at "
                    f"{closer.time}; looks {history.looks}"
                )
