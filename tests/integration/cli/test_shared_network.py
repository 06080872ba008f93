"""Commands that read the network that VPCs of several accounts share."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from command_runner import posture
from network_services import NetworkServices
from organization_builders import (
    HUB,
    HUB_ACCOUNT,
    SPOKES_TABLE,
    Organization,
    build_organization,
    get_spoke_account,
)
from organization_edits import drop_transit_routes
from posture.ec2.region import RegionSnapshot
from posture.model.network import Snapshot
from posture.model.scope import Region
from posture_cli import scanning, survey
from posture_cli.accounts import READ_SHARED_NETWORK, AnyTarget, Target, UnreadableTarget
from posture_cli.commands import scan
from written_network import write_network

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
SUBNET, SPOKE = "subnet-0a1b2c3d", "vpc-0a1b2c3d"  # ids that the commands accept
BASELINE = """
version: 1
default:
  required_services: [s3, dynamodb, ecr.api, ecr.dkr, kms]
  trusted_organizations: [o-a1b2c3d4e5]
  organization: o-a1b2c3d4e5
"""


class SnapshotObserver:
    """Returns the snapshots of one account as if it had read them."""

    def __init__(self, region: Region, snapshots: Sequence[Snapshot]) -> None:
        self.region = region
        self._snapshots = snapshots

    def collect_region(self, _: object) -> Iterator[RegionSnapshot]:
        """Return the VPCs of the region."""
        yield RegionSnapshot(self.region, NOW, {each.vpc.id: each for each in self._snapshots})


def rename(organization: Organization) -> Organization:
    """Replace the ids of the first spoke by such as AWS has."""
    spoke = organization.snapshots["vpc-spoke1"]
    subnet = replace(spoke.subnets["subnet-spoke1-a"], id=SUBNET, vpc_id=SPOKE)
    others = {key: it for key, it in spoke.subnets.items() if key != "subnet-spoke1-a"}
    (acl,) = spoke.network_acls.values()
    changed = replace(
        spoke,
        scope=replace(spoke.scope, subject=SPOKE),
        vpc=replace(spoke.vpc, id=SPOKE),
        subnets={SUBNET: subnet, **others},
        network_acls={acl.id: replace(acl, subnet_ids=(*acl.subnet_ids, SUBNET))},
    )
    shared = organization.shared
    attachment = replace(shared.attachments["tgw-attach-spoke1"], resource_id=SPOKE)
    vpc = replace(shared.vpcs["vpc-spoke1"], id=SPOKE)
    named = Organization({**organization.snapshots, SPOKE: changed}, shared).edit_shared(
        attachments={attachment.id: attachment}, vpcs={"vpc-spoke1": None, SPOKE: vpc}
    )
    kept = {key: it for key, it in named.snapshots.items() if key != "vpc-spoke1"}
    return Organization(kept, named.shared)


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Callable[[Organization], list[Any]]:
    """Return a function that lets the commands read an organization, one account of it not."""

    def start(organization: Organization) -> list[Any]:
        services = NetworkServices()
        write_network(services, organization.shared)
        asked: list[Any] = []

        def open_targets(_: object, __: object, actions: object = ()) -> list[AnyTarget]:
            asked.append(actions)
            accounts = sorted({each.scope.account for each in organization.snapshots.values()})
            opened: list[AnyTarget] = [_open(services, organization, each) for each in accounts]
            return [*opened, UnreadableTarget(Region("999999999999", "eu-west-1"), "AccessDenied")]

        for module in (survey, scan):
            monkeypatch.setattr(module, "find_caller", lambda *_: None)
            monkeypatch.setattr(module, "open_targets", open_targets)
        monkeypatch.setattr(scanning, "collect_endpoint_services", lambda _: ())
        return asked

    return start


def _open(services: NetworkServices, organization: Organization, account: str) -> Target:
    region = Region(account, "eu-west-1")
    listed = [each for each in organization.snapshots.values() if each.scope.account == account]
    observer: Any = SnapshotObserver(region, listed)
    return Target(region, lambda: observer, services.open_account(account).get)


@pytest.fixture
def baseline(tmp_path: Any) -> str:
    """Return the path of a baseline that requires what the hub has endpoints of."""
    path = tmp_path / "baseline.yaml"
    path.write_text(BASELINE, encoding="utf-8")
    return str(path)


def test_a_scan_finds_nothing_in_an_intact_organization(
    serve: Callable[[Organization], list[Any]], baseline: str
) -> None:
    """What is read of the shared network is enough for hub and spokes to pass."""
    asked = serve(build_organization())
    result = posture(
        "scan", "--org", "--shared-network", "--baseline", baseline, "--output", "json"
    )
    assert result.exit_code == 1, result.stderr
    rows = json.loads(result.stdout)
    assert [row["summary"] for row in rows if row["account"] != "999999999999"] == []
    assert asked == [READ_SHARED_NETWORK]


def test_a_scan_names_the_broken_step(
    serve: Callable[[Organization], list[Any]], baseline: str
) -> None:
    """The table of the transit gateway, in another account than the spokes."""
    serve(drop_transit_routes(SPOKES_TABLE, 0)(build_organization()))
    result = posture(
        "scan", "--org", "--shared-network", "--no-fixes", "--baseline", baseline, "-o", "json"
    )
    assert result.exit_code == 1
    rows = [row for row in json.loads(result.stdout) if row["account"] != "999999999999"]
    assert {row["vpc"] for row in rows} == {"vpc-spoke1", "vpc-spoke2"}
    assert all(SPOKES_TABLE in row["summary"] for row in rows)


def test_one_vpc_is_evaluated_with_the_hub_of_another_account(
    serve: Callable[[Organization], list[Any]], baseline: str
) -> None:
    """All VPCs are read, as one of them may be the hub; one is evaluated."""
    serve(rename(build_organization()))
    result = posture(
        "scan", "--org", "--shared-network", "--vpc", SPOKE, "--baseline", baseline,
        "--all", "--output", "json",
    )  # fmt: skip
    rows = [row for row in json.loads(result.stdout) if row["account"] != "999999999999"]
    assert {row["vpc"] for row in rows} == {SPOKE}
    assert {row["status"] for row in rows} == {"pass"}


def test_the_matrix_has_the_services_of_the_hub(
    serve: Callable[[Organization], list[Any]],
) -> None:
    """Also without a baseline, as the names lead there."""
    serve(rename(build_organization()))
    result = posture("coverage", "--org", "--shared-network", "--vpc", SPOKE, "--output", "csv")
    kms = [row for row in result.stdout.splitlines() if ",kms," in row]
    assert len(kms) == 4
    assert all(f"in {HUB}" in row for row in kms)
    assert "unknown: 999999999999 eu-west-1: AccessDenied" in result.stderr.replace("/", " ")
    drawn = posture("coverage", "--org", "--shared-network", "--vpc", SPOKE).stdout
    line = f"  ecr.api, ecr.dkr, kms by endpoints in {HUB} of account {HUB_ACCOUNT}"
    assert line in drawn.splitlines()


def test_a_path_is_explained_across_accounts(
    serve: Callable[[Organization], list[Any]],
) -> None:
    """From the subnet by zone, attachment, tables and group to the policy, and back."""
    serve(rename(drop_transit_routes(SPOKES_TABLE, 0)(build_organization())))
    result = posture("explain", SUBNET, "kms", "--org", "--shared-network")
    text = " ".join(result.stdout.split())
    assert f"{SPOKES_TABLE} has no route to 10.0.0.0/24 (account {HUB_ACCOUNT}). This step" in text
    assert f"is in {HUB} of account {HUB_ACCOUNT}" in text
    result = posture("explain", SUBNET, "kms", "--org", "--shared-network", "-o", "json")
    steps = json.loads(result.stdout)["steps"]
    (deciding,) = [each for each in steps if each["record"].get("decides")]
    assert deciding["about"] == "transit gateway route"
    assert deciding["record"]["subject"] == SPOKES_TABLE
    assert deciding["record"]["account"] == HUB_ACCOUNT
    about = [each["about"] for each in steps]
    assert about.index("name") < about.index("attachment") < about.index("policy")


def test_the_network_is_listed_with_what_is_broken_first(
    serve: Callable[[Organization], list[Any]],
) -> None:
    """A row for VPCs that are alike, and a sentence; in JSON a record for each VPC."""
    serve(build_organization(spokes=3))
    result = posture("network", "--org")
    assert result.exit_code == 0
    assert f"{HUB}\\n" not in result.stdout
    assert "3 of 3 VPCs reach the central endpoints of 1 VPC." in result.stdout
    serve(drop_transit_routes("tgw-rtb-hub", 2)(build_organization(spokes=3)))
    result = posture("network", "--org")
    assert result.exit_code == 1
    assert "2 of 3 VPCs reach the central endpoints of 1 VPC; 1 not" in result.stdout
    assert result.stdout.index("vpc-spoke2") < result.stdout.index("vpc-spoke1")
    records = json.loads(posture("network", "--org", "--output", "json").stdout)
    broken = [each for each in records if each["status"] == "broken"]
    assert [each["account"] for each in broken] == [get_spoke_account(2)]
    assert broken[0]["hub"] == HUB
    assert broken[0]["step"] == "return route"
    assert broken[0]["subject"] == "tgw-rtb-hub"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("scan", "--from", "x.json", "--shared-network"), "a file has no shared network"),
        (("coverage", "--from", "x.json", "--shared-network"), "a file has no shared network"),
        (("coverage", "--org"), "add --shared-network"),
        (("explain", SUBNET, "kms", "--org"), "add --shared-network"),
        (("coverage", "--stack", "posture", "--shared-network"), "its own baseline"),
        (("network", "--stack", "posture", "--org"), "its own accounts"),
    ],
)
def test_contradicting_options_are_refused(arguments: tuple[str, ...], expected: str) -> None:
    """With a sentence, and nothing read."""
    result = posture(*arguments)
    assert result.exit_code == 2
    assert expected in " ".join(result.stderr.split()).replace("│ ", "").replace(" │", "")
