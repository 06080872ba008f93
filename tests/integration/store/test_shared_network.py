"""The table of the shared network: parts are replaced by newer ones only, and read as a whole."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

import boto3
import pytest
from moto import mock_aws

from finding_builders import change
from organization_builders import HUB, HUB_ACCOUNT, build_organization
from posture.analysis.central.central_snapshot import digest_central, strip_central
from posture.errors import CorruptItemError
from posture.model.instant import format_iso
from posture.model.network import Service
from posture.model.scope import Region
from posture.model.shared_kind import FACETS, SharedKind
from posture.model.shared_network import DnsRecord, HostedZone, SharedNetwork
from posture.model.survey import SurveyPart, merge_parts
from posture.store import shared_entries, shared_network
from posture.store.catalogues import Catalogue
from posture.store.conditional_writes import transact
from posture.store.shared_network import SharedNetworkTable
from stack_tables import NETWORK, create_tables

REGION = "eu-west-1"
ORGANIZATION = build_organization(spokes=2)
START = ORGANIZATION.shared.observed_at
SECOND = timedelta(seconds=1)
OTHER = "200000000001"


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """Return an emulated DynamoDB with empty tables."""
    with mock_aws():
        made = boto3.client("dynamodb", REGION, aws_access_key_id="a", aws_secret_access_key="a")
        create_tables(made)
        yield made


@pytest.fixture
def table(client: Any) -> SharedNetworkTable:
    """Return an empty table."""
    for item in client.scan(TableName=NETWORK)["Items"]:
        client.delete_item(TableName=NETWORK, Key={name: item[name] for name in ("region", "item")})
    return SharedNetworkTable(client, NETWORK)


def part(*names: str, second: int = 0, account: str = HUB_ACCOUNT, records: int = 1) -> SurveyPart:
    """Return the zones of an account as they were read at a time."""
    random = Random(1)  # noqa: S311 - the same names in each run
    listed = tuple(DnsRecord(f"{random.getrandbits(256):x}.x", "A") for _ in range(records))
    zones = {name: HostedZone(name, f"{name}.com", account, listed) for name in names}
    at = START + second * SECOND
    return SurveyPart(
        SharedKind.ZONES, account, SharedNetwork(REGION, at, frozenset({account}), zones=zones)
    )


def load(client: Any, *accounts: str) -> SharedNetwork:
    """Load the network in another process."""
    table = SharedNetworkTable(client, NETWORK)
    return table.load(REGION, accounts or (HUB_ACCOUNT,), START).network


def edit(client: Any, item: str, **changes: Any) -> None:
    """Edit an item by hand; None removes an attribute."""
    key = {"region": {"S": REGION}, "item": {"S": item}}
    stored = client.get_item(TableName=NETWORK, Key=key)["Item"]
    merged = {name: value for name, value in {**stored, **changes}.items() if value is not None}
    client.put_item(TableName=NETWORK, Item=merged)


def test_a_head_that_has_not_come_is_replaced_by_the_next_survey(
    client: Any, table: SharedNetworkTable
) -> None:
    """Also if that reads what is stored: all that depends on the network compares with the head."""
    now = START + 9 * SECOND
    table.write(REGION, [part("a")], START)
    for second, ahead in enumerate((timedelta(days=1), timedelta(days=3_650)), 1):
        edit(client, "#head", changed_at={"S": format_iso(now + ahead)})
        assert table.write(REGION, [part("a", second=second)], now) == 1
        assert table.load_head(REGION) == now
    assert table.write(REGION, [part("a", second=3)], now) == 0


def test_what_was_written_is_read(client: Any, table: SharedNetworkTable) -> None:
    """Facts of all kinds, and the snapshot of a central VPC."""
    shared, hub = ORGANIZATION.shared, strip_central(ORGANIZATION.snapshots[HUB])
    parts = [
        SurveyPart(kind, HUB_ACCOUNT, replace(shared, accounts=frozenset(), central_vpcs={}))
        for kind in SharedKind
    ]
    assert table.write(REGION, parts, START) == len(parts)
    assert table.write_central(hub, digest_central(hub), START)
    assert load(client) == replace(
        shared, accounts=frozenset({HUB_ACCOUNT}), central_vpcs={HUB: hub}
    )


def test_what_is_the_same_moves_no_head(table: SharedNetworkTable) -> None:
    """The network is kept until the head moves."""
    table.write(REGION, [part("Z-1")], START)
    loaded = table.load(REGION, [HUB_ACCOUNT], START)
    assert table.write(REGION, [part("Z-1", second=1)], START + SECOND) == 0
    assert table.load(REGION, [HUB_ACCOUNT], START) is loaded
    assert table.write(REGION, [part("Z-2", second=2)], START + 2 * SECOND) == 1
    assert table.load_head(REGION) == START + 2 * SECOND
    assert table.load(REGION, [HUB_ACCOUNT], START).network.zones.keys() == {"Z-2"}


def test_an_older_part_never_replaces_a_newer_one(client: Any, table: SharedNetworkTable) -> None:
    """Nor one that was read again as it was: both were read later."""
    table.write(REGION, [part("Z-1", second=2)], START)
    table.write(REGION, [part("Z-1", second=5)], START)  # the same
    for second in (1, 2, 3, 4, 5):
        assert table.write(REGION, [part("Z-2", second=second)], START) == 0
    assert load(client).zones.keys() == {"Z-1"}
    assert table.write(REGION, [part("Z-2", second=6)], START) == 1


def test_a_time_that_has_not_come_yet_blocks_nothing(
    client: Any, table: SharedNetworkTable
) -> None:
    """Neither of a part nor of the head; a change by a clock that is behind moves it on as well."""
    table.write(REGION, [part("Z-1", second=9_000)], START + 9_000 * SECOND)
    assert table.write(REGION, [part("Z-2", second=1)], START + SECOND) == 1
    head = table.load_head(REGION)
    assert head == START + SECOND
    assert table.write(REGION, [part("Z-3", second=2)], START - SECOND) == 1
    later = table.load_head(REGION)
    assert later
    assert later > head
    assert load(client).zones.keys() == {"Z-3"}


def test_parts_of_many_sizes_are_read_as_they_were(
    client: Any, table: SharedNetworkTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In chunks; those that are left over of a larger one are deleted."""
    monkeypatch.setattr(shared_entries, "LIMIT", 1_000)
    for second, records in enumerate((200, 1, 90, 0, 150)):
        written = part("Z-1", second=second, records=records)
        assert table.write(REGION, [written], START) == 1
        assert load(client).zones == written.network.zones
        sizes = [
            len(item["data"]["B"])
            for item in client.scan(TableName=NETWORK)["Items"]
            if "data" in item
        ]
        assert max(sizes) <= 1_000
        assert len(sizes) == 1 or records > 10


def test_a_part_that_does_not_fit_is_refused_by_name(
    table: SharedNetworkTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transaction holds 4 MB."""
    monkeypatch.setattr(shared_entries, "MAX_BYTES", 10_000)
    with pytest.raises(Exception, match=r"part#zones#100000000001 takes \d+ bytes"):
        table.write(REGION, [part("Z-1", records=600)], START)


def test_a_crash_between_two_transactions_loses_nothing(
    client: Any, table: SharedNetworkTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was not written is written by the next survey, although it read the same."""
    monkeypatch.setattr(shared_entries, "MAX_WRITES", 3)
    both = [part("Z-1"), part("Z-2", account=OTHER)]
    calls: list[int] = []

    def crash(*given: Any) -> None:
        calls.append(1)
        if len(calls) > 1:
            raise RuntimeError("killed")
        transact(*given)

    monkeypatch.setattr(shared_network, "transact", crash)
    with pytest.raises(RuntimeError):
        table.write(REGION, both, START)
    monkeypatch.setattr(shared_network, "transact", transact)
    assert len(load(client, HUB_ACCOUNT, OTHER).zones) == 1
    again = [part("Z-1", second=1), part("Z-2", second=1, account=OTHER)]
    assert table.write(REGION, again, START + SECOND) == 1
    assert load(client, HUB_ACCOUNT, OTHER).zones.keys() == {"Z-1", "Z-2"}


def test_what_no_survey_has_read_is_unread_by_name(client: Any, table: SharedNetworkTable) -> None:
    """Also where nothing is stored at all; accounts that are not watched any more do not count."""
    assert len(load(client).unread) == sum(map(len, FACETS.values()))
    table.write(REGION, [part("Z-1"), part("Z-2", account=OTHER)], START)
    network = load(client)
    assert network.zones.keys() == {"Z-1"}
    assert not {each.facet for each in network.unread} & {*FACETS[SharedKind.ZONES]}
    assert {each.account for each in network.unread} == {HUB_ACCOUNT}


@pytest.mark.parametrize(
    ("item", "changes"),
    [
        ("#head", {"changed_at": {"S": "yesterday"}}),
        ("part#zones#100000000001", {"observed_at": {"N": "1"}}),
        ("part#zones#100000000001", {"digest": None}),
        ("part#zones#100000000001", {"chunks": {"S": "two"}}),
        ("part#zones#100000000001", {"chunks": {"N": "2"}}),
        ("part#zones#100000000001", {"schema": {"N": "99"}}),
        ("part#zones#100000000001", {"calls": {"B": b"x"}}),
        ("~data#part#zones#100000000001#000", {"data": {"B": b"x"}}),
        ("~data#part#zones#100000000001#000", {"digest": {"S": "x"}}),
        ("~data#part#zones#100000000001#000", {"data": None}),
    ],
)
def test_an_item_that_was_edited_is_named_and_mended_by_the_next_survey(
    client: Any, table: SharedNetworkTable, item: str, changes: dict[str, Any]
) -> None:
    """Nothing is evaluated with facts that cannot be read."""
    table.write(REGION, [part("Z-1")], START)
    edit(client, item, **changes)
    with pytest.raises(CorruptItemError, match=r"shared network eu-west-1 / (#head|part#zones)"):
        load(client)
    table.write(REGION, [part("Z-1", second=1)], START + SECOND, rewrite=True)
    assert load(client).zones.keys() == {"Z-1"}


def test_the_calls_of_the_last_hour_are_kept_with_what_they_may_have_changed(
    client: Any, table: SharedNetworkTable
) -> None:
    """A call counts for its kinds and account, or for all accounts where it spreads."""

    def call(name: str, account: str, *, spreads: bool = False) -> Any:
        kinds = frozenset({SharedKind.ZONES})
        made = replace(change(name), region=Region(account, "us-east-1"), kinds=kinds)
        return replace(made, spreads=spreads, time=START)

    calls = [call("a", HUB_ACCOUNT), call("b", OTHER), call("c", OTHER, spreads=True)]
    table.write(REGION, [part("Z-1")], START, calls)
    since = table.load_head(REGION)
    table.write(REGION, [part("Z-2", second=1)], START + SECOND, [call("d", HUB_ACCOUNT)])

    def name(at: datetime | None) -> list[str]:
        stored = SharedNetworkTable(client, NETWORK).load(REGION, [HUB_ACCOUNT], START)
        return [each.event_id for each in stored.list_calls(at)]

    assert name(since) == ["a", "c", "d"]
    assert name(table.load_head(REGION)) == []
    table.write(REGION, [part("Z-3", second=2)], START + timedelta(hours=3))
    assert name(since) == []


def test_a_catalogue_is_read_by_its_digest(client: Any, table: SharedNetworkTable) -> None:
    """It is written once in the life of a process."""
    catalogue = Catalogue({"a": Service("a", frozenset(), "amazon")})
    table.keep_catalogue(REGION, "digest", catalogue, START)
    other = SharedNetworkTable(client, NETWORK)
    assert other.load_catalogue(REGION, "digest") == catalogue
    assert other.load_catalogue(REGION, "unknown") is None
    edit(client, "catalogue#digest", data={"B": b"x"})
    with pytest.raises(CorruptItemError, match="catalogue#digest"):
        SharedNetworkTable(client, NETWORK).load_catalogue(REGION, "digest")


def test_each_field_is_taken_from_the_latest_account_that_sees_it() -> None:
    """The owner of a gateway sees the table of an attachment, that of the VPC does not."""
    attachment = next(iter(ORGANIZATION.shared.attachments.values()))
    views = [replace(attachment, table_id=None, state="available"), attachment]
    parts = [
        SurveyPart(
            SharedKind.TRANSIT,
            account,
            SharedNetwork(REGION, START + second * SECOND, attachments={attachment.id: view}),
        )
        for second, (account, view) in enumerate(zip((OTHER, HUB_ACCOUNT), views, strict=True))
    ]
    for listed in (parts, parts[::-1]):
        merged = merge_parts(REGION, listed, START)
        assert merged.attachments == {attachment.id: attachment}
        assert merged.observed_at == START
