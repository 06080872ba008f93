"""Accounts take turns at a sweep, so that none is starved when time is short."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from botocore.exceptions import ClientError

from monitor_stage import HOME, SECONDS, SliceClock, Stage
from posture.ec2.observer import Observer
from posture.evaluation.account_sweep import sweep_accounts
from posture.evaluation.sweep_result import NO_TIME, SweepResult
from posture.model.scope import Region
from posture.runtime.deadline import Deadline
from posture.store.baselines import BaselineTable
from sample_network import REGION
from stack_tables import TABLES

ONE, OTHER = Region("222222222222", REGION), Region("333333333333", REGION)


@pytest.fixture(autouse=True)
def slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a slice hold one VPC: each account sees the three of the stage."""
    monkeypatch.setattr("posture.ec2.region.SLICE", 1)


def sweep(
    stage: Stage,
    number: int,
    accounts: Sequence[Region] = (HOME, ONE, OTHER),
    chance: float = 0.5,
    ec2: Any = None,
) -> SweepResult:
    """Sweep these accounts in the time of so many slices; the first may have another client."""
    first, *others = [
        Observer(ec2 if ec2 and region is accounts[0] else stage.network.ec2, region, stage.clock)
        for region in accounts
    ]
    return sweep_accounts(
        first,
        others,
        stage.store,
        BaselineTable(stage.dynamodb, TABLES.baseline),
        deadline=Deadline(SliceClock(stage, (number + 1) * SECONDS)),
        chance=lambda: chance,
    )


def evaluated_per_account(result: SweepResult) -> Counter[str]:
    """Count the evaluated scopes by account."""
    return Counter(each.scope.account for each in result.results)


def test_each_account_has_a_slice_before_one_has_two(stage: Stage) -> None:
    """And what is left of each is named."""
    result = sweep(stage, 3)
    assert evaluated_per_account(result) == {HOME.account: 1, ONE.account: 1, OTHER.account: 1}
    assert Counter(scope.account for scope in result.remaining) == {
        HOME.account: 2,
        ONE.account: 2,
        OTHER.account: 2,
    }
    assert result.failed_regions == {}


def test_an_account_that_was_not_swept_is_named_and_first_in_the_next_sweep(stage: Stage) -> None:
    """Its VPC is then the least recently observed."""
    sweep(stage, 9)  # all are known
    first = sweep(stage, 2)
    (late,) = first.failed_regions
    assert first.failed_regions == {late: NO_TIME}
    assert late.account not in evaluated_per_account(first)
    second = sweep(stage, 1)
    assert set(evaluated_per_account(second)) == {late.account}


def test_an_account_that_always_fails_does_not_delay_others(stage: Stage) -> None:
    """It has its turn and is reported, and so do the others have theirs."""

    class Denied:
        """A client without permissions."""

        def __getattr__(self, name: str) -> Any:
            raise ClientError({"Error": {"Code": "AuthFailure"}}, name)

    result = sweep(stage, 6, chance=1.0, ec2=Denied())
    assert evaluated_per_account(result) == {ONE.account: 3, OTHER.account: 3}
    assert set(result.failed_regions) == {HOME}
    assert "AuthFailure" in result.failed_regions[HOME]
    assert result.remaining == ()


@pytest.mark.parametrize(("chance", "known_first"), [(0.0, True), (1.0, False)])
def test_an_account_without_known_scopes_has_a_random_place(
    stage: Stage, chance: float, known_first: bool
) -> None:
    """It may be empty and have no known scope the next time either: others must not wait for it."""
    sweep(stage, 3, accounts=(HOME,))
    result = sweep(stage, 1, accounts=(HOME, ONE), chance=chance)
    assert (set(evaluated_per_account(result)) == {HOME.account}) is known_first
