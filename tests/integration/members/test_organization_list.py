"""The state machine that keeps members in step with AWS Organizations, executed by moto."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from organization_list import OrganizationList, opened_organization
from posture.model.member import MemberSource, MemberState
from posture.store.schema import SCHEMA

LONG_AGO = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture
def organization() -> Iterator[OrganizationList]:
    """Yield an organization without member accounts."""
    with opened_organization() as opened:
        yield opened


def test_active_accounts_become_members(organization: OrganizationList) -> None:
    """All but the monitor's own, which is no member; a later list only says when it saw them."""
    accounts = {organization.add(name) for name in ("one", "two")}
    assert not organization.execute()
    first = {each: organization.read(each) for each in accounts}
    assert organization.list_states() == dict.fromkeys(accounts, "active")
    assert not organization.execute()
    for account, before in first.items():
        member = organization.read(account)
        assert before.since == before.last_seen
        assert before.source is member.source is MemberSource.ORGANIZATION
        assert member.since == before.since
        assert member.last_seen > before.last_seen
        assert member.is_due(member.last_seen)


def test_items_are_those_of_the_schema(organization: OrganizationList) -> None:
    """No attribute is written that belongs to sweeps."""
    organization.add("one")
    organization.execute()
    [item] = organization.dynamodb.scan(TableName="baseline")["Items"]
    assert item["schema"] == {"N": str(SCHEMA)}
    written = {"kind", "name", "schema", "state", "since", "last_seen", "source"}
    assert item.keys() == written


def test_what_sweeps_wrote_stays(organization: OrganizationList) -> None:
    """Each writes attributes of its own."""
    account = organization.add("one")
    organization.execute()
    organization.members.ask(account, LONG_AGO)
    organization.members.give_up(organization.read(account), LONG_AGO, "denied")
    organization.execute()
    member = organization.read(account)
    assert (member.due_at, member.tried_at, member.last_error) == (LONG_AGO, LONG_AGO, "denied")


def test_all_pages_are_read(organization: OrganizationList) -> None:
    """Five accounts with that of the management, two on each page."""
    accounts = {organization.add(f"account{number}") for number in range(4)}
    assert not organization.execute()
    assert organization.list_states().keys() == accounts
    assert organization.calls.count("ListAccounts") == 3


def test_suspended_and_removed_accounts_leave(organization: OrganizationList) -> None:
    """And return when they are active again, with the time of each change of their state."""
    stays, suspended, removed = (organization.add(name) for name in ("stays", "off", "gone"))
    organization.execute()
    joined = organization.read(removed).since
    organization.suspend(suspended)
    organization.remove(removed)
    assert not organization.execute()
    assert organization.list_states() == {stays: "active", suspended: "left", removed: "left"}
    left = organization.read(removed)
    assert left.since > joined == left.last_seen
    organization.execute()
    assert organization.read(removed).since == left.since


def test_a_member_that_returns_is_one_from_then_on(organization: OrganizationList) -> None:
    """By units: it was moved out of the unit that is listed, and back."""
    unit = organization.add_unit("unit", organization.root)
    stays, account = organization.add("stays", unit), organization.add("moves", unit)
    organization.execute(unit)
    organization.move(account, unit, organization.root)
    assert not organization.execute(unit)
    left = organization.read(account)
    assert organization.list_states() == {stays: "active", account: "left"}
    organization.move(account, organization.root, unit)
    assert not organization.execute(unit)
    again = organization.read(account)
    assert again.is_active
    assert again.since == again.last_seen > left.since


def test_units_are_listed_with_the_units_in_them(organization: OrganizationList) -> None:
    """Each once, though one is named twice; what is beside them is not listed."""
    named = organization.add_unit("named", organization.root)
    inner = organization.add_unit("inner", named)
    deep, beside = (
        organization.add_unit("deep", inner),
        organization.add_unit("beside", organization.root),
    )
    members = {organization.add(unit[-4:], unit) for unit in (named, inner, deep)}
    organization.add("other", beside)
    organization.add("atroot")
    assert not organization.execute(f"{named},{inner}")
    assert organization.list_states() == dict.fromkeys(members, "active")
    assert organization.calls.count("ListAccountsForParent") == 3


def test_a_suspended_account_leaves_though_its_unit_is_listed(
    organization: OrganizationList,
) -> None:
    """It has not moved."""
    unit = organization.add_unit("unit", organization.root)
    stays, suspended = organization.add("stays", unit), organization.add("off", unit)
    organization.execute(unit)
    organization.suspend(suspended)
    assert not organization.execute(unit)
    assert organization.list_states() == {stays: "active", suspended: "left"}


def test_all_pages_of_units_are_read(organization: OrganizationList) -> None:
    """Two on each page, and two accounts on each page."""
    units = [organization.add_unit(f"unit{number}", organization.root) for number in range(3)]
    accounts = {organization.add(f"in{each}", each) for each in (units[0], units[-1])}
    assert not organization.execute(organization.root)
    assert organization.list_states().keys() >= accounts


def test_what_a_person_decided_stays(organization: OrganizationList) -> None:
    """A member that the organization lists, too, or does not, and one that is not wanted."""
    unwanted, listed = organization.add("unwanted"), organization.add("listed")
    decided = {
        unwanted: MemberState.LEFT,
        listed: MemberState.ACTIVE,
        "111111111111": MemberState.ACTIVE,
    }
    for account, state in decided.items():
        organization.decide(account, state, LONG_AGO)
    before = [organization.read(each) for each in decided]
    assert not organization.execute()
    assert [organization.read(each) for each in decided] == before


@pytest.mark.parametrize(
    "operation", ["DescribeOrganization", "ListAccounts", "UpdateItem", "Query"]
)
def test_a_throttled_call_is_tried_again(organization: OrganizationList, operation: str) -> None:
    """With growing waits; the list is complete in the end."""
    account = organization.add("one")
    organization.refused[operation] = ["TooManyRequestsException"] * 3
    assert not organization.execute()
    assert organization.list_states() == {account: "active"}
    assert len(organization.waits) == 3


@pytest.mark.parametrize(
    ("operation", "answered"),
    [("DescribeOrganization", 0), ("ListAccounts", 0), ("ListAccounts", 1), ("UpdateItem", 1)],
)
def test_no_member_leaves_when_a_list_fails(
    organization: OrganizationList, operation: str, answered: int
) -> None:
    """From its first call, or in its middle: what was not listed is not known to have left."""
    accounts = {organization.add(f"account{number}") for number in range(3)}
    organization.execute()
    gone = accounts.pop()
    organization.remove(gone)
    organization.refused[operation] = [""] * answered + ["AccessDeniedException"] * 60
    assert organization.execute()
    assert organization.list_states() == dict.fromkeys({*accounts, gone}, "active")


@pytest.mark.parametrize("operation", ["ListAccountsForParent", "ListOrganizationalUnitsForParent"])
def test_no_member_leaves_when_units_cannot_be_listed(
    organization: OrganizationList, operation: str
) -> None:
    """One unit was listed, the other was not."""
    units = [organization.add_unit(name, organization.root) for name in ("first", "second")]
    accounts = {organization.add(f"in{each}", each) for each in units}
    organization.execute(",".join(units))
    organization.refused[operation] = ["", *["AccessDeniedException"] * 10]
    assert organization.execute(",".join(units))
    assert organization.list_states() == dict.fromkeys(accounts, "active")


def test_no_member_leaves_by_the_list_of_another_organization(
    organization: OrganizationList,
) -> None:
    """The role is of an account in it."""
    account = "111111111111"
    organization.members.put(account, MemberState.ACTIVE, MemberSource.ORGANIZATION, LONG_AGO)
    assert organization.execute(organization="o-another1234") == "OtherOrganization"
    assert organization.list_states() == {account: "active"}


def test_no_member_leaves_by_an_empty_list(organization: OrganizationList) -> None:
    """A unit without accounts is more likely a mistake."""
    unit = organization.add_unit("unit", organization.root)
    account = organization.add("one", unit)
    organization.execute(unit)
    empty = organization.add_unit("empty", organization.root)
    assert organization.execute(empty) == "NoActiveAccount"
    assert organization.list_states() == {account: "active"}


def test_an_account_that_moves_during_the_list_stays(organization: OrganizationList) -> None:
    """From a unit that is not listed yet to one that was listed: no list has it."""
    first, second = (organization.add_unit(name, organization.root) for name in ("a", "b"))
    organization.add("stays", second)
    account = organization.add("moves", second)
    organization.execute(f"{first},{second}")
    organization.when["ListOrganizationalUnitsForParent"] = lambda: organization.move(
        account, second, first
    )
    assert not organization.execute(f"{first},{second}")
    assert organization.read(account).is_active


def test_a_later_list_wins(organization: OrganizationList) -> None:
    """An execution that was delayed changes nothing that one which began after it has written."""
    account = organization.add("one")
    gone = organization.add("gone")
    organization.execute()
    later = datetime.now(UTC) + timedelta(days=1)
    for each in (account, gone):
        organization.members.put(each, MemberState.ACTIVE, MemberSource.ORGANIZATION, later)
    organization.remove(gone)
    before = [organization.read(each) for each in (account, gone)]
    assert not organization.execute()
    assert [organization.read(each) for each in (account, gone)] == before
