"""Central VPCs are stored before the VPCs that use them are evaluated, whatever the order."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import boto3
import pytest
from moto import mock_aws

from organization_builders import (
    HUB,
    HUB_ACCOUNT,
    Names,
    Organization,
    build_organization,
    get_spoke_account,
)
from organization_stage import OrganizationStage
from posture.ec2.describe import Reading
from posture.ec2.endpoint_services import ServicesSnapshot
from posture.ec2.region import RegionSnapshot, VpcListing
from posture.evaluation.account_sweep import sweep_accounts
from posture.evaluation.central_first import store_central_vpcs
from posture.evaluation.shared_facts import SharedFacts
from posture.model.finding import Transition
from posture.model.network import Snapshot
from posture.model.scope import Region, Scope
from posture.runtime.deadline import Deadline
from posture_cli.embedded.moto_patches import patch_moto

SPOKES = ("vpc-spoke1", "vpc-spoke2")
ACCOUNTS = (get_spoke_account(1), get_spoke_account(2), HUB_ACCOUNT)  # the hub comes last


@dataclass
class AccountObserver:
    """Reads the VPCs of one account from an organization, and records what it is asked."""

    stage: OrganizationStage
    region: Region
    asked: list[Collection[str]] = field(default_factory=list)
    read: list[str] = field(default_factory=list)

    def now(self) -> datetime:
        """Return the stage's time."""
        return self.stage.now

    @property
    def own(self) -> dict[str, Snapshot]:
        """The VPCs of the account as they are now."""
        return {
            name: replace(each, observed_at=self.now())
            for name, each in self.stage.organization.snapshots.items()
            if each.scope.account == self.region.account
        }

    def list_vpcs(self) -> VpcListing:
        """List the VPCs."""
        return VpcListing(self.now(), Reading(tuple(each.vpc for each in self.own.values())))

    def collect_services(self, **_: Any) -> ServicesSnapshot:
        """Return no endpoint service."""
        return ServicesSnapshot({})

    def collect_slice(self, *_: Any) -> RegionSnapshot:
        """Return all VPCs."""
        return RegionSnapshot(self.region, self.now(), self.own)

    def collect_vpc(self, scope: Scope) -> Snapshot | None:
        """Return one VPC."""
        self.read.append(scope.subject)
        return self.own.get(scope.subject)

    def find_vpcs_of_endpoints(self, ids: Collection[str]) -> Mapping[str, str]:
        """Find the VPCs of endpoints."""
        self.asked.append(ids)
        own = self.own.items()
        return {each: name for name, vpc in own for each in ids if each in vpc.endpoints}


def build_observers(stage: OrganizationStage) -> dict[str, AccountObserver]:
    """Build an observer for each account, that of the hub last."""
    name = stage.organization.shared.region
    return {each: AccountObserver(stage, Region(each, name)) for each in ACCOUNTS}


def sweep(stage: OrganizationStage) -> Sequence[Transition]:
    """Sweep all accounts; return what opened or resolved."""
    observers: list[Any] = list(build_observers(stage).values())
    result = sweep_accounts(
        observers[0],
        observers[1:],
        stage.store,
        stage.baselines,
        chance=lambda: 0.5,
        shared=stage.build_facts(),
    )
    assert (result.failed, result.failed_regions) == ({}, {})
    return [step for each in result.results for step in each.transitions]


def list_open(stage: OrganizationStage) -> Mapping[str, frozenset[tuple[str, str]]]:
    """List what is open in each VPC."""
    return {name: frozenset(stage.list_open(name)) for name in (HUB, *SPOKES)}


@pytest.fixture(params=list(Names))
def organization(request: pytest.FixtureRequest) -> Organization:
    """Return an organization for each way by which names reach the spokes."""
    return build_organization(spokes=2, names=request.param)


@pytest.fixture
def stage(organization: Organization) -> Iterator[OrganizationStage]:
    """Return an organization that was surveyed, and of which no VPC was evaluated."""
    with mock_aws():
        patch_moto()
        client = boto3.client(
            "dynamodb", "eu-west-1", aws_access_key_id="a", aws_secret_access_key="a"
        )
        made = OrganizationStage(client, organization)
        made.survey()
        yield made


def store_first(observers: Mapping[str, Any], facts: SharedFacts) -> Any:
    """Store the central VPCs."""
    home, *members = observers.values()
    by_account = {each.region.account: each for each in members}
    return store_central_vpcs(facts, home, by_account, Deadline())


def test_a_first_sweep_opens_nothing_that_resolves_again(stage: OrganizationStage) -> None:
    """Although the spokes are swept before the hub of another account."""
    sweep(stage)
    before = list_open(stage)
    assert stage.refresh().sweep_result.failed == {}
    assert sweep(stage) == []
    assert list_open(stage) == before


def test_without_it_each_spoke_has_answers_that_are_not_known(
    stage: OrganizationStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the test above would notice."""
    monkeypatch.setattr("posture.evaluation.central_first.store_central_vpcs", lambda *_: ())
    monkeypatch.setattr("posture.evaluation.refresh.store_central_vpcs", lambda *_: ())
    sweep(stage)
    before = list_open(stage)
    stage.refresh()
    assert all(before[name] - list_open(stage)[name] for name in SPOKES)


def test_the_account_that_names_an_endpoint_is_asked_first_and_others_not(
    stage: OrganizationStage,
) -> None:
    """Once the hub is stored, no call is made at all."""
    observers = build_observers(stage)
    assert store_first(observers, stage.build_facts()) == (HUB,)
    assert all(not each.asked for name, each in observers.items() if name != HUB_ACCOUNT)
    again = build_observers(stage)
    assert store_first(again, stage.build_facts()) == ()
    assert all(not each.asked and not each.read for each in again.values())


class ManyMembers(Mapping[str, Any]):
    """The observers of 5,000 members, of which those are remembered that are opened."""

    def __init__(self, known: Mapping[str, Any]) -> None:
        self._known = known
        self.opened: list[str] = []

    def __getitem__(self, account: str) -> Any:
        self.opened.append(account)
        return self._known[account]

    def __contains__(self, account: object) -> bool:
        return account in self._known

    def __iter__(self) -> Iterator[str]:
        return (f"{number:012}" for number in range(5_000))

    def __len__(self) -> int:
        return 5_000


@pytest.mark.parametrize("organization", [build_organization(spokes=2)])
def test_members_that_no_fact_names_are_not_opened(stage: OrganizationStage) -> None:
    """However many there are; once the hub is stored, none is."""
    home, *others = build_observers(stage).values()
    members, facts = (
        ManyMembers({each.region.account: each for each in others}),
        stage.build_facts(),
    )
    assert store_central_vpcs(facts, home, members, Deadline()) == (HUB,)
    assert set(members.opened) == {HUB_ACCOUNT}
    members.opened.clear()
    assert store_central_vpcs(facts, home, members, Deadline()) == ()
    assert members.opened == []


@pytest.mark.parametrize("organization", [build_organization(spokes=2)])
def test_an_endpoint_that_nobody_has_is_asked_for_once(stage: OrganizationStage) -> None:
    """It was deleted; its record is still there."""
    stage.organization = stage.organization.edit_vpc(HUB, lambda hub: replace(hub, endpoints={}))
    observers, facts = build_observers(stage), stage.build_facts()
    for _ in range(2):
        assert store_first(observers, facts) == ()
    assert [len(each.asked) for each in observers.values()] == [1, 1, 1]


@pytest.mark.parametrize("organization", [build_organization(spokes=2)])
def test_an_account_that_cannot_be_read_stops_nothing(
    stage: OrganizationStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sweep goes on, and what is not known stays so."""

    def fail(*_: Any) -> Any:
        raise TimeoutError("too slow")

    monkeypatch.setattr(AccountObserver, "find_vpcs_of_endpoints", fail)
    sweep(stage)
    assert stage.load(HUB).exists


@pytest.mark.parametrize("organization", [build_organization(spokes=2)])
def test_a_hub_that_new_records_name_is_stored_before_its_spokes_are_evaluated(
    stage: OrganizationStage,
) -> None:
    """Nothing named it when it was evaluated, and a survey finds the zones later."""
    whole = stage.organization
    zones = whole.shared.zones
    empty = {name: replace(each, records=()) for name, each in zones.items()}
    stage.organization = whole.edit_shared(zones=empty)
    stage.survey()
    sweep(stage)
    assert stage.build_facts().load().network.central_vpcs == {}
    stage.organization = whole
    stage.survey()
    stage.refresh()
    first = list_open(stage)
    sweep(stage)
    stage.refresh()
    assert list_open(stage) == first
