"""The index by actor finds exactly what a caller caused, or can have caused, in a random life."""

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from audit_stage import TableWriter, rows
from finding_builders import OTHER, SCOPE, at, verdict
from posture.lifecycle.diff import find_transitions
from posture.model.change import Actor
from posture.model.finding import (
    UNKNOWN_CAUSE,
    Attribution,
    Cause,
    CauseKind,
    Finding,
    Step,
    Transition,
)
from posture.model.verdict import Severity
from posture.store.attribute_values import serialize
from posture.store.history import History
from posture.store.items import SEVERAL, Entry
from posture_cli.audit.actors import ActorFilter
from stack_tables import TABLES

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CALLERS = [f"arn:aws:sts::111122223333:assumed-role/{name}" for name in ("A/x", "A/y", "B/x")]
ACTORS = [*CALLERS, *(str(Actor(it, "", "", "cloudformation.amazonaws.com")) for it in CALLERS)]


def attribute(dice: random.Random) -> Attribution:
    """Return one cause, several, another kind, or none."""
    calls = [Cause(f"e-{n}", "DeleteRoute", dice.choice(ACTORS), at(0)) for n in range(3)]
    upgrade = Cause("d", "RulesUpgraded", "", at(0), kind=CauseKind.UPGRADE)
    return dice.choice(
        [
            Attribution(calls[0]),
            Attribution(candidates=tuple(calls[:2])),
            Attribution(candidates=tuple(calls)),
            Attribution(candidates=(calls[0], upgrade)),
            Attribution(upgrade),
            UNKNOWN_CAUSE,
        ]
    )


def live(client: "DynamoDBClient", dice: random.Random) -> None:
    """Let findings open, change, be transient and be resolved, each by an actor."""
    writer = TableWriter(client)
    for minute in range(40):
        scope = dice.choice([SCOPE, OTHER])
        bad = [
            verdict(resource=f"subnet-{n}", severity=dice.choice(list(Severity)))
            for n in range(3)
            if dice.random() < 0.6
        ]
        stored = writer.findings.get(scope, {})
        steps = find_transitions(scope, stored, bad, observed_at=at(minute))
        caused = [_cause(step, attribute(dice), attribute(dice), dice) for step in steps]
        writer.write(scope, caused, at(minute))


def _cause(
    step: Transition, first: Attribution, second: Attribution, dice: random.Random
) -> Transition:
    finding: Finding = replace(step.finding, caused_by=first)
    if step.step is Step.RESOLVED:
        return replace(step, finding=replace(finding, resolved_by=first))
    if step.step is Step.OPENED and dice.random() < 0.3:
        both = replace(finding, opened_by=first, resolved_by=second)
        return Transition(Step.AMENDED, both)
    return replace(step, finding=finding)


def everything(history: History) -> Iterator[Entry]:
    """Read all rows."""
    for scope in (SCOPE, OTHER):
        yield from history.find_by_scope(scope)


@pytest.mark.parametrize("seed", range(3))
def test_the_index_finds_what_reading_everything_would(
    dynamodb: "DynamoDBClient", seed: int
) -> None:
    """For each caller, in the order of time, through whichever service the calls were made."""
    live(dynamodb, random.Random(seed))  # noqa: S311 - a test repeats what it did
    history = History(dynamodb, TABLES.history)
    for caller in CALLERS:
        chosen = ActorFilter.parse(caller)
        expected = {row.digest for row in everything(history) if matches(chosen, row)}
        found = list(history.find_by_actor(caller, since=at(0), until=at(60)))
        assert {row.digest for row in found} == expected
        assert len(found) == len(expected)
        assert [row.observed_at for row in found] == sorted(row.observed_at for row in found)
        assert expected
    whole = [row for row in everything(history) if matches(ActorFilter.parse("A"), row)]
    parts = {row.digest for it in CALLERS[:2] for row in history.find_by_actor(it)}
    assert {row.digest for row in whole} == parts


def matches(chosen: ActorFilter, row: Entry) -> bool:
    """Whether the filter means a row."""
    return chosen.matches_transition(row.transition)


def test_a_row_is_under_one_caller_only_if_nobody_else_can_have_caused_it(
    dynamodb: "DynamoDBClient",
) -> None:
    """Otherwise it is under `several`, with the list of all."""
    live(dynamodb, random.Random(9))  # noqa: S311 - as above
    stored = [*rows(dynamodb, "history", SCOPE), *rows(dynamodb, "history", OTHER)]
    by_digest = {row.digest: row for row in everything(History(dynamodb, TABLES.history))}
    keys = set()
    for item in stored:
        row = by_digest[item["digest"]["S"]]
        callers = {name.partition(" (")[0] for name in row.transition.actors}
        key = item.get("actor", {}).get("S")
        keys.add(key)
        if key is None:
            assert not callers
        elif key == SEVERAL:
            assert {each["S"] for each in item["actors"]["L"]} == callers
        else:
            assert callers == {key}
            assert all(it.cause or it.actor for it in row.transition.attributions)
    assert {SEVERAL, None, *CALLERS} == keys


def test_rows_of_former_versions_are_found(dynamodb: "DynamoDBClient") -> None:
    """Also where their key names the service that made the call."""
    live(dynamodb, random.Random(3))  # noqa: S311 - as above
    item = next(it for it in rows(dynamodb, "history", SCOPE) if "actor" in it)
    former = {name: it for name, it in item.items() if name not in {"actors", "schema"}}
    changed = {"schema": 3, "actor": ACTORS[-1], "entry": "2025-01-01T00:00:00.000000Z#f#1"}
    cause = {
        "event_id": "e", "event_name": "DeleteRoute", "actor": ACTORS[-1], "source_ip": "",
        "user_agent": "", "time": "2025-01-01T00:00:00.000000Z",
    }  # fmt: skip
    dynamodb.put_item(
        TableName="history", Item={**former, **serialize({**changed, "cause": cause})}
    )
    history = History(dynamodb, TABLES.history)
    [found] = history.find_by_actor(CALLERS[-1], until=at(-60))
    assert found.transition.finding.cause
    assert found.transition.finding.cause.actor == ACTORS[-1]
