"""Describe what is missing for an answer, with the account and the permission."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from posture.model.shared_network import SharedFacet, SharedNetwork, UnreadFact


def list_unread(
    shared: SharedNetwork,
    facets: Collection[SharedFacet],
    accounts: Collection[str] = (),
    subject: str | None = "",
) -> Iterator[UnreadFact]:
    """List the facts of these kinds that could not be read.

    Args:
        shared: The shared network.
        facets: The kinds of facts.
        accounts: The accounts concerned; all if empty.
        subject: The id of what they concern, None for anything; facts about a whole account concern
            it as well.
    """
    for each in shared.unread:
        concerned = not accounts or not each.account or each.account in accounts
        about = subject is None or each.subject in {"", subject}
        if each.facet in facets and concerned and about:
            yield each


def describe_unread(
    shared: SharedNetwork, facets: Collection[SharedFacet], subject: str, account: str = ""
) -> str:
    """Describe a missing fact: what was denied and where, or else in which account to read it."""
    accounts = (account,) if account else ()
    denied = list(list_unread(shared, facets, accounts, subject))
    exact = [each for each in denied if each.subject] or denied
    if exact:
        return "; ".join(f"{each.facet} in account {each.account} ({each.why})" for each in exact)
    where = f"account {account}" if account else "the account that owns it, which is not watched"
    return f"{' and '.join(facets)} of {subject} in {where}"


def find_gap(
    shared: SharedNetwork, facets: Collection[SharedFacet], subject: str, account: str
) -> str:
    """Describe why a fact of an account may be missing; "" if the account's facts were read."""
    if account in shared.accounts and not any(list_unread(shared, facets, (account,), subject)):
        return ""
    return describe_unread(shared, facets, subject, account)
