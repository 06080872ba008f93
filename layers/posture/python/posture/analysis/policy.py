"""What an endpoint policy says: so far whether it is as good as none.

https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-access.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

KNOWN = frozenset({"Sid", "Effect", "Principal", "Action", "Resource"})


class UnreadablePolicyError(ValueError):
    """The text is no policy document."""


def statements(policy: str) -> tuple[Mapping[str, Any], ...]:
    """Give the statements of a policy document.

    Raises:
        UnreadablePolicyError: it is no JSON, or has no statements.
    """
    try:
        document = json.loads(policy)
    except (ValueError, RecursionError) as error:
        raise UnreadablePolicyError(f"it is no JSON: {error}") from None
    stated = document.get("Statement") if isinstance(document, Mapping) else None
    listed = [stated] if isinstance(stated, Mapping) else stated
    if not isinstance(listed, list) or not all(isinstance(each, Mapping) for each in listed):
        raise UnreadablePolicyError("it has no list of statements")
    return tuple(listed)


def full_access(policy: str) -> Mapping[str, Any] | None:
    """Give the statement that lets everybody do everything, when nothing in the policy limits it.

    That is what an endpoint gets when nobody writes a policy. A policy with a Deny is not it,
    whatever that Deny amounts to.

    Raises:
        UnreadablePolicyError: the text is no policy document.
    """
    stated = statements(policy)
    if any(each.get("Effect") != "Allow" for each in stated):
        return None
    return next((each for each in stated if _everything(each)), None)


def _everything(statement: Mapping[str, Any]) -> bool:
    return (
        frozenset(statement) <= KNOWN
        and _any_principal(statement.get("Principal"))
        and _star(statement.get("Action"), "*:*")
        and _star(statement.get("Resource"))
    )


def _any_principal(principal: Any) -> bool:
    if isinstance(principal, Mapping):
        return _star(principal.get("AWS"))
    return _star(principal)


def _star(value: Any, *others: str) -> bool:
    stars = {"*", *others}
    return any(each in stars for each in value) if isinstance(value, list) else value in stars
