"""The result of a sweep is counted, and what is missing is named."""

import pytest

from posture.errors import SweepIncompleteError
from posture.evaluation.sweep_result import SweepResult, merge_results
from posture.model.scope import Region, Scope

HOME = Region("111122223333", "eu-west-1")
MEMBER = Region("444455556666", "eu-west-1")


def scopes(number: int) -> tuple[Scope, ...]:
    """Name so many VPCs."""
    return tuple(Scope(HOME.account, HOME.name, f"vpc-{at:04x}") for at in range(number))


def test_a_whole_sweep_misses_nothing() -> None:
    """And is complete."""
    assert SweepResult(HOME).describe_missing() == ()
    SweepResult(HOME).require_complete()


def test_what_time_was_lacking_for_is_named_and_counted() -> None:
    """The least recently observed are named, all are counted."""
    result = SweepResult(HOME, remaining=scopes(8))
    with pytest.raises(
        SweepIncompleteError, match=r"^8 not swept in 111122223333/eu-west-1: "
    ) as raised:
        result.require_complete()
    assert "vpc-0004 and 3 more: no time was left" in str(raised.value)
    assert "vpc-0005" not in str(raised.value)
    assert result.count_metrics()["ScopesLeft"] == 8


def test_one_reason_is_named_once() -> None:
    """A slice that could not be read has one reason for all its VPCs."""
    one, two, three = scopes(3)
    result = SweepResult(
        HOME, failed={one: "ClientError: no", two: "ClientError: no", three: "other"}
    )
    assert result.describe_missing() == (f"{one}, {two}: ClientError: no", f"{three}: other")


def test_parts_are_joined() -> None:
    """What is missing in one of them is missing in the whole."""
    one, two = scopes(2)
    whole = merge_results(
        HOME,
        [
            SweepResult(HOME, failed={one: "no"}),
            SweepResult(MEMBER, failed_regions={MEMBER: "denied"}),
            SweepResult(HOME, remaining=(two,)),
        ],
    )
    assert whole == SweepResult(
        HOME, failed={one: "no"}, failed_regions={MEMBER: "denied"}, remaining=(two,)
    )
    assert len(whole.describe_missing()) == 3


def test_a_message_is_bounded_however_much_failed() -> None:
    """Of each reason five accounts are named, and ten reasons are given, each cut short."""
    accounts = [Region(f"{number:012}", HOME.name) for number in range(1_000)]
    alike = SweepResult(HOME, failed_regions=dict.fromkeys(accounts, "AccessDenied"))
    with pytest.raises(SweepIncompleteError, match="000000000004/eu-west-1 and 995 more") as raised:
        alike.require_complete()
    assert "000000000005/" not in str(raised.value)
    different = SweepResult(HOME, failed_regions={it: f"{it} " + "x" * 9_999 for it in accounts})
    with pytest.raises(
        SweepIncompleteError, match=r"^1000 not swept .* for 990 more reasons$"
    ) as it:
        different.require_complete()
    assert len(str(it.value)) < 5_000
    eleven = SweepResult(HOME, failed_regions={it: f"reason {it}" for it in accounts[:11]})
    assert len(eleven.describe_missing()) == 11
    assert eleven.describe_missing()[-1] == "and for 1 more reason"
