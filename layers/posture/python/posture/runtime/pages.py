"""Reads an operation's pages, one request after the other.

A paginator of botocore does the same, and takes a quarter of the time of a small call to look up by
expressions what is named here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from botocore.exceptions import PaginationError


def read_pages(
    operation: Callable[..., Any],
    parameters: Mapping[str, Any],
    *,
    sent: str = "NextToken",
    returned: str = "NextToken",
) -> Iterator[Any]:
    """Read the pages of an operation, each when it is asked for.

    Args:
        operation: A client's method.
        parameters: Its parameters.
        sent: The parameter that asks for the next page.
        returned: The member of an answer with its value; missing or empty in the last answer.

    Raises:
        PaginationError: The same page would be read again without end.
    """
    following: dict[str, Any] = {}
    while True:
        page = operation(**parameters, **following)
        yield page
        value = page.get(returned)
        if not value:
            return
        if following == {sent: value}:
            raise PaginationError(message=f"The same next token was received twice: {following}")
        following = {sent: value}
