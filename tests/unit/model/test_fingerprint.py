"""A digest is the same for what is equal, and for nothing else."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posture.model.fingerprint import fingerprint


class Kind(StrEnum):
    """A choice."""

    ONE = "one"


@dataclass(frozen=True)
class Part:
    """Something with a field."""

    field: Any


@dataclass(frozen=True)
class Other:
    """Something else with that field."""

    field: Any


leaves = (
    st.none()
    | st.booleans()
    | st.integers(-2, 2)
    | st.text(max_size=2)
    | st.sampled_from([Kind.ONE, datetime(2026, 1, 31, tzinfo=UTC)])
    | st.sampled_from(["10.0.0.0/8", "::/0"]).map(ip_network)
    | st.sampled_from(["10.0.0.1", "::1"]).map(ip_address)
)
values = st.recursive(
    leaves,
    lambda each: (
        st.lists(each, max_size=3).map(tuple)
        | st.frozensets(st.text(max_size=2), max_size=3)
        | st.dictionaries(st.text(max_size=2), each, max_size=3)
        | st.builds(Part, each)
        | st.builds(Other, each)
    ),
    max_leaves=8,
)


def told(value: Any) -> Any:
    """Give the value with its types, so that 1 is not True and a choice is not its text."""
    if isinstance(value, tuple):
        return "tuple", tuple(map(told, value))
    if isinstance(value, dict):
        return "dict", {key: told(each) for key, each in value.items()}
    if isinstance(value, (Part, Other)):
        return type(value).__name__, told(value.field)
    return type(value).__name__, value


@given(values)
def test_what_is_equal_has_one_digest(value: Any) -> None:
    """However it was put together."""
    copy = copied(value)
    assert fingerprint(value) == fingerprint(copy)


def copied(value: Any) -> Any:
    """Give an equal value of other objects, mappings and sets filled the other way round."""
    if isinstance(value, tuple):
        return tuple(map(copied, value))
    if isinstance(value, frozenset):
        return frozenset(reversed(list(value)))
    if isinstance(value, dict):
        return {key: copied(each) for key, each in reversed(value.items())}
    if isinstance(value, (Part, Other)):
        return type(value)(copied(value.field))
    return "".join(list(value)) if type(value) is str else value


@given(values, values)
def test_what_differs_has_two(one: Any, other: Any) -> None:
    """A digest that two values share would let one pass for the other."""
    if told(one) != told(other) and type(one) is type(other):
        assert fingerprint(one) != fingerprint(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (None, ""),
        (0, False),
        (1, "1"),
        (("a", "b"), ("b", "a")),
        (("a", "b"), ("ab",)),
        ((("a",), "b"), ("a", ("b",))),
        (("a",), "a"),
        ({"a": None}, {}),
        ((), {}),
        ((), frozenset()),
        (Part(1), Other(1)),
        (ip_network("10.0.0.0/8"), ip_network("10.0.0.0/9")),
        ("\ud800", "?"),
    ],
)
def test_close_neighbours_differ(one: Any, other: Any) -> None:
    """Nothing is another kind of thing, another order, or another nesting."""
    assert fingerprint(one) != fingerprint(other)


def test_what_has_no_form_is_refused() -> None:
    """Rather than be left out, or told by where it lies in memory."""
    with pytest.raises(TypeError, match="object has no form"):
        fingerprint({"a": object()})
    with pytest.raises(TypeError, match="list has no form"):
        fingerprint([])
