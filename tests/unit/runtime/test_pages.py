"""Pages of an operation: each is read once, with what the one before it returned."""

from typing import Any

import pytest
from botocore.exceptions import PaginationError

from posture.runtime.pages import read_pages


class Pages:
    """An operation with these tokens, one for each page."""

    def __init__(self, *tokens: Any) -> None:
        self._tokens = list(tokens)
        self.asked: list[dict[str, Any]] = []

    def __call__(self, **parameters: Any) -> dict[str, Any]:
        """Answer with the next token."""
        self.asked.append(parameters)
        token = self._tokens[len(self.asked) - 1]
        return {"NextToken": token} if token is not None else {}


@pytest.mark.parametrize("last", [None, ""])
def test_every_page_is_read_with_the_parameters_and_the_token_before_it(last: str | None) -> None:
    """The last answer has no token; EC2 may return an empty one."""
    pages = Pages("a", "b", last)
    assert len(list(read_pages(pages, {"MaxResults": 5}))) == 3
    tokens = [{}, {"NextToken": "a"}, {"NextToken": "b"}]
    assert pages.asked == [{"MaxResults": 5, **token} for token in tokens]


def test_the_names_of_dynamodb_are_used() -> None:
    """What it returns as LastEvaluatedKey is asked for as ExclusiveStartKey."""
    answers = iter([{"LastEvaluatedKey": {"item": {"S": "#head"}}}, {}])
    asked: list[Any] = []

    def query(**parameters: Any) -> dict[str, Any]:
        asked.append(parameters)
        return next(answers)

    list(read_pages(query, {}, sent="ExclusiveStartKey", returned="LastEvaluatedKey"))
    assert asked == [{}, {"ExclusiveStartKey": {"item": {"S": "#head"}}}]


def test_a_page_is_read_only_when_it_is_asked_for() -> None:
    """A caller that needs one row does not read the others."""
    pages = Pages("a", None)
    next(read_pages(pages, {}))
    assert len(pages.asked) == 1


def test_a_token_that_repeats_does_not_make_it_read_forever() -> None:
    """As a paginator of botocore."""
    with pytest.raises(PaginationError, match="twice"):
        list(read_pages(Pages("a", "a", "a"), {}))
