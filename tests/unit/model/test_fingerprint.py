"""A digest is the same for equal values and for no others."""

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
    """An enumeration."""

    ONE = "one"


@dataclass(frozen=True)
class Part:
    """A dataclass with one field."""

    field: Any


@dataclass(frozen=True)
class Other:
    """Another dataclass with the same field."""

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


def with_types(value: Any) -> Any:
    """Return the value with its types, so that 1 differs from True and an enum from its text."""
    if isinstance(value, tuple):
        return "tuple", tuple(map(with_types, value))
    if isinstance(value, dict):
        return "dict", {key: with_types(each) for key, each in value.items()}
    if isinstance(value, (Part, Other)):
        return type(value).__name__, with_types(value.field)
    return type(value).__name__, value


@given(values)
def test_equal_values_have_the_same_digest(value: Any) -> None:
    """It does not matter how they were built."""
    copy = rebuild(value)
    assert fingerprint(value) == fingerprint(copy)


def rebuild(value: Any) -> Any:
    """Build an equal value from other objects, with mappings and sets in reverse order."""
    if isinstance(value, tuple):
        return tuple(map(rebuild, value))
    if isinstance(value, frozenset):
        return frozenset(reversed(list(value)))
    if isinstance(value, dict):
        return {key: rebuild(each) for key, each in reversed(value.items())}
    if isinstance(value, (Part, Other)):
        return type(value)(rebuild(value.field))
    return "".join(list(value)) if type(value) is str else value


@given(values, values)
def test_different_values_have_different_digests(one: Any, other: Any) -> None:
    """Otherwise one value could be taken for the other."""
    if with_types(one) != with_types(other) and type(one) is type(other):
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
def test_similar_values_have_different_digests(one: Any, other: Any) -> None:
    """Type, order and nesting are part of the digest."""
    assert fingerprint(one) != fingerprint(other)


def test_an_unsupported_type_is_rejected() -> None:
    """It is neither left out nor represented by its address in memory."""
    with pytest.raises(TypeError, match="cannot compute a digest of object"):
        fingerprint({"a": object()})
    with pytest.raises(TypeError, match="cannot compute a digest of list"):
        fingerprint([])
