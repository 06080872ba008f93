"""Of which of several stacks an export is: what is of none is said, what may be of two refused."""

from datetime import UTC, datetime

import pytest

from posture.store.chain_ends import ChainEnd, ExportHeader
from posture.store.hash_chain import WAIVERS, Chain
from posture_cli.audit.exported_ends import ExportedDocument, StackEnds, add_to_stacks

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
IRELAND, VIRGINIA = "eu-west-1", "us-east-1"


def build_stacks() -> list[StackEnds]:
    """Build two stacks of one Region and one of another, whose table has the same name."""
    return [
        StackEnds("posture", IRELAND, "history"),
        StackEnds("second", IRELAND, "history-2"),
        StackEnds("posture", VIRGINIA, "history"),
    ]


def build_export(region: str, table: str = "history") -> ExportedDocument:
    """Build an export of one scope and of the waivers."""
    scope = f"111122223333/{region or IRELAND}/vpc-0a"
    ends = (ChainEnd(scope, Chain(2, "b")), ChainEnd(WAIVERS, Chain(1, "a")))
    return ExportedDocument(ends, ExportHeader(table, NOW, region=region))


def build_alert(*regions: str) -> ExportedDocument:
    """Build what the alerts of one scope in each of these Regions hold."""
    return ExportedDocument(
        tuple(ChainEnd(f"111122223333/{each}/vpc-0a", Chain(2, "b")) for each in regions)
    )


@pytest.mark.parametrize(
    ("region", "table", "number"),
    [(IRELAND, "history", 0), (IRELAND, "history-2", 1), (VIRGINIA, "history", 2)],
)
def test_an_export_is_of_the_table_of_its_region(region: str, table: str, number: int) -> None:
    """A table of another Region may have the same name."""
    stacks = build_stacks()
    assert add_to_stacks(build_export(region, table), stacks) == ""
    assert [bool(each.ends) for each in stacks] == [it == number for it in range(3)]
    assert stacks[number].ends.complete_at == NOW
    assert not stacks[number].ends.warnings


def test_an_export_of_a_former_table_is_compared_where_one_stack_is_meant() -> None:
    """After a restore the table has another name, which is a warning as for one stack."""
    stacks = build_stacks()
    assert add_to_stacks(build_export(VIRGINIA, "former"), stacks) == ""
    assert stacks[2].ends.warnings == ["an export is of table former, not of history"]
    assert "table former in eu-west-1 is not" in add_to_stacks(
        build_export(IRELAND, "former"), stacks
    )
    assert not stacks[0].ends


@pytest.mark.parametrize("region", ["us-west-2", "eu-west-2"])
def test_what_is_of_no_stack_is_said(region: str) -> None:
    """An export and an alert alike; nothing of it is taken for that of another stack."""
    stacks = build_stacks()
    assert region in add_to_stacks(build_export(region), stacks)
    assert region in add_to_stacks(build_alert(region), stacks)
    assert not any(each.ends for each in stacks)


def test_an_alert_is_of_the_stack_of_its_region() -> None:
    """Alerts of several Regions are in one file."""
    stacks = build_stacks()[1:]
    assert add_to_stacks(build_alert(IRELAND, VIRGINIA, IRELAND), stacks) == ""
    assert [each.ends.alerts for each in stacks] == [2, 1]


@pytest.mark.parametrize("document", [build_alert(IRELAND), build_export("")])
def test_what_may_be_of_several_stacks_is_refused(document: ExportedDocument) -> None:
    """Compared with the wrong one, a chain that was never there would be missed."""
    stacks = build_stacks()
    with pytest.raises(ValueError, match="does not say of which"):
        add_to_stacks(document, stacks)
    assert not any(each.ends for each in stacks)
