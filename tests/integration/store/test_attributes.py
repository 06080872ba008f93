"""Items are typed as boto3 types them, and read back as they were."""

from decimal import Decimal
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from hypothesis import given
from hypothesis import strategies as st

from posture.store.attribute_values import deserialize, serialize

SCALARS = st.one_of(
    st.text(), st.none(), st.booleans(), st.integers(-(10**30), 10**30), st.binary(min_size=1)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)
ITEMS = st.dictionaries(st.text(min_size=1), VALUES)


def bare(value: Any) -> Any:
    """Return what boto3 read, without its wrapper around bytes."""
    if isinstance(value, dict):
        return {name: bare(each) for name, each in value.items()}
    if isinstance(value, list):
        return [bare(each) for each in value]
    return getattr(value, "value", value)


@given(ITEMS)
def test_an_item_is_typed_as_boto3_types_it(item: dict[str, Any]) -> None:
    """Whatever mixture of texts, numbers, lists and maps it holds."""
    expected = {name: value for name, value in item.items() if value is not None}
    serialized = {name: TypeSerializer().serialize(value) for name, value in expected.items()}
    assert serialize(item) == serialized
    assert deserialize(serialize(item)) == expected
    read = {name: bare(TypeDeserializer().deserialize(it)) for name, it in serialized.items()}
    assert deserialize(serialize(item)) == read


def test_a_number_written_by_hand_is_exact() -> None:
    """As are sets, which only other hands write."""
    stored: Any = {"a": {"N": "1.10"}, "b": {"SS": ["x", "y"]}, "c": {"NS": ["1", "2"]}}
    assert deserialize(stored) == {
        "a": Decimal("1.10"),
        "b": {"x", "y"},
        "c": {Decimal(1), Decimal(2)},
    }


@pytest.mark.parametrize(
    "value", [{}, {"S": "a", "N": "1"}, {"X": "a"}, "a", {"N": "one"}, {"M": "a"}, {"L": [1]}]
)
def test_what_has_no_type_is_refused(value: Any) -> None:
    """The error shows what was found instead."""
    with pytest.raises(TypeError, match="typed DynamoDB value"):
        deserialize({"broken": value})


@pytest.mark.parametrize("value", [1.5, {1, 2}, object()])
def test_what_would_not_come_back_the_same_is_not_written(value: object) -> None:
    """A binary fraction above all."""
    with pytest.raises(TypeError, match="cannot be stored in an item"):
        serialize({"held": value})
