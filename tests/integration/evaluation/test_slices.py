"""A region that is too large for one snapshot is swept slice by slice, within the deadline."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from monitor_stage import HOME, SECONDS, SliceClock, Stage, attribute_change, batch
from posture.errors import SweepIncompleteError
from posture.evaluation.account_sweep import sweep_accounts
from posture.evaluation.region_sweep import RegionSweep
from posture.evaluation.sweep_result import SweepResult
from posture.model.finding import Finding, FindingStatus
from posture.model.scope import Scope
from posture.runtime.deadline import Deadline
from posture.store.baselines import BaselineTable
from sample_network import ACCOUNT, REGION
from stack_tables import TABLES


@pytest.fixture(autouse=True)
def slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a slice hold one VPC: the region of the stage has three."""
    monkeypatch.setattr("posture.ec2.region.SLICE", 1)


def sweep(stage: Stage, seconds: float, since: datetime | None = None) -> SweepResult:
    """Sweep with so much time as the function does."""
    return sweep_accounts(
        stage.observer(),
        (),
        stage.store,
        baselines(stage),
        deadline=Deadline(SliceClock(stage, seconds)),
        since=since,
    )


def baselines(stage: Stage) -> BaselineTable:
    """Return the stage's baseline."""
    return BaselineTable(stage.dynamodb, TABLES.baseline)


def vpcs(stage: Stage) -> set[str]:
    """Return the VPCs of the region."""
    return {each["VpcId"] for each in stage.network.ec2.describe_vpcs()["Vpcs"]}


def subjects(result: SweepResult) -> list[str]:
    """Return the subjects that were evaluated."""
    return [each.scope.subject for each in result.results]


def hide_vpc(stage: Stage) -> Callable[[], None]:
    """Fail each request about the full VPC alone; return what ends that."""

    def refuse(params: Any, **_: Any) -> None:
        if stage.network.vpc in params["body"].values():
            raise ClientError({"Error": {"Code": "RequestLimitExceeded"}}, "DescribeSubnets")

    events, name = stage.network.ec2.meta.events, "before-call.ec2.DescribeSubnets"
    events.register(name, refuse)
    return lambda: events.unregister(name, refuse)


def list_unknown(stage: Stage) -> list[Finding]:
    """Return the full VPC's findings that could not be decided."""
    stored = stage.store.load(stage.network.scope).findings.values()
    return [each for each in stored if each.status is FindingStatus.UNKNOWN]


def test_every_vpc_is_read_once_by_its_own_requests(stage: Stage) -> None:
    """One listing, and each kind once a slice, by VPC id."""
    calls = stage.network.record_calls()
    result = stage.sweep()
    assert sorted(subjects(result)) == sorted(vpcs(stage))
    assert calls.count("DescribeSubnets") == 3
    assert calls.count("DescribeVpcs") == 1 + 3 + 1  # the last one is this test's own
    assert result.describe_missing() == ()


def test_a_vpc_that_goes_while_others_are_read_is_ended(stage: Stage) -> None:
    """Listed, and not there any more at its slice's turn: as if it had not been listed."""
    stage.sweep()
    stage.evaluate(attribute_change(stage.network.bare))  # observed last, so its slice comes last
    bare = Scope(ACCOUNT, REGION, stage.network.bare)

    def delete(**_: Any) -> None:
        stage.network.ec2.meta.events.unregister("before-call.ec2.DescribeSubnets", delete)
        stage.network.ec2.delete_vpc(VpcId=stage.network.bare)

    stage.network.ec2.meta.events.register("before-call.ec2.DescribeSubnets", delete)
    result = stage.sweep()
    assert result.describe_missing() == ()
    assert subjects(result)[-1] == stage.network.bare
    assert bare not in {head.scope for head in stage.store.load_region_records(HOME, {})}


def test_a_vpc_that_is_created_and_deleted_between_sweeps_leaves_no_trace(stage: Stage) -> None:
    """Listed for the first time and deleted before it is read: it has no findings to resolve."""
    slices = iter(RegionSweep(stage.observer(), stage.store, baselines(stage)).run_slices())
    first = next(slices)
    gone = {scope.subject for scope in first.remaining} - {stage.network.vpc}
    for vpc in gone:
        for subnet in stage.network.ec2.describe_subnets(
            Filters=[{"Name": "vpc-id", "Values": [vpc]}]
        )["Subnets"]:
            stage.network.ec2.delete_subnet(SubnetId=subnet["SubnetId"])
        stage.network.ec2.delete_vpc(VpcId=vpc)
    rest = [first, *slices]
    assert gone.isdisjoint(each for part in rest for each in subjects(part))
    assert {head.scope.subject for head in stage.store.load_region_records(HOME, {})} == vpcs(stage)


def test_a_slice_that_cannot_be_read_fails_its_own_vpcs(stage: Stage) -> None:
    """The others are read and recorded, and the sweep does not pass for done."""
    hide_vpc(stage)
    result = stage.sweep()
    assert set(result.failed) == {stage.network.scope}
    assert set(subjects(result)) == vpcs(stage) - {stage.network.vpc}
    with pytest.raises(SweepIncompleteError, match=f"{stage.network.vpc}: .*RequestLimitExceeded"):
        result.require_complete()


def test_a_vpc_that_was_not_read_for_a_day_is_unknown(stage: Stage) -> None:
    """Its findings stay, beside one that says so for each rule; no change is missed by that."""
    stage.sweep()
    before = stage.findings()
    stage.clock.time += timedelta(hours=23)
    show = hide_vpc(stage)
    assert stage.network.scope in stage.sweep().failed
    assert not list_unknown(stage)
    stage.clock.time += timedelta(hours=2)
    assert stage.network.scope in stage.sweep().failed
    assert stage.findings() == before
    unknown = list_unknown(stage)
    assert unknown
    assert all("not read for a day: " in str(each.verdict.evidence) for each in unknown)
    stage.clock.time += timedelta(hours=25)
    assert stage.network.scope in stage.sweep().failed
    assert list_unknown(stage) == unknown
    show()
    stage.clock.time += timedelta(hours=1)
    stage.sweep().require_complete()
    assert (list_unknown(stage), stage.findings()) == ([], before)
    stage.clock.time += timedelta(hours=1)
    assert stage.sweep().count_metrics()["ChangesWithoutEvent"] == 0


def test_a_sweep_stops_in_time_to_report(stage: Stage) -> None:
    """What remains is named and comes first in the next sweep, until all is evaluated."""
    everything = vpcs(stage)
    first = sweep(stage, 2 * SECONDS + 20)
    assert len(subjects(first)) == 1
    assert {scope.subject for scope in first.remaining} == everything - set(subjects(first))
    with pytest.raises(SweepIncompleteError, match=r"2 not swept in .*: no time was left"):
        first.require_complete()
    second = sweep(stage, 2 * SECONDS + 20)
    assert subjects(second) == [first.remaining[0].subject]
    third = sweep(stage, 2 * SECONDS + 20)
    assert subjects(third) == [first.remaining[1].subject]
    assert [scope.subject for scope in third.remaining] == [*subjects(first), *subjects(second)]


def test_with_time_for_all_nothing_is_left(stage: Stage) -> None:
    """A distant deadline has no effect."""
    result = sweep(stage, 900)
    assert result.remaining == ()
    assert set(subjects(result)) == vpcs(stage)


def test_a_change_that_leads_to_a_sweep_comes_again_for_what_remains(stage: Stage) -> None:
    """Its message succeeds only when every VPC was evaluated for it."""
    lost = batch(attribute_change(""))
    short = stage.evaluator().evaluate(lost, Deadline(SliceClock(stage, 2 * SECONDS + 20)))
    assert (short.failed, len(short.results)) == (("m-1",), 1)
    assert stage.evaluator().evaluate(lost).failed == ()


def test_a_sweep_of_a_member_continues_where_it_stopped(stage: Stage) -> None:
    """VPCs that were observed since it was asked for are left out: so it is complete one day."""
    asked_at = stage.clock()
    everything, read = vpcs(stage), list[str]()
    for _ in range(len(everything)):
        result = sweep(stage, 2 * SECONDS + 20, since=asked_at)
        read += subjects(result)
    assert sorted(read) == sorted(everything)
    assert result.describe_missing() == ()
    again = sweep(stage, 2 * SECONDS + 20, since=asked_at)
    assert len(subjects(again)) == 1  # the first slice, with what the listing shows gone
    assert again.describe_missing() == ()
    assert sweep(stage, 2 * SECONDS + 20, since=stage.clock()).remaining
