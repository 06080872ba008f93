"""What is encoded once is what `json` writes."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from posture.runtime.encoded_item import EncodedItem
from posture.store.hash_chain import Chain, append_to_chain, digest_row

NAMES = st.text('aB_"\\é\n', max_size=3)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.text('aB"\\é\n\u2028\U0001f600', max_size=4).map(lambda held: {"S": held}),
        st.integers().map(lambda held: {"N": str(held)}),
        st.booleans().map(lambda held: {"BOOL": held}),
        st.just({"NULL": True}),
    ),
    lambda values: st.one_of(
        st.lists(values, max_size=3).map(lambda held: {"L": held}),
        st.dictionaries(NAMES, values, max_size=3).map(lambda held: {"M": held}),
    ),
    max_leaves=6,
)
ITEMS = st.dictionaries(NAMES, VALUES, max_size=4)


@given(ITEMS, ITEMS)
def test_its_json_is_that_of_the_plain_item(item: dict[str, Any], more: dict[str, Any]) -> None:
    """With sorted keys and without spaces; attributes that are added replace others."""
    encoded = EncodedItem(item).extend(more)

    plain = {**item, **more}
    assert encoded == plain
    assert encoded.to_json() == json.dumps(
        plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )


@given(ITEMS)
def test_a_row_has_the_digest_that_is_computed_of_what_is_stored(row: dict[str, Any]) -> None:
    """An auditor computes it from the row as DynamoDB returns it."""
    linked, chain = append_to_chain(EncodedItem(row), Chain())

    stored = json.loads(linked.to_json())
    assert stored["digest"] == {"S": chain.tip}
    assert digest_row(stored) == chain.tip
